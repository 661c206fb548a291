//! What the grade above lacks, and when it is reached at this rate.

use serde::{Deserialize, Serialize};
use walkforward_core::Grade;
use walkforward_stats::exceeded_with;

use super::{Decider, EvidenceRules, MarketPace, Recent, Sequential, Standing};

/// The grade above the one that a ledger has, or the one that only more decisions are missing for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NextGrade {
    /// The grade.
    pub grade: Grade,
    /// What it lacks.
    pub shortfall: Shortfall,
    /// Days of the market until it is reached when the lead goes on as in the evidence; none when it never is.
    pub days: Option<f64>,
}

/// What a grade lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shortfall {
    /// There was no look yet.
    TooEarly,
    /// Both decided alike on every bar.
    SameDecisions,
    /// Luck alone does as well too often.
    LuckIsLikely,
    /// The arm has closed too few trades, or differed from its reference on too few separate stretches.
    TooFewDecisions,
    /// There are no live bars yet, or too few for a look of the registered test.
    TooFewLiveBars,
    /// The sequential test is not crossed yet.
    NotCrossed,
    /// The registered horizon has gone by without a crossing.
    HorizonIsOver,
    /// A bar was below the declared bound: the e-value is 0 for good.
    BoundBroken,
}

/// What `standing` lacks for the grade above its own; none of the highest.
pub(super) fn next_grade(standing: &Standing, pace: MarketPace, rules: &EvidenceRules) -> Option<NextGrade> {
    let grade = match (standing.grade, standing.without_rails) {
        (None, Some(withheld)) => withheld,
        (None, None) => Grade::Provisional,
        (Some(Grade::Provisional), _) => Grade::Screened,
        (Some(Grade::Screened), _) => Grade::Qualified,
        (Some(Grade::Qualified), _) => return None,
    };
    let lacking = |shortfall, days| Some(NextGrade { grade, shortfall, days });
    let Some(recent) = &standing.recent else {
        return lacking(Shortfall::TooEarly, None);
    };
    if standing.same_decisions {
        return lacking(Shortfall::SameDecisions, None);
    }
    let enough_in = days_until_enough_decisions(standing, pace, rules);
    if standing.grade != standing.without_rails {
        return lacking(Shortfall::TooFewDecisions, enough_in.map(|days| days.max(1.0)));
    }
    match rules.needed_p(grade) {
        Some(p) => match (days_until(p, recent, rules), enough_in) {
            (Some(_), None) => lacking(Shortfall::TooFewDecisions, None),
            (days, enough_in) => {
                lacking(Shortfall::LuckIsLikely, days.zip(enough_in).map(|(p, it)| p.max(it)))
            }
        },
        None => {
            let (shortfall, days) = before_crossing(&standing.sequential, pace);
            lacking(shortfall, days)
        }
    }
}

/// Days of the market until the arm has closed enough trades, and differed on enough separate stretches, if it goes on
/// deciding as often; 0 where it has, or where nobody knows of trades, and none where it never will.
pub(super) fn days_until_enough_decisions(
    standing: &Standing,
    pace: MarketPace,
    rules: &EvidenceRules,
) -> Option<f64> {
    let Some(trades) = standing.closed_trades else { return Some(0.0) };
    let read = pace.days(standing.look_bars.unwrap_or(standing.counted_bars));
    let more = |found: usize, needed: usize| match needed.saturating_sub(found) {
        0 => Some(0.0),
        _ if found == 0 => None,
        missing => Some(read * missing as f64 / found as f64),
    };
    let stretches = more(standing.differing_stretches, rules.min_stretches)?;
    Some(more(trades, rules.min_trades)?.max(stretches))
}

/// Days of the market until the bootstrap reaches `p` if the lead goes on: the standard error of a mean falls with the
/// square root of the days. None when it is no lead, or when even a full window would not do.
fn days_until(p: f64, recent: &Recent, rules: &EvidenceRules) -> Option<f64> {
    let z = recent.z().filter(|z| *z > 0.0)?;
    let needed = recent.days * (exceeded_with(p)? / z).powi(2);
    let is_reached_in_a_full_window = needed <= rules.window_days.max(recent.days);
    is_reached_in_a_full_window.then(|| (needed - recent.days).max(1.0))
}

/// What the deciding sequential test lacks, and the days of the market until it is crossed if the lead goes on: both
/// statistics grow with the number of bars.
fn before_crossing(sequential: &Sequential, pace: MarketPace) -> (Shortfall, Option<f64>) {
    let bars = sequential.bars;
    let (statistic, needed, most) = match (sequential.decider, sequential.log_e) {
        _ if bars == 0 => return (Shortfall::TooFewLiveBars, None),
        (Decider::RegisteredTest, _) if sequential.is_over => return (Shortfall::HorizonIsOver, None),
        (Decider::RegisteredTest, _) => (sequential.z, sequential.boundary, sequential.horizon_bars),
        (Decider::EProcess, None) => return (Shortfall::BoundBroken, None),
        (Decider::EProcess, log_e) => (log_e, Some(sequential.log_e_needed), None),
    };
    let days =
        statistic.zip(needed).filter(|(statistic, _)| *statistic > 0.0).and_then(|(statistic, needed)| {
            let whole = (bars as f64 * needed / statistic).ceil();
            let is_in_time = whole <= most.map_or(f64::MAX, |most| most as f64);
            is_in_time.then(|| (pace.days(1) * (whole - bars as f64)).max(1.0))
        });
    (Shortfall::NotCrossed, days)
}
