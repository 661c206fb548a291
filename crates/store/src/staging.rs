//! Where trainings write: a folder for each attempt, outside the models until it is adopted.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{MutexGuard, PoisonError};
use std::{collections::BTreeMap, fs};

use walkforward_durable::{Error, FileLock, Step};

use crate::layout::is_attempt_name;
use crate::{Store, StoreError};

const LOCK_SUFFIX: &str = ".lock";

impl Store {
    /// A fresh, empty folder for `attempt`. It is this process's until the attempt is adopted or discarded; a folder
    /// whose process has died is removed when a store is opened next.
    pub fn staging_dir(&self, attempt: &str) -> Result<PathBuf, StoreError> {
        if !is_attempt_name(attempt) {
            return Err(StoreError::BadAttempt { name: attempt.to_owned() });
        }
        let mut attempts = self.lock_attempts();
        attempts.remove(attempt);
        let lock = FileLock::try_exclusive(&self.attempt_lock(attempt), self.now().as_millis())?;
        let dir = self.layout.staging(attempt);
        self.files.remove_dir_all(&dir)?;
        self.files.create_dir_all_durable(&dir)?;
        attempts.insert(attempt.to_owned(), lock);
        Ok(dir)
    }

    /// Removes the folder of an attempt that came to nothing.
    pub fn discard_staging(&self, attempt: &str) -> Result<(), StoreError> {
        if !is_attempt_name(attempt) {
            return Err(StoreError::BadAttempt { name: attempt.to_owned() });
        }
        self.files.remove_dir_all(&self.layout.staging(attempt))?;
        self.release_attempt(attempt);
        Ok(())
    }

    /// Lets go of an attempt whose folder is gone.
    pub(crate) fn release_attempt(&self, attempt: &str) {
        if let Some(lock) = self.lock_attempts().remove(attempt) {
            // What stays here is removed when a store is opened next.
            let _ = fs::remove_file(lock.path());
        }
    }

    /// Removes the staging folders of dead processes and returns how many there were.
    pub(crate) fn remove_dead_staging(&self) -> Result<usize, StoreError> {
        let mut removed = 0;
        for attempt in self.attempts_on_disk()? {
            let lock = match FileLock::try_exclusive(&self.attempt_lock(&attempt), self.now().as_millis()) {
                Ok(lock) => lock,
                Err(Error::Held { .. }) => continue,
                Err(error) => return Err(error.into()),
            };
            let dir = self.layout.staging(&attempt);
            removed += usize::from(dir.exists());
            self.files.remove_dir_all(&dir)?;
            fs::remove_file(lock.path()).map_err(|source| Error::Io {
                step: Step::Remove,
                path: lock.path().to_owned(),
                source,
            })?;
        }
        Ok(removed)
    }

    fn attempts_on_disk(&self) -> Result<BTreeSet<String>, StoreError> {
        let root = self.layout.staging_root();
        let read = |source| Error::Io { step: Step::Read, path: root.clone(), source };
        let mut attempts = BTreeSet::new();
        for entry in fs::read_dir(&root).map_err(read)? {
            let name = entry.map_err(read)?.file_name();
            let name = name.to_string_lossy();
            let attempt = name.strip_suffix(LOCK_SUFFIX).unwrap_or(&name);
            if is_attempt_name(attempt) {
                attempts.insert(attempt.to_owned());
            }
        }
        Ok(attempts)
    }

    fn attempt_lock(&self, attempt: &str) -> PathBuf {
        self.layout.staging_root().join(format!("{attempt}{LOCK_SUFFIX}"))
    }

    fn lock_attempts(&self) -> MutexGuard<'_, BTreeMap<String, FileLock>> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
