//! Due times and cycles.

use serde_json::json;
use walkforward_core::Timestamp;
use walkforward_store::{CycleStatus, CycleTrigger, ScheduleStatus};

use super::work::Work;
use super::{CycleEnd, CycleToRun, Effect, MAX_MISSED_PER_STEP, OnBusy, OnMissed, OpenCycle, Room, State};
use crate::schedule::state::QueuedCycle;

const MS_PER_SECOND: i64 = 1_000;

/// The timer has come: due times that it comes too late for are missed, and the one that it is for takes its turn.
/// After misses without such a one, a single cycle makes up for them if the policy says so.
pub(super) fn fire(work: &mut Work, now: Timestamp, room: &Room) {
    if work.state.status != ScheduleStatus::Active {
        return;
    }
    let mut misses = Misses::default();
    while let Some(due) = work.state.next_cycle_at {
        let due_time = work.state.plan.due_time(work.state.anchor_or(due), due);
        if now < due_time.starts_at {
            break;
        }
        if now <= due_time.late_after {
            misses.announce(work);
            work.set_next(due_time.next);
            return take(work, due, CycleTrigger::Due, room);
        }
        if misses.count == MAX_MISSED_PER_STEP {
            // The timer stays in the past, so the rest follows at once.
            return misses.announce(work);
        }
        misses.add(work, due, now);
        work.set_next(due_time.next);
    }
    misses.announce(work);
    if misses.count > 0 && work.state.plan.timing.on_missed == OnMissed::RunOnce {
        take(work, now, CycleTrigger::CatchUp, room);
    }
}

/// Records every due time up to `now` as missed; whether all of them are.
pub(super) fn settle(work: &mut Work, now: Timestamp) -> bool {
    let mut misses = Misses::default();
    while let Some(due) = work.state.next_cycle_at.filter(|due| *due <= now) {
        if misses.count == MAX_MISSED_PER_STEP {
            misses.announce(work);
            return false;
        }
        misses.add(work, due, now);
        let next = work.state.plan.due_time(work.state.anchor_or(due), due).next;
        work.set_next(next);
    }
    misses.announce(work);
    true
}

/// Due times that one step records as missed.
#[derive(Default)]
struct Misses {
    count: usize,
    first: u64,
}

impl Misses {
    fn add(&mut self, work: &mut Work, due: Timestamp, now: Timestamp) {
        let late_s = now.millis_since(due) / MS_PER_SECOND;
        let reason = format!(
            "noticed {late_s} s after it was due: the process or the machine was not running, the clock was set, or the schedule was paused or ended"
        );
        let number = work.add_cycle(due, CycleTrigger::Due, CycleStatus::Missed, Some(reason));
        self.count += 1;
        self.first = if self.count == 1 { number } else { self.first };
    }

    /// One announcement for all of them, so that a long outage does not push everything else out of the events.
    fn announce(&self, work: &mut Work) {
        if self.count > 0 {
            let (first, last) = (self.first, work.state.current_cycle);
            work.announce(
                "continuous_cycle_missed",
                json!({ "cycle_number": last, "first_cycle_number": first, "count": self.count }),
            );
        }
    }
}

/// Gives a due time its cycle: it starts, waits, or is skipped.
pub(super) fn take(work: &mut Work, due_at: Timestamp, trigger: CycleTrigger, room: &Room) {
    let busy = own_cycle(&work.state).or_else(|| match room {
        Room::Free => None,
        Room::Busy { reason } => Some(reason.clone()),
    });
    let Some(reason) = busy else {
        let number = work.add_cycle(due_at, trigger, CycleStatus::Running, None);
        return run(work, number, due_at, trigger);
    };
    if work.state.plan.timing.on_busy == OnBusy::Queue && work.state.queued.is_none() {
        let number = work.add_cycle(due_at, trigger, CycleStatus::Queued, Some(reason));
        work.state.queued = Some(QueuedCycle { number, due_at, trigger });
        return;
    }
    let number = work.add_cycle(due_at, trigger, CycleStatus::Skipped, Some(reason.clone()));
    work.announce("continuous_cycle_skipped", json!({ "cycle_number": number, "reason": reason }));
}

/// What of this schedule itself is in the way of another cycle.
pub(super) fn own_cycle(state: &State) -> Option<String> {
    let queued = state.queued.map(|cycle| format!("cycle {} of this schedule is still queued", cycle.number));
    queued.or_else(|| state.running.map(|number| format!("cycle {number} of this schedule is still running")))
}

fn run(work: &mut Work, number: u64, due_at: Timestamp, trigger: CycleTrigger) {
    work.state.running = Some(number);
    let schedule_id = work.state.id().clone();
    work.act(Effect::Run(CycleToRun { schedule_id, number, due_at, trigger }));
    work.announce(
        "continuous_cycle_start",
        json!({ "cycle_number": number, "due_at": due_at, "trigger": trigger }),
    );
}

/// The queued cycle starts.
pub(super) fn admit(work: &mut Work) {
    if work.state.running.is_some() {
        return;
    }
    if let Some(QueuedCycle { number, due_at, trigger }) = work.state.queued.take() {
        work.set_cycle(number, CycleStatus::Running, None);
        run(work, number, due_at, trigger);
    }
}

/// The queued cycle will not start.
pub(super) fn drop_queued(work: &mut Work, status: CycleStatus, reason: &str) {
    if let Some(cycle) = work.state.queued.take() {
        close(work, cycle.number, CycleEnd::new(status, Some(format!("{reason} before it started"))));
    }
}

/// The running cycle has ended. A word from another one changes nothing.
pub(super) fn finish(work: &mut Work, number: u64, end: CycleEnd) {
    if work.state.running != Some(number) {
        return;
    }
    work.state.running = None;
    let status = end.status;
    if status.is_final() {
        close(work, number, end);
    } else {
        let reason = format!("it ended as '{status}', which is no end");
        close(work, number, CycleEnd::new(CycleStatus::Failed, Some(reason)));
    }
}

/// Cycles of a process that is gone have ended with it, unless their runs had come to an end before.
pub(super) fn close_all(work: &mut Work, open: Vec<OpenCycle>) {
    for OpenCycle { number, status, ended } in open {
        let interrupted = || {
            let reason = match status {
                CycleStatus::Queued => "the process ended before it started",
                _ => "the process ended while it ran",
            };
            CycleEnd::new(CycleStatus::Interrupted, Some(reason.to_owned()))
        };
        close(work, number, ended.filter(|end| end.status.is_final()).unwrap_or_else(interrupted));
    }
}

/// A cycle gets its final status, and that is announced.
fn close(work: &mut Work, number: u64, end: CycleEnd) {
    let CycleEnd { status, reason, details } = end;
    let mut payload = if details.is_object() { details } else { json!({}) };
    for (key, value) in
        [("cycle_number", json!(number)), ("status", json!(status)), ("reason", json!(reason))]
    {
        payload[key] = value;
    }
    work.set_cycle(number, status, reason);
    match status {
        CycleStatus::Skipped => work.announce("continuous_cycle_skipped", payload),
        CycleStatus::Failed | CycleStatus::Cancelled | CycleStatus::Interrupted => {
            work.announce("continuous_cycle_failed", payload);
        }
        CycleStatus::Promoted | CycleStatus::Held => work.announce("continuous_cycle_complete", payload),
        CycleStatus::Rejected | CycleStatus::Inconclusive => {
            work.announce("continuous_cycle_complete", payload.clone());
            work.announce("continuous_cycle_rejected", payload);
        }
        CycleStatus::Queued | CycleStatus::Running | CycleStatus::Missed => {}
    }
}
