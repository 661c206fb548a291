//! Writing a journal.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::watch;
use walkforward_core::{Bar, Timestamp};
use walkforward_durable::{AppendLog, FileLock, Files};
use walkforward_store::JournalPosition;

use super::reader::Segment;
use super::{
    Checkpoint, JOURNAL_LIMITS, JournalRecord, MAX_HISTORY_CHUNK, SegmentHeader, SegmentStart, SessionOrigin,
    segment_numbers, segment_path,
};
use crate::LiveError;

/// Longest time that a record may wait for the disk.
const SYNC_INTERVAL: Duration = Duration::from_secs(1);
/// A segment that is a day old goes on until its records are so many times as long as its head.
const LEAST_HEADS: u64 = 4;
const DAY_MS: i64 = 86_400_000;
/// Held by the process that writes the folder. Backups leave names with a dot out.
pub(crate) const LOCK_FILE: &str = ".lock";

/// Bounds of a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JournalBounds {
    /// Bytes after which a segment ends.
    pub segment_bytes: u64,
    /// Segments that are kept, the newest ones; one more while another begins.
    pub keep_segments: usize,
}

impl JournalBounds {
    /// Bytes of a segment that can be asked for.
    pub const SEGMENT_BYTES: std::ops::RangeInclusive<u64> = 4_096..=1 << 30;
    /// Segments that can be asked for.
    pub const KEEP_SEGMENTS: std::ops::RangeInclusive<usize> = 2..=10_000;
}

impl Default for JournalBounds {
    /// Segments of 64 MiB; with a segment a day, more than a year of minutes.
    fn default() -> Self {
        Self { segment_bytes: 64 << 20, keep_segments: 400 }
    }
}

/// What a segment begins with. The header's number and count of bars are filled in when it is written.
pub struct SegmentHead<'a> {
    /// What the session runs under.
    pub header: SegmentHeader,
    /// What it has come to.
    pub checkpoint: Checkpoint,
    /// The bars that warm features up, oldest first.
    pub history: Box<dyn ExactSizeIterator<Item = &'a Bar> + 'a>,
}

/// Writes the journal: records reach the operating system at once and the disk within a second.
#[derive(Debug)]
pub struct DecisionJournal {
    folder: PathBuf,
    files: Files,
    bounds: JournalBounds,
    current: Option<Current>,
    last_sync: Duration,
    is_dirty: bool,
    torn_bytes: u64,
    /// The last record that is on the disk, for those who follow.
    synced: watch::Sender<Option<JournalPosition>>,
    _lock: FileLock,
}

#[derive(Debug)]
struct Current {
    log: AppendLog,
    number: u64,
    /// Records of the segment, those of its head too.
    records: u64,
    head_bytes: u64,
    day: i64,
}

impl DecisionJournal {
    /// Takes the journal in `folder`, and mends what a crash has left: a record without its end is cut off, a segment
    /// whose head is not whole is removed. `now` is the clock's, `monotonic` its monotonic time.
    ///
    /// # Errors
    /// Something else has the name, another process writes it, or its newest segment is damaged before its end; what is
    /// there stays as it is.
    pub fn open(
        folder: &Path,
        bounds: JournalBounds,
        now: Timestamp,
        monotonic: Duration,
    ) -> Result<Self, LiveError> {
        Self::open_with(Files::default(), folder, bounds, now, monotonic)
    }

    /// As [`open`](Self::open), with steps that `files` may fail.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with(
        files: Files,
        folder: &Path,
        bounds: JournalBounds,
        now: Timestamp,
        monotonic: Duration,
    ) -> Result<Self, LiveError> {
        if folder.exists() && !folder.is_dir() {
            return Err(LiveError::NotAFolder { path: folder.to_owned() });
        }
        files.create_dir_all_durable(folder)?;
        let lock = FileLock::try_exclusive(&folder.join(LOCK_FILE), now.as_millis())?;
        let torn_bytes = mend(&files, folder)?;
        let folder = folder.to_owned();
        Ok(Self {
            folder,
            files,
            bounds,
            current: None,
            last_sync: monotonic,
            is_dirty: false,
            torn_bytes,
            synced: watch::Sender::new(None),
            _lock: lock,
        })
    }

    /// From now on tells through `synced` which record is the last one on the disk. Before the first segment begins it is
    /// none; when the journal is closed, the channel is.
    pub fn publish_to(&mut self, synced: watch::Sender<Option<JournalPosition>>) {
        self.synced = synced;
    }

    /// The last record that was written; none before the first segment begins.
    pub fn position(&self) -> Option<JournalPosition> {
        self.current.as_ref().map(Current::position)
    }

    /// Where it lies.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Bytes of an unfinished record that were cut off when it was opened.
    pub fn torn_bytes(&self) -> u64 {
        self.torn_bytes
    }

    /// Begins a segment. Its head is on the disk when this returns, and old segments beyond the bound are gone.
    ///
    /// # Errors
    /// The disk is full or fails; then the segment that was written goes on, or there is none still.
    pub fn begin(&mut self, head: SegmentHead<'_>) -> Result<(), LiveError> {
        if self.current.is_some() {
            self.sync()?;
        }
        let number = self.next_number()?;
        let path = segment_path(&self.folder, number);
        let day = day_of(head.header.started_at);
        let written = write_head(&self.files, &path, number, head);
        let (log, records) = match written {
            Ok(written) => written,
            Err(error) => {
                // It never counted. Where it can't be removed either, the next start does.
                let _ = self.files.remove_file(&path);
                return Err(error);
            }
        };
        let head_bytes = log.len_bytes();
        let current = Current { log, number, records, head_bytes, day };
        self.synced.send_replace(Some(current.position()));
        self.current = Some(current);
        self.is_dirty = false;
        self.forget_old(number)
    }

    /// Number of the segment that begins next.
    pub(crate) fn next_number(&self) -> Result<u64, LiveError> {
        Ok(segment_numbers(&self.folder)?.last().map_or(1, |last| last + 1))
    }

    /// Removes the oldest segments beyond the bound.
    fn forget_old(&self, newest: u64) -> Result<(), LiveError> {
        let numbers = segment_numbers(&self.folder)?;
        let surplus = numbers.len().saturating_sub(self.bounds.keep_segments);
        let old = numbers.into_iter().filter(|number| *number < newest).take(surplus);
        for number in old {
            self.files.remove_file(&segment_path(&self.folder, number))?;
        }
        Ok(())
    }

    /// Whether the segment is so long, or so old, that the next record should come into another.
    pub fn is_full(&self, now: Timestamp) -> bool {
        let Some(Current { log, head_bytes, day, .. }) = &self.current else { return false };
        let len = log.len_bytes();
        let records = len - head_bytes;
        // A head alone may be longer than the bound: each segment holds something.
        let is_long = len >= self.bounds.segment_bytes && records >= *head_bytes;
        is_long || (day_of(now) > *day && records >= LEAST_HEADS * head_bytes)
    }

    /// Adds a record.
    ///
    /// # Errors
    /// The disk is full, the record or the file passes [`JOURNAL_LIMITS`], or no segment has begun.
    pub fn append(&mut self, record: &JournalRecord) -> Result<(), LiveError> {
        let Some(current) = &mut self.current else { return Err(LiveError::NoSegment) };
        current.log.append(record)?;
        current.records += 1;
        self.is_dirty = true;
        Ok(())
    }

    /// Brings records to the disk when the last time was a second ago. `now` is the clock's monotonic time.
    ///
    /// # Errors
    /// The disk fails.
    pub fn sync_if_due(&mut self, now: Duration) -> Result<(), LiveError> {
        if self.is_sync_due(now) {
            self.sync()?;
            self.last_sync = now;
        }
        Ok(())
    }

    /// Whether [`sync_if_due`](Self::sync_if_due) would bring something to the disk.
    pub(crate) fn is_sync_due(&self, now: Duration) -> bool {
        self.is_dirty && now.saturating_sub(self.last_sync) >= SYNC_INTERVAL
    }

    /// Brings records to the disk.
    ///
    /// # Errors
    /// The disk fails.
    pub fn sync(&mut self) -> Result<(), LiveError> {
        if let Some(current) = &mut self.current {
            current.log.sync()?;
            if self.is_dirty {
                self.synced.send_replace(Some(current.position()));
            }
        }
        self.is_dirty = false;
        Ok(())
    }

    /// Number of the segment that is written; none before the first begins.
    pub fn segment(&self) -> Option<u64> {
        self.current.as_ref().map(|current| current.number)
    }
}

impl Current {
    fn position(&self) -> JournalPosition {
        JournalPosition { segment: self.number, record: self.records }
    }
}

fn day_of(time: Timestamp) -> i64 {
    time.as_millis().div_euclid(DAY_MS)
}

fn write_head(
    files: &Files,
    path: &Path,
    number: u64,
    head: SegmentHead<'_>,
) -> Result<(AppendLog, u64), LiveError> {
    let SegmentHead { mut header, checkpoint, mut history } = head;
    header.segment = number;
    if header.start == SegmentStart::New {
        header.session = SessionOrigin { first_segment: number, began_at: header.started_at };
    }
    header.history_bars = history.len() as u64;
    let (mut log, _) = AppendLog::open_with(files.clone(), path, JOURNAL_LIMITS)?;
    log.append(&JournalRecord::Header(Box::new(header)))?;
    log.append(&JournalRecord::Checkpoint(Box::new(checkpoint)))?;
    let mut records = 2;
    loop {
        let bars: Vec<Bar> = history.by_ref().take(MAX_HISTORY_CHUNK).copied().collect();
        if bars.is_empty() {
            break;
        }
        log.append(&JournalRecord::History { bars })?;
        records += 1;
    }
    log.sync()?;
    Ok((log, records))
}

/// Cuts the torn record off the newest segment, and removes it when its head is not whole. Gives the bytes cut off.
fn mend(files: &Files, folder: &Path) -> Result<u64, LiveError> {
    let Some(newest) = segment_numbers(folder)?.pop() else { return Ok(0) };
    let path = segment_path(folder, newest);
    if Segment::open(&path)?.is_none() {
        tracing::warn!(path = %path.display(), "removed a segment of the journal whose head was not finished");
        files.remove_file(&path)?;
        files.sync_dir(folder)?;
        return Ok(0);
    }
    let (_, recovery) = AppendLog::open_with(files.clone(), &path, JOURNAL_LIMITS)?;
    if recovery.torn_bytes > 0 {
        let (bytes, path) = (recovery.torn_bytes, path.display());
        tracing::warn!(bytes, %path, "cut a record off the journal that an earlier process left unfinished");
    }
    Ok(recovery.torn_bytes)
}
