//! Questions about many schedules of many cycles.

use std::fs;

use rusqlite::Connection;
use serde_json::{Value, json};
use walkforward_store::{
    CycleStatus, CycleTrigger, NewCycle, NewSchedule, ScheduleChange, ScheduleId, Store,
};

use crate::{open, timed};

const SCHEDULES: usize = 500;
const CYCLES: u64 = 10_000;
const PAGE: u32 = 50;

/// A JSON line: milliseconds of each question, the slowest of three schedules.
pub(crate) fn run() -> Value {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(&folder);
    let ids: Vec<ScheduleId> = (0..SCHEDULES).map(|number| make(&store, number)).collect();
    drop(store);
    let database = folder.path().join("data/walkforward.db");
    fill(&Connection::open(&database).expect("a database"));
    let mib = fs::metadata(&database).expect("a file").len() >> 20;
    let (store, open_ms) = timed(|| open(&folder));
    let mut answers = ask(&store, &ids);
    let due: Vec<ScheduleChange> = ids.iter().map(|id| ScheduleChange::Cycle(queued(id))).collect();
    let (_, due_ms) = timed(|| store.commit_schedule_changes(&due).expect("a step"));
    let (cycles, open_cycles_ms) = timed(|| store.open_cycles().expect("cycles").len());
    assert_eq!(cycles, SCHEDULES);
    let schedule_id = ids[0].clone();
    let (number, status) = (CYCLES + 1, CycleStatus::Failed);
    let end = ScheduleChange::CycleStatus { schedule_id, number, status, reason: None };
    let (_, end_ms) = timed(|| store.commit_schedule_changes(&[end]).expect("a step"));
    answers["open_cycles_ms"] = json!(open_cycles_ms);
    json!({
        "name": "ask", "schedules": SCHEDULES, "cycles_each": CYCLES, "database_mib": mib, "open_ms": open_ms,
        "questions": answers, "step_due_cycle_of_each_ms": due_ms, "step_end_of_one_ms": end_ms,
    })
}

fn ask(store: &Store, ids: &[ScheduleId]) -> Value {
    let mut slowest = [0.0_f64; 4];
    for id in [&ids[0], &ids[SCHEDULES / 2], &ids[SCHEDULES - 1]] {
        let asked = [
            timed(|| assert_eq!(store.cycles(id, None, PAGE).expect("cycles").len(), PAGE as usize)).1,
            timed(|| {
                assert_eq!(store.cycles(id, Some(CYCLES / 2), PAGE).expect("cycles").len(), PAGE as usize)
            })
            .1,
            timed(|| store.cycle(id, CYCLES - 1).expect("a cycle")).1,
            timed(|| store.schedule(id).expect("a schedule")).1,
        ];
        slowest.iter_mut().zip(asked).for_each(|(slowest, ms)| *slowest = slowest.max(ms));
    }
    let (schedules, all_ms) = timed(|| store.schedules().expect("schedules").len());
    assert_eq!(schedules, SCHEDULES);
    let [newest, middle, cycle, schedule] = slowest;
    json!({
        "newest_cycles_ms": newest, "cycles_from_the_middle_ms": middle, "one_cycle_ms": cycle,
        "one_schedule_ms": schedule, "all_schedules_ms": all_ms,
    })
}

fn make(store: &Store, number: usize) -> ScheduleId {
    let name = format!("s-{number:03}");
    let schedule = NewSchedule {
        id: name.parse().expect("an id"),
        line: name.parse().expect("a line"),
        name,
        base_experiment_id: None,
        dataset_id: None,
        hp_pack_id: None,
        config: json!({ "interval_hours": 6 }),
    };
    store.create_schedule(&schedule).expect("a schedule").id
}

fn queued(id: &ScheduleId) -> NewCycle {
    NewCycle {
        schedule_id: id.clone(),
        number: CYCLES + 1,
        due_at: "2026-01-01".parse().expect("a time"),
        trigger: CycleTrigger::Due,
        status: CycleStatus::Queued,
        reason: None,
    }
}

/// Gives every schedule its cycles.
fn fill(db: &Connection) {
    db.execute_batch(&format!(
        "PRAGMA synchronous = OFF;
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {CYCLES})
         INSERT INTO cycles (schedule_id, number, due_at, trigger, status, reason, run_id, model_id, verdict,
         started_at, finished_at)
         SELECT id, i, strftime('%Y-%m-%dT%H:%M:%fZ', 1577836800 + i * 3600, 'unixepoch'), 'due', 'rejected',
         'winRate 0.41 is below 0.55', '2024-01-01T00-00-00-000Z', 'model-2024-01-01T00-00-00-000Z',
         '{{\"preset\":\"thresholds\",\"outcome\":\"reject\",\"reason\":null,\"sentence\":\"no\",\"checks\":[]}}',
         '2024-01-01T00:00:00.000Z', '2024-01-01T00:00:00.000Z'
         FROM continuous_training_schedules, n;
         PRAGMA wal_checkpoint(TRUNCATE);"
    ))
    .expect("cycles");
}
