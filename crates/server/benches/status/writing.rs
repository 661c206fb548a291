//! Cycles that are recorded meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::json;
use walkforward_core::Clock;
use walkforward_store::{CycleStatus, CycleTrigger, NewCycle, ScheduleChange, ScheduleId, Store};

use crate::clock::WallClock;
use crate::filled::schedule_id;

/// Records cycles until it is stopped.
pub(crate) struct Writer {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<usize>,
}

impl Writer {
    /// Records `rate` cycles a second, of one schedule after the other; none with 0.
    pub(crate) fn start(store: &Arc<Store>, schedules: usize, rate: usize) -> Self {
        let (stop, store) = (Arc::new(AtomicBool::new(false)), Arc::clone(store));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let (start, mut written) = (Instant::now(), 0);
            while rate > 0 && !stopped.load(Ordering::Relaxed) {
                record(&store, &schedule_id(written % schedules).parse().expect("an id"));
                written += 1;
                let due = Duration::from_secs_f64(written as f64 / rate as f64);
                thread::sleep(due.saturating_sub(start.elapsed()));
            }
            written
        });
        Self { stop, thread }
    }

    /// How many cycles it has recorded.
    pub(crate) fn stop(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("no panic")
    }
}

/// A cycle from its beginning to its end, in three transactions with an event each.
fn record(store: &Store, id: &ScheduleId) {
    let last = store.cycles(id, None, 1).expect("a schedule").first().map_or(0, |cycle| cycle.number);
    let (schedule_id, number) = (id.clone(), last + 1);
    let cycle = ScheduleChange::Cycle(NewCycle {
        schedule_id: schedule_id.clone(),
        number,
        due_at: WallClock::start().now(),
        trigger: CycleTrigger::Manual,
        status: CycleStatus::Queued,
        reason: None,
    });
    commit(store, cycle, number);
    for (status, reason) in
        [(CycleStatus::Running, None), (CycleStatus::Rejected, Some("not enough".to_owned()))]
    {
        let schedule_id = schedule_id.clone();
        commit(store, ScheduleChange::CycleStatus { schedule_id, number, status, reason }, number);
    }
}

fn commit(store: &Store, change: ScheduleChange, number: u64) {
    let event =
        ScheduleChange::Event { kind: "cycle".to_owned(), payload: json!({ "cycle_number": number }) };
    store.commit_schedule_changes(&[change, event]).expect("it is recorded");
}
