//! The one place through which all that a session does goes into its journal.

use std::time::Duration;

use walkforward_core::Timestamp;

use crate::journal::{JournalRecord, SegmentHead};
use crate::{DecisionJournal, LiveError};

/// Journals what happens.
#[derive(Debug)]
pub(crate) struct Recorder {
    journal: DecisionJournal,
}

impl Recorder {
    pub(crate) fn new(journal: DecisionJournal) -> Self {
        Self { journal }
    }

    /// Adds a record of what happened at `at`.
    pub(crate) fn append(&mut self, record: &JournalRecord, _at: Timestamp) -> Result<(), LiveError> {
        self.journal.append(record)
    }

    /// Begins a segment; its head is on the disk when this returns.
    pub(crate) fn begin(&mut self, head: SegmentHead<'_>) -> Result<(), LiveError> {
        self.journal.begin(head)
    }

    /// Whether the next record should come into another segment.
    pub(crate) fn is_full(&self, now: Timestamp) -> bool {
        self.journal.is_full(now)
    }

    /// Brings records to the disk.
    pub(crate) fn sync(&mut self) -> Result<(), LiveError> {
        self.journal.sync()
    }

    /// Brings records to the disk when the last time was a second ago. `now` is the clock's monotonic time.
    pub(crate) fn sync_if_due(&mut self, now: Duration) -> Result<(), LiveError> {
        self.journal.sync_if_due(now)
    }
}
