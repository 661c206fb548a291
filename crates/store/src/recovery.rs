//! Start-up and crash recovery: one path that brings database and folders in line.

mod dead_work;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use rusqlite::Connection;
use walkforward_core::{LineName, ModelId, Timestamp};
use walkforward_durable::{Error, FileLock, Step};

use crate::layout::pointer_path;
use crate::models::upsert_model;
use crate::pointer::parse_pointer;
use crate::rows::{parse, parse_optional};
use crate::stamp::model_stamp;
use crate::{ModelRecord, ModelStatus, RunLock, Store, StoreError};

/// Models whose rows are written together.
const MAX_MODEL_BATCH: usize = 256;

/// What was found and put right.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecoveryReport {
    /// Announced promotions whose pointer was in place.
    pub committed: usize,
    /// Announced promotions whose pointer was not.
    pub aborted: usize,
    /// Pointers that the history did not explain.
    pub adopted: usize,
    /// Complete models that the database did not know.
    pub registered: usize,
    /// Model records that lagged behind a promotion.
    pub repaired: usize,
    /// Runs whose process had died, after their models were judged.
    pub closed_runs: usize,
    /// Runs whose process had died before that.
    pub interrupted_runs: usize,
    /// Experiments whose process had died, after their runs had ended.
    pub closed_experiments: usize,
    /// Experiments whose process had died before that.
    pub interrupted_experiments: usize,
    /// Removals of weights that were announced and not over.
    pub finished_removals: usize,
    /// Staging folders whose process had died.
    pub removed_staging: usize,
    /// Temporary files whose writer had died.
    pub removed_temporaries: usize,
    /// What can't be put right, each naming its file. It is left as it is; using it is an error.
    pub problems: Vec<String>,
}

impl Store {
    /// Recovers; `lock` shows that nobody else does. While a run goes on its work is left alone.
    pub(crate) fn recover_under(&self, lock: &FileLock) -> Result<RecoveryReport, StoreError> {
        match self.try_run_lock() {
            Ok(idle) => self.recover_idle(lock, &idle),
            Err(StoreError::RunLockHeld(_)) => self.recover_files(lock),
            Err(error) => Err(error),
        }
    }

    /// Recovers everything; `idle` shows that no run goes on.
    pub(crate) fn recover_idle(&self, lock: &FileLock, idle: &RunLock) -> Result<RecoveryReport, StoreError> {
        let mut report = self.recover_files(lock)?;
        self.close_dead_work(idle, &mut report)?;
        report.removed_staging = self.remove_dead_staging()?;
        Ok(report)
    }

    /// Brings in line what runs share with everybody.
    fn recover_files(&self, _lock: &FileLock) -> Result<RecoveryReport, StoreError> {
        let mut report = RecoveryReport::default();
        for dir in [self.data_dir(), &self.layout.etl_dir(), self.models_dir()] {
            report.removed_temporaries += self.files.remove_stale_temporaries(dir)?;
        }
        for line in self.known_lines()? {
            self.recover_line(&line, &mut report)?;
        }
        self.recover_models(&mut report)?;
        self.finish_open_removals(&mut report)?;
        Ok(report)
    }

    fn recover_line(&self, line: &LineName, report: &mut RecoveryReport) -> Result<(), StoreError> {
        if let Some(dir) = pointer_path(self.models_dir(), line).parent().filter(|dir| dir.is_dir()) {
            report.removed_temporaries += self.files.remove_stale_temporaries(dir)?;
        }
        let _lock = self.line_lock(line)?;
        match self.settle_line(line) {
            Ok(settled) => {
                report.committed += settled.committed;
                report.aborted += settled.aborted;
                report.adopted += settled.adopted;
                self.make_lock_file(line)
            }
            Err(error) => note(report, error),
        }
    }

    /// Makes sure that a trader which may not write here can lock the champion's bundle.
    fn make_lock_file(&self, line: &LineName) -> Result<(), StoreError> {
        match parse_pointer(self.models_dir(), line)? {
            Some(pointer) => self.lock_bundle(&pointer.model_id).map(drop),
            None => Ok(()),
        }
    }

    /// Lines that have a pointer or a history.
    pub(crate) fn known_lines(&self) -> Result<BTreeSet<LineName>, StoreError> {
        self.lines_with(self.database.read(lines_in)?)
    }

    /// `lines`, those that have a pointer, and the one that every store has.
    pub(crate) fn lines_with(&self, mut lines: BTreeSet<LineName>) -> Result<BTreeSet<LineName>, StoreError> {
        lines.extend(names_in(&self.layout.lines_dir())?.iter().filter_map(|name| name.parse().ok()));
        lines.insert(LineName::default());
        Ok(lines)
    }

    /// Registers models that the database does not know, and brings records in line with committed promotions. A
    /// model whose folder looks as it did when its record was last read is not read again.
    fn recover_models(&self, report: &mut RecoveryReport) -> Result<(), StoreError> {
        let rows = self.model_rows()?;
        let promoted = self.promotion_times()?;
        let mut changed = Vec::new();
        for id in names_in(self.models_dir())?.iter().filter_map(|name| name.parse::<ModelId>().ok()) {
            let seen = model_stamp(&self.layout.model_dir(&id))?;
            let row = rows.get(&id);
            let is_unchanged = seen.is_some() && row.is_some_and(|row| row.seen == seen);
            if is_unchanged
                && !row.is_some_and(|row| lags_behind((row.is_promoted, row.promoted_at), promoted.get(&id)))
            {
                continue;
            }
            changed.push(ChangedModel {
                promoted_at: promoted.get(&id).copied(),
                is_known: row.is_some(),
                id,
                seen,
            });
        }
        for batch in changed.chunks(MAX_MODEL_BATCH) {
            self.recover_batch(batch, report)?;
        }
        Ok(())
    }

    /// Reads the records of some models, writes their rows, then repairs those records that lag behind.
    fn recover_batch(&self, batch: &[ChangedModel], report: &mut RecoveryReport) -> Result<(), StoreError> {
        let mut read = Vec::new();
        for model in batch {
            report.removed_temporaries +=
                self.files.remove_stale_temporaries(&self.layout.model_dir(&model.id))?;
            match self.read_changed(model) {
                Ok(record) => read.push((model, record)),
                Err(error) => note(report, error)?,
            }
        }
        self.database.write("register models in", |tx| {
            read.iter().try_for_each(|(model, record)| upsert_model(tx, record, model.seen.as_deref()))
        })?;
        for (model, record) in read {
            report.registered += usize::from(!model.is_known);
            if lags_behind(promotion_in(&record), model.promoted_at.as_ref()) {
                report.repaired += usize::from(self.repair_record(&record.line, &model.id)?);
            }
        }
        Ok(())
    }

    fn read_changed(&self, model: &ChangedModel) -> Result<ModelRecord, StoreError> {
        let record = self.model(&model.id)?;
        if !model.is_known && record.weights_removed.is_none() {
            self.check_weights(&record)?;
        }
        Ok(record)
    }

    /// Writes a committed promotion into the model's record. Looks again under the line's lock, because another
    /// process may have been between the two.
    fn repair_record(&self, line: &LineName, id: &ModelId) -> Result<bool, StoreError> {
        let _line = self.line_lock(line)?;
        let promoted_at = self.promotion_times()?.get(id).copied();
        match promoted_at {
            Some(at) if self.record_lags_behind(id, at)? => {
                self.mark_promoted(id, at)?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    fn record_lags_behind(&self, id: &ModelId, promoted_at: Timestamp) -> Result<bool, StoreError> {
        Ok(lags_behind(promotion_in(&self.model(id)?), Some(&promoted_at)))
    }

    fn model_rows(&self) -> Result<BTreeMap<ModelId, ModelRow>, StoreError> {
        self.database.read(|db| {
            db.prepare("SELECT id, status, promoted_at, seen FROM models")?
                .query_map([], |row| {
                    let is_promoted = row.get_ref(1)?.as_str()? == ModelStatus::Promoted.as_str();
                    let promoted_at = parse_optional(row, 2)?;
                    Ok((parse(row, 0)?, ModelRow { is_promoted, promoted_at, seen: row.get(3)? }))
                })?
                .collect()
        })
    }

    /// When each model last became champion.
    fn promotion_times(&self) -> Result<BTreeMap<ModelId, Timestamp>, StoreError> {
        self.database.read(|db| {
            db.prepare(
                "SELECT to_model, committed_at FROM promotions \
                 WHERE state = 'committed' AND to_model IS NOT NULL ORDER BY line, sequence",
            )?
            .query_map([], |row| Ok((parse(row, 0)?, parse(row, 1)?)))?
            .collect()
        })
    }
}

/// Lines that have a history.
pub(crate) fn lines_in(db: &Connection) -> rusqlite::Result<BTreeSet<LineName>> {
    db.prepare("SELECT DISTINCT line FROM promotions")?.query_map([], |row| parse(row, 0))?.collect()
}

/// What the database knows of a model's record.
struct ModelRow {
    is_promoted: bool,
    promoted_at: Option<Timestamp>,
    seen: Option<String>,
}

/// A model whose record has to be read.
struct ChangedModel {
    id: ModelId,
    /// How its folder looks now.
    seen: Option<String>,
    is_known: bool,
    /// When it became champion, as the history has it.
    promoted_at: Option<Timestamp>,
}

/// Whether a record that says (promoted, since when) lacks a committed promotion.
fn lags_behind(record: (bool, Option<Timestamp>), promoted_at: Option<&Timestamp>) -> bool {
    promoted_at.is_some() && record != (true, promoted_at.copied())
}

fn promotion_in(record: &ModelRecord) -> (bool, Option<Timestamp>) {
    (record.status == ModelStatus::Promoted, record.promoted_at)
}

/// Keeps what is wrong with one model or pointer for the report; what is wrong with the machine or the database ends
/// the recovery.
pub(crate) fn note(report: &mut RecoveryReport, error: StoreError) -> Result<(), StoreError> {
    let is_local = match &error {
        StoreError::Files(files) => files.is_not_found() || matches!(files, Error::TooLarge { .. }),
        StoreError::Pointer { .. } | StoreError::BadModel { .. } | StoreError::UnknownModel { .. } => true,
        _ => false,
    };
    if !is_local {
        return Err(error);
    }
    report.problems.push(error.to_string());
    Ok(())
}

/// Names of the folders in `dir`, sorted.
fn names_in(dir: &Path) -> Result<BTreeSet<String>, StoreError> {
    let read = |source| Error::Io { step: Step::Read, path: dir.to_owned(), source };
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(dir).map_err(read)? {
        let entry = entry.map_err(read)?;
        let kind = entry.file_type().map_err(read)?;
        if kind.is_dir() || (kind.is_symlink() && entry.path().is_dir()) {
            names.extend(entry.file_name().into_string().ok());
        }
    }
    Ok(names)
}
