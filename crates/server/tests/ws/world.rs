//! A server on a port of its own, over a real store, with traders that do what the test says.
//!
//! The bench includes this file and uses a part of it.
#![allow(dead_code, reason = "the bench uses a part")]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use walkforward_core::{CancelToken, Clock, LineName, SessionControl, SessionId};
use walkforward_orchestrator::{
    CycleEnd, CycleRunner, CycleStart, NoAnnouncements, Scheduler, SchedulerOptions, SchedulerParts,
    SchedulerService,
};
use walkforward_server::{
    Gates, Hub, HubOptions, LaunchTraining, NewContinuous, Operator, Refusal, RefusalKind, RunningSessions,
    Server, ServerOptions, ServerParts, StartPaper, Tokens, TrainingProgress,
};
use walkforward_store::{
    CycleStatus, ExperimentId, NewDatasetConfig, NewPack, ScheduleChange, ScheduleId, ScheduleRecord, Store,
};

pub(crate) const READ: &str = "read-read-read-read-read";
pub(crate) const TRADE: &str = "trade_trade_trade_trade";
/// The kind of the events that a world records.
pub(crate) const KIND: &str = "model_promoted";

/// A running server.
pub(crate) struct World {
    pub(crate) address: SocketAddr,
    pub(crate) store: Arc<Store>,
    pub(crate) hub: Hub,
    pub(crate) sessions: Arc<Sessions>,
    stop: oneshot::Sender<()>,
    server: JoinHandle<()>,
    _dir: TempDir,
}

/// What a server stands on.
pub(crate) struct Ground {
    pub(crate) dir: TempDir,
    pub(crate) store: Arc<Store>,
    pub(crate) scheduler: Scheduler,
}

impl World {
    /// A server with an empty store that asks for tokens or does not.
    pub(crate) async fn start(options: HubOptions, has_tokens: bool, clock: Arc<dyn Clock>) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let store = Store::open(&dir.path().join("data"), &dir.path().join("models"), Arc::clone(&clock));
        let store = Arc::new(store.expect("a store"));
        let scheduler = scheduler(&store, &clock);
        Self::over(Ground { dir, store, scheduler }, options, has_tokens, clock).await
    }

    /// A server over what is there.
    pub(crate) async fn over(
        ground: Ground,
        options: HubOptions,
        has_tokens: bool,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let Ground { dir, store, scheduler } = ground;
        let (hub, sessions) = (Hub::new(options), Arc::new(Sessions::default()));
        let parts = ServerParts {
            store: Arc::clone(&store),
            scheduler,
            operator: Arc::new(Nobody),
            sessions: Arc::<Sessions>::clone(&sessions),
            clock,
            hub: hub.clone(),
        };
        let token = |text: &str| text.parse().expect("a token");
        let options = ServerOptions {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            hosts: Vec::new(),
            tokens: has_tokens.then(|| Tokens { read: token(READ), trade: token(TRADE) }),
            stop_grace: std::time::Duration::from_secs(30),
        };
        let server = Server::bind(options, parts).await.expect("a port");
        let address = server.address();
        let (stop, stopped) = oneshot::channel::<()>();
        let server = tokio::spawn(server.run(async {
            let _ = stopped.await;
        }));
        Self { address, store, hub, sessions, stop, server, _dir: dir }
    }

    /// Records an event and says so.
    pub(crate) fn record(&self, kind: &str, payload: &Value) -> i64 {
        let seq = self.store.record_event(kind, payload).expect("it is recorded");
        self.hub.wake();
        seq
    }

    /// Records `count` events at once, which say their places from 0.
    pub(crate) fn record_many(&self, count: usize) {
        let event = |place: usize| ScheduleChange::Event {
            kind: KIND.to_owned(),
            payload: json!({ "place": place }),
        };
        let events: Vec<_> = (0..count).map(event).collect();
        self.store.commit_schedule_changes(&events).expect("they are recorded");
        self.hub.wake();
    }

    /// Asks the server to stop, and waits until it has.
    pub(crate) async fn stop(self) {
        let _ = self.stop.send(());
        self.server.await.expect("no panic");
    }
}

/// A scheduler that knows no schedule and runs nothing.
fn scheduler(store: &Arc<Store>, clock: &Arc<dyn Clock>) -> Scheduler {
    let parts = SchedulerParts {
        ledger: Arc::<Store>::clone(store),
        runner: Arc::new(Nobody),
        clock: Arc::clone(clock),
        announcer: Arc::new(NoAnnouncements),
    };
    SchedulerService::new(parts, SchedulerOptions::default()).1
}

/// Does nothing for anybody.
pub(crate) struct Nobody;

fn refused() -> Refusal {
    Refusal::new(RefusalKind::Unavailable, "nobody is there")
}

#[async_trait]
impl CycleRunner for Nobody {
    async fn run(&self, _cycle: CycleStart, _cancel: CancelToken) -> CycleEnd {
        CycleEnd::new(CycleStatus::Rejected, None)
    }
}

#[async_trait]
impl Operator for Nobody {
    async fn create(&self, _wanted: NewContinuous) -> Result<ScheduleRecord, Refusal> {
        Err(refused())
    }

    async fn take_in(&self, _id: &ScheduleId) -> Result<(), Refusal> {
        Err(refused())
    }

    async fn launch(&self, _wanted: LaunchTraining) -> Result<ExperimentId, Refusal> {
        Err(refused())
    }

    async fn cancel(&self, _id: &ExperimentId) -> Result<(), Refusal> {
        Err(refused())
    }

    fn running(&self) -> Vec<ExperimentId> {
        Vec::new()
    }

    fn check_pack(&self, _pack: &NewPack) -> Result<(), Refusal> {
        Err(refused())
    }

    fn check_dataset(&self, _dataset: &NewDatasetConfig) -> Result<(), Refusal> {
        Err(refused())
    }

    fn gates(&self) -> Result<Gates, Refusal> {
        Err(refused())
    }

    fn evidence(&self, _line: &LineName) -> Result<Vec<Value>, Refusal> {
        Err(refused())
    }

    fn progress(&self, _id: &ScheduleId) -> Option<TrainingProgress> {
        None
    }
}

/// The traders that run.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<Vec<(SessionId, Arc<dyn SessionControl>)>>);

impl Sessions {
    pub(crate) fn set(&self, sessions: Vec<(SessionId, Arc<dyn SessionControl>)>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = sessions;
    }
}

#[async_trait]
impl RunningSessions for Sessions {
    async fn list(&self) -> Vec<(SessionId, Arc<dyn SessionControl>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn find(&self, id: &SessionId) -> Option<Arc<dyn SessionControl>> {
        let found = self.list().await.into_iter().find(|(listed, _)| listed == id);
        found.map(|(_, control)| control)
    }

    async fn start(&self, _wanted: StartPaper) -> Result<SessionId, Refusal> {
        Err(refused())
    }
}
