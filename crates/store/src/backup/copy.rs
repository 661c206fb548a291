//! Copying files with their SHA-256.

use std::fs::{self, OpenOptions};
use std::io::Read;
use std::path::{Path, PathBuf};

use walkforward_durable::{Error, Files, Step, open_regular};

use super::marker::is_torn;
use crate::hash::copy_hashed;
use crate::{BackupFile, MAX_BACKUP_FILES, StoreError};

/// Longest file that is copied, bytes: the longest journal.
pub(super) const MAX_FILE_BYTES: u64 = 64 << 30;
/// Folders within folders that are looked through.
const MAX_DEPTH: usize = 8;

/// Copies `from` to the new file `to`, as long as it is now, and syncs it; `name` is what the list calls it.
pub(super) fn copy_file(files: &Files, from: &Path, to: &Path, name: &str) -> Result<BackupFile, StoreError> {
    files.before(Step::Open, from)?;
    let source = open_regular(from)?;
    // A journal grows while it is copied: what it holds now is a whole journal.
    let bytes = source.metadata().map_err(io(Step::Read, from))?.len();
    files.before(Step::Write, to)?;
    let mut target =
        OpenOptions::new().write(true).create_new(true).open(to).map_err(io(Step::CreateTemporary, to))?;
    let (bytes, sha256) = copy_hashed(&mut source.take(bytes), from, &mut target, to, MAX_FILE_BYTES)?;
    files.sync_file(to)?;
    Ok(BackupFile { path: name.to_owned(), bytes, sha256 })
}

/// Length and SHA-256 of `path`.
pub(super) fn fingerprint(path: &Path, name: &str) -> Result<BackupFile, StoreError> {
    let mut source = open_regular(path)?;
    let (bytes, sha256) = copy_hashed(&mut source, path, &mut std::io::sink(), path, MAX_FILE_BYTES)?;
    Ok(BackupFile { path: name.to_owned(), bytes, sha256 })
}

/// The regular files in `dir` and below, by their path relative to it with `/` between its parts, sorted; none when
/// there is no such folder. Links are not followed.
pub(super) fn files_below(dir: &Path) -> Result<Vec<(String, PathBuf)>, StoreError> {
    let mut found = Vec::new();
    let mut open = vec![(String::new(), dir.to_owned(), 0)];
    while let Some((prefix, folder, depth)) = open.pop() {
        for (name, path) in entries(&folder)? {
            let name = format!("{prefix}{name}");
            let kind = match fs::symlink_metadata(&path) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                metadata => metadata.map_err(io(Step::Read, &path))?.file_type(),
            };
            if kind.is_dir() && depth < MAX_DEPTH {
                open.push((format!("{name}/"), path, depth + 1));
            } else if kind.is_file() {
                if found.len() == MAX_BACKUP_FILES {
                    let problem = format!("holds more than {MAX_BACKUP_FILES} files: no more are backed up");
                    return Err(StoreError::backup(dir, problem));
                }
                found.push((name, path));
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Names and paths in `dir`; none when it is not there.
pub(super) fn entries(dir: &Path) -> Result<Vec<(String, PathBuf)>, StoreError> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(io(Step::Read, dir))?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(io(Step::Read, dir))?.path();
        match path.file_name().and_then(|name| name.to_str()) {
            Some(name) => found.push((name.to_owned(), path)),
            None => return Err(StoreError::backup(&path, "has a name that is no text: rename it")),
        }
    }
    Ok(found)
}

/// Whether `dir` holds nothing, or is not there. What is left of a torn `marker` is nothing.
pub(super) fn is_empty(dir: &Path, marker: &str) -> Result<bool, StoreError> {
    Ok(entries(dir)?.iter().all(|(name, _)| is_torn(name, marker)))
}

/// Brings the names in `dir` and in all folders below it to the disk.
pub(super) fn sync_tree(files: &Files, dir: &Path) -> Result<(), StoreError> {
    let mut open = vec![dir.to_owned()];
    while let Some(folder) = open.pop() {
        files.sync_dir(&folder)?;
        let below = entries(&folder)?.into_iter().map(|(_, path)| path);
        open.extend(below.filter(|path| path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir())));
    }
    Ok(())
}

/// Removes everything in `dir` but the file `kept`.
pub(super) fn clear(files: &Files, dir: &Path, kept: &str) -> Result<(), StoreError> {
    for (name, path) in entries(dir)? {
        let is_dir = path.symlink_metadata().map_err(io(Step::Read, &path))?.is_dir();
        if is_dir {
            files.remove_dir_all(&path)?;
        } else if name != kept {
            files.remove_file(&path)?;
        }
    }
    Ok(files.sync_dir(dir)?)
}

/// Makes the folder of a file that will be written. [`sync_tree`] brings its name to the disk.
pub(super) fn make_parent(files: &Files, path: &Path) -> Result<(), StoreError> {
    let Some(parent) = path.parent().filter(|parent| !parent.is_dir()) else { return Ok(()) };
    files.before(Step::CreateDirectory, parent)?;
    fs::create_dir_all(parent).map_err(io(Step::CreateDirectory, parent))
}

pub(super) fn io(step: Step, path: &Path) -> impl FnOnce(std::io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| Error::Io { step, path, source }.into()
}
