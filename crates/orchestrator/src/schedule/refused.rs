//! Commands, and why one is refused.

use std::fmt;

use walkforward_store::{ScheduleId, ScheduleStatus};

/// What somebody asks of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Add it to those that run.
    Add,
    /// Begin with its due times.
    Start,
    /// Leave its due times and cancel what runs.
    Stop,
    /// Start nothing for a while.
    Pause,
    /// End the pause.
    Resume,
    /// Run a cycle now.
    Trigger,
    /// Change when or on which line it runs.
    Reconfigure,
    /// Take it away.
    Remove,
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Add => "added",
            Self::Start => "started",
            Self::Stop => "stopped",
            Self::Pause => "paused",
            Self::Resume => "resumed",
            Self::Trigger => "triggered",
            Self::Reconfigure => "changed",
            Self::Remove => "removed",
        })
    }
}

/// A command that makes no sense in a schedule's present state. Nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("schedule '{schedule}' can't be {command}: {problem}")]
pub struct Refused {
    /// Which schedule.
    pub schedule: ScheduleId,
    /// What was asked.
    pub command: Command,
    /// What state it is in and what can be done.
    pub problem: String,
}

impl Refused {
    pub(crate) fn new(schedule: &ScheduleId, command: Command, problem: impl Into<String>) -> Self {
        Self { schedule: schedule.clone(), command, problem: problem.into() }
    }

    /// `command` asked of a schedule that is not here.
    pub(crate) fn unknown(schedule: &ScheduleId, command: Command) -> Self {
        Self::new(schedule, command, "there is no such schedule; list the schedules to see their ids")
    }
}

/// What keeps a schedule with this status from obeying `command`, and what can be done; `None` when it may.
pub(super) fn problem(status: ScheduleStatus, command: Command) -> Option<&'static str> {
    use Command as C;
    use ScheduleStatus as S;
    match (status, command) {
        (_, C::Add) | (S::Removed, _) => Some("it was removed; add it again under another id"),
        (_, C::Reconfigure | C::Remove)
        | (S::Idle | S::Stopped, C::Start)
        | (S::Active | S::Paused, C::Stop)
        | (S::Active, C::Pause | C::Trigger)
        | (S::Paused, C::Resume) => None,
        (S::Active, C::Start | C::Resume) => Some("it is active already"),
        (S::Paused, C::Start | C::Trigger) => Some("it is paused; resume it"),
        (S::Paused, C::Pause) => Some("it is paused already"),
        (S::Idle, C::Stop) => Some("it was never started; start it or remove it"),
        (S::Idle, C::Pause | C::Resume | C::Trigger) => Some("it was never started; start it"),
        (S::Stopped, C::Stop) => Some("it is stopped already"),
        (S::Stopped, C::Pause | C::Resume | C::Trigger) => Some("it is stopped; start it"),
    }
}
