//! One schedule, as a pure function.
//!
//! [`step`] takes the state of a schedule and what happens to it, and gives the next state and what is to be done, in
//! order: persist, then run, cancel and set the timer, then announce. It reads no clock and does no I/O; whether a
//! cycle may start now is handed in as [`Room`].
//!
//! A due time of the recurrence has exactly one outcome: its cycle runs, waits in the queue, is skipped because
//! something else runs, or is missed because nobody noticed it in time. Of a series of misses that is longer than
//! [`MAX_MISSED_ROWS`], the rest shares one row.
//!
//! The next due time never goes back by itself, so that a clock that is set back fires nothing twice. A clock that was
//! once far ahead leaves a next due time that is years away; [`State::due_if_counted_from`] sees that, and a person's
//! start or resume then counts from the present again. Due times that were recorded under the wrong clock keep their
//! rows, and those that come again get rows of their own: a due time has one outcome since its schedule last counted
//! from the present.

use std::sync::Arc;

use walkforward_core::Timestamp;
use walkforward_store::{CycleStatus, CycleTrigger, ScheduleChange, ScheduleId, ScheduleStatus};

mod commands;
mod due;
mod missed;
mod plan;
mod refused;
mod state;
mod timing;
mod work;

pub use plan::Plan;
pub use refused::{Command, Refused};
pub use state::State;
pub use timing::{OnBusy, OnMissed, Timing, TimingError};
use work::Work;

/// Missed due times that one step records. The timer of a schedule that has more comes again at once.
pub const MAX_MISSED_PER_STEP: usize = 500;
/// Missed due times of one series that have a row each: almost a week of minutes. The rest shares one row, so that a
/// clock that was years ahead does not fill the database. A process that dies in the middle of a series begins to count
/// anew.
pub const MAX_MISSED_ROWS: u32 = 10_000;

/// Whether a cycle may start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Room {
    /// A slot and the line are free.
    Free,
    /// Something else runs.
    Busy {
        /// What, in words.
        reason: String,
    },
}

/// What happens to a schedule.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// Somebody starts it, for the first time or again.
    Start {
        /// The time.
        now: Timestamp,
    },
    /// Somebody stops it.
    Stop {
        /// The time.
        now: Timestamp,
    },
    /// Somebody pauses it: nothing new starts, a running cycle goes on.
    Pause,
    /// Somebody ends the pause.
    Resume {
        /// The time.
        now: Timestamp,
    },
    /// Somebody removes it.
    Remove {
        /// The time.
        now: Timestamp,
    },
    /// Somebody wants a cycle now.
    TriggerNow {
        /// The time.
        now: Timestamp,
        /// Whether it may start.
        room: Room,
    },
    /// Somebody gives it another line or other due times.
    Reconfigure {
        /// The time.
        now: Timestamp,
        /// The new plan.
        plan: Arc<Plan>,
    },
    /// The time that it waited for has come.
    Timer {
        /// The time.
        now: Timestamp,
        /// Whether a cycle may start.
        room: Room,
    },
    /// Its queued cycle may start.
    Admitted,
    /// Its running cycle has ended.
    Finished {
        /// Which cycle.
        number: u64,
        /// How it ended.
        end: CycleEnd,
    },
    /// It was read from the database after the process that drove it had ended.
    Recovered {
        /// Cycles that were queued or running.
        open: Vec<OpenCycle>,
    },
    /// The process ends: what waits in the queue will not start.
    ShutDown,
}

/// How a cycle ended.
#[derive(Debug, Clone, PartialEq)]
pub struct CycleEnd {
    /// Its final status.
    pub status: CycleStatus,
    /// Why, in words; at most 2,000 bytes are kept.
    pub reason: Option<String>,
    /// What is announced with a verdict besides, an object; null for nothing.
    pub details: serde_json::Value,
}

impl CycleEnd {
    /// An end with nothing more to tell.
    pub fn new(status: CycleStatus, reason: Option<String>) -> Self {
        Self { status, reason, details: serde_json::Value::Null }
    }
}

/// A cycle without an end.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenCycle {
    /// Its number.
    pub number: u64,
    /// Whether it ran or waited.
    pub status: CycleStatus,
    /// How its run ended before its process did, where the run's own records tell.
    pub ended: Option<CycleEnd>,
}

/// A cycle that is to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CycleToRun {
    /// Its schedule.
    pub schedule_id: ScheduleId,
    /// Its number.
    pub number: u64,
    /// When it was due.
    pub due_at: Timestamp,
    /// Why it exists.
    pub trigger: CycleTrigger,
}

/// Something that others want to know. It was persisted before.
#[derive(Debug, Clone, PartialEq)]
pub struct Announcement {
    /// What, in one word.
    pub kind: &'static str,
    /// Details.
    pub payload: serde_json::Value,
}

/// What is to be done, in this order.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Persist all of this at once, before anything else is done.
    Persist(Vec<ScheduleChange>),
    /// Run this cycle.
    Run(CycleToRun),
    /// Ask this cycle to stop.
    Cancel {
        /// Its schedule.
        schedule_id: ScheduleId,
        /// Its number.
        number: u64,
    },
    /// Send [`Input::Timer`] at this time, or at no time.
    SetTimer(Option<Timestamp>),
    /// Send the same input once more: it has only come a part of the way, because there was so much to record.
    Repeat,
    /// Tell those who follow.
    Announce(Vec<Announcement>),
}

/// Moves a schedule. A command that makes no sense in its present state is refused and changes nothing; other inputs
/// that mean nothing any more change nothing and have no effects.
pub fn step(state: State, input: Input) -> Result<(State, Vec<Effect>), Refused> {
    commands::check(&state, &input)?;
    let mut work = Work::new(state);
    match input {
        Input::Start { now } => commands::start(&mut work, now),
        Input::Stop { now } => commands::end(&mut work, now, ScheduleStatus::Stopped),
        Input::Remove { now } => commands::end(&mut work, now, ScheduleStatus::Removed),
        Input::Pause => commands::pause(&mut work),
        Input::Resume { now } => commands::resume(&mut work, now),
        Input::TriggerNow { now, room } => due::take(&mut work, now, CycleTrigger::Manual, &room),
        Input::Reconfigure { now, plan } => commands::reconfigure(&mut work, now, plan),
        Input::Timer { now, room } => due::fire(&mut work, now, &room),
        Input::Admitted => due::admit(&mut work),
        Input::Finished { number, end } => due::finish(&mut work, number, end),
        Input::Recovered { open } => due::close_all(&mut work, open),
        Input::ShutDown => due::drop_queued(&mut work, CycleStatus::Interrupted, "the scheduler stopped"),
    }
    Ok(work.into_effects())
}

#[cfg(test)]
mod tests;
