//! The standing for a person who waits.

use serde::{Deserialize, Serialize};
use walkforward_core::StreamEvidence;
use walkforward_stats::{
    ReturnSeries, ReturnSummary, SharpeMoments, Trials, deflated_sharpe, min_track_record_length,
    probabilistic_sharpe,
};

use super::ledger::StreamLedger;
use super::outlook::Start;
use super::{EvidenceRules, LedgerError, MarketPace, Outlook, OwnAnchor, Recent, Standing, sentences};

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
    /// What the figures are held against.
    pub levels: Levels,
    /// The champion's own arm against the anchor that it set; none of other arms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_anchor: Option<OwnAnchor>,
}

/// The limits that the figures of a meter have to reach.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Levels {
    /// Provisional at a bootstrap p of at most this.
    pub provisional_p: f64,
    /// Screened at a bootstrap p of at most this.
    pub screened_p: f64,
    /// Fewer separate stretches on which the two differ decide nothing.
    pub min_stretches: usize,
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
    /// The variance that their Sharpe ratios per bar are taken to have: the one that they have, and no less than that of
    /// estimates without skill, one over the bars less one. None without a Sharpe ratio.
    #[serde(default)]
    pub trial_sharpe_variance: Option<f64>,
    /// Probability that it is above the best that so many trials without skill are expected to show.
    pub deflated_sharpe: Option<f64>,
    /// Bars after which it would be above 0 with 95 % confidence.
    pub min_track_record_bars: Option<f64>,
}

impl Meter {
    /// The meter of `stream`.
    ///
    /// # Errors
    /// As [`Standing::of`], of the stream and of the one against its own anchor.
    pub fn of(stream: &StreamEvidence, rules: &EvidenceRules) -> Result<Self, LedgerError> {
        let ledger = StreamLedger::of(stream, rules)?;
        let series = ledger.series(stream);
        let standing = Standing::of_checked(&series, rules)?;
        let look = standing.look_bars.unwrap_or(0);
        let arm = recent_deviation(stream, standing.recent.as_ref(), look, series.pace);
        let start = Start::of(&standing, series.differences, arm, series.pace, rules);
        let sequential = &standing.sequential;
        let own_anchor = stream.own_anchor.as_deref().filter(|_| stream.is_champions);
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
            track_record: TrackRecord::of(&series.differences[..look], series.pace, stream),
            own_anchor: own_anchor.map(|own| OwnAnchor::of(own, rules)).transpose()?,
            levels: Levels {
                provisional_p: rules.provisional_p,
                screened_p: rules.screened_p,
                min_stretches: rules.min_stretches,
            },
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
    fn of(differences: &[f64], pace: MarketPace, stream: &StreamEvidence) -> Self {
        let summary =
            ReturnSeries::new(differences, pace.bars_per_year()).map(|series| ReturnSummary::of(&series));
        let summary = summary.ok();
        let moments = summary.as_ref().and_then(SharpeMoments::of);
        // Near copies of one model hide how often luck had its chance.
        let known = stream.trial_sharpe_variance.filter(|variance| variance.is_finite()).unwrap_or(0.0);
        let luck =
            Trials { count: stream.trials.max(1), sharpe_variance: known }.with_floor(differences.len());
        Self {
            sharpe: summary.and_then(|summary| summary.sharpe),
            probabilistic_sharpe: moments.and_then(|moments| probabilistic_sharpe(&moments, 0.0)),
            trials: stream.trials,
            trial_sharpe_variance: moments.map(|_| luck.sharpe_variance),
            deflated_sharpe: moments
                .and_then(|moments| deflated_sharpe(&moments, &luck))
                .map(|it| it.probability),
            min_track_record_bars: moments.and_then(|moments| min_track_record_length(&moments, 0.0)),
        }
    }
}
