//! The records of a journal in order, while it is written.

use std::path::{Path, PathBuf};

use walkforward_durable::LogPlace;
use walkforward_store::JournalPosition;

use crate::LiveError;
use crate::journal::{JournalRecord, Records, Segment, segment_numbers, segment_path};

/// What a tail gives.
#[derive(Debug, Clone, PartialEq)]
pub enum Tailed {
    /// The next record, those of a segment's head too.
    Record(JournalPosition, Box<JournalRecord>),
    /// What came behind `after` is gone: retention has removed it before it was read. The tail goes on with this segment.
    Gap {
        /// The last record that was read.
        after: JournalPosition,
        /// The oldest segment that is left.
        segment: u64,
    },
}

/// Reads a journal's folder from any position on, as far as it is written. Holds one file open, and no more than one record
/// in memory.
pub struct JournalTail {
    folder: PathBuf,
    /// The last record that was given; record 0 is before the head of the segment after.
    at: JournalPosition,
    reader: Option<Records>,
    /// Where the reader has come to in the segment of `at`.
    place: LogPlace,
}

impl JournalTail {
    /// All that the folder holds, from its oldest segment on.
    pub fn new(folder: &Path) -> Self {
        Self::behind(folder, JournalPosition::before(1)).of_what_is_left()
    }

    /// From the head of segment `segment` on, or of the next one that is left.
    pub fn at_segment(folder: &Path, segment: u64) -> Self {
        Self::behind(folder, JournalPosition::before(segment)).of_what_is_left()
    }

    /// What comes behind `at`.
    pub fn behind(folder: &Path, at: JournalPosition) -> Self {
        Self { folder: folder.to_owned(), at, reader: None, place: LogPlace::default() }
    }

    /// Begins with the oldest segment that is left, if the one that was asked for is gone: that is no gap then.
    fn of_what_is_left(mut self) -> Self {
        if let Ok(Some(next)) = self.segment_after(self.at.segment) {
            self.at = JournalPosition::before(next);
        }
        self
    }

    /// The last record that it has given.
    pub fn position(&self) -> JournalPosition {
        self.at
    }

    /// The next record; none where there is none yet, or none up to `until`. Without `until` everything whole is given,
    /// whether or not it is on the disk.
    ///
    /// # Errors
    /// A file can't be read, or a line of it is damaged. Asking again tries again.
    pub fn next(&mut self, until: Option<JournalPosition>) -> Result<Option<Tailed>, LiveError> {
        loop {
            if until.is_some_and(|until| self.at >= until) {
                return Ok(None);
            }
            if self.at.record > 0
                && let Some(tailed) = self.read_on()?
            {
                return Ok(Some(tailed));
            }
            let Some(next) = self.segment_after(self.at.segment)? else { return Ok(None) };
            if until.is_none() && Segment::open(&segment_path(&self.folder, next))?.is_none() {
                return Ok(None);
            }
            // The segment is over now that there is another: what was written meanwhile comes first.
            if self.at.record > 0
                && let Some(tailed) = self.read_on()?
            {
                return Ok(Some(tailed));
            }
            if let Some(tailed) = self.enter(next)? {
                return Ok(Some(tailed));
            }
        }
    }

    /// The next record of the present segment, or that the segment is gone.
    fn read_on(&mut self) -> Result<Option<Tailed>, LiveError> {
        let mut reader = match self.reader.take() {
            Some(reader) => reader,
            None => match self.open(self.at.segment)? {
                Some(reader) => reader,
                None => return self.gap(),
            },
        };
        match reader.next().transpose()? {
            Some(record) => {
                self.at.record += 1;
                self.place = reader.place();
                self.reader = Some(reader);
                Ok(Some(Tailed::Record(self.at, Box::new(record))))
            }
            // Opened again at the same place, it finds what comes later.
            None => Ok(None),
        }
    }

    /// The present segment from where the tail is in it; none when the file is gone.
    fn open(&mut self, segment: u64) -> Result<Option<Records>, LiveError> {
        let path = segment_path(&self.folder, segment);
        let mut reader = match Records::open_at(&path, self.place) {
            Err(LiveError::Journal(error)) if error.is_not_found() => return Ok(None),
            reader => reader?,
        };
        while self.place.records < self.at.record {
            match reader.skip_one()? {
                true => self.place = reader.place(),
                // A power failure took what was not on the disk: what follows has other numbers.
                false => break,
            }
        }
        Ok(Some(reader))
    }

    fn gap(&mut self) -> Result<Option<Tailed>, LiveError> {
        let after = self.at;
        let Some(segment) = self.segment_after(after.segment)? else { return Ok(None) };
        self.at = JournalPosition::before(segment);
        self.place = LogPlace::default();
        Ok(Some(Tailed::Gap { after, segment }))
    }

    /// Goes on with the head of segment `next`; that some were left out, when they were.
    fn enter(&mut self, next: u64) -> Result<Option<Tailed>, LiveError> {
        let after = self.at;
        self.reader = None;
        self.place = LogPlace::default();
        if next > after.segment + 1 {
            self.at = JournalPosition::before(next);
            return Ok(Some(Tailed::Gap { after, segment: next }));
        }
        self.at = JournalPosition { segment: next, record: 0 };
        let Some(mut reader) = self.open(next)? else {
            self.at = after;
            return self.gap();
        };
        let Some(record) = reader.next().transpose()? else {
            self.at = after;
            return Ok(None);
        };
        self.at.record = 1;
        self.place = reader.place();
        self.reader = Some(reader);
        Ok(Some(Tailed::Record(self.at, Box::new(record))))
    }

    fn segment_after(&self, segment: u64) -> Result<Option<u64>, LiveError> {
        Ok(segment_numbers(&self.folder)?.into_iter().find(|number| *number > segment))
    }
}
