//! The handle of a running scheduler.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use walkforward_core::LineName;
use walkforward_store::{ScheduleId, ScheduleRecord};

use super::ports::LedgerError;
use super::slot::Slot;
use super::view::{Board, Overview, ScheduleView};
use super::{Answer, Asked, Request};
use crate::schedule::{Command, Refused, TimingError};

/// Why a command was not carried out, or the scheduler ended.
#[derive(Debug, thiserror::Error)]
pub enum SchedulerError {
    /// The command makes no sense in the schedule's present state.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The schedule's configuration says no due times.
    #[error("schedule '{schedule}' can't be used: {source}")]
    Unusable {
        /// Which schedule.
        schedule: ScheduleId,
        /// What is wrong with it.
        source: TimingError,
    },
    /// There is no such schedule.
    #[error("there is no schedule '{schedule}'; list the schedules to see their ids")]
    Unknown {
        /// Its id.
        schedule: ScheduleId,
    },
    /// The change could not be persisted, so it was not made.
    #[error("nothing was done about schedule '{schedule}', because it can't be recorded: {source}")]
    NotRecorded {
        /// Which schedule.
        schedule: ScheduleId,
        /// Why not.
        source: LedgerError,
    },
    /// An earlier step can't be persisted, and nothing happens before it is.
    #[error(
        "no command is taken at present, because nothing can be recorded: {reason}; try again when that is over"
    )]
    Blocked {
        /// Why not.
        reason: String,
    },
    /// Another training is in the way.
    #[error("{reason}; try again when that is over")]
    Busy {
        /// Which.
        reason: String,
    },
    /// The schedules can't be loaded.
    #[error("the schedules can't be loaded: {0}")]
    Load(LedgerError),
    /// The scheduler has stopped, and the ends of some cycles are not recorded.
    #[error(
        "the scheduler stopped, and the ends of its last cycles can't be recorded: {0}; the next start records them"
    )]
    EndsNotRecorded(LedgerError),
    /// The scheduler does not run.
    #[error("the scheduler is not running")]
    NotRunning,
}

/// Talks to a running scheduler; clones talk to the same one.
///
/// A command answers when what it does is persisted, with the schedule as it then is. Questions are answered at once.
#[derive(Clone)]
pub struct Scheduler {
    requests: mpsc::Sender<Request>,
    board: Arc<Board>,
}

impl Scheduler {
    pub(super) fn new(requests: mpsc::Sender<Request>, board: Arc<Board>) -> Self {
        Self { requests, board }
    }

    /// Takes in a schedule whose record the ledger already holds. One that is active goes on where it was.
    ///
    /// # Errors
    /// There is one with this id, or its configuration says no due times.
    pub async fn add(&self, record: ScheduleRecord) -> Result<ScheduleView, SchedulerError> {
        self.ask(Asked::Add(Box::new(record))).await
    }

    /// Gives a schedule the configuration and line of `record`, which the ledger already holds. Its state stays.
    ///
    /// # Errors
    /// There is no such schedule, its configuration says no due times, or its line would change while a cycle runs.
    pub async fn reconfigure(&self, record: ScheduleRecord) -> Result<ScheduleView, SchedulerError> {
        self.ask(Asked::Reconfigure(Box::new(record))).await
    }

    /// Starts a schedule: the first time its intervals count from now, and it is due at once; later it goes on with
    /// the same due times. A cron expression is due when it says so. Where the clock was once ahead, due times count from
    /// the present again.
    ///
    /// # Errors
    /// There is no such schedule, or it is active, paused or removed.
    pub async fn start(&self, id: &ScheduleId) -> Result<ScheduleView, SchedulerError> {
        self.command(id, Command::Start).await
    }

    /// Stops a schedule and asks its running cycle to stop.
    ///
    /// # Errors
    /// There is no such schedule, or it is not active or paused.
    pub async fn stop(&self, id: &ScheduleId) -> Result<ScheduleView, SchedulerError> {
        self.command(id, Command::Stop).await
    }

    /// Pauses a schedule: it keeps its next due time, and its running cycle goes on.
    ///
    /// # Errors
    /// There is no such schedule, or it is not active.
    pub async fn pause(&self, id: &ScheduleId) -> Result<ScheduleView, SchedulerError> {
        self.command(id, Command::Pause).await
    }

    /// Ends a pause. Due times that have passed are missed. Where the clock was once ahead, due times count from the
    /// present again.
    ///
    /// # Errors
    /// There is no such schedule, or it is not paused.
    pub async fn resume(&self, id: &ScheduleId) -> Result<ScheduleView, SchedulerError> {
        self.command(id, Command::Resume).await
    }

    /// Runs a cycle now, or queues it where the schedule queues. Its number is the view's `current_cycle`.
    ///
    /// # Errors
    /// There is no such schedule, it is not active, or something else runs and it does not queue.
    pub async fn trigger(&self, id: &ScheduleId) -> Result<ScheduleView, SchedulerError> {
        self.command(id, Command::Trigger).await
    }

    /// Removes a schedule and asks its running cycle to stop.
    ///
    /// # Errors
    /// There is no such schedule.
    pub async fn remove(&self, id: &ScheduleId) -> Result<ScheduleView, SchedulerError> {
        self.command(id, Command::Remove).await
    }

    /// A schedule as it is now.
    ///
    /// # Errors
    /// There is no such schedule.
    pub fn status(&self, id: &ScheduleId) -> Result<ScheduleView, SchedulerError> {
        self.board.view(id).ok_or_else(|| SchedulerError::Unknown { schedule: id.clone() })
    }

    /// All schedules as they are now, by id.
    pub fn list(&self) -> Vec<ScheduleView> {
        self.board.all()
    }

    /// The scheduler as it is now.
    pub fn overview(&self) -> Overview {
        self.board.overview()
    }

    async fn command(&self, id: &ScheduleId, command: Command) -> Result<ScheduleView, SchedulerError> {
        self.ask(Asked::Command(id.clone(), command)).await
    }

    /// Room for a training on `line` that is no cycle and that others know as `who`: one of
    /// [`max_concurrent_trainings`](super::SchedulerOptions::max_concurrent_trainings), and never beside another
    /// training of the line. Cycles treat it as one of theirs until the slot is dropped.
    ///
    /// # Errors
    /// [`SchedulerError::Busy`] where another training is in the way.
    pub async fn reserve(&self, line: &LineName, who: &str) -> Result<Slot, SchedulerError> {
        let (line, who) = (line.clone(), who.to_owned());
        self.send(|answer| Request::Reserve { line, who, answer }).await
    }

    async fn ask(&self, what: Asked) -> Result<ScheduleView, SchedulerError> {
        self.send(|answer| Request::Schedule { what, answer }).await
    }

    async fn send<T>(&self, request: impl FnOnce(Answer<T>) -> Request) -> Result<T, SchedulerError> {
        let (answer, answered) = oneshot::channel();
        self.requests.send(request(answer)).await.map_err(|_| SchedulerError::NotRunning)?;
        answered.await.map_err(|_| SchedulerError::NotRunning)?
    }
}
