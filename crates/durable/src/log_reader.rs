//! Reading logs.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use crate::record::{OVERHEAD_BYTES, unseal};
use crate::{Error, LogLimits, Step};

/// Lines of bounded length. A longer one comes in pieces, none of which is a record.
pub(crate) struct Lines<R> {
    reader: BufReader<R>,
    buffer: Vec<u8>,
    max_bytes: u64,
    number: u64,
}

impl<R: Read> Lines<R> {
    pub(crate) fn new(reader: R, limits: LogLimits) -> Self {
        let max_bytes = (limits.max_record_bytes + OVERHEAD_BYTES) as u64;
        Self { reader: BufReader::new(reader), buffer: Vec::new(), max_bytes, number: 0 }
    }

    pub(crate) fn next_line(&mut self) -> std::io::Result<Option<&[u8]>> {
        self.buffer.clear();
        let read = self.reader.by_ref().take(self.max_bytes).read_until(b'\n', &mut self.buffer)?;
        self.number += 1;
        Ok((read > 0).then_some(&self.buffer))
    }

    /// The number of the line given last, from 1.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }
}

/// Reads the records of a log in order, also while it is being written. Each item is a record's JSON without its
/// checksum. An unfinished or damaged line ends the iteration with an error.
pub struct LogReader {
    lines: Lines<File>,
    path: PathBuf,
    is_done: bool,
}

impl LogReader {
    /// Opens the log at `path` for reading; `limits` as it was written with.
    pub fn open(path: &Path, limits: LogLimits) -> Result<Self, Error> {
        let file = File::open(path).map_err(Error::io(Step::Open, path))?;
        Ok(Self { lines: Lines::new(file, limits), path: path.to_owned(), is_done: false })
    }

    fn read(&mut self) -> Result<Option<Vec<u8>>, Error> {
        let line = self.lines.next_line().map_err(Error::io(Step::Read, &self.path))?;
        let Some(line) = line else {
            return Ok(None);
        };
        let object = unseal(line).map_err(str::to_owned);
        let line = self.lines.number();
        object.map(Some).map_err(|reason| Error::CorruptRecord { path: self.path.clone(), line, reason })
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
