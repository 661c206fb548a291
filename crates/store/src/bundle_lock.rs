//! Locks on bundles: whoever has loaded a model shares one, and its weights are not removed then.

use std::path::{Path, PathBuf};
use std::time::Duration;

use walkforward_core::ModelId;
use walkforward_durable::{Error, FileLock, Files, Step};

use crate::layout::LOCKS_DIR;
use crate::{Store, StoreError};

/// How long a loader waits for somebody who looks whether the bundle is loaded. Who removes it may take longer, and then
/// there is nothing to load.
const MAX_BUNDLE_LOCK_WAIT: Duration = Duration::from_millis(100);

/// The shared lock on a bundle, held until it is dropped or the process ends. Its weights stay that long.
#[derive(Debug)]
pub struct BundleLock {
    _lock: FileLock,
}

impl BundleLock {
    /// Takes the lock on the bundle in `dir`, a model's folder in a models folder.
    ///
    /// Take it before the bundle is read. It needs no right to write when the model has been a champion.
    ///
    /// # Errors
    /// The bundle is being removed, or the lock's file can be neither opened nor made.
    pub fn shared(dir: &Path) -> Result<Self, StoreError> {
        let path = lock_path(dir)?;
        let taken = match FileLock::shared_within(&path, MAX_BUNDLE_LOCK_WAIT) {
            Err(error) if error.is_not_found() => {
                let locks = path.parent().unwrap_or(dir);
                Files::default().create_dir_all_durable(locks)?;
                FileLock::shared_within(&path, MAX_BUNDLE_LOCK_WAIT)
            }
            taken => taken,
        };
        match taken {
            Ok(lock) => Ok(Self { _lock: lock }),
            Err(Error::Held { .. }) => Err(StoreError::bad_model(dir, "its weights are being removed")),
            Err(error) => Err(error.into()),
        }
    }
}

/// The file by which the bundle in `dir` is locked: `.locks/<folder>.lock` beside it.
fn lock_path(dir: &Path) -> Result<PathBuf, StoreError> {
    let dir = std::path::absolute(dir).map_err(|source| Error::Io {
        step: Step::Lock,
        path: dir.to_owned(),
        source,
    })?;
    match (dir.parent(), dir.file_name().and_then(|name| name.to_str())) {
        (Some(models), Some(name)) => Ok(models.join(LOCKS_DIR).join(format!("{name}.lock"))),
        _ => Err(StoreError::bad_model(&dir, "it is no model's folder")),
    }
}

impl Store {
    /// Takes the shared lock on a model's bundle: nobody removes its weights until it is dropped. Who trains from a
    /// model, or evaluates it, holds it meanwhile.
    ///
    /// # Errors
    /// Its weights are being removed, or the models folder can't be written.
    pub fn lock_bundle(&self, id: &ModelId) -> Result<BundleLock, StoreError> {
        BundleLock::shared(&self.layout.model_dir(id))
    }

    /// The lock for the one who removes the weights of `id`; none when somebody has loaded them.
    pub(crate) fn try_own_bundle(&self, id: &ModelId) -> Result<Option<FileLock>, StoreError> {
        let path = lock_path(&self.layout.model_dir(id))?;
        match FileLock::try_exclusive(&path, self.now().as_millis()) {
            Ok(lock) => Ok(Some(lock)),
            Err(Error::Held { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether somebody has loaded the weights of `id` just now. Makes no file.
    pub(crate) fn is_bundle_loaded(&self, id: &ModelId) -> Result<bool, StoreError> {
        match lock_path(&self.layout.model_dir(id))?.exists() {
            true => Ok(self.try_own_bundle(id)?.is_none()),
            false => Ok(false),
        }
    }
}
