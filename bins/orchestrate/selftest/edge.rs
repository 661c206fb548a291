//! A market with an edge: is it found, promoted, and worth something after costs?

use serde::Serialize;
use walkforward::failure::Failure;
use walkforward_core::{Grade, Timestamp};
use walkforward_etl::SyntheticSource;
use walkforward_orchestrator::replay::ReplaySummary;

use super::{Bench, shared, with_seed};
use crate::rehearsal::{self, DAY_MS, Rehearsal, Span};
use crate::replay::figures::{Counts, EquityFigures, changes};
use crate::replay::request::recurrence;

/// Trainings of this part.
pub(super) const TRAININGS: u64 = DAYS;
const DAYS: u64 = 30;
const EVERY: &str = "24h";
/// Quarters of an hour: in 30 days of hours the market's regimes are too few for the rails, which want ten trades.
const FLAGS: [&str; 8] =
    ["--timeframe", "15m", "--window-bars", "4000", "--holdout-bars", "800", "--iterations", "20"];

/// What the market with an edge came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Edge {
    pub(super) settings: String,
    pub(super) days: u64,
    pub(super) cycles: usize,
    /// When the line got its first champion.
    pub(super) promoted_at: Option<Timestamp>,
    /// The day of the replay on which that was, counted from 1.
    pub(super) promoted_on_day: Option<i64>,
    /// The best grade of the arm.
    pub(super) grade: Option<Grade>,
    pub(super) takeovers: usize,
    pub(super) refreshes: usize,
    /// What traded, and beside it what else could have, after costs.
    pub(super) equities: Vec<EquityFigures>,
    /// Scored bars that break a rule of the stream.
    pub(super) broken_bars: usize,
}

/// Replays the market.
pub(super) async fn find(bench: &Bench, seed: u64) -> Result<Edge, Failure> {
    let config = rehearsal::config(&with_seed(&FLAGS, seed)?)?;
    let source = shared(SyntheticSource::new(seed));
    let span = Span { days: DAYS, every: recurrence(EVERY)?, until: SyntheticSource::default_as_of() };
    let folder = bench.folder.join("edge");
    let rehearsal = Rehearsal::open(config, source, &folder, span.until, bench.cancel.clone())?;
    let summary = rehearsal.replay(&span, &bench.trainings).await?;
    Ok(Edge::of(&summary, &span))
}

/// The best grade that an arm had in any cycle.
pub(super) fn best_grade(summary: &ReplaySummary) -> Option<Grade> {
    let grades = summary.cycles.iter().filter_map(|cycle| cycle.verdict.as_ref()?.grading.as_ref()?.grade);
    grades.max()
}

impl Edge {
    fn of(summary: &ReplaySummary, span: &Span) -> Self {
        let promoted_at = changes(summary).first().map(|change| change.at);
        let counts = Counts::of(summary);
        let day = |at: Timestamp| at.millis_since(span.from()).div_euclid(DAY_MS) + 1;
        Self {
            settings: FLAGS.join(" "),
            days: span.days,
            cycles: counts.cycles,
            promoted_at,
            promoted_on_day: promoted_at.map(day),
            grade: best_grade(summary),
            takeovers: counts.takeovers,
            refreshes: counts.refreshes,
            equities: summary.curves.iter().map(|it| EquityFigures::of(it, summary.bars_per_year)).collect(),
            broken_bars: summary.audit.broken,
        }
    }

    /// Return of `name`.
    pub(super) fn total_return(&self, name: &str) -> Option<f64> {
        self.equities.iter().find(|it| it.name == name).and_then(|it| it.total_return)
    }

    /// What does not hold.
    pub(super) fn failures(&self) -> Vec<String> {
        let earned = self.total_return("line").unwrap_or_default();
        let checks = [
            (self.takeovers > 0, "an edge was there, and no model was promoted".to_owned()),
            (
                self.grade >= Some(Grade::Screened),
                format!("an edge was there, and its arm came to {} only", graded(self.grade)),
            ),
            (
                earned > 0.0,
                format!(
                    "an edge was there, and what was promoted earned {:.2} % after costs",
                    100.0 * earned
                ),
            ),
            (self.broken_bars == 0, format!("{} scored bars break a rule of the stream", self.broken_bars)),
        ];
        checks.into_iter().filter(|(holds, _)| !holds).map(|(_, sentence)| sentence).collect()
    }
}

/// A grade in a word.
pub(super) fn graded(grade: Option<Grade>) -> &'static str {
    grade.map_or("no grade", Grade::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edge_that_was_not_found_is_named() {
        let line = EquityFigures {
            name: "line".to_owned(),
            bars: 9,
            total_return: Some(0.2),
            sharpe: None,
            max_drawdown: None,
            exposure: 0.5,
        };
        let found = Edge {
            settings: String::new(),
            days: 30,
            cycles: 30,
            promoted_at: None,
            promoted_on_day: Some(15),
            grade: Some(Grade::Screened),
            takeovers: 1,
            refreshes: 0,
            equities: vec![line.clone()],
            broken_bars: 0,
        };
        assert!(found.failures().is_empty());
        let lost = EquityFigures { total_return: Some(-0.01), ..line };
        let missed = Edge {
            takeovers: 0,
            grade: Some(Grade::Provisional),
            equities: vec![lost],
            broken_bars: 1,
            ..found
        };
        assert_eq!(missed.failures().len(), 4, "{:?}", missed.failures());
    }
}
