//! Trainings: their records, what each iteration measured, and the trades of the models that they made.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use walkforward_core::{Timestamp, TradeRecord};
use walkforward_store::{ExperimentRecord, ExperimentStatus, IterationRecord};

/// The record of a training.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ExperimentView {
    /// Its id.
    experiment_id: String,
    /// Its name for people.
    name: String,
    /// What asked for it, such as `schedule`, `run` or `api`.
    script: String,
    /// How far it has come: `pending`, `running`, `completed`, `failed`, `cancelled`, `interrupted` or `pruned`.
    #[schema(value_type = String)]
    status: ExperimentStatus,
    /// The line of its model.
    line: String,
    /// Its run.
    run_id: Option<String>,
    /// The model that it made.
    model_id: Option<String>,
    /// The schedule whose cycle it is.
    schedule_id: Option<String>,
    /// The number of that cycle.
    cycle_number: Option<u64>,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it began.
    #[schema(value_type = Option<String>, format = DateTime)]
    started_at: Option<Timestamp>,
    /// When it ended, however it did.
    #[schema(value_type = Option<String>, format = DateTime)]
    completed_at: Option<Timestamp>,
    /// All that it is made with.
    #[schema(value_type = Object)]
    config: Value,
    /// What it came to; empty before its end.
    #[schema(value_type = Object)]
    final_metrics: Value,
    /// Words to find it by.
    tags: Vec<String>,
    /// Why it did not complete.
    error: Option<String>,
}

impl From<ExperimentRecord> for ExperimentView {
    fn from(record: ExperimentRecord) -> Self {
        let tag = |start: &str| record.tags.iter().find_map(|tag| tag.strip_prefix(start));
        Self {
            schedule_id: tag("schedule:").map(str::to_owned),
            cycle_number: tag("cycle:").and_then(|number| number.parse().ok()),
            experiment_id: record.id.to_string(),
            name: record.name,
            script: record.script,
            status: record.status,
            line: record.line.to_string(),
            run_id: record.run_id.map(|id| id.to_string()),
            model_id: record.model_id.map(|id| id.to_string()),
            created_at: record.created_at,
            started_at: record.started_at,
            completed_at: record.completed_at,
            config: record.config,
            final_metrics: record.final_metrics,
            tags: record.tags,
            error: record.error,
        }
    }
}

/// One iteration of a training.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct IterationView {
    /// Its number, as the trainer counts.
    iteration: u64,
    /// What was measured, by name.
    #[schema(value_type = Object)]
    metrics: Value,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    time: Timestamp,
}

impl IterationView {
    /// Its number.
    pub(crate) fn number(&self) -> u64 {
        self.iteration
    }
}

impl From<IterationRecord> for IterationView {
    fn from(record: IterationRecord) -> Self {
        let IterationRecord { iteration, metrics, timestamp } = record;
        Self { iteration, metrics, time: timestamp }
    }
}

/// A closed round trip of a model on the bars that judged it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TradeView {
    /// Its number, from 1.
    number: u64,
    /// When the position left zero.
    #[schema(value_type = String, format = DateTime)]
    opened_at: Timestamp,
    /// When it came back to zero.
    #[schema(value_type = String, format = DateTime)]
    closed_at: Timestamp,
    /// Quote currency that went in.
    entry_notional: f64,
    /// Profit net of all fees, quote currency.
    pnl: f64,
    /// Profit as a fraction of what went in.
    return_on_entry: f64,
}

impl TradeView {
    /// The trade with its number.
    pub(crate) fn new(number: u64, trade: TradeRecord) -> Self {
        let TradeRecord { opened_at, closed_at, entry_notional, pnl, return_on_entry } = trade;
        Self { number, opened_at, closed_at, entry_notional, pnl, return_on_entry }
    }
}
