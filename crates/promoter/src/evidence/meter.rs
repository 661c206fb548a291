//! The standing for a person who waits.

use serde::{Deserialize, Serialize};
use walkforward_core::StreamEvidence;
use walkforward_stats::{ReturnSeries, ReturnSummary};

use super::ledger::StreamLedger;
use super::outlook::Start;
use super::{
    EvidenceRules, Holding, LedgerError, MarketPace, Outlook, OwnAnchor, Recent, Standing, TrackRecord,
    sentences,
};

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
    /// Live bars of the ledger, those after the look included.
    #[serde(default)]
    pub live_bars: usize,
    /// The arm beside the asset at the arm's own mean exposure; none before the first look, and where nobody knows what
    /// the asset did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holding: Option<Holding>,
    /// Chance of each grade, by the lead that is assumed, when the arm goes on deciding as often; empty when both decided
    /// alike on every bar, or the arm decides so rarely that it never comes to a grade.
    pub outlooks: Vec<Outlook>,
    /// What the pair's test has spent of its level.
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
    /// Fewer closed trades decide nothing.
    #[serde(default)]
    pub min_trades: usize,
}

/// The chance of a false qualification that the test of an arm against one reference may take. Each pair has its own: the
/// registered tests of a line share one budget a year, and all other tests of the database another, by e-LOND.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorBudget {
    /// Spent so far.
    pub spent: f64,
    /// The level of this test.
    pub allowed: f64,
    /// What the tests that a line registers within a year may add up to; and what all tests that were not registered may.
    pub of_the_line: f64,
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
        let live_bars = stream.bar_close.len().saturating_sub(stream.replayed_bars);
        let outlooks = start.map_or_else(Vec::new, |start| start.outlooks(series.seed_at(look)));
        let recent = standing.recent.as_ref();
        let sequential = &standing.sequential;
        let own_anchor = stream.own_anchor.as_deref().filter(|_| stream.is_champions);
        Ok(Self {
            reference: stream.reference.clone(),
            sentence: sentences::evidence(&standing, &stream.reference, series.pace, rules),
            next_look_in_hours: series.pace.hours(standing.next_look_in_bars),
            outlooks: match live_bars == 0 && standing.counted_bars > 0 {
                true => outlooks.into_iter().map(Outlook::without_qualified).collect(),
                false => outlooks,
            },
            live_bars,
            holding: recent.and_then(|recent| Holding::of(stream, recent, look, series.pace)),
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
                min_trades: rules.min_trades,
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
