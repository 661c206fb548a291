//! The store as the scheduler's ledger.

use std::collections::BTreeMap;

use walkforward_core::{ModelId, RunId};
use walkforward_store::{
    CycleRecord, CycleStatus, CycleUpdate, ModelStatus, ScheduleChange, ScheduleId, ScheduleRecord, Store,
    StoreError,
};

use super::ports::{LedgerError, LoadedSchedule, ScheduleLedger};
use crate::schedule::{CycleEnd, OpenCycle};

impl ScheduleLedger for Store {
    fn commit(&self, changes: &[ScheduleChange]) -> Result<Vec<i64>, LedgerError> {
        Ok(self.commit_schedule_changes(changes)?)
    }

    fn load(&self) -> Result<Vec<LoadedSchedule>, LedgerError> {
        let mut open: BTreeMap<ScheduleId, Vec<OpenCycle>> = BTreeMap::new();
        for cycle in self.open_cycles()? {
            let ended = end_of_run(self, &cycle)?;
            let cycles = open.entry(cycle.schedule_id).or_default();
            cycles.push(OpenCycle { number: cycle.number, status: cycle.status, ended });
        }
        let mut records = self.schedules()?;
        for id in open.keys() {
            if !records.iter().any(|record| record.id == *id) {
                records.push(self.schedule(id)?);
            }
        }
        let with_open = |record: ScheduleRecord| {
            let open = open.remove(&record.id).unwrap_or_default();
            LoadedSchedule { record, open }
        };
        Ok(records.into_iter().map(with_open).collect())
    }
}

/// How the run of `cycle` ended, if it did: its process may have died between the run's last step and the cycle's. What
/// the cycle's row has not learned of the model is put there.
fn end_of_run(store: &Store, cycle: &CycleRecord) -> Result<Option<CycleEnd>, StoreError> {
    let Some(run) = &cycle.run_id else { return Ok(None) };
    let record = match store.model(&ModelId::of_run(run)) {
        Ok(record) => record,
        Err(StoreError::UnknownModel { .. }) => return ended_without_model(store, run),
        Err(error) => return Err(error),
    };
    let is_promoted = record.status == ModelStatus::Promoted;
    let mut learned = CycleUpdate::of(cycle.schedule_id.clone(), cycle.number);
    learned.model_id = Some(record.model_id.clone());
    learned.parent_id.clone_from(&record.parent_id);
    learned.verdict.clone_from(&record.verdict);
    learned.deployed_model_id = is_promoted.then(|| record.model_id.clone());
    store.update_cycle(&learned)?;
    let reason = record.verdict.as_ref().and_then(|verdict| verdict.reason.clone());
    let status = match record.status {
        ModelStatus::Promoted => CycleStatus::Promoted,
        ModelStatus::Rejected => CycleStatus::Rejected,
        ModelStatus::Inconclusive => CycleStatus::Inconclusive,
        ModelStatus::Trained | ModelStatus::Evaluated => return ended_without_model(store, run),
    };
    Ok(Some(CycleEnd::new(status, reason)))
}

/// How a run ended that made no model or whose model has no verdict that settles it.
fn ended_without_model(store: &Store, run: &RunId) -> Result<Option<CycleEnd>, StoreError> {
    let Some(row) = store.run(run)? else { return Ok(None) };
    let status = row.outcome.and_then(|outcome| outcome.parse::<CycleStatus>().ok());
    Ok(status
        .filter(|status| *status != CycleStatus::Interrupted)
        .map(|status| CycleEnd::new(status, row.reason)))
}

impl From<StoreError> for LedgerError {
    /// What the store refuses because of the changes themselves will be refused again.
    fn from(error: StoreError) -> Self {
        let (may_pass, schedule) = match &error {
            StoreError::RefusedRow { id, .. } | StoreError::UnknownRow { id, .. } => (false, id.parse().ok()),
            StoreError::RefusedCycle { schedule, .. } => (false, Some(schedule.clone())),
            StoreError::TooManyChanges { .. } => (false, None),
            _ => (true, None),
        };
        Self { may_pass, schedule, source: Box::new(error) }
    }
}
