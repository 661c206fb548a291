//! Which grade a ledger comes to.

use serde::{Deserialize, Serialize};
use walkforward_core::{Grade, StreamEvidence};

use super::ledger::{StreamLedger, closed_trades};
use super::next::next_grade;
use super::{EvidenceRules, LedgerError, LedgerSeries, Looks, NextGrade, Recent, Sequential, rails};

/// Where a ledger stands at its last look. It is a function of the ledger's rows up to that look and of the rules alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// Bars in the ledger, with those after the look.
    pub counted_bars: usize,
    /// Those of them at the beginning that no sequential test counts: replayed, or before it was registered.
    pub replayed_bars: usize,
    /// Bars up to the last look; none as long as there was none.
    pub look_bars: Option<usize>,
    /// Looks so far.
    pub looks: usize,
    /// Bars that are missing to the next look.
    pub next_look_in_bars: usize,
    /// Bars of the first look.
    pub first_look_bars: usize,
    /// Bars up to the look at whose end the two held different positions; of all bars before the first look.
    pub differing_bars: usize,
    /// Separate stretches of such bars.
    pub differing_stretches: usize,
    /// Trades that the arm closed by the same bar; none of a series of differences, whose trades nobody knows.
    #[serde(default)]
    pub closed_trades: Option<usize>,
    /// Whether there was a look and both decided alike on every bar up to it.
    pub same_decisions: bool,
    /// The evidence window; none before the first look.
    pub recent: Option<Recent>,
    /// The sequential tests up to the look.
    pub sequential: Sequential,
    /// What the bootstrap and the sequential tests come to, on however few decisions.
    #[serde(default)]
    pub without_rails: Option<Grade>,
    /// What it comes to: the same once the arm has closed enough trades, and differed from its reference on enough separate
    /// stretches; none before, and as long as there is no evidence for a grade.
    pub grade: Option<Grade>,
    /// The grade above, or the one that only more decisions are missing for, and what it lacks; none of the highest.
    pub next: Option<NextGrade>,
}

impl Standing {
    /// Where `stream` stands.
    ///
    /// # Errors
    /// When the stream's series do not belong together, hold a value that is no number, are out of order, or name a
    /// market or a horizon that is none.
    pub fn of(stream: &StreamEvidence, rules: &EvidenceRules) -> Result<Self, LedgerError> {
        let ledger = StreamLedger::of(stream, rules)?;
        Self::of_checked(&ledger.series(stream), rules)
    }

    /// Where a series of differences stands.
    ///
    /// # Errors
    /// When a difference is no finite number, `differs` has another length, or the horizon is none.
    pub fn of_series(series: &LedgerSeries<'_>, rules: &EvidenceRules) -> Result<Self, LedgerError> {
        series.check()?;
        Self::of_checked(series, rules)
    }

    pub(super) fn of_checked(series: &LedgerSeries<'_>, rules: &EvidenceRules) -> Result<Self, LedgerError> {
        let counted_bars = series.differences.len();
        let looks = Looks::new(series.pace, rules);
        let look_bars = looks.last(counted_bars);
        let first_live = series.first_live_bar.min(counted_bars);
        let live = &series.differences[first_live..look_bars.unwrap_or(0).max(first_live)];
        let recent = look_bars
            .map(|look| Recent::of(&series.differences[..look], series.pace, rules, series.seed_at(look)));
        let read = look_bars.unwrap_or(counted_bars);
        let (differing_bars, differing_stretches) = differing(series, read);
        let mut standing = Self {
            counted_bars,
            replayed_bars: first_live,
            look_bars,
            looks: looks.made(counted_bars),
            next_look_in_bars: looks.missing(counted_bars),
            first_look_bars: looks.first(),
            differing_bars,
            differing_stretches,
            closed_trades: series.arm_position.map(|position| closed_trades(position, read)),
            same_decisions: look_bars.is_some() && differing_bars == 0,
            recent: recent.transpose()?,
            sequential: Sequential::of(live, series.pace, series.horizon, series.anytime_level, rules)?,
            without_rails: None,
            grade: None,
            next: None,
        };
        standing.without_rails = standing.grade_by_tests(rules);
        standing.grade = standing.without_rails.filter(|_| rails::has_decided_enough(&standing, rules));
        standing.next = next_grade(&standing, series.pace, rules);
        Ok(standing)
    }

    fn grade_by_tests(&self, rules: &EvidenceRules) -> Option<Grade> {
        if self.sequential.crossed_before.is_some() {
            return Some(Grade::Qualified);
        }
        let recent = self.recent.as_ref().filter(|_| !self.same_decisions)?;
        if self.sequential.qualified_at.is_some() {
            return Some(Grade::Qualified);
        }
        match recent.p {
            p if p <= rules.screened_p => Some(Grade::Screened),
            p if p <= rules.provisional_p => Some(Grade::Provisional),
            _ => None,
        }
    }
}

/// Bars among the first `bars` on which the two differ, and the stretches that they form.
fn differing(series: &LedgerSeries<'_>, bars: usize) -> (usize, usize) {
    let (mut count, mut stretches, mut before) = (0, 0, false);
    for bar in 0..bars {
        let now = series.differs_at(bar);
        count += usize::from(now);
        stretches += usize::from(now && !before);
        before = now;
    }
    (count, stretches)
}
