//! Due times and cycles.

use serde_json::json;
use walkforward_core::Timestamp;
use walkforward_store::{CycleStatus, CycleTrigger, ScheduleStatus};

use super::missed::{self, Cause, Recorded};
use super::state::QueuedCycle;
use super::work::Work;
use super::{CycleEnd, CycleToRun, Effect, OnBusy, OnMissed, OpenCycle, Room, State};

/// The timer has come: due times that it comes too late for are missed, and the one that it is for takes its turn.
/// After misses without such a one, a single cycle makes up for them if the policy says so.
pub(super) fn fire(work: &mut Work, now: Timestamp, room: &Room) {
    if work.state.status != ScheduleStatus::Active {
        return;
    }
    let recorded = missed::record(work, now, Cause::Late);
    if recorded.is_part() {
        // The timer stays in the past, so the rest follows at once.
        return;
    }
    if let Some(due) = work.state.next_cycle_at {
        let due_time = work.state.due_time(due);
        if due_time.starts_at <= now {
            work.set_next(due_time.next);
            return take(work, due, CycleTrigger::Due, room);
        }
    }
    if recorded == Recorded::All && work.state.plan.timing.on_missed == OnMissed::RunOnce {
        take(work, now, CycleTrigger::CatchUp, room);
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
    let details = json!({ "cycle_number": number, "status": CycleStatus::Skipped, "reason": reason });
    work.announce("continuous_cycle_skipped", details);
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
