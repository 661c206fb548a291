//! A scheduler under paused time: its clock, its ledger, its cycles.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use async_trait::async_trait;
use serde_json::json;
use tokio::task::JoinHandle;
use walkforward_core::CancelToken;
use walkforward_store::{CycleStatus, CycleTrigger, NewCycle};

use super::*;
use crate::schedule::CycleEnd;

pub(super) const MINUTE: u64 = 60;
pub(super) const HOUR: u64 = 60 * MINUTE;
pub(super) const DAY: u64 = 24 * HOUR;

/// A clock that follows tokio's paused time and can be set.
pub(super) struct PausedClock {
    origin: tokio::time::Instant,
    set_ms: AtomicI64,
}

impl PausedClock {
    pub(super) fn set_ahead(&self, seconds: i64) {
        self.set_ms.fetch_add(seconds * 1_000, Ordering::SeqCst);
    }
}

#[async_trait]
impl Clock for PausedClock {
    fn now(&self) -> Timestamp {
        let ms = i64::try_from(self.origin.elapsed().as_millis()).unwrap();
        Timestamp::EPOCH.plus_millis(ms + self.set_ms.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        self.origin.elapsed()
    }

    async fn sleep_until(&self, deadline: Timestamp) {
        let wait_ms = u64::try_from(deadline.millis_since(self.now())).unwrap_or(0);
        tokio::time::sleep(Duration::from_millis(wait_ms)).await;
    }
}

/// A row of the ledger.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) number: u64,
    pub(super) due_minute: i64,
    pub(super) trigger: CycleTrigger,
    pub(super) status: CycleStatus,
    pub(super) reason: String,
}

#[derive(Default)]
struct Kept {
    records: BTreeMap<ScheduleId, ScheduleRecord>,
    rows: BTreeMap<ScheduleId, Vec<Row>>,
}

/// A ledger that keeps everything and can fail.
#[derive(Default)]
pub(super) struct TestLedger {
    rules: MemoryLedger,
    kept: Mutex<Kept>,
    pub(super) is_locked: AtomicBool,
    /// Schedules whose changes are refused for good.
    pub(super) refused: Mutex<BTreeSet<ScheduleId>>,
    /// Whether a refusal names its schedule.
    pub(super) is_silent: AtomicBool,
}

fn schedule_of(change: &ScheduleChange) -> Option<&ScheduleId> {
    match change {
        ScheduleChange::Cycle(cycle) => Some(&cycle.schedule_id),
        ScheduleChange::CycleStatus { schedule_id, .. } => Some(schedule_id),
        ScheduleChange::Schedule(state) => Some(&state.id),
        ScheduleChange::Event { .. } => None,
    }
}

impl ScheduleLedger for TestLedger {
    fn commit(&self, changes: &[ScheduleChange]) -> Result<Vec<i64>, LedgerError> {
        if self.is_locked.load(Ordering::SeqCst) {
            return Err(LedgerError { may_pass: true, schedule: None, source: "database is locked".into() });
        }
        let refused = self.refused.lock().unwrap();
        if let Some(id) = changes.iter().filter_map(schedule_of).find(|id| refused.contains(id)) {
            let schedule = (!self.is_silent.load(Ordering::SeqCst)).then(|| id.clone());
            return Err(LedgerError {
                may_pass: false,
                schedule,
                source: format!("{id} is tampered with").into(),
            });
        }
        let numbers = self.rules.commit(changes)?;
        self.kept.lock().unwrap().apply(changes);
        Ok(numbers)
    }

    fn load(&self) -> Result<Vec<LoadedSchedule>, LedgerError> {
        let kept = self.kept.lock().unwrap();
        let open = |id| {
            let rows = kept.rows.get(id).into_iter().flatten().filter(|row| !row.status.is_final());
            rows.map(|row| OpenCycle { number: row.number, status: row.status, ended: None }).collect()
        };
        let loaded =
            |(id, record): (_, &ScheduleRecord)| LoadedSchedule { record: record.clone(), open: open(id) };
        Ok(kept.records.iter().map(loaded).collect())
    }
}

impl Kept {
    fn apply(&mut self, changes: &[ScheduleChange]) {
        for change in changes {
            match change {
                ScheduleChange::Cycle(NewCycle { schedule_id, number, due_at, trigger, status, reason }) => {
                    let row = Row {
                        number: *number,
                        due_minute: due_at.as_millis() / 60_000,
                        trigger: *trigger,
                        status: *status,
                        reason: reason.clone().unwrap_or_default(),
                    };
                    self.rows.entry(schedule_id.clone()).or_default().push(row);
                }
                ScheduleChange::CycleStatus { schedule_id, number, status, reason } => {
                    let rows = self.rows.get_mut(schedule_id).unwrap();
                    let row = rows.iter_mut().rev().find(|row| row.number == *number).unwrap();
                    (row.status, row.reason) = (*status, reason.clone().unwrap_or_default());
                }
                ScheduleChange::Schedule(state) => {
                    let record = self.records.get_mut(&state.id).unwrap();
                    *record = view::with_state(record, state);
                }
                ScheduleChange::Event { .. } => {}
            }
        }
    }
}

/// What cycles do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cycle {
    /// They take so many seconds and end when they are asked to.
    Takes(u64),
    /// They don't listen.
    Stubborn,
    /// They panic.
    Panics,
}

pub(super) struct TestRunner {
    cycle: Cycle,
    ledger: Arc<TestLedger>,
}

#[async_trait]
impl CycleRunner for TestRunner {
    async fn run(&self, cycle: CycleStart, cancel: CancelToken) -> CycleEnd {
        let row = self.ledger.row(cycle.schedule.id.as_str(), cycle.number);
        assert_eq!(row.status, CycleStatus::Running, "persisted before it runs");
        let seconds = match self.cycle {
            Cycle::Takes(seconds) => seconds,
            Cycle::Stubborn => u64::MAX / 1_000_000,
            Cycle::Panics => panic!("the cycle has a bug"),
        };
        for _ in 0..seconds.div_ceil(MINUTE) {
            tokio::time::sleep(Duration::from_secs(MINUTE.min(seconds))).await;
            if cancel.is_cancelled() && self.cycle != Cycle::Stubborn {
                return CycleEnd::new(CycleStatus::Cancelled, None);
            }
        }
        CycleEnd::new(CycleStatus::Rejected, None)
    }
}

impl TestLedger {
    pub(super) fn rows(&self, id: &str) -> Vec<Row> {
        self.kept.lock().unwrap().rows.get(&id.parse().unwrap()).cloned().unwrap_or_default()
    }

    pub(super) fn row(&self, id: &str, number: u64) -> Row {
        self.rows(id).into_iter().find(|row| row.number == number).unwrap()
    }

    /// `trigger number status@minute` of all cycles of a schedule.
    pub(super) fn text(&self, id: &str) -> Vec<String> {
        let text = |row: &Row| format!("{} {} {}@{}", row.trigger, row.number, row.status, row.due_minute);
        self.rows(id).iter().map(text).collect()
    }
}

/// A running scheduler.
pub(super) struct Running {
    pub(super) scheduler: Scheduler,
    stop: oneshot::Sender<()>,
    pub(super) service: JoinHandle<Result<(), SchedulerError>>,
}

impl Running {
    pub(super) async fn stop(self) -> Result<(), SchedulerError> {
        self.stop.send(()).unwrap();
        self.service.await.unwrap()
    }

    /// Ends it as a kill does: between two instructions.
    pub(super) async fn kill(self) {
        self.service.abort();
        assert!(self.service.await.unwrap_err().is_cancelled());
    }
}

/// A ledger and a clock that outlive the schedulers which use them.
pub(super) struct World {
    pub(super) ledger: Arc<TestLedger>,
    pub(super) clock: Arc<PausedClock>,
    pub(super) told: Arc<Told>,
    pub(super) cycle: Cycle,
    pub(super) options: SchedulerOptions,
}

/// What was announced.
#[derive(Default)]
pub(super) struct Told(pub(super) Mutex<Vec<(i64, &'static str)>>);

impl Announcer for Told {
    fn announce(&self, number: i64, announcement: &crate::schedule::Announcement) {
        self.0.lock().unwrap().push((number, announcement.kind));
    }
}

impl World {
    pub(super) fn new(cycle: Cycle) -> Self {
        Self {
            ledger: Arc::default(),
            clock: Arc::new(PausedClock { origin: tokio::time::Instant::now(), set_ms: AtomicI64::new(0) }),
            told: Arc::default(),
            cycle,
            options: SchedulerOptions {
                stop_grace: Duration::from_secs(5 * MINUTE),
                ..SchedulerOptions::default()
            },
        }
    }

    pub(super) fn run(&self) -> Running {
        let runner = TestRunner { cycle: self.cycle, ledger: Arc::clone(&self.ledger) };
        let parts = SchedulerParts {
            ledger: Arc::<TestLedger>::clone(&self.ledger),
            runner: Arc::new(runner),
            clock: Arc::<PausedClock>::clone(&self.clock),
            announcer: Arc::<Told>::clone(&self.told),
        };
        let (service, scheduler) = SchedulerService::new(parts, self.options);
        let (stop, stopped) = oneshot::channel();
        let service = tokio::spawn(service.run(async {
            let _ = stopped.await;
        }));
        Running { scheduler, stop, service }
    }

    /// A running scheduler with one schedule for each name, each on its own line, all of them started.
    pub(super) async fn with(&self, names: &[&str], config: serde_json::Value) -> Running {
        let running = self.run();
        // Commands wait until the schedules are loaded, those of others too.
        running.scheduler.stop(&id("nobody")).await.unwrap_err();
        for name in names {
            let record = self.record(name, &config);
            running.scheduler.add(record.clone()).await.unwrap();
            running.scheduler.start(&record.id).await.unwrap();
        }
        running
    }

    /// The record of an idle schedule, which the ledger holds.
    pub(super) fn record(&self, name: &str, config: &serde_json::Value) -> ScheduleRecord {
        let now = self.clock.now();
        let (id, line) = (name.parse().unwrap(), name.parse().unwrap());
        let record = ScheduleRecord::idle(id, line, config.clone(), now);
        self.ledger.kept.lock().unwrap().records.insert(record.id.clone(), record.clone());
        record
    }
}

pub(super) fn id(name: &str) -> ScheduleId {
    name.parse().unwrap()
}

pub(super) fn hourly() -> serde_json::Value {
    json!({ "interval_hours": 1 })
}

/// Lets `seconds` pass.
pub(super) async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}
