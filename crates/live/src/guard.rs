//! The watch over a champion: when it is taken back, as a pure function of its bars and of what was declared before.
//!
//! A [`Guard`] begins with a takeover and goes on across refreshes: what a new snapshot of the same arm does counts on top
//! of what the ones before it did. Its limits are fixed before its first bar. Four rules, the first that is broken ends it:
//!
//! - *evidence*: a betting e-process against the champion, on the bars' differences `anchor - champion`. The anchor is
//!   what the champion's arm displaced, frozen, in shadow; before the first champion it is flat, with a return of 0.
//! - *drawdown*: the fall from the peak of equity since the takeover, held against that of the replay, and against the
//!   anchor's in the same time: going back to what fell as far saves nothing.
//! - *turnover*: a day's turnover, held against the replay's 99th percentile.
//! - *errors*: decisions in a row that the model did not answer.
//!
//! Returns and positions are those of paper ledgers without session limits ([`Shadow`](crate::Shadow)): what a grade lets
//! a model risk is no merit and no fault of it.

use serde::{Deserialize, Serialize};
use walkforward_core::{ModelId, Timestamp};
use walkforward_stats::{EProcess, EProcessState, Error as StatsError};

use crate::Answer;

mod figures;
mod rules;
mod settings;

pub use figures::{FiguresBasis, ReplayFigures};
pub use rules::{GuardRule, GuardVerdict, RuleStanding};
pub use settings::{GuardError, GuardSettings};

use figures::day_of;

/// What a guard watches, as it was when it began.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Watched {
    /// The champion; another one after a refresh.
    pub champion: ModelId,
    /// What it is measured against; none is flat.
    pub anchor: Option<ModelId>,
    /// What was known of the champion from bars before.
    pub replay: ReplayFigures,
}

/// A bar of the champion and of what it is measured against.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GuardBar {
    /// When it closed.
    pub close: Timestamp,
    /// Net return of the champion over it.
    pub champion_return: f64,
    /// Position of the champion at its close, before the decision there, as a fraction of equity.
    pub champion_position: f64,
    /// Net return of the anchor over it, 0 of flat; none where the anchor could not be run: the bar is no evidence then.
    pub anchor_return: Option<f64>,
    /// Whether the champion answered at its close.
    pub answer: Answer,
}

/// All that a guard has come to: with its settings, [`Guard::resume`] goes on to the same bits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuardCheckpoint {
    /// What it watches.
    pub watched: Watched,
    /// Bars so far.
    pub bars: u64,
    /// Close of the last of them.
    pub last_close: Option<Timestamp>,
    /// The bets against the champion.
    pub bets: BetsCheckpoint,
    /// Equity of the champion.
    pub equity: EquityPath,
    /// That of the anchor.
    pub anchor_equity: EquityPath,
    /// The UTC day of the last bar, in days after 1970.
    pub day: Option<i64>,
    /// Turnover of that day so far, as a fraction of equity.
    pub day_turnover: f64,
    /// Position at the last close.
    pub position: Option<f64>,
    /// Decisions in a row without an answer.
    pub unanswered: u32,
    /// The rule that was broken.
    pub verdict: Option<GuardVerdict>,
}

/// An equity that began at 1 with the watch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EquityPath {
    /// What it is.
    pub now: f64,
    /// Its peak.
    pub peak: f64,
    /// Its deepest fall from a peak, a positive fraction.
    pub deepest_fall: f64,
}

/// The e-process of a [`GuardCheckpoint`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BetsCheckpoint {
    /// Natural logarithm of each bet's wealth.
    pub log_wealth: Vec<f64>,
    /// Estimate of the difference's variance per bar.
    pub variance: f64,
    /// Largest `log E` so far.
    pub max_log_e: f64,
    /// Bars that it counted.
    pub bars: u64,
    /// How often it began anew, because the champion won more in a bar than the declared bound.
    pub restarts: u32,
}

/// Watches one champion; see the module's words.
#[derive(Debug, Clone, PartialEq)]
pub struct Guard {
    settings: GuardSettings,
    watched: Watched,
    progress: Progress,
    bets: EProcess,
    restarts: u32,
    verdict: Option<GuardVerdict>,
}

/// What the bars so far have come to.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Progress {
    bars: u64,
    last_close: Option<Timestamp>,
    equity: EquityPath,
    anchor_equity: EquityPath,
    day: Option<i64>,
    day_turnover: f64,
    position: Option<f64>,
    unanswered: u32,
}

impl Guard {
    /// A guard before its first bar: a takeover has just happened, or a trader has just begun with this champion.
    ///
    /// # Errors
    /// A setting or a figure is out of range.
    pub fn new(settings: GuardSettings, watched: Watched) -> Result<Self, GuardError> {
        settings.validate()?;
        watched.replay.validate()?;
        let bets = EProcess::new(settings.bets())?;
        let progress = Progress {
            bars: 0,
            last_close: None,
            equity: EquityPath::BEGIN,
            anchor_equity: EquityPath::BEGIN,
            day: None,
            day_turnover: 0.0,
            position: None,
            unanswered: 0,
        };
        Ok(Self { settings, watched, progress, bets, restarts: 0, verdict: None })
    }

    /// A newer snapshot of the same arm trades from now on. All that was counted counts on; it may answer better.
    pub fn refresh(&mut self, champion: ModelId) {
        self.watched.champion = champion;
        self.progress.unanswered = 0;
    }

    /// Takes the next bar; the rule that it breaks, if it breaks one. After that there is no other: whoever takes the
    /// champion back begins a new guard.
    ///
    /// # Errors
    /// A figure is no number that it can be, or the bar is not after the last one; then nothing has changed.
    pub fn push(&mut self, bar: &GuardBar) -> Result<Option<GuardVerdict>, GuardError> {
        bar.check(self.progress.last_close)?;
        if self.verdict.is_some() {
            return Ok(None);
        }
        self.bet(bar)?;
        self.progress.take(bar);
        self.verdict = self.standing().iter().find_map(|rule| rule.verdict(self));
        Ok(self.verdict.clone())
    }

    /// A bar on which the champion won more than the bound ends the bets at nothing: a new test begins.
    fn bet(&mut self, bar: &GuardBar) -> Result<(), GuardError> {
        let Some(anchor) = bar.anchor_return else { return Ok(()) };
        match self.bets.push(anchor - bar.champion_return) {
            Ok(_) => Ok(()),
            Err(StatsError::BelowBound { .. }) => {
                self.bets = EProcess::new(self.settings.bets())?;
                self.restarts = self.restarts.saturating_add(1);
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// What it watches.
    pub fn watched(&self) -> &Watched {
        &self.watched
    }

    /// Bars so far.
    pub fn bars(&self) -> u64 {
        self.progress.bars
    }

    /// The rule that was broken. Whoever finds it after a crash takes the champion back, if that is still the champion.
    pub fn verdict(&self) -> Option<&GuardVerdict> {
        self.verdict.as_ref()
    }

    /// Where each rule stands, in the order in which they are looked at.
    pub fn standing(&self) -> [RuleStanding; 4] {
        let Progress { equity, day_turnover, unanswered, .. } = self.progress;
        let replay = &self.watched.replay;
        let standing = |rule, value, limit| RuleStanding { rule, value, limit };
        [
            standing(
                GuardRule::Errors,
                f64::from(unanswered),
                Some(f64::from(self.settings.unanswered_decisions)),
            ),
            standing(GuardRule::Drawdown, equity.fall(), self.drawdown_limit()),
            standing(GuardRule::Turnover, day_turnover, self.settings.turnover_limit(replay)),
            standing(GuardRule::Evidence, self.bets.log_e().exp(), Some(self.settings.e_value)),
        ]
    }

    fn drawdown_limit(&self) -> Option<f64> {
        let by_replay = self.settings.drawdown_limit(&self.watched.replay, self.progress.bars)?;
        Some(by_replay.max(self.settings.drawdown_factor * self.progress.anchor_equity.deepest_fall))
    }

    /// Deepest fall of the anchor since the watch began.
    pub(super) fn anchor_fall(&self) -> f64 {
        self.progress.anchor_equity.deepest_fall
    }

    /// What it was made with.
    pub fn settings(&self) -> &GuardSettings {
        &self.settings
    }

    /// How often the bets began anew.
    pub fn restarts(&self) -> u32 {
        self.restarts
    }

    /// All that it has come to.
    pub fn checkpoint(&self) -> GuardCheckpoint {
        let Progress { bars, last_close, equity, anchor_equity, day, day_turnover, position, unanswered } =
            self.progress;
        let EProcessState { log_wealth, variance, max_log_e, n } = self.bets.state();
        let bets =
            BetsCheckpoint { log_wealth, variance, max_log_e, bars: n as u64, restarts: self.restarts };
        let (watched, verdict) = (self.watched.clone(), self.verdict.clone());
        GuardCheckpoint {
            watched,
            bars,
            last_close,
            bets,
            equity,
            anchor_equity,
            day,
            day_turnover,
            position,
            unanswered,
            verdict,
        }
    }

    /// The guard that was put away as `checkpoint`.
    ///
    /// # Errors
    /// A setting out of range, or a checkpoint that no guard comes to.
    pub fn resume(settings: GuardSettings, checkpoint: GuardCheckpoint) -> Result<Self, GuardError> {
        let GuardCheckpoint { watched, bars, last_close, bets, equity, anchor_equity, day, .. } = checkpoint;
        let GuardCheckpoint { day_turnover, position, unanswered, verdict, .. } = checkpoint;
        let mut guard = Self::new(settings, watched)?;
        in_range("turnover of the day", day_turnover, day_turnover >= 0.0, "0 or more")?;
        equity.check()?;
        anchor_equity.check()?;
        position.map_or(Ok(()), |position| in_range("position", position, true, "a number"))?;
        guard.progress =
            Progress { bars, last_close, equity, anchor_equity, day, day_turnover, position, unanswered };
        let BetsCheckpoint { log_wealth, variance, max_log_e, bars, restarts } = bets;
        let state = EProcessState { log_wealth, variance, max_log_e, n: bars as usize };
        guard.bets = EProcess::resume(guard.settings.bets(), state)?;
        (guard.restarts, guard.verdict) = (restarts, verdict);
        Ok(guard)
    }
}

impl EquityPath {
    const BEGIN: Self = Self { now: 1.0, peak: 1.0, deepest_fall: 0.0 };

    /// The present fall from its peak, a positive fraction.
    pub fn fall(&self) -> f64 {
        1.0 - self.now / self.peak
    }

    fn take(&mut self, net_return: f64) {
        self.now *= 1.0 + net_return;
        self.peak = self.peak.max(self.now);
        self.deepest_fall = self.deepest_fall.max(self.fall());
    }

    fn check(&self) -> Result<(), GuardError> {
        let Self { now, peak, deepest_fall } = *self;
        in_range("equity", now, now >= 0.0, "0 or more")?;
        in_range("peak", peak, peak >= now.max(1.0), "at least 1 and the equity")?;
        in_range("deepest fall", deepest_fall, (0.0..=1.0).contains(&deepest_fall), "a fraction from 0 to 1")
    }
}

impl Progress {
    fn take(&mut self, bar: &GuardBar) {
        let day = day_of(bar.close);
        if self.day.replace(day) != Some(day) {
            self.day_turnover = 0.0;
        }
        let before = self.position.replace(bar.champion_position);
        self.day_turnover += before.map_or(0.0, |before| (bar.champion_position - before).abs());
        self.equity.take(bar.champion_return);
        self.anchor_equity.take(bar.anchor_return.unwrap_or(0.0));
        self.unanswered = match bar.answer {
            Answer::Given => 0,
            Answer::Missing => self.unanswered.saturating_add(1),
            Answer::NotAsked => self.unanswered,
        };
        self.bars += 1;
        self.last_close = Some(bar.close);
    }
}

impl GuardBar {
    fn check(&self, last_close: Option<Timestamp>) -> Result<(), GuardError> {
        let GuardBar { champion_return, champion_position, .. } = *self;
        for (what, value) in
            [("the champion's return", Some(champion_return)), ("the anchor's return", self.anchor_return)]
        {
            value.map_or(Ok(()), |value| in_range(what, value, value >= -1.0, "-1 or more"))?;
        }
        in_range("the champion's position", champion_position, true, "a number")?;
        match last_close.filter(|last| *last >= self.close) {
            Some(last) => Err(GuardError::Order { close: self.close, last }),
            None => Ok(()),
        }
    }
}

/// Refuses what is not finite, or not `allowed`.
fn in_range(what: &'static str, value: f64, allowed: bool, expected: &'static str) -> Result<(), GuardError> {
    if value.is_finite() && allowed {
        return Ok(());
    }
    Err(GuardError::Value { what, value, expected })
}

#[cfg(test)]
mod tests;
