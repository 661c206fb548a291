//! Opening the store.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use walkforward_core::{Clock, LineName, Timestamp};
use walkforward_durable::{FileLock, Files};

use crate::backup::refuse_unfinished_restore;
use crate::database::Database;
use crate::layout::Layout;
use crate::locks::{self, MAX_LOCK_WAIT};
use crate::owner::{Claim, Ownership};
use crate::{EtlRecord, RecoveryReport, StoreError};

/// Models, pointers and history of one data folder and one models folder. Several processes may have it open.
pub struct Store {
    pub(crate) layout: Layout,
    pub(crate) files: Files,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) database: Database,
    /// Locks on the staging folders that this process has given out, by attempt.
    pub(crate) attempts: Mutex<BTreeMap<String, FileLock>>,
    /// That the models folder belongs to this database.
    pub(crate) ownership: Ownership,
    recovery: RecoveryReport,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("layout", &self.layout).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the store, making both folders and the database where they are missing, and recovers what a killed
    /// process left unfinished.
    ///
    /// A folder that takes no files (full, read-only, no permission), a damaged database or one of a later version is
    /// an error, and nothing is changed then. So is a models folder that belongs to another database
    /// ([`StoreError::ForeignModels`]), which stays as it is; [`take_over`](Self::take_over) is for one that is gone.
    pub fn open(data_dir: &Path, models_dir: &Path, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        Self::open_with(Files::default(), data_dir, models_dir, clock)
    }

    /// As [`open`](Self::open), with steps that `files` may fail.
    pub fn open_with(
        files: Files,
        data_dir: &Path,
        models_dir: &Path,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StoreError> {
        Self::open_as(Claim::Respect, files, data_dir, models_dir, clock)
    }

    /// Opens the store beside those whose work it is: for a trader that projects its journal or takes a champion back.
    /// None where there is no database yet.
    ///
    /// It makes no folder and no database, brings no schema up to date, recovers nothing, and does not take the run lock: a
    /// server that runs, or starts at the same moment, does not notice.
    ///
    /// # Errors
    /// The database is of an earlier version ([`StoreError::DatabaseOlder`]) or of a later one, is damaged, or can't be
    /// opened; the models folder belongs to another database, or to none yet.
    pub fn attach(
        data_dir: &Path,
        models_dir: &Path,
        clock: Arc<dyn Clock>,
    ) -> Result<Option<Self>, StoreError> {
        Self::attach_with(Files::default(), data_dir, models_dir, clock)
    }

    /// As [`attach`](Self::attach), with steps that `files` may fail.
    pub fn attach_with(
        files: Files,
        data_dir: &Path,
        models_dir: &Path,
        clock: Arc<dyn Clock>,
    ) -> Result<Option<Self>, StoreError> {
        let layout = Layout { data_dir: data_dir.to_owned(), models_dir: models_dir.to_owned() };
        if !layout.database().exists() {
            return Ok(None);
        }
        [data_dir, models_dir].into_iter().try_for_each(refuse_unfinished_restore)?;
        let database = Database::attach(layout.database(), files.clone())?;
        let ownership = Ownership::known(&layout, &database)?;
        let (attempts, recovery) = (Mutex::default(), RecoveryReport::default());
        Ok(Some(Self { layout, files, clock, database, attempts, ownership, recovery }))
    }

    /// As [`open_with`](Self::open_with), with a `claim` to the models folder.
    pub(crate) fn open_as(
        claim: Claim,
        files: Files,
        data_dir: &Path,
        models_dir: &Path,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StoreError> {
        let layout = Layout { data_dir: data_dir.to_owned(), models_dir: models_dir.to_owned() };
        for dir in [data_dir, models_dir] {
            refuse_unfinished_restore(dir)?;
            files.create_dir_all_durable(dir)?;
            files.probe_writable(dir)?;
        }
        for dir in [layout.etl_dir(), layout.lines_dir(), layout.staging_root(), layout.locks_dir()] {
            files.create_dir_all_durable(&dir)?;
        }
        let lock = locks::exclusive(&layout.store_lock(), &*clock, MAX_LOCK_WAIT)?;
        let database = Database::open(layout.database(), files.clone())?;
        let ownership = Ownership::of(&files, &layout, &database, &*clock, claim)?;
        let (attempts, recovery) = (Mutex::default(), RecoveryReport::default());
        let mut store = Self { layout, files, clock, database, attempts, ownership, recovery };
        store.recovery = store.recover_under(&lock)?;
        Ok(store)
    }

    /// Brings database and folders in line again, as opening does.
    pub fn recover(&self) -> Result<RecoveryReport, StoreError> {
        let lock = self.store_lock()?;
        self.recover_under(&lock)
    }

    /// What was found and put right when the store was opened.
    pub fn recovery(&self) -> &RecoveryReport {
        &self.recovery
    }

    /// Writes a run's `etl-<runId>.json` and returns its path.
    pub fn write_etl(&self, record: &EtlRecord) -> Result<PathBuf, StoreError> {
        let path = self.layout.etl(&record.run_id);
        self.files.write_json_atomic(&path, record)?;
        Ok(path)
    }

    /// The data folder.
    pub fn data_dir(&self) -> &Path {
        &self.layout.data_dir
    }

    /// The models folder.
    pub fn models_dir(&self) -> &Path {
        &self.layout.models_dir
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn store_lock(&self) -> Result<FileLock, StoreError> {
        locks::exclusive(&self.layout.store_lock(), &*self.clock, MAX_LOCK_WAIT)
    }

    pub(crate) fn line_lock(&self, line: &LineName) -> Result<FileLock, StoreError> {
        locks::exclusive(&self.layout.line_lock(line), &*self.clock, MAX_LOCK_WAIT)
    }
}
