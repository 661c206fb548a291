//! What a step of the schedules' state machine persists, all of it in one transaction.

use rusqlite::{OptionalExtension, Transaction, params};
use walkforward_core::{ModelId, Timestamp};

use super::{
    CycleStatus, CycleTrigger, NewCycle, SCHEDULES, ScheduleChange, ScheduleId, ScheduleState, ScheduleStatus,
};
use crate::cycles::{cycle_status, refuse_cycle};
use crate::database::Refusal;
use crate::events::insert_event;
use crate::rows::{bounded, count, parse, parse_optional, time, to_sql};
use crate::{Store, StoreError};

/// Most changes of one call: every due time that 500 schedules miss in five days of six-hour intervals, with room.
pub const MAX_SCHEDULE_CHANGES: usize = 65_536;

impl Store {
    /// Applies `changes` in order, all in one transaction, and returns the numbers of their events.
    ///
    /// A cycle that becomes `running` gets its start, one that becomes final its end, from the store's clock. A cycle
    /// that fails counts up its schedule's `consecutive_failures`; one that comes to a verdict (promoted, rejected,
    /// inconclusive, held) sets them to 0; the others leave them. One that becomes `promoted` has deployed the model that
    /// it made: its schedule continues from that one, and has its experiment as a base if it had none.
    ///
    /// # Errors
    /// Nothing is applied when a schedule or cycle does not exist, a new cycle's number is not one more than the last,
    /// a due time has its cycle already, a final status or a removed schedule would change, or there are more than
    /// [`MAX_SCHEDULE_CHANGES`].
    pub fn commit_schedule_changes(&self, changes: &[ScheduleChange]) -> Result<Vec<i64>, StoreError> {
        if changes.len() > MAX_SCHEDULE_CHANGES {
            return Err(StoreError::TooManyChanges { found: changes.len(), max: MAX_SCHEDULE_CHANGES });
        }
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        let now = self.now();
        self.database.write_checked("record a step of the schedules in", |tx| {
            let mut events = Vec::new();
            for change in changes {
                match change {
                    ScheduleChange::Schedule(state) => put_state(tx, now, state)?,
                    ScheduleChange::Cycle(cycle) => insert_cycle(tx, now, cycle)?,
                    ScheduleChange::CycleStatus { schedule_id, number, status, reason } => {
                        put_status(tx, now, schedule_id, *number, *status, reason.as_deref())?;
                        if *status == CycleStatus::Promoted {
                            let checkpoint = |model: &ModelId| self.model_dir(model).display().to_string();
                            put_deployed(tx, now, schedule_id, *number, checkpoint)?;
                        }
                    }
                    ScheduleChange::Event { kind, payload } => {
                        events.push(insert_event(tx, now, kind, payload)?);
                    }
                }
            }
            Ok(events)
        })
    }
}

fn put_state(tx: &Transaction<'_>, now: Timestamp, state: &ScheduleState) -> Result<(), Refusal> {
    let id = state.id.as_str();
    let before: ScheduleStatus = SCHEDULES.get(tx, "status", id, |row| parse(row, 0))?;
    if before == ScheduleStatus::Removed && state.status != ScheduleStatus::Removed {
        let reason = format!("it is removed and can't become {}", state.status);
        return Err(SCHEDULES.refuse(id, reason).into());
    }
    let mut update = tx.prepare_cached(
        "UPDATE continuous_training_schedules SET status = ?2, anchor_at = ?3, current_cycle = ?4, \
         last_cycle_at = ?5, next_cycle_at = ?6, updated_at = ?7 WHERE id = ?1",
    )?;
    update.execute(params![
        id,
        state.status.as_str(),
        time(state.anchor_at),
        to_sql(state.current_cycle),
        time(state.last_cycle_at),
        time(state.next_cycle_at),
        now.to_string()
    ])?;
    Ok(())
}

fn insert_cycle(tx: &Transaction<'_>, now: Timestamp, cycle: &NewCycle) -> Result<(), Refusal> {
    let id = &cycle.schedule_id;
    let last = last_number(tx, id)?;
    if cycle.number != last + 1 {
        return Err(refuse_cycle(id, cycle.number, format!("the next number is {}", last + 1)));
    }
    if cycle.trigger == CycleTrigger::Due {
        check_due_time(tx, cycle)?;
    }
    let is_started = cycle.status == CycleStatus::Running;
    let mut insert = tx.prepare_cached(
        "INSERT INTO cycles (schedule_id, number, due_at, trigger, status, reason, started_at, finished_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    insert.execute(params![
        id.as_str(),
        to_sql(cycle.number),
        cycle.due_at.to_string(),
        cycle.trigger.as_str(),
        cycle.status.as_str(),
        cycle.reason.as_deref().map(bounded),
        time(is_started.then_some(now)),
        time(cycle.status.is_final().then_some(now)),
    ])?;
    count_failures(tx, id, cycle.status)
}

/// Number of a schedule's newest cycle; 0 before the first.
fn last_number(tx: &Transaction<'_>, id: &ScheduleId) -> Result<u64, Refusal> {
    let column = "(SELECT coalesce(max(number), 0) FROM cycles WHERE schedule_id = ?1)";
    SCHEDULES.get(tx, column, id.as_str(), |row| count(row, 0))
}

/// A due time has one cycle, unless its schedule was put back before it (`last_cycle_at`) because the clock was ahead.
fn check_due_time(tx: &Transaction<'_>, cycle: &NewCycle) -> Result<(), Refusal> {
    let mut query = tx.prepare_cached(
        "SELECT number FROM cycles WHERE schedule_id = ?1 AND due_at = ?2 AND trigger = 'due' \
         AND NOT coalesce((SELECT last_cycle_at < ?2 FROM continuous_training_schedules WHERE id = ?1), 0) \
         ORDER BY number DESC LIMIT 1",
    )?;
    let same = query.query_row([cycle.schedule_id.as_str(), &cycle.due_at.to_string()], |row| count(row, 0));
    match same.optional()? {
        Some(other) => {
            let reason = format!("its due time {} is that of cycle {other}", cycle.due_at);
            Err(refuse_cycle(&cycle.schedule_id, cycle.number, reason))
        }
        None => Ok(()),
    }
}

fn put_status(
    tx: &Transaction<'_>,
    now: Timestamp,
    id: &ScheduleId,
    number: u64,
    status: CycleStatus,
    reason: Option<&str>,
) -> Result<(), Refusal> {
    let before = cycle_status(tx, id, number)?;
    if before.is_final() || (before, status) == (CycleStatus::Running, CycleStatus::Queued) {
        return Err(refuse_cycle(id, number, format!("it is {before} and can't become {status}")));
    }
    let is_started = status == CycleStatus::Running;
    let mut update = tx.prepare_cached(
        "UPDATE cycles SET status = ?3, reason = ?4, started_at = coalesce(started_at, ?5), finished_at = ?6 \
         WHERE schedule_id = ?1 AND number = ?2",
    )?;
    update.execute(params![
        id.as_str(),
        to_sql(number),
        status.as_str(),
        reason.map(bounded),
        time(is_started.then_some(now)),
        time(status.is_final().then_some(now)),
    ])?;
    count_failures(tx, id, status)
}

/// What changes with a promotion: the cycle's deployed model and what its schedule continues from.
fn put_deployed(
    tx: &Transaction<'_>,
    now: Timestamp,
    id: &ScheduleId,
    number: u64,
    checkpoint: impl FnOnce(&ModelId) -> String,
) -> Result<(), Refusal> {
    let mut update = tx.prepare_cached(
        "UPDATE cycles SET deployed_model_id = coalesce(deployed_model_id, model_id) \
         WHERE schedule_id = ?1 AND number = ?2 RETURNING deployed_model_id, experiment_id",
    )?;
    let (model, experiment): (Option<ModelId>, Option<String>) = update
        .query_row(params![id.as_str(), to_sql(number)], |row| Ok((parse_optional(row, 0)?, row.get(1)?)))?;
    let Some(model) = model else { return Ok(()) };
    let mut update = tx.prepare_cached(
        "UPDATE continuous_training_schedules SET current_checkpoint_path = ?2, \
         base_experiment_id = coalesce(base_experiment_id, ?3), updated_at = ?4 WHERE id = ?1",
    )?;
    update.execute(params![id.as_str(), checkpoint(&model), experiment, now.to_string()])?;
    Ok(())
}

fn count_failures(tx: &Transaction<'_>, id: &ScheduleId, status: CycleStatus) -> Result<(), Refusal> {
    let failures = match status {
        CycleStatus::Failed => "consecutive_failures + 1",
        CycleStatus::Promoted | CycleStatus::Rejected | CycleStatus::Inconclusive | CycleStatus::Held => "0",
        _ => return Ok(()),
    };
    let sql =
        format!("UPDATE continuous_training_schedules SET consecutive_failures = {failures} WHERE id = ?1");
    tx.prepare_cached(&sql)?.execute([id.as_str()])?;
    Ok(())
}
