//! Models: from a finished attempt to a directory that never changes, with a record that does.

use std::fs;
use std::io::{BufReader, ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rusqlite::{OptionalExtension, Transaction, params};
use walkforward_core::{LineName, ModelId, ModelRef, Timestamp, TradeRecord};
use walkforward_durable::{Error, Step, read_bounded};

use crate::held::settle_declined;
use crate::layout::{EVALUATION_FILE, METADATA_FILE, OPTIMIZER_FILE, POLICY_FILE, is_attempt_name};
use crate::rows::parse;
use crate::{EvaluationRecord, ModelRecord, ModelStatus, Store, StoreError, sha256_file};

/// Longest `metadata.json`, bytes.
const MAX_METADATA_BYTES: u64 = 16 << 20;
/// Longest `evaluation.json`, bytes.
const MAX_EVALUATION_BYTES: u64 = 256 << 20;
/// Most files in a bundle.
const MAX_BUNDLE_FILES: usize = 64;

impl Store {
    /// Makes a model of what `attempt` has written: hashes and syncs its files, makes the weights read-only, writes
    /// `metadata.json`, moves the folder to `models/model-<runId>` and records it. Returns the record with its hashes.
    ///
    /// A crash at any moment leaves either an attempt, which is removed at the next start, or a complete model.
    pub fn adopt(&self, attempt: &str, mut record: ModelRecord) -> Result<ModelRecord, StoreError> {
        if !is_attempt_name(attempt) {
            return Err(StoreError::BadAttempt { name: attempt.to_owned() });
        }
        let staging = self.layout.staging(attempt);
        let target = self.layout.model_dir(&record.model_id);
        if record.model_id != ModelId::of_run(&record.run_id) {
            return Err(StoreError::bad_model(
                &target,
                format!("it is not the model of run {}", record.run_id),
            ));
        }
        if target.symlink_metadata().is_ok() {
            return Err(StoreError::bad_model(&target, "it exists already: a model is adopted once"));
        }
        let files = bundle_files(&staging)?;
        record.sha256 = sha256_file(&staging.join(POLICY_FILE))?;
        let optimizer = staging.join(OPTIMIZER_FILE);
        record.optimizer_sha256 =
            if files.contains(&optimizer) { Some(sha256_file(&optimizer)?) } else { None };
        for file in &files {
            self.files.sync_file(file)?;
            if file.extension().is_some_and(|extension| extension == "safetensors") {
                self.files.set_read_only(file)?;
            }
        }
        self.files.write_json_atomic(&staging.join(METADATA_FILE), &record)?;
        self.files.rename_dir_durable(&staging, &target)?;
        self.release_attempt(attempt);
        self.database.write("record a model in", |tx| upsert_model(tx, &record, None))?;
        Ok(record)
    }

    /// Rewrites a model's record. Its identity, its hashes and whether it was promoted can't be changed this way.
    pub fn update_model(&self, record: &ModelRecord) -> Result<(), StoreError> {
        let _line = self.line_lock(&record.line)?;
        let kept = self.model(&record.model_id)?;
        let path = self.layout.metadata(&record.model_id);
        let refuse = |key: &str| Err(StoreError::bad_model(&path, format!("its {key} can't be changed")));
        if (&kept.run_id, &kept.line, &kept.symbol, kept.timeframe)
            != (&record.run_id, &record.line, &record.symbol, record.timeframe)
        {
            return refuse("run, line, symbol or timeframe");
        }
        if (&kept.sha256, &kept.optimizer_sha256) != (&record.sha256, &record.optimizer_sha256) {
            return refuse("hash");
        }
        let promotion = |record: &ModelRecord| {
            (record.promoted, record.promoted_at, record.status == ModelStatus::Promoted)
        };
        if promotion(&kept) != promotion(record) {
            return refuse("promotion");
        }
        if kept.weights_removed != record.weights_removed {
            return refuse("weightsRemoved");
        }
        if kept.declined != record.declined {
            return refuse("declined");
        }
        self.write_record(record)
    }

    /// Writes what an evaluation measured into the model's folder.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn write_evaluation(&self, record: &EvaluationRecord) -> Result<(), StoreError> {
        let path = self.layout.model_dir(&record.model_id).join(EVALUATION_FILE);
        Ok(self.files.write_json_atomic(&path, &record.clone().bounded())?)
    }

    /// Writes the record into the model's folder, then into the database.
    pub(crate) fn write_record(&self, record: &ModelRecord) -> Result<(), StoreError> {
        self.files.write_json_atomic(&self.layout.metadata(&record.model_id), record)?;
        self.database.write("update a model in", |tx| upsert_model(tx, record, None))
    }

    /// A model's record.
    pub fn model(&self, id: &ModelId) -> Result<ModelRecord, StoreError> {
        let record = read_record(&self.layout.models_dir, id)?;
        self.check_lineage(&record)?;
        Ok(record)
    }

    /// Why the weights of a model can't be used; none when they are those of its record.
    ///
    /// # Errors
    /// The disk can't be read.
    pub fn weights_problem(&self, record: &ModelRecord) -> Result<Option<String>, StoreError> {
        match self.check_weights(record) {
            Ok(()) => Ok(None),
            Err(StoreError::BadModel { path, reason }) => Ok(Some(format!("'{}': {reason}", path.display()))),
            Err(StoreError::Files(error)) if error.is_not_found() => Ok(Some(error.to_string())),
            Err(error) => Err(error),
        }
    }

    /// Refuses a record whose lineage ends earlier than the database knows it to: bars that it has seen would judge it.
    pub(crate) fn check_lineage(&self, record: &ModelRecord) -> Result<(), StoreError> {
        let known: Option<Timestamp> = self.database.read(|db| {
            let id = [record.model_id.as_str()];
            let row = "SELECT lineage_until FROM models WHERE id = ?1";
            db.query_row(row, id, |row| parse(row, 0)).optional()
        })?;
        match known.filter(|&known| record.lineage_until < known) {
            None => Ok(()),
            Some(known) => Err(StoreError::bad_model(
                &self.layout.metadata(&record.model_id),
                format!("its lineageUntil is {}, and it was recorded with {known}", record.lineage_until),
            )),
        }
    }

    /// Where a model lies, whether or not it is there.
    pub fn model_dir(&self, id: &ModelId) -> PathBuf {
        self.layout.model_dir(id)
    }

    /// The ids of a line's models, oldest first.
    pub fn models(&self, line: &LineName) -> Result<Vec<ModelId>, StoreError> {
        self.database.read(|db| {
            let mut query = db.prepare("SELECT id FROM models WHERE line = ?1 ORDER BY created_at, id")?;
            query.query_map([line.as_str()], |row| parse(row, 0))?.collect()
        })
    }

    /// The annualised Sharpe ratios on their hold-outs of a line's models, oldest first; those whose ratio is not defined
    /// are left out.
    pub fn holdout_sharpes(&self, line: &LineName) -> Result<Vec<(ModelId, f64)>, StoreError> {
        self.database.read(|db| {
            let sql = "SELECT id, sharpe FROM models WHERE line = ?1 AND sharpe IS NOT NULL ORDER BY created_at, id";
            let mut query = db.prepare_cached(sql)?;
            query.query_map([line.as_str()], |row| Ok((parse(row, 0)?, row.get(1)?)))?.collect()
        })
    }
}

/// The files of a bundle in order; refused when the weights are missing or something is no plain file.
fn bundle_files(dir: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let read = |source| Error::Io { step: Step::Read, path: dir.to_owned(), source };
    // A trainer may be anybody's program: what it leaves must lie here and nowhere else.
    if !dir.symlink_metadata().map_err(read)?.is_dir() {
        return Err(StoreError::bad_model(
            dir,
            "it is no folder any more: a training leaves its own where it is",
        ));
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).map_err(read)? {
        let entry = entry.map_err(read)?;
        let file = entry.metadata().map_err(read)?;
        if !file.is_file() || file.nlink() > 1 {
            let reason = "a bundle holds plain files alone, which have no other name";
            return Err(StoreError::bad_model(&entry.path(), reason));
        }
        if files.len() == MAX_BUNDLE_FILES {
            return Err(StoreError::bad_model(
                dir,
                format!("a bundle holds at most {MAX_BUNDLE_FILES} files"),
            ));
        }
        files.push(entry.path());
    }
    files.sort();
    if !files.contains(&dir.join(POLICY_FILE)) {
        return Err(StoreError::bad_model(dir, format!("the training wrote no {POLICY_FILE}")));
    }
    Ok(files)
}

/// A model's record and where its bundle lies, read without opening a store; the bundle itself is not looked at.
///
/// # Errors
/// There is no such model, or its record can't be read.
pub fn read_model(models_dir: &Path, id: &ModelId) -> Result<(ModelRecord, ModelRef), StoreError> {
    let record = read_record(models_dir, id)?;
    let reference = ModelRef {
        id: id.clone(),
        dir: models_dir.join(id.as_str()),
        sha256: record.sha256.clone(),
        lineage_until: record.lineage_until,
    };
    Ok((record, reference))
}

/// What the evaluation of a model measured; none when it has none.
///
/// # Errors
/// The file can't be read.
pub fn read_evaluation(models_dir: &Path, id: &ModelId) -> Result<Option<EvaluationRecord>, StoreError> {
    let path = models_dir.join(id.as_str()).join(EVALUATION_FILE);
    let bytes = match read_bounded(&path, MAX_EVALUATION_BYTES) {
        Err(error) if error.is_not_found() => return Ok(None),
        bytes => bytes?,
    };
    let record = serde_json::from_slice(&bytes);
    record.map(Some).map_err(|error| StoreError::bad_model(&path, error.to_string()))
}

/// The closed trades of a model's evaluation, and whether its series were left out; none when it has none. Nothing else of
/// the evaluation is held in memory.
///
/// # Errors
/// The file can't be read.
pub fn read_trades(models_dir: &Path, id: &ModelId) -> Result<Option<(Vec<TradeRecord>, bool)>, StoreError> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Record {
        candidate: Candidate,
        #[serde(default)]
        series_left_out: bool,
    }
    #[derive(serde::Deserialize)]
    struct Candidate {
        trades: Vec<TradeRecord>,
    }
    let path = models_dir.join(id.as_str()).join(EVALUATION_FILE);
    let file = match fs::File::open(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        file => file.map_err(|source| Error::Io { step: Step::Open, path: path.clone(), source })?,
    };
    let reader = BufReader::new(file.take(MAX_EVALUATION_BYTES));
    let record: Record =
        serde_json::from_reader(reader).map_err(|error| StoreError::bad_model(&path, error.to_string()))?;
    Ok(Some((record.candidate.trades, record.series_left_out)))
}

/// Reads and checks `metadata.json` of a model.
pub(crate) fn read_record(models_dir: &Path, id: &ModelId) -> Result<ModelRecord, StoreError> {
    let dir = models_dir.join(id.as_str());
    if !dir.is_dir() {
        return Err(StoreError::UnknownModel { id: id.clone(), dir });
    }
    let path = dir.join(METADATA_FILE);
    let bytes = read_bounded(&path, MAX_METADATA_BYTES)?;
    let record: ModelRecord = serde_json::from_slice(&bytes).map_err(|error| {
        StoreError::bad_model(&path, format!("it is cut off or not a model's record ({error})"))
    })?;
    if record.model_id != *id {
        return Err(StoreError::bad_model(&path, format!("it is the record of {}", record.model_id)));
    }
    let seen = record.used_until.max(record.training.used_until);
    if record.lineage_until < seen {
        let reason =
            format!("its lineageUntil is {}, before {seen}, until when it used bars", record.lineage_until);
        return Err(StoreError::bad_model(&path, reason));
    }
    Ok(record)
}

/// Makes a model's row say what its record says. `seen` is how the folder looked before the record was read; without
/// it the next start reads the record once more. That it was declined is in its other rows from then on too.
pub(crate) fn upsert_model(
    tx: &Transaction<'_>,
    record: &ModelRecord,
    seen: Option<&str>,
) -> rusqlite::Result<()> {
    settle_declined(tx, record)?;
    tx.execute(
        "INSERT INTO models (id, run_id, line, status, created_at, sha256, used_until, lineage_until, metadata_path, \
         promoted_at, seen, parent_id, weights_removed_at, weights_removed_by, sharpe) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15) \
         ON CONFLICT (id) DO UPDATE SET line = excluded.line, status = excluded.status, sha256 = excluded.sha256, \
         used_until = excluded.used_until, lineage_until = excluded.lineage_until, \
         promoted_at = excluded.promoted_at, seen = excluded.seen, parent_id = excluded.parent_id, \
         sharpe = excluded.sharpe, \
         weights_removed_at = coalesce(excluded.weights_removed_at, weights_removed_at), \
         weights_removed_by = coalesce(excluded.weights_removed_by, weights_removed_by)",
        params![
            record.model_id.as_str(),
            record.run_id.as_str(),
            record.line.as_str(),
            record.status.as_str(),
            record.created_at.to_string(),
            record.sha256,
            record.used_until.to_string(),
            record.lineage_until.to_string(),
            format!("{}/{METADATA_FILE}", record.model_id),
            record.promoted_at.map(|at| at.to_string()),
            seen,
            record.parent_id.as_ref().map(ModelId::as_str),
            record.weights_removed.map(|removed| removed.at.to_string()),
            record.weights_removed.map(|removed| removed.by.as_str()),
            record.metrics.as_ref().and_then(|metrics| metrics.sharpe),
        ],
    )?;
    Ok(())
}
