//! Who keeps its weights, taking away those of the others, pins, and going back.

use std::fs;
use std::sync::Arc;

use crate::fixture::{Fixture, Switch, line, make_model, move_pointer, promote, time, tree, try_make_model};
use walkforward_core::{ErrorKind, LineName, ModelId};
use walkforward_store::{
    BundleLock, KeepReason, ModelRecord, POLICY_FILE, PromotionKind, RemovedBy, RetentionPolicy, RunOutcome,
    Store, StoreError, WORK_DAYS, WeightsRemoved,
};

/// Lets everything go that nothing else keeps.
const ALL: RetentionPolicy = RetentionPolicy { keep_last: 0, keep_days: 0, reproducible_days: 0 };

fn main_line() -> LineName {
    LineName::default()
}

fn child_of(store: &Store, parent: &ModelRecord) -> ModelRecord {
    try_make_model(store, &main_line(), |record| record.parent_id = Some(parent.model_id.clone())).unwrap()
}

fn weights(fixture: &Fixture, id: &ModelId) -> std::path::PathBuf {
    fixture.models_dir().join(id.as_str()).join(POLICY_FILE)
}

/// Why each model of the default line stays, and which may go, oldest first.
fn look(store: &Store, policy: &RetentionPolicy) -> (Vec<(ModelId, KeepReason)>, Vec<ModelId>) {
    let found = store.prunable(Some(&main_line()), policy).unwrap();
    assert_eq!(found.kept.len(), found.kept_models);
    let kept = found.kept.into_iter().map(|kept| (kept.model, kept.why)).collect();
    (kept, found.prunable.into_iter().map(|model| model.model).collect())
}

fn reason(store: &Store, policy: &RetentionPolicy, id: &ModelId) -> Option<KeepReason> {
    look(store, policy).0.into_iter().find(|(model, _)| model == id).map(|(_, why)| why)
}

#[test]
fn age_number_and_use_keep_weights_and_the_reason_is_told() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let models: Vec<ModelRecord> = (0..6).map(|_| make_model(&store, &main_line())).collect();
    let id = |index: usize| &models[index].model_id;
    promote(&store, &main_line(), None, id(0)).unwrap();
    promote(&store, &main_line(), Some(id(0)), id(1)).unwrap();
    store.pin(id(2), "the one of the paper").unwrap();
    fixture.clock.set(time("2024-02-15T00:00:00Z"));
    let child = child_of(&store, &models[3]);
    let policy = RetentionPolicy { keep_last: 2, keep_days: 10, reproducible_days: 30 };
    let (kept, prunable) = look(&store, &policy);
    let expected = [
        (child.model_id.clone(), KeepReason::Newest),
        (id(5).clone(), KeepReason::Newest),
        (id(3).clone(), KeepReason::Parent { days: 30 }),
        (id(2).clone(), KeepReason::Pinned("the one of the paper".to_owned())),
        (id(1).clone(), KeepReason::Champion(main_line())),
        (id(0).clone(), KeepReason::EarlierChampion(main_line())),
    ];
    assert_eq!(kept, expected);
    assert_eq!(prunable, [id(4).clone()]);
    let young = RetentionPolicy { keep_days: 46, ..policy };
    assert_eq!(reason(&store, &young, id(4)), Some(KeepReason::Young { days: 46 }));
    assert_eq!(reason(&store, &RetentionPolicy { keep_days: 44, ..policy }, id(4)), None);
    fixture.clock.set(time("2024-03-16T00:00:00Z"));
    assert_eq!(reason(&store, &policy, id(3)), None, "its child is 30 days old");
    let lock = BundleLock::shared(&store.model_dir(id(4))).unwrap();
    assert_eq!(reason(&store, &policy, id(4)), Some(KeepReason::Loaded));
    drop(lock);
    assert_eq!(reason(&store, &policy, id(4)), None);
}

#[test]
fn a_model_in_the_middle_of_a_run_and_the_next_parent_of_a_schedule_stay() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let [running, next] = [make_model(&store, &main_line()), make_model(&store, &main_line())];
    store.begin_run(&running.run_id, &main_line()).unwrap();
    let schedule: walkforward_store::ScheduleId = "btc".parse().unwrap();
    store.create_schedule(&crate::schedules::new_schedule(schedule.as_str())).unwrap();
    let path = format!("models/{}/{POLICY_FILE}", next.model_id);
    store.set_current_checkpoint(&schedule, Some(&path)).unwrap();
    assert_eq!(reason(&store, &ALL, &running.model_id), Some(KeepReason::RunGoesOn));
    assert_eq!(reason(&store, &ALL, &next.model_id), Some(KeepReason::NextParent(schedule)));
    store.finish_run(&running.run_id, RunOutcome::Rejected, None).unwrap();
    assert_eq!(reason(&store, &ALL, &running.model_id), None);
}

#[test]
fn a_prune_takes_weights_alone_and_every_later_use_says_so() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let models: Vec<ModelRecord> = (0..40).map(|_| make_model(&store, &main_line())).collect();
    let other = make_model(&store, &line("other"));
    promote(&store, &main_line(), None, &models[39].model_id).unwrap();
    let before = tree(&fixture.models_dir());
    fixture.clock.set(time("2024-06-01T12:00:00Z"));
    let report = store.prune(Some(&main_line()), &ALL).unwrap();
    assert_eq!((report.removed.len(), report.stayed.len()), (39, 0));
    assert_eq!(report.freed_bytes, 39 * u64::try_from("weights of 2024-01-01T00-00-00-000Z".len()).unwrap());
    let gone = |file: &&String| file.ends_with(POLICY_FILE) && !file.contains(models[39].model_id.as_str());
    let expected: Vec<&String> =
        before.iter().filter(|file| !gone(file) || file.contains(other.model_id.as_str())).collect();
    assert_eq!(tree(&fixture.models_dir()).iter().collect::<Vec<_>>(), expected);

    let model = &models[0];
    let record = store.model(&model.model_id).unwrap();
    let removed = WeightsRemoved { at: time("2024-06-01T12:00:00Z"), by: RemovedBy::Retention };
    assert_eq!(record, ModelRecord { weights_removed: Some(removed), ..model.clone() });
    let said = "its weights were removed on 2024-06-01T12:00:00.000Z by retention";
    assert!(store.weights_problem(&record).unwrap().unwrap().contains(said));
    let error = promote(&store, &main_line(), Some(&models[39].model_id), &model.model_id).unwrap_err();
    assert!(error.to_string().contains(said), "{error}");
    let error = store.pin(&model.model_id, "too late").unwrap_err();
    assert!(error.to_string().contains("its weights are gone since 2024-06-01"), "{error}");
    assert!(store.update_model(model).unwrap_err().to_string().contains("weightsRemoved"));
    assert_eq!(store.model_summary(&model.model_id).unwrap().weights_removed, Some(removed));
    assert!(store.prune(Some(&main_line()), &ALL).unwrap().removed.is_empty());
    drop(store);
    // Without its database the store finds the same again.
    for name in ["walkforward.db", "walkforward.db-wal", "walkforward.db-shm"] {
        let _ = fs::remove_file(fixture.data_dir().join(name));
    }
    let (store, former) =
        Store::take_over(&fixture.data_dir(), &fixture.models_dir(), fixture.clock.clone(), "lost").unwrap();
    assert_eq!(former.unwrap().database_created_at, time("2024-01-01T00:00:00Z"));
    assert_eq!((store.recovery().registered, store.recovery().problems.len()), (41, 0));
    assert_eq!(store.model_summary(&model.model_id).unwrap().weights_removed, Some(removed));
}

#[test]
fn weights_that_somebody_put_back_can_be_used_again() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let [old, champion] = [make_model(&store, &main_line()), make_model(&store, &main_line())];
    promote(&store, &main_line(), None, &champion.model_id).unwrap();
    let bytes = fs::read(weights(&fixture, &old.model_id)).unwrap();
    store.prune(None, &ALL).unwrap();
    fs::write(weights(&fixture, &old.model_id), bytes).unwrap();
    drop(store);
    let store = fixture.open();
    promote(&store, &main_line(), Some(&champion.model_id), &old.model_id).unwrap();
}

#[test]
fn a_champion_whose_weights_are_taken_by_hand_is_told_apart_from_one_of_retention() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let [old, champion] = [make_model(&store, &main_line()), make_model(&store, &main_line())];
    promote(&store, &main_line(), None, &champion.model_id).unwrap();
    store.prune(None, &ALL).unwrap();
    let pointer = fixture.models_dir().join("latest.json");
    let text = fs::read_to_string(&pointer).unwrap();
    let text = text.replace(champion.model_id.as_str(), old.model_id.as_str());
    fs::write(&pointer, text.replace(&champion.sha256, &old.sha256)).unwrap();
    let damage = store.champion(&main_line()).unwrap().unwrap().damage.unwrap();
    assert!(damage.contains("by retention"), "{damage}");
    fs::write(
        &pointer,
        fs::read_to_string(&pointer)
            .unwrap()
            .replace(old.model_id.as_str(), champion.model_id.as_str())
            .replace(&old.sha256, &champion.sha256),
    )
    .unwrap();
    fs::remove_file(weights(&fixture, &champion.model_id)).unwrap();
    let damage = store.champion(&main_line()).unwrap().unwrap().damage.unwrap();
    assert!(damage.contains("is missing"), "{damage}");
}

/// Fails a prune of three models at its `step`th step; whether there is such a step.
fn prune_fails_at(step: i64, is_crash: bool) -> bool {
    let fixture = Fixture::new();
    let switch = Arc::new(Switch::default());
    let store = fixture.try_open(switch.files()).unwrap();
    let models: Vec<ModelRecord> = (0..4).map(|_| make_model(&store, &main_line())).collect();
    promote(&store, &main_line(), None, &models[3].model_id).unwrap();
    switch.arm(step, is_crash);
    let pruned = store.prune(None, &ALL);
    let has_failed = switch.has_failed();
    assert_eq!(pruned.is_err(), has_failed, "step {step}");
    drop(store);
    let store = fixture.open();
    assert!(store.recovery().problems.is_empty(), "{:?}", store.recovery());
    for model in &models {
        let record = store.model(&model.model_id).unwrap();
        let is_there = weights(&fixture, &model.model_id).exists();
        let summary = store.model_summary(&model.model_id).unwrap();
        assert_eq!(
            (record.weights_removed.is_none(), summary.weights_removed.is_none()),
            (is_there, is_there)
        );
        assert_eq!(store.weights_problem(&record).unwrap().is_none(), is_there);
    }
    assert!(weights(&fixture, &models[3].model_id).exists());
    assert_eq!(fixture.open().recovery().finished_removals, 0);
    let removed = store.prune(None, &ALL).unwrap().removed.len();
    assert!(has_failed || removed == 0);
    has_failed
}

#[test]
fn a_prune_that_fails_or_dies_at_any_step_is_finished_by_the_next_start() {
    for is_crash in [false, true] {
        let steps = (0..100).take_while(|&step| prune_fails_at(step, is_crash)).count();
        assert!((30..100).contains(&steps), "{steps} steps");
    }
}

#[test]
fn an_announced_removal_waits_for_a_trader_that_loaded_the_model_since() {
    let fixture = Fixture::new();
    let switch = Arc::new(Switch::default());
    let store = fixture.try_open(switch.files()).unwrap();
    let [old, champion] = [make_model(&store, &main_line()), make_model(&store, &main_line())];
    promote(&store, &main_line(), None, &champion.model_id).unwrap();
    // The announcement passes, the removal does not.
    switch.arm(1, true);
    store.prune(None, &ALL).unwrap_err();
    drop(store);
    let lock = BundleLock::shared(&fixture.models_dir().join(old.model_id.as_str())).unwrap();
    let store = fixture.open();
    assert_eq!(store.recovery().finished_removals, 0);
    assert!(weights(&fixture, &old.model_id).exists());
    let error = promote(&store, &main_line(), Some(&champion.model_id), &old.model_id).unwrap_err();
    assert!(error.to_string().contains("by retention"), "{error}");
    drop((lock, store));
    assert_eq!(fixture.open().recovery().finished_removals, 1);
    assert!(!weights(&fixture, &old.model_id).exists());
}

#[test]
fn a_bundle_that_is_being_removed_is_not_loaded_and_a_loaded_one_not_removed() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let [old, champion] = [make_model(&store, &main_line()), make_model(&store, &main_line())];
    promote(&store, &main_line(), None, &champion.model_id).unwrap();
    let dir = store.model_dir(&old.model_id);
    let shared = (BundleLock::shared(&dir).unwrap(), store.lock_bundle(&old.model_id).unwrap());
    assert!(store.prune(None, &ALL).unwrap().removed.is_empty());
    drop(shared);
    let path = fixture.models_dir().join(format!(".locks/{}.lock", old.model_id));
    let remover = walkforward_durable::FileLock::try_exclusive(&path, 0).unwrap();
    let error = BundleLock::shared(&dir).unwrap_err();
    assert!(error.to_string().contains("its weights are being removed"), "{error}");
    drop(remover);
    assert_eq!(store.prune(None, &ALL).unwrap().removed.len(), 1);
    assert!(!path.exists());
}

#[test]
fn pins_are_kept_with_their_reason_and_taken_away() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let model = make_model(&store, &main_line()).model_id;
    let first = store.pin(&model, " for the audit ").unwrap();
    assert_eq!((first.reason.as_str(), first.at), ("for the audit", time("2024-01-01T00:00:00Z")));
    fixture.clock.set(time("2024-02-01T00:00:00Z"));
    let again = store.pin(&model, "for the second audit").unwrap();
    assert_eq!((again.reason.as_str(), again.at), ("for the second audit", first.at));
    assert_eq!(store.pins().unwrap(), std::slice::from_ref(&again));
    assert_eq!(store.pin_of(&model).unwrap(), Some(again));
    store.unpin(&model).unwrap();
    assert!(store.unpin(&model).unwrap_err().to_string().contains("not pinned"));
    assert!(store.pin(&model, "  ").unwrap_err().to_string().contains("needs a reason"));
    let unknown: ModelId = "model-2020-01-01T00-00-00-000Z".parse().unwrap();
    for error in [store.pin(&unknown, "x").map(drop).unwrap_err(), store.unpin(&unknown).unwrap_err()] {
        assert!(error.to_string().contains("`orchestrate models list` shows all"), "{error}");
        assert_eq!(error.kind(), ErrorKind::BadInput);
    }
}

#[test]
fn a_line_goes_back_step_by_step_and_only_to_its_own_champions() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let main = main_line();
    assert!(matches!(store.rollback(&main, None, "x"), Err(StoreError::NoEarlierChampion { .. })));
    let models: Vec<ModelId> = (0..4).map(|_| make_model(&store, &main).model_id).collect();
    let [a, b, c, never] = &models[..] else { panic!("four models") };
    promote(&store, &main, None, a).unwrap();
    assert!(matches!(store.rollback(&main, None, "x"), Err(StoreError::NoEarlierChampion { .. })));
    promote(&store, &main, Some(a), b).unwrap();
    promote(&store, &main, Some(b), c).unwrap();
    assert_eq!(store.champions(&main).unwrap(), [c.clone(), b.clone(), a.clone()]);
    let back = store.rollback(&main, None, "it loses money").unwrap();
    assert_eq!(
        (back.from(), back.to(), back.kind(), back.sequence()),
        (Some(c), b, PromotionKind::Rollback, 4)
    );
    assert_eq!(store.promotions(&main).unwrap().pop().unwrap().reason, "it loses money");
    let back = store.rollback(&main, None, "this too").unwrap();
    assert_eq!((back.from(), back.to()), (Some(b), a));
    assert!(matches!(store.rollback(&main, None, "x"), Err(StoreError::NoEarlierChampion { .. })));
    let back = store.rollback(&main, Some(c), "it was the best after all").unwrap();
    assert_eq!((back.from(), back.to()), (Some(a), c));
    for to in [never, c] {
        let refused = store.rollback(&main, Some(to), "x").unwrap_err();
        assert!(matches!(refused, StoreError::RefusedPromotion { .. }), "{refused}");
    }
    // All that were champion lately stay, with one before at the least.
    let (kept, prunable) = look(&store, &RetentionPolicy { keep_last: 1, ..ALL });
    assert_eq!(prunable, std::slice::from_ref(b));
    let why = |id: &ModelId| kept.iter().find(|(model, _)| model == id).map(|(_, why)| why.clone());
    assert_eq!(why(a), Some(KeepReason::EarlierChampion(main.clone())));
    move_pointer(&store, &main, Some(c), b, PromotionKind::Promote).unwrap();
    assert_eq!(store.champions(&main).unwrap()[..2], [b.clone(), c.clone()]);
}

#[test]
fn a_line_whose_pointer_can_not_be_read_keeps_everything() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let other = line("other");
    let [old, champion] = [make_model(&store, &main_line()), make_model(&store, &main_line())];
    promote(&store, &main_line(), None, &champion.model_id).unwrap();
    let foreign = [make_model(&store, &other), make_model(&store, &other)];
    fs::write(fixture.models_dir().join("latest.json"), "{").unwrap();
    assert!(matches!(reason(&store, &ALL, &old.model_id), Some(KeepReason::UnknownChampion(_))));
    let removed: Vec<ModelId> =
        store.prune(None, &ALL).unwrap().removed.into_iter().map(|model| model.model).collect();
    assert_eq!(removed, foreign.map(|model| model.model_id));
}

#[test]
fn old_jobs_and_checkpoints_go_and_those_in_progress_stay() {
    let fixture = Fixture::new();
    let store = fixture.open();
    for folder in ["jobs/2024-01-01T00-00-00-000Z-1", "jobs/live-1", "checkpoints/abc/iteration-1"] {
        let dir = fixture.data_dir().join(folder);
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("worker.log"), "12345").unwrap();
    }
    store.staging_dir("live-1").unwrap();
    let written = fs::metadata(fixture.data_dir().join("jobs")).unwrap().modified().unwrap();
    let written = written.duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    let written = walkforward_core::Timestamp::from_millis(i64::try_from(written).unwrap()).unwrap();
    let days = |days: i64| written.plus_millis(days * 86_400_000);
    fixture.clock.set(days(i64::from(WORK_DAYS) - 1));
    assert!(store.old_work().unwrap().folders.is_empty());
    fixture.clock.set(days(i64::from(WORK_DAYS) + 1));
    let purged = store.purge_work().unwrap();
    assert_eq!((purged.folders.len(), purged.bytes), (2, 10));
    assert_eq!(fs::read_dir(fixture.data_dir().join("jobs")).unwrap().count(), 1);
    assert_eq!(fs::read_dir(fixture.data_dir().join("checkpoints")).unwrap().count(), 0);
}

#[test]
fn the_newest_models_are_listed_first_and_the_list_is_bounded() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let models: Vec<ModelId> = (0..5).map(|_| make_model(&store, &main_line()).model_id).collect();
    let other = make_model(&store, &line("other")).model_id;
    store.pin(&models[4], "kept").unwrap();
    let listed = store.model_summaries(Some(&main_line()), 2).unwrap();
    assert_eq!(listed.iter().map(|model| &model.model).collect::<Vec<_>>(), [&models[4], &models[3]]);
    assert_eq!(listed[0].pinned.as_deref(), Some("kept"));
    assert_eq!(store.model_summaries(None, u32::MAX).unwrap().len(), 6);
    assert_eq!(store.model_summaries(None, 1).unwrap()[0].model, other);
    let unknown: ModelId = "model-2020-01-01T00-00-00-000Z".parse().unwrap();
    let error = store.model_summary(&unknown).unwrap_err();
    assert!(error.to_string().contains("`orchestrate models list` shows all"), "{error}");
}
