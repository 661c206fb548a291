//! The folder of a job: whose it is while the attempt goes on, and what stays of it afterwards.

use std::fs;
use std::path::{Path, PathBuf};

use walkforward_core::Timestamp;
use walkforward_durable::{FileLock, Files};

use super::file::{DATASET_DIR, MAX_ATTEMPT_BYTES};
use crate::Error;

/// Name of the folder of all jobs, in the data folder.
const JOBS_DIR: &str = "jobs";
/// The lock that the launcher of an attempt holds while it goes on.
const LOCK_FILE: &str = "lock";
/// Job folders that are kept, newest first: the job and its log, without the dataset.
const MAX_KEPT_JOBS: usize = 50;
/// Most folders that one training tidies; the next one goes on.
const MAX_TIDIED: usize = 200;

/// The folder of an attempt that goes on. Whoever tidies leaves it alone until it is dropped, or its process ends.
#[derive(Debug)]
pub(crate) struct JobFolder {
    dir: PathBuf,
    lock: FileLock,
}

impl JobFolder {
    /// Makes the folder of `attempt` afresh, under `work_dir`. `now_ms` is noted for those who find it locked.
    ///
    /// # Errors
    /// The attempt can't name a folder, or goes on already; the folder can't be made.
    pub(crate) fn make(files: &Files, work_dir: &Path, attempt: &str, now_ms: i64) -> Result<Self, Error> {
        let dir = job_dir(work_dir, attempt)?;
        if dir.exists() {
            let _nobody = FileLock::try_exclusive(&dir.join(LOCK_FILE), now_ms)?;
            files.remove_dir_all(&dir)?;
        }
        files.create_dir_all_durable(&dir)?;
        let lock = FileLock::try_exclusive(&dir.join(LOCK_FILE), now_ms)?;
        Ok(Self { dir, lock })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.dir
    }

    /// The attempt is over: job and log stay, the dataset, which the store's records tell how to make again, goes.
    pub(crate) fn close(self, files: &Files) {
        remove(files, &self.dir.join(DATASET_DIR));
        release(&self.lock);
    }
}

/// Removes what attempts of killed launchers have left in `work_dir`: their datasets, and all but the newest jobs. The time
/// is noted for those who find a lock.
pub fn tidy_jobs(work_dir: &Path, now: Timestamp) {
    tidy(&Files::default(), work_dir, now.as_millis());
}

/// Removes what attempts that are over have left in `work_dir`: the oldest jobs, and of those whose launcher was killed
/// the dataset. One that goes on is left alone, whatever its age.
pub(crate) fn tidy(files: &Files, work_dir: &Path, now_ms: i64) {
    let entries = fs::read_dir(work_dir.join(JOBS_DIR));
    let mut folders: Vec<PathBuf> =
        entries.map(|entries| entries.flatten().map(|entry| entry.path()).collect()).unwrap_or_default();
    // Names of attempts begin with the time.
    folders.sort_unstable();
    let old = folders.len().saturating_sub(MAX_KEPT_JOBS);
    let left = folders.into_iter().enumerate().filter_map(|(index, dir)| {
        let left = if index < old { dir.clone() } else { dir.join(DATASET_DIR) };
        left.exists().then_some((dir, left))
    });
    for (dir, left) in left.take(MAX_TIDIED) {
        // Held: it goes on. Another fault: somebody else has just removed it.
        let Ok(lock) = FileLock::try_exclusive(&dir.join(LOCK_FILE), now_ms) else { continue };
        remove(files, &left);
        release(&lock);
    }
}

fn remove(files: &Files, path: &Path) {
    if let Err(error) = files.remove_dir_all(path) {
        tracing::warn!(%error, "a job can't be removed");
    }
}

/// Removes the lock's file while the lock is held, so that it is nobody else's by then.
fn release(lock: &FileLock) {
    let _ = fs::remove_file(lock.path());
}

/// The folder of the job of `attempt`.
fn job_dir(work_dir: &Path, attempt: &str) -> Result<PathBuf, Error> {
    let is_name = (1..=MAX_ATTEMPT_BYTES).contains(&attempt.len())
        && attempt.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    match is_name {
        true => Ok(work_dir.join(JOBS_DIR).join(attempt)),
        false => Err(Error::Attempt { name: attempt.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dataset_of(folder: &JobFolder) -> PathBuf {
        let dataset = folder.path().join(DATASET_DIR);
        fs::create_dir(&dataset).unwrap();
        dataset
    }

    #[test]
    fn an_attempt_that_goes_on_keeps_its_folder_however_many_are_newer() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::default();
        let make = |attempt: &str| JobFolder::make(&files, dir.path(), attempt, 0).unwrap();
        let running: Vec<JobFolder> = (0..70).map(|number| make(&format!("2024-{number:03}"))).collect();
        let datasets: Vec<PathBuf> = running.iter().map(dataset_of).collect();
        tidy(&files, dir.path(), 0);
        assert!(datasets.iter().all(|dataset| dataset.exists()));
        // A launcher that was killed closes nothing: its lock is gone, its dataset is not.
        drop(running);
        tidy(&files, dir.path(), 0);
        let kept: Vec<_> = fs::read_dir(dir.path().join(JOBS_DIR)).unwrap().flatten().collect();
        assert_eq!(kept.len(), MAX_KEPT_JOBS);
        assert!(kept.iter().all(|entry| *entry.file_name() >= *"2024-020"));
        assert!(kept.iter().all(|entry| fs::read_dir(entry.path()).unwrap().count() == 0), "{kept:?}");
    }

    #[test]
    fn no_call_tidies_without_end() {
        let dir = tempfile::tempdir().unwrap();
        let jobs = dir.path().join(JOBS_DIR);
        for number in 0..MAX_KEPT_JOBS + MAX_TIDIED + 5 {
            fs::create_dir_all(jobs.join(format!("2024-{number:04}"))).unwrap();
        }
        let count = || fs::read_dir(&jobs).unwrap().count();
        tidy(&Files::default(), dir.path(), 0);
        assert_eq!(count(), MAX_KEPT_JOBS + 5);
        assert!(!jobs.join("2024-0199").exists() && jobs.join("2024-0200").exists());
        tidy(&Files::default(), dir.path(), 0);
        assert_eq!(count(), MAX_KEPT_JOBS);
    }

    #[test]
    fn an_attempt_is_made_afresh_and_never_twice_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::default();
        let folder = JobFolder::make(&files, dir.path(), "a-1", 0).unwrap();
        let dataset = dataset_of(&folder);
        let error = JobFolder::make(&files, dir.path(), "a-1", 0).unwrap_err();
        assert!(error.to_string().contains("lock") && dataset.exists(), "{error}");
        drop(folder);
        let folder = JobFolder::make(&files, dir.path(), "a-1", 0).unwrap();
        assert!(!dataset.exists());
        dataset_of(&folder);
        let path = folder.path().to_owned();
        folder.close(&files);
        assert!(path.exists() && fs::read_dir(path).unwrap().count() == 0);
    }
}
