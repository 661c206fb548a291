//! What the server does for commands.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use walkforward::failure::{Failure, STAGE_FAILED};
use walkforward::frozen::FrozenSettings;
use walkforward::scheduling::{Planner, Recipe, WantedSchedule};
use walkforward_orchestrator::{ScheduleView, Scheduler, SchedulerError};
use walkforward_store::{
    DatasetConfigId, ExperimentId, NewExperiment, PackId, ScheduleId, ScheduleRecord, ScheduleStatus, Store,
    StoreError,
};

use super::trainings::{Trainings, ending};
use crate::control::{Answer, Desk, Request};
use crate::home::Home;

/// Why a training does not begin.
pub(super) enum LaunchError {
    /// There is one of this id.
    Exists(String),
    /// No slot is free, or its line is not.
    NoSlot(SchedulerError),
    /// It can't be planned or recorded.
    Unusable(Failure),
}

impl From<Failure> for LaunchError {
    fn from(failure: Failure) -> Self {
        Self::Unusable(failure)
    }
}

/// The server's hands.
pub(super) struct ServerDesk {
    store: Arc<Store>,
    planner: Planner,
    scheduler: Scheduler,
    trainings: Arc<Trainings>,
}

impl ServerDesk {
    pub(super) fn new(home: &Home, scheduler: Scheduler, trainings: Arc<Trainings>) -> Self {
        Self { store: Arc::clone(&home.store), planner: home.planner(), scheduler, trainings }
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    pub(super) fn trainings(&self) -> &Trainings {
        &self.trainings
    }

    /// Checks everything that a cycle would need, makes the schedule and starts it.
    pub(super) async fn make_schedule(&self, wanted: WantedSchedule) -> Result<ScheduleRecord, Failure> {
        let refuse = |error: StoreError| Failure::from(&error);
        let schedule = wanted.check(&self.planner).await?;
        let record = self.store.create_schedule(&schedule).map_err(refuse)?;
        self.known(&record.id).await.map_err(|error| failure(&error))?;
        let started = self.scheduler.start(&record.id).await;
        // At its own start the server may have found and started it already.
        let is_active = self.scheduler.status(&record.id).is_ok_and(|it| it.status == ScheduleStatus::Active);
        if !is_active {
            started.map_err(|error| failure(&error))?;
        }
        self.store.schedule(&record.id).map_err(refuse)
    }

    async fn carry_out(&self, request: Request) -> Result<Value, Failure> {
        match request {
            Request::Status => Ok(self.status()),
            Request::Show { schedule } => Ok(self.show(&schedule)),
            Request::RunExperiment { experiment } => self.run_experiment(*experiment).await,
            Request::CancelExperiment { experiment } => self.cancel_experiment(&experiment),
            about_a_schedule => {
                let view = self.obey(about_a_schedule).await;
                view.map(|view| json!({ "schedule": view })).map_err(|error| failure(&error))
            }
        }
    }

    /// Commands for one schedule.
    async fn obey(&self, request: Request) -> Result<Option<ScheduleView>, SchedulerError> {
        let scheduler = &self.scheduler;
        if let Some(id) = request.schedule() {
            self.known(id).await?;
        }
        Ok(Some(match request {
            Request::Add { schedule } => scheduler.status(&schedule)?,
            Request::Start { schedule } => scheduler.start(&schedule).await?,
            Request::Pause { schedule } => scheduler.pause(&schedule).await?,
            Request::Resume { schedule } => scheduler.resume(&schedule).await?,
            Request::Stop { schedule } => scheduler.stop(&schedule).await?,
            Request::Trigger { schedule } => scheduler.trigger(&schedule).await?,
            Request::Remove { schedule } => scheduler.remove(&schedule).await?,
            _ => return Ok(None),
        }))
    }

    fn status(&self) -> Value {
        let faults = self.scheduler.list().into_iter().filter(|view| view.fault.is_some());
        let faults: Vec<Value> =
            faults.map(|ScheduleView { id, fault, .. }| json!({ "id": id, "fault": fault })).collect();
        json!({
            "pid": std::process::id(),
            "overview": self.scheduler.overview(),
            "experiments": self.trainings.running(),
            "faults": faults,
        })
    }

    fn show(&self, schedule: &ScheduleId) -> Value {
        let progress = self.trainings.progress().of(schedule);
        let progress = progress.map(|(cycle, update)| json!({ "cycle": cycle, "update": update }));
        json!({ "schedule": self.scheduler.status(schedule).ok(), "progress": progress })
    }

    /// Takes in a schedule that a command has made since the server started.
    pub(super) async fn known(&self, id: &ScheduleId) -> Result<(), SchedulerError> {
        if self.scheduler.status(id).is_ok() {
            return Ok(());
        }
        let (store, wanted) = (Arc::clone(&self.store), id.clone());
        match tokio::task::spawn_blocking(move || store.schedule(&wanted)).await {
            Ok(Ok(record)) => match self.scheduler.add(record).await {
                // The scheduler has just loaded it, or another command was faster.
                Err(SchedulerError::Refused(_)) if self.scheduler.status(id).is_ok() => Ok(()),
                added => added.map(drop),
            },
            _ => Err(SchedulerError::Unknown { schedule: id.clone() }),
        }
    }

    async fn run_experiment(&self, experiment: NewExperiment) -> Result<Value, Failure> {
        let id = experiment.id.clone();
        match self.launch(experiment).await {
            Ok(()) => Ok(json!({ "experiment": id })),
            Err(LaunchError::Exists(why)) => Err(Failure::input(why)),
            Err(LaunchError::NoSlot(error)) => Err(failure(&error)),
            Err(LaunchError::Unusable(failure)) => Err(failure),
        }
    }

    /// Begins a training on a free slot, if its line is free too. The answer comes when it is planned; the experiment's
    /// row says how it goes.
    pub(super) async fn launch(&self, experiment: NewExperiment) -> Result<(), LaunchError> {
        let id = experiment.id.clone();
        if self.store.experiment(&id).is_ok() {
            return Err(LaunchError::Exists(format!(
                "there is an experiment '{id}' already: choose another id"
            )));
        }
        let slot = self.scheduler.reserve(&experiment.line, &format!("experiment '{id}'")).await;
        let slot = slot.map_err(LaunchError::NoSlot)?;
        let (planner, recipe) = (self.planner.clone(), recipe_of(&experiment)?);
        let planned = tokio::task::spawn_blocking(move || planner.experiment(&recipe)).await;
        let plan = planned.unwrap_or_else(|error| Err(Failure::stage(error.to_string())))?;
        let (store, finished) = (Arc::clone(&self.store), id.clone());
        let begun = self.trainings.begin(experiment, plan, slot, move |result| {
            let (kind, details) = ending(&finished, result);
            if let Err(error) = store.record_event(kind, &details) {
                tracing::error!(%error, "the end of an experiment could not be announced");
            }
        });
        begun.map_err(LaunchError::Exists)?;
        let started = self.store.record_event("experiment_started", &json!({ "experiment_id": id }));
        started.map_err(|error| Failure::from(&error))?;
        Ok(())
    }

    pub(super) fn cancel_experiment(&self, id: &ExperimentId) -> Result<Value, Failure> {
        if self.trainings.cancel(id) {
            return Ok(json!({ "experiment": id }));
        }
        let record = self.store.experiment(id).map_err(|error| Failure::from(&error))?;
        let schedule = record.tags.iter().find_map(|tag| tag.strip_prefix("schedule:"));
        Err(Failure::input(match (record.status.is_final(), schedule) {
            (true, _) => format!("experiment '{id}' is {} already", record.status),
            (false, Some(schedule)) => format!(
                "experiment '{id}' is a cycle of schedule '{schedule}': `orchestrate schedules stop {schedule}` ends it"
            ),
            (false, None) => format!("experiment '{id}' does not run in this server"),
        }))
    }
}

#[async_trait]
impl Desk for ServerDesk {
    async fn answer(&self, request: Request) -> Answer {
        match self.carry_out(request).await {
            Ok(details) => Answer::done(details),
            Err(failure) => Answer::refused(failure),
        }
    }
}

/// What an experiment's configuration says.
pub(crate) fn recipe_of(experiment: &NewExperiment) -> Result<Recipe, Failure> {
    let name = format!("experiment '{}'", experiment.id);
    let refuse = |error: &dyn std::fmt::Display| {
        Failure::input(format!("{name}: its configuration can't be read: {error}"))
    };
    let config = &experiment.config;
    let frozen: FrozenSettings = serde_json::from_value(config.clone()).map_err(|error| refuse(&error))?;
    let dataset: Option<DatasetConfigId> =
        serde_json::from_value(config["dataset_id"].clone()).map_err(|error| refuse(&error))?;
    let pack: Option<PackId> =
        serde_json::from_value(config["hp_pack_id"].clone()).map_err(|error| refuse(&error))?;
    Ok(Recipe { name, line: experiment.line.clone(), frozen, dataset, pack })
}

/// How a command that the scheduler refused ends.
pub(crate) fn failure(error: &SchedulerError) -> Failure {
    match error {
        SchedulerError::Refused(_) | SchedulerError::Unusable { .. } | SchedulerError::Unknown { .. } => {
            Failure::input(error.to_string())
        }
        SchedulerError::NotRecorded { source, .. } => {
            let store = source.source.downcast_ref::<StoreError>().map(Failure::from);
            let code = store.map_or(STAGE_FAILED, |failure| failure.code);
            Failure { code, message: error.to_string() }
        }
        _ => Failure::stage(error.to_string()),
    }
}
