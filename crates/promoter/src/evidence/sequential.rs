//! The part of the evidence that may be looked at as often as one likes.

use serde::{Deserialize, Serialize};
use walkforward_core::{Horizon, Timestamp};
use walkforward_stats::{
    CurtailedObrienFleming, EProcess, EProcessSettings, Error as StatsError, Qualification,
};

use super::rules::probability;
use super::{EvidenceRules, LedgerError, Looks, MarketPace};

/// Which of the two tests may qualify an arm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decider {
    /// The test that was registered before its first bar.
    RegisteredTest,
    /// The e-process alone: no test was registered, or it was paused or changed.
    EProcess,
}

/// Where the sequential tests stand. Bars are live bars from the first on that they count.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sequential {
    /// Bars that they have counted.
    pub bars: usize,
    /// Which of them decides.
    pub decider: Decider,
    /// Why the registered test does not decide any more; none while it does, or while there is none.
    pub broken: Option<String>,
    /// One-sided level of the deciding test: the registered one's own, also where that is broken; without one the level
    /// that was fixed for the e-process before its first bar, else the arm's share of the line-year.
    pub alpha: f64,
    /// The part of it that is spent: of the registered test by Lan and DeMets' spending, of the e-process all of it
    /// from the first bar on.
    pub alpha_spent: f64,
    /// Bars of the registered test; none without one.
    pub horizon_bars: Option<usize>,
    /// Its statistic, frozen at its decision; none as long as no bar differs, or without a test.
    pub z: Option<f64>,
    /// What the statistic has to reach.
    pub boundary: Option<f64>,
    /// Whether its horizon was reached without a crossing.
    pub is_over: bool,
    /// Natural logarithm of the e-value; none when it is 0 for good.
    pub log_e: Option<f64>,
    /// The largest that it ever was.
    pub max_log_e: f64,
    /// What it has to reach.
    pub log_e_needed: f64,
    /// The first bar that was below the declared bound, from 0; the e-value is 0 from there on.
    pub bound_broken_at: Option<usize>,
    /// The number of bars at which the deciding test was crossed; it stays.
    pub qualified_at: Option<usize>,
    /// Close of the bar at which an earlier verdict found a crossing; nothing that became of the test since undoes it.
    #[serde(default)]
    pub crossed_before: Option<Timestamp>,
}

/// The sequential tests, one bar at a time.
#[derive(Debug, Clone)]
pub struct SequentialTest {
    registered: Option<Registered>,
    e_process: EProcess,
    alpha: f64,
    bars: usize,
    bound_broken_at: Option<usize>,
    e_crossed_at: Option<usize>,
    crossed_before: Option<Timestamp>,
}

#[derive(Debug, Clone)]
struct Registered {
    test: CurtailedObrienFleming,
    horizon_bars: usize,
    broken: Option<String>,
}

impl SequentialTest {
    /// Before the first live bar: with the test that `horizon` registers, or with the e-process alone at
    /// `anytime_level`, where none is given at the arm's share of the line-year.
    ///
    /// # Errors
    /// When the horizon ends before the first look, or a level is not in (0, 1).
    pub fn new(
        pace: MarketPace,
        horizon: Option<&Horizon>,
        anytime_level: Option<f64>,
        rules: &EvidenceRules,
    ) -> Result<Self, LedgerError> {
        let registered = |horizon: &Horizon| {
            let looks = Looks::new(pace, rules);
            let test =
                CurtailedObrienFleming::new(horizon.bars, horizon.alpha, looks.every(), looks.earliest())?;
            Ok::<_, LedgerError>(Registered {
                test,
                horizon_bars: horizon.bars,
                broken: horizon.broken.clone(),
            })
        };
        let alpha = deciding_level(horizon, anytime_level, rules);
        Ok(Self {
            registered: horizon.map(registered).transpose()?,
            crossed_before: horizon.and_then(|horizon| horizon.crossed_at),
            ..Self::e_process(pace, alpha, rules)?
        })
    }

    /// Before the first live bar of a test over `horizon_bars` at the one-sided level `alpha`, unbroken.
    ///
    /// # Errors
    /// As [`SequentialTest::new`].
    pub fn registered(
        pace: MarketPace,
        horizon_bars: usize,
        alpha: f64,
        rules: &EvidenceRules,
    ) -> Result<Self, LedgerError> {
        let after = Timestamp::EPOCH;
        let horizon = Horizon { after, bars: horizon_bars, alpha, broken: None, crossed_at: None };
        Self::new(pace, Some(&horizon), None, rules)
    }

    /// Before the first live bar of the e-process alone, at the level `alpha`.
    ///
    /// # Errors
    /// When a setting of the e-process is out of range, or its level is not in (0, 1).
    pub fn e_process(pace: MarketPace, alpha: f64, rules: &EvidenceRules) -> Result<Self, LedgerError> {
        probability("the level of the sequential test", alpha)?;
        let deviation = rules.initial_annual_deviation / pace.bars_per_year().sqrt();
        let standard = EProcessSettings::standard(pace.bars_per_year(), deviation);
        let e_process = EProcess::new(EProcessSettings { bound: rules.loss_bound, ..standard })?;
        Ok(Self {
            registered: None,
            e_process,
            alpha,
            bars: 0,
            bound_broken_at: None,
            e_crossed_at: None,
            crossed_before: None,
        })
    }

    /// Takes the difference of the next live bar.
    ///
    /// # Errors
    /// When it is no finite number; nothing has changed then.
    pub fn push(&mut self, difference: f64) -> Result<(), LedgerError> {
        if let Some(registered) = &mut self.registered {
            registered.test.push(difference)?;
        }
        if self.bound_broken_at.is_none() {
            match self.e_process.push(difference) {
                Ok(_) => {}
                Err(StatsError::BelowBound { .. }) => self.bound_broken_at = Some(self.bars),
                Err(error) => return Err(error.into()),
            }
        }
        self.bars += 1;
        if self.e_crossed_at.is_none() && self.e_process.rejects_at(self.alpha) {
            self.e_crossed_at = Some(self.bars);
        }
        Ok(())
    }

    /// The number of live bars at which the deciding test was crossed.
    pub fn qualified_at(&self) -> Option<usize> {
        match self.deciding() {
            Some(registered) => match registered.test.standing() {
                Qualification::Qualified { bars } => Some(bars),
                _ => None,
            },
            None => self.e_crossed_at,
        }
    }

    /// The number of live bars at which the e-process was crossed, whoever decides.
    pub fn e_process_crossed_at(&self) -> Option<usize> {
        self.e_crossed_at
    }

    /// Where the tests stand.
    pub fn standing(&self) -> Sequential {
        let registered = self.registered.as_ref();
        let deciding = self.deciding();
        let unbroken = self.bound_broken_at.is_none();
        Sequential {
            bars: self.bars,
            decider: if deciding.is_some() { Decider::RegisteredTest } else { Decider::EProcess },
            broken: registered.and_then(|registered| registered.broken.clone()),
            alpha: self.alpha,
            alpha_spent: match deciding {
                Some(registered) => registered.test.alpha_spent(),
                None if self.bars == 0 => 0.0,
                None => self.alpha,
            },
            horizon_bars: registered.map(|registered| registered.horizon_bars),
            z: registered.and_then(|registered| registered.test.statistic()),
            boundary: registered.map(|registered| registered.test.boundary()),
            is_over: deciding.is_some_and(|it| it.test.standing() == Qualification::NotQualified),
            log_e: unbroken.then(|| self.e_process.log_e()),
            max_log_e: self.e_process.max_log_e(),
            log_e_needed: -self.alpha.ln(),
            bound_broken_at: self.bound_broken_at,
            qualified_at: self.qualified_at(),
            crossed_before: self.crossed_before,
        }
    }

    /// The registered test, as long as it decides.
    fn deciding(&self) -> Option<&Registered> {
        self.registered.as_ref().filter(|registered| registered.broken.is_none())
    }
}

/// One-sided level of the test that may qualify an arm.
pub(super) fn deciding_level(
    horizon: Option<&Horizon>,
    anytime_level: Option<f64>,
    rules: &EvidenceRules,
) -> f64 {
    horizon.map(|horizon| horizon.alpha).or(anytime_level).unwrap_or_else(|| rules.alpha_share())
}

impl Sequential {
    /// Whether a crossing is known, of now or of an earlier verdict.
    pub fn is_crossed(&self) -> bool {
        self.qualified_at.is_some() || self.crossed_before.is_some()
    }

    /// The tests after all `live` differences.
    ///
    /// # Errors
    /// As [`SequentialTest::new`] and [`SequentialTest::push`].
    pub fn of(
        live: &[f64],
        pace: MarketPace,
        horizon: Option<&Horizon>,
        anytime_level: Option<f64>,
        rules: &EvidenceRules,
    ) -> Result<Self, LedgerError> {
        let mut test = SequentialTest::new(pace, horizon, anytime_level, rules)?;
        live.iter().try_for_each(|difference| test.push(*difference))?;
        Ok(test.standing())
    }
}
