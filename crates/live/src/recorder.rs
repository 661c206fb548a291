//! The one place through which all that a session does goes into its journal.

use std::time::Duration;

use walkforward_core::{Timestamp, TradingMode};
use walkforward_store::JournalPosition;

use crate::control::EventLog;
use crate::journal::{JournalRecord, SegmentHead};
use crate::metrics::Meter;
use crate::{DecisionJournal, LiveError};

/// Journals what happens.
#[derive(Debug)]
pub(crate) struct Recorder {
    journal: DecisionJournal,
    events: EventLog,
    meter: Meter,
}

impl Recorder {
    pub(crate) fn new(journal: DecisionJournal, events: EventLog, meter: Meter) -> Self {
        Self { journal, events, meter }
    }

    /// Counts for those who watch from outside.
    pub(crate) fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Adds a record of what happened at `at`, and tells it to those who watch.
    pub(crate) fn append(&mut self, record: &JournalRecord, at: Timestamp) -> Result<(), LiveError> {
        self.journal.append(record)?;
        self.meter.count(record);
        self.events.tell(record, at);
        Ok(())
    }

    /// Tells what the session may do behind what it has recorded.
    pub(crate) fn settled(&mut self, mode: TradingMode, at: Timestamp) {
        self.events.settled(mode, at);
    }

    /// Number of the last event that was told; 0 before the first.
    pub(crate) fn last_event(&self) -> u64 {
        self.events.last()
    }

    /// The last record that was written; none before the first segment.
    pub(crate) fn position(&self) -> Option<JournalPosition> {
        self.journal.position()
    }

    /// Number of the segment that is written; 0 before the first.
    pub(crate) fn segment(&self) -> u64 {
        self.journal.segment().unwrap_or(0)
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
        let Self { journal, meter, .. } = self;
        meter.timed_sync(|| journal.sync())
    }

    /// Brings records to the disk when the last time was a second ago. `now` is the clock's monotonic time.
    pub(crate) fn sync_if_due(&mut self, now: Duration) -> Result<(), LiveError> {
        let Self { journal, meter, .. } = self;
        match journal.is_sync_due(now) {
            true => meter.timed_sync(|| journal.sync_if_due(now)),
            false => Ok(()),
        }
    }
}
