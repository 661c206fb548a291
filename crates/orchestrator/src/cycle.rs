//! A cycle of a schedule: an experiment, a run, and the rows that say what they came to.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use walkforward_core::{
    CancelToken, Clock, ModelId, Progress, ProgressUpdate, Stage, StageContext, StageError,
};
use walkforward_store::{
    CycleStatus, MadeFor, NewExperiment, RunLock, RunOutcome, ScheduleId, ScheduleRecord, Store, StoreError,
};

use crate::launcher::on_blocking_thread;
use crate::{CycleEnd, CycleRunner, CycleStart, Pipeline, RunError, RunReport, RunRequest, Stages};

mod iterations;
mod rows;

use iterations::IterationLog;
use rows::RunRows;
pub(crate) use rows::{details, experiment_id, schedule_tag};

/// What a cycle runs.
pub struct CyclePlan {
    /// The implementations.
    pub stages: Stages,
    /// What they are asked to do.
    pub request: RunRequest,
}

/// Says what the next cycle of a schedule runs.
pub trait CyclePlanner: Send + Sync {
    /// The plan of the next cycle of `schedule`, whose record is the present one. It may read files and block.
    ///
    /// # Errors
    /// The schedule's configuration can't be used any more, with a sentence that names what is wrong.
    fn plan(&self, schedule: &ScheduleRecord) -> Result<CyclePlan, StageError>;
}

/// Who follows the trainings of schedules. Nothing of it is kept.
pub trait CycleProgress: Send + Sync {
    /// Takes an update of a cycle. It must not wait.
    fn report(&self, schedule: &ScheduleId, cycle: u64, update: &ProgressUpdate);
}

/// Nobody follows.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoCycleProgress;

impl CycleProgress for NoCycleProgress {
    fn report(&self, _schedule: &ScheduleId, _cycle: u64, _update: &ProgressUpdate) {}
}

/// What the cycles of a process share.
#[derive(Clone)]
pub struct ContinuousParts {
    /// Where everything is kept.
    pub store: Arc<Store>,
    /// The right to run in its data folder.
    pub lock: Arc<RunLock>,
    /// Says what cycles run.
    pub planner: Arc<dyn CyclePlanner>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Who follows the trainings.
    pub progress: Arc<dyn CycleProgress>,
    /// A folder for files that nobody else needs.
    pub work_dir: PathBuf,
}

/// Runs the cycles of schedules: each one is an experiment with the tags `continuous`, `cycle:N` and `schedule:<id>`, and
/// a run whose steps are in the cycle's row before they are acted on.
#[derive(Clone)]
pub struct ContinuousTrainer {
    parts: ContinuousParts,
}

impl ContinuousTrainer {
    /// A runner of cycles.
    pub fn new(parts: ContinuousParts) -> Self {
        Self { parts }
    }

    /// Runs a training that belongs to no schedule, as the new experiment `experiment`.
    ///
    /// # Errors
    /// The experiment can't be made, or as [`Pipeline::run`]; then the experiment says why.
    pub async fn run_experiment(
        &self,
        experiment: NewExperiment,
        mut plan: CyclePlan,
        progress: Arc<dyn Progress>,
        cancel: CancelToken,
    ) -> Result<RunReport, RunError> {
        let experiment_id = Some(experiment.id.clone());
        plan.request.made_for = Some(MadeFor { experiment_id, schedule_id: None, cycle: None });
        let store = Arc::clone(&self.parts.store);
        store.create_experiment(&experiment)?;
        let rows = Arc::new(RunRows::of_experiment(store, experiment.id));
        self.run_plan(rows, plan, progress, cancel).await
    }

    /// Runs `plan` with its rows, and closes its experiment.
    async fn run_plan(
        &self,
        rows: Arc<RunRows>,
        plan: CyclePlan,
        progress: Arc<dyn Progress>,
        cancel: CancelToken,
    ) -> Result<RunReport, RunError> {
        let ContinuousParts { store, lock, clock, work_dir, .. } = &self.parts;
        let progress = Arc::new(IterationLog::new(Arc::clone(&rows), Arc::clone(clock), progress));
        let ctx = StageContext {
            clock: Arc::clone(clock),
            progress: Arc::<IterationLog>::clone(&progress),
            cancel,
            work_dir: work_dir.clone(),
        };
        let pipeline = Pipeline::new(plan.stages, Arc::clone(store));
        let result = pipeline.run_under(lock, &plan.request, &ctx, &*rows).await;
        progress.flush();
        if let Err(error) = rows.close(&result) {
            tracing::error!(%error, "a training has ended, and its experiment could not be closed");
        }
        result
    }

    async fn cycle(&self, cycle: &CycleStart, cancel: CancelToken) -> Result<CycleEnd, RunError> {
        let store = Arc::clone(&self.parts.store);
        let (planner, id) = (Arc::clone(&self.parts.planner), cycle.schedule.id.clone());
        let planned = on_blocking_thread(Stage::Etl, move || {
            let schedule = store.schedule(&id).map_err(|error| stage_error(&error))?;
            let mut plan = planner.plan(&schedule)?;
            plan.request.base = base_model(&store, &schedule).map_err(|error| stage_error(&error))?;
            Ok((schedule, plan))
        });
        let (schedule, mut plan) = planned.await?;
        let (schedule_id, number) = (Some(schedule.id.clone()), Some(cycle.number));
        plan.request.made_for = Some(MadeFor { experiment_id: None, schedule_id, cycle: number });
        let progress = Forwarded {
            to: Arc::clone(&self.parts.progress),
            schedule: schedule.id.clone(),
            cycle: cycle.number,
        };
        let rows = RunRows::of_cycle(Arc::clone(&self.parts.store), schedule, cycle.number, &plan.request);
        let rows = Arc::new(rows);
        let report = self.run_plan(Arc::clone(&rows), plan, Arc::new(progress), cancel).await?;
        let end = CycleEnd::of(report.outcome, report.verdict.reason.clone());
        Ok(CycleEnd { details: rows.details(&report), ..end })
    }
}

#[async_trait]
impl CycleRunner for ContinuousTrainer {
    async fn run(&self, cycle: CycleStart, cancel: CancelToken) -> CycleEnd {
        self.cycle(&cycle, cancel).await.unwrap_or_else(|error| {
            let (outcome, reason) = error.outcome();
            CycleEnd::of(outcome, reason)
        })
    }
}

/// Progress of a cycle on its way to those who follow.
struct Forwarded {
    to: Arc<dyn CycleProgress>,
    schedule: ScheduleId,
    cycle: u64,
}

impl Progress for Forwarded {
    fn report(&self, update: ProgressUpdate) {
        self.to.report(&self.schedule, self.cycle, &update);
    }
}

/// The model of the training that a schedule continues from while its line has no champion.
///
/// # Errors
/// The training's row can't be read.
pub fn base_model(store: &Store, schedule: &ScheduleRecord) -> Result<Option<ModelId>, StoreError> {
    match &schedule.base_experiment_id {
        Some(base) => Ok(store.experiment(base)?.model_id),
        None => Ok(None),
    }
}

fn stage_error(error: &StoreError) -> StageError {
    StageError::new(Stage::Etl, error.kind(), error.to_string())
}

impl CycleEnd {
    /// The end of a cycle whose run ended so.
    pub fn of(outcome: RunOutcome, reason: Option<String>) -> Self {
        let status = match outcome {
            RunOutcome::Promoted => CycleStatus::Promoted,
            RunOutcome::Rejected => CycleStatus::Rejected,
            RunOutcome::Inconclusive => CycleStatus::Inconclusive,
            RunOutcome::Held => CycleStatus::Held,
            RunOutcome::Skipped => CycleStatus::Skipped,
            RunOutcome::Failed => CycleStatus::Failed,
            RunOutcome::Cancelled => CycleStatus::Cancelled,
            RunOutcome::Interrupted => CycleStatus::Interrupted,
        };
        Self::new(status, reason)
    }
}
