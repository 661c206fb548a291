//! A scheduler over a real store, with cycles that do nothing but note when they start.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use walkforward::clock::SystemClock;
use walkforward_core::{CancelToken, Clock};
use walkforward_orchestrator::{
    CycleEnd, CycleRunner, CycleStart, NoAnnouncements, Scheduler, SchedulerError, SchedulerOptions,
    SchedulerParts, SchedulerService,
};
use walkforward_store::{CycleStatus, NewSchedule, ScheduleId, Store};

/// How long after their due times cycles started, in milliseconds.
struct Noting {
    clock: SystemClock,
    errors_ms: Mutex<Vec<f64>>,
}

#[async_trait]
impl CycleRunner for Noting {
    async fn run(&self, cycle: CycleStart, _cancel: CancelToken) -> CycleEnd {
        let error_ms = self.clock.now().millis_since(cycle.due_at) as f64;
        self.errors_ms.lock().unwrap_or_else(PoisonError::into_inner).push(error_ms);
        CycleEnd::new(CycleStatus::Rejected, None)
    }
}

/// A running scheduler with its schedules, each on a line of its own.
pub(crate) struct World {
    pub(crate) scheduler: Scheduler,
    noting: Arc<Noting>,
    stop: oneshot::Sender<()>,
    service: JoinHandle<Result<(), SchedulerError>>,
    _dir: TempDir,
}

impl World {
    pub(crate) async fn start(schedules: usize, config: &Value) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let clock = SystemClock::start();
        let store = Store::open(&dir.path().join("data"), &dir.path().join("models"), Arc::new(clock));
        let store = Arc::new(store.expect("a store"));
        let ids = make_schedules(&store, schedules, config);
        let noting = Arc::new(Noting { clock, errors_ms: Mutex::default() });
        let parts = SchedulerParts {
            ledger: store,
            runner: Arc::<Noting>::clone(&noting),
            clock: Arc::new(clock),
            announcer: Arc::new(NoAnnouncements),
        };
        let options = SchedulerOptions { max_concurrent_trainings: schedules, ..SchedulerOptions::default() };
        let (service, scheduler) = SchedulerService::new(parts, options);
        let (stop, stopped) = oneshot::channel::<()>();
        let service = tokio::spawn(service.run(async {
            let _ = stopped.await;
        }));
        for id in &ids {
            scheduler.start(id).await.expect("a schedule starts");
        }
        Self { scheduler, noting, stop, service, _dir: dir }
    }

    /// Cycles that have started.
    pub(crate) fn started(&self) -> usize {
        self.noting.errors_ms.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Ends it; how late the cycles started, in milliseconds.
    pub(crate) async fn stop(self) -> Vec<f64> {
        self.stop.send(()).expect("it runs");
        self.service.await.expect("no panic").expect("all ends are recorded");
        std::mem::take(&mut self.noting.errors_ms.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn make_schedules(store: &Store, schedules: usize, config: &Value) -> Vec<ScheduleId> {
    let make = |n: usize| {
        let name = format!("s-{n:03}");
        let schedule = NewSchedule {
            id: name.parse().expect("an id"),
            line: name.parse().expect("a line"),
            name,
            base_experiment_id: None,
            dataset_id: None,
            hp_pack_id: None,
            config: config.clone(),
        };
        store.create_schedule(&schedule).expect("a schedule is made").id
    };
    (0..schedules).map(make).collect()
}
