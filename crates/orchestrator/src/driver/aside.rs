//! Schedules that nothing is done for, because their configuration can't be read or their rows were changed by others.

use std::sync::Arc;

use serde_json::json;
use walkforward_store::{CycleStatus, ScheduleChange, ScheduleId, ScheduleState, ScheduleStatus};

use super::{Driver, LedgerError, LoadedSchedule, ScheduleView, SchedulerError};
use crate::schedule::{Announcement, Command, CycleEnd, Refused};

impl Driver {
    /// Forgets a schedule until the next start, which repairs its rows. Its cycle that runs is asked to stop, and keeps
    /// its slot and line until it has.
    pub(super) fn set_aside(&mut self, id: &ScheduleId, error: &LedgerError) {
        tracing::error!(schedule = %id, %error, "the schedule is set aside");
        self.cycles.cancel(id);
        self.fleet.forget(id);
        if let Some((line, number)) = self.cycles.running_of(id) {
            self.fleet.let_in(line, format!("cycle {number} of schedule '{id}', which is set aside"));
        }
        if let Some(record) = self.records.get(id) {
            self.board.set_aside(record, &error.to_string());
        }
        self.show_overview();
    }

    /// Whether nothing is done for a schedule.
    pub(super) fn is_set_aside(&self, id: &ScheduleId) -> bool {
        self.fleet.get(id).is_none() && self.records.contains_key(id)
    }

    /// Removes a schedule that is set aside, and closes its cycles.
    pub(super) async fn remove_set_aside(&mut self, id: &ScheduleId) -> Result<ScheduleView, SchedulerError> {
        if let Some((_, number)) = self.cycles.running_of(id) {
            let problem =
                format!("its cycle {number} was asked to stop and has not yet; try again when it has");
            return Err(Refused::new(id, Command::Remove, problem).into());
        }
        let not_recorded = |source| SchedulerError::NotRecorded { schedule: id.clone(), source };
        let loaded = self.on_ledger(|ledger| ledger.load()).await.map_err(not_recorded)?;
        let unknown = || SchedulerError::Unknown { schedule: id.clone() };
        let loaded = loaded.into_iter().find(|it| it.record.id == *id).ok_or_else(unknown)?;
        let removed = Announcement {
            kind: "continuous_status_change",
            payload: json!({
                "schedule_id": id, "status": ScheduleStatus::Removed, "next_cycle_at": null
            }),
        };
        let changes = removal(loaded, &removed);
        let numbers = self.on_ledger(move |ledger| ledger.commit(&changes)).await.map_err(not_recorded)?;
        numbers.iter().for_each(|number| self.parts.announcer.announce(*number, &removed));
        let view = self.board.view(id).ok_or_else(unknown)?;
        if let Some(record) = self.records.remove(id) {
            self.board.show(None, &record);
        }
        self.show_overview();
        Ok(ScheduleView { status: ScheduleStatus::Removed, next_cycle_at: None, ..view })
    }

    /// Has the ledger do something, where it may block.
    pub(super) async fn on_ledger<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn super::ScheduleLedger) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let ledger = Arc::clone(&self.parts.ledger);
        let done = tokio::task::spawn_blocking(move || work(&*ledger)).await;
        done.unwrap_or_else(|panic| Err(LedgerError::panicked(&panic)))
    }
}

/// What removes a schedule.
fn removal(loaded: LoadedSchedule, announcement: &Announcement) -> Vec<ScheduleChange> {
    let LoadedSchedule { record, open } = loaded;
    let ends = open.into_iter().map(|cycle| {
        let removed = || {
            CycleEnd::new(
                CycleStatus::Interrupted,
                Some("the schedule was removed while set aside".to_owned()),
            )
        };
        let CycleEnd { status, reason, .. } = cycle.ended.unwrap_or_else(removed);
        ScheduleChange::CycleStatus { schedule_id: record.id.clone(), number: cycle.number, status, reason }
    });
    let mut changes: Vec<ScheduleChange> = ends.collect();
    changes.push(ScheduleChange::Schedule(ScheduleState {
        id: record.id,
        status: ScheduleStatus::Removed,
        anchor_at: record.anchor_at,
        current_cycle: record.current_cycle,
        last_cycle_at: record.last_cycle_at,
        next_cycle_at: None,
    }));
    changes.push(ScheduleChange::Event {
        kind: announcement.kind.to_owned(),
        payload: announcement.payload.clone(),
    });
    changes
}
