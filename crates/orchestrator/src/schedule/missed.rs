//! Due times that were missed: which they are, why, and their rows.

use serde_json::json;
use walkforward_core::Timestamp;
use walkforward_store::{CycleStatus, CycleTrigger, ScheduleStatus};

use super::plan::DueTime;
use super::work::Work;
use super::{MAX_MISSED_PER_STEP, MAX_MISSED_ROWS, State};

const MS_PER_SECOND: i64 = 1_000;

/// What makes due times missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// The timer came too late for them.
    Late,
    /// The schedule is stopped.
    Stopped,
    /// The schedule is removed.
    Removed,
    /// The schedule gets other due times.
    Reconfigured,
}

/// What came of recording missed due times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Recorded {
    /// None is missed.
    Nothing,
    /// All that are missed have their row.
    All,
    /// There are more of them than a step records.
    Part,
}

impl Recorded {
    pub(super) fn is_part(self) -> bool {
        self == Self::Part
    }
}

/// Records due times that are missed by `now`: the first [`MAX_MISSED_ROWS`] of a series with a row each, the rest of it
/// in one row.
pub(super) fn record(work: &mut Work, now: Timestamp, cause: Cause) -> Recorded {
    let mut told = Told::default();
    while let Some((due, due_time)) = missed(&work.state, now, cause) {
        if told.rows == MAX_MISSED_PER_STEP {
            told.announce(work);
            return Recorded::Part;
        }
        let (count, reason, next) = if work.state.missed_in_series < MAX_MISSED_ROWS {
            work.state.missed_in_series += 1;
            (1, cause.why(&work.state, due, &due_time, now), due_time.next)
        } else {
            the_rest(work, due, now, cause)
        };
        told.add(work.add_cycle(due, CycleTrigger::Due, CycleStatus::Missed, Some(reason)), count);
        work.set_next(next);
    }
    told.announce(work);
    match std::mem::take(&mut work.state.missed_in_series) {
        0 => Recorded::Nothing,
        _ => Recorded::All,
    }
}

/// The next due time, if it is missed.
fn missed(state: &State, now: Timestamp, cause: Cause) -> Option<(Timestamp, DueTime)> {
    let due = state.next_cycle_at?;
    let due_time = state.due_time(due);
    cause.misses(due, &due_time, now).then_some((due, due_time))
}

/// What one row says for `due` and all missed due times after it: how many, in words, and the due time after them.
fn the_rest(
    work: &mut Work,
    due: Timestamp,
    now: Timestamp,
    cause: Cause,
) -> (u64, String, Option<Timestamp>) {
    let state = &work.state;
    let (recurrence, anchor) = (&state.plan.timing.recurrence, state.anchor_or(due));
    let mut span = recurrence.span(anchor, due, cause.certain_until(state, due, now));
    // Each due time has a grace of its own: a few more may be over.
    while let Some(next) = span.next.filter(|next| cause.misses(*next, &state.due_time(*next), now)) {
        (span.count, span.last, span.next) = (span.count + 1, next, recurrence.next_after(anchor, next));
    }
    let more_than = if span.is_exact { "" } else { "more than " };
    let why = cause.why(state, span.last, &state.due_time(span.last), now);
    let (count, last) = (span.count, span.last);
    let reason = format!(
        "{more_than}{count} due times from {due} to {last} share this row, because {MAX_MISSED_ROWS} before them were \
         missed too; of the last one: {why}"
    );
    work.state.last_cycle_at = work.state.last_cycle_at.max(Some(last));
    (count, reason, span.next)
}

impl Cause {
    fn misses(self, due: Timestamp, due_time: &DueTime, now: Timestamp) -> bool {
        match self {
            Self::Late => now > due_time.late_after,
            Self::Stopped | Self::Removed | Self::Reconfigured => due <= now,
        }
    }

    /// A time up to which every due time from `due` on is missed.
    fn certain_until(self, state: &State, due: Timestamp, now: Timestamp) -> Timestamp {
        match self {
            Self::Late => now.plus_millis(-1 - state.plan.longest_wait_ms(state.anchor_or(due), due)),
            Self::Stopped | Self::Removed | Self::Reconfigured => now,
        }
    }

    /// Why there was no cycle for `due`.
    fn why(self, state: &State, due: Timestamp, due_time: &DueTime, now: Timestamp) -> String {
        let after_s = |time: Timestamp| time.millis_since(due) / MS_PER_SECOND;
        let late_s = after_s(now);
        let ended = match self {
            Self::Late => None,
            Self::Stopped => Some("stopped"),
            Self::Removed => Some("removed"),
            Self::Reconfigured => Some("given other due times"),
        };
        match (ended, state.resumed_at) {
            (Some(ended), _) if state.status == ScheduleStatus::Paused => {
                format!("the schedule was paused, and {ended} {late_s} s after it was due")
            }
            (Some(ended), _) if now <= due_time.late_after => {
                format!("the schedule was {ended} {late_s} s after it was due, before its cycle started")
            }
            (_, Some(resumed)) if due <= resumed => {
                format!("the schedule was paused until {} s after it was due", after_s(resumed))
            }
            _ => format!(
                "noticed {late_s} s after it was due: nothing ran the schedules, the machine slept, the clock was set, \
                 or the schedule was paused"
            ),
        }
    }
}

/// What a step tells about the due times that it records, all at once, so that a long outage does not push everything
/// else out of the events.
#[derive(Default)]
struct Told {
    rows: usize,
    due_times: u64,
    first: u64,
}

impl Told {
    fn add(&mut self, number: u64, due_times: u64) {
        self.first = if self.rows == 0 { number } else { self.first };
        self.rows += 1;
        self.due_times += due_times;
    }

    fn announce(&self, work: &mut Work) {
        if self.rows == 0 {
            return;
        }
        let details = json!({
            "cycle_number": work.state.current_cycle,
            "first_cycle_number": self.first,
            "count": self.rows,
            "due_times": self.due_times,
        });
        work.announce("continuous_cycle_missed", details);
    }
}
