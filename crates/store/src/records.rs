//! The JSON files that other programs read. Keys are camelCase; they are contracts.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use walkforward_core::{
    Coverage, EvaluationReport, Grade, LineName, Metrics, ModelId, ModelRef, Outcome, QualityReport, RunId,
    SuppliedBy, Symbol, Timeframe, Timestamp, TrainingOutcome, Verdict, Window,
};

use crate::{Declined, MadeFor, Recipe};

use crate::words::words;

/// `data/etl/etl-<runId>.json`: what a run was made from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EtlRecord {
    /// The run.
    pub run_id: RunId,
    /// When the bars were read.
    pub collected_at: Timestamp,
    /// What they were read from.
    pub source: String,
    /// What is traded.
    pub symbol: Symbol,
    /// Length of the bars.
    pub timeframe: Timeframe,
    /// The window, hold-out included.
    pub window: Window,
    /// Bars in the window.
    pub rows: usize,
    /// Bars before the window that feed features.
    pub history_rows: usize,
    /// What is known about the bars; its own keys are snake_case.
    pub quality: QualityReport,
    /// The dataset's fingerprint, SHA-256.
    pub hash: String,
    /// The "now" of the run.
    pub as_of: Timestamp,
    /// Start of the hold-out.
    pub split: Timestamp,
    /// Where bars are missing; none in a record of a version that did not keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coverage: Option<Coverage>,
}

/// How far a model has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelStatus {
    /// Its weights are there.
    Trained,
    /// It was measured and not yet judged.
    Evaluated,
    /// It became its line's champion, now or earlier.
    Promoted,
    /// The gate said no.
    Rejected,
    /// The evidence did not say.
    Inconclusive,
}

impl ModelStatus {
    /// The word in files and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trained => "trained",
            Self::Evaluated => "evaluated",
            Self::Promoted => "promoted",
            Self::Rejected => "rejected",
            Self::Inconclusive => "inconclusive",
        }
    }
}

impl ModelStatus {
    /// The status whose word `word` is.
    pub(crate) fn of_word(word: &str) -> Option<Self> {
        [Self::Trained, Self::Evaluated, Self::Promoted, Self::Rejected, Self::Inconclusive]
            .into_iter()
            .find(|status| status.as_str() == word)
    }
}

impl fmt::Display for ModelStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The rules by which a model was judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PromotionGate {
    /// Smallest win rate that passes; none when the rules have no such threshold.
    pub min_win_rate: Option<f64>,
    /// Largest drawdown that passes; likewise.
    pub max_drawdown: Option<f64>,
    /// Smallest PnL per trade that passes; likewise.
    pub min_pnl_per_trade: Option<f64>,
    /// Name of the rules.
    pub preset: String,
    /// What they came to.
    pub outcome: Outcome,
    /// Whether a model that may be promoted was left to somebody's approval.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub held: bool,
}

/// Which parent a training was to continue from, and which one it did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ParentChoice {
    /// The model that was asked for.
    pub asked: ModelId,
    /// The model that the training continues from; none when it starts from fresh weights.
    pub taken: Option<ModelId>,
    /// Why it is another one than was asked for, if it is.
    pub reason: Option<String>,
}

/// Who took a model's weights away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RemovedBy {
    /// [`Store::prune`](crate::Store::prune).
    Retention,
    /// They were left out of the backup that this folder was restored from.
    Backup,
}
words!(RemovedBy, "remover of weights", { Retention => "retention", Backup => "backup" });

/// That a model's weights and optimizer state are gone on purpose; all else of it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WeightsRemoved {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: RemovedBy,
}

impl fmt::Display for WeightsRemoved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.by {
            RemovedBy::Retention => write!(f, "its weights were removed on {} by retention", self.at),
            RemovedBy::Backup => write!(f, "its weights were left out of the backup of {}", self.at),
        }
    }
}

/// `models/model-<runId>/metadata.json`: everything known about a model. Rewritten by the store alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelRecord {
    /// Its name, also of its folder.
    pub model_id: ModelId,
    /// The run that made it.
    pub run_id: RunId,
    /// How far it has come.
    pub status: ModelStatus,
    /// When it was made.
    pub created_at: Timestamp,
    /// The run's `etl-<runId>.json`.
    pub etl_path: String,
    /// What the evaluation measured.
    pub metrics: Option<Metrics>,
    /// When it was measured.
    pub evaluated_at: Option<Timestamp>,
    /// Whether it has been a champion.
    pub promoted: bool,
    /// When it last became champion.
    pub promoted_at: Option<Timestamp>,
    /// The rules by which it was judged.
    pub promotion_gate: Option<PromotionGate>,
    /// Its line.
    pub line: LineName,
    /// What it trades.
    pub symbol: Symbol,
    /// Length of the bars that it decides on.
    pub timeframe: Timeframe,
    /// SHA-256 of `policy.safetensors`; filled in when the model is adopted.
    pub sha256: String,
    /// SHA-256 of `optimizer.safetensors`; filled in when the model is adopted.
    pub optimizer_sha256: Option<String>,
    /// Close of the last bar that its training saw in any way.
    pub used_until: Timestamp,
    /// The same over the model and all its ancestors.
    pub lineage_until: Timestamp,
    /// Close of the last bar that it was trained on.
    pub trained_until: Timestamp,
    /// When its training ended.
    pub trained_at: Timestamp,
    /// The model that its training continued from.
    pub parent_id: Option<ModelId>,
    /// The parent that was asked for, and why it is another one if it is; none when none was asked for.
    #[serde(default)]
    pub parent_choice: Option<ParentChoice>,
    /// Who asked for it; none for a run that nobody scheduled.
    #[serde(default)]
    pub made_for: Option<MadeFor>,
    /// From what it can be made again; none for models of versions that did not record it.
    #[serde(default)]
    pub recipe: Option<Recipe>,
    /// Where all its randomness came from.
    pub seed: u64,
    /// Its hyperparameters.
    pub pack: serde_json::Value,
    /// Fingerprint of the dataset.
    pub dataset_hash: String,
    /// What the training came to.
    pub training: TrainingOutcome,
    /// What the gate said.
    pub verdict: Option<Verdict>,
    /// Where its metrics come from.
    pub supplied_by: Option<SuppliedBy>,
    /// The champion that it was compared with.
    pub champion_id: Option<ModelId>,
    /// What the champion measured on the same bars.
    pub champion_metrics: Option<Metrics>,
    /// Version of the program that made it.
    pub code_version: String,
    /// When and why its weights were taken away; none while they are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights_removed: Option<WeightsRemoved>,
    /// That somebody said no to it although the gate had let it through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declined: Option<Declined>,
}

impl ModelRecord {
    /// Symbol and timeframe in words.
    pub(crate) fn market(&self) -> String {
        market(&self.symbol, self.timeframe)
    }
}

/// `models/model-<runId>/evaluation.json`: what the evaluation measured bar by bar, for charts and later questions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EvaluationRecord {
    /// The model.
    pub model_id: ModelId,
    /// When it was measured.
    pub evaluated_at: Timestamp,
    /// The model's report.
    pub candidate: EvaluationReport,
    /// That of the champion of the time, on the same bars.
    pub champion: Option<EvaluationReport>,
    /// Those of doing nothing and holding the asset.
    pub baselines: Vec<EvaluationReport>,
    /// Close price of each judged bar, `[n_bars]`.
    pub close: Vec<f64>,
    /// Whether its series were not kept, because the span was too long or retention took them; then they are empty.
    #[serde(default)]
    pub series_left_out: bool,
}

impl EvaluationRecord {
    /// Judged bars whose series are kept: eleven years of hours.
    pub const MAX_BARS: usize = 100_000;

    /// The record without its series when they are longer than [`MAX_BARS`](Self::MAX_BARS).
    pub(crate) fn bounded(self) -> Self {
        if self.close.len() <= Self::MAX_BARS { self } else { self.without_series() }
    }

    /// The record with its metrics alone.
    pub(crate) fn without_series(mut self) -> Self {
        self.series_left_out = true;
        self.close.clear();
        let reports =
            std::iter::once(&mut self.candidate).chain(&mut self.champion).chain(&mut self.baselines);
        for report in reports {
            report.bar_close.clear();
            report.net_return.clear();
            report.position.clear();
            report.fills.clear();
            report.trades.clear();
        }
        self
    }
}

/// `models/latest.json`, or `models/lines/<line>/latest.json`: which model trades.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pointer {
    /// The champion.
    pub model_id: ModelId,
    /// Its record, relative to the models folder.
    pub metadata_path: String,
    /// Its weights, relative to the models folder.
    pub model_path: String,
    /// Since when.
    pub promoted_at: Timestamp,
    /// What it measured.
    pub metrics: Metrics,
    /// SHA-256 of its weights.
    pub sha256: String,
    /// The line.
    pub line: LineName,
    /// What it trades.
    pub symbol: Symbol,
    /// Length of the bars that it decides on.
    pub timeframe: Timeframe,
    /// The rules that promoted it.
    pub preset: String,
    /// How far the evidence for its arm carries; null under rules that know no arms.
    pub grade: Option<Grade>,
    /// Counts the line's promotions and rollbacks up.
    pub sequence: u64,
}

impl Pointer {
    pub(crate) fn market(&self) -> String {
        market(&self.symbol, self.timeframe)
    }
}

/// A line's champion: its pointer, its record, and where it lies. Checked when it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Champion {
    /// Why its weights can't be used; none when they are those that were promoted.
    pub damage: Option<String>,
    /// What the pointer says.
    pub pointer: Pointer,
    /// What its record says.
    pub record: ModelRecord,
    /// Where it lies.
    pub model_ref: ModelRef,
}

impl Champion {
    pub(crate) fn new(pointer: Pointer, record: ModelRecord, dir: PathBuf, damage: Option<String>) -> Self {
        let model_ref = ModelRef {
            id: pointer.model_id.clone(),
            dir,
            sha256: pointer.sha256.clone(),
            lineage_until: record.lineage_until,
        };
        Self { damage, pointer, record, model_ref }
    }
}

fn market(symbol: &Symbol, timeframe: Timeframe) -> String {
    format!("{symbol} {timeframe}")
}
