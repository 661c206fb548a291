//! The database file: empty, existing, newer, damaged, unwritable.

use std::fs;

use crate::fixture::{Fixture, SCHEMA_VERSION, line, make_model, promote, tree};
use rusqlite::Connection;
use walkforward_durable::EnvironmentFault;
use walkforward_store::{MAX_EVENTS, Store, StoreError};

fn sql(fixture: &Fixture, text: &str) {
    Connection::open(fixture.data_dir().join("walkforward.db")).unwrap().execute_batch(text).unwrap();
}

#[test]
fn an_empty_folder_gets_a_database_and_an_existing_one_keeps_its_rows() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let model = make_model(&store, &line("default"));
    promote(&store, &line("default"), None, &model.model_id).unwrap();
    drop(store);
    let store = fixture.open();
    assert_eq!(store.promotions(&line("default")).unwrap().len(), 1);
    assert_eq!(store.models(&line("default")).unwrap(), [model.model_id]);
    let db = Connection::open(fixture.data_dir().join("walkforward.db")).unwrap();
    let mode: String = db.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
    let version: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!((mode.as_str(), version), ("wal", SCHEMA_VERSION));
}

#[test]
fn processes_that_open_an_empty_folder_at_once_do_not_disturb_each_other() {
    let fixture = Fixture::new();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| fixture.open().run_lock().map(drop));
        }
    });
    fixture.open();
}

#[test]
fn a_newer_database_is_refused_and_not_touched() {
    let fixture = Fixture::new();
    drop(fixture.open());
    sql(&fixture, "PRAGMA user_version = 99");
    let error = fixture.try_open(Default::default()).unwrap_err();
    assert!(
        matches!(error, StoreError::DatabaseNewer { found: 99, supported: SCHEMA_VERSION, .. }),
        "{error}"
    );
    assert!(!error.is_environment_fault());
    sql(&fixture, &format!("PRAGMA user_version = {SCHEMA_VERSION}"));
    fixture.open();
}

#[test]
fn who_attaches_makes_nothing_and_recovers_nothing_and_wants_the_present_schema() {
    let fixture = Fixture::new();
    let attach = || Store::attach(&fixture.data_dir(), &fixture.models_dir(), fixture.clock.clone());
    assert!(attach().unwrap().is_none());
    assert!(!fixture.data_dir().exists() && !fixture.models_dir().exists());
    let store = fixture.open();
    let run = store.allocate_run_id().unwrap();
    let leftover = fixture.data_dir().join("left.tmp");
    fs::write(&leftover, "by a writer who may live").unwrap();
    let before = tree(fixture.dir.path());
    {
        // While a run goes on, and while none does.
        let _run = store.run_lock().unwrap();
        let attached = attach().unwrap().unwrap();
        assert_eq!(attached.recovery(), &Default::default());
        assert!(attached.allocate_run_id().unwrap() >= run);
    }
    drop(attach().unwrap().unwrap().run_lock().unwrap());
    assert!(leftover.exists());
    assert_eq!(tree(fixture.dir.path()), before);
    drop(store);
    sql(&fixture, &format!("PRAGMA user_version = {}", SCHEMA_VERSION - 1));
    let error = attach().unwrap_err();
    assert!(
        matches!(error, StoreError::DatabaseOlder { .. }) && error.to_string().contains("orchestrate"),
        "{error}"
    );
    sql(&fixture, "PRAGMA user_version = 99");
    assert!(matches!(attach().unwrap_err(), StoreError::DatabaseNewer { found: 99, .. }));
    sql(&fixture, &format!("PRAGMA user_version = {SCHEMA_VERSION}"));
    fs::remove_file(fixture.models_dir().join("owner.json")).unwrap();
    let error = attach().unwrap_err();
    assert!(matches!(error, StoreError::ForeignModels { .. }), "{error}");
}

#[test]
fn a_file_that_is_no_database_is_refused_and_not_touched() {
    let fixture = Fixture::new();
    fs::create_dir_all(fixture.data_dir()).unwrap();
    let path = fixture.data_dir().join("walkforward.db");
    fs::write(&path, "not a database, but long enough to look at: ".repeat(50)).unwrap();
    let before = fs::read(&path).unwrap();
    let error = fixture.try_open(Default::default()).unwrap_err();
    assert!(matches!(error, StoreError::DatabaseCorrupt { .. }), "{error}");
    assert!(error.to_string().contains("move it away"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_folder_where_a_file_stands_is_an_error_that_names_it() {
    let fixture = Fixture::new();
    fs::write(fixture.models_dir(), "").unwrap();
    let error = fixture.try_open(Default::default()).unwrap_err().to_string();
    assert!(error.contains("models"), "{error}");
}

#[test]
fn a_folder_that_can_not_be_written_is_told_apart() {
    let fixture = Fixture::new();
    let plan = walkforward_durable::PlannedFault::once(4, std::io::ErrorKind::ReadOnlyFilesystem);
    let files = walkforward_durable::Files::with_faults(std::sync::Arc::new(plan));
    let error = fixture.try_open(files).unwrap_err();
    assert_eq!(error.environment_fault(), Some(EnvironmentFault::ReadOnly));
    assert!(!fixture.data_dir().join("walkforward.db").exists());
}

#[test]
fn the_oldest_events_make_room() {
    let fixture = Fixture::new();
    let store = fixture.open();
    store.record_event("first", &serde_json::Value::Null).unwrap();
    sql(
        &fixture,
        "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) \
         INSERT INTO events (seq, time, kind, payload) SELECT i, '2024-01-01T00:00:00.000Z', 'x', 'null' FROM n",
    );
    assert_eq!(store.events_after(0, 1).unwrap()[0].kind, "first");
    let last = store.record_event("last", &serde_json::Value::Null).unwrap();
    assert_eq!(last, MAX_EVENTS + 1);
    assert_eq!(store.events_after(0, u32::MAX).unwrap().len() as i64, MAX_EVENTS);
    assert_eq!(store.events_after(0, 1).unwrap()[0].seq, 2);
}
