//! The trainings of a server: cycles of schedules, and experiments that somebody asked for.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use walkforward_core::{CancelToken, NoProgress, ProgressUpdate};
use walkforward_orchestrator::{
    ContinuousTrainer, CycleEnd, CyclePlan, CycleProgress, CycleRunner, CycleStart, RunError, RunReport, Slot,
};
use walkforward_server::Hub;
use walkforward_store::{CycleStatus, ExperimentId, NewExperiment, ScheduleId};

use super::events::Wake;

/// Runs trainings. The scheduler says when there is room for one.
pub(super) struct Trainings {
    trainer: ContinuousTrainer,
    progress: Arc<Latest>,
    experiments: Mutex<BTreeMap<ExperimentId, Experiment>>,
    wake: Wake,
}

struct Experiment {
    cancel: CancelToken,
    task: JoinHandle<()>,
}

/// How far running cycles have come.
pub(super) struct Latest {
    cycles: Mutex<BTreeMap<ScheduleId, (u64, ProgressUpdate)>>,
    hub: Hub,
}

impl Latest {
    /// The newest word of a schedule's running cycle.
    pub(super) fn of(&self, schedule: &ScheduleId) -> Option<(u64, ProgressUpdate)> {
        self.cycles.lock().unwrap_or_else(PoisonError::into_inner).get(schedule).cloned()
    }

    fn forget(&self, schedule: &ScheduleId) {
        self.cycles.lock().unwrap_or_else(PoisonError::into_inner).remove(schedule);
    }
}

impl CycleProgress for Latest {
    fn report(&self, schedule: &ScheduleId, cycle: u64, update: &ProgressUpdate) {
        let mut cycles = self.cycles.lock().unwrap_or_else(PoisonError::into_inner);
        cycles.insert(schedule.clone(), (cycle, update.clone()));
        drop(cycles);
        self.hub.progress(schedule, cycle, update);
    }
}

impl Trainings {
    /// Trainings of the trainer that `make` makes.
    pub(super) fn new(wake: Wake, make: impl FnOnce(Arc<dyn CycleProgress>) -> ContinuousTrainer) -> Self {
        let progress = Arc::new(Latest { cycles: Mutex::default(), hub: wake.hub().clone() });
        let trainer = make(Arc::<Latest>::clone(&progress));
        Self { trainer, progress, experiments: Mutex::default(), wake }
    }

    /// Where those who listen are told.
    pub(super) fn hub(&self) -> &Hub {
        self.wake.hub()
    }

    /// How far running cycles have come.
    pub(super) fn progress(&self) -> &Latest {
        &self.progress
    }

    /// Begins an experiment, which keeps `slot` until it has ended.
    pub(super) fn begin(
        self: &Arc<Self>,
        experiment: NewExperiment,
        plan: CyclePlan,
        slot: Slot,
        ended: impl FnOnce(&Result<RunReport, RunError>) + Send + 'static,
    ) -> Result<(), String> {
        let (trainings, cancel, id) = (Arc::clone(self), CancelToken::default(), experiment.id.clone());
        let stop = cancel.clone();
        // Held until the task is entered, so that it can't end before.
        let mut experiments = self.experiments.lock().unwrap_or_else(PoisonError::into_inner);
        if experiments.contains_key(&id) {
            return Err(format!("an experiment '{id}' is running"));
        }
        let task = tokio::spawn(async move {
            let (trainer, id) = (trainings.trainer.clone(), experiment.id.clone());
            let work =
                async move { trainer.run_experiment(experiment, plan, Arc::new(NoProgress), cancel).await };
            match on_own_thread(work).await {
                Some(result) => ended(&result),
                None => tracing::error!(experiment = %id, "the training ended with a bug"),
            }
            trainings.experiments.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
            drop(slot);
            trainings.wake.wake();
        });
        experiments.insert(id, Experiment { cancel: stop, task });
        Ok(())
    }

    /// Asks an experiment to stop; whether it runs here.
    pub(super) fn cancel(&self, id: &ExperimentId) -> bool {
        let experiments = self.experiments.lock().unwrap_or_else(PoisonError::into_inner);
        experiments.get(id).inspect(|experiment| experiment.cancel.cancel()).is_some()
    }

    /// Experiments that run.
    pub(super) fn running(&self) -> Vec<ExperimentId> {
        self.experiments.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    /// Asks all experiments to stop.
    pub(super) fn cancel_all(&self) {
        let experiments = self.experiments.lock().unwrap_or_else(PoisonError::into_inner);
        experiments.values().for_each(|experiment| experiment.cancel.cancel());
    }

    /// Ends all experiments within `grace`; what does not end in time is closed by the next start.
    pub(super) async fn stop(&self, grace: Duration) {
        self.cancel_all();
        let experiments =
            std::mem::take(&mut *self.experiments.lock().unwrap_or_else(PoisonError::into_inner));
        let all = async {
            for (_, experiment) in experiments {
                let _ = experiment.task.await;
            }
        };
        if tokio::time::timeout(grace, all).await.is_err() {
            tracing::warn!("a training did not end in time; the next start records that");
        }
    }
}

#[async_trait]
impl CycleRunner for Trainings {
    async fn run(&self, cycle: CycleStart, cancel: CancelToken) -> CycleEnd {
        let (trainer, schedule) = (self.trainer.clone(), cycle.schedule.id.clone());
        let end = on_own_thread(async move { trainer.run(cycle, cancel).await }).await;
        self.progress.forget(&schedule);
        self.wake.wake();
        end.unwrap_or_else(|| {
            CycleEnd::new(CycleStatus::Failed, Some("a bug: the cycle panicked".to_owned()))
        })
    }
}

/// Runs `work` where reading a large file or waiting for a lock holds up nobody else; none when it panicked.
async fn on_own_thread<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> Option<T> {
    let runtime = Handle::current();
    let ended = tokio::task::spawn_blocking(move || runtime.block_on(work)).await;
    ended.inspect_err(|error| tracing::error!(%error, "a training broke off")).ok()
}

/// What an event says about the end of an experiment.
pub(super) fn ending(
    id: &ExperimentId,
    result: &Result<RunReport, RunError>,
) -> (&'static str, serde_json::Value) {
    let (outcome, reason) = match result {
        Ok(report) => (report.outcome, Some(report.verdict.sentence.clone())),
        Err(error) => error.outcome(),
    };
    let model = result.as_ref().ok().map(|report| &report.model_id);
    (
        "experiment_finished",
        json!({ "experiment_id": id, "outcome": outcome, "reason": reason, "model_id": model }),
    )
}
