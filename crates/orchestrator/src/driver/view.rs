//! What can be seen of the schedules without asking the driver, so that it is answered at once, whatever the driver
//! waits for.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use serde::Serialize;
use walkforward_core::{LineName, Timestamp};
use walkforward_store::{ScheduleId, ScheduleRecord, ScheduleState, ScheduleStatus};

use crate::schedule::State;

/// A schedule as it is now. All of it was persisted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScheduleView {
    /// Its id.
    pub id: ScheduleId,
    /// Its name for people.
    pub name: String,
    /// Its line.
    pub line: LineName,
    /// What it does at its due times.
    pub status: ScheduleStatus,
    /// When its cycles are due, as a text; none when its configuration can't be read.
    pub recurrence: Option<String>,
    /// Number of its newest cycle; 0 before the first.
    pub current_cycle: u64,
    /// When its newest cycle was due.
    pub last_cycle_at: Option<Timestamp>,
    /// Its next due time.
    pub next_cycle_at: Option<Timestamp>,
    /// Number of the cycle that runs.
    pub running_cycle: Option<u64>,
    /// Number of the cycle that waits for a slot.
    pub queued_cycle: Option<u64>,
    /// Why nothing is done for it, if so. The next start looks at it again.
    pub fault: Option<String>,
}

/// The scheduler as it is now.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Overview {
    /// Number of schedules.
    pub schedules: usize,
    /// Number of cycles that run.
    pub running: usize,
    /// Number of trainings that run: cycles, and others that hold a slot.
    pub trainings: usize,
    /// Number of cycles that wait.
    pub queued: usize,
    /// When the next cycle of any schedule starts.
    pub next_wake_at: Option<Timestamp>,
    /// Why nothing can be recorded at present, if so. Nothing new starts until it can.
    pub not_recorded: Option<String>,
}

/// `record` with the present `state`.
pub(super) fn with_state(record: &ScheduleRecord, state: &ScheduleState) -> ScheduleRecord {
    ScheduleRecord {
        status: state.status,
        anchor_at: state.anchor_at,
        current_cycle: state.current_cycle,
        last_cycle_at: state.last_cycle_at,
        next_cycle_at: state.next_cycle_at,
        ..record.clone()
    }
}

/// The views of all schedules.
#[derive(Debug, Default)]
pub(super) struct Board {
    inner: RwLock<(BTreeMap<ScheduleId, ScheduleView>, Overview)>,
}

impl Board {
    pub(super) fn view(&self, id: &ScheduleId) -> Option<ScheduleView> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner).0.get(id).cloned()
    }

    pub(super) fn all(&self) -> Vec<ScheduleView> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner).0.values().cloned().collect()
    }

    pub(super) fn overview(&self) -> Overview {
        self.inner.read().unwrap_or_else(PoisonError::into_inner).1.clone()
    }

    pub(super) fn show_overview(&self, overview: Overview) {
        self.inner.write().unwrap_or_else(PoisonError::into_inner).1 = overview;
    }

    /// Shows a schedule's state; one that is gone is taken away.
    pub(super) fn show(&self, state: Option<&State>, record: &ScheduleRecord) {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        match state {
            Some(state) => inner.0.insert(record.id.clone(), view_of(state, record)),
            None => inner.0.remove(&record.id),
        };
    }

    /// Shows that nothing is done for a schedule.
    pub(super) fn set_aside(&self, record: &ScheduleRecord, fault: &str) {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        let view = inner.0.entry(record.id.clone()).or_insert_with(|| view_of_record(record));
        view.fault = Some(fault.to_owned());
        (view.running_cycle, view.queued_cycle) = (None, None);
    }
}

pub(super) fn view_of_record(record: &ScheduleRecord) -> ScheduleView {
    ScheduleView {
        id: record.id.clone(),
        name: record.name.clone(),
        line: record.line.clone(),
        status: record.status,
        recurrence: None,
        current_cycle: record.current_cycle,
        last_cycle_at: record.last_cycle_at,
        next_cycle_at: record.next_cycle_at,
        running_cycle: None,
        queued_cycle: None,
        fault: None,
    }
}

fn view_of(state: &State, record: &ScheduleRecord) -> ScheduleView {
    ScheduleView {
        recurrence: Some(state.plan().timing.recurrence.to_string()),
        running_cycle: state.running(),
        queued_cycle: state.queued(),
        ..view_of_record(&with_state(record, &state.persisted()))
    }
}
