//! Reading a journal, also while it is written.

use std::path::{Path, PathBuf};

use walkforward_core::Bar;
use walkforward_durable::{LogPlace, LogReader};

use super::{Checkpoint, JOURNAL_LIMITS, JournalRecord, SegmentHeader, segment_numbers, segment_path};
use crate::LiveError;

/// A segment whose head is whole, and the records that follow.
pub struct Segment {
    /// What the session runs under.
    pub header: SegmentHeader,
    /// What it had come to.
    pub checkpoint: Checkpoint,
    /// The bars that warm features up, oldest first.
    pub history: Vec<Bar>,
    /// The records after the head.
    pub records: Records,
}

impl Segment {
    /// Reads the head of the segment at `path`; none where it ends before the head does.
    ///
    /// # Errors
    /// It can't be read, is damaged, or is of another version.
    pub fn open(path: &Path) -> Result<Option<Self>, LiveError> {
        let mut records = Records::open(path)?;
        let header = match records.next().transpose()? {
            None => return Ok(None),
            Some(JournalRecord::Header(header)) => *header,
            Some(_) => return Err(records.refuse("expected the header of a segment")),
        };
        if header.schema != SegmentHeader::SCHEMA {
            let (found, known) = (header.schema, SegmentHeader::SCHEMA);
            return Err(records.refuse(&format!("its version is {found}, this program knows {known}")));
        }
        let checkpoint = match records.next().transpose()? {
            None => return Ok(None),
            Some(JournalRecord::Checkpoint(checkpoint)) => *checkpoint,
            Some(_) => return Err(records.refuse("expected the checkpoint of a segment")),
        };
        let mut history = Vec::new();
        while (history.len() as u64) < header.history_bars {
            match records.next().transpose()? {
                None => return Ok(None),
                Some(JournalRecord::History { bars }) if !bars.is_empty() => history.extend(bars),
                Some(_) => return Err(records.refuse("expected the bars before a segment")),
            }
        }
        Ok(Some(Self { header, checkpoint, history, records }))
    }
}

/// The records of one file.
pub struct Records {
    lines: LogReader,
    path: PathBuf,
    count: u64,
}

impl Records {
    fn open(path: &Path) -> Result<Self, LiveError> {
        Self::open_at(path, LogPlace::default())
    }

    /// Those of the file at `path` from `place` on.
    pub(crate) fn open_at(path: &Path, place: LogPlace) -> Result<Self, LiveError> {
        let lines = LogReader::open_at(path, JOURNAL_LIMITS, place)?;
        Ok(Self { lines, path: path.to_owned(), count: place.records })
    }

    /// The place behind the last record that was given.
    pub(crate) fn place(&self) -> LogPlace {
        self.lines.place()
    }

    /// Bytes of the unfinished record at the end; 0 before the end is reached and when there is none.
    pub fn torn_bytes(&self) -> u64 {
        self.lines.torn_bytes()
    }

    /// Passes over a record without reading what it says; whether there was one.
    ///
    /// # Errors
    /// The line is damaged.
    pub(crate) fn skip_one(&mut self) -> Result<bool, LiveError> {
        let line = self.lines.next().transpose()?;
        self.count += u64::from(line.is_some());
        Ok(line.is_some())
    }

    /// The error about the record that came last.
    pub(crate) fn refuse(&self, reason: &str) -> LiveError {
        LiveError::Record { path: self.path.clone(), record: self.count, reason: reason.to_owned() }
    }
}

impl Iterator for Records {
    type Item = Result<JournalRecord, LiveError>;

    fn next(&mut self) -> Option<Self::Item> {
        let line = match self.lines.next()? {
            Ok(line) => line,
            Err(error) => return Some(Err(error.into())),
        };
        self.count += 1;
        Some(serde_json::from_slice(&line).map_err(|error| self.refuse(&error.to_string())))
    }
}

/// The records of all segments in `folder`, oldest first; those of heads too.
///
/// An unfinished last line, which a crash or a session at work leaves, ends a segment; each item before it fails when its
/// line is damaged or no record.
///
/// # Errors
/// The folder can't be read, or holds no segment.
pub fn read_journal(folder: &Path) -> Result<JournalReader, LiveError> {
    Ok(JournalReader { paths: segment_paths(folder)?.into_iter(), current: None, torn_bytes: 0 })
}

/// The segments of `folder`, oldest first.
pub(crate) fn segment_paths(folder: &Path) -> Result<Vec<PathBuf>, LiveError> {
    if folder.exists() && !folder.is_dir() {
        return Err(LiveError::NotAFolder { path: folder.to_owned() });
    }
    let numbers = segment_numbers(folder)?;
    if numbers.is_empty() {
        return Err(LiveError::NoJournal { path: folder.to_owned() });
    }
    Ok(numbers.into_iter().map(|number| segment_path(folder, number)).collect())
}

/// The records of a journal. See [`read_journal`].
pub struct JournalReader {
    paths: std::vec::IntoIter<PathBuf>,
    current: Option<Records>,
    torn_bytes: u64,
}

impl JournalReader {
    /// Bytes of unfinished records at the ends of the segments read so far.
    pub fn torn_bytes(&self) -> u64 {
        self.torn_bytes
    }
}

impl Iterator for JournalReader {
    type Item = Result<JournalRecord, LiveError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(records) = &mut self.current {
                if let Some(record) = records.next() {
                    return Some(record);
                }
                self.torn_bytes += records.torn_bytes();
            }
            self.current = match Records::open(&self.paths.next()?) {
                Ok(records) => Some(records),
                Err(error) => return Some(Err(error)),
            };
        }
    }
}
