//! Start-up and crash recovery: one path that brings database and folders in line.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use walkforward_core::{LineName, ModelId, Timestamp};
use walkforward_durable::{Error, FileLock, Step};

use crate::layout::pointer_path;
use crate::models::upsert_model;
use crate::runs::parse;
use crate::{ModelRecord, ModelStatus, Store, StoreError};

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
    /// Runs whose process had died.
    pub interrupted_runs: usize,
    /// Staging folders whose process had died.
    pub removed_staging: usize,
    /// Temporary files whose writer had died.
    pub removed_temporaries: usize,
    /// What can't be put right, each naming its file. It is left as it is; using it is an error.
    pub problems: Vec<String>,
}

impl Store {
    /// Recovers; `_lock` shows that nobody else does.
    pub(crate) fn recover_under(&self, _lock: &FileLock) -> Result<RecoveryReport, StoreError> {
        let mut report = RecoveryReport::default();
        for dir in [self.data_dir(), &self.layout.etl_dir(), self.models_dir()] {
            report.removed_temporaries += self.files.remove_stale_temporaries(dir)?;
        }
        for line in self.known_lines()? {
            self.recover_line(&line, &mut report)?;
        }
        self.recover_models(&mut report)?;
        match self.try_run_lock() {
            Ok(_idle) => {
                report.interrupted_runs = self.interrupt_open_runs()?;
                report.removed_staging = self.remove_dead_staging()?;
            }
            Err(StoreError::RunLockHeld(_)) => {}
            Err(error) => return Err(error),
        }
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
                Ok(())
            }
            Err(error) => note(report, error),
        }
    }

    /// Lines that have a pointer or a history.
    fn known_lines(&self) -> Result<BTreeSet<LineName>, StoreError> {
        let mut lines: BTreeSet<LineName> = self.database.read(|db| {
            db.prepare("SELECT DISTINCT line FROM promotions")?.query_map([], |row| parse(row, 0))?.collect()
        })?;
        lines.extend(names_in(&self.layout.lines_dir())?.iter().filter_map(|name| name.parse().ok()));
        lines.insert(LineName::default());
        Ok(lines)
    }

    /// Registers models that the database does not know, and brings records in line with committed promotions.
    fn recover_models(&self, report: &mut RecoveryReport) -> Result<(), StoreError> {
        let rows = self.model_statuses()?;
        let promoted = self.promotion_times()?;
        for id in names_in(self.models_dir())?.iter().filter_map(|name| name.parse::<ModelId>().ok()) {
            report.removed_temporaries += self.files.remove_stale_temporaries(&self.layout.model_dir(&id))?;
            let (row, promoted_at) = (rows.get(&id), promoted.get(&id).copied());
            if let Err(error) = self.recover_model(&id, row.map(String::as_str), promoted_at, report) {
                note(report, error)?;
            }
        }
        Ok(())
    }

    fn recover_model(
        &self,
        id: &ModelId,
        row_status: Option<&str>,
        promoted_at: Option<Timestamp>,
        report: &mut RecoveryReport,
    ) -> Result<(), StoreError> {
        let record = self.model(id)?;
        if row_status.is_none() {
            self.check_weights(&record)?;
        }
        if row_status != Some(record.status.as_str()) {
            self.database.write("register a model in", |tx| upsert_model(tx, &record))?;
            report.registered += usize::from(row_status.is_none());
        }
        if lags_behind(&record, promoted_at) {
            report.repaired += usize::from(self.repair_record(&record.line, id)?);
        }
        Ok(())
    }

    /// Writes a committed promotion into the model's record. Looks again under the line's lock, because another
    /// process may have been between the two.
    fn repair_record(&self, line: &LineName, id: &ModelId) -> Result<bool, StoreError> {
        let _line = self.line_lock(line)?;
        let promoted_at = self.promotion_times()?.get(id).copied();
        match promoted_at {
            Some(at) if lags_behind(&self.model(id)?, promoted_at) => {
                self.mark_promoted(id, at)?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    fn model_statuses(&self) -> Result<BTreeMap<ModelId, String>, StoreError> {
        self.database.read(|db| {
            db.prepare("SELECT id, status FROM models")?
                .query_map([], |row| Ok((parse(row, 0)?, row.get(1)?)))?
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

fn lags_behind(record: &ModelRecord, promoted_at: Option<Timestamp>) -> bool {
    promoted_at.is_some() && (record.status, record.promoted_at) != (ModelStatus::Promoted, promoted_at)
}

/// Keeps what is wrong with one model or pointer for the report; what is wrong with the machine or the database ends
/// the recovery.
fn note(report: &mut RecoveryReport, error: StoreError) -> Result<(), StoreError> {
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
        if entry.path().is_dir() {
            names.extend(entry.file_name().into_string().ok());
        }
    }
    Ok(names)
}
