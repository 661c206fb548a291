//! Experiments: the stored record of one training each, from the wish for it to its end.

use rusqlite::{Connection, Row, params, params_from_iter};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use walkforward_core::{LineName, Metrics, ModelId, RunId, Timestamp, TrainingOutcome};

use crate::database::Refusal;
use crate::rows::{MAX_LISTED_ROWS, Table, bounded, json_column, parse, parse_optional};
use crate::words::words;
use crate::{ExperimentId, RunOutcome, Store, StoreError};

/// Most tags of an experiment.
pub const MAX_TAGS: usize = 32;

pub(crate) const EXPERIMENTS: Table =
    Table { what: "experiment", name: "experiments", command: "experiments" };

/// How far a training has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExperimentStatus {
    /// It is wanted and has not begun.
    Pending,
    /// It goes on.
    Running,
    /// It made a model.
    Completed,
    /// It broke off.
    Failed,
    /// It was asked to stop.
    Cancelled,
    /// Its process ended without a word.
    Interrupted,
    /// It was given up because it was not good enough.
    Pruned,
}

words!(ExperimentStatus, "experiment status", {
    Pending => "pending", Running => "running", Completed => "completed", Failed => "failed",
    Cancelled => "cancelled", Interrupted => "interrupted", Pruned => "pruned",
});

impl ExperimentStatus {
    /// Whether an experiment ends with it: every status but `pending` and `running`.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Pending | Self::Running)
    }
}

/// A training that is wanted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NewExperiment {
    /// Its id.
    pub id: ExperimentId,
    /// Its name for people.
    pub name: String,
    /// What asked for it (`schedule`, `run`).
    pub script: String,
    /// The line that its model will belong to.
    pub line: LineName,
    /// All that it is made with, an object of at most [`MAX_JSON_BYTES`](crate::MAX_JSON_BYTES); a cycle's holds
    /// `parent_experiment_id` and `cycle_number`.
    pub config: Value,
    /// Words to find it by, at most [`MAX_TAGS`]; a cycle's are `continuous`, `cycle:N` and `schedule:<id>`.
    pub tags: Vec<String>,
}

/// An experiment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExperimentRecord {
    /// Its id.
    pub id: ExperimentId,
    /// Its name for people.
    pub name: String,
    /// What asked for it.
    pub script: String,
    /// How far it has come.
    pub status: ExperimentStatus,
    /// The line of its model.
    pub line: LineName,
    /// The run that it belongs to.
    pub run_id: Option<RunId>,
    /// The model that it made.
    pub model_id: Option<ModelId>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it ended, however it did.
    pub completed_at: Option<Timestamp>,
    /// All that it is made with, an object.
    pub config: Value,
    /// What it came to, an object.
    pub final_metrics: Value,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// Why it did not complete.
    pub error: Option<String>,
}

/// How a training ended.
#[derive(Debug, Clone, PartialEq)]
pub struct ExperimentEnd {
    /// A final status.
    pub status: ExperimentStatus,
    /// What it came to, an object of at most [`MAX_JSON_BYTES`](crate::MAX_JSON_BYTES).
    pub final_metrics: Value,
    /// The model that it made.
    pub model_id: Option<ModelId>,
    /// Why it did not complete; cut after 4 KiB.
    pub error: Option<String>,
}

impl ExperimentEnd {
    /// The end of the training of `model`, which was judged: its run ended as `outcome`. `metrics` is what the model
    /// measured.
    pub fn judged(
        model: &ModelId,
        training: &TrainingOutcome,
        metrics: Option<&Metrics>,
        outcome: RunOutcome,
    ) -> Self {
        let mut final_metrics = json!({
            "checkpoint_path": model,
            "total_iterations": training.iterations,
            "environment_steps": training.environment_steps,
            "outcome": outcome,
            "candidate": metrics,
        });
        for (name, value) in training.metrics.iter().filter(|(_, value)| value.is_finite()) {
            final_metrics[name.as_str()] = json!(value);
        }
        let model_id = Some(model.clone());
        Self { status: ExperimentStatus::Completed, final_metrics, model_id, error: None }
    }

    /// The end of a training whose run ended as `outcome`, which is no verdict.
    pub fn unjudged(outcome: RunOutcome, reason: Option<String>) -> Self {
        let status = match outcome {
            RunOutcome::Cancelled | RunOutcome::Skipped => ExperimentStatus::Cancelled,
            RunOutcome::Interrupted => ExperimentStatus::Interrupted,
            _ => ExperimentStatus::Failed,
        };
        Self { status, final_metrics: json!({}), model_id: None, error: reason }
    }
}

/// Which experiments are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExperimentFilter {
    /// Those with this status.
    pub status: Option<ExperimentStatus>,
    /// Those of this line.
    pub line: Option<LineName>,
    /// Those older than this one.
    pub before: Option<ExperimentId>,
}

impl Store {
    /// Records that a training is wanted; it is `pending`. It begins in this process, which has the run lock: the next
    /// one that takes that lock closes it as interrupted.
    ///
    /// # Errors
    /// Its id is taken, its name is empty, its configuration is no object or too long, or it has too many tags.
    pub fn create_experiment(&self, experiment: &NewExperiment) -> Result<ExperimentRecord, StoreError> {
        let id = experiment.id.as_str();
        EXPERIMENTS.check_name(id, &experiment.name)?;
        let config = EXPERIMENTS.object(id, "config", &experiment.config)?;
        let (tags, now) = (tags_text(id, &experiment.tags)?, self.now().to_string());
        self.database.write_checked("record a wanted training in", |tx| {
            EXPERIMENTS.check_free(tx, id)?;
            tx.execute(
                "INSERT INTO experiments (id, name, script, line, created_at, config, tags) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![
                    id,
                    experiment.name,
                    bounded(&experiment.script),
                    experiment.line.as_str(),
                    now,
                    config,
                    tags
                ],
            )?;
            get(tx, &experiment.id)
        })
    }

    /// Records that a pending training has begun, in `run` if it is part of one.
    ///
    /// # Errors
    /// There is no such experiment, or it is not pending.
    pub fn begin_experiment(
        &self,
        id: &ExperimentId,
        run: Option<&RunId>,
    ) -> Result<ExperimentRecord, StoreError> {
        let now = self.now().to_string();
        self.database.write_checked("record the start of a training in", |tx| {
            let status = get(tx, id)?.status;
            if status != ExperimentStatus::Pending {
                let reason = format!("it is {status}: only a pending one can begin");
                return Err(EXPERIMENTS.refuse(id.as_str(), reason).into());
            }
            tx.execute(
                "UPDATE experiments SET status = 'running', started_at = ?2, run_id = ?3 WHERE id = ?1",
                params![id.as_str(), now, run.map(RunId::as_str)],
            )?;
            get(tx, id)
        })
    }

    /// Records how a training has ended. It ends once.
    ///
    /// # Errors
    /// There is no such experiment, it has ended, `end.status` is not final, or its metrics are no object or too long.
    pub fn finish_experiment(
        &self,
        id: &ExperimentId,
        end: &ExperimentEnd,
    ) -> Result<ExperimentRecord, StoreError> {
        let metrics = EXPERIMENTS.object(id.as_str(), "final_metrics", &end.final_metrics)?;
        if !end.status.is_final() {
            return Err(EXPERIMENTS.refuse(id.as_str(), format!("it can't end as {}", end.status)));
        }
        let now = self.now().to_string();
        self.database.write_checked("record the end of a training in", |tx| {
            let status = get(tx, id)?.status;
            if status.is_final() {
                let reason = format!("it is {status}: a training ends once");
                return Err(EXPERIMENTS.refuse(id.as_str(), reason).into());
            }
            tx.execute(
                "UPDATE experiments SET status = ?2, completed_at = ?3, final_metrics = ?4, \
                 model_id = coalesce(?5, model_id), error = ?6 WHERE id = ?1",
                params![
                    id.as_str(),
                    end.status.as_str(),
                    now,
                    metrics,
                    end.model_id.as_ref().map(ModelId::as_str),
                    end.error.as_deref().map(bounded)
                ],
            )?;
            get(tx, id)
        })
    }

    /// Gives an experiment another name and other tags.
    ///
    /// # Errors
    /// There is no such experiment, the name is empty, or there are too many tags.
    pub fn update_experiment(
        &self,
        id: &ExperimentId,
        name: &str,
        tags: &[String],
    ) -> Result<ExperimentRecord, StoreError> {
        EXPERIMENTS.check_name(id.as_str(), name)?;
        let tags = tags_text(id.as_str(), tags)?;
        self.database.write_checked("change an experiment in", |tx| {
            EXPERIMENTS.require(tx, id.as_str())?;
            tx.execute(
                "UPDATE experiments SET name = ?2, tags = ?3 WHERE id = ?1",
                params![id.as_str(), name, tags],
            )?;
            get(tx, id)
        })
    }

    /// One experiment.
    ///
    /// # Errors
    /// There is no such experiment.
    pub fn experiment(&self, id: &ExperimentId) -> Result<ExperimentRecord, StoreError> {
        self.database.read_checked(|db| get(db, id))
    }

    /// The newest `limit` experiments that `filter` lets through, newest first; at most
    /// [`MAX_LISTED_ROWS`](crate::MAX_LISTED_ROWS).
    ///
    /// # Errors
    /// The experiment before which to begin does not exist.
    pub fn experiments(
        &self,
        filter: &ExperimentFilter,
        limit: u32,
    ) -> Result<Vec<ExperimentRecord>, StoreError> {
        let (sql, values) = list_query(filter, limit);
        self.database.read_checked(|db| {
            if let Some(before) = &filter.before {
                EXPERIMENTS.require(db, before.as_str())?;
            }
            let mut query = db.prepare_cached(&sql)?;
            Ok(query.query_map(params_from_iter(values), experiment_row)?.collect::<Result<_, _>>()?)
        })
    }

    /// Deletes an experiment with its iterations.
    ///
    /// # Errors
    /// There is no such experiment, it is running, or a schedule or a cycle refers to it.
    pub fn delete_experiment(&self, id: &ExperimentId) -> Result<(), StoreError> {
        let users = [
            ("schedule", "SELECT id FROM continuous_training_schedules WHERE base_experiment_id = ?1"),
            ("cycle", "SELECT schedule_id || '/' || number FROM cycles WHERE experiment_id = ?1"),
        ];
        self.database.write_checked("delete an experiment in", |tx| {
            if get(tx, id)?.status == ExperimentStatus::Running {
                return Err(EXPERIMENTS.refuse(id.as_str(), "it is running: cancel it first").into());
            }
            EXPERIMENTS.check_unused(tx, id.as_str(), &users)?;
            tx.execute("DELETE FROM experiments WHERE id = ?1", [id.as_str()])?;
            Ok(())
        })
    }

    /// At most `limit` experiments that have no end.
    pub(crate) fn open_experiments(&self, limit: u32) -> Result<Vec<ExperimentRecord>, StoreError> {
        self.database.read(|db| {
            let mut query = db.prepare_cached(&format!(
                "SELECT {EXPERIMENT_COLUMNS} FROM experiments WHERE status IN ('pending', 'running') LIMIT ?1"
            ))?;
            query.query_map([limit], experiment_row)?.collect()
        })
    }
}

/// The query of a list with its values. Each filter has an index of its own, in the list's order.
fn list_query(filter: &ExperimentFilter, limit: u32) -> (String, Vec<String>) {
    let mut conditions = vec!["true"];
    let mut values = Vec::new();
    if let Some(status) = filter.status {
        conditions.push("status = ?");
        values.push(status.to_string());
    }
    if let Some(line) = &filter.line {
        conditions.push("line = ?");
        values.push(line.to_string());
    }
    if let Some(before) = &filter.before {
        conditions.push("(created_at, id) < (SELECT created_at, id FROM experiments WHERE id = ?)");
        values.push(before.to_string());
    }
    let sql = format!(
        "SELECT {EXPERIMENT_COLUMNS} FROM experiments WHERE {} ORDER BY created_at DESC, id DESC LIMIT {}",
        conditions.join(" AND "),
        limit.min(MAX_LISTED_ROWS)
    );
    (sql, values)
}

fn get(db: &Connection, id: &ExperimentId) -> Result<ExperimentRecord, Refusal> {
    EXPERIMENTS.get(db, EXPERIMENT_COLUMNS, id.as_str(), experiment_row)
}

fn tags_text(id: &str, tags: &[String]) -> Result<String, StoreError> {
    if tags.len() > MAX_TAGS {
        let reason = format!("it has {} tags: at most {MAX_TAGS} are kept", tags.len());
        return Err(EXPERIMENTS.refuse(id, reason));
    }
    EXPERIMENTS.json(id, "tags", &json!(tags))
}

const EXPERIMENT_COLUMNS: &str = "id, name, script, status, line, run_id, model_id, created_at, started_at, \
     completed_at, config, final_metrics, tags, error";

fn experiment_row(row: &Row<'_>) -> rusqlite::Result<ExperimentRecord> {
    Ok(ExperimentRecord {
        id: parse(row, 0)?,
        name: row.get(1)?,
        script: row.get(2)?,
        status: parse(row, 3)?,
        line: parse(row, 4)?,
        run_id: parse_optional(row, 5)?,
        model_id: parse_optional(row, 6)?,
        created_at: parse(row, 7)?,
        started_at: parse_optional(row, 8)?,
        completed_at: parse_optional(row, 9)?,
        config: parse(row, 10)?,
        final_metrics: parse(row, 11)?,
        tags: json_column(row, 12)?,
        error: row.get(13)?,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use walkforward_core::ManualClock;

    use super::*;

    #[test]
    fn every_list_of_experiments_is_read_along_an_index() {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(Timestamp::EPOCH));
        let store = Store::open(&dir.path().join("data"), &dir.path().join("models"), clock).unwrap();
        let (status, line) = (Some(ExperimentStatus::Running), Some(LineName::default()));
        let before: Option<ExperimentId> = Some("e".parse().unwrap());
        let filter = |status, line: &Option<LineName>, before: &Option<ExperimentId>| ExperimentFilter {
            status,
            line: line.clone(),
            before: before.clone(),
        };
        let cases = [
            (filter(None, &None, &None), "SCAN experiments USING INDEX experiments_by_time"),
            (filter(None, &None, &before), "experiments_by_time (created_at<?)"),
            (filter(status, &None, &None), "experiments_by_status (status=?)"),
            (filter(None, &line, &None), "experiments_of_a_line (line=?)"),
            (filter(None, &line, &before), "experiments_of_a_line (line=? AND created_at<?)"),
        ];
        for (filter, expected) in cases {
            let plan = store.database.plan(&list_query(&filter, 10).0);
            assert!(plan.contains(expected) && !plan.contains("TEMP B-TREE"), "{plan}");
        }
    }
}
