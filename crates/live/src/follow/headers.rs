//! Which sessions a folder holds.

use std::path::Path;

use walkforward_core::SessionId;

use crate::LiveError;
use crate::journal::{JournalRecord, Records, SegmentHeader, segment_numbers, segment_path};

/// The header of segment `segment`; none where it is not whole, or of another version.
pub(crate) fn read_header(folder: &Path, segment: u64) -> Result<Option<SegmentHeader>, LiveError> {
    let mut records = match Records::open_at(&segment_path(folder, segment), Default::default()) {
        Err(LiveError::Journal(error)) if error.is_not_found() => return Ok(None),
        records => records?,
    };
    match records.next() {
        Some(Ok(JournalRecord::Header(header))) if header.schema == SegmentHeader::SCHEMA => {
            Ok(Some(*header))
        }
        // A record of another version says something else.
        None | Some(Ok(_) | Err(LiveError::Record { .. })) => Ok(None),
        Some(Err(error)) => Err(error),
    }
}

/// A session of the folder.
#[derive(Debug, Clone)]
pub(crate) struct JournalSession {
    /// Its name.
    pub(crate) id: SessionId,
    /// The oldest of its segments that is left, and the newest.
    pub(crate) segments: (u64, u64),
}

/// The sessions of a folder whose journals can be read, the oldest first.
#[derive(Debug)]
pub(crate) struct JournalHeaders {
    pub(crate) sessions: Vec<JournalSession>,
}

impl JournalHeaders {
    /// Reads the first line of each segment. What comes before one that this version does not know is left out.
    pub(crate) fn read(folder: &Path) -> Result<Self, LiveError> {
        let mut sessions: Vec<JournalSession> = Vec::new();
        for segment in segment_numbers(folder)? {
            let known = read_header(folder, segment)?.and_then(|header| header.session_id().ok());
            let Some(id) = known else {
                sessions.clear();
                continue;
            };
            match sessions.last_mut().filter(|last| last.id == id) {
                Some(last) => last.segments.1 = segment,
                None => sessions.push(JournalSession { id, segments: (segment, segment) }),
            }
        }
        Ok(Self { sessions })
    }
}
