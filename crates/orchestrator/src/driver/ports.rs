//! What the scheduler needs from others.

use std::error::Error;

use async_trait::async_trait;
use walkforward_core::{CancelToken, Timestamp};
use walkforward_store::{CycleTrigger, ScheduleChange, ScheduleId, ScheduleRecord};

use crate::schedule::{Announcement, CycleEnd, OpenCycle};

/// Where schedules and cycles are kept. Its calls may block; the scheduler makes them on a thread for such work.
pub trait ScheduleLedger: Send + Sync {
    /// Persists all of `changes` or nothing, and returns the numbers of the events among them, in order.
    ///
    /// # Errors
    /// Nothing was persisted. It is called again with the same changes when [`LedgerError::may_pass`] says so.
    fn commit(&self, changes: &[ScheduleChange]) -> Result<Vec<i64>, LedgerError>;

    /// All schedules that are not removed, and those with cycles that have no end.
    ///
    /// # Errors
    /// They can't be read.
    fn load(&self) -> Result<Vec<LoadedSchedule>, LedgerError>;
}

/// A schedule as an earlier process left it.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadedSchedule {
    /// Its record.
    pub record: ScheduleRecord,
    /// Its cycles without an end.
    pub open: Vec<OpenCycle>,
}

/// Why nothing was persisted.
#[derive(Debug, thiserror::Error)]
#[error("{source}")]
pub struct LedgerError {
    /// Whether the same may work later: a locked database, a full disk. Otherwise the changes themselves are refused.
    pub may_pass: bool,
    /// The schedule whose changes are refused, where that is known.
    pub schedule: Option<ScheduleId>,
    /// What went wrong.
    pub source: Box<dyn Error + Send + Sync>,
}

impl LedgerError {
    pub(super) fn panicked(panic: &tokio::task::JoinError) -> Self {
        Self { may_pass: true, schedule: None, source: format!("the ledger did not answer: {panic}").into() }
    }
}

/// A cycle that starts.
#[derive(Debug, Clone, PartialEq)]
pub struct CycleStart {
    /// Its schedule. Settings and checkpoint are those of when the schedule was loaded, added or reconfigured.
    pub schedule: ScheduleRecord,
    /// Its number.
    pub number: u64,
    /// When it was due.
    pub due_at: Timestamp,
    /// Why it runs.
    pub trigger: CycleTrigger,
}

/// Runs cycles.
#[async_trait]
pub trait CycleRunner: Send + Sync {
    /// Runs a cycle to its end; `cancel` asks it to stop soon. A panic is a failed cycle.
    ///
    /// That it started, was skipped or failed is announced by the scheduler, what it came to by the runner.
    async fn run(&self, cycle: CycleStart, cancel: CancelToken) -> CycleEnd;
}

/// Who is told what has happened, after it was persisted.
pub trait Announcer: Send + Sync {
    /// Takes event number `number`. It must not wait.
    fn announce(&self, number: i64, announcement: &Announcement);
}

/// Nobody wants to know.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoAnnouncements;

impl Announcer for NoAnnouncements {
    fn announce(&self, _number: i64, _announcement: &Announcement) {}
}
