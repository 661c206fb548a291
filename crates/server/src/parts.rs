//! What a server is made of, and what it asks of whoever embeds it.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use walkforward_core::{Clock, LineName, ProgressUpdate, SessionControl, SessionId};
use walkforward_orchestrator::Scheduler;
use walkforward_store::{ExperimentId, NewDatasetConfig, NewPack, ScheduleId, ScheduleRecord, Store};

use crate::Hub;

/// What a server works with.
#[derive(Clone)]
pub struct ServerParts {
    /// Everything that is told.
    pub store: Arc<Store>,
    /// Moves schedules.
    pub scheduler: Scheduler,
    /// Makes schedules and trainings.
    pub operator: Arc<dyn Operator>,
    /// The traders of this machine.
    pub sessions: Arc<dyn RunningSessions>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// What is told to those who listen.
    pub hub: Hub,
}

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Refusal {
    /// What kind of reason it is.
    pub kind: RefusalKind,
    /// What is wrong, what was expected, what to do. The asker sees it.
    pub detail: String,
}

impl Refusal {
    /// A refusal of this kind.
    pub fn new(kind: RefusalKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into() }
    }
}

/// Kinds of reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefusalKind {
    /// A value can't be used.
    Unusable,
    /// It does not exist.
    Unknown,
    /// It can't be done as things are.
    Conflict,
    /// It may work later.
    Unavailable,
    /// It should not have happened. The detail goes to the log and not to the asker.
    Internal,
}

/// How far a cycle has come: its number, and the newest word of its training.
pub type TrainingProgress = (u64, ProgressUpdate);

/// Makes schedules and trainings from what was asked for, with the settings of its process.
#[async_trait]
pub trait Operator: Send + Sync {
    /// Checks everything that a cycle would need, makes the schedule and starts it.
    ///
    /// # Errors
    /// The first thing that can't be used; then nothing was made.
    async fn create(&self, wanted: NewContinuous) -> Result<ScheduleRecord, Refusal>;

    /// Takes in a schedule that another process has made since the server started.
    ///
    /// # Errors
    /// There is none.
    async fn take_in(&self, id: &ScheduleId) -> Result<(), Refusal>;

    /// Begins a training on a free slot; answers when it is planned.
    ///
    /// # Errors
    /// A value can't be used, or no slot is free.
    async fn launch(&self, wanted: LaunchTraining) -> Result<ExperimentId, Refusal>;

    /// Asks a training to stop.
    ///
    /// # Errors
    /// There is none, it has ended, or it belongs to a schedule.
    async fn cancel(&self, id: &ExperimentId) -> Result<(), Refusal>;

    /// Trainings without a schedule that run.
    fn running(&self) -> Vec<ExperimentId>;

    /// Whether the trainer of the settings takes a pack. It blocks.
    ///
    /// # Errors
    /// The first hyperparameter that it does not know or can't use.
    fn check_pack(&self, pack: &NewPack) -> Result<(), Refusal>;

    /// Whether a dataset configuration makes sense with the defaults for all else, and sets nothing that is the server's
    /// own. It blocks.
    ///
    /// # Errors
    /// The first setting that can't be used.
    fn check_dataset(&self, dataset: &NewDatasetConfig) -> Result<(), Refusal>;

    /// The rules by which models are judged, as the settings say.
    ///
    /// # Errors
    /// A setting can't be read.
    fn gates(&self) -> Result<Gates, Refusal>;

    /// How far the evidence for each arm of a line has come, an object for each. It blocks.
    ///
    /// # Errors
    /// The database or a record can't be read.
    fn evidence(&self, line: &LineName) -> Result<Vec<Value>, Refusal>;

    /// How far the running cycle of a schedule has come; none where none runs, or has not said anything yet.
    fn progress(&self, id: &ScheduleId) -> Option<TrainingProgress>;
}

/// The traders of this machine. Each is a process of its own.
#[async_trait]
pub trait RunningSessions: Send + Sync {
    /// The sessions that answer, with what asks them.
    async fn list(&self) -> Vec<(SessionId, Arc<dyn SessionControl>)>;

    /// One of them; none when it does not run.
    async fn find(&self, id: &SessionId) -> Option<Arc<dyn SessionControl>>;

    /// Starts a trader on paper in a process of its own, which outlives this one; answers when it can be talked to.
    ///
    /// # Errors
    /// A value can't be used, one runs there already, or it ended before it began: the refusal has its last words.
    async fn start(&self, wanted: StartPaper) -> Result<SessionId, Refusal>;
}

/// A trader on paper that somebody wants. What is left out is as the server's settings say.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StartPaper {
    /// Line whose champion trades; default: the server's.
    #[schema(example = "default")]
    pub line: Option<String>,
    /// What is traded.
    #[schema(example = "BTC/USD")]
    pub symbol: Option<String>,
    /// Where bars come from: `synthetic` for made-up ones, `alpaca` for those of now.
    #[schema(example = "alpaca")]
    pub source: Option<String>,
    /// Length of a bar; default: the champion's.
    #[schema(example = "1h")]
    pub timeframe: Option<String>,
    /// How much faster than the clock made-up bars come; `max` for as fast as they are decided.
    #[schema(example = "3600")]
    pub speed: Option<String>,
}

/// The rules by which models are judged.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Gates {
    /// The rules of a schedule that sets none: `evidence` or `thresholds`.
    #[schema(example = "evidence")]
    pub preset: String,
    /// Whether a model that may trade is promoted at once; with false it waits for an approval.
    pub auto_deploy: bool,
    /// Whether a metrics file may promote more than one model.
    pub allow_reused_metrics: bool,
    /// Every limit of both rules by its key in the settings file.
    #[schema(example = json!({"gate.min_win_rate": "0.55"}))]
    pub limits: BTreeMap<String, String>,
}

/// A schedule that somebody wants: the fields of a start of continuous training, and how it is called. What is left out
/// is as the server's settings say.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewContinuous {
    /// Id of the new schedule: lower-case letters, digits, `-`, `_`; default: made from symbol and timeframe.
    #[schema(value_type = Option<String>, example = "btc")]
    pub id: Option<ScheduleId>,
    /// Name for people; default: the id.
    pub name: Option<String>,
    /// Line of its models; default: the server's.
    #[schema(example = "default")]
    pub line: Option<String>,
    /// Completed training that the first cycle continues from; default: the first cycle trains one.
    #[schema(value_type = Option<String>)]
    pub base_experiment_id: Option<ExperimentId>,
    /// Stored dataset configuration.
    pub dataset_id: Option<String>,
    /// Stored hyperparameter pack.
    pub hp_pack_id: Option<String>,
    /// Hours between two cycles, above 0; one of `interval_hours` and `cron`.
    #[schema(example = 6.0)]
    pub interval_hours: Option<f64>,
    /// Due times as a cron expression of five fields, UTC unless `zone` says otherwise.
    #[schema(example = "0 */6 * * *")]
    pub cron: Option<String>,
    /// Time zone of `cron`, an IANA name.
    pub zone: Option<String>,
    /// Bars in the rolling window, hold-out included.
    #[schema(example = 8760)]
    pub window_candles: Option<u64>,
    /// PPO iterations of a cycle.
    #[schema(example = 10)]
    pub iterations_per_cycle: Option<u64>,
    /// What the learning rate is multiplied with where a cycle continues from a checkpoint, 0 to 1.
    #[schema(example = 0.2)]
    pub fine_tune_lr_multiplier: Option<f64>,
    /// What is traded.
    #[schema(example = "BTC/USD")]
    pub symbol: Option<String>,
    /// Length of a bar.
    #[schema(example = "1h")]
    pub timeframe: Option<String>,
    /// Whether a model that may trade is promoted; with false it is held for an approval.
    pub auto_deploy: Option<bool>,
    /// Which rules judge: `evidence` or `thresholds`.
    pub preset: Option<String>,
    /// More settings by their key, as in the settings file.
    #[serde(default)]
    #[schema(example = json!({"data.source": "alpaca"}))]
    pub settings: BTreeMap<String, String>,
}

/// A training that somebody wants. What is left out is as the server's settings say.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LaunchTraining {
    /// Id of the new experiment; default: made from the time.
    #[schema(value_type = Option<String>)]
    pub id: Option<ExperimentId>,
    /// Name for people; default: the id.
    pub name: Option<String>,
    /// Line of its model; default: the server's.
    pub line: Option<String>,
    /// Stored dataset configuration.
    pub dataset_id: Option<String>,
    /// Stored hyperparameter pack.
    pub hp_pack_id: Option<String>,
    /// Words to find it by.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Settings by their key, as in the settings file.
    #[serde(default)]
    #[schema(example = json!({"training.iterations": "20"}))]
    pub settings: BTreeMap<String, String>,
}
