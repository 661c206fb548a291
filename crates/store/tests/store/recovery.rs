//! Crashes, full disks and what the next start makes of them.

use std::fs;
use std::sync::Arc;

use crate::fixture::{Fixture, Switch, line, make_model, promote, tree, try_make_model};
use proptest::prelude::*;
use walkforward_core::{LineName, ModelId};
use walkforward_store::{
    MAX_EVENTS, ModelStatus, PromotionKind, PromotionState, RecoveryReport, RunOutcome, Store, StoreError,
};

/// What has to hold of a line after every start: no promotion is left open, the history ends in the champion, the
/// champion is complete and its record says that it was promoted.
fn assert_agrees(store: &Store, line: &LineName) -> Option<ModelId> {
    let rows = store.promotions(line).unwrap();
    assert!(rows.iter().all(|row| row.state != PromotionState::Pending), "{rows:?}");
    let last = rows.into_iter().rfind(|row| row.state == PromotionState::Committed).and_then(|row| row.to);
    let champion = store.champion(line).unwrap();
    assert_eq!(champion.as_ref().map(|champion| &champion.pointer.model_id), last.as_ref());
    if let Some(champion) = champion {
        assert_eq!(champion.record.status, ModelStatus::Promoted);
        assert_eq!(champion.record.promoted_at, Some(champion.pointer.promoted_at));
    }
    last
}

fn no_temporaries(fixture: &Fixture) {
    let files = tree(fixture.dir.path());
    assert!(!files.iter().any(|file| file.ends_with(".wf-tmp")), "{files:?}");
}

/// Fails a promotion at its `step`th step. Tells whether the new model is the champion after the next start; none when
/// the promotion has no such step.
fn promotion_fails_at(step: i64, is_crash: bool) -> Option<bool> {
    let fixture = Fixture::new();
    let switch = Arc::new(Switch::default());
    let store = fixture.try_open(switch.files()).unwrap();
    let default = LineName::default();
    let old = make_model(&store, &default);
    promote(&store, &default, None, &old.model_id).unwrap();
    let new = make_model(&store, &default);
    switch.arm(step, is_crash);
    let promotion = promote(&store, &default, Some(&old.model_id), &new.model_id);
    let has_failed = switch.has_failed();
    // Once the pointer names the new model, a step that fails does not make it an error.
    let is_promoted = promotion.is_ok();
    assert!(has_failed || is_promoted, "step {step}");
    if let Err(error) = promotion {
        assert!(error.is_environment_fault(), "{error}");
        assert!(!is_crash || store.champion(&default).is_ok());
    }
    drop(store);
    let store = fixture.open();
    let champion = assert_agrees(&store, &default).unwrap();
    assert_eq!(&champion, if is_promoted { &new.model_id } else { &old.model_id }, "step {step}");
    no_temporaries(&fixture);
    let other = if champion == old.model_id { &new.model_id } else { &old.model_id };
    promote(&store, &default, Some(&champion), other).unwrap();
    has_failed.then_some(champion == new.model_id)
}

#[test]
fn a_promotion_that_fails_or_dies_at_any_step_is_settled_by_the_next_start() {
    for is_crash in [false, true] {
        let is_new: Vec<bool> = (0..100).map_while(|step| promotion_fails_at(step, is_crash)).collect();
        // There is one step before which the old champion stands and after which the new one does.
        assert!(is_new.is_sorted() && is_new.contains(&false) && is_new.contains(&true), "{is_new:?}");
        assert!((10..100).contains(&is_new.len()), "{is_new:?}");
    }
}

#[test]
fn an_adoption_that_dies_at_any_step_leaves_a_complete_model_or_none() {
    let mut died = 0;
    for step in 0..100 {
        let fixture = Fixture::new();
        let switch = Arc::new(Switch::default());
        let store = fixture.try_open(switch.files()).unwrap();
        switch.arm(step, true);
        let model = try_make_model(&store, &LineName::default(), |_| {});
        drop(store);
        let store = fixture.open();
        let ids = store.models(&LineName::default()).unwrap();
        for id in &ids {
            let record = store.model(id).unwrap();
            promote(&store, &LineName::default(), None, &record.model_id).unwrap();
        }
        assert!(fs::read_dir(fixture.models_dir().join(".staging")).unwrap().next().is_none());
        no_temporaries(&fixture);
        if model.is_ok() {
            assert_eq!(ids.len(), 1);
            break;
        }
        died += 1;
    }
    assert!((8..99).contains(&died), "{died} steps");
}

#[test]
fn opening_fails_cleanly_at_any_step_and_works_the_next_time() {
    let fixture = Fixture::new();
    let mut step = 0;
    loop {
        let switch = Arc::new(Switch::default());
        switch.arm(step, true);
        match fixture.try_open(switch.files()) {
            Ok(store) => break drop(store),
            Err(error) => assert!(error.is_environment_fault(), "{error}"),
        }
        step += 1;
    }
    assert!(step > 10, "{step} steps");
    assert_eq!(fixture.open().recovery(), &RecoveryReport::default());
}

#[test]
fn a_record_update_that_fails_at_any_step_keeps_a_whole_record() {
    for step in 0..6 {
        let fixture = Fixture::new();
        let switch = Arc::new(Switch::default());
        let store = fixture.try_open(switch.files()).unwrap();
        let mut model = make_model(&store, &LineName::default());
        model.status = ModelStatus::Rejected;
        switch.arm(step, true);
        store.update_model(&model).unwrap_err();
        drop(store);
        let store = fixture.open();
        let status = store.model(&model.model_id).unwrap().status;
        assert!([ModelStatus::Trained, ModelStatus::Rejected].contains(&status));
        no_temporaries(&fixture);
    }
}

#[derive(Debug, Clone)]
enum Step {
    Train { crash_at: Option<i64> },
    Promote { model: prop::sample::Index, line: bool, crash_at: Option<i64> },
    Restart,
    RemovePointer { line: bool },
}

fn crash() -> impl Strategy<Value = Option<i64>> {
    prop::option::weighted(0.4, 0..16i64)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => crash().prop_map(|crash_at| Step::Train { crash_at }),
        4 => (any::<prop::sample::Index>(), any::<bool>(), crash())
            .prop_map(|(model, line, crash_at)| Step::Promote { model, line, crash_at }),
        1 => Just(Step::Restart),
        1 => any::<bool>().prop_map(|line| Step::RemovePointer { line }),
    ]
}

struct Machine {
    fixture: Fixture,
    switch: Arc<Switch>,
    store: Option<Store>,
    trained: usize,
}

impl Machine {
    fn new() -> Self {
        let mut machine = Self { fixture: Fixture::new(), switch: Arc::default(), store: None, trained: 0 };
        machine.restart();
        machine
    }

    fn line(is_second: bool) -> LineName {
        line(if is_second { "second" } else { "default" })
    }

    fn restart(&mut self) {
        self.store = None;
        self.switch = Arc::default();
        let store = self.fixture.try_open(self.switch.files()).unwrap();
        assert_eq!(store.recovery().problems, Vec::<String>::new());
        for is_second in [false, true] {
            assert_agrees(&store, &Self::line(is_second));
        }
        no_temporaries(&self.fixture);
        self.store = Some(store);
    }

    fn take(&mut self, step: Step) {
        let (Step::Train { crash_at } | Step::Promote { crash_at, .. }) = &step else {
            if let Step::RemovePointer { line } = step {
                let path = walkforward_store::pointer_path(&self.fixture.models_dir(), &Self::line(line));
                let _ = fs::remove_file(path);
            }
            return self.restart();
        };
        if let Some(crash_at) = crash_at {
            self.switch.arm(*crash_at, true);
        }
        let store = self.store.as_ref().unwrap();
        match step {
            Step::Train { .. } => {
                let line = Self::line(self.trained % 2 == 1);
                self.trained += 1;
                let trained = try_make_model(store, &line, |_| {});
                assert!(trained.is_ok() || self.switch.has_failed(), "{trained:?}");
            }
            Step::Promote { model, line, .. } => self.promote(&Self::line(line), model),
            Step::Restart | Step::RemovePointer { .. } => {}
        }
        self.look();
        if crash_at.is_some() {
            self.restart();
        }
    }

    fn promote(&self, line: &LineName, model: prop::sample::Index) {
        let store = self.store.as_ref().unwrap();
        let (models, current) = (store.models(line).unwrap(), store.pointer(line).unwrap());
        if models.is_empty() {
            return;
        }
        let (to, current) = (model.get(&models), current.map(|pointer| pointer.model_id));
        match promote(store, line, current.as_ref(), to) {
            Ok(promotion) => assert_eq!(promotion.to(), to),
            Err(StoreError::RefusedPromotion { .. }) => assert_eq!(Some(to), current.as_ref()),
            Err(error) => assert!(self.switch.has_failed(), "{error}"),
        }
    }

    /// Also in the middle of a crash, whoever looks finds a complete model or none.
    fn look(&self) {
        for is_second in [false, true] {
            let reader =
                walkforward_store::PointerReader::new(self.fixture.models_dir(), Self::line(is_second));
            reader.read().unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn pointers_always_name_complete_models_and_the_history_agrees_after_every_start(
        steps in prop::collection::vec(step(), 1..14)
    ) {
        let mut machine = Machine::new();
        for step in steps {
            machine.take(step);
        }
        machine.restart();
    }
}

#[test]
fn a_pointer_that_no_row_explains_is_recorded_as_adopted() {
    let fixture = Fixture::new();
    let default = LineName::default();
    let store = fixture.open();
    let first = make_model(&store, &default);
    promote(&store, &default, None, &first.model_id).unwrap();
    let backup = fs::read(fixture.models_dir().join("latest.json")).unwrap();
    let second = make_model(&store, &default);
    promote(&store, &default, Some(&first.model_id), &second.model_id).unwrap();
    drop(store);
    fs::write(fixture.models_dir().join("latest.json"), backup).unwrap();
    let store = fixture.open();
    assert_eq!(store.recovery().adopted, 1);
    let last = store.promotions(&default).unwrap().pop().unwrap();
    assert_eq!(
        (last.kind, last.to, last.sequence),
        (PromotionKind::Adopted, Some(first.model_id.clone()), 3)
    );
    let promotion = promote(&store, &default, Some(&first.model_id), &second.model_id).unwrap();
    assert_eq!(promotion.sequence(), 4);
}

#[test]
fn a_lost_database_is_rebuilt_from_the_models_folder() {
    let fixture = Fixture::new();
    let default = LineName::default();
    let store = fixture.open();
    let model = make_model(&store, &default);
    promote(&store, &default, None, &model.model_id).unwrap();
    drop(store);
    fs::remove_dir_all(fixture.data_dir()).unwrap();
    let store = fixture.open();
    assert_eq!((store.recovery().registered, store.recovery().adopted), (1, 1));
    assert_eq!(assert_agrees(&store, &default), Some(model.model_id.clone()));
    assert_eq!(store.models(&default).unwrap(), [model.model_id]);
}

#[test]
fn a_model_directory_that_is_not_complete_is_reported_and_left_alone() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let model = make_model(&store, &LineName::default());
    drop(store);
    fs::remove_dir_all(fixture.data_dir()).unwrap();
    let weights = fixture.models_dir().join(model.model_id.as_str()).join("policy.safetensors");
    fs::remove_file(&weights).unwrap();
    fs::write(&weights, "cut").unwrap();
    let store = fixture.open();
    let problems = &store.recovery().problems;
    assert!(problems.len() == 1 && problems[0].contains("policy.safetensors"), "{problems:?}");
    assert_eq!(store.models(&LineName::default()).unwrap(), []);
    assert!(weights.exists());
}

/// Writes over the end of a file without making it another file, and gives it back its time.
fn scribble_unnoticed(path: &std::path::Path) {
    let modified = fs::metadata(path).unwrap().modified().unwrap();
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    std::os::unix::fs::FileExt::write_at(&file, b"scribble", 0).unwrap();
    file.set_modified(modified).unwrap();
}

#[test]
fn the_record_of_an_unchanged_model_is_not_read_again_and_that_of_a_changed_one_is() {
    let fixture = Fixture::new();
    let model = make_model(&fixture.open(), &LineName::default());
    fixture.open();
    let path = store_path(&fixture, &model.model_id);
    scribble_unnoticed(&path);
    assert_eq!(fixture.open().recovery(), &RecoveryReport::default());
    // Any other time, size or file is noticed.
    fs::File::open(&path).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    let problems = fixture.open().recovery().problems.clone();
    assert!(problems.len() == 1 && problems[0].contains("metadata.json"), "{problems:?}");
    assert_eq!(fixture.open().recovery().problems, problems);
    fixture.open().update_model(&model).unwrap_err();
}

#[test]
fn a_temporary_file_in_the_folder_of_an_unchanged_model_is_removed() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let model = make_model(&store, &LineName::default());
    drop(store);
    fixture.open();
    let plan = Arc::new(walkforward_durable::PlannedFault::crash(1));
    let path = store_path(&fixture, &model.model_id);
    walkforward_durable::Files::with_faults(plan).write_atomic(&path, b"{}").unwrap_err();
    assert_eq!(fixture.open().recovery().removed_temporaries, 1);
    no_temporaries(&fixture);
}

fn store_path(fixture: &Fixture, id: &ModelId) -> std::path::PathBuf {
    fixture.models_dir().join(id.as_str()).join("metadata.json")
}

#[test]
fn a_model_whose_record_changed_elsewhere_is_brought_up_to_date() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let default = LineName::default();
    let model = make_model(&store, &default);
    promote(&store, &default, None, &model.model_id).unwrap();
    drop(fixture.open());
    // A copy from before the promotion is put back, as after a partial restore.
    let mut record = store.model(&model.model_id).unwrap();
    (record.status, record.promoted, record.promoted_at) = (ModelStatus::Trained, false, None);
    drop(store);
    let path = store_path(&fixture, &model.model_id);
    walkforward_durable::write_json_atomic(&path, &record).unwrap();
    let store = fixture.open();
    assert_eq!(store.recovery().repaired, 1);
    assert_agrees(&store, &default);
    drop(store);
    assert_eq!(fixture.open().recovery(), &RecoveryReport::default());
}

#[test]
fn a_run_without_an_end_is_closed_as_interrupted_once_its_process_is_gone() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let run = store.allocate_run_id().unwrap();
    let lock = store.run_lock().unwrap();
    store.begin_run(&run, &LineName::default()).unwrap();
    store.staging_dir("a-1").unwrap();
    assert_eq!(fixture.open().recovery().interrupted_runs, 0);
    drop((lock, store));
    let store = fixture.open();
    assert_eq!((store.recovery().interrupted_runs, store.recovery().removed_staging), (1, 1));
    let row = store.run(&run).unwrap().unwrap();
    assert_eq!(row.outcome, Some(RunOutcome::Interrupted));
    assert!(matches!(store.finish_run(&run, RunOutcome::Promoted, None), Err(StoreError::NoOpenRun(_))));
}

#[test]
fn a_staging_folder_in_use_is_not_removed() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let staging = store.staging_dir("a-1").unwrap();
    let other_data = fixture.dir.path().join("other");
    Store::open(&other_data, &fixture.models_dir(), fixture.clock.clone()).unwrap_err();
    assert!(staging.is_dir());
    fixture.open();
    assert!(staging.is_dir());
}

#[test]
fn the_second_run_learns_who_runs_and_for_how_long() {
    let fixture = Fixture::new();
    let (one, two) = (fixture.open(), fixture.open());
    let lock = one.run_lock().unwrap();
    fixture.clock.set(crate::fixture::time("2024-01-01T00:01:30Z"));
    let Err(StoreError::RunLockHeld(held)) = two.run_lock() else { panic!("two runs at once") };
    assert_eq!(held.pid, Some(std::process::id()));
    assert_eq!(held.age.unwrap().as_secs(), 90);
    drop(lock);
    two.run_lock().unwrap();
}

#[test]
fn the_history_of_runs_is_kept() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let run = store.allocate_run_id().unwrap();
    store.begin_run(&run, &LineName::default()).unwrap();
    assert!(matches!(store.begin_run(&run, &LineName::default()), Err(StoreError::RunExists(_))));
    store.finish_run(&run, RunOutcome::Rejected, Some("winRate 0.4 is below 0.55")).unwrap();
    let row = store.runs(10).unwrap().pop().unwrap();
    assert_eq!((row.id, row.outcome), (run, Some(RunOutcome::Rejected)));
    assert!(row.finished_at.is_some() && row.reason.is_some());
}

#[test]
fn events_are_numbered_and_bounded() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let first = store.record_event("a", &serde_json::json!({ "n": 1 })).unwrap();
    let second = store.record_event("b", &serde_json::json!({ "n": 2 })).unwrap();
    assert_eq!((first, second, MAX_EVENTS), (1, 2, 10_000));
    let events = store.events_after(first, 10).unwrap();
    assert_eq!((events.len(), events[0].seq, events[0].payload["n"].as_i64()), (1, 2, Some(2)));
}
