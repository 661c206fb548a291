//! A schedule as it is now.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use walkforward_core::{ProgressUpdate, Timestamp};
use walkforward_orchestrator::{Market, ScheduleView};
use walkforward_store::{ScheduleRecord, ScheduleStatus};

use crate::TrainingProgress;

/// A schedule, what it does now, and what it is made with.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ScheduleStatusView {
    /// Its id.
    schedule_id: String,
    /// Its name for people.
    name: String,
    /// The line of its models.
    line: String,
    /// What it does at its due times: `idle`, `active`, `paused`, `stopped` or `removed`.
    #[schema(value_type = String)]
    status: ScheduleStatus,
    /// What is traded; none where its configuration says none.
    symbol: Option<String>,
    /// Length of a bar.
    timeframe: Option<String>,
    /// When its cycles are due, as a text; none when its configuration can't be read.
    #[schema(example = "every 6h")]
    recurrence: Option<String>,
    /// Number of its newest cycle; 0 before the first.
    current_cycle: u64,
    /// When its newest cycle was due.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_cycle_at: Option<Timestamp>,
    /// Its next due time.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_cycle_at: Option<Timestamp>,
    /// Number of the cycle that runs.
    running_cycle: Option<u64>,
    /// Number of the cycle that waits for a slot.
    queued_cycle: Option<u64>,
    /// How far the running cycle has come.
    progress: Option<ProgressView>,
    /// Why nothing is done for it, if so.
    fault: Option<String>,
    /// The training that its first cycle continues from.
    base_experiment_id: Option<String>,
    /// Stored dataset configuration.
    dataset_id: Option<String>,
    /// Stored hyperparameter pack.
    hp_pack_id: Option<String>,
    /// What the next cycle continues from.
    current_checkpoint_path: Option<String>,
    /// Cycles that failed since the last one that came to a verdict.
    consecutive_failures: u32,
    /// Its settings by key, as far as they were set for it.
    #[schema(value_type = Object)]
    config: Value,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it last changed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    /// The server's time, for countdowns.
    #[schema(value_type = String, format = DateTime)]
    now: Timestamp,
}

/// How far a training has come.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProgressView {
    /// Number of the cycle.
    cycle_number: u64,
    /// What it is at: `etl`, `train`, `evaluate` or `promote`.
    stage: String,
    /// Units of work done, of a training its iterations.
    iteration: u64,
    /// Units of work in all; 0 while unknown.
    total_iterations: u64,
    /// A few words for a person.
    message: String,
    /// How long the rest should take, seconds; none while unknown.
    eta_seconds: Option<f64>,
}

impl From<TrainingProgress> for ProgressView {
    fn from((cycle_number, update): TrainingProgress) -> Self {
        let ProgressUpdate { stage, done, total, message, eta_seconds } = update;
        Self {
            cycle_number,
            stage: stage.to_string(),
            iteration: done,
            total_iterations: total,
            message,
            eta_seconds,
        }
    }
}

impl ScheduleStatusView {
    /// The schedule as its row, the scheduler and its running training say.
    pub(crate) fn new(
        record: ScheduleRecord,
        view: Option<ScheduleView>,
        progress: Option<TrainingProgress>,
        now: Timestamp,
    ) -> Self {
        let market = Market::of_schedule(&record);
        let (symbol, timeframe) = market.map(|it| (it.symbol.to_string(), it.timeframe.to_string())).unzip();
        let seen = view.as_ref();
        Self {
            symbol,
            timeframe,
            recurrence: seen.and_then(|view| view.recurrence.clone()),
            status: seen.map_or(record.status, |view| view.status),
            current_cycle: seen.map_or(record.current_cycle, |view| view.current_cycle),
            last_cycle_at: seen.map_or(record.last_cycle_at, |view| view.last_cycle_at),
            next_cycle_at: seen.map_or(record.next_cycle_at, |view| view.next_cycle_at),
            running_cycle: seen.and_then(|view| view.running_cycle),
            queued_cycle: seen.and_then(|view| view.queued_cycle),
            fault: view.and_then(|view| view.fault),
            progress: progress.map(ProgressView::from),
            schedule_id: record.id.to_string(),
            name: record.name,
            line: record.line.to_string(),
            base_experiment_id: record.base_experiment_id.map(|id| id.to_string()),
            dataset_id: record.dataset_id.map(|id| id.to_string()),
            hp_pack_id: record.hp_pack_id.map(|id| id.to_string()),
            current_checkpoint_path: record.current_checkpoint_path,
            consecutive_failures: record.consecutive_failures,
            config: record.config,
            created_at: record.created_at,
            updated_at: record.updated_at,
            now,
        }
    }
}
