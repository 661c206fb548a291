//! What trainings leave behind: jobs with their logs, and checkpoints of those that were interrupted.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use walkforward_core::Timestamp;
use walkforward_durable::{Error, FileLock, Step};

use super::plan::DAY_MS;
use crate::{Store, StoreError};

/// Days after which what a training left behind is purged: longer than anybody comes back to a failed training, and far
/// longer than a training takes.
pub const WORK_DAYS: u32 = 14;

/// Most folders that one call purges.
const MAX_PURGED: usize = 10_000;

/// What a purge removes, or would.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PurgedWork {
    /// Folders of jobs, logs and checkpoints.
    pub folders: Vec<PathBuf>,
    /// What they take, bytes.
    pub bytes: u64,
}

impl Store {
    /// Jobs with their logs, and checkpoints, in which nothing was written for [`WORK_DAYS`], by the store's clock. The
    /// job of an attempt that goes on stays, whatever its age.
    pub fn old_work(&self) -> Result<PurgedWork, StoreError> {
        let before = self.now().plus_millis(-i64::from(WORK_DAYS) * DAY_MS);
        let mut work = PurgedWork::default();
        for root in [self.layout.jobs_dir(), self.layout.checkpoints_dir()] {
            for folder in folders_in(&root)? {
                if work.folders.len() == MAX_PURGED {
                    return Ok(work);
                }
                let found = Found::in_folder(&folder)?;
                if found.newest.is_some_and(|newest| newest < before) && !self.is_in_progress(&folder)? {
                    work.bytes += found.bytes;
                    work.folders.push(folder);
                }
            }
        }
        Ok(work)
    }

    /// Removes what [`old_work`](Self::old_work) finds. Staging folders of dead processes are removed whenever a store
    /// is opened.
    pub fn purge_work(&self) -> Result<PurgedWork, StoreError> {
        let work = self.old_work()?;
        for folder in &work.folders {
            self.files.remove_dir_all(folder)?;
        }
        Ok(work)
    }

    /// Whether the folder is that of an attempt whose process lives.
    fn is_in_progress(&self, folder: &Path) -> Result<bool, StoreError> {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let lock = self.layout.staging_root().join(format!("{name}.lock"));
        if !lock.exists() {
            return Ok(false);
        }
        match FileLock::try_exclusive(&lock, self.now().as_millis()) {
            Ok(_) => Ok(false),
            Err(Error::Held { .. }) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }
}

/// What a folder holds.
#[derive(Default)]
struct Found {
    bytes: u64,
    /// When something in it was last written.
    newest: Option<Timestamp>,
}

impl Found {
    fn in_folder(folder: &Path) -> Result<Self, StoreError> {
        let mut found = Self::default();
        let mut open = vec![folder.to_owned()];
        while let Some(path) = open.pop() {
            let Some(metadata) = unless_gone(fs::symlink_metadata(&path), &path)? else { continue };
            let written = metadata.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
            let written = written.and_then(|since| i64::try_from(since.as_millis()).ok());
            found.newest = found.newest.max(written.and_then(Timestamp::from_millis));
            if metadata.is_dir() {
                let Some(entries) = unless_gone(fs::read_dir(&path), &path)? else { continue };
                for entry in entries {
                    open.extend(unless_gone(entry, &path)?.map(|entry| entry.path()));
                }
            } else {
                found.bytes += metadata.len();
            }
        }
        Ok(found)
    }
}

/// The folders in `root`, oldest name first; none when it is not there.
fn folders_in(root: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let mut folders = Vec::new();
    for entry in unless_gone(fs::read_dir(root), root)?.into_iter().flatten() {
        let Some(entry) = unless_gone(entry, root)? else { continue };
        if unless_gone(entry.file_type(), &entry.path())?.is_some_and(|kind| kind.is_dir()) {
            folders.push(entry.path());
        }
    }
    folders.sort_unstable();
    Ok(folders)
}

/// How long the file at `path` is; 0 when it is gone.
pub(super) fn bytes_of(path: &Path) -> Result<u64, StoreError> {
    Ok(unless_gone(fs::metadata(path), path)?.map_or(0, |file| file.len()))
}

/// None for what another process has removed meanwhile.
pub(super) fn unless_gone<T>(result: io::Result<T>, path: &Path) -> Result<Option<T>, StoreError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::Io { step: Step::Read, path: path.to_owned(), source }.into()),
    }
}
