//! The folder that a backup is written to.

use std::path::{Path, PathBuf};

use walkforward_durable::{Files, Step};

use super::copy::{clear, copy_file, fingerprint, io, is_empty, make_parent, sync_tree};
use super::manifest::{BackupManifest, MANIFEST_FILE};
use super::marker::{BACKUP_MARKER, remove};
use crate::{BackupFile, BackupReport, MAX_BACKUP_FILES, StoreError};

/// A backup that is being written.
pub(super) struct Target {
    dir: PathBuf,
    files: Files,
    written: Vec<BackupFile>,
}

impl Target {
    /// Begins a backup in `dir`, which is empty, not there, or holds a backup that was not completed.
    pub(super) fn begin(files: &Files, dir: &Path, kept_out: &[&Path]) -> Result<Self, StoreError> {
        refuse_inside(dir, kept_out)?;
        if dir.join(MANIFEST_FILE).exists() {
            return Err(StoreError::backup(dir, "holds a backup already: choose another folder"));
        }
        if !is_empty(dir, BACKUP_MARKER)? && !dir.join(BACKUP_MARKER).exists() {
            return Err(StoreError::backup(dir, "is not empty: choose another folder for the backup"));
        }
        files.create_dir_all_durable(dir)?;
        files.write_atomic(&dir.join(BACKUP_MARKER), b"this backup is not complete\n")?;
        clear(files, dir, BACKUP_MARKER)?;
        Ok(Self { dir: dir.to_owned(), files: files.clone(), written: Vec::new() })
    }

    /// Where the file that the list calls `name` lies; its folder is there.
    pub(super) fn path(&self, name: &str) -> Result<PathBuf, StoreError> {
        let path = self.dir.join(name);
        make_parent(&self.files, &path)?;
        Ok(path)
    }

    /// Copies `from` to `name` and gives its SHA-256.
    pub(super) fn copy(&mut self, from: &Path, name: &str) -> Result<String, StoreError> {
        let to = self.path(name)?;
        let file = copy_file(&self.files, from, &to, name)?;
        let sha256 = file.sha256.clone();
        self.list(file)?;
        Ok(sha256)
    }

    /// Writes `bytes` to `name`.
    pub(super) fn write(&mut self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let to = self.path(name)?;
        self.files.before(Step::Write, &to)?;
        std::fs::write(&to, bytes).map_err(io(Step::Write, &to))?;
        self.files.sync_file(&to)?;
        let file = fingerprint(&to, name)?;
        self.list(file)
    }

    /// Lists a file that was written otherwise.
    pub(super) fn add(&mut self, name: &str) -> Result<(), StoreError> {
        let path = self.path(name)?;
        self.files.sync_file(&path)?;
        let file = fingerprint(&path, name)?;
        self.list(file)
    }

    /// Takes files out again.
    pub(super) fn take_out(&mut self, names: &[String]) -> Result<(), StoreError> {
        for name in names {
            self.files.remove_file(&self.dir.join(name))?;
        }
        self.written.retain(|file| !names.contains(&file.path));
        Ok(())
    }

    fn list(&mut self, file: BackupFile) -> Result<(), StoreError> {
        if self.written.len() == MAX_BACKUP_FILES {
            let problem = format!("would hold more than {MAX_BACKUP_FILES} files: no more are backed up");
            return Err(StoreError::backup(&self.dir, problem));
        }
        self.written.push(file);
        Ok(())
    }

    /// Completes the backup: every name is on the disk before the list is.
    pub(super) fn finish(self, mut report: BackupReport) -> Result<BackupReport, StoreError> {
        report.files = self.written.len();
        report.bytes = self.written.iter().map(|file| file.bytes).sum();
        sync_tree(&self.files, &self.dir)?;
        let manifest = BackupManifest::new(&report, self.written);
        self.files.write_json_atomic(&self.dir.join(MANIFEST_FILE), &manifest)?;
        remove(&self.files, &self.dir, BACKUP_MARKER)?;
        Ok(report)
    }
}

/// Refuses a folder inside one of those that are backed up: both would be lost together.
fn refuse_inside(dir: &Path, kept_out: &[&Path]) -> Result<(), StoreError> {
    let absolute = |path: &Path| std::path::absolute(path).map_err(io(Step::Read, path));
    let real = |path: &Path| -> Result<PathBuf, StoreError> {
        let path = absolute(path)?;
        // What is not there yet has no real path: that of its nearest folder counts.
        let known = path.ancestors().find_map(|above| Some((above.to_owned(), above.canonicalize().ok()?)));
        let (above, real) = known.unwrap_or_else(|| (path.clone(), path.clone()));
        Ok(real.join(path.strip_prefix(&above).unwrap_or(Path::new(""))))
    };
    let target = real(dir)?;
    for folder in kept_out {
        let folder = real(folder)?;
        if target.starts_with(&folder) || folder.starts_with(&target) {
            let problem =
                format!("overlaps '{}', which is backed up: choose another folder", folder.display());
            return Err(StoreError::backup(dir, problem));
        }
    }
    Ok(())
}
