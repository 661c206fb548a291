//! The sequential test of an arm against its reference: registered, enrolled, broken, crossed.
//!
//! A schedule promises when its cycles come, so its arms may register a test over a fixed number of bars, as long as the
//! line has error left to spend. Every other pair has a test that may be looked at at any time. It is announced with its
//! rules at once, and enrolled with the first live bar that it counts, at a level that the order of enrolment fixes: the
//! share of false ones among all that are ever crossed in the database stays bounded, and what is tried once costs nothing.
//!
//! A test that is under way is never thrown away for another one, and a pair that was crossed takes no more.

use std::fmt;

use walkforward_core::{Dataset, Grade, Horizon, StreamEvidence, Timestamp, Verdict};
use walkforward_store::{AnytimePair, AnytimeTest, HorizonRequest, Pair, Snapshot};

use super::reference::{CaughtUp, Reference};
use super::{DAYS_PER_YEAR, Evidence};
use crate::run_error::RunError;

/// A schedule that has made no snapshot for so many of its periods was paused.
const PERIODS_OF_A_PAUSE: u32 = 3;
const MS_PER_DAY: f64 = 86_400_000.0;
/// Days after the last bar of a registered test until its last look was taken: looks come after a day of bars, and a market
/// may be closed in between.
const DAYS_OF_THE_LAST_LOOK: f64 = 7.0;
/// Why a test is broken that an arm without a schedule registered under an earlier version.
const NO_CADENCE: &str = "nobody promised when its runs come";
/// What stands for a registered test where the other kind was crossed, or goes by other rules than at first.
const NOT_REGISTERED: &str =
    "none over a fixed horizon is registered, and this one may be looked at at any time";

/// What sequential tests may spend, and the rules that they go by.
#[derive(Debug, Clone, PartialEq)]
pub struct TestPlan {
    /// Days until a registered test ends.
    pub days: f64,
    /// What the tests that a line registers within a year may spend together; and what all that were not registered may.
    pub line_alpha: f64,
    /// Arms that share a line's.
    pub max_arms: u32,
    /// The rules of the tests, in words: under others they are other tests.
    pub rules: String,
    /// The level of a test that was not registered.
    pub anytime: AnytimeLevel,
}

/// The level of the next test after `tested` ones of which `crossed` were crossed, from what all may spend together:
/// `(alpha, tested, crossed)`.
#[derive(Clone, Copy)]
pub struct AnytimeLevel(pub fn(f64, u32, u32) -> f64);

impl PartialEq for AnytimeLevel {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::fn_addr_eq(self.0, other.0)
    }
}

impl fmt::Debug for AnytimeLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnytimeLevel")
    }
}

/// What an arm is tested by against one reference.
#[derive(Debug, Default)]
pub(super) struct PairTest {
    pub(super) horizon: Option<Horizon>,
    pub(super) anytime_level: Option<f64>,
}

impl Evidence {
    /// The test of this arm against `reference`, whose ledger is `stream`: one that is registered before the first live bar;
    /// where none can be registered, one at any time. A replay begins none.
    pub(super) fn test(
        &self,
        reference: &Reference,
        stream: &StreamEvidence,
        known_until: Timestamp,
    ) -> Result<PairTest, RunError> {
        let pair = self.pair(reference);
        if self.request.is_replayed {
            return self.test_of_before(pair, stream);
        }
        let (horizon, broken) = match reference.is_instead() {
            true => (None, None),
            false => self.registered(pair, stream, known_until)?,
        };
        if horizon.is_some() {
            let anytime_level =
                self.store.anytime_test(self.by_rules(pair))?.and_then(|test| level_of(&test));
            return Ok(PairTest { horizon, anytime_level });
        }
        let test = self.anytime(pair, stream, known_until)?;
        let anytime_level = match level_of(&test) {
            Some(level) => Some(level),
            None => self.store.next_anytime_level(|tested, crossed| self.level(tested, crossed))?,
        };
        let horizon = self.as_horizon(test, anytime_level, stream, broken);
        Ok(PairTest { horizon, anytime_level })
    }

    /// The test that live cycles began.
    fn test_of_before(&self, pair: Pair<'_>, stream: &StreamEvidence) -> Result<PairTest, RunError> {
        let horizon = self.store.horizon(pair)?;
        let test = self.store.anytime_test(self.by_rules(pair))?;
        let anytime_level = test.as_ref().and_then(level_of);
        let special = test.and_then(|test| self.as_horizon(test, anytime_level, stream, None));
        Ok(PairTest { horizon: horizon.or(special), anytime_level })
    }

    /// The test at any time of `pair`, by the rules of this run: announced, and enrolled once it has counted a live bar. A
    /// pair that was crossed needs none.
    fn anytime(
        &self,
        pair: Pair<'_>,
        stream: &StreamEvidence,
        known_until: Timestamp,
    ) -> Result<AnytimeTest, RunError> {
        let announced = self.store.announce_anytime(self.by_rules(pair), known_until)?;
        let begins = announced.enrolled.is_none()
            && announced.crossed_at.is_none()
            && has_live_bar(stream, announced.after);
        Ok(match begins {
            true => self
                .store
                .enrol_anytime(self.by_rules(pair), |tested, crossed| self.level(tested, crossed))?,
            false => announced,
        })
    }

    fn by_rules<'a>(&'a self, pair: Pair<'a>) -> AnytimePair<'a> {
        AnytimePair { pair, rules: &self.request.test.rules }
    }

    fn level(&self, tested: u32, crossed: u32) -> f64 {
        (self.request.test.anytime.0)(self.request.test.line_alpha, tested, crossed)
    }

    /// The registered test; none where there is none and none can begin after `known_until`, or where it was registered under
    /// other rules: then why it is broken, too. What it counted was known when these were chosen.
    fn registered(
        &self,
        pair: Pair<'_>,
        stream: &StreamEvidence,
        known_until: Timestamp,
    ) -> Result<(Option<Horizon>, Option<String>), RunError> {
        let is_by_these_rules = self.store.keep_horizon_rules(pair, &self.request.test.rules)?;
        if self.request.cadence.is_none() {
            self.store.break_horizon(pair, NO_CADENCE)?;
        }
        let known = self.store.horizon(pair)?;
        let stands = known
            .as_ref()
            .is_some_and(|horizon| is_by_these_rules || !self.is_over(horizon, known_until, 0.0));
        if !stands
            && self.may_register(pair, stream)?
            && let Some(registered) = self.register(pair, stream, known_until)?
        {
            return Ok((Some(registered), None));
        }
        Ok(match is_by_these_rules {
            true => (known, None),
            false => (None, known.and_then(|horizon| horizon.broken)),
        })
    }

    /// Whether a test over a fixed horizon may begin: not where nobody promised when runs come, where the pair was crossed,
    /// or where its test at any time is under way. What that has come to would be lost.
    fn may_register(&self, pair: Pair<'_>, stream: &StreamEvidence) -> Result<bool, RunError> {
        if self.request.cadence.is_none() || self.store.crossing(pair)?.is_some() {
            return Ok(false);
        }
        let test = self.store.anytime_test(self.by_rules(pair))?;
        Ok(!test.is_some_and(|test| test.enrolled.is_some() && has_live_bar(stream, test.after)))
    }

    /// Registers a test after `known_until`; none where the line has no error left to spend.
    fn register(
        &self,
        pair: Pair<'_>,
        stream: &StreamEvidence,
        known_until: Timestamp,
    ) -> Result<Option<Horizon>, RunError> {
        let plan = &self.request.test;
        Ok(self.store.register_horizon(&HorizonRequest {
            pair,
            after: known_until,
            bars: self.horizon_bars(stream),
            alpha: self.share(),
            line_alpha: plan.line_alpha,
            rules: &plan.rules,
        })?)
    }

    /// A test at any time that was crossed, or that does not count all bars of its pair, as the gate is told of such: its
    /// e-process goes on at `level`. `broken` is why a registered one does not.
    fn as_horizon(
        &self,
        test: AnytimeTest,
        level: Option<f64>,
        stream: &StreamEvidence,
        broken: Option<String>,
    ) -> Option<Horizon> {
        let AnytimeTest { after, crossed_at, .. } = test;
        if after.is_none() && crossed_at.is_none() {
            return None;
        }
        let after = after.unwrap_or(Timestamp::EPOCH);
        let broken = Some(broken.unwrap_or_else(|| NOT_REGISTERED.to_owned()));
        let (bars, alpha) = (self.horizon_bars(stream), level.unwrap_or_else(|| self.share()));
        Some(Horizon { after, bars, alpha, broken, crossed_at })
    }

    /// The level of a registered test.
    fn share(&self) -> f64 {
        self.request.test.line_alpha / f64::from(self.request.test.max_arms.max(1))
    }

    fn horizon_bars(&self, stream: &StreamEvidence) -> usize {
        (stream.bars_per_year * self.request.test.days / DAYS_PER_YEAR).round().max(1.0) as usize
    }

    /// Whether so many days have gone by since a test has run its length.
    fn is_over(&self, horizon: &Horizon, known_until: Timestamp, days: f64) -> bool {
        let length_ms = ((self.request.test.days + days) * MS_PER_DAY) as i64;
        known_until >= horizon.after.plus_millis(length_ms)
    }

    /// A test over a fixed number of bars holds as long as nobody chooses when to go on. Time is counted in bars, so that a
    /// closed market is no pause.
    pub(super) fn notice_a_pause(&self, snapshots: &[Snapshot], dataset: &Dataset) -> Result<(), RunError> {
        let (Some(cadence), Some(newest)) = (self.request.cadence, snapshots.last()) else { return Ok(()) };
        let bar_ms = dataset.timeframe().millis();
        let period_ms = i64::try_from(cadence.as_millis()).unwrap_or(i64::MAX).max(bar_ms);
        let bars = &dataset.bars;
        let passed = bars.len() - bars.index_at_or_after(newest.published_at);
        let passed_ms = i64::try_from(passed).unwrap_or(i64::MAX).saturating_mul(bar_ms);
        if passed_ms > period_ms.saturating_mul(i64::from(PERIODS_OF_A_PAUSE)) {
            let (since, now) = (newest.published_at, dataset.window.end());
            let reason = format!("{passed} bars closed between {since} and {now} without a new snapshot");
            self.store.break_horizon(self.pair(&self.nominal_reference()), &reason)?;
        }
        Ok(())
    }

    /// Keeps what `verdict` found out about the test of `stream`, before the verdict is kept: a crossing, or that the test
    /// has run its length with its last look taken; then the next one begins. Replayed bars do neither.
    pub(crate) fn settle_test(
        &self,
        stream: &StreamEvidence,
        verdict: &Verdict,
        caught_up: &CaughtUp,
        known_until: Timestamp,
    ) -> Result<(), RunError> {
        let is_known = stream.horizon.as_ref().is_some_and(|horizon| horizon.crossed_at.is_some());
        if self.request.is_replayed || is_known {
            return Ok(());
        }
        let reference = self.reference(caught_up)?;
        let pair = self.pair(&reference);
        let told = stream.horizon.as_ref().map(|horizon| horizon.after);
        let registered = self.store.horizon(pair)?.filter(|horizon| told == Some(horizon.after));
        let earned = verdict.grading.as_ref().and_then(|grading| grading.earned);
        let crossed_at = stream.bar_close.last().filter(|_| earned == Some(Grade::Qualified));
        match (crossed_at, registered) {
            (Some(at), Some(_)) => self.store.cross_horizon(pair, *at)?,
            (Some(at), None) => self.store.cross_anytime(self.by_rules(pair), *at)?,
            (None, Some(over)) if self.is_over(&over, known_until, DAYS_OF_THE_LAST_LOOK) => {
                if self.may_register(pair, stream)? {
                    self.register(pair, stream, known_until)?;
                }
            }
            (None, _) => {}
        }
        Ok(())
    }
}

/// Whether the ledger has a bar that was scored while it closed, and that closes after `after`.
fn has_live_bar(stream: &StreamEvidence, after: Option<Timestamp>) -> bool {
    let live = stream.bar_close.get(stream.replayed_bars..).and_then(<[Timestamp]>::last);
    live.is_some_and(|close| after.is_none_or(|after| *close > after))
}

fn level_of(test: &AnytimeTest) -> Option<f64> {
    test.enrolled.as_ref().map(|enrolment| enrolment.level)
}
