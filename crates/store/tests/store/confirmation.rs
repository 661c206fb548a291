//! When a champion was last confirmed, as traders read it.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use walkforward_core::{LineName, ModelId, RunId};
use walkforward_store::{BackupScope, Confirmation, ConfirmationReader, Store, confirmation_path, restore};

use crate::fixture::{Fixture, Switch, line, make_model, promote};

const HOUR: Duration = Duration::from_secs(3_600);

fn crown(store: &Store, before: Option<&ModelId>) -> ModelId {
    let model = make_model(store, &LineName::default()).model_id;
    promote(store, &LineName::default(), before, &model).unwrap();
    model
}

fn read(fixture: &Fixture) -> Option<Confirmation> {
    ConfirmationReader::new(fixture.models_dir(), LineName::default()).read().unwrap()
}

fn run(fixture: &Fixture) -> RunId {
    RunId::at(fixture.clock_now())
}

#[test]
fn a_champion_without_the_file_was_never_confirmed_since_its_promotion() {
    let fixture = Fixture::new();
    let store = fixture.open();
    assert_eq!(read(&fixture), None);
    assert!(
        !store
            .confirm_champion(
                &LineName::default(),
                &make_model(&store, &line("default")).model_id,
                &run(&fixture)
            )
            .unwrap()
    );
    let model = crown(&store, None);
    let promoted_at = fixture.clock_now();
    fixture.wait(5 * HOUR);
    let fresh = read(&fixture).unwrap();
    assert_eq!((&fresh.model_id, fresh.confirmed_at, fresh.since()), (&model, None, promoted_at));
    assert_eq!(fresh.trained_until, store.model(&model).unwrap().trained_until);
}

#[test]
fn a_confirmation_counts_for_the_champion_that_it_was_made_for() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let first = crown(&store, None);
    fixture.wait(HOUR);
    assert!(store.confirm_champion(&LineName::default(), &first, &run(&fixture)).unwrap());
    let confirmed_at = fixture.clock_now();
    assert_eq!(read(&fixture).unwrap().confirmed_at, Some(confirmed_at));
    assert_eq!(read(&fixture).unwrap().since(), confirmed_at);
    fixture.wait(HOUR);
    let second = crown(&store, Some(&first));
    assert_eq!(read(&fixture).unwrap().confirmed_at, None);
    assert!(!store.confirm_champion(&LineName::default(), &first, &run(&fixture)).unwrap());
    assert!(store.confirm_champion(&LineName::default(), &second, &run(&fixture)).unwrap());
    assert_eq!(read(&fixture).unwrap().confirmed_at, Some(fixture.clock_now()));
    // Champion again, and not confirmed again.
    store.rollback(&LineName::default(), None, "a test").unwrap();
    assert_eq!((read(&fixture).unwrap().model_id, read(&fixture).unwrap().confirmed_at), (first, None));
}

#[test]
fn a_clock_that_was_set_back_does_not_make_a_champion_older() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let model = crown(&store, None);
    let before = fixture.clock_now();
    fixture.wait(HOUR);
    assert!(store.confirm_champion(&LineName::default(), &model, &run(&fixture)).unwrap());
    let known = fixture.clock_now();
    fixture.clock.set(before);
    assert!(!store.confirm_champion(&LineName::default(), &model, &run(&fixture)).unwrap());
    assert_eq!(read(&fixture).unwrap().confirmed_at, Some(known));
}

#[test]
fn a_damaged_confirmation_is_an_error_until_the_next_one() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let model = crown(&store, None);
    let path = confirmation_path(&fixture.models_dir(), &LineName::default());
    fs::write(&path, "{\"line\":").unwrap();
    let reader = ConfirmationReader::new(fixture.models_dir(), LineName::default());
    let error = reader.read().unwrap_err().to_string();
    assert!(error.contains("confirmed.json") && error.contains("cut off"), "{error}");
    assert!(store.confirm_champion(&LineName::default(), &model, &run(&fixture)).unwrap());
    assert!(reader.read().unwrap().unwrap().confirmed_at.is_some());
}

#[test]
fn a_confirmation_that_fails_or_dies_at_any_step_leaves_the_one_before_or_the_new_one() {
    for is_crash in [false, true] {
        let mut is_new = Vec::new();
        for step in 0..50 {
            let fixture = Fixture::new();
            let switch = Arc::new(Switch::default());
            let store = fixture.try_open(switch.files()).unwrap();
            let model = crown(&store, None);
            store.confirm_champion(&LineName::default(), &model, &run(&fixture)).unwrap();
            let old = fixture.clock_now();
            fixture.wait(HOUR);
            switch.arm(step, is_crash);
            let confirmed = store.confirm_champion(&LineName::default(), &model, &run(&fixture));
            let has_failed = switch.has_failed();
            assert!(has_failed || confirmed.is_ok(), "step {step}");
            drop(store);
            let store = fixture.open();
            let found = read(&fixture).unwrap().confirmed_at.unwrap();
            assert!(found == old || found == fixture.clock_now(), "step {step}: {found}");
            assert!(confirmed.is_err() || found == fixture.clock_now(), "step {step}");
            assert!(store.confirm_champion(&LineName::default(), &model, &run(&fixture)).unwrap());
            if !has_failed {
                break;
            }
            is_new.push(found != old);
        }
        assert!(is_new.is_sorted() && is_new.contains(&false), "{is_new:?}");
        assert!((3..50).contains(&is_new.len()), "{is_new:?}");
    }
}

#[test]
fn a_backup_holds_the_confirmations() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let model = crown(&store, None);
    store.confirm_champion(&LineName::default(), &model, &run(&fixture)).unwrap();
    let known = read(&fixture);
    let backup = fixture.dir.path().join("backup");
    store.backup(&backup, BackupScope::AllModels).unwrap();
    let (data, models) = (fixture.dir.path().join("data-2"), fixture.dir.path().join("models-2"));
    restore(&backup, &data, &models).unwrap();
    assert_eq!(ConfirmationReader::new(models, LineName::default()).read().unwrap(), known);
}
