//! The rows of a run: its experiment and, if it belongs to a schedule, its cycle.

use std::sync::{Arc, OnceLock};

use serde_json::{Value, json};
use walkforward_core::{Metrics, ModelId, RunId, Verdict, Window};
use walkforward_store::{
    CycleUpdate, ExperimentEnd, ExperimentId, IterationRecord, NewExperiment, ScheduleId, ScheduleRecord,
    Store, StoreError,
};

use crate::{RunError, RunObserver, RunReport, RunRequest, RunStep};

/// Keeps what a run learns on its way.
pub(super) struct RunRows {
    store: Arc<Store>,
    /// Known once there is something to train on.
    experiment: OnceLock<ExperimentId>,
    cycle: Option<Cycle>,
}

/// The cycle that a run is.
struct Cycle {
    schedule: ScheduleRecord,
    number: u64,
    /// What its experiment says about how it was made.
    config: Value,
}

impl RunRows {
    /// Rows of a run that belongs to no schedule, as a pending experiment.
    pub(super) fn of_experiment(store: Arc<Store>, id: ExperimentId) -> Self {
        Self { store, experiment: OnceLock::from(id), cycle: None }
    }

    /// Rows of cycle `number` of `schedule`; the experiment is made when the run begins.
    pub(super) fn of_cycle(
        store: Arc<Store>,
        schedule: ScheduleRecord,
        number: u64,
        request: &RunRequest,
    ) -> Self {
        let config = json!({
            "parent_experiment_id": schedule.base_experiment_id,
            "cycle_number": number,
            "schedule_id": schedule.id,
            "hp_pack_id": schedule.hp_pack_id,
            "dataset_id": schedule.dataset_id,
            "dataset": request.dataset,
            "training_config": request.pack,
            "seed": request.seed,
        });
        Self { store, experiment: OnceLock::new(), cycle: Some(Cycle { schedule, number, config }) }
    }

    /// Appends iterations; that they can't be kept is no reason to end a training.
    pub(super) fn append(&self, batch: &[IterationRecord]) {
        let Some(experiment) = self.experiment.get() else { return };
        if let Err(error) = self.store.append_iterations(experiment, batch) {
            tracing::warn!(%experiment, %error, "iterations of a training could not be recorded");
        }
    }

    /// Closes the experiment.
    pub(super) fn close(&self, result: &Result<RunReport, RunError>) -> Result<(), StoreError> {
        let Some(experiment) = self.experiment.get() else { return Ok(()) };
        self.store.finish_experiment(experiment, &end(result)).map(drop)
    }

    /// What is announced of a run that came to a verdict.
    pub(super) fn details(&self, report: &RunReport) -> Value {
        let (metrics, verdict) = (Some(&report.candidate.metrics), Some(&report.verdict));
        details(&self.store, self.experiment.get(), &report.model_id, metrics, verdict)
    }

    /// The run has begun. An experiment that was asked for begins with it.
    fn begin(&self, run: &RunId) -> Result<(), StoreError> {
        if let Some(experiment) = self.experiment.get() {
            self.store.begin_experiment(experiment, Some(run))?;
        }
        self.update(|cycle| cycle.run_id = Some(run.clone()))
    }

    /// There is something to train on: the cycle gets its experiment. One without a new bar has none.
    fn collect(&self, run: &RunId, window: Window) -> Result<(), StoreError> {
        if let (None, Some(cycle)) = (self.experiment.get(), &self.cycle) {
            let experiment = self.make_experiment(cycle, run)?;
            self.store.begin_experiment(&experiment, Some(run))?;
            self.experiment.get_or_init(|| experiment);
        }
        self.update(|cycle| {
            cycle.experiment_id = self.experiment.get().cloned();
            cycle.window = Some(window);
        })
    }

    fn make_experiment(&self, cycle: &Cycle, run: &RunId) -> Result<ExperimentId, StoreError> {
        let ScheduleRecord { id, name, line, .. } = &cycle.schedule;
        let experiment = NewExperiment {
            id: experiment_id(run)?,
            name: format!("{name}, cycle {}", cycle.number),
            script: "schedule".to_owned(),
            line: line.clone(),
            config: cycle.config.clone(),
            tags: vec!["continuous".to_owned(), format!("cycle:{}", cycle.number), schedule_tag(id)],
        };
        self.store.create_experiment(&experiment)?;
        Ok(experiment.id)
    }

    /// Records what the cycle has learned, if the run is one.
    fn update(&self, learn: impl FnOnce(&mut CycleUpdate)) -> Result<(), StoreError> {
        let Some(Cycle { schedule, number, .. }) = &self.cycle else { return Ok(()) };
        let mut update = CycleUpdate::of(schedule.id.clone(), *number);
        learn(&mut update);
        self.store.update_cycle(&update)
    }
}

impl RunObserver for RunRows {
    fn on(&self, step: RunStep<'_>) -> Result<(), StoreError> {
        match step {
            RunStep::Began(run) => self.begin(run),
            RunStep::Collected { run, dataset } => self.collect(run, dataset.window),
            RunStep::Trained(record) => self.update(|cycle| {
                cycle.parent_id.clone_from(&record.parent_id);
                cycle.model_id = Some(record.model_id.clone());
            }),
            RunStep::Judged(verdict) => self.update(|cycle| cycle.verdict = Some(verdict.clone())),
            // It is in the rows of cycle and schedule with the cycle's end, in one transaction.
            RunStep::Promoted(_) => Ok(()),
        }
    }
}

/// What is announced of a cycle whose model was judged.
pub(crate) fn details(
    store: &Store,
    experiment: Option<&ExperimentId>,
    model: &ModelId,
    metrics: Option<&Metrics>,
    verdict: Option<&Verdict>,
) -> Value {
    json!({
        "experiment_id": experiment,
        "checkpoint_path": store.model_dir(model).display().to_string(),
        "model_id": model,
        "metrics": metrics,
        "verdict": verdict.map(|verdict| &verdict.sentence),
    })
}

/// The tag of the experiments of a schedule's cycles.
pub(crate) fn schedule_tag(id: &ScheduleId) -> String {
    format!("schedule:{id}")
}

/// The experiment of a cycle's run: `exp-` and the run's id.
pub(crate) fn experiment_id(run: &RunId) -> Result<ExperimentId, StoreError> {
    let text = format!("exp-{}", run.as_str().to_ascii_lowercase());
    text.parse().map_err(|error| StoreError::RefusedRow {
        what: "experiment",
        id: text.clone(),
        reason: format!("{error}"),
    })
}

fn end(result: &Result<RunReport, RunError>) -> ExperimentEnd {
    match result {
        Ok(report) => {
            let metrics = Some(&report.candidate.metrics);
            ExperimentEnd::judged(&report.model_id, &report.training, metrics, report.outcome)
        }
        Err(error) => {
            let (outcome, reason) = error.outcome();
            ExperimentEnd::unjudged(outcome, reason)
        }
    }
}
