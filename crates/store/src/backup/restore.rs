//! Restoring a backup into empty folders.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use walkforward_durable::{Files, Step};

use super::copy::{clear, copy_file, files_below, fingerprint, io, is_empty, make_parent, sync_tree};
use super::marker::{RESTORE_MARKER, RestoreMarker, remove};
use super::{BackupManifest, RestoreReport, read_manifest};
use crate::{BackupFile, StoreError};

/// Restores the backup in `backup` to `data_dir` and `models_dir`, which are empty or not there, or hold a restore that
/// was interrupted. Every file of the backup is checked before the first is written.
///
/// Until all is there both folders are marked, and neither a store nor a reader of pointers opens them. After a crash
/// at any moment they are empty, marked, or complete; marked ones are restored anew by the next call.
///
/// # Errors
/// The backup is incomplete or damaged, a folder holds something else, or a disk fails.
pub fn restore(backup: &Path, data_dir: &Path, models_dir: &Path) -> Result<RestoreReport, StoreError> {
    restore_with(Files::default(), backup, data_dir, models_dir)
}

/// As [`restore`], with steps that `files` may fail.
///
/// # Errors
/// Those of [`restore`].
pub fn restore_with(
    files: Files,
    backup: &Path,
    data_dir: &Path,
    models_dir: &Path,
) -> Result<RestoreReport, StoreError> {
    let manifest = read_manifest(backup)?;
    let restoring = Restoring { files, backup, data_dir, models_dir, manifest };
    restoring.check_targets()?;
    restoring.verify()?;
    restoring.begin()?;
    restoring.copy()?;
    restoring.end()?;
    Ok(restoring.manifest.report())
}

struct Restoring<'a> {
    files: Files,
    backup: &'a Path,
    data_dir: &'a Path,
    models_dir: &'a Path,
    manifest: BackupManifest,
}

impl Restoring<'_> {
    /// Refuses folders that hold anything but an interrupted restore to the same two.
    fn check_targets(&self) -> Result<(), StoreError> {
        let ours = self.marker()?;
        let is_marked = |dir: &Path| {
            RestoreMarker::read(dir).is_some_and(|marker| {
                (marker.data_dir, marker.models_dir) == (ours.data_dir.clone(), ours.models_dir.clone())
            })
        };
        let data_is_marked = is_marked(self.data_dir);
        if !data_is_marked && !is_empty(self.data_dir, RESTORE_MARKER)? {
            return Err(not_empty(self.data_dir, "the data folder"));
        }
        let models_are_ours = is_marked(self.models_dir) || (data_is_marked && self.models_are_complete()?);
        if !models_are_ours && !is_empty(self.models_dir, RESTORE_MARKER)? {
            return Err(not_empty(self.models_dir, "the models folder"));
        }
        Ok(())
    }

    /// Whether the models folder holds what the backup does and nothing else: its mark goes before that of the data.
    fn models_are_complete(&self) -> Result<bool, StoreError> {
        let expected: BTreeMap<&str, &BackupFile> = self
            .manifest
            .files
            .iter()
            .filter_map(|file| Some((file.path.strip_prefix("models/")?, file)))
            .collect();
        let found = files_below(self.models_dir)?;
        if found.len() != expected.len() {
            return Ok(false);
        }
        for (name, path) in found {
            let Some(file) = expected.get(name.as_str()) else { return Ok(false) };
            if fingerprint(&path, &file.path)? != **file {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Checks every file of the backup against its list.
    fn verify(&self) -> Result<(), StoreError> {
        for expected in &self.manifest.files {
            let path = self.backup.join(&expected.path);
            let found = match fingerprint(&path, &expected.path) {
                Err(StoreError::Files(error)) if error.is_not_found() => {
                    return Err(StoreError::backup(
                        &path,
                        "is missing: the backup is not complete, use another",
                    ));
                }
                found => found?,
            };
            check(&path, &found, expected)?;
        }
        Ok(())
    }

    /// Marks both folders and empties them of what an interrupted restore left.
    fn begin(&self) -> Result<(), StoreError> {
        let marker = self.marker()?;
        for dir in [self.data_dir, self.models_dir] {
            self.files.create_dir_all_durable(dir)?;
            marker.write(&self.files, dir)?;
        }
        for dir in [self.data_dir, self.models_dir] {
            self.files.create_dir_all_durable(dir)?;
            clear(&self.files, dir, RESTORE_MARKER)?;
        }
        // One folder may lie in the other, whose emptying took its mark.
        for dir in [self.data_dir, self.models_dir] {
            self.files.create_dir_all_durable(dir)?;
            marker.write(&self.files, dir)?;
        }
        Ok(())
    }

    fn copy(&self) -> Result<(), StoreError> {
        for expected in &self.manifest.files {
            let to = self.target(&expected.path);
            make_parent(&self.files, &to)?;
            let from = self.backup.join(&expected.path);
            check(&from, &copy_file(&self.files, &from, &to, &expected.path)?, expected)?;
            if expected.path.starts_with("models/") && expected.path.ends_with(".safetensors") {
                self.files.set_read_only(&to)?;
            }
        }
        sync_tree(&self.files, self.data_dir)?;
        sync_tree(&self.files, self.models_dir)
    }

    fn end(&self) -> Result<(), StoreError> {
        remove(&self.files, self.models_dir, RESTORE_MARKER)?;
        remove(&self.files, self.data_dir, RESTORE_MARKER)
    }

    fn target(&self, name: &str) -> PathBuf {
        match name.strip_prefix("data/") {
            Some(name) => self.data_dir.join(name),
            None => self.models_dir.join(name.strip_prefix("models/").unwrap_or(name)),
        }
    }

    fn marker(&self) -> Result<RestoreMarker, StoreError> {
        let absolute = |path: &Path| std::path::absolute(path).map_err(io(Step::Read, path));
        Ok(RestoreMarker {
            backup: absolute(self.backup)?,
            data_dir: absolute(self.data_dir)?,
            models_dir: absolute(self.models_dir)?,
        })
    }
}

fn check(path: &Path, found: &BackupFile, expected: &BackupFile) -> Result<(), StoreError> {
    if found == expected {
        return Ok(());
    }
    let problem = if found.bytes == expected.bytes {
        format!(
            "is damaged: its SHA-256 is {}, expected {}; use another backup",
            found.sha256, expected.sha256
        )
    } else {
        format!("is damaged: it has {} bytes, expected {}; use another backup", found.bytes, expected.bytes)
    };
    Err(StoreError::backup(path, problem))
}

fn not_empty(dir: &Path, what: &str) -> StoreError {
    let problem = format!(
        "is not empty: a backup is restored to empty folders; move {what} away, or choose another \
         (--data-dir, --models-dir)"
    );
    StoreError::backup(dir, problem)
}
