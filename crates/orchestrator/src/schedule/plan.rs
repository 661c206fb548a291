//! What does not change while a schedule runs.

use walkforward_core::{LineName, Timestamp};
use walkforward_store::{ScheduleId, ScheduleRecord};

use super::{Timing, TimingError};
use crate::recurrence::Recurrence;

const MS_PER_SECOND: u64 = 1_000;

/// Who a schedule is, which line it trains, and when.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Its id.
    pub id: ScheduleId,
    /// Its line: two cycles of one line never run at once.
    pub line: LineName,
    /// When its cycles are due.
    pub timing: Timing,
}

/// What one due time means in practice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DueTime {
    /// When its cycle starts: at the due time, or a little later because of the jitter.
    pub(super) starts_at: Timestamp,
    /// Noticed after this, it is missed.
    pub(super) late_after: Timestamp,
    /// The due time after it.
    pub(super) next: Option<Timestamp>,
}

impl Plan {
    /// The plan in a schedule's record.
    pub fn from_record(record: &ScheduleRecord) -> Result<Self, TimingError> {
        let timing = Timing::from_config(&record.config)?;
        Ok(Self { id: record.id.clone(), line: record.line.clone(), timing })
    }

    /// Jitter and grace each take at most half of the time to the next due time, so that a due time has its outcome
    /// before the next one can have any.
    pub(super) fn due_time(&self, anchor: Timestamp, due: Timestamp) -> DueTime {
        let next = self.timing.recurrence.next_after(anchor, due);
        let half_ms = next.map_or(i64::MAX, |next| next.millis_since(due) / 2);
        let starts_at = due.plus_millis(self.start_delay_ms().min(half_ms));
        let grace_ms = millis(self.timing.misfire_grace_seconds).min(half_ms);
        DueTime { starts_at, late_after: starts_at.plus_millis(grace_ms), next }
    }

    /// How long after a due time from `due` on its cycle may still start, at most.
    pub(super) fn longest_wait_ms(&self, anchor: Timestamp, due: Timestamp) -> i64 {
        match self.timing.recurrence {
            // As long for each of them.
            Recurrence::Every(_) => self.due_time(anchor, due).late_after.millis_since(due),
            Recurrence::Cron(_) => {
                self.start_delay_ms().saturating_add(millis(self.timing.misfire_grace_seconds))
            }
        }
    }

    /// How long after their due times cycles start: a part of the jitter that depends on the id alone.
    fn start_delay_ms(&self) -> i64 {
        let jitter_ms = self.timing.jitter_seconds * MS_PER_SECOND;
        if jitter_ms == 0 {
            return 0;
        }
        i64::try_from(spread(self.id.as_str()) % jitter_ms).unwrap_or(0)
    }
}

fn millis(seconds: u64) -> i64 {
    i64::try_from(seconds.saturating_mul(MS_PER_SECOND)).unwrap_or(i64::MAX)
}

/// A number that looks random and depends on the text alone: FNV-1a, then the finisher of SplitMix64, because names
/// such as `s-1`, `s-2` differ in few bits.
fn spread(text: &str) -> u64 {
    let fnv = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let mixed = (fnv ^ (fnv >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(id: &str, jitter_seconds: u64) -> Plan {
        let timing = Timing { jitter_seconds, ..Timing::new(Recurrence::every_hours(1.0).unwrap()) };
        Plan { id: id.parse().unwrap(), line: LineName::default(), timing }
    }

    #[test]
    fn the_jitter_spreads_schedules_and_is_fixed_for_each() {
        let due = Timestamp::EPOCH;
        let delays: std::collections::BTreeSet<i64> = (0..100)
            .map(|n| plan(&format!("s-{n}"), 600).due_time(due, due).starts_at.millis_since(due))
            .collect();
        assert_eq!(delays.len(), 100);
        assert!(delays.iter().all(|delay| (0..600_000).contains(delay)));
        assert!(*delays.first().unwrap() < 60_000 && *delays.last().unwrap() > 540_000, "{delays:?}");
        assert_eq!(plan("s-1", 600).due_time(due, due), plan("s-1", 600).due_time(due, due));
        assert_eq!(plan("s-1", 0).due_time(due, due).starts_at, due);
    }

    #[test]
    fn a_due_time_has_its_outcome_before_the_next_one() {
        let mut plan = plan("s-7", 86_400);
        plan.timing.misfire_grace_seconds = 86_400;
        let due_time = plan.due_time(Timestamp::EPOCH, Timestamp::EPOCH);
        assert!(due_time.late_after <= due_time.next.unwrap());
    }
}
