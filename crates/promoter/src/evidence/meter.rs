//! The standing for a person who waits.

use serde::{Deserialize, Serialize};
use walkforward_core::StreamEvidence;
use walkforward_stats::{
    ReturnSeries, ReturnSummary, SharpeMoments, Trials, deflated_sharpe, min_track_record_length,
    probabilistic_sharpe,
};

use super::ledger::StreamLedger;
use super::outlook::Start;
use super::{EvidenceRules, LedgerError, MarketPace, Outlook, Recent, Standing, sentences};

/// Where the evidence for an arm stands, what it may still come to, and what it has cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Meter {
    /// What the arm is measured against: `flat`, or a model's id.
    pub reference: String,
    /// The figures.
    pub standing: Standing,
    /// The same in words.
    pub sentence: String,
    /// Hours of the calendar until the next look, in the mean.
    pub next_look_in_hours: f64,
    /// Chance of each grade, by the lead that is assumed; empty when both decided alike on every bar.
    pub outlooks: Vec<Outlook>,
    /// What the year's error has come to.
    pub error: ErrorBudget,
    /// What the difference's Sharpe ratio is worth. It decides nothing.
    pub track_record: TrackRecord,
}

/// The chance of a false qualification that an arm may take in a year.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorBudget {
    /// Spent so far.
    pub spent: f64,
    /// The arm's share.
    pub allowed: f64,
    /// What all arms of the line share.
    pub of_the_line: f64,
}

/// What a Sharpe ratio of the difference is worth, on all bars up to the look. Reported, never a condition.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TrackRecord {
    /// Annualised Sharpe ratio of the difference.
    pub sharpe: Option<f64>,
    /// Probability that the true one is above 0.
    pub probabilistic_sharpe: Option<f64>,
    /// Models that were made on the line.
    pub trials: usize,
    /// Probability that it is above the best that so many trials without skill are expected to show.
    pub deflated_sharpe: Option<f64>,
    /// Bars after which it would be above 0 with 95 % confidence.
    pub min_track_record_bars: Option<f64>,
}

impl Meter {
    /// The meter of `stream`.
    ///
    /// # Errors
    /// As [`Standing::of`].
    pub fn of(stream: &StreamEvidence, rules: &EvidenceRules) -> Result<Self, LedgerError> {
        let ledger = StreamLedger::of(stream, rules)?;
        let series = ledger.series(stream);
        let standing = Standing::of_checked(&series, rules)?;
        let look = standing.look_bars.unwrap_or(0);
        let arm = recent_deviation(stream, standing.recent.as_ref(), look, series.pace);
        let start = Start::of(&standing, series.differences, arm, series.pace, rules);
        let sequential = &standing.sequential;
        Ok(Self {
            reference: stream.reference.clone(),
            sentence: sentences::evidence(&standing, &stream.reference, series.pace, rules),
            next_look_in_hours: series.pace.hours(standing.next_look_in_bars),
            outlooks: start.map_or_else(Vec::new, |start| start.outlooks(series.seed_at(look))),
            error: ErrorBudget {
                spent: sequential.alpha_spent,
                allowed: sequential.alpha,
                of_the_line: rules.qualified_alpha,
            },
            track_record: TrackRecord::of(&series.differences[..look], series.pace, stream.trials),
            standing,
        })
    }
}

/// Deviation of the arm's return over a bar on the evidence window.
fn recent_deviation(
    stream: &StreamEvidence,
    recent: Option<&Recent>,
    look: usize,
    pace: MarketPace,
) -> Option<f64> {
    let window = &stream.arm_return[look - recent?.bars..look];
    let summary = ReturnSummary::of(&ReturnSeries::new(window, pace.bars_per_year()).ok()?);
    let annual = summary.volatility.filter(|volatility| *volatility > 0.0)?;
    Some(annual / pace.bars_per_year().sqrt())
}

impl TrackRecord {
    fn of(differences: &[f64], pace: MarketPace, trials: usize) -> Self {
        let summary =
            ReturnSeries::new(differences, pace.bars_per_year()).map(|series| ReturnSummary::of(&series));
        let summary = summary.ok();
        let moments = summary.as_ref().and_then(SharpeMoments::of);
        // The other trials' Sharpe ratios are not known: theirs vary at least as much as estimates without skill do.
        let luck = Trials { count: trials.max(1), sharpe_variance: 0.0 }.with_floor(differences.len());
        Self {
            sharpe: summary.and_then(|summary| summary.sharpe),
            probabilistic_sharpe: moments.and_then(|moments| probabilistic_sharpe(&moments, 0.0)),
            trials,
            deflated_sharpe: moments
                .and_then(|moments| deflated_sharpe(&moments, &luck))
                .map(|it| it.probability),
            min_track_record_bars: moments.and_then(|moments| min_track_record_length(&moments, 0.0)),
        }
    }
}
