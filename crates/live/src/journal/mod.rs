//! The decision journal: everything that is needed to go on with a session, and to decide it again.
//!
//! A session lives in a folder of segments, `00000001.journal` and so on: JSON lines with a checksum each. A segment
//! begins with its head (header, checkpoint, the bars that warm features up) and stands alone: what comes after the head
//! is a function of it. Each start of a process begins a segment, and so does a long or old one; a head that a crash cut
//! short never counted, and is removed.

mod reader;
mod record;
mod recovery;
mod segment;
mod verify;

use std::path::{Path, PathBuf};

use walkforward_durable::LogLimits;

use crate::LiveError;

pub(crate) use reader::Records;
pub(crate) use reader::segment_paths;
pub use reader::{JournalReader, Segment, read_journal};
pub use record::{
    Asked, BarRecord, Checkpoint, EventRecord, Followed, JournalRecord, ModelStamp, PAPER, SegmentHeader,
    SegmentStart, SessionCounts, SessionOrigin, StampedEvent,
};
pub use recovery::{Recovered, recover};
pub(crate) use recovery::{close_as_recorded, follow_as_recorded, newest_header, same_figures, take_order};
pub(crate) use segment::LOCK_FILE;
pub use segment::{DecisionJournal, JournalBounds, SegmentHead};
pub use verify::{Difference, VerifyReport, verify_journal, verify_journal_with};

/// Bounds of one segment's file: a record holds one observation or a chunk of history; the file's bound is never met,
/// because [`JournalBounds::segment_bytes`] ends a segment before.
pub const JOURNAL_LIMITS: LogLimits = LogLimits { max_record_bytes: 2 << 20, max_file_bytes: 8 << 30 };
/// Bars in one record of history.
pub const MAX_HISTORY_CHUNK: usize = 1_000;
/// Most segments of a folder that are read.
const MAX_SEGMENTS: usize = 100_000;
/// Ending of a segment's name.
const EXTENSION: &str = "journal";
/// Digits of a segment's number.
const DIGITS: usize = 8;

pub(crate) fn segment_path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:0DIGITS$}.{EXTENSION}"))
}

/// The numbers of the segments in `folder`, ascending; none where there is no folder.
pub(crate) fn segment_numbers(folder: &Path) -> Result<Vec<u64>, LiveError> {
    let failed = |source: std::io::Error| LiveError::Folder { path: folder.to_owned(), source };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut numbers = Vec::new();
    for entry in entries {
        let name = PathBuf::from(entry.map_err(failed)?.file_name());
        let is_segment = name.extension().is_some_and(|extension| extension == EXTENSION);
        let number = name.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
        if let Some(number) = number.filter(|_| is_segment && numbers.len() < MAX_SEGMENTS) {
            numbers.push(number);
        }
    }
    numbers.sort_unstable();
    Ok(numbers)
}
