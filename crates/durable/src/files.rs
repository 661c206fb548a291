//! Whole files and folders.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use crate::{Error, FaultPlan, Step};

/// Durable operations on files and folders, each step of which a [`FaultPlan`] may fail. Clones share the plan.
#[derive(Clone, Default)]
pub struct Files {
    faults: Option<Arc<dyn FaultPlan>>,
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Files").field("has_faults", &self.faults.is_some()).finish()
    }
}

impl Files {
    /// Operations that fail as `faults` plans.
    pub fn with_faults(faults: Arc<dyn FaultPlan>) -> Self {
        Self { faults: Some(faults) }
    }

    /// Asks the plan whether `step` on `path` may be taken. Callers ask for their own steps ([`Step::Other`]) too.
    pub fn before(&self, step: Step, path: &Path) -> Result<(), Error> {
        match &self.faults {
            Some(faults) => faults.before(step, path).map_err(Error::io(step, path)),
            None => Ok(()),
        }
    }

    pub(crate) fn take<T>(
        &self,
        step: Step,
        path: &Path,
        action: impl FnOnce() -> io::Result<T>,
    ) -> Result<T, Error> {
        self.before(step, path)?;
        action().map_err(Error::io(step, path))
    }

    /// Replaces `path` by `bytes`: temporary file in the same folder, fsync, rename, fsync of the folder.
    ///
    /// After a crash at any moment the file holds either what it held before or all of `bytes`. A failure leaves no
    /// temporary file. When only the last step fails, the new bytes are in place, but a power cut may undo that.
    pub fn write_atomic(&self, path: &Path, bytes: &[u8]) -> Result<(), Error> {
        self.write_atomic_with(path, |file| file.write_all(bytes))
    }

    /// As [`write_atomic`](Self::write_atomic), with bytes that `write` hands over piece by piece.
    pub fn write_atomic_with(
        &self,
        path: &Path,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), Error> {
        let (temporary, file) = self.create_temporary(path)?;
        let written = self.write_and_rename(path, write, &temporary, file);
        if written.is_err() {
            // The first failure is the one to report; what can't be removed now is stale and removed at the next start.
            let _ = self.take(Step::Remove, &temporary, || fs::remove_file(&temporary));
        }
        written?;
        self.sync_dir(parent_of(path))
    }

    fn write_and_rename(
        &self,
        path: &Path,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
        temporary: &Path,
        mut file: File,
    ) -> Result<(), Error> {
        self.take(Step::Write, path, || write(&mut file))?;
        self.take(Step::SyncFile, path, || file.sync_all())?;
        self.take(Step::Rename, path, || fs::rename(temporary, path))
    }

    /// Replaces `path` by `value` as JSON, indented by two spaces, with a newline at the end. Keys keep the order in
    /// which `value` serialises them.
    pub fn write_json_atomic<T: Serialize + ?Sized>(&self, path: &Path, value: &T) -> Result<(), Error> {
        let mut bytes = serde_json::to_vec_pretty(value)
            .map_err(|source| Error::Json { path: path.to_owned(), source })?;
        bytes.push(b'\n');
        self.write_atomic(path, &bytes)
    }

    /// Brings the bytes of `path` to the disk.
    pub fn sync_file(&self, path: &Path) -> Result<(), Error> {
        self.take(Step::SyncFile, path, || File::open(path)?.sync_all())
    }

    /// Brings the names in `dir` to the disk.
    pub fn sync_dir(&self, dir: &Path) -> Result<(), Error> {
        self.take(Step::SyncDirectory, dir, || File::open(dir)?.sync_all())
    }

    /// Takes away everybody's right to write `path`.
    pub fn set_read_only(&self, path: &Path) -> Result<(), Error> {
        self.take(Step::SetReadOnly, path, || fs::set_permissions(path, fs::Permissions::from_mode(0o444)))
    }

    /// Renames the folder `from` to `to`, which must not exist or be empty, and makes both names durable. The bytes
    /// of the files inside must have been synced before.
    pub fn rename_dir_durable(&self, from: &Path, to: &Path) -> Result<(), Error> {
        self.sync_dir(from)?;
        self.take(Step::Rename, to, || fs::rename(from, to))?;
        self.sync_dir(parent_of(to))?;
        if parent_of(from) != parent_of(to) {
            self.sync_dir(parent_of(from))?;
        }
        Ok(())
    }

    /// Makes `dir` and every missing folder above it, and makes each new name durable.
    pub fn create_dir_all_durable(&self, dir: &Path) -> Result<(), Error> {
        if dir.is_dir() {
            return Ok(());
        }
        let parent = parent_of(dir);
        self.create_dir_all_durable(parent)?;
        self.take(Step::CreateDirectory, dir, || match fs::create_dir(dir) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => Ok(()),
            done => done,
        })?;
        self.sync_dir(parent)
    }

    /// Removes the file `path`; that it is not there is fine. Sync its folder to make that durable.
    pub fn remove_file(&self, path: &Path) -> Result<(), Error> {
        self.take(Step::Remove, path, || match fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done,
        })
    }

    /// Removes `dir` and what is in it; that it is not there is fine.
    pub fn remove_dir_all(&self, dir: &Path) -> Result<(), Error> {
        self.take(Step::Remove, dir, || match fs::remove_dir_all(dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done,
        })
    }
}

/// Reads all of `path`; an error when it is longer than `max_bytes`.
pub fn read_bounded(path: &Path, max_bytes: u64) -> Result<Vec<u8>, Error> {
    let file = File::open(path).map_err(Error::io(Step::Open, path))?;
    let mut bytes = Vec::new();
    file.take(max_bytes.saturating_add(1)).read_to_end(&mut bytes).map_err(Error::io(Step::Read, path))?;
    if bytes.len() as u64 > max_bytes {
        return Err(Error::TooLarge { path: path.to_owned(), max_bytes });
    }
    Ok(bytes)
}

fn parent_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PlannedFault;

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn steps_of(action: impl Fn(&Files) -> Result<(), Error>) -> usize {
        let plan = Arc::new(PlannedFault::never());
        action(&Files::with_faults(plan.clone())).unwrap();
        plan.taken()
    }

    #[test]
    fn a_failed_write_keeps_the_old_bytes_and_leaves_no_temporary() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.txt");
        let steps = steps_of(|files| files.write_atomic(&path, b"old"));
        assert_eq!(steps, 5);
        for step in 0..steps {
            fs::write(&path, b"old").unwrap();
            let files = Files::with_faults(Arc::new(PlannedFault::once(step, io::ErrorKind::StorageFull)));
            let error = files.write_atomic(&path, b"new bytes").unwrap_err();
            assert!(
                error.is_environment_fault() && error.to_string().contains("a.txt") || step == 4,
                "{error}"
            );
            let expected: &[u8] = if step == 4 { b"new bytes" } else { b"old" };
            assert_eq!(fs::read(&path).unwrap(), expected, "step {step}");
            assert_eq!(names(dir.path()), ["a.txt"], "step {step}");
        }
    }

    #[test]
    fn a_crash_at_any_step_leaves_old_or_new_and_the_next_start_cleans_up() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.txt");
        for step in 0..5 {
            fs::write(&path, b"old").unwrap();
            let files = Files::with_faults(Arc::new(PlannedFault::crash(step)));
            files.write_atomic(&path, b"new bytes").unwrap_err();
            let bytes = fs::read(&path).unwrap();
            assert!(bytes == b"old" || bytes == b"new bytes");
            Files::default().remove_stale_temporaries(dir.path()).unwrap();
            assert_eq!(names(dir.path()), ["a.txt"]);
        }
    }

    #[test]
    fn a_folder_is_moved_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("in/x"), dir.path().join("out/x"));
        for step in 0..4 {
            let _ = fs::remove_dir_all(dir.path().join("in"));
            let _ = fs::remove_dir_all(dir.path().join("out"));
            Files::default().create_dir_all_durable(&from).unwrap();
            Files::default().create_dir_all_durable(to.parent().unwrap()).unwrap();
            fs::write(from.join("f"), b"1").unwrap();
            let files = Files::with_faults(Arc::new(PlannedFault::crash(step)));
            files.rename_dir_durable(&from, &to).unwrap_err();
            assert_ne!(from.join("f").exists(), to.join("f").exists(), "step {step}");
        }
    }

    #[test]
    fn a_folder_chain_that_fails_midway_can_be_made_again() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("a/b/c");
        for step in 0..6 {
            let _ = fs::remove_dir_all(dir.path().join("a"));
            let files =
                Files::with_faults(Arc::new(PlannedFault::once(step, io::ErrorKind::ReadOnlyFilesystem)));
            assert!(files.create_dir_all_durable(&deep).unwrap_err().is_environment_fault());
            files.create_dir_all_durable(&deep).unwrap();
            assert!(deep.is_dir());
        }
    }

    #[test]
    fn a_file_longer_than_the_bound_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        fs::write(&path, b"12345").unwrap();
        assert_eq!(read_bounded(&path, 5).unwrap(), b"12345");
        assert!(matches!(read_bounded(&path, 4), Err(Error::TooLarge { max_bytes: 4, .. })));
        assert!(read_bounded(&dir.path().join("b"), 4).unwrap_err().is_not_found());
    }

    #[test]
    fn writers_at_once_leave_one_whole_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        std::thread::scope(|scope| {
            for byte in b'a'..b'e' {
                let path = &path;
                scope.spawn(move || {
                    for _ in 0..20 {
                        Files::default().write_atomic(path, &[byte; 5000]).unwrap();
                    }
                });
            }
        });
        let bytes = fs::read(&path).unwrap();
        assert!(bytes.len() == 5000 && bytes.iter().all(|byte| *byte == bytes[0]));
        assert_eq!(names(dir.path()), ["a"]);
    }
}
