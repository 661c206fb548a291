//! A step in the making.

use serde_json::{Value, json};
use walkforward_core::Timestamp;
use walkforward_store::{CycleStatus, CycleTrigger, NewCycle, ScheduleChange, ScheduleStatus};

use super::{Announcement, Effect, State};

/// The state as it becomes, and what has come together for its effects.
pub(super) struct Work {
    pub(super) state: State,
    before: State,
    cycles: Vec<ScheduleChange>,
    acts: Vec<Effect>,
    announcements: Vec<Announcement>,
}

impl Work {
    pub(super) fn new(state: State) -> Self {
        let before = state.clone();
        Self { state, before, cycles: Vec::new(), acts: Vec::new(), announcements: Vec::new() }
    }

    /// Records a new cycle and returns its number.
    pub(super) fn add_cycle(
        &mut self,
        due_at: Timestamp,
        trigger: CycleTrigger,
        status: CycleStatus,
        reason: Option<String>,
    ) -> u64 {
        self.state.current_cycle += 1;
        // A due time whose start is put off is still to come, whatever was asked for meanwhile.
        let put_off = self.state.next_cycle_at.filter(|_| trigger != CycleTrigger::Due);
        let up_to = put_off.map_or(due_at, |next| due_at.min(next.plus_millis(-1)));
        self.state.last_cycle_at = self.state.last_cycle_at.max(Some(up_to));
        let number = self.state.current_cycle;
        let schedule_id = self.state.id().clone();
        self.cycles.push(ScheduleChange::Cycle(NewCycle {
            schedule_id,
            number,
            due_at,
            trigger,
            status,
            reason,
        }));
        number
    }

    /// Records a new status of a cycle.
    pub(super) fn set_cycle(&mut self, number: u64, status: CycleStatus, reason: Option<String>) {
        let schedule_id = self.state.id().clone();
        self.cycles.push(ScheduleChange::CycleStatus { schedule_id, number, status, reason });
    }

    pub(super) fn set_status(&mut self, status: ScheduleStatus) {
        self.state.status = status;
        self.state.wake();
    }

    pub(super) fn set_next(&mut self, due: Option<Timestamp>) {
        self.state.next_cycle_at = due;
        self.state.wake();
    }

    pub(super) fn act(&mut self, effect: Effect) {
        self.acts.push(effect);
    }

    /// Announces something about this schedule: `details` is an object.
    pub(super) fn announce(&mut self, kind: &'static str, mut details: Value) {
        details["schedule_id"] = json!(self.state.id());
        self.announcements.push(Announcement { kind, payload: details });
    }

    pub(super) fn into_effects(mut self) -> (State, Vec<Effect>) {
        if self.state.status != self.before.status {
            let (status, next) = (self.state.status, self.state.next_cycle_at);
            self.announce("continuous_status_change", json!({ "status": status, "next_cycle_at": next }));
        }
        let mut changes = self.cycles;
        let persisted = self.state.persisted();
        if persisted != self.before.persisted() {
            changes.push(ScheduleChange::Schedule(persisted));
        }
        changes.extend(self.announcements.iter().map(|announcement| ScheduleChange::Event {
            kind: announcement.kind.to_owned(),
            payload: announcement.payload.clone(),
        }));
        let mut effects = Vec::new();
        if !changes.is_empty() {
            effects.push(Effect::Persist(changes));
        }
        effects.extend(self.acts);
        if self.state.wake_at != self.before.wake_at {
            effects.push(Effect::SetTimer(self.state.wake_at));
        }
        if !self.announcements.is_empty() {
            effects.push(Effect::Announce(self.announcements));
        }
        (self.state, effects)
    }
}
