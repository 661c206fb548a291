//! What a page shows.

use serde::{Deserialize, Serialize};
use walkforward_core::{
    EvaluationReport, EvaluationWarning, Fill, GapKind, LineName, Metrics, ModelId, QualityReport, RunId,
    SampleFigures, SuppliedBy, Symbol, Timeframe, Timestamp, TradeRecord, TrainingOutcome, Verdict, Window,
    named_shares,
};

/// Everything that is known about a model and worth a look. What is empty is left out of the page or said to be
/// missing; a series may be of any length.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelReport {
    /// Name of the page.
    pub title: String,
    /// The model.
    pub model_id: ModelId,
    /// Its line; none when it is judged outside of any.
    pub line: Option<LineName>,
    /// What it trades.
    pub symbol: Symbol,
    /// Length of the bars that it decides on.
    pub timeframe: Timeframe,
    /// How far it has come, in the record's word (`promoted`); empty when it has no record.
    pub status: String,
    /// What the gate said; none when the model was measured and not judged.
    pub verdict: Option<Verdict>,
    /// The bars that everybody was measured on; none when the metrics were supplied.
    pub judged_span: Option<Window>,
    /// Who was measured, the model itself first.
    pub subjects: Vec<Subject>,
    /// The bars of the judged span.
    pub bars: PriceSeries,
    /// What is known about the bars.
    pub quality: Option<QualityReport>,
    /// What the bars of the window, and of the judged span, are.
    pub gaps: Vec<GapStretch>,
    /// Where the model comes from: its ancestors, oldest first, and the model itself last.
    pub lineage: Vec<Ancestor>,
    /// What its training came to.
    pub training: Option<TrainingOutcome>,
    /// Its hyperparameters and other settings, as recorded.
    pub settings: serde_json::Value,
    /// What it was made of.
    pub provenance: Provenance,
    /// What a reader has to know before believing the figures, a sentence each.
    pub warnings: Vec<String>,
}

impl ModelReport {
    /// A report that says nothing yet.
    pub fn new(title: impl Into<String>, model_id: ModelId, symbol: Symbol, timeframe: Timeframe) -> Self {
        Self {
            title: title.into(),
            model_id,
            line: None,
            symbol,
            timeframe,
            status: String::new(),
            verdict: None,
            judged_span: None,
            subjects: Vec::new(),
            bars: PriceSeries::default(),
            quality: None,
            gaps: Vec::new(),
            lineage: Vec::new(),
            training: None,
            settings: serde_json::Value::Null,
            provenance: Provenance::default(),
            warnings: Vec::new(),
        }
    }
}

/// What a subject is in the comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The model that the page is about.
    Candidate,
    /// The model that trades.
    Champion,
    /// A rule without a model.
    Baseline,
}

/// One that was measured: a model or a baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Subject {
    /// What it is in the comparison.
    pub role: Role,
    /// A model's id or a baseline's name (`buy_and_hold`).
    pub name: String,
    /// Its figures.
    pub metrics: Metrics,
    /// Where the figures come from.
    pub supplied_by: SuppliedBy,
    /// What is wrong with it, for a person; empty when nothing is.
    pub problems: Vec<String>,
    /// Times of the equity curve, ascending, `[n_points]`.
    pub equity_times: Vec<Timestamp>,
    /// The equity in any unit, `[n_points]`; the first value is what it started with.
    pub equity: Vec<f64>,
    /// Close of each judged bar, `[n_bars]`.
    pub position_times: Vec<Timestamp>,
    /// Position at the end of each judged bar as a fraction of equity, `[n_bars]`.
    pub position: Vec<f64>,
    /// Closed trades in order.
    pub trades: Vec<TradeRecord>,
    /// Fills in order.
    pub fills: Vec<Fill>,
    /// How often it decided on what; empty without decisions.
    pub actions: Vec<ActionShare>,
    /// The bars before the hold-out, which it may have learned from; none when they were not measured.
    pub in_sample: Option<SampleFigures>,
    /// The judged bars; none when they were not measured like that.
    pub out_of_sample: Option<SampleFigures>,
    /// What a reader of its figures has to know.
    pub warnings: Vec<EvaluationWarning>,
}

impl Subject {
    /// What `report` found about `role`. The equity starts at 1.
    pub fn of(role: Role, report: &EvaluationReport) -> Self {
        let start = report.judged_span.map(|span| span.start()).or(report.bar_close.first().copied());
        let mut equity = vec![1.0; usize::from(start.is_some())];
        let mut level = 1.0;
        equity.extend(report.net_return.iter().map(|value| {
            level *= 1.0 + value;
            level
        }));
        Self {
            role,
            name: report.subject.clone(),
            metrics: report.metrics.clone(),
            supplied_by: report.supplied_by.clone(),
            problems: report.mechanical.problems.clone(),
            equity_times: start.into_iter().chain(report.bar_close.iter().copied()).collect(),
            equity,
            position_times: report.bar_close.clone(),
            position: report.position.clone(),
            trades: report.trades.clone(),
            fills: report.fills.clone(),
            actions: named_shares(report.action_map, &report.action_share)
                .into_iter()
                .map(|(action, share)| ActionShare { action, share })
                .collect(),
            in_sample: report.in_sample.clone(),
            out_of_sample: report.out_of_sample.clone(),
            warnings: report.warnings.clone(),
        }
    }
}

/// How often one action was decided on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActionShare {
    /// The action in words (`long`).
    pub action: String,
    /// Its share of the decisions, 0 to 1.
    pub share: f64,
}

/// Prices of the judged bars.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PriceSeries {
    /// Close of each bar, ascending, `[n_bars]`.
    pub close_times: Vec<Timestamp>,
    /// Price at that time, `[n_bars]`.
    pub closes: Vec<f64>,
}

/// What the bars of a stretch are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GapStretch {
    /// Which stretch (`judged span`).
    pub name: String,
    /// Its bars by kind.
    pub counts: GapCounts,
}

/// Bars by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GapCounts {
    /// The source gave them.
    pub present: u64,
    /// Absent because nothing traded.
    pub no_trade: u64,
    /// Given, and changed by the source since.
    pub revised: u64,
    /// Absent otherwise: no evidence.
    pub missing: u64,
}

impl GapCounts {
    /// Counts `kinds`.
    pub fn of(kinds: &[GapKind]) -> Self {
        let mut counts = Self::default();
        for kind in kinds {
            match kind {
                GapKind::Present => counts.present += 1,
                GapKind::NoTrade => counts.no_trade += 1,
                GapKind::Revised => counts.revised += 1,
                GapKind::Missing => counts.missing += 1,
            }
        }
        counts
    }

    /// All bars.
    pub fn total(&self) -> u64 {
        [self.present, self.no_trade, self.revised, self.missing].into_iter().fold(0, u64::saturating_add)
    }
}

/// A model in the line of descent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ancestor {
    /// The model.
    pub id: ModelId,
    /// The model that its training continued from.
    pub parent: Option<ModelId>,
    /// Close of the last bar that it was trained on.
    pub trained_until: Timestamp,
    /// Where all its randomness came from.
    pub seed: u64,
    /// What trained it.
    pub trainer: String,
    /// How far it has come, in the record's word.
    pub status: String,
}

/// What a model was made of. What is not known is none.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Provenance {
    /// The run that made it.
    pub run_id: Option<RunId>,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// What the bars were read from.
    pub origin: Option<String>,
    /// The "now" of the run.
    pub as_of: Option<Timestamp>,
    /// The window, hold-out included.
    pub window: Option<Window>,
    /// Start of the hold-out.
    pub split: Option<Timestamp>,
    /// Close of the last bar that the model or an ancestor has seen.
    pub lineage_until: Option<Timestamp>,
    /// Where all randomness came from.
    pub seed: Option<u64>,
    /// Fingerprint of the dataset, lower-case hex.
    pub dataset_hash: Option<String>,
    /// SHA-256 of the weights, lower-case hex.
    pub sha256: Option<String>,
    /// Version of the program that made it.
    pub code_version: Option<String>,
}
