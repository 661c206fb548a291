//! What a stream has been through.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts since the start of a stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StreamFigures {
    /// Attempts to connect.
    pub attempts: u64,
    /// Connections that became ready: the first, and each reconnect.
    pub ready: u64,
    /// Messages of kinds that nobody knows; they are ignored.
    pub unknown: u64,
    /// Frames that are no messages, and messages with a bar or a channel that can't be read; they are ignored.
    pub garbage: u64,
    /// Messages about other symbols; they are ignored.
    pub foreign: u64,
    /// Errors that the service has told.
    pub errors: u64,
}

/// Counters that a stream's task and its owner share.
#[derive(Debug, Default)]
pub(crate) struct StreamCounters {
    pub(crate) attempts: AtomicU64,
    pub(crate) ready: AtomicU64,
    pub(crate) unknown: AtomicU64,
    pub(crate) garbage: AtomicU64,
    pub(crate) foreign: AtomicU64,
    pub(crate) errors: AtomicU64,
}

/// Counts one.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl StreamCounters {
    pub(crate) fn figures(&self) -> StreamFigures {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        StreamFigures {
            attempts: read(&self.attempts),
            ready: read(&self.ready),
            unknown: read(&self.unknown),
            garbage: read(&self.garbage),
            foreign: read(&self.foreign),
            errors: read(&self.errors),
        }
    }
}
