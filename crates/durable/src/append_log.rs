//! A log that only grows: JSON lines with a checksum each.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::log_reader::{Entries, Entry};
use crate::record::seal;
use crate::regular::open_regular_with;
use crate::{Error, Files, Step};

/// Bounds of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogLimits {
    /// Longest record as JSON, bytes.
    pub max_record_bytes: usize,
    /// Longest file, bytes.
    pub max_file_bytes: u64,
}

impl Default for LogLimits {
    /// Records of 1 MiB, a file of 8 GiB.
    fn default() -> Self {
        Self { max_record_bytes: 1 << 20, max_file_bytes: 8 << 30 }
    }
}

/// What was found when a log was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recovery {
    /// Whole records.
    pub records: u64,
    /// Bytes of a record that a crash left unfinished at the end; they were cut off.
    pub torn_bytes: u64,
}

/// A log of JSON objects, one a line, each with its checksum under the reserved key `crc`. One process writes it.
///
/// [`append`](Self::append) hands a record to the operating system, so it survives the process;
/// [`sync`](Self::sync) brings all of them to the disk, so they survive the machine.
#[derive(Debug)]
pub struct AppendLog {
    file: File,
    path: PathBuf,
    files: Files,
    limits: LogLimits,
    len: u64,
    is_poisoned: bool,
}

impl AppendLog {
    /// Opens or starts the log at `path` and cuts off a record that a crash left unfinished.
    ///
    /// Only a last line without line end is cut, which is what a crash leaves, and only in a file that begins as
    /// logs do. Nothing else is ever taken out of a file.
    ///
    /// # Errors
    /// [`Error::NotAFile`] for anything but a regular file, [`Error::NotALog`] for a file whose first line is no
    /// record, [`Error::CorruptRecord`] for a damaged line behind it; the file stays as it is. [`Error::Held`] when
    /// another process writes it.
    pub fn open(path: &Path, limits: LogLimits) -> Result<(Self, Recovery), Error> {
        Self::open_with(Files::default(), path, limits)
    }

    /// As [`open`](Self::open), with steps that `files` may fail.
    pub fn open_with(files: Files, path: &Path, limits: LogLimits) -> Result<(Self, Recovery), Error> {
        files.before(Step::Open, path)?;
        let is_new = !path.exists();
        let file = open_regular_with(OpenOptions::new().read(true).append(true).create(true), path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::Held { path: path.to_owned(), holder: None }),
            Err(TryLockError::Error(source)) => return Err(Error::io(Step::Lock, path)(source)),
        }
        if is_new && let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
            files.sync_dir(dir)?;
        }
        let Scanned { recovery, len } = scan(&file, path, limits)?;
        let mut log = Self { file, path: path.to_owned(), files, limits, len, is_poisoned: false };
        if recovery.torn_bytes > 0 {
            log.cut_to(len)?;
            log.sync()?;
        }
        Ok((log, recovery))
    }

    /// Adds a record, which must serialise as a JSON object. A failure leaves the log as it was.
    pub fn append<T: Serialize + ?Sized>(&mut self, record: &T) -> Result<(), Error> {
        if self.is_poisoned {
            return Err(Error::Poisoned { path: self.path.clone() });
        }
        let line = self.seal(record)?;
        let len = self.len + line.len() as u64;
        if len > self.limits.max_file_bytes {
            return Err(Error::LogFull { path: self.path.clone(), max_bytes: self.limits.max_file_bytes });
        }
        self.files.before(Step::Write, &self.path)?;
        if let Err(source) = self.file.write_all(&line) {
            self.is_poisoned = self.cut_to(self.len).is_err();
            return Err(Error::io(Step::Write, &self.path)(source));
        }
        self.len = len;
        Ok(())
    }

    fn seal<T: Serialize + ?Sized>(&self, record: &T) -> Result<Vec<u8>, Error> {
        let object =
            serde_json::to_vec(record).map_err(|source| Error::Json { path: self.path.clone(), source })?;
        let bad = |reason| Error::BadRecord { path: self.path.clone(), reason };
        if object.len() > self.limits.max_record_bytes {
            let max = self.limits.max_record_bytes;
            return Err(bad(format!("it has {} bytes, at most {max} are allowed", object.len())));
        }
        seal(&object).map_err(bad)
    }

    /// Brings every record to the disk.
    pub fn sync(&mut self) -> Result<(), Error> {
        self.files.before(Step::SyncFile, &self.path)?;
        self.file.sync_data().map_err(Error::io(Step::SyncFile, &self.path))
    }

    /// Length of the log, bytes.
    pub fn len_bytes(&self) -> u64 {
        self.len
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn cut_to(&mut self, len: u64) -> Result<(), Error> {
        self.files.before(Step::Truncate, &self.path)?;
        self.file.set_len(len).map_err(Error::io(Step::Truncate, &self.path))
    }
}

struct Scanned {
    recovery: Recovery,
    /// Bytes of the whole records.
    len: u64,
}

fn scan(file: &File, path: &Path, limits: LogLimits) -> Result<Scanned, Error> {
    let mut entries = Entries::new(file, path, limits);
    let mut recovery = Recovery { records: 0, torn_bytes: 0 };
    while let Some(entry) = entries.next_entry()? {
        match entry {
            Entry::Record(_) => recovery.records += 1,
            Entry::Torn(bytes) => recovery.torn_bytes = bytes,
        }
    }
    Ok(Scanned { recovery, len: entries.offset() - recovery.torn_bytes })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io;
    use std::sync::Arc;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::{LogReader, PlannedFault};

    fn open(path: &Path) -> (AppendLog, Recovery) {
        AppendLog::open(path, LogLimits::default()).unwrap()
    }

    fn numbers(path: &Path) -> Vec<u64> {
        LogReader::open(path, LogLimits::default())
            .unwrap()
            .map(|record| {
                serde_json::from_slice::<serde_json::Value>(&record.unwrap()).unwrap()["n"].as_u64().unwrap()
            })
            .collect()
    }

    fn log_of(path: &Path, records: u64) {
        let (mut log, _) = open(path);
        for n in 0..records {
            log.append(&json!({ "n": n })).unwrap();
        }
        log.sync().unwrap();
    }

    #[test]
    fn records_survive_reopening() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("j.jsonl");
        log_of(&path, 3);
        let (mut log, recovery) = open(&path);
        assert_eq!(recovery, Recovery { records: 3, torn_bytes: 0 });
        log.append(&json!({ "n": 3 })).unwrap();
        assert_eq!(numbers(&path), [0, 1, 2, 3]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn a_cut_anywhere_loses_only_the_records_behind_it(cut in 0u64..200) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("j.jsonl");
            log_of(&path, 7);
            let len = fs::metadata(&path).unwrap().len();
            let record_bytes = len / 7;
            let cut = cut.min(len);
            OpenOptions::new().write(true).open(&path).unwrap().set_len(cut).unwrap();
            let (mut log, recovery) = open(&path);
            prop_assert_eq!(recovery, Recovery { records: cut / record_bytes, torn_bytes: cut % record_bytes });
            log.append(&json!({ "n": 9 })).unwrap();
            let mut expected: Vec<u64> = (0..cut / record_bytes).collect();
            expected.push(9);
            prop_assert_eq!(numbers(&path), expected);
        }
    }

    #[test]
    fn damage_in_the_middle_is_an_error_that_names_the_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("j.jsonl");
        log_of(&path, 3);
        let text = fs::read_to_string(&path).unwrap().replace("\"n\":1", "\"n\":7");
        fs::write(&path, &text).unwrap();
        let error = AppendLog::open(&path, LogLimits::default()).unwrap_err();
        assert!(matches!(error, Error::CorruptRecord { line: 2, .. }), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }

    /// Opening `content` as a log fails and changes nothing.
    fn refuse(content: &[u8]) -> Error {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, content).unwrap();
        let error = AppendLog::open(&path, LogLimits::default()).unwrap_err();
        assert_eq!(fs::read(&path).unwrap(), content);
        assert!(error.to_string().contains("file'"), "{error}");
        error
    }

    #[test]
    fn a_file_that_is_no_log_is_refused_and_left_as_it_is() {
        let long_line = vec![b'{'; 3 << 20];
        let others: [&[u8]; 9] = [
            b"date,open,high,low,close,volume\n2024-01-01,1,1,1,1,1\n",
            b"date,open,high,low,close,volume",
            b"{\n  \"model_id\": \"m\"\n}\n",
            b"{\"model_id\":\"m\"}\n",
            b"{\"model_id\":\"m\"}",
            b"\n",
            b"\x1f\x8b\x08\x00",
            &[0; 4096],
            &long_line,
        ];
        for content in others {
            let error = refuse(content);
            assert!(matches!(error, Error::NotALog { .. }), "{error}");
        }
    }

    #[test]
    fn a_damaged_last_line_that_ends_is_an_error_and_not_cut() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("j.jsonl");
        log_of(&path, 3);
        let text = fs::read_to_string(&path).unwrap();
        let damaged = [text.replace("\"n\":2", "\"n\":7"), format!("{text}no record\n"), format!("{text}\n")];
        let lines = damaged.map(|content| match refuse(content.as_bytes()) {
            Error::CorruptRecord { line, .. } => line,
            error => panic!("{error}"),
        });
        assert_eq!(lines, [3, 4, 4]);
    }

    #[test]
    fn damaged_lines_up_to_the_end_lose_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("j.jsonl");
        log_of(&path, 4);
        let text = fs::read_to_string(&path).unwrap().replace("\"n\":2", "\"n\":7").replace("\"n\":3", "n:3");
        let error = refuse(text.as_bytes());
        assert!(matches!(error, Error::CorruptRecord { line: 3, .. }), "{error}");
        let error = refuse([text.as_bytes(), b"{\"n\":"].concat().as_slice());
        assert!(matches!(error, Error::CorruptRecord { line: 3, .. }), "{error}");
    }

    #[test]
    fn a_cut_that_fails_leaves_the_torn_line_to_the_next_opening() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("j.jsonl");
        log_of(&path, 2);
        let torn = [fs::read(&path).unwrap(), b"{\"n\":2".to_vec()].concat();
        fs::write(&path, &torn).unwrap();
        let files = Files::with_faults(Arc::new(PlannedFault::once(1, io::ErrorKind::ReadOnlyFilesystem)));
        let error = AppendLog::open_with(files, &path, LogLimits::default()).unwrap_err();
        assert!(matches!(error, Error::Io { step: Step::Truncate, .. }), "{error}");
        assert_eq!(fs::read(&path).unwrap(), torn);
        assert_eq!(open(&path).1, Recovery { records: 2, torn_bytes: 6 });
        assert_eq!(numbers(&path), [0, 1]);
    }

    #[test]
    fn bounds_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("j.jsonl");
        let limits = LogLimits { max_record_bytes: 20, max_file_bytes: 60 };
        let (mut log, _) = AppendLog::open(&path, limits).unwrap();
        assert!(matches!(log.append(&json!({ "n": "x".repeat(20) })), Err(Error::BadRecord { .. })));
        assert!(matches!(log.append(&json!([1])), Err(Error::BadRecord { .. })));
        log.append(&json!({ "n": 1 })).unwrap();
        log.append(&json!({ "n": 2 })).unwrap();
        assert!(matches!(log.append(&json!({ "n": 3 })), Err(Error::LogFull { .. })));
        assert_eq!(numbers(&path), [1, 2]);
    }

    #[test]
    fn two_writers_are_kept_apart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("j.jsonl");
        let (_log, _) = open(&path);
        assert!(matches!(AppendLog::open(&path, LogLimits::default()), Err(Error::Held { .. })));
    }

    #[test]
    fn a_failed_append_leaves_the_log_usable() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("j.jsonl");
        log_of(&path, 1);
        for step in 0..3 {
            let plan = Arc::new(PlannedFault::once(step, io::ErrorKind::StorageFull));
            let run = || {
                let (mut log, _) =
                    AppendLog::open_with(Files::with_faults(plan), &path, LogLimits::default())?;
                log.append(&json!({ "n": 5 }))?;
                log.sync()
            };
            assert!(run().unwrap_err().is_environment_fault());
        }
        assert_eq!(numbers(&path), [0, 5]);
    }
}
