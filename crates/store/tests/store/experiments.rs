//! Experiments and their iterations.

use std::sync::Arc;

use crate::fixture::{Fixture, Switch, line, time};
use crate::schedules::{commit, new_schedule, queued};
use serde_json::json;
use walkforward_store::{
    CycleUpdate, ExperimentEnd, ExperimentFilter, ExperimentId, ExperimentStatus, IterationRecord,
    MAX_ITERATION_BATCH, MAX_ITERATIONS, MAX_LISTED_ROWS, MAX_TAGS, NewExperiment, RecoveryReport,
    RunOutcome, Store, StoreError,
};

pub(crate) fn new_experiment(id: &str) -> NewExperiment {
    NewExperiment {
        id: id.parse().unwrap(),
        name: format!("Experiment {id}"),
        script: "schedule".to_owned(),
        line: line("default"),
        config: json!({ "parent_experiment_id": "base", "cycle_number": 3 }),
        tags: vec!["continuous".to_owned(), "cycle:3".to_owned()],
    }
}

fn end(status: ExperimentStatus) -> ExperimentEnd {
    let final_metrics = json!({ "pnl": 1.5 });
    ExperimentEnd { status, final_metrics, model_id: None, error: None }
}

fn running(store: &Store, id: &str) -> ExperimentId {
    let record = store.create_experiment(&new_experiment(id)).unwrap();
    store.begin_experiment(&record.id, None).unwrap();
    record.id
}

fn measured(iteration: u64) -> IterationRecord {
    IterationRecord { iteration, metrics: json!({ "pnl_mean": iteration }), timestamp: time("2024-01-01") }
}

#[test]
fn an_experiment_goes_from_wanted_to_its_end_once() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let wanted = store.create_experiment(&new_experiment("e-1")).unwrap();
    assert_eq!(
        (wanted.status, wanted.started_at, wanted.completed_at),
        (ExperimentStatus::Pending, None, None)
    );
    assert_eq!((wanted.config["cycle_number"].as_u64(), wanted.tags.len()), (Some(3), 2));
    let run = store.allocate_run_id().unwrap();
    let begun = store.begin_experiment(&wanted.id, Some(&run)).unwrap();
    assert_eq!((begun.status, begun.run_id.as_ref()), (ExperimentStatus::Running, Some(&run)));
    assert!(begun.started_at.is_some());
    let again = store.begin_experiment(&wanted.id, None).unwrap_err().to_string();
    assert!(again.contains("it is running: only a pending one can begin"), "{again}");
    let model_id = Some(walkforward_core::ModelId::of_run(&run));
    let end = ExperimentEnd { model_id: model_id.clone(), ..end(ExperimentStatus::Completed) };
    let ended = store.finish_experiment(&wanted.id, &end).unwrap();
    assert_eq!((ended.status, ended.model_id.clone()), (ExperimentStatus::Completed, model_id));
    assert!(ended.completed_at.is_some() && ended.final_metrics["pnl"] == 1.5);
    let again = store.finish_experiment(&wanted.id, &end).unwrap_err().to_string();
    assert!(again.contains("it is completed: a training ends once"), "{again}");
    assert_eq!(store.experiment(&wanted.id).unwrap(), ended);
    let renamed = store.update_experiment(&wanted.id, "Best", &["keep".to_owned()]).unwrap();
    assert_eq!((renamed.name.as_str(), renamed.tags), ("Best", vec!["keep".to_owned()]));
}

#[test]
fn experiments_are_listed_newest_first_and_page_by_page() {
    let fixture = Fixture::new();
    let store = fixture.open();
    for number in 0..6 {
        // Two of a time, so that the order rests on the id too.
        fixture.clock.set(time("2024-01-01").plus_millis(number / 2));
        store.create_experiment(&new_experiment(&format!("e-{number}"))).unwrap();
    }
    let ids = |filter: &ExperimentFilter, limit| -> Vec<String> {
        store.experiments(filter, limit).unwrap().into_iter().map(|one| one.id.to_string()).collect()
    };
    assert_eq!(ids(&ExperimentFilter::default(), 4), ["e-5", "e-4", "e-3", "e-2"]);
    let before = ExperimentFilter { before: Some("e-2".parse().unwrap()), ..Default::default() };
    assert_eq!(ids(&before, 4), ["e-1", "e-0"]);
    store.begin_experiment(&"e-1".parse().unwrap(), None).unwrap();
    let running = ExperimentFilter { status: Some(ExperimentStatus::Running), ..Default::default() };
    assert_eq!(ids(&running, u32::MAX), ["e-1"]);
    let other = ExperimentFilter { line: Some(line("other")), ..running };
    assert!(ids(&other, 10).is_empty());
    let unknown = ExperimentFilter { before: Some("x".parse().unwrap()), ..Default::default() };
    assert!(matches!(store.experiments(&unknown, 1), Err(StoreError::UnknownRow { .. })));
}

#[test]
fn an_experiment_that_makes_no_sense_is_refused_with_its_reason() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let id = running(&store, "taken");
    let cases = [
        (new_experiment("taken"), "exists already"),
        (NewExperiment { name: String::new(), ..new_experiment("a") }, "1 to 200 bytes"),
        (NewExperiment { config: json!("x"), ..new_experiment("a") }, "config is no JSON object"),
        (NewExperiment { tags: vec![String::new(); MAX_TAGS + 1], ..new_experiment("a") }, "at most 32"),
    ];
    for (experiment, expected) in cases {
        let error = store.create_experiment(&experiment).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let error = store.finish_experiment(&id, &end(ExperimentStatus::Running)).unwrap_err().to_string();
    assert!(error.contains("can't end as running"), "{error}");
    let error = store.delete_experiment(&id).unwrap_err().to_string();
    assert!(error.contains("cancel it first"), "{error}");
    let error = store.experiment(&"x".parse().unwrap()).unwrap_err().to_string();
    assert!(error.contains("known are 'taken' (`orchestrate experiments list` shows all)"), "{error}");
}

#[test]
fn iterations_are_appended_replaced_bounded_and_deleted_with_their_experiment() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let id = running(&store, "e");
    let batch: Vec<_> = (0..1_000).map(measured).collect();
    store.append_iterations(&id, &batch).unwrap();
    let replaced = IterationRecord { metrics: json!({ "pnl_mean": -1 }), ..measured(999) };
    store.append_iterations(&id, &[replaced.clone(), measured(1_000)]).unwrap();
    assert_eq!(store.iterations(&id, Some(998), 10).unwrap(), [replaced, measured(1_000)]);
    assert_eq!(store.iterations(&id, None, 1).unwrap(), [measured(0)]);
    assert_eq!(store.iterations(&id, None, u32::MAX).unwrap().len(), MAX_LISTED_ROWS as usize);
    store.append_iterations(&id, &[measured(MAX_ITERATIONS + 499)]).unwrap();
    assert_eq!(store.iterations(&id, None, 1).unwrap(), [measured(500)]);
    let many: Vec<_> = (0..=MAX_ITERATION_BATCH as u64).map(measured).collect();
    assert!(store.append_iterations(&id, &many).unwrap_err().to_string().contains("at most 1000"));
    store.finish_experiment(&id, &end(ExperimentStatus::Failed)).unwrap();
    let error = store.append_iterations(&id, &[measured(1)]).unwrap_err().to_string();
    assert!(error.contains("it is failed: iterations belong to a running one"), "{error}");
    store.delete_experiment(&id).unwrap();
    let db = rusqlite::Connection::open(fixture.data_dir().join("walkforward.db")).unwrap();
    let left: i64 = db.query_row("SELECT count(*) FROM iterations", [], |row| row.get(0)).unwrap();
    assert_eq!(left, 0);
}

#[test]
fn an_experiment_that_a_schedule_or_a_cycle_refers_to_is_not_deleted() {
    let fixture = Fixture::new();
    let store = fixture.open();
    for id in ["base", "trained"] {
        let id = running(&store, id);
        store.finish_experiment(&id, &end(ExperimentStatus::Completed)).unwrap();
    }
    let schedule = store.create_schedule(&new_schedule("btc")).unwrap().id;
    store.set_base_experiment(&schedule, &"base".parse().unwrap()).unwrap();
    commit(&store, &[queued(&schedule, 1)]).unwrap();
    let update =
        CycleUpdate { experiment_id: Some("trained".parse().unwrap()), ..CycleUpdate::of(schedule, 1) };
    store.update_cycle(&update).unwrap();
    for (id, user) in [("base", "schedule 'btc'"), ("trained", "cycle 'btc/1'")] {
        let error = store.delete_experiment(&id.parse().unwrap()).unwrap_err().to_string();
        assert_eq!(error, format!("experiment '{id}' can't be deleted: it belongs to {user}"));
    }
}

#[test]
fn a_training_whose_process_died_is_closed_as_interrupted_whether_or_not_it_had_begun() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let lock = store.run_lock().unwrap();
    let id = running(&store, "e");
    store.create_experiment(&new_experiment("waits")).unwrap();
    assert_eq!(fixture.open().recovery(), &RecoveryReport::default());
    drop(lock);
    assert_eq!(fixture.open().recovery().interrupted_experiments, 2);
    for (id, error) in [
        (id, "the process ended without a word"),
        ("waits".parse().unwrap(), "the process ended before the training began"),
    ] {
        let record = store.experiment(&id).unwrap();
        assert_eq!((record.status, record.error.as_deref()), (ExperimentStatus::Interrupted, Some(error)));
    }
    assert_eq!(store.recover().unwrap(), RecoveryReport::default());
}

#[test]
fn whoever_gets_the_run_lock_finds_the_trainings_of_its_last_holder_closed() {
    let fixture = Fixture::new();
    let (dead, next) = (fixture.open(), fixture.open());
    let lock = dead.run_lock().unwrap();
    let id = running(&dead, "e");
    let run = dead.allocate_run_id().unwrap();
    dead.begin_run(&run, &line("default")).unwrap();
    drop(lock);
    let _lock = next.run_lock().unwrap();
    assert_eq!(next.experiment(&id).unwrap().status, ExperimentStatus::Interrupted);
    assert_eq!(next.run(&run).unwrap().unwrap().outcome, Some(RunOutcome::Interrupted));
}

#[test]
fn a_write_that_fails_changes_nothing_and_works_the_next_time() {
    let fixture = Fixture::new();
    let switch = Arc::new(Switch::default());
    let store = fixture.try_open(switch.files()).unwrap();
    let id = "e".parse().unwrap();
    let actions: [&dyn Fn() -> Result<(), StoreError>; 6] = [
        &|| store.create_experiment(&new_experiment("e")).map(drop),
        &|| store.begin_experiment(&id, None).map(drop),
        &|| store.append_iterations(&id, &[measured(1)]),
        &|| store.update_experiment(&id, "Other", &[]).map(drop),
        &|| store.finish_experiment(&id, &end(ExperimentStatus::Completed)).map(drop),
        &|| store.delete_experiment(&id),
    ];
    let look = || (store.experiment(&id).ok(), store.iterations(&id, None, 10).ok());
    for action in actions {
        let kept = look();
        switch.arm(0, false);
        assert!(action().unwrap_err().is_environment_fault());
        assert_eq!(look(), kept);
        action().unwrap();
        assert_ne!(look(), kept);
    }
}

#[test]
fn closing_interrupted_trainings_that_fails_is_made_up_for_by_the_next_start() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let id = running(&store, "e");
    drop(store);
    let mut failures = 0;
    let interrupted = loop {
        let switch = Arc::new(Switch::default());
        switch.arm(failures, true);
        match fixture.try_open(switch.files()) {
            Ok(store) => break store.recovery().interrupted_experiments,
            Err(_) => failures += 1,
        }
    };
    assert_eq!(interrupted, 1);
    assert!(failures > 0);
    assert_eq!(fixture.open().experiment(&id).unwrap().status, ExperimentStatus::Interrupted);
}
