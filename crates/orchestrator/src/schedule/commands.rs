//! What people ask of a schedule.

use std::sync::Arc;

use serde_json::json;
use walkforward_core::Timestamp;
use walkforward_store::{CycleStatus, ScheduleStatus};

use super::missed::{self, Cause};
use super::refused::problem;
use super::work::Work;
use super::{Command, Effect, Input, OnBusy, Plan, Refused, Room, State, due};

/// Refuses a command that makes no sense in this state.
pub(super) fn check(state: &State, input: &Input) -> Result<(), Refused> {
    let command = match input {
        Input::Start { .. } => Command::Start,
        Input::Stop { .. } => Command::Stop,
        Input::Pause => Command::Pause,
        Input::Resume { .. } => Command::Resume,
        Input::Remove { .. } => Command::Remove,
        Input::TriggerNow { .. } => Command::Trigger,
        Input::Reconfigure { .. } => Command::Reconfigure,
        _ => return Ok(()),
    };
    if let Some(problem) = problem(state.status, command) {
        return Err(Refused::new(state.id(), command, problem));
    }
    match input {
        Input::TriggerNow { room, .. } => check_trigger(state, room),
        Input::Reconfigure { plan, .. } => check_plan(state, plan),
        _ => Ok(()),
    }
}

/// Somebody who asks for a cycle is told when there can be none, instead of finding a skipped one.
fn check_trigger(state: &State, room: &Room) -> Result<(), Refused> {
    let refuse = |reason: &str| {
        let problem = format!("{reason}; try again when that is over, or set on_busy = queue");
        Err(Refused::new(state.id(), Command::Trigger, problem))
    };
    match (due::own_cycle(state), room) {
        (Some(reason), _) if state.queued.is_some() || state.plan.timing.on_busy == OnBusy::Skip => {
            refuse(&reason)
        }
        (None, Room::Busy { reason }) if state.plan.timing.on_busy == OnBusy::Skip => refuse(reason),
        _ => Ok(()),
    }
}

fn check_plan(state: &State, plan: &Plan) -> Result<(), Refused> {
    let refuse = |problem: String| Err(Refused::new(state.id(), Command::Reconfigure, problem));
    if plan.id != *state.id() {
        return refuse(format!("the new plan is that of schedule '{}'", plan.id));
    }
    match due::own_cycle(state) {
        Some(reason) if plan.line != state.plan.line => {
            refuse(format!("it can't move to line '{}' now: {reason}", plan.line))
        }
        _ => Ok(()),
    }
}

/// The first start makes the anchor. A later one goes on with the same due times, those after it.
pub(super) fn start(work: &mut Work, now: Timestamp) {
    work.state.anchor_at.get_or_insert(now);
    work.state.status = ScheduleStatus::Active;
    work.state.resumed_at = None;
    let due = work.state.first_due(now);
    work.set_next(due);
    count_from(work, now);
}

/// A pause keeps the next due time. What waits in the queue would start in spite of it, so it is cancelled.
pub(super) fn pause(work: &mut Work) {
    due::drop_queued(work, CycleStatus::Cancelled, "the schedule was paused");
    work.set_status(ScheduleStatus::Paused);
}

/// Ends a pause, and mends a next due time that a wrong clock has left.
pub(super) fn resume(work: &mut Work, now: Timestamp) {
    work.state.resumed_at = Some(now);
    work.set_status(ScheduleStatus::Active);
    count_from(work, now);
}

/// Counts from `now` again where the next due time shows that the clock was once ahead. Due times that were recorded
/// then keep their rows, and those that come again get a row of their own.
fn count_from(work: &mut Work, now: Timestamp) {
    let Some(due) = work.state.due_if_counted_from(now) else { return };
    let state = &mut work.state;
    let before = json!({ "next_cycle_at": state.next_cycle_at, "last_cycle_at": state.last_cycle_at });
    let anchor = state.anchor_or(now);
    state.anchor_at = Some(state.plan.timing.recurrence.anchor_before(anchor, now));
    state.last_cycle_at = state.last_cycle_at.min(Some(now));
    work.set_next(Some(due));
    work.announce(
        "continuous_clock_went_back",
        json!({ "now": now, "next_cycle_at": due, "before": before }),
    );
}

/// Stops or removes it, once every due time up to now has its outcome.
pub(super) fn end(work: &mut Work, now: Timestamp, status: ScheduleStatus) {
    let cause = if status == ScheduleStatus::Removed { Cause::Removed } else { Cause::Stopped };
    if missed::record(work, now, cause).is_part() {
        return work.act(Effect::Repeat);
    }
    due::drop_queued(work, CycleStatus::Cancelled, &format!("the schedule was {status}"));
    work.state.status = status;
    work.set_next(None);
    if let Some(number) = work.state.running {
        work.act(Effect::Cancel { schedule_id: work.state.id().clone(), number });
    }
}

/// Takes a new plan. With another recurrence, every old due time up to now gets its outcome first.
pub(super) fn reconfigure(work: &mut Work, now: Timestamp, plan: Arc<Plan>) {
    let has_due_times = matches!(work.state.status, ScheduleStatus::Active | ScheduleStatus::Paused);
    let is_moved = has_due_times && work.state.plan.timing.recurrence != plan.timing.recurrence;
    if is_moved && missed::record(work, now, Cause::Reconfigured).is_part() {
        return work.act(Effect::Repeat);
    }
    work.state.plan = plan;
    if is_moved {
        let due = work.state.first_due(now.plus_millis(1));
        work.set_next(due);
    }
    work.state.wake();
}
