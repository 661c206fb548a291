//! Models that wait for approval: approving, declining, and what retention and backups make of them.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};
use walkforward_core::{Grade, Grading, LineName, ModelId, Outcome, PromotionClass, Verdict};
use walkforward_durable::Files;
use walkforward_store::{
    BY_HAND, BackupScope, CycleStatus, CycleUpdate, ExperimentEnd, ExperimentId, ExperimentStatus,
    KeepReason, ModelRecord, ModelStatus, Promotion, PromotionKind, RetentionPolicy, RunOutcome,
    ScheduleChange, ScheduleId, Store, StoreError, restore,
};

use crate::experiments::new_experiment;
use crate::fixture::{Fixture, Switch, make_model, promote, try_make_model, verdict};
use crate::schedules::{commit, new_schedule, queued};

/// Lets everything go that nothing else keeps.
const ALL: RetentionPolicy = RetentionPolicy { keep_last: 0, keep_days: 0, reproducible_days: 0 };

pub(crate) fn main_line() -> LineName {
    LineName::default()
}

/// A model that a gate let through beside `champion`, and whose run held it.
fn hold(store: &Store, champion: Option<&ModelId>) -> ModelRecord {
    let model = try_make_model(store, &main_line(), |record| {
        record.status = ModelStatus::Evaluated;
        record.verdict = Some(verdict(Outcome::Promote));
        record.champion_id = champion.cloned();
    })
    .unwrap();
    store.begin_run(&model.run_id, &main_line()).unwrap();
    store.finish_run(&model.run_id, RunOutcome::Held, None).unwrap();
    model
}

/// The same as cycle `number` of the schedule `btc`, which has an experiment.
fn hold_in_cycle(store: &Store, number: u64, champion: Option<&ModelId>) -> (ModelRecord, ExperimentId) {
    let schedule: ScheduleId = "btc".parse().unwrap();
    if number == 1 {
        store.create_schedule(&new_schedule("btc")).unwrap();
    }
    let model = hold(store, champion);
    let experiment: ExperimentId = format!("exp-{number}").parse().unwrap();
    store.create_experiment(&new_experiment(experiment.as_str())).unwrap();
    store.begin_experiment(&experiment, Some(&model.run_id)).unwrap();
    let (status, final_metrics) = (ExperimentStatus::Completed, json!({ "outcome": "held" }));
    let end = ExperimentEnd { status, final_metrics, model_id: Some(model.model_id.clone()), error: None };
    store.finish_experiment(&experiment, &end).unwrap();
    commit(store, &[queued(&schedule, number)]).unwrap();
    let update = CycleUpdate {
        experiment_id: Some(experiment.clone()),
        model_id: Some(model.model_id.clone()),
        ..CycleUpdate::of(schedule.clone(), number)
    };
    store.update_cycle(&update).unwrap();
    let held = ScheduleChange::CycleStatus {
        schedule_id: schedule,
        number,
        status: CycleStatus::Held,
        reason: None,
    };
    commit(store, &[held]).unwrap();
    (model, experiment)
}

pub(crate) fn is_held(store: &Store, id: &ModelId) -> bool {
    store.model_summary(id).unwrap().held
}

fn reason(store: &Store, id: &ModelId) -> Option<KeepReason> {
    let kept = store.prunable(Some(&main_line()), &ALL).unwrap().kept;
    kept.into_iter().find(|kept| kept.model == *id).map(|kept| kept.why)
}

pub(crate) fn refused<T>(result: Result<T, StoreError>, parts: &[&str]) {
    let Err(error) = result else { panic!("it was not refused") };
    for part in parts {
        assert!(error.to_string().contains(part), "no '{part}' in: {error}");
    }
}

/// Asserts that every row of the first cycle shows the model as deployed.
fn assert_deployed(store: &Store, model: &ModelId, experiment: &ExperimentId) {
    let schedule: ScheduleId = "btc".parse().unwrap();
    let cycle = store.cycle(&schedule, 1).unwrap();
    assert_eq!((cycle.status, cycle.deployed_model_id.as_ref()), (CycleStatus::Held, Some(model)));
    assert_eq!(cycle.reason.as_deref(), Some("approved: it looks right"));
    let schedule = store.schedule(&schedule).unwrap();
    assert!(schedule.current_checkpoint_path.unwrap().ends_with(model.as_str()));
    assert_eq!(schedule.base_experiment_id.as_ref(), Some(experiment));
    let metrics = store.experiment(experiment).unwrap().final_metrics;
    assert_eq!(metrics, json!({ "outcome": "held", "decision": "approved", "deployed_model_id": model }));
}

#[test]
fn an_approval_is_a_promotion_and_every_row_of_its_cycle_shows_it() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let (model, experiment) = hold_in_cycle(&store, 1, None);
    let id = &model.model_id;
    assert!(is_held(&store, id));
    let held = store.held_models(None).unwrap();
    assert_eq!((held.len(), &held[0].model, held[0].is_current()), (1, id, true));
    let done = store.approve(id, " it looks right ").unwrap();
    assert_eq!((done.to(), done.from(), done.kind()), (id, None, PromotionKind::Promote));
    assert_eq!(store.promotions(&main_line()).unwrap()[0].reason, "approved: it looks right");
    assert_eq!(store.model(id).unwrap().status, ModelStatus::Promoted);
    assert_deployed(&store, id, &experiment);
    assert!(!is_held(&store, id) && store.held_models(None).unwrap().is_empty());
    refused(store.approve(id, "again"), &["does not wait for approval", "it is promoted"]);
    refused(store.decline(id, "again"), &["does not wait for approval"]);
    // A later rollback and return leave the cycle as it is.
    let next = make_model(&store, &main_line()).model_id;
    promote(&store, &main_line(), Some(id), &next).unwrap();
    store.rollback(&main_line(), None, "back").unwrap();
    assert_deployed(&store, id, &experiment);
}

#[test]
fn an_approval_beside_another_champion_is_refused_and_holds_again_after_a_rollback() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let first = make_model(&store, &main_line()).model_id;
    promote(&store, &main_line(), None, &first).unwrap();
    let held = hold(&store, Some(&first)).model_id;
    let second = make_model(&store, &main_line()).model_id;
    promote(&store, &main_line(), Some(&first), &second).unwrap();
    let parts = [first.as_str(), second.as_str(), "was compared with", "let a new cycle"];
    refused(store.approve(&held, "please"), &parts);
    assert_eq!(store.champion(&main_line()).unwrap().unwrap().record.model_id, second);
    assert!(is_held(&store, &held) && !store.held_models(None).unwrap()[0].is_current());
    store.rollback(&main_line(), None, "it loses money").unwrap();
    store.approve(&held, "please").unwrap();
}

#[test]
fn a_person_may_overrule_a_verdict_and_the_grade_stays_what_was_earned() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let first = make_model(&store, &main_line()).model_id;
    promote(&store, &main_line(), None, &first).unwrap();
    let judged = |outcome, reason: &str, grade| {
        let grading = Grading {
            arm: "00c0ffee00c0ffee".parse().unwrap(),
            class: PromotionClass::Takeover,
            grade: Some(Grade::Qualified),
            earned: grade,
            reference: "flat".to_owned(),
            meter: json!({}),
        };
        let verdict = Verdict { reason: Some(reason.to_owned()), grading: Some(grading), ..verdict(outcome) };
        try_make_model(&store, &main_line(), |record| {
            record.status = ModelStatus::Rejected;
            record.verdict = Some(verdict);
        })
        .unwrap()
        .model_id
    };
    let torn = judged(Outcome::Reject, "mechanical", None);
    refused(store.overrule(&torn, "I insist"), &["does not work can't trade"]);
    let unjudged = try_make_model(&store, &main_line(), |record| record.verdict = None).unwrap().model_id;
    refused(store.overrule(&unjudged, "I insist"), &["was never judged"]);
    let waiting = judged(Outcome::Inconclusive, "no_grade", Some(Grade::Provisional));
    refused(store.approve(&waiting, "I insist"), &["does not wait"]);
    refused(store.overrule(&waiting, " "), &["needs a reason"]);
    let done = store.overrule(&waiting, "the champion is stale").unwrap();
    assert_eq!((done.from(), done.to()), (Some(&first), &waiting));
    let pointer = store.champion(&main_line()).unwrap().unwrap().pointer;
    assert_eq!((pointer.preset.as_str(), pointer.grade), (BY_HAND, Some(Grade::Provisional)));
    assert_eq!(
        store.promotions(&main_line()).unwrap().last().unwrap().reason,
        "by hand: the champion is stale"
    );
    assert_eq!(store.model(&waiting).unwrap().verdict.unwrap().outcome, Outcome::Inconclusive);
}

#[test]
fn what_was_declined_is_rejected_for_good_and_its_rows_say_why() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let (model, experiment) = hold_in_cycle(&store, 1, None);
    let id = &model.model_id;
    refused(store.decline(id, "  "), &["needs a reason"]);
    refused(store.approve(id, ""), &["needs a reason"]);
    let declined = store.decline(id, "too few trades").unwrap();
    assert_eq!((declined.status, store.model(id).unwrap()), (ModelStatus::Rejected, declined.clone()));
    assert!(!is_held(&store, id));
    let cycle = store.cycle_of_model(id).unwrap().unwrap();
    assert_eq!(
        (cycle.status, cycle.reason.as_deref()),
        (CycleStatus::Held, Some("declined: too few trades"))
    );
    assert_eq!(store.experiment(&experiment).unwrap().final_metrics["decision"], "declined");
    let events = store.events_after(0, 100).unwrap();
    let declined_event = events.iter().filter(|event| event.kind == "model_declined").collect::<Vec<_>>();
    assert_eq!((declined_event.len(), &declined_event[0].payload["reason"]), (1, &json!("too few trades")));
    refused(store.approve(id, "after all"), &["was declined on 2024-01-01", "too few trades"]);
    refused(store.decline(id, "again"), &["does not wait for approval"]);
    refused(promote(&store, &main_line(), None, id), &["was declined"]);
    let undone = ModelRecord { declined: None, ..declined };
    refused(store.update_model(&undone), &["declined can't be changed"]);
}

#[test]
fn only_models_that_a_run_held_wait() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let judged = |record: &mut ModelRecord| {
        record.status = ModelStatus::Evaluated;
        record.verdict = Some(verdict(Outcome::Promote));
    };
    // A promotion that failed leaves such a model too.
    let failed = try_make_model(&store, &main_line(), judged).unwrap();
    store.begin_run(&failed.run_id, &main_line()).unwrap();
    assert!(!is_held(&store, &failed.model_id), "its run goes on");
    store.finish_run(&failed.run_id, RunOutcome::Failed, None).unwrap();
    refused(store.approve(&failed.model_id, "x"), &["its run did not hold it"]);
    let trained = make_model(&store, &main_line());
    refused(store.decline(&trained.model_id, "x"), &["it is trained"]);
    let unknown: ModelId = "model-2020-01-01T00-00-00-000Z".parse().unwrap();
    refused(store.approve(&unknown, "x"), &["`orchestrate models list` shows all"]);
}

/// Approves or declines, and fails or dies at step `step`; whether there is such a step.
fn decision_fails_at(step: i64, is_crash: bool, approves: bool) -> bool {
    let fixture = Fixture::new();
    let switch = Arc::new(Switch::default());
    let store = fixture.try_open(switch.files()).unwrap();
    let (model, experiment) = hold_in_cycle(&store, 1, None);
    let id = &model.model_id;
    switch.arm(step, is_crash);
    let result = if approves {
        store.approve(id, "it looks right").map(drop)
    } else {
        store.decline(id, "it looks right").map(drop)
    };
    let has_failed = switch.has_failed();
    assert!(has_failed || result.is_ok(), "step {step}: {result:?}");
    drop(store);
    let store = fixture.open();
    assert!(store.recovery().problems.is_empty(), "{:?}", store.recovery());
    let record = store.model(id).unwrap();
    let champion = store.pointer(&main_line()).unwrap();
    match (champion.is_some(), record.declined.is_some()) {
        (true, false) => {
            assert_eq!(record.status, ModelStatus::Promoted);
            assert_deployed(&store, id, &experiment);
        }
        (false, true) => {
            assert_eq!(store.model_summary(id).unwrap().status, "rejected");
            let cycle = store.cycle_of_model(id).unwrap().unwrap();
            assert_eq!(cycle.reason.as_deref(), Some("declined: it looks right"));
            let events = store.events_after(0, 100).unwrap();
            assert_eq!(events.iter().filter(|event| event.kind == "model_declined").count(), 1);
        }
        (false, false) => {
            assert!(is_held(&store, id));
            assert_eq!(store.experiment(&experiment).unwrap().final_metrics["decision"], Value::Null);
            store.approve(id, "it looks right").unwrap();
            assert_deployed(&store, id, &experiment);
        }
        (true, true) => panic!("approved and declined"),
    }
    has_failed
}

#[test]
fn a_decision_that_fails_or_dies_at_any_step_is_made_or_not_made_and_its_rows_agree() {
    for (is_crash, approves) in [(false, true), (true, true), (false, false), (true, false)] {
        let steps = (0..100).take_while(|&step| decision_fails_at(step, is_crash, approves)).count();
        assert!((6..60).contains(&steps), "{steps} steps");
    }
}

#[test]
fn one_of_many_deciders_at_once_decides() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let id = hold(&store, None).model_id;
    let decided: Vec<bool> = std::thread::scope(|scope| {
        let decide = |approves: bool| {
            let (fixture, id) = (&fixture, &id);
            scope.spawn(move || {
                let store = fixture.open();
                match approves {
                    true => store.approve(id, "yes").is_ok(),
                    false => store.decline(id, "no").is_ok(),
                }
            })
        };
        let threads: Vec<_> = (0..6).map(|index| decide(index % 2 == 0)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(decided.iter().filter(|&&is_decided| is_decided).count(), 1, "{decided:?}");
    let is_champion = store.pointer(&main_line()).unwrap().is_some();
    assert_ne!(is_champion, store.model(&id).unwrap().declined.is_some());
}

#[test]
fn retention_keeps_the_newest_that_can_be_approved_and_no_other() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let (older, _) = hold_in_cycle(&store, 1, None);
    let (newer, _) = hold_in_cycle(&store, 2, None);
    assert_eq!(reason(&store, &newer.model_id), Some(KeepReason::Held));
    assert_eq!(reason(&store, &older.model_id), None);
    store.decline(&newer.model_id, "no").unwrap();
    assert_eq!(reason(&store, &newer.model_id), None);
    assert_eq!(reason(&store, &older.model_id), Some(KeepReason::Held));
    // Another champion: nothing that was compared with the former waits in earnest.
    let champion = make_model(&store, &main_line()).model_id;
    promote(&store, &main_line(), None, &champion).unwrap();
    assert_eq!(reason(&store, &older.model_id), None);
    assert!(is_held(&store, &older.model_id));
    assert_eq!(store.prune(None, &ALL).unwrap().removed.len(), 2);
    assert!(!is_held(&store, &older.model_id), "nothing is left to approve");
    refused(store.approve(&older.model_id, "x"), &["its weights were removed"]);
}

#[test]
fn a_backup_holds_what_can_be_approved() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let (model, _) = hold_in_cycle(&store, 1, None);
    let dir = fixture.dir.path().join("backup");
    store.backup(&dir, BackupScope::Referenced).unwrap();
    let new = fixture.dir.path().join("new");
    restore(&dir, &new.join("data"), &new.join("models")).unwrap();
    let restored = Store::open(&new.join("data"), &new.join("models"), fixture.clock.clone()).unwrap();
    restored.approve(&model.model_id, "still good").unwrap();
}

/// What a person or a run does to a line.
#[derive(Debug, Clone, Copy)]
enum Deed {
    Hold,
    Promote,
    Rollback,
    Approve(usize),
    Decline(usize),
    Prune,
    Reopen,
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let deed = prop_oneof![
        3 => Just(Deed::Hold),
        2 => Just(Deed::Promote),
        1 => Just(Deed::Rollback),
        3 => (0..8_usize).prop_map(Deed::Approve),
        2 => (0..8_usize).prop_map(Deed::Decline),
        1 => Just(Deed::Prune),
        1 => Just(Deed::Reopen),
    ];
    prop::collection::vec(deed, 1..16)
}

fn champion(store: &Store) -> Option<ModelId> {
    store.pointer(&main_line()).unwrap().map(|pointer| pointer.model_id)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// An approval succeeds exactly when the model waits, can still be had, and was compared with the present champion;
    /// a model that was declined never trades.
    #[test]
    fn an_approval_is_given_exactly_where_its_verdict_holds(deeds in deeds()) {
        let fixture = Fixture::new();
        let mut store = fixture.open();
        let mut held: Vec<(ModelId, Option<ModelId>)> = Vec::new();
        let mut declined: Vec<ModelId> = Vec::new();
        for deed in deeds {
            let now = champion(&store);
            match deed {
                Deed::Hold => held.push((hold(&store, now.as_ref()).model_id, now)),
                Deed::Promote => {
                    let model = make_model(&store, &main_line()).model_id;
                    promote(&store, &main_line(), now.as_ref(), &model).unwrap();
                }
                Deed::Rollback => drop(store.rollback(&main_line(), None, "back")),
                Deed::Approve(index) if index < held.len() => {
                    let (model, judged_against) = &held[index];
                    let expected = is_held(&store, model) && *judged_against == now;
                    let result: Result<Promotion, StoreError> = store.approve(model, "yes");
                    prop_assert_eq!(result.is_ok(), expected, "{:?}", result);
                }
                Deed::Decline(index) if index < held.len() => {
                    let expected = is_held(&store, &held[index].0);
                    prop_assert_eq!(store.decline(&held[index].0, "no").is_ok(), expected);
                    declined.extend(expected.then(|| held[index].0.clone()));
                }
                Deed::Prune => drop(store.prune(None, &ALL).unwrap()),
                Deed::Reopen => {
                    drop(store);
                    store = fixture.try_open(Files::default()).unwrap();
                    prop_assert!(store.recovery().problems.is_empty());
                }
                Deed::Approve(_) | Deed::Decline(_) => {}
            }
            for model in &declined {
                prop_assert!(champion(&store).as_ref() != Some(model));
                prop_assert_eq!(store.model(model).unwrap().status, ModelStatus::Rejected);
            }
        }
    }
}
