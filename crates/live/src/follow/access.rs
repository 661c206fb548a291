//! The store, as a follower reaches it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use walkforward_core::Clock;
use walkforward_durable::Files;
use walkforward_store::{Store, StoreError};

use super::FollowError;

/// Opens the store when it is first needed, and keeps it open. It recovers nothing and makes nothing: whoever runs cycles
/// does that.
pub struct StoreAccess {
    data_dir: PathBuf,
    models_dir: PathBuf,
    clock: Arc<dyn Clock>,
    files: Files,
    store: Option<Store>,
}

impl fmt::Debug for StoreAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreAccess").field("data_dir", &self.data_dir).finish_non_exhaustive()
    }
}

impl StoreAccess {
    /// The store of these folders.
    pub fn new(data_dir: PathBuf, models_dir: PathBuf, clock: Arc<dyn Clock>) -> Self {
        Self::with_files(Files::default(), data_dir, models_dir, clock)
    }

    /// As [`new`](Self::new), with steps that `files` may fail.
    pub fn with_files(files: Files, data_dir: PathBuf, models_dir: PathBuf, clock: Arc<dyn Clock>) -> Self {
        Self { data_dir, models_dir, clock, files, store: None }
    }

    /// The store.
    ///
    /// # Errors
    /// There is no database yet, it is of another version, or it can't be opened.
    pub fn store(&mut self) -> Result<&Store, FollowError> {
        if self.store.is_none() {
            let (files, clock) = (self.files.clone(), Arc::clone(&self.clock));
            self.store = Store::attach_with(files, &self.data_dir, &self.models_dir, clock)?;
        }
        self.store.as_ref().ok_or_else(|| FollowError::NoDatabase { data_dir: self.data_dir.clone() })
    }

    /// Lets the store go after a failure, so that the next look opens what is there then.
    pub(crate) fn let_go(&mut self) {
        self.store = None;
    }

    /// Where models lie.
    pub(crate) fn models_dir(&self) -> &Path {
        &self.models_dir
    }
}

impl From<StoreError> for FollowError {
    fn from(error: StoreError) -> Self {
        Self::Store(Box::new(error))
    }
}
