//! What a run came to, for people and for scripts.

use serde::Serialize;
use walkforward_core::{
    ActionMap, EvaluationReport, EvaluationWarning, LineName, Metrics, ModelId, QualityReport, RunId,
    SampleFigures, Symbol, Timeframe, Timestamp, TrainingOutcome, Verdict, Window,
};
use walkforward_store::RunOutcome;

/// The figures of one subject on the judged bars.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SubjectMetrics {
    /// A model's id or a baseline's name.
    pub subject: String,
    /// Its figures.
    pub metrics: Metrics,
    /// Share of each action among its decisions, `[n_actions]`; empty without a policy.
    pub action_share: Vec<f64>,
    /// What the actions mean; none without a policy.
    pub action_map: Option<ActionMap>,
    /// The bars before the hold-out, which a model may have learned from; none of a baseline.
    pub in_sample: Option<SampleFigures>,
    /// The judged bars; none of a baseline.
    pub out_of_sample: Option<SampleFigures>,
    /// What a reader of the figures has to know.
    pub warnings: Vec<EvaluationWarning>,
}

impl From<&EvaluationReport> for SubjectMetrics {
    fn from(report: &EvaluationReport) -> Self {
        Self {
            subject: report.subject.clone(),
            metrics: report.metrics.clone(),
            action_share: report.action_share.clone(),
            action_map: report.action_map,
            in_sample: report.in_sample.clone(),
            out_of_sample: report.out_of_sample.clone(),
            warnings: report.warnings.clone(),
        }
    }
}

/// One run from bars to pointer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunReport {
    /// The run.
    pub run_id: RunId,
    /// The model that it made.
    pub model_id: ModelId,
    /// How it ended.
    pub outcome: RunOutcome,
    /// The line that it ran for.
    pub line: LineName,
    /// What is traded.
    pub symbol: Symbol,
    /// Length of the bars.
    pub timeframe: Timeframe,
    /// What the bars were read from.
    pub origin: String,
    /// The "now" of the run.
    pub as_of: Timestamp,
    /// The window, hold-out included.
    pub window: Window,
    /// Start of the hold-out.
    pub split: Timestamp,
    /// Bars in the window.
    pub window_bars: usize,
    /// Bars in the hold-out.
    pub holdout_bars: usize,
    /// The bars that were judged; none when the metrics were supplied.
    pub judged_span: Option<Window>,
    /// Fingerprint of the dataset.
    pub dataset_hash: String,
    /// What is known about the bars.
    pub quality: QualityReport,
    /// What the training came to.
    pub training: TrainingOutcome,
    /// SHA-256 of the weights.
    pub sha256: String,
    /// The new model's figures.
    pub candidate: SubjectMetrics,
    /// The champion's figures on the same bars.
    pub champion: Option<SubjectMetrics>,
    /// Flat and buy-and-hold on the same bars.
    pub baselines: Vec<SubjectMetrics>,
    /// Every gate and what it came to.
    pub verdict: Verdict,
    /// Where the pointer lies, if it was moved.
    pub pointer: Option<String>,
    /// Wall time of the run in seconds.
    pub elapsed_s: f64,
}
