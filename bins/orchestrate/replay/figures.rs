//! What the cycles and the equities of a replay come to in numbers.

use std::collections::BTreeMap;

use serde::Serialize;
use walkforward_core::{ModelId, Outcome, PromotionClass, Timestamp};
use walkforward_orchestrator::replay::{ReplayCurve, ReplaySummary, ReplayedCycle};
use walkforward_stats::{ReturnSeries, ReturnSummary};
use walkforward_store::{PromotionKind, RunOutcome};

/// Positions below this share of equity hold nothing.
const LEAST_POSITION: f64 = 1e-9;

/// An equity in numbers.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EquityFigures {
    pub(crate) name: String,
    pub(crate) bars: usize,
    pub(crate) total_return: Option<f64>,
    /// Annualised.
    pub(crate) sharpe: Option<f64>,
    pub(crate) max_drawdown: Option<f64>,
    /// Share of the bars at whose ends it held a position.
    pub(crate) exposure: f64,
}

impl EquityFigures {
    pub(crate) fn of(curve: &ReplayCurve, bars_per_year: f64) -> Self {
        let series = ReturnSeries::new(&curve.net_return, bars_per_year).ok();
        let summary = series.map(|series| ReturnSummary::of(&series));
        let held = curve.position.iter().filter(|position| position.abs() > LEAST_POSITION).count();
        Self {
            name: curve.name.clone(),
            bars: curve.net_return.len(),
            total_return: summary.as_ref().and_then(|it| it.total_return),
            sharpe: summary.as_ref().and_then(|it| it.sharpe),
            max_drawdown: summary.as_ref().and_then(|it| it.max_drawdown),
            exposure: held as f64 / curve.position.len().max(1) as f64,
        }
    }
}

/// How the cycles ended.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Counts {
    pub(crate) cycles: usize,
    pub(crate) takeovers: usize,
    pub(crate) refreshes: usize,
    pub(crate) rollbacks: usize,
    /// Cycles that promoted nothing, by the word for why.
    pub(crate) refusals: BTreeMap<String, usize>,
    /// What the gate beside would have let through.
    pub(crate) thresholds: usize,
}

impl Counts {
    pub(crate) fn of(summary: &ReplaySummary) -> Self {
        let mut counts = Self { cycles: summary.cycles.len(), ..Self::default() };
        for cycle in &summary.cycles {
            match cycle.outcome {
                Some(RunOutcome::Promoted) if class(cycle) == Some(PromotionClass::Refresh) => {
                    counts.refreshes += 1;
                }
                Some(RunOutcome::Promoted) => counts.takeovers += 1,
                _ => *counts.refusals.entry(refusal(cycle)).or_default() += 1,
            }
            counts.thresholds += usize::from(cycle.beside == Some(Outcome::Promote));
        }
        let is_rollback = |kind| kind == PromotionKind::Rollback;
        counts.rollbacks = summary.promotions.iter().filter(|row| is_rollback(row.kind)).count();
        counts
    }
}

/// A change of champion.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Change {
    pub(crate) at: Timestamp,
    /// `takeover`, `refresh`, `rollback` or `adopted`.
    pub(crate) kind: &'static str,
    pub(crate) model: Option<ModelId>,
    pub(crate) grade: Option<String>,
    pub(crate) sentence: String,
}

/// How the champion changed, the oldest first.
pub(crate) fn changes(summary: &ReplaySummary) -> Vec<Change> {
    let cycle_of = |model: &ModelId| summary.cycles.iter().find(|cycle| cycle.model.as_ref() == Some(model));
    let change = |row: &walkforward_store::PromotionRow| {
        let cycle = row.to.as_ref().and_then(cycle_of);
        let kind = match row.kind {
            PromotionKind::Promote if cycle.and_then(class) == Some(PromotionClass::Refresh) => "refresh",
            PromotionKind::Promote => "takeover",
            PromotionKind::Rollback => "rollback",
            PromotionKind::Adopted => "adopted",
        };
        Change {
            at: row.committed_at.unwrap_or(row.created_at),
            kind,
            model: row.to.clone(),
            grade: cycle.and_then(grade),
            sentence: row.reason.clone(),
        }
    };
    summary.promotions.iter().map(change).collect()
}

/// At most `max` of `changes`, in order, takeovers and rollbacks before refreshes; how many there are besides.
pub(crate) fn most_telling(mut changes: Vec<Change>, max: usize) -> (Vec<Change>, usize) {
    let total = changes.len();
    changes.sort_by_key(|change| change.kind == "refresh");
    changes.truncate(max);
    changes.sort_by_key(|change| change.at);
    let left_out = total - changes.len();
    (changes, left_out)
}

pub(crate) fn class(cycle: &ReplayedCycle) -> Option<PromotionClass> {
    Some(cycle.verdict.as_ref()?.grading.as_ref()?.class)
}

pub(crate) fn grade(cycle: &ReplayedCycle) -> Option<String> {
    Some(cycle.verdict.as_ref()?.grading.as_ref()?.grade?.to_string())
}

/// Why a cycle promoted nothing, in a word: that of its verdict, else how it ended.
fn refusal(cycle: &ReplayedCycle) -> String {
    let outcome = cycle.outcome.map_or("unfinished", RunOutcome::as_str);
    let of_verdict = cycle.verdict.as_ref().and_then(|verdict| verdict.reason.clone());
    of_verdict.unwrap_or_else(|| outcome.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(hour: i64, kind: &'static str) -> Change {
        let at = Timestamp::EPOCH.plus_millis(hour * 3_600_000);
        Change { at, kind, model: None, grade: None, sentence: String::new() }
    }

    #[test]
    fn takeovers_are_told_before_refreshes() {
        let changes: Vec<Change> =
            (0..10).map(|hour| change(hour, if hour == 8 { "takeover" } else { "refresh" })).collect();
        let (told, left_out) = most_telling(changes, 3);
        assert_eq!(
            (told, left_out),
            (vec![change(0, "refresh"), change(1, "refresh"), change(8, "takeover")], 7)
        );
    }

    #[test]
    fn an_equity_is_measured_in_compound_returns_and_an_annual_ratio() {
        let curve = ReplayCurve {
            name: "line".to_owned(),
            bar_close: (0..4).map(|hour| change(hour, "").at).collect(),
            net_return: vec![0.1, -0.5, 0.1, 0.0],
            position: vec![1.0, 1.0, 0.0, 0.0],
        };
        let figures = EquityFigures::of(&curve, 8_760.0);
        assert!((figures.total_return.unwrap() + 0.395).abs() < 1e-12);
        assert!((figures.max_drawdown.unwrap() - 0.5).abs() < 1e-12 && figures.sharpe.unwrap() < 0.0);
        assert_eq!((figures.exposure, figures.bars), (0.5, 4));
    }
}
