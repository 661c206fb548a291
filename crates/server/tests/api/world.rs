//! A server with all that it stands on.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use walkforward_core::{CancelToken, Clock, LineName, ProgressUpdate, Stage, Timestamp};
use walkforward_orchestrator::{
    CycleEnd, CycleRunner, CycleStart, NoAnnouncements, Scheduler, SchedulerOptions, SchedulerParts,
    SchedulerService,
};
use walkforward_server::{
    Gates, Hub, LaunchTraining, NewContinuous, Operator, Refusal, RefusalKind, Server, ServerOptions,
    ServerParts, Tokens, TrainingProgress,
};
use walkforward_store::{
    CycleStatus, ExperimentId, NewDatasetConfig, NewExperiment, NewPack, NewSchedule, ScheduleId,
    ScheduleRecord, Store,
};

use crate::client::{Answer, Ask, ask};
use crate::sessions::FakeSessions;

pub(crate) const READ: &str = "read-read-read-read-read";
pub(crate) const TRADE: &str = "trade_trade_trade_trade";
pub(crate) const JSON: &str = "content-type: application/json\r\n";

/// A clock that starts at a fixed time and goes on as time does.
struct FromFixed(Instant);

#[async_trait]
impl Clock for FromFixed {
    fn now(&self) -> Timestamp {
        let start: Timestamp = "2024-01-01T00:00:00Z".parse().unwrap();
        start.plus_millis(i64::try_from(self.0.elapsed().as_millis()).unwrap())
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }

    async fn sleep_until(&self, deadline: Timestamp) {
        let wait_ms = u64::try_from(deadline.millis_since(self.now())).unwrap_or(0);
        tokio::time::sleep(Duration::from_millis(wait_ms)).await;
    }
}

/// Cycles end when they are asked to.
struct Endless;

#[async_trait]
impl CycleRunner for Endless {
    async fn run(&self, _cycle: CycleStart, cancel: CancelToken) -> CycleEnd {
        while !cancel.is_cancelled() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        CycleEnd::new(CycleStatus::Cancelled, Some("it was asked to stop".to_owned()))
    }
}

/// Does for the interface what a program does.
struct FakeOperator {
    store: Arc<Store>,
    scheduler: Scheduler,
    running: Mutex<Vec<ExperimentId>>,
}

fn refuse<T>(kind: RefusalKind, detail: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::new(kind, detail))
}

fn internal(error: &dyn std::fmt::Display) -> Refusal {
    Refusal::new(RefusalKind::Internal, error.to_string())
}

#[async_trait]
impl Operator for FakeOperator {
    async fn create(&self, wanted: NewContinuous) -> Result<ScheduleRecord, Refusal> {
        let id = wanted.id.unwrap_or_else(|| "btc".parse().unwrap());
        if self.store.schedule(&id).is_ok() {
            return refuse(RefusalKind::Conflict, format!("there is a schedule '{id}' already"));
        }
        let Some(hours) = wanted.interval_hours.filter(|hours| *hours > 0.0) else {
            return refuse(RefusalKind::Unusable, "interval_hours: expected a number above 0");
        };
        let new = NewSchedule {
            name: wanted.name.unwrap_or_else(|| id.to_string()),
            line: wanted.line.as_deref().unwrap_or(id.as_str()).parse().unwrap(),
            id,
            base_experiment_id: wanted.base_experiment_id,
            dataset_id: None,
            hp_pack_id: wanted.hp_pack_id.map(|id| id.parse().unwrap()),
            config: json!({ "interval_hours": hours }),
        };
        let record = self.store.create_schedule(&new).map_err(|error| internal(&error))?;
        self.scheduler.add(record.clone()).await.map_err(|error| internal(&error))?;
        self.scheduler.start(&record.id).await.map_err(|error| internal(&error))?;
        self.store.schedule(&record.id).map_err(|error| internal(&error))
    }

    async fn take_in(&self, id: &ScheduleId) -> Result<(), Refusal> {
        let record = self.store.schedule(id).map_err(|error| internal(&error))?;
        self.scheduler.add(record).await.map(drop).map_err(|error| internal(&error))
    }

    async fn launch(&self, wanted: LaunchTraining) -> Result<ExperimentId, Refusal> {
        let id = wanted.id.unwrap_or_else(|| "made-up".parse().unwrap());
        if wanted.settings.contains_key("no.setting") {
            return refuse(RefusalKind::Unusable, "there is no setting 'no.setting'");
        }
        let new = NewExperiment {
            id: id.clone(),
            name: wanted.name.unwrap_or_else(|| id.to_string()),
            script: "api".to_owned(),
            line: wanted.line.as_deref().unwrap_or("default").parse().unwrap(),
            config: json!({}),
            tags: wanted.tags,
        };
        if self.store.create_experiment(&new).is_err() {
            return refuse(RefusalKind::Conflict, format!("there is an experiment '{id}' already"));
        }
        self.store.begin_experiment(&id, None).map_err(|error| internal(&error))?;
        self.running.lock().unwrap().push(id.clone());
        Ok(id)
    }

    async fn cancel(&self, id: &ExperimentId) -> Result<(), Refusal> {
        let mut running = self.running.lock().unwrap();
        match (running.iter().position(|one| one == id), self.store.experiment(id)) {
            (Some(place), _) => {
                running.remove(place);
                Ok(())
            }
            (None, Ok(_)) => refuse(RefusalKind::Conflict, format!("experiment '{id}' has ended")),
            (None, Err(_)) => refuse(RefusalKind::Unknown, format!("there is no experiment '{id}'")),
        }
    }

    fn running(&self) -> Vec<ExperimentId> {
        self.running.lock().unwrap().clone()
    }

    fn check_pack(&self, pack: &NewPack) -> Result<(), Refusal> {
        match pack.config.get("no_such_key") {
            None => Ok(()),
            Some(_) => refuse(RefusalKind::Unusable, "[pack]: unknown field `no_such_key`"),
        }
    }

    fn check_dataset(&self, dataset: &NewDatasetConfig) -> Result<(), Refusal> {
        match dataset.source_type.as_str() {
            "synthetic" => Ok(()),
            other => refuse(RefusalKind::Unusable, format!("data.source: '{other}' is none")),
        }
    }

    fn gates(&self) -> Result<Gates, Refusal> {
        let limits = BTreeMap::from([("gate.min_win_rate".to_owned(), "0.55".to_owned())]);
        Ok(Gates { preset: "evidence".to_owned(), auto_deploy: true, allow_reused_metrics: false, limits })
    }

    fn evidence(&self, line: &LineName) -> Result<Vec<Value>, Refusal> {
        let arms = self.store.arms(line).map_err(|error| internal(&error))?;
        Ok(arms.iter().map(|arm| json!({ "arm": arm.id })).collect())
    }

    fn progress(&self, id: &ScheduleId) -> Option<TrainingProgress> {
        let running = self.scheduler.status(id).ok()?.running_cycle?;
        let (stage, message) = (Stage::Train, "learns".to_owned());
        Some((running, ProgressUpdate { stage, done: 3, total: 10, message, eta_seconds: Some(7.0) }))
    }
}

/// A server that answers until it is dropped.
pub(crate) struct World {
    dir: TempDir,
    pub(crate) store: Arc<Store>,
    pub(crate) sessions: Arc<FakeSessions>,
    pub(crate) address: SocketAddr,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for World {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        let tokens = Tokens { read: READ.parse().unwrap(), trade: TRADE.parse().unwrap() };
        Self::with(Some(tokens)).await
    }

    /// A server with these tokens, or with none.
    pub(crate) async fn with(tokens: Option<Tokens>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(FromFixed(Instant::now()));
        let store = Store::open(&dir.path().join("data"), &dir.path().join("models"), clock.clone()).unwrap();
        let store = Arc::new(store);
        let parts = SchedulerParts {
            ledger: Arc::<Store>::clone(&store),
            runner: Arc::new(Endless),
            clock: Arc::<FromFixed>::clone(&clock),
            announcer: Arc::new(NoAnnouncements),
        };
        let (service, scheduler) = SchedulerService::new(parts, SchedulerOptions::default());
        let service = tokio::spawn(async move { drop(service.run(std::future::pending()).await) });
        let sessions = Arc::new(FakeSessions::default());
        let operator = FakeOperator {
            store: Arc::clone(&store),
            scheduler: scheduler.clone(),
            running: Mutex::default(),
        };
        let parts = ServerParts {
            store: Arc::clone(&store),
            scheduler,
            operator: Arc::new(operator),
            sessions: Arc::<FakeSessions>::clone(&sessions),
            clock,
            hub: Hub::default(),
        };
        let options = ServerOptions {
            listen: "127.0.0.1:0".parse().unwrap(),
            hosts: Vec::new(),
            tokens,
            stop_grace: Duration::from_secs(1),
        };
        let server = Server::bind(options, parts).await.unwrap();
        let address = server.address();
        let server = tokio::spawn(server.run(std::future::pending()));
        Self { dir, store, sessions, address, tasks: vec![service, server] }
    }

    /// The folder that no answer names.
    pub(crate) fn folder(&self) -> &str {
        self.dir.path().to_str().unwrap()
    }

    pub(crate) fn ask(&self, request: &Ask<'_>) -> Answer {
        ask(self.address, self.folder(), request)
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask(&Ask { method: "GET", path, token: Some(READ), headers: "", body: None })
    }

    /// What is at `path`, which is there.
    pub(crate) fn json(&self, path: &str) -> Value {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.json()
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, body)
    }

    pub(crate) fn send(&self, method: &str, path: &str, body: &Value) -> Answer {
        let body = body.to_string();
        self.ask(&Ask { method, path, token: Some(TRADE), headers: JSON, body: Some(&body) })
    }

    pub(crate) fn delete(&self, path: &str) -> Answer {
        self.ask(&Ask { method: "DELETE", path, token: Some(TRADE), headers: "", body: None })
    }
}
