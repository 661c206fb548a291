//! Files that say of a folder that it is not whole yet: written first, removed last.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use walkforward_durable::{Files, TEMPORARY_SUFFIX, read_bounded};

use crate::StoreError;

/// In a folder that a backup is being written to.
pub(super) const BACKUP_MARKER: &str = ".walkforward-backup";
/// In a folder that a backup is being restored to.
pub(super) const RESTORE_MARKER: &str = ".walkforward-restore";
/// Longest marker, bytes.
const MAX_MARKER_BYTES: u64 = 64 << 10;

/// What is being restored, and where to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RestoreMarker {
    pub(super) backup: PathBuf,
    pub(super) data_dir: PathBuf,
    pub(super) models_dir: PathBuf,
}

impl RestoreMarker {
    /// The marker in `dir`; none when there is none. One that can't be read is one of nothing.
    pub(super) fn read(dir: &Path) -> Option<Self> {
        let bytes = read_bounded(&dir.join(RESTORE_MARKER), MAX_MARKER_BYTES).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    pub(super) fn write(&self, files: &Files, dir: &Path) -> Result<(), StoreError> {
        Ok(files.write_json_atomic(&dir.join(RESTORE_MARKER), self)?)
    }
}

/// Whether the file `name` is what a process left that was killed while it wrote the marker `marker`.
pub(super) fn is_torn(name: &str, marker: &str) -> bool {
    let is_of_marker = name.strip_prefix('.').is_some_and(|rest| rest.starts_with(marker));
    is_of_marker && name.ends_with(TEMPORARY_SUFFIX)
}

/// Removes the marker `name` in `dir` durably.
pub(super) fn remove(files: &Files, dir: &Path, name: &str) -> Result<(), StoreError> {
    files.remove_file(&dir.join(name))?;
    Ok(files.sync_dir(dir)?)
}

/// Refuses a folder to which a backup is being restored, or was when its process was killed.
pub(crate) fn refuse_unfinished_restore(dir: &Path) -> Result<(), StoreError> {
    if !dir.join(RESTORE_MARKER).exists() {
        return Ok(());
    }
    let again = match RestoreMarker::read(dir) {
        Some(marker) => format!("orchestrate restore {}", marker.backup.display()),
        None => "orchestrate restore".to_owned(),
    };
    let problem = format!("holds a restore that is not complete: wait until it is, or run `{again}` again");
    Err(StoreError::backup(dir, problem))
}
