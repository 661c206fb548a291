//! The sequential test of an arm against its reference: registered, enrolled, broken, crossed.
//!
//! A schedule promises when its cycles come, so its arms may register a test over a fixed number of bars, as long as the
//! line has error left to spend. Every other pair is enrolled for a test that may be looked at at any time, at a level that
//! the order of enrolment fixes: the share of false ones among all that are ever crossed in the database stays bounded.

use std::fmt;

use walkforward_core::{Dataset, Grade, Horizon, StreamEvidence, Timestamp, Verdict};
use walkforward_store::{AnytimePair, AnytimeTest, HorizonRequest, Snapshot};

use super::{DAYS_PER_YEAR, Evidence, Reference};
use crate::run_error::RunError;

/// A schedule that has made no snapshot for so many of its periods was paused.
const PERIODS_OF_A_PAUSE: u32 = 3;
const MS_PER_DAY: f64 = 86_400_000.0;
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
    /// The test of this arm: registered before its first live bar, and anew when it has run its length; where none can be
    /// registered, enrolled. A replay begins none.
    pub(super) fn test(
        &self,
        reference: &Reference,
        known_until: Timestamp,
        bars_per_year: f64,
    ) -> Result<PairTest, RunError> {
        let (store, name) = (&self.store, reference.name());
        let plan = &self.request.test;
        let bars = (bars_per_year * plan.days / DAYS_PER_YEAR).round().max(1.0) as usize;
        let (horizon, broken) = match self.request.is_replayed {
            true => (store.horizon(&self.arm, name)?, None),
            false => self.registered(name, known_until, bars)?,
        };
        let level = |tested, crossed| (plan.anytime.0)(plan.line_alpha, tested, crossed);
        let enrolled = match horizon.is_some() || self.request.is_replayed {
            true => store.anytime_test(self.pair(name))?,
            false => Some(store.enrol_anytime(self.pair(name), known_until, level)?),
        };
        let anytime_level = enrolled.as_ref().map(|test| test.level);
        let special = enrolled.and_then(|test| as_horizon(test, bars, broken));
        Ok(PairTest { horizon: horizon.or(special), anytime_level })
    }

    /// The test at any time against `reference`, by the rules of this run.
    fn pair<'a>(&'a self, reference: &'a str) -> AnytimePair<'a> {
        AnytimePair { arm: &self.arm, reference, rules: &self.request.test.rules }
    }

    /// The registered test over `bars` bars; none where there is none and none can begin after `known_until`, or where it
    /// was registered under other rules: then why it is broken, too. What it counted was known when these were chosen.
    fn registered(
        &self,
        reference: &str,
        known_until: Timestamp,
        bars: usize,
    ) -> Result<(Option<Horizon>, Option<String>), RunError> {
        let plan = &self.request.test;
        let is_by_these_rules = self.store.keep_horizon_rules(&self.arm, reference, &plan.rules)?;
        if self.request.cadence.is_none() {
            self.store.break_horizon(&self.arm, reference, NO_CADENCE)?;
        }
        let known = self.store.horizon(&self.arm, reference)?;
        let length_ms = (plan.days * MS_PER_DAY) as i64;
        let is_over = |horizon: &Horizon| known_until >= horizon.after.plus_millis(length_ms);
        let goes_on = known.as_ref().is_some_and(|horizon| !is_over(horizon));
        let registered = match goes_on || self.request.cadence.is_none() {
            true => None,
            false => self.store.register_horizon(&HorizonRequest {
                arm: &self.arm,
                reference,
                after: known_until,
                bars,
                alpha: plan.line_alpha / f64::from(plan.max_arms.max(1)),
                line_alpha: plan.line_alpha,
                rules: &plan.rules,
            })?,
        };
        Ok(match (registered, is_by_these_rules) {
            (Some(registered), _) => (Some(registered), None),
            (None, true) => (known, None),
            (None, false) => (None, known.and_then(|horizon| horizon.broken)),
        })
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
            self.store.break_horizon(&self.arm, self.reference().name(), &reason)?;
        }
        Ok(())
    }

    /// Keeps that `verdict` found the test of `stream` crossed, before the verdict is. Replayed bars cross nothing.
    pub(crate) fn keep_crossing(&self, stream: &StreamEvidence, verdict: &Verdict) -> Result<(), RunError> {
        let earned = verdict.grading.as_ref().and_then(|grading| grading.earned);
        let is_known = stream.horizon.as_ref().is_some_and(|horizon| horizon.crossed_at.is_some());
        let at = stream.bar_close.last().filter(|_| earned == Some(Grade::Qualified) && !is_known);
        let Some(at) = at.filter(|_| !self.request.is_replayed) else { return Ok(()) };
        let reference = &stream.reference;
        let told = stream.horizon.as_ref().map(|horizon| horizon.after);
        match self.store.horizon(&self.arm, reference)? {
            Some(registered) if told == Some(registered.after) => {
                self.store.cross_horizon(&self.arm, reference, *at)?;
            }
            _ => self.store.cross_anytime(self.pair(reference), *at)?,
        }
        Ok(())
    }
}

/// A test at any time that was crossed, or that does not count all bars of its pair, as the gate is told of such: its
/// e-process goes on at the test's level. `broken` is why a registered one does not.
fn as_horizon(test: AnytimeTest, bars: usize, broken: Option<String>) -> Option<Horizon> {
    let AnytimeTest { after, level, crossed_at, .. } = test;
    if after.is_none() && crossed_at.is_none() {
        return None;
    }
    let after = after.unwrap_or(Timestamp::EPOCH);
    let broken = Some(broken.unwrap_or_else(|| NOT_REGISTERED.to_owned()));
    Some(Horizon { after, bars, alpha: level, broken, crossed_at })
}
