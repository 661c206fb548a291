//! Reading logs: whole records, and at the end perhaps one that is not finished.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::record::{OVERHEAD_BYTES, is_torn_record, unseal};
use crate::regular::open_regular;
use crate::{Error, LogLimits, Step};

/// One line of a log.
pub(crate) enum Entry {
    /// A whole record: its JSON without the checksum.
    Record(Vec<u8>),
    /// The last line, without line end, of so many bytes: a crash left it, or its writer is at work.
    Torn(u64),
}

/// Tells the lines of a log apart. Only what a crash explains is torn; everything else that is no record is an
/// error.
pub(crate) struct Entries<R> {
    reader: BufReader<R>,
    path: PathBuf,
    buffer: Vec<u8>,
    max_line_bytes: u64,
    line: u64,
    offset: u64,
}

impl<R: Read> Entries<R> {
    pub(crate) fn new(reader: R, path: &Path, limits: LogLimits) -> Self {
        Self::behind(reader, path, limits, LogPlace::default())
    }

    /// The lines of a reader that stands at `place`.
    fn behind(reader: R, path: &Path, limits: LogLimits, place: LogPlace) -> Self {
        let max_line_bytes = (limits.max_record_bytes + OVERHEAD_BYTES) as u64;
        let (path, reader) = (path.to_owned(), BufReader::new(reader));
        let LogPlace { records: line, bytes: offset } = place;
        Self { reader, path, buffer: Vec::new(), max_line_bytes, line, offset }
    }

    /// Bytes of the records and the torn line that were given.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    pub(crate) fn next_entry(&mut self) -> Result<Option<Entry>, Error> {
        self.buffer.clear();
        let mut bounded = self.reader.by_ref().take(self.max_line_bytes);
        let read = bounded.read_until(b'\n', &mut self.buffer).map_err(Error::io(Step::Read, &self.path))?;
        if read == 0 {
            return Ok(None);
        }
        self.line += 1;
        let read = read as u64;
        // Shorter than the bound and without line end: the file ends here.
        let is_last = !self.buffer.ends_with(b"\n") && read < self.max_line_bytes;
        let entry = if is_last { self.torn(read) } else { unseal(&self.buffer).map(Entry::Record) };
        self.offset += read;
        entry.map(Some).map_err(|reason| self.damaged(reason))
    }

    /// Behind a record the last line is the log's own; alone in its file it has to look like a record.
    fn torn(&self, bytes: u64) -> Result<Entry, &'static str> {
        if self.line > 1 || is_torn_record(&self.buffer) {
            return Ok(Entry::Torn(bytes));
        }
        Err("its only line is neither a record nor the beginning of one")
    }

    fn damaged(&self, reason: &str) -> Error {
        let (path, reason) = (self.path.clone(), reason.to_owned());
        match self.line {
            1 => Error::NotALog { path, reason: format!("line 1: {reason}") },
            line => Error::CorruptRecord { path, line, reason },
        }
    }
}

/// A place in a log, behind a whole record: what is before it never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogPlace {
    /// Records before it.
    pub records: u64,
    /// Bytes before it.
    pub bytes: u64,
}

/// Reads the records of a log in order, also while it is being written. Each item is a record's JSON without its
/// checksum. A damaged line ends the iteration with an error; a last line without line end, which a crash or a
/// writer at work leaves, just ends it and is counted in [`torn_bytes`](Self::torn_bytes).
pub struct LogReader {
    entries: Entries<File>,
    torn_bytes: u64,
    is_done: bool,
    place: LogPlace,
}

impl LogReader {
    /// Opens the log at `path` for reading; `limits` as it was written with.
    ///
    /// # Errors
    /// The file is not there, can't be read or is no regular file.
    pub fn open(path: &Path, limits: LogLimits) -> Result<Self, Error> {
        Self::open_at(path, limits, LogPlace::default())
    }

    /// As [`open`](Self::open), from `place` on, which an earlier reader of the same log gave.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_at(path: &Path, limits: LogLimits, place: LogPlace) -> Result<Self, Error> {
        let mut file = open_regular(path)?;
        file.seek(SeekFrom::Start(place.bytes)).map_err(Error::io(Step::Read, path))?;
        let entries = Entries::behind(file, path, limits, place);
        Ok(Self { entries, torn_bytes: 0, is_done: false, place })
    }

    /// The place behind the last record that was given.
    pub fn place(&self) -> LogPlace {
        self.place
    }

    /// Bytes of the unfinished record at the end; 0 before the end is reached and when there is none.
    pub fn torn_bytes(&self) -> u64 {
        self.torn_bytes
    }

    fn read(&mut self) -> Result<Option<Vec<u8>>, Error> {
        match self.entries.next_entry()? {
            Some(Entry::Record(object)) => {
                self.place = LogPlace { records: self.place.records + 1, bytes: self.entries.offset() };
                Ok(Some(object))
            }
            Some(Entry::Torn(bytes)) => {
                self.torn_bytes = bytes;
                Ok(None)
            }
            None => Ok(None),
        }
    }
}

impl Iterator for LogReader {
    type Item = Result<Vec<u8>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_done {
            return None;
        }
        let item = self.read().transpose();
        self.is_done = !matches!(item, Some(Ok(_)));
        item
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::seal;

    fn read(content: &[u8]) -> (usize, u64, Option<Error>) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("j.jsonl");
        std::fs::write(&path, content).unwrap();
        let limits = LogLimits { max_record_bytes: 40, ..LogLimits::default() };
        let mut reader = LogReader::open(&path, limits).unwrap();
        let mut records = 0;
        let mut error = None;
        for item in reader.by_ref() {
            match item {
                Ok(_) => records += 1,
                Err(found) => error = Some(found),
            }
        }
        (records, reader.torn_bytes(), error)
    }

    #[test]
    fn an_unfinished_last_line_is_the_end_of_the_data() {
        let line = seal(br#"{"n":1}"#).unwrap();
        for cut in 1..line.len() {
            let (records, torn_bytes, error) = read(&[&line[..], &line[..cut]].concat());
            assert!(error.is_none(), "{cut}");
            assert_eq!((records, torn_bytes), (1, cut as u64));
            assert_eq!(read(&line[..cut]).1, cut as u64);
        }
        assert!(matches!(read(&line), (1, 0, None)));
        assert!(matches!(read(b""), (0, 0, None)));
    }

    #[test]
    fn a_reader_goes_on_behind_what_was_read_however_often_it_is_cut() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("j.jsonl");
        let lines: Vec<Vec<u8>> =
            (0..4).map(|n| seal(format!(r#"{{"n":{n}}}"#).as_bytes()).unwrap()).collect();
        let whole = lines.concat();
        let mut place = LogPlace::default();
        let mut found = Vec::new();
        for cut in 0..=whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let mut reader = LogReader::open_at(&path, LogLimits::default(), place).unwrap();
            found.extend(reader.by_ref().map(Result::unwrap));
            place = reader.place();
            assert_eq!(place.bytes + reader.torn_bytes(), cut as u64);
        }
        let expected: Vec<Vec<u8>> = (0..4).map(|n| format!(r#"{{"n":{n}}}"#).into_bytes()).collect();
        assert_eq!((found, place.records), (expected, 4));
        let mut damaged = whole.clone();
        damaged.extend_from_slice(b"{}\n");
        std::fs::write(&path, &damaged).unwrap();
        let error =
            LogReader::open_at(&path, LogLimits::default(), place).unwrap().next().unwrap().unwrap_err();
        assert!(matches!(error, Error::CorruptRecord { line: 5, .. }), "{error}");
    }

    #[test]
    fn a_line_that_ends_and_is_no_record_is_an_error() {
        let line = seal(br#"{"n":1}"#).unwrap();
        let (records, torn_bytes, error) = read(&[&line[..], b"{\"n\":2}\n"].concat());
        assert_eq!((records, torn_bytes), (1, 0));
        assert!(matches!(error, Some(Error::CorruptRecord { line: 2, .. })), "{error:?}");
        let (_, _, error) = read(b"date,open\n");
        assert!(matches!(error, Some(Error::NotALog { .. })), "{error:?}");
    }

    #[test]
    fn a_last_line_longer_than_any_record_is_not_taken_for_a_torn_one() {
        let line = seal(br#"{"n":1}"#).unwrap();
        let (_, torn_bytes, error) = read(&[&line[..], &[b'x'; 500]].concat());
        assert_eq!(torn_bytes, 0);
        assert!(matches!(error, Some(Error::CorruptRecord { line: 2, .. })), "{error:?}");
    }
}
