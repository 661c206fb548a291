//! Databases of earlier versions, and what a new one begins with.

use std::process::Command;

use crate::fixture::{Fixture, SCHEMA_VERSION, line, make_model, promote, try_make_model};
use rusqlite::Connection;
use walkforward_core::Metrics;
use walkforward_store::{AnytimePair, Pair, RecoveryReport, RunOutcome};

/// The steps of the schema, and the columns that each gave the models.
const STEPS: [(&str, &str); 2] = [
    (
        include_str!("../../src/schema/001_first_cycle.sql"),
        "id, run_id, line, status, created_at, sha256, used_until, lineage_until, metadata_path",
    ),
    (include_str!("../../src/schema/002_continuous_training.sql"), "seen, promoted_at"),
];
/// Takes away what version 9 and later ones have made.
const LATER_THAN_8: &str =
    "DROP TABLE quarantine_releases; DROP TABLE guarded_rollbacks; DROP TABLE live_bars;
     DROP TABLE live_fills; DROP TABLE live_swaps; DROP TABLE live_events; DROP TABLE live_sessions; DROP TABLE audit;";
const WITHOUT_13: &str = "ALTER TABLE live_bars DROP COLUMN open; ALTER TABLE live_bars DROP COLUMN high;
     ALTER TABLE live_bars DROP COLUMN low; ALTER TABLE live_bars DROP COLUMN volume;
     ALTER TABLE live_sessions DROP COLUMN watch;";
const CHILD_DIR: &str = "WALKFORWARD_TEST_STORE";

/// Turns the fixture's database into one of an earlier version with the same rows in its tables.
fn make_version(fixture: &Fixture, version: usize) {
    let path = fixture.data_dir().join("walkforward.db");
    let old = fixture.data_dir().join("old.db");
    let db = Connection::open(&old).unwrap();
    for (step, _) in &STEPS[..version] {
        db.execute_batch(step).unwrap();
    }
    db.execute("ATTACH ?1 AS new", [path.to_str().unwrap()]).unwrap();
    let columns: Vec<&str> = STEPS[..version].iter().map(|(_, columns)| *columns).collect();
    let columns = columns.join(", ");
    db.execute_batch(&format!(
        "INSERT INTO runs SELECT * FROM new.runs; INSERT INTO events SELECT * FROM new.events;
         INSERT INTO promotions SELECT * FROM new.promotions;
         INSERT INTO models ({columns}) SELECT {columns} FROM new.models;
         DETACH new; PRAGMA user_version = {version};"
    ))
    .unwrap();
    drop(db);
    for name in ["walkforward.db-wal", "walkforward.db-shm"] {
        let _ = std::fs::remove_file(fixture.data_dir().join(name));
    }
    std::fs::rename(old, path).unwrap();
}

fn rows(fixture: &Fixture, table: &str) -> i64 {
    let db = Connection::open(fixture.data_dir().join("walkforward.db")).unwrap();
    db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

fn a_store_of_version_1() -> (Fixture, walkforward_core::ModelId) {
    a_store_of_version(1)
}

fn a_store_of_version(version: usize) -> (Fixture, walkforward_core::ModelId) {
    let fixture = Fixture::new();
    let store = fixture.open();
    let run = store.allocate_run_id().unwrap();
    store.begin_run(&run, &line("default")).unwrap();
    store.finish_run(&run, RunOutcome::Skipped, Some("busy")).unwrap();
    let model = make_model(&store, &line("default"));
    promote(&store, &line("default"), None, &model.model_id).unwrap();
    drop(store);
    make_version(&fixture, version);
    assert_eq!((rows(&fixture, "runs"), rows(&fixture, "models"), rows(&fixture, "events")), (1, 1, 1));
    (fixture, model.model_id)
}

#[test]
fn a_database_of_version_1_is_brought_to_the_present_with_its_rows() {
    let (fixture, model) = a_store_of_version_1();
    let store = fixture.open();
    assert_eq!(store.recovery(), &RecoveryReport::default());
    let run = store.runs(10).unwrap().pop().unwrap();
    assert_eq!((run.outcome, run.reason.as_deref()), (Some(RunOutcome::Skipped), Some("busy")));
    assert_eq!(store.models(&line("default")).unwrap(), std::slice::from_ref(&model));
    assert_eq!(store.promotions(&line("default")).unwrap().pop().unwrap().to, Some(model));
    assert_eq!(store.events_after(0, 10).unwrap()[0].kind, "model_promoted");
    assert_eq!((store.packs().unwrap().len(), store.dataset_configs().unwrap().len()), (6, 4));
    let db = Connection::open(fixture.data_dir().join("walkforward.db")).unwrap();
    let version: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    let broken: i64 =
        db.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0)).unwrap();
    assert_eq!((version, broken), (SCHEMA_VERSION, 0));
}

#[test]
fn a_database_of_version_2_learns_the_parents_of_its_models() {
    let (fixture, parent) = a_store_of_version(2);
    let store = fixture.open();
    try_make_model(&store, &line("default"), |record| record.parent_id = Some(parent.clone())).unwrap();
    drop(store);
    fixture.open();
    make_version(&fixture, 2);
    let store = fixture.open();
    assert_eq!(store.recovery(), &RecoveryReport::default());
    let models = store.model_summaries(None, 10).unwrap();
    assert_eq!((models.len(), models[0].parent.as_ref()), (2, Some(&parent)));
    assert!(models.iter().all(|model| model.weights_removed.is_none() && model.pinned.is_none()));
    store.pin(&parent, "to be kept").unwrap();
    assert_eq!((store.packs().unwrap().len(), store.promotions(&line("default")).unwrap().len()), (6, 1));
}

#[test]
fn a_database_of_version_7_learns_the_sharpe_ratios_of_its_models_and_keeps_its_tests() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let metrics = |sharpe| Some(Metrics { sharpe, ..Metrics::default() });
    let model =
        try_make_model(&store, &line("default"), |record| record.metrics = metrics(Some(1.5))).unwrap();
    try_make_model(&store, &line("default"), |record| record.metrics = metrics(None)).unwrap();
    let arm = store.register_arm(&line("default"), &serde_json::json!({})).unwrap();
    drop(store);
    // What each record was last read as is in the rows: unchanged ones are not read again by themselves.
    drop(fixture.open());
    let db = Connection::open(fixture.data_dir().join("walkforward.db")).unwrap();
    db.execute_batch(&format!(
        "{LATER_THAN_8} DROP TABLE anytime_tests; ALTER TABLE models DROP COLUMN sharpe;
         ALTER TABLE horizons DROP COLUMN crossed_at; ALTER TABLE horizons DROP COLUMN rules;
         ALTER TABLE horizons DROP COLUMN is_void;
         INSERT INTO horizons VALUES ('{arm}', 'flat', '2024-01-01T00:00:00.000Z', 'default', 8760, 0.0125, 'paused');
         PRAGMA user_version = 7;"
    ))
    .unwrap();
    drop(db);
    let store = fixture.open();
    assert_eq!(store.holdout_sharpes(&line("default")).unwrap(), [(model.model_id, 1.5)]);
    assert_eq!(store.holdout_sharpes(&line("eth")).unwrap(), []);
    let flat = Pair { arm: &arm, reference: "flat", since: None };
    let test = store.horizon(flat).unwrap().unwrap();
    assert_eq!((test.alpha, test.broken.as_deref(), test.crossed_at), (0.0125, Some("paused"), None));
}

#[test]
fn a_database_of_version_8_learns_of_quarantines_and_keeps_its_promotions() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let model = make_model(&store, &line("default"));
    promote(&store, &line("default"), None, &model.model_id).unwrap();
    drop(store);
    let db = Connection::open(fixture.data_dir().join("walkforward.db")).unwrap();
    db.execute_batch(&format!("{LATER_THAN_8} PRAGMA user_version = 8;")).unwrap();
    drop(db);
    let store = fixture.open();
    assert_eq!(store.recovery(), &RecoveryReport::default());
    assert_eq!(store.promotions(&line("default")).unwrap().pop().unwrap().to, Some(model.model_id));
    assert_eq!(store.guarded_rollbacks(None).unwrap(), []);
}

#[test]
fn a_database_of_version_10_keeps_its_tests_in_the_reign_that_they_began_in() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let model = make_model(&store, &line("default"));
    promote(&store, &line("default"), None, &model.model_id).unwrap();
    let since = store.promotions(&line("default")).unwrap().pop().unwrap().committed_at;
    let arm = store.register_arm(&line("default"), &serde_json::json!({})).unwrap();
    drop(store);
    let db = Connection::open(fixture.data_dir().join("walkforward.db")).unwrap();
    let later = "2024-02-01T00:00:00.000Z";
    db.execute_batch(&format!(
        "DROP TABLE audit; DROP TABLE anytime_tests; {WITHOUT_13}
         CREATE TABLE anytime_tests (number INTEGER PRIMARY KEY, arm TEXT NOT NULL REFERENCES arms (id),
          reference TEXT NOT NULL, rules TEXT NOT NULL, after TEXT, level REAL NOT NULL,
          enrolled_at TEXT NOT NULL, crossed_at TEXT, UNIQUE (arm, reference, rules)) STRICT;
         INSERT INTO anytime_tests VALUES (1, '{arm}', 'flat', 'r', NULL, 0.025, '{later}', '{later}'),
          (2, '{arm}', '{}', 'r', '{later}', 0.0125, '{later}', NULL);
         PRAGMA user_version = 10;",
        model.model_id
    ))
    .unwrap();
    drop(db);
    let store = fixture.open();
    let test = |reference: &str, since| {
        let pair = Pair { arm: &arm, reference, since };
        let test = store.anytime_test(AnytimePair { pair, rules: "r" }).unwrap()?;
        Some((test.enrolled.unwrap().number, test.after.is_some(), test.crossed_at.is_some()))
    };
    assert_eq!(test("flat", None), Some((1, false, true)));
    assert_eq!(test(model.model_id.as_str(), since), Some((2, true, false)));
    assert_eq!(test(model.model_id.as_str(), None), None);
}

#[test]
fn a_migration_that_fails_leaves_the_old_version_whole_and_is_made_up_for() {
    let (fixture, model) = a_store_of_version_1();
    // A table in the way stands for any failure in the middle of the script.
    let path = fixture.data_dir().join("walkforward.db");
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE cycles (x)").unwrap();
    fixture.try_open(Default::default()).unwrap_err();
    let db = Connection::open(&path).unwrap();
    let version: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    let tables: i64 = db
        .query_row("SELECT count(*) FROM sqlite_master WHERE name = 'hyperparameter_packs'", [], |row| {
            row.get(0)
        })
        .unwrap();
    assert_eq!((version, tables), (1, 0));
    db.execute_batch("DROP TABLE cycles").unwrap();
    drop(db);
    assert_eq!(fixture.open().models(&line("default")).unwrap(), [model]);
}

/// What the processes of the next test run.
#[test]
#[expect(clippy::disallowed_methods, reason = "the parent process names its folder")]
fn a_child_opens_the_store_that_it_is_told_of() {
    let Some(dir) = std::env::var_os(CHILD_DIR) else { return };
    let dir = std::path::Path::new(&dir);
    let clock = Fixture::new().clock;
    let store = walkforward_store::Store::open(&dir.join("data"), &dir.join("models"), clock).unwrap();
    assert_eq!(store.packs().unwrap().len(), 6);
}

#[test]
fn processes_that_migrate_at_once_do_it_once() {
    let (fixture, model) = a_store_of_version_1();
    let this = std::env::current_exe().unwrap();
    let child = || {
        Command::new(&this)
            .args(["--exact", "migrations::a_child_opens_the_store_that_it_is_told_of"])
            .env(CHILD_DIR, fixture.dir.path())
            .output()
            .unwrap()
    };
    std::thread::scope(|scope| {
        let children: Vec<_> = (0..3).map(|_| scope.spawn(child)).collect();
        for child in children {
            let output = child.join().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
            assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
        }
    });
    assert_eq!(rows(&fixture, "hyperparameter_packs"), 6);
    assert_eq!(fixture.open().models(&line("default")).unwrap(), [model]);
}

#[test]
fn a_new_database_has_packs_and_datasets_and_what_is_deleted_stays_deleted() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let ids: Vec<String> = store.packs().unwrap().iter().map(|pack| pack.id.to_string()).collect();
    assert_eq!(ids, ["cautious", "default", "gru", "quick", "thorough", "wide-network"]);
    for pack in store.packs().unwrap() {
        assert!(pack.config["iterations"].as_u64().unwrap() > 0 && !pack.description.is_empty());
        store.delete_pack(&pack.id).unwrap();
    }
    let types: Vec<String> =
        store.dataset_configs().unwrap().into_iter().map(|dataset| dataset.source_type).collect();
    assert_eq!(types, ["alpaca", "csv", "alpaca", "synthetic"]);
    for dataset in store.dataset_configs().unwrap() {
        store.delete_dataset_config(&dataset.id).unwrap();
    }
    drop(store);
    let store = fixture.open();
    assert!(store.packs().unwrap().is_empty() && store.dataset_configs().unwrap().is_empty());
}

/// The schema and version of the database in a fixture.
fn schema(fixture: &Fixture) -> (i64, Vec<(String, Option<String>)>) {
    let db = Connection::open(fixture.data_dir().join("walkforward.db")).unwrap();
    let version = db.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    let mut query = db.prepare("SELECT name, sql FROM sqlite_master ORDER BY type, name").unwrap();
    let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    (version, rows.collect::<Result<_, _>>().unwrap())
}

#[test]
fn every_earlier_version_comes_to_the_schema_of_a_new_database() {
    let scripts = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/schema");
    let mut scripts: Vec<_> =
        std::fs::read_dir(scripts).unwrap().map(|entry| entry.unwrap().path()).collect();
    scripts.sort();
    let new = Fixture::new();
    drop(new.open());
    assert_eq!(schema(&new).0, i64::try_from(scripts.len()).unwrap());
    for version in 1..scripts.len() {
        let old = Fixture::new();
        std::fs::create_dir_all(old.data_dir()).unwrap();
        let db = Connection::open(old.data_dir().join("walkforward.db")).unwrap();
        for script in &scripts[..version] {
            db.execute_batch(&std::fs::read_to_string(script).unwrap()).unwrap();
        }
        db.pragma_update(None, "user_version", i64::try_from(version).unwrap()).unwrap();
        drop(db);
        drop(old.open());
        assert_eq!(schema(&old), schema(&new), "from version {version}");
    }
}
