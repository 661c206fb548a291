//! The store as the ledger.

use walkforward_core::{CancelToken, ManualClock};
use walkforward_store::{CycleStatus, NewSchedule, Store};

use super::*;
use crate::schedule::CycleEnd;

/// Ends when it is asked to.
struct Endless;

#[async_trait::async_trait]
impl CycleRunner for Endless {
    async fn run(&self, _cycle: CycleStart, cancel: CancelToken) -> CycleEnd {
        while !cancel.is_cancelled() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        CycleEnd::new(CycleStatus::Cancelled, None)
    }
}

fn store(dir: &std::path::Path, clock: &Arc<ManualClock>) -> Arc<Store> {
    let clock = Arc::<ManualClock>::clone(clock);
    Arc::new(Store::open(&dir.join("data"), &dir.join("models"), clock).unwrap())
}

fn make(store: &Store, name: &str) -> ScheduleRecord {
    let new = NewSchedule {
        id: id(name),
        name: name.to_owned(),
        line: name.parse().unwrap(),
        base_experiment_id: None,
        dataset_id: None,
        hp_pack_id: None,
        config: json!({ "interval_hours": 6, "on_busy": "queue" }),
    };
    store.create_schedule(&new).unwrap()
}

/// A scheduler over the store that runs until its task is aborted.
fn run(
    store: &Arc<Store>,
    world: &World,
) -> (Scheduler, tokio::task::JoinHandle<Result<(), SchedulerError>>) {
    let parts = SchedulerParts {
        ledger: Arc::<Store>::clone(store),
        runner: Arc::new(Endless),
        clock: Arc::<fixture::PausedClock>::clone(&world.clock),
        announcer: Arc::new(NoAnnouncements),
    };
    let (service, scheduler) = SchedulerService::new(parts, SchedulerOptions::default());
    (scheduler, tokio::spawn(service.run(std::future::pending())))
}

fn statuses(store: &Store, name: &str) -> Vec<CycleStatus> {
    store.cycles(&id(name), None, 100).unwrap().iter().map(|cycle| cycle.status).collect()
}

#[tokio::test(start_paused = true)]
async fn what_a_killed_process_left_in_the_store_is_closed_and_gone_on_with() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(Timestamp::EPOCH));
    let (store, world) = (store(dir.path(), &clock), World::new(Cycle::Stubborn));
    for name in ["btc", "eth", "old"] {
        make(&store, name);
    }
    let (scheduler, service) = run(&store, &world);
    for name in ["btc", "eth"] {
        scheduler.start(&id(name)).await.unwrap();
    }
    pass(MINUTE).await;
    assert_eq!(statuses(&store, "btc"), [CycleStatus::Running]);
    assert_eq!(statuses(&store, "eth"), [CycleStatus::Queued]);
    // A removed schedule's cycle is closed too, though the schedule is in no list any more.
    scheduler.remove(&id("btc")).await.unwrap();
    service.abort();
    assert!(service.await.unwrap_err().is_cancelled());

    let (scheduler, service) = run(&store, &world);
    assert_eq!(scheduler.start(&id("old")).await.unwrap().status, ScheduleStatus::Active);
    assert!(statuses(&store, "btc")[0].is_final());
    assert!(statuses(&store, "eth").last().unwrap().is_final());
    assert_eq!(
        scheduler.list().iter().map(|view| view.id.clone()).collect::<Vec<_>>(),
        [id("eth"), id("old")]
    );
    let next = scheduler.status(&id("eth")).unwrap().next_cycle_at;
    assert_eq!(next, Some(Timestamp::EPOCH.plus_millis(6 * 3_600_000)));
    service.abort();
    assert!(service.await.unwrap_err().is_cancelled());
}

#[tokio::test(start_paused = true)]
async fn a_schedule_that_the_store_refuses_is_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(Timestamp::EPOCH));
    let (store, world) = (store(dir.path(), &clock), World::new(Cycle::Stubborn));
    let record = make(&store, "btc");
    let (scheduler, service) = run(&store, &world);
    scheduler.pause(&id("btc")).await.unwrap_err();
    // Another process writes a cycle of which this one does not know.
    let foreign = walkforward_store::NewCycle {
        schedule_id: record.id,
        number: 1,
        due_at: Timestamp::EPOCH,
        trigger: CycleTrigger::Manual,
        status: CycleStatus::Skipped,
        reason: None,
    };
    store.commit_schedule_changes(&[ScheduleChange::Cycle(foreign)]).unwrap();
    scheduler.start(&id("btc")).await.unwrap();
    pass(MINUTE).await;
    let fault = scheduler.status(&id("btc")).unwrap().fault.unwrap();
    assert!(fault.contains("cycle 1 of schedule 'btc' is refused: the next number is 2"), "{fault}");
    service.abort();
    assert!(service.await.unwrap_err().is_cancelled());
}
