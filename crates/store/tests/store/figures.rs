//! What opening and asking cost at full size. Run one with
//! `cargo test --release -p walkforward-store --test store -- --ignored --nocapture NAME`.
#![expect(clippy::print_stderr, reason = "figures are printed")]
#![expect(clippy::disallowed_methods, reason = "a measurement needs a clock")]

use std::fs;
use std::time::{Duration, Instant};

use crate::fixture::{Fixture, line, record, time};
use crate::schedules::{commit, new_schedule, queued};
use walkforward_core::RunId;
use walkforward_store::{CycleStatus, POLICY_FILE, ScheduleChange, ScheduleId};

fn timed<T>(what: &str, action: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let value = action();
    let took = start.elapsed();
    eprintln!("{what}: {:.1} ms", took.as_secs_f64() * 1e3);
    (value, took)
}

#[test]
#[ignore = "a measurement"]
fn opening_a_store_of_ten_thousand_models() {
    let fixture = Fixture::new();
    drop(fixture.open());
    let start = time("2020-01-01");
    for number in 0..10_000 {
        let run = RunId::at(start.plus_millis(number * 3_600_000));
        let mut model = record(&run, &line("default"));
        let dir = fixture.models_dir().join(model.model_id.as_str());
        fs::create_dir(&dir).unwrap();
        let weights = format!("weights of {run}");
        fs::write(dir.join(POLICY_FILE), &weights).unwrap();
        model.sha256 = walkforward_store::sha256_file(&dir.join(POLICY_FILE)).unwrap();
        model.pack = serde_json::json!({ "filler": "x".repeat(2_000) });
        fs::write(dir.join("metadata.json"), serde_json::to_vec_pretty(&model).unwrap()).unwrap();
    }
    let (store, _) = timed("first open, models unknown", || fixture.open());
    assert_eq!(store.recovery().registered, 10_000);
    drop(store);
    timed("second open", || fixture.open());
    timed("third open", || fixture.open());
}

/// Longest answer to a question that a page asks.
const MAX_ANSWER: Duration = Duration::from_millis(10);

#[test]
#[ignore = "a measurement"]
fn asking_about_five_hundred_schedules_of_ten_thousand_cycles() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let ids: Vec<ScheduleId> =
        (0..500).map(|n| store.create_schedule(&new_schedule(&format!("s-{n:03}"))).unwrap().id).collect();
    drop(store);
    let path = fixture.data_dir().join("walkforward.db");
    let db = rusqlite::Connection::open(&path).unwrap();
    db.execute_batch(
        "PRAGMA synchronous = OFF;
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
         INSERT INTO cycles (schedule_id, number, due_at, trigger, status, reason, run_id, model_id, verdict,
         started_at, finished_at)
         SELECT id, i, strftime('%Y-%m-%dT%H:%M:%fZ', 1577836800 + i * 3600, 'unixepoch'), 'due', 'rejected',
         'winRate 0.41 is below 0.55', '2024-01-01T00-00-00-000Z', 'model-2024-01-01T00-00-00-000Z',
         '{\"preset\":\"thresholds\",\"outcome\":\"reject\",\"reason\":null,\"sentence\":\"no\",\"checks\":[]}',
         '2024-01-01T00:00:00.000Z', '2024-01-01T00:00:00.000Z'
         FROM continuous_training_schedules, n;
         PRAGMA wal_checkpoint(TRUNCATE);",
    )
    .unwrap();
    drop(db);
    eprintln!("database: {} MiB", fs::metadata(&path).unwrap().len() >> 20);
    let (store, _) = timed("open", || fixture.open());
    let mut slowest = Duration::ZERO;
    let mut ask = |what: &str, action: &dyn Fn()| slowest = slowest.max(timed(what, action).1);
    for id in [&ids[0], &ids[250], &ids[499]] {
        ask("newest 50 cycles of a schedule", &|| assert_eq!(store.cycles(id, None, 50).unwrap().len(), 50));
        ask("50 cycles from the middle", &|| {
            assert_eq!(store.cycles(id, Some(5_000), 50).unwrap().len(), 50)
        });
        ask("one cycle", &|| drop(store.cycle(id, 7_777).unwrap()));
        ask("one schedule", &|| drop(store.schedule(id).unwrap()));
    }
    ask("all schedules", &|| assert_eq!(store.schedules().unwrap().len(), 500));
    let due: Vec<ScheduleChange> = ids.iter().map(|id| queued(id, 10_001)).collect();
    timed("one step: a due cycle of each schedule", || commit(&store, &due).unwrap());
    ask("open cycles", &|| assert_eq!(store.open_cycles().unwrap().len(), 500));
    let id = ids[0].clone();
    let end = ScheduleChange::CycleStatus {
        schedule_id: id,
        number: 10_001,
        status: CycleStatus::Failed,
        reason: None,
    };
    timed("one step: the end of a cycle", || commit(&store, &[end]).unwrap());
    assert!(slowest < MAX_ANSWER, "{slowest:?}");
}
