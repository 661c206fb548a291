//! What everybody is told meets here: state changes from the table of events, and ticks that are out of date at once.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, broadcast, watch};
use walkforward_core::ProgressUpdate;
use walkforward_store::ScheduleId;

use super::batch::Batch;
use crate::TrainingProgress;

/// Ticks that wait for the next batch. When there are more, the oldest go.
const MAX_WAITING_TICKS: usize = 4_096;

/// How clients are dealt with.
#[derive(Debug, Clone)]
pub struct HubOptions {
    /// Clients at once. Who comes when there are so many is answered with 503.
    pub max_clients: usize,
    /// How long a client may take to say who it is.
    pub hello_wait: Duration,
    /// How long one frame may take on its way. A client that does not read for so long is closed.
    pub write_wait: Duration,
    /// Time between two questions whether a client is still there. One that has said nothing for three times as long is
    /// closed.
    pub ping_every: Duration,
    /// Batches that are kept for clients that are behind; at least 1. Whoever is behind by more gets what it has missed
    /// from the table of events.
    pub kept_batches: usize,
    /// A client that is behind by more batches gets their state changes alone.
    pub lag_batches: usize,
}

impl Default for HubOptions {
    fn default() -> Self {
        Self {
            max_clients: 1_000,
            hello_wait: Duration::from_secs(5),
            write_wait: Duration::from_secs(10),
            ping_every: Duration::from_secs(20),
            kept_batches: 512,
            lag_batches: 50,
        }
    }
}

/// Where messages for the clients of a server go in. Clones share it; nothing that it does waits. It belongs to one server,
/// and ends with it.
#[derive(Clone)]
pub struct Hub(Arc<Inner>);

struct Inner {
    options: HubOptions,
    places: Arc<Semaphore>,
    inbox: Mutex<Inbox>,
    outlet: Mutex<Outlet>,
    /// Whether it tells, and until when.
    phase: watch::Sender<Phase>,
    /// Something waits for the next batch.
    arrived: Notify,
    /// The table of events has something new.
    recorded: Notify,
    /// A training has come further.
    progressed: Notify,
}

/// Where a hub is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The number of the last event is not known yet: nobody can join.
    Starting,
    /// Clients come and go.
    Open,
    /// Clients are sent away.
    Closing,
}

/// What waits for the next batch.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    /// State changes in their order, each as its messages.
    pub(super) changes: Vec<Change>,
    /// Messages without a number of their own.
    pub(super) ticks: VecDeque<Tick>,
    /// The newest word of each schedule's training; those before it are nobody's business any more.
    progress: BTreeMap<ScheduleId, TrainingProgress>,
}

/// An event of the table, as it is told.
#[derive(Debug)]
pub(super) struct Change {
    /// Its number.
    pub(super) seq: i64,
    /// One JSON object, or two where it means two things.
    pub(super) messages: Vec<String>,
}

/// A message that is not told again.
#[derive(Debug)]
pub(super) struct Tick {
    pub(super) kind: &'static str,
    pub(super) fields: Value,
}

/// Where batches come out.
struct Outlet {
    sender: broadcast::Sender<Arc<Batch>>,
    /// Number of the last state change that is in a batch, or was there before the first.
    seq: i64,
}

impl Default for Hub {
    fn default() -> Self {
        Self::new(HubOptions::default())
    }
}

impl Hub {
    /// A hub that nobody listens to yet.
    pub fn new(options: HubOptions) -> Self {
        let (sender, _) = broadcast::channel(options.kept_batches.max(1));
        Self(Arc::new(Inner {
            places: Arc::new(Semaphore::new(options.max_clients)),
            options,
            inbox: Mutex::default(),
            outlet: Mutex::new(Outlet { sender, seq: 0 }),
            phase: watch::Sender::new(Phase::Starting),
            arrived: Notify::new(),
            recorded: Notify::new(),
            progressed: Notify::new(),
        }))
    }

    /// Tells the clients of now `fields`, a JSON object, as a message of type `kind`. It is not told again, and a client
    /// that is behind does not get it.
    pub fn publish_volatile(&self, kind: &'static str, fields: Value) {
        let mut inbox = self.inbox();
        if inbox.ticks.len() == MAX_WAITING_TICKS {
            inbox.ticks.pop_front();
        }
        inbox.ticks.push_back(Tick { kind, fields });
        drop(inbox);
        self.0.arrived.notify_one();
    }

    /// Tells how far cycle `cycle` of a schedule has come. Of several words in a short time the last is told.
    pub fn progress(&self, schedule: &ScheduleId, cycle: u64, update: &ProgressUpdate) {
        self.inbox().progress.insert(schedule.clone(), (cycle, update.clone()));
        self.0.progressed.notify_one();
    }

    /// Says that the table of events has something new. Without it that is seen within a second.
    pub fn wake(&self) {
        self.0.recorded.notify_one();
    }

    pub(super) fn options(&self) -> &HubOptions {
        &self.0.options
    }

    /// A place for one client, until it is dropped; none when all are taken.
    pub(super) fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0.places).try_acquire_owned().ok()
    }

    /// The batches from now on, and the number of the last state change before them.
    pub(super) fn join(&self) -> (i64, broadcast::Receiver<Arc<Batch>>) {
        let outlet = self.outlet();
        (outlet.seq, outlet.sender.subscribe())
    }

    pub(super) fn phase(&self) -> watch::Receiver<Phase> {
        self.0.phase.subscribe()
    }

    /// Lets clients in: `seq` is the number of the last state change.
    pub(super) fn open(&self, seq: i64) {
        self.outlet().seq = seq;
        self.enter(Phase::Open);
    }

    /// Sends all clients away.
    pub(crate) fn close(&self) {
        self.enter(Phase::Closing);
    }

    fn enter(&self, next: Phase) {
        self.0.phase.send_if_modified(|phase| {
            let is_later = *phase != next && *phase != Phase::Closing;
            if is_later {
                *phase = next;
            }
            is_later
        });
    }

    /// Waits until no client is left.
    pub(crate) async fn emptied(&self) {
        let all = u32::try_from(self.0.options.max_clients).unwrap_or(u32::MAX);
        let _ = self.0.places.acquire_many(all).await;
    }

    pub(super) fn take_in(&self, changes: Vec<Change>) {
        self.inbox().changes.extend(changes);
        self.0.arrived.notify_one();
    }

    pub(super) async fn arrived(&self) {
        self.0.arrived.notified().await;
    }

    pub(super) async fn recorded(&self) {
        self.0.recorded.notified().await;
    }

    pub(super) async fn progressed(&self) {
        self.0.progressed.notified().await;
    }

    /// What waits, but for progress.
    pub(super) fn take(&self) -> (Vec<Change>, VecDeque<Tick>) {
        let mut inbox = self.inbox();
        (std::mem::take(&mut inbox.changes), std::mem::take(&mut inbox.ticks))
    }

    pub(super) fn take_progress(&self) -> BTreeMap<ScheduleId, TrainingProgress> {
        std::mem::take(&mut self.inbox().progress)
    }

    /// The number of the last state change that was sent.
    pub(super) fn seq(&self) -> i64 {
        self.outlet().seq
    }

    /// Gives a batch to all clients of now.
    pub(super) fn send(&self, batch: Batch) {
        let mut outlet = self.outlet();
        outlet.seq = batch.seq;
        // Nobody may be there.
        let _ = outlet.sender.send(Arc::new(batch));
    }

    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.0.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn outlet(&self) -> MutexGuard<'_, Outlet> {
        self.0.outlet.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
