//! Locks between processes.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Error, Step};

/// Longest text read as a holder, bytes.
const MAX_HOLDER_BYTES: u64 = 256;
/// Pause between two attempts of a bounded wait.
const PAUSE: Duration = Duration::from_millis(20);

/// Who took a lock and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The process.
    pub pid: u32,
    /// When it took the lock, milliseconds since 1970-01-01T00:00:00Z.
    pub since_ms: i64,
}

/// A lock on a file of its own, held until it is dropped or the process ends, however it ends. The file stays.
#[derive(Debug)]
pub struct FileLock {
    file: File,
    path: PathBuf,
    is_exclusive: bool,
}

impl FileLock {
    /// Takes the lock for this process alone, or says at once who has it. `now_ms` is noted for the losers.
    pub fn try_exclusive(path: &Path, now_ms: i64) -> Result<Self, Error> {
        let mut file = open(path)?;
        match file.try_lock() {
            Ok(()) => Self::exclusive_in(file, path, now_ms),
            Err(TryLockError::WouldBlock) => {
                Err(Error::Held { path: path.to_owned(), holder: read_holder(&mut file) })
            }
            Err(TryLockError::Error(source)) => Err(Error::io(Step::Lock, path)(source)),
        }
    }

    /// Takes the lock for this process alone and waits for it. `now_ms` is noted for those who do not wait.
    pub fn exclusive(path: &Path, now_ms: i64) -> Result<Self, Error> {
        let file = open(path)?;
        file.lock().map_err(Error::io(Step::Lock, path))?;
        Self::exclusive_in(file, path, now_ms)
    }

    /// Takes the lock for this process alone and waits for it about as long as `longest`. `now_ms` is noted for those
    /// who do not wait.
    ///
    /// # Errors
    /// [`Error::Held`] with the last known holder when nobody let go in time.
    pub fn exclusive_within(path: &Path, now_ms: i64, longest: Duration) -> Result<Self, Error> {
        // Counted in pauses, so that no clock is needed and none that is set can make the wait longer.
        let mut pauses = longest.as_millis().div_ceil(PAUSE.as_millis());
        loop {
            match Self::try_exclusive(path, now_ms) {
                Err(Error::Held { .. }) if pauses > 0 => pauses -= 1,
                result => return result,
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Takes the lock together with others who share it, and waits for a holder who does not.
    pub fn shared(path: &Path) -> Result<Self, Error> {
        let file = open(path)?;
        file.lock_shared().map_err(Error::io(Step::Lock, path))?;
        Ok(Self { file, path: path.to_owned(), is_exclusive: false })
    }

    /// Takes the lock together with others who share it, and waits about as long as `longest` for a holder who does
    /// not. A lock file that is there needs no right to write.
    ///
    /// # Errors
    /// [`Error::Held`] with the last known holder when it did not let go in time.
    pub fn shared_within(path: &Path, longest: Duration) -> Result<Self, Error> {
        let mut pauses = longest.as_millis().div_ceil(PAUSE.as_millis());
        loop {
            match Self::try_shared(path) {
                Err(Error::Held { .. }) if pauses > 0 => pauses -= 1,
                result => return result,
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn try_shared(path: &Path) -> Result<Self, Error> {
        let mut file = match File::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => open(path)?,
            file => file.map_err(Error::io(Step::Open, path))?,
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(Self { file, path: path.to_owned(), is_exclusive: false }),
            Err(TryLockError::WouldBlock) => {
                Err(Error::Held { path: path.to_owned(), holder: read_holder(&mut file) })
            }
            Err(TryLockError::Error(source)) => Err(Error::io(Step::Lock, path)(source)),
        }
    }

    fn exclusive_in(file: File, path: &Path, now_ms: i64) -> Result<Self, Error> {
        let mut lock = Self { file, path: path.to_owned(), is_exclusive: true };
        let holder = Holder { pid: std::process::id(), since_ms: now_ms };
        let text =
            serde_json::to_vec(&holder).map_err(|source| Error::Json { path: path.to_owned(), source })?;
        lock.file.set_len(0).map_err(Error::io(Step::Truncate, path))?;
        lock.file.write_all(&text).map_err(Error::io(Step::Write, path))?;
        Ok(lock)
    }

    /// The lock file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        if self.is_exclusive {
            // Only a courtesy to those who read the file: the lock itself ends with the file handle.
            let _ = self.file.set_len(0);
        }
    }
}

fn open(path: &Path) -> Result<File, Error> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(Error::io(Step::Open, path))
}

fn read_holder(file: &mut File) -> Option<Holder> {
    file.seek(SeekFrom::Start(0)).ok()?;
    let mut text = Vec::new();
    file.take(MAX_HOLDER_BYTES).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loser_learns_who_holds_the_lock_and_since_when() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run.lock");
        let lock = FileLock::try_exclusive(&path, 1234).unwrap();
        let Err(Error::Held { holder, .. }) = FileLock::try_exclusive(&path, 5678) else {
            panic!("the lock was given twice");
        };
        assert_eq!(holder, Some(Holder { pid: std::process::id(), since_ms: 1234 }));
        drop(lock);
        FileLock::try_exclusive(&path, 5678).unwrap();
    }

    #[test]
    fn readers_share_and_keep_a_writer_out() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("l");
        let (one, two) = (FileLock::shared(&path).unwrap(), FileLock::shared(&path).unwrap());
        assert!(matches!(FileLock::try_exclusive(&path, 0), Err(Error::Held { holder: None, .. })));
        drop((one, two));
        FileLock::exclusive(&path, 0).unwrap();
    }

    #[test]
    fn who_shares_waits_no_longer_than_it_says_and_needs_no_right_to_write() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("l");
        let writer = FileLock::try_exclusive(&path, 1234).unwrap();
        let Err(Error::Held { holder, .. }) = FileLock::shared_within(&path, Duration::from_millis(1)) else {
            panic!("a reader beside a writer");
        };
        assert_eq!(holder.map(|holder| holder.since_ms), Some(1234));
        drop(writer);
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o444)).unwrap();
        let readers =
            [FileLock::shared_within(&path, Duration::ZERO), FileLock::shared_within(&path, Duration::ZERO)];
        assert!(readers.iter().all(Result::is_ok));
        let absent = dir.path().join("absent/l");
        assert!(FileLock::shared_within(&absent, Duration::ZERO).unwrap_err().is_not_found());
    }

    #[test]
    fn one_who_waits_gets_the_lock_when_the_holder_lets_go() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("l");
        let lock = FileLock::exclusive(&path, 0).unwrap();
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| FileLock::exclusive(&path, 1).map(drop));
            assert!(!waiter.is_finished());
            drop(lock);
            waiter.join().unwrap().unwrap();
        });
    }

    #[test]
    fn a_bounded_wait_ends_with_the_lock_or_with_its_holder() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("l");
        let lock = FileLock::exclusive(&path, 1234).unwrap();
        for longest in [Duration::ZERO, Duration::from_millis(50)] {
            let Err(Error::Held { holder, .. }) = FileLock::exclusive_within(&path, 0, longest) else {
                panic!("the lock was given twice");
            };
            assert_eq!(holder, Some(Holder { pid: std::process::id(), since_ms: 1234 }));
        }
        let longest = Duration::from_secs(60);
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| FileLock::exclusive_within(&path, 1, longest).map(drop));
            std::thread::sleep(PAUSE);
            drop(lock);
            waiter.join().unwrap().unwrap();
        });
        FileLock::exclusive_within(&path, 0, Duration::ZERO).unwrap();
    }
}
