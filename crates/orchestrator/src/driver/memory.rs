//! A ledger that lasts as long as its process.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use walkforward_store::{CycleStatus, NewCycle, ScheduleChange, ScheduleId};

use super::ports::{LedgerError, LoadedSchedule, ScheduleLedger};

/// Keeps what the rules of cycles need (numbers without gaps, no end that changes) and forgets cycles that have ended.
/// For schedules that need no history, and for tests.
#[derive(Debug, Default)]
pub struct MemoryLedger {
    known: Mutex<Known>,
}

#[derive(Debug, Default, Clone)]
struct Known {
    events: i64,
    schedules: BTreeMap<ScheduleId, Cycles>,
}

#[derive(Debug, Default, Clone)]
struct Cycles {
    last: u64,
    open: BTreeMap<u64, CycleStatus>,
}

impl ScheduleLedger for MemoryLedger {
    fn commit(&self, changes: &[ScheduleChange]) -> Result<Vec<i64>, LedgerError> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let check = Check::of(&known, changes)?;
        let events = changes.iter().filter(|change| matches!(change, ScheduleChange::Event { .. })).count();
        let first = known.events + 1;
        known.events += i64::try_from(events).unwrap_or(0);
        known.schedules.extend(check.schedules);
        Ok((first..=known.events).collect())
    }

    fn load(&self) -> Result<Vec<LoadedSchedule>, LedgerError> {
        Ok(Vec::new())
    }
}

/// The schedules that changes touch, as they will be.
struct Check {
    schedules: BTreeMap<ScheduleId, Cycles>,
}

impl Check {
    fn of(known: &Known, changes: &[ScheduleChange]) -> Result<Self, LedgerError> {
        let mut check = Self { schedules: BTreeMap::new() };
        for change in changes {
            match change {
                ScheduleChange::Cycle(cycle) => check.cycles(known, &cycle.schedule_id).add(cycle)?,
                ScheduleChange::CycleStatus { schedule_id, number, status, .. } => {
                    check.cycles(known, schedule_id).set(schedule_id, *number, *status)?;
                }
                ScheduleChange::Schedule(_) | ScheduleChange::Event { .. } => {}
            }
        }
        Ok(check)
    }

    fn cycles(&mut self, known: &Known, id: &ScheduleId) -> &mut Cycles {
        let before = || known.schedules.get(id).cloned().unwrap_or_default();
        self.schedules.entry(id.clone()).or_insert_with(before)
    }
}

impl Cycles {
    fn add(&mut self, cycle: &NewCycle) -> Result<(), LedgerError> {
        if cycle.number != self.last + 1 {
            let expected = self.last + 1;
            return Err(refuse(&cycle.schedule_id, cycle.number, &format!("the next number is {expected}")));
        }
        self.last = cycle.number;
        if !cycle.status.is_final() {
            self.open.insert(cycle.number, cycle.status);
        }
        Ok(())
    }

    fn set(&mut self, id: &ScheduleId, number: u64, status: CycleStatus) -> Result<(), LedgerError> {
        let is_open = if status.is_final() {
            self.open.remove(&number).is_some()
        } else {
            self.open.get_mut(&number).map(|open| *open = status).is_some()
        };
        is_open.then_some(()).ok_or_else(|| refuse(id, number, "it has ended, or never began"))
    }
}

fn refuse(id: &ScheduleId, number: u64, reason: &str) -> LedgerError {
    let source = format!("cycle {number} of schedule '{id}' is refused: {reason}").into();
    LedgerError { may_pass: false, schedule: Some(id.clone()), source }
}
