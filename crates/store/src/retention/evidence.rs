//! What stays of a model long after its weights: its record, its verdict, its metrics. What was measured bar by bar and
//! the record of its ETL go, so that a cycle leaves a few kilobytes in the end.

use std::fs;
use std::path::PathBuf;

use rusqlite::OptionalExtension;
use walkforward_core::{ModelId, RunId, Timestamp};

use super::plan::DAY_MS;
use super::work::{bytes_of, unless_gone};
use crate::layout::EVALUATION_FILE;
use crate::rows::parse;
use crate::{Store, StoreError, read_evaluation};

/// Most files of either kind that one call purges.
const MAX_PURGED: usize = 10_000;
/// An evaluation of fewer bytes has no series worth taking: its metrics alone take less.
const MIN_EVALUATION_BYTES: u64 = 16 << 10;

/// What a purge of old evidence removes, or would.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PurgedEvidence {
    /// Models whose evaluation lost its series; its metrics stay.
    pub evaluations: Vec<ModelId>,
    /// Runs whose record of ETL is gone.
    pub etl_records: Vec<RunId>,
    /// What all that takes, bytes; of evaluations that were not purged yet, with their metrics.
    pub bytes: u64,
}

impl Store {
    /// The evidence that may go: of models without weights that are `days` old, the series of their evaluations and the
    /// records of their runs' ETL, and the records of runs of that age that made no model. Nothing is changed.
    ///
    /// # Errors
    /// A folder or the database can't be read.
    pub fn old_evidence(&self, days: u32) -> Result<PurgedEvidence, StoreError> {
        let before = self.now().plus_millis(-i64::from(days) * DAY_MS);
        let mut found = PurgedEvidence::default();
        for model in self.models_without_weights(before)? {
            let bytes = bytes_of(&self.evaluation_path(&model))?;
            if bytes >= MIN_EVALUATION_BYTES && found.evaluations.len() < MAX_PURGED {
                found.bytes += bytes;
                found.evaluations.push(model);
            }
        }
        for run in self.recorded_runs()? {
            let is_old = run.started_at().is_some_and(|started| started < before);
            if is_old && found.etl_records.len() < MAX_PURGED && self.is_without_weights(&run)? {
                found.bytes += bytes_of(&self.layout.etl(&run))?;
                found.etl_records.push(run);
            }
        }
        Ok(found)
    }

    /// Takes away what [`old_evidence`](Self::old_evidence) finds, oldest first. An evaluation that can't be read stays as
    /// it is.
    ///
    /// # Errors
    /// A file can't be removed or written. What went until then stays gone.
    pub fn purge_evidence(&self, days: u32) -> Result<PurgedEvidence, StoreError> {
        let found = self.old_evidence(days)?;
        let mut purged = PurgedEvidence::default();
        for model in found.evaluations {
            let path = self.evaluation_path(&model);
            let before = bytes_of(&path)?;
            let record = match read_evaluation(self.models_dir(), &model) {
                Ok(Some(record)) => record,
                Ok(None) | Err(StoreError::BadModel { .. }) => continue,
                Err(error) => return Err(error),
            };
            self.files.write_json_atomic(&path, &record.without_series())?;
            purged.bytes += before.saturating_sub(bytes_of(&path)?);
            purged.evaluations.push(model);
        }
        for run in found.etl_records {
            let path = self.layout.etl(&run);
            purged.bytes += bytes_of(&path)?;
            self.files.remove_file(&path)?;
            purged.etl_records.push(run);
        }
        if !purged.etl_records.is_empty() {
            self.files.sync_dir(&self.layout.etl_dir())?;
        }
        Ok(purged)
    }

    fn evaluation_path(&self, model: &ModelId) -> PathBuf {
        self.layout.model_dir(model).join(EVALUATION_FILE)
    }

    /// Models made before `before` whose weights are gone, oldest first.
    fn models_without_weights(&self, before: Timestamp) -> Result<Vec<ModelId>, StoreError> {
        self.database.read(|db| {
            let sql = "SELECT id FROM models WHERE weights_removed_at IS NOT NULL AND removal_open = 0 \
                       AND created_at < ?1 ORDER BY created_at, id";
            db.prepare_cached(sql)?.query_map([before.to_string()], |row| parse(row, 0))?.collect()
        })
    }

    /// Runs that have a record of ETL, oldest first.
    pub(crate) fn recorded_runs(&self) -> Result<Vec<RunId>, StoreError> {
        let dir = self.layout.etl_dir();
        let mut runs: Vec<RunId> = Vec::new();
        for entry in unless_gone(fs::read_dir(&dir), &dir)?.into_iter().flatten() {
            let Some(entry) = unless_gone(entry, &dir)? else { continue };
            let name = entry.file_name();
            let id = name.to_str().and_then(|name| name.strip_prefix("etl-")?.strip_suffix(".json"));
            runs.extend(id.and_then(|id| id.parse().ok()));
        }
        runs.sort();
        Ok(runs)
    }

    /// Whether a run is over, and its model has no weights or it made none.
    fn is_without_weights(&self, run: &RunId) -> Result<bool, StoreError> {
        if self.layout.model_dir(&ModelId::of_run(run)).exists() {
            let model = ModelId::of_run(run);
            return self.database.read(|db| {
                let sql =
                    "SELECT weights_removed_at IS NOT NULL AND removal_open = 0 FROM models WHERE id = ?1";
                Ok(db
                    .prepare_cached(sql)?
                    .query_row([model.as_str()], |row| row.get(0))
                    .optional()?
                    .unwrap_or(false))
            });
        }
        let open = "SELECT EXISTS (SELECT 1 FROM runs WHERE id = ?1 AND finished_at IS NULL)";
        let is_open: bool =
            self.database.read(|db| db.prepare_cached(open)?.query_row([run.as_str()], |row| row.get(0)))?;
        Ok(!is_open)
    }
}
