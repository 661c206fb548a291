//! The state of a schedule.

use std::sync::Arc;

use walkforward_core::Timestamp;
use walkforward_store::{CycleTrigger, ScheduleId, ScheduleRecord, ScheduleState, ScheduleStatus};

use super::plan::DueTime;
use super::{Plan, TimingError};

/// The state of a schedule. Cloning is cheap.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    pub(super) plan: Arc<Plan>,
    pub(super) status: ScheduleStatus,
    pub(super) anchor_at: Option<Timestamp>,
    pub(super) current_cycle: u64,
    pub(super) last_cycle_at: Option<Timestamp>,
    pub(super) next_cycle_at: Option<Timestamp>,
    pub(super) wake_at: Option<Timestamp>,
    pub(super) running: Option<u64>,
    pub(super) queued: Option<QueuedCycle>,
    /// Missed due times that have a row each, of the series that is being recorded.
    pub(super) missed_in_series: u32,
    /// When its last pause in this process ended.
    pub(super) resumed_at: Option<Timestamp>,
}

/// A cycle that waits for a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct QueuedCycle {
    pub(crate) number: u64,
    pub(crate) due_at: Timestamp,
    pub(crate) trigger: CycleTrigger,
}

impl State {
    /// The state in a schedule's record, with nothing running. Cycles that the database still holds as open are closed
    /// with [`Input::Recovered`](super::Input::Recovered).
    pub fn from_record(record: &ScheduleRecord) -> Result<Self, TimingError> {
        let mut state = Self {
            plan: Arc::new(Plan::from_record(record)?),
            status: record.status,
            anchor_at: record.anchor_at,
            current_cycle: record.current_cycle,
            last_cycle_at: record.last_cycle_at,
            next_cycle_at: record.next_cycle_at,
            wake_at: None,
            running: None,
            queued: None,
            missed_in_series: 0,
            resumed_at: None,
        };
        state.wake();
        Ok(state)
    }

    /// Its id.
    pub fn id(&self) -> &ScheduleId {
        &self.plan.id
    }

    /// Who it is and when its cycles are due.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What it does at its due times.
    pub fn status(&self) -> ScheduleStatus {
        self.status
    }

    /// Number of its newest cycle; 0 before the first.
    pub fn current_cycle(&self) -> u64 {
        self.current_cycle
    }

    /// Its next due time.
    pub fn next_cycle_at(&self) -> Option<Timestamp> {
        self.next_cycle_at
    }

    /// When it wants [`Input::Timer`](super::Input::Timer).
    pub fn wake_at(&self) -> Option<Timestamp> {
        self.wake_at
    }

    /// Number of the cycle that runs.
    pub fn running(&self) -> Option<u64> {
        self.running
    }

    /// Number of the cycle that waits for a slot.
    pub fn queued(&self) -> Option<u64> {
        self.queued.map(|cycle| cycle.number)
    }

    /// The first due time after `now`, where the next one lies more than one period after it: the clock was ahead when
    /// the next one was recorded. A start or a resume by a person counts from this one again.
    pub fn due_if_counted_from(&self, now: Timestamp) -> Option<Timestamp> {
        let has_due_times = matches!(self.status, ScheduleStatus::Active | ScheduleStatus::Paused);
        let recurrence = &self.plan.timing.recurrence;
        let anchor = recurrence.anchor_before(self.anchor_or(now), now);
        let first = recurrence.next_after(anchor, now).filter(|_| has_due_times)?;
        let second = recurrence.next_after(anchor, first)?;
        // Without a next one, the clock was ahead to the end of the calendar.
        self.next_cycle_at.is_none_or(|next| next > second).then_some(first)
    }

    pub(crate) fn queued_cycle(&self) -> Option<QueuedCycle> {
        self.queued
    }

    /// The part of it that is persisted.
    pub fn persisted(&self) -> ScheduleState {
        ScheduleState {
            id: self.plan.id.clone(),
            status: self.status,
            anchor_at: self.anchor_at,
            current_cycle: self.current_cycle,
            last_cycle_at: self.last_cycle_at,
            next_cycle_at: self.next_cycle_at,
        }
    }

    /// Sets the timer for the next due time, if it is to have one.
    pub(super) fn wake(&mut self) {
        let due = self.next_cycle_at.filter(|_| self.status == ScheduleStatus::Active);
        self.wake_at = due.map(|due| self.due_time(due).starts_at);
    }

    pub(super) fn due_time(&self, due: Timestamp) -> DueTime {
        self.plan.due_time(self.anchor_or(due), due)
    }

    /// The instant that intervals count from; the due time itself stands in for one that was never recorded.
    pub(super) fn anchor_or(&self, due: Timestamp) -> Timestamp {
        self.anchor_at.unwrap_or(due)
    }

    /// The first due time at `from` or after it that has no outcome yet.
    pub(super) fn first_due(&self, from: Timestamp) -> Option<Timestamp> {
        let just_before = from.plus_millis(-1);
        let after = self.last_cycle_at.map_or(just_before, |last| last.max(just_before));
        self.plan.timing.recurrence.next_after(self.anchor_or(from), after)
    }
}
