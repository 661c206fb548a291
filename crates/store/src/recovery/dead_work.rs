//! Runs and experiments whose process died: each gets the end that it had come to.
//!
//! A run's end is in its model's record, an experiment's in its run's row; a cycle's is there too, and its schedule's
//! ledger closes it. The ends are those that a living process writes.

use walkforward_core::{ModelId, RunId};

use super::{RecoveryReport, note};
use crate::{
    ExperimentEnd, ExperimentRecord, ExperimentStatus, ModelRecord, RunLock, RunOutcome, Store, StoreError,
};

/// Runs or experiments that are closed between two looks for more.
const BATCH: u32 = 256;

const DIED: &str = "the process ended without a word";
const NOT_BEGUN: &str = "the process ended before the training began";

impl Store {
    /// Whether there are runs or experiments without an end.
    pub(crate) fn has_dead_work(&self) -> Result<bool, StoreError> {
        Ok(!self.open_runs(1)?.is_empty() || !self.open_experiments(1)?.is_empty())
    }

    /// Closes the runs and experiments that have no end; `_idle` shows that none goes on.
    pub(super) fn close_dead_work(
        &self,
        _idle: &RunLock,
        report: &mut RecoveryReport,
    ) -> Result<(), StoreError> {
        loop {
            let runs = self.open_runs(BATCH)?;
            if runs.is_empty() {
                break;
            }
            runs.iter().try_for_each(|run| self.close_run(run, report))?;
        }
        loop {
            let experiments = self.open_experiments(BATCH)?;
            if experiments.is_empty() {
                return Ok(());
            }
            experiments.iter().try_for_each(|experiment| self.close_experiment(experiment, report))?;
        }
    }

    fn close_run(&self, run: &RunId, report: &mut RecoveryReport) -> Result<(), StoreError> {
        let record = self.record_of_run(run, report)?;
        let outcome = record.as_ref().and_then(RunOutcome::of_model);
        match outcome {
            Some(_) => report.closed_runs += 1,
            None => report.interrupted_runs += 1,
        }
        let verdict = record.and_then(|record| record.verdict);
        let reason = match outcome {
            Some(_) => verdict.and_then(|verdict| verdict.reason),
            None => Some(DIED.to_owned()),
        };
        self.finish_run(run, outcome.unwrap_or(RunOutcome::Interrupted), reason.as_deref())
    }

    fn close_experiment(
        &self,
        experiment: &ExperimentRecord,
        report: &mut RecoveryReport,
    ) -> Result<(), StoreError> {
        let end = match &experiment.run_id {
            Some(run) => self.end_of_training(run, report)?,
            None if experiment.status == ExperimentStatus::Pending => interrupted(NOT_BEGUN),
            None => interrupted(DIED),
        };
        match end.status {
            ExperimentStatus::Interrupted => report.interrupted_experiments += 1,
            _ => report.closed_experiments += 1,
        }
        self.finish_experiment(&experiment.id, &end).map(drop)
    }

    /// The end of the experiment of `run`, which is closed.
    fn end_of_training(&self, run: &RunId, report: &mut RecoveryReport) -> Result<ExperimentEnd, StoreError> {
        let Some(row) = self.run(run)? else { return Ok(interrupted(DIED)) };
        let outcome = row.outcome.unwrap_or(RunOutcome::Interrupted);
        if !outcome.is_verdict() {
            return Ok(ExperimentEnd::unjudged(outcome, row.reason));
        }
        let record = self.record_of_run(run, report)?;
        Ok(record.map_or_else(
            || interrupted("the record of its model can't be read"),
            |it| ExperimentEnd::judged(&it.model_id, &it.training, it.metrics.as_ref(), outcome),
        ))
    }

    /// The record of the model that `run` made; none when it made none, or when the record can't be read, which is
    /// noted.
    fn record_of_run(
        &self,
        run: &RunId,
        report: &mut RecoveryReport,
    ) -> Result<Option<ModelRecord>, StoreError> {
        match self.model(&ModelId::of_run(run)) {
            Ok(record) => Ok(Some(record)),
            Err(StoreError::UnknownModel { .. }) => Ok(None),
            Err(error) => note(report, error).map(|()| None),
        }
    }
}

fn interrupted(reason: &str) -> ExperimentEnd {
    ExperimentEnd::unjudged(RunOutcome::Interrupted, Some(reason.to_owned()))
}
