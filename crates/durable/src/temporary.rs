//! Temporary files: made beside the file that they will replace, and removed when their writer has died.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::{Error, Files, Step};

/// How the name of every temporary file ends.
pub const TEMPORARY_SUFFIX: &str = ".wf-tmp";

/// Names tried for a temporary file before giving up. A name is taken only by what a killed process of the same
/// number left behind, or by a cleaner that came between.
const MAX_TEMPORARY_NAMES: u32 = 64;

/// Size of the file by which a folder is probed: one block of common file systems.
const PROBE_BYTES: usize = 4096;

impl Files {
    /// A new file beside `path`, locked for as long as it is written, so that cleaners leave it alone.
    pub(crate) fn create_temporary(&self, path: &Path) -> Result<(PathBuf, File), Error> {
        self.before(Step::CreateTemporary, path)?;
        for _ in 0..MAX_TEMPORARY_NAMES {
            let temporary = temporary_name(path).map_err(Error::io(Step::CreateTemporary, path))?;
            match OpenOptions::new().write(true).create_new(true).open(&temporary) {
                Ok(file) => {
                    file.lock().map_err(Error::io(Step::Lock, &temporary))?;
                    let links = file.metadata().map_err(Error::io(Step::Read, &temporary))?.nlink();
                    if links > 0 {
                        return Ok((temporary, file));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Error::io(Step::CreateTemporary, path)(error)),
            }
        }
        Err(Error::io(Step::CreateTemporary, path)(io::ErrorKind::AlreadyExists.into()))
    }

    /// Checks that files can be written in `dir`: writes, syncs and removes one of 4 KiB.
    pub fn probe_writable(&self, dir: &Path) -> Result<(), Error> {
        let (temporary, mut file) = self.create_temporary(&dir.join("probe"))?;
        let written = self
            .take(Step::Write, &temporary, || file.write_all(&[0; PROBE_BYTES]))
            .and_then(|()| self.take(Step::SyncFile, &temporary, || file.sync_all()));
        let removed = self.take(Step::Remove, &temporary, || fs::remove_file(&temporary));
        written.and(removed)
    }

    /// Removes the temporary files that killed writers left in `dir` (not in folders below it), and returns how
    /// many. A file that is being written is locked and stays.
    pub fn remove_stale_temporaries(&self, dir: &Path) -> Result<usize, Error> {
        let mut removed = 0;
        for entry in self.take(Step::Read, dir, || fs::read_dir(dir))? {
            let entry = entry.map_err(Error::io(Step::Read, dir))?;
            let name = entry.file_name();
            let name = name.as_encoded_bytes();
            if !name.starts_with(b".") || !name.ends_with(TEMPORARY_SUFFIX.as_bytes()) {
                continue;
            }
            removed += usize::from(self.remove_if_stale(&entry.path())?);
        }
        Ok(removed)
    }

    fn remove_if_stale(&self, temporary: &Path) -> Result<bool, Error> {
        let Ok(file) = File::open(temporary) else {
            return Ok(false);
        };
        if file.try_lock().is_err() {
            return Ok(false);
        }
        // The lock is held until after the removal: a writer that made the file just now then sees that it is gone.
        self.take(Step::Remove, temporary, || fs::remove_file(temporary))?;
        Ok(true)
    }
}

fn temporary_name(path: &Path) -> io::Result<PathBuf> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().ok_or_else(|| io::Error::other("the path has no file name"))?;
    let mut temporary = std::ffi::OsString::from(".");
    temporary.push(name);
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    temporary.push(format!(".{}-{number}{TEMPORARY_SUFFIX}", std::process::id()));
    Ok(path.with_file_name(temporary))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::PlannedFault;

    #[test]
    fn a_temporary_that_is_being_written_is_not_stale() {
        let dir = tempfile::tempdir().unwrap();
        let (temporary, file) = Files::default().create_temporary(&dir.path().join("a.txt")).unwrap();
        assert_eq!(Files::default().remove_stale_temporaries(dir.path()).unwrap(), 0);
        drop(file);
        assert_eq!(Files::default().remove_stale_temporaries(dir.path()).unwrap(), 1);
        assert!(!temporary.exists());
    }

    #[test]
    fn a_folder_that_takes_no_files_is_found_out_and_nothing_stays_behind() {
        let dir = tempfile::tempdir().unwrap();
        Files::default().probe_writable(dir.path()).unwrap();
        for step in 0..3 {
            let files = Files::with_faults(Arc::new(PlannedFault::once(step, io::ErrorKind::StorageFull)));
            assert!(files.probe_writable(dir.path()).unwrap_err().is_environment_fault());
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        assert!(Files::default().probe_writable(&dir.path().join("absent")).unwrap_err().is_not_found());
    }
}
