//! The store as the scheduler's ledger.

use std::collections::BTreeMap;

use walkforward_core::{ModelId, RunId};
use walkforward_store::{
    CycleRecord, CycleUpdate, ExperimentId, ModelRecord, RunOutcome, ScheduleChange, ScheduleId,
    ScheduleRecord, Store, StoreError,
};

use super::ports::{LedgerError, LoadedSchedule, ScheduleLedger};
use crate::cycle::{details, experiment_id, schedule_tag};
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

/// How the run of `cycle` ended, if it did: its process may have died between the run's last step and the cycle's. The
/// run's row says it, which the store brings in line before anybody gets the run lock. What the cycle's row has not
/// learned is put there.
fn end_of_run(store: &Store, cycle: &CycleRecord) -> Result<Option<CycleEnd>, StoreError> {
    let Some(run) = &cycle.run_id else { return Ok(None) };
    let record = record_of(store, run)?;
    let experiment = experiment_of(store, cycle, run)?;
    let mut learned = CycleUpdate::of(cycle.schedule_id.clone(), cycle.number);
    learned.experiment_id.clone_from(&experiment);
    if let Some(record) = &record {
        learned.model_id = Some(record.model_id.clone());
        learned.parent_id.clone_from(&record.parent_id);
        learned.verdict.clone_from(&record.verdict);
    }
    store.update_cycle(&learned)?;
    let Some(row) = store.run(run)? else { return Ok(None) };
    let Some(outcome) = row.outcome.filter(|outcome| *outcome != RunOutcome::Interrupted) else {
        return Ok(None);
    };
    let end = CycleEnd::of(outcome, row.reason);
    let details = record.filter(|_| outcome.is_verdict()).map(|record| {
        let (metrics, verdict) = (record.metrics.as_ref(), record.verdict.as_ref());
        details(store, experiment.as_ref(), &record.model_id, metrics, verdict)
    });
    Ok(Some(CycleEnd { details: details.unwrap_or_default(), ..end }))
}

/// The record of the model that `run` made; none when it made none, or when its record is damaged, which the store
/// reports when it is opened.
fn record_of(store: &Store, run: &RunId) -> Result<Option<ModelRecord>, StoreError> {
    match store.model(&ModelId::of_run(run)) {
        Ok(record) => Ok(Some(record)),
        Err(StoreError::UnknownModel { .. } | StoreError::BadModel { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The experiment of `cycle`, if it came to be.
fn experiment_of(
    store: &Store,
    cycle: &CycleRecord,
    run: &RunId,
) -> Result<Option<ExperimentId>, StoreError> {
    let tag = schedule_tag(&cycle.schedule_id);
    match store.experiment(&experiment_id(run)?) {
        Ok(record) => Ok(record.tags.contains(&tag).then_some(record.id)),
        Err(StoreError::UnknownRow { .. }) => Ok(None),
        Err(error) => Err(error),
    }
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
