//! Schedules and cycles: what is kept, and what a step of the state machine may change.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::experiments::new_experiment;
use crate::fixture::{Fixture, Switch, line, time, verdict};
use proptest::prelude::*;
use serde_json::json;
use walkforward_core::{ErrorKind, ModelId, Outcome, RunId, Timestamp, Window};
use walkforward_store::{
    CycleRecord, CycleStatus, CycleTrigger, CycleUpdate, ExperimentEnd, ExperimentStatus,
    MAX_SCHEDULE_CHANGES, NewCycle, NewSchedule, ScheduleChange, ScheduleId, ScheduleState, ScheduleStatus,
    Store, StoreError,
};

pub(crate) fn new_schedule(id: &str) -> NewSchedule {
    NewSchedule {
        id: id.parse().unwrap(),
        name: format!("Schedule {id}"),
        line: line("default"),
        base_experiment_id: None,
        dataset_id: None,
        hp_pack_id: None,
        config: json!({ "interval_hours": 6 }),
    }
}

pub(crate) fn commit(store: &Store, changes: &[ScheduleChange]) -> Result<Vec<i64>, StoreError> {
    store.commit_schedule_changes(changes)
}

fn new_cycle(id: &ScheduleId, number: u64, trigger: CycleTrigger, status: CycleStatus) -> ScheduleChange {
    ScheduleChange::Cycle(NewCycle {
        schedule_id: id.clone(),
        number,
        due_at: due(number),
        trigger,
        status,
        reason: None,
    })
}

pub(crate) fn queued(id: &ScheduleId, number: u64) -> ScheduleChange {
    new_cycle(id, number, CycleTrigger::Due, CycleStatus::Queued)
}

fn status(id: &ScheduleId, number: u64, status: CycleStatus) -> ScheduleChange {
    ScheduleChange::CycleStatus { schedule_id: id.clone(), number, status, reason: None }
}

fn state(id: &ScheduleId, status: ScheduleStatus) -> ScheduleChange {
    ScheduleChange::Schedule(ScheduleState {
        id: id.clone(),
        status,
        anchor_at: Some(due(0)),
        current_cycle: 7,
        last_cycle_at: Some(due(7)),
        next_cycle_at: Some(due(8)),
    })
}

fn due(number: u64) -> Timestamp {
    time("2024-01-01").plus_millis(number as i64 * 6 * 3_600_000)
}

fn event(kind: &str) -> ScheduleChange {
    ScheduleChange::Event { kind: kind.to_owned(), payload: json!({ "schedule_id": "btc" }) }
}

fn with_schedule() -> (Fixture, Store, ScheduleId) {
    let fixture = Fixture::new();
    let store = fixture.open();
    let id = store.create_schedule(&new_schedule("btc")).unwrap().id;
    (fixture, store, id)
}

#[test]
fn a_schedule_is_made_read_changed_and_deleted() {
    let (_fixture, store, id) = with_schedule();
    let record = store.schedule(&id).unwrap();
    assert_eq!((record.status, record.current_cycle, record.next_cycle_at), (ScheduleStatus::Idle, 0, None));
    assert_eq!(store.schedules().unwrap(), std::slice::from_ref(&record));
    let changed = store.update_schedule_config(&id, &json!({ "interval_hours": 12 })).unwrap();
    assert_eq!(changed.config["interval_hours"], 12);
    let mut other = new_schedule("btc");
    (other.name, other.hp_pack_id) = ("Other".to_owned(), Some("quick".parse().unwrap()));
    let changed = store.update_schedule(&other).unwrap();
    assert_eq!((changed.name.as_str(), changed.hp_pack_id), ("Other", other.hp_pack_id));
    store.set_current_checkpoint(&id, Some("models/model-x")).unwrap();
    assert_eq!(store.schedule(&id).unwrap().current_checkpoint_path.as_deref(), Some("models/model-x"));
    store.delete_schedule(&id).unwrap();
    assert!(store.schedules().unwrap().is_empty());
}

#[test]
fn a_schedule_that_makes_no_sense_is_refused_with_its_reason() {
    let (_fixture, store, id) = with_schedule();
    let mut cases = vec![(new_schedule("btc"), "exists already")];
    let mut bad = |expected, edit: &dyn Fn(&mut NewSchedule)| {
        let mut schedule = new_schedule("a");
        edit(&mut schedule);
        cases.push((schedule, expected));
    };
    bad("there is no experiment 'x': known are none", &|s| s.base_experiment_id = Some("x".parse().unwrap()));
    bad("there is no pack 'x'", &|s| s.hp_pack_id = Some("x".parse().unwrap()));
    bad("there is no dataset configuration 'x'", &|s| s.dataset_id = Some("x".parse().unwrap()));
    bad("config is no JSON object", &|s| s.config = json!(3));
    bad("1 to 200 bytes", &|s| s.name = "x".repeat(201));
    for (schedule, expected) in cases {
        let error = store.create_schedule(&schedule).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert_eq!(error.kind(), ErrorKind::BadInput);
    }
    let moved = NewSchedule { line: line("other"), ..new_schedule("btc") };
    assert!(store.update_schedule(&moved).unwrap_err().to_string().contains("its line is 'default'"));
    let unknown = store.schedule(&"x".parse().unwrap()).unwrap_err().to_string();
    assert!(unknown.contains("known are 'btc' (`orchestrate schedules list` shows all)"), "{unknown}");
    let path = "x".repeat(5_000);
    assert!(store.set_current_checkpoint(&id, Some(&path)).is_err());
    assert_eq!(store.schedules().unwrap().len(), 1);
}

#[test]
fn a_schedule_that_is_at_work_is_not_changed() {
    let (_fixture, store, id) = with_schedule();
    let refusal = || store.update_schedule_config(&id, &json!({})).unwrap_err().to_string();
    commit(&store, &[state(&id, ScheduleStatus::Active), queued(&id, 1)]).unwrap();
    assert!(refusal().contains("it is active: pause or stop it"));
    assert!(store.delete_schedule(&id).unwrap_err().to_string().contains("stop it first"));
    commit(&store, &[state(&id, ScheduleStatus::Paused)]).unwrap();
    assert!(refusal().contains("its cycle 1 is queued"));
    commit(&store, &[status(&id, 1, CycleStatus::Cancelled)]).unwrap();
    store.update_schedule_config(&id, &json!({})).unwrap();
    let error = store.delete_schedule(&id).unwrap_err().to_string();
    assert!(error.contains("belongs to the kept history: cycle 'btc/1'"), "{error}");
    commit(&store, &[state(&id, ScheduleStatus::Removed)]).unwrap();
    assert!(refusal().contains("it is removed"));
    assert!(store.schedules().unwrap().is_empty());
    assert_eq!(store.schedule(&id).unwrap().status, ScheduleStatus::Removed);
    let error = commit(&store, &[state(&id, ScheduleStatus::Active)]).unwrap_err().to_string();
    assert!(error.contains("removed and can't become active"), "{error}");
    assert!(store.create_schedule(&new_schedule("btc")).is_err());
}

#[test]
fn a_step_is_applied_whole_and_its_events_are_numbered() {
    let (_fixture, store, id) = with_schedule();
    let changes = [
        state(&id, ScheduleStatus::Active),
        event("a"),
        queued(&id, 1),
        status(&id, 1, CycleStatus::Running),
        event("b"),
    ];
    assert_eq!(commit(&store, &changes).unwrap(), [1, 2]);
    let record = store.schedule(&id).unwrap();
    assert_eq!((record.status, record.current_cycle), (ScheduleStatus::Active, 7));
    assert_eq!(
        (record.anchor_at, record.last_cycle_at, record.next_cycle_at),
        (Some(due(0)), Some(due(7)), Some(due(8)))
    );
    let cycle = store.cycle(&id, 1).unwrap();
    assert_eq!(
        (cycle.status, cycle.due_at, cycle.trigger),
        (CycleStatus::Running, due(1), CycleTrigger::Due)
    );
    assert_eq!((cycle.started_at, cycle.finished_at), (Some(time("2024-01-01")), None));
    let kinds: Vec<String> = store.events_after(0, 10).unwrap().into_iter().map(|event| event.kind).collect();
    assert_eq!(kinds, ["a", "b"]);
    assert_eq!(commit(&store, &[]).unwrap(), Vec::<i64>::new());
}

#[test]
fn a_step_with_one_wrong_change_is_not_applied_at_all() {
    let (_fixture, store, id) = with_schedule();
    commit(&store, &[queued(&id, 1), status(&id, 1, CycleStatus::Failed), queued(&id, 2)]).unwrap();
    commit(&store, &[status(&id, 2, CycleStatus::Running)]).unwrap();
    let x: ScheduleId = "x".parse().unwrap();
    let same_due = ScheduleChange::Cycle(NewCycle {
        schedule_id: id.clone(),
        number: 3,
        due_at: due(2),
        trigger: CycleTrigger::Due,
        status: CycleStatus::Missed,
        reason: None,
    });
    let cases = [
        (queued(&id, 2), "cycle 2 of schedule 'btc' is refused: the next number is 3"),
        (queued(&id, 4), "the next number is 3"),
        (status(&id, 1, CycleStatus::Running), "it is failed and can't become running"),
        (status(&id, 2, CycleStatus::Queued), "it is running and can't become queued"),
        (status(&id, 9, CycleStatus::Failed), "there is no such cycle"),
        (same_due, "is that of cycle 2"),
        (queued(&x, 1), "there is no schedule 'x'"),
        (status(&x, 1, CycleStatus::Failed), "there is no schedule 'x'"),
        (state(&x, ScheduleStatus::Active), "there is no schedule 'x'"),
    ];
    let look = || (store.schedules().unwrap(), store.cycles(&id, None, 10).unwrap());
    let kept = look();
    for (wrong, expected) in cases {
        let step = [state(&id, ScheduleStatus::Paused), event("a"), wrong, event("b")];
        let error = commit(&store, &step).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert_eq!(look(), kept);
        assert!(store.events_after(0, 10).unwrap().is_empty());
    }
    let many = vec![event("a"); MAX_SCHEDULE_CHANGES + 1];
    assert!(matches!(commit(&store, &many), Err(StoreError::TooManyChanges { .. })));
}

#[test]
fn a_due_time_has_one_cycle_and_any_number_that_were_asked_for() {
    let (_fixture, store, id) = with_schedule();
    let at_noon = |number, trigger| {
        ScheduleChange::Cycle(NewCycle {
            schedule_id: id.clone(),
            number,
            due_at: due(2),
            trigger,
            status: CycleStatus::Skipped,
            reason: Some("busy".to_owned()),
        })
    };
    let triggers = [CycleTrigger::Manual, CycleTrigger::Due, CycleTrigger::CatchUp, CycleTrigger::Manual];
    let changes: Vec<_> = (1..).zip(triggers).map(|(number, trigger)| at_noon(number, trigger)).collect();
    commit(&store, &changes).unwrap();
    assert!(commit(&store, &[at_noon(5, CycleTrigger::Due)]).is_err());
    let newest = store.cycles(&id, None, 1).unwrap().pop().unwrap();
    assert_eq!((newest.number, newest.reason.as_deref()), (4, Some("busy")));
    assert_eq!(newest.finished_at, Some(time("2024-01-01")));
}

#[test]
fn a_due_time_comes_again_when_its_schedule_was_put_back_before_it() {
    let (_fixture, store, id) = with_schedule();
    let missed = |number, hour| {
        ScheduleChange::Cycle(NewCycle {
            schedule_id: id.clone(),
            number,
            due_at: due(hour),
            trigger: CycleTrigger::Due,
            status: CycleStatus::Missed,
            reason: None,
        })
    };
    commit(&store, &[missed(1, 6), missed(2, 7), state(&id, ScheduleStatus::Active)]).unwrap();
    assert!(commit(&store, &[missed(3, 7)]).is_err());
    let ScheduleChange::Schedule(mut back) = state(&id, ScheduleStatus::Active) else { unreachable!() };
    back.last_cycle_at = Some(due(6));
    commit(&store, &[ScheduleChange::Schedule(back)]).unwrap();
    let error = commit(&store, &[missed(3, 6)]).unwrap_err().to_string();
    assert!(error.contains("is that of cycle 1"), "{error}");
    commit(&store, &[missed(3, 7), state(&id, ScheduleStatus::Active)]).unwrap();
    let error = commit(&store, &[missed(4, 7)]).unwrap_err().to_string();
    assert!(error.contains("is that of cycle 3"), "{error}");
}

#[test]
fn failures_in_a_row_are_counted_until_a_cycle_comes_to_a_verdict() {
    let (_fixture, store, id) = with_schedule();
    let ends = [
        (CycleStatus::Failed, 1),
        (CycleStatus::Skipped, 1),
        (CycleStatus::Interrupted, 1),
        (CycleStatus::Failed, 2),
        (CycleStatus::Rejected, 0),
        (CycleStatus::Failed, 1),
        (CycleStatus::Held, 0),
    ];
    for (number, (end, failures)) in (1..).zip(ends) {
        commit(&store, &[queued(&id, number), status(&id, number, end)]).unwrap();
        assert_eq!(store.schedule(&id).unwrap().consecutive_failures, failures, "{number}");
    }
}

#[test]
fn a_page_of_cycles_has_what_their_experiments_measured() {
    let (_fixture, store, id) = with_schedule();
    let experiment = new_experiment("measured");
    store.create_experiment(&experiment).unwrap();
    store.begin_experiment(&experiment.id, None).unwrap();
    let end = ExperimentEnd {
        status: ExperimentStatus::Completed,
        final_metrics: json!({ "sharpe": 1.5 }),
        model_id: None,
        error: None,
    };
    store.finish_experiment(&experiment.id, &end).unwrap();
    let cycles = [queued(&id, 1), status(&id, 1, CycleStatus::Running), queued(&id, 2), queued(&id, 3)];
    commit(&store, &cycles).unwrap();
    let mut learned = CycleUpdate::of(id.clone(), 1);
    learned.experiment_id = Some(experiment.id);
    store.update_cycle(&learned).unwrap();
    let page = store.measured_cycles(&id, Some(3), 10).unwrap();
    let seen: Vec<_> = page.iter().map(|(cycle, metrics)| (cycle.number, metrics.clone())).collect();
    assert_eq!(seen, [(2, json!(null)), (1, json!({ "sharpe": 1.5 }))]);
    let alone: Vec<_> = page.into_iter().map(|(cycle, _)| cycle).collect();
    assert_eq!(alone, store.cycles(&id, Some(3), 10).unwrap());
    store.measured_cycles(&"eth".parse().unwrap(), None, 10).unwrap_err();
}

#[test]
fn the_first_schedule_is_told_with_how_many_there_are() {
    let (_fixture, store, id) = with_schedule();
    assert_eq!(store.first_schedule().unwrap(), (1, Some(id.clone())));
    store.create_schedule(&new_schedule("alpha")).unwrap();
    assert_eq!(store.first_schedule().unwrap(), (2, Some("alpha".parse().unwrap())));
    commit(&store, &[state(&"alpha".parse().unwrap(), ScheduleStatus::Removed)]).unwrap();
    assert_eq!(store.first_schedule().unwrap(), (1, Some(id.clone())));
    store.delete_schedule(&id).unwrap();
    assert_eq!(store.first_schedule().unwrap(), (0, None));
}

#[test]
fn history_is_read_newest_first_and_page_by_page() {
    let (_fixture, store, id) = with_schedule();
    let missed = |number| new_cycle(&id, number, CycleTrigger::Due, CycleStatus::Missed);
    commit(&store, &(1..=20).map(missed).collect::<Vec<_>>()).unwrap();
    let other = store.create_schedule(&new_schedule("eth")).unwrap().id;
    commit(&store, &[queued(&other, 1), queued(&id, 21), status(&id, 21, CycleStatus::Running)]).unwrap();
    let numbers = |before, limit| -> Vec<u64> {
        store.cycles(&id, before, limit).unwrap().into_iter().map(|cycle| cycle.number).collect()
    };
    assert_eq!(numbers(None, 3), [21, 20, 19]);
    assert_eq!(numbers(Some(19), 2), [18, 17]);
    assert_eq!(numbers(Some(2), u32::MAX), [1]);
    let open: Vec<(String, u64)> = store
        .open_cycles()
        .unwrap()
        .into_iter()
        .map(|cycle| (cycle.schedule_id.to_string(), cycle.number))
        .collect();
    assert_eq!(open, [("btc".to_owned(), 21), ("eth".to_owned(), 1)]);
    assert!(store.cycles(&"x".parse().unwrap(), None, 1).is_err());
}

fn learned(store: &Store, id: &ScheduleId, number: u64) -> CycleUpdate {
    let run = RunId::at(due(number));
    let model = ModelId::of_run(&run);
    store.create_experiment(&new_experiment(&format!("e-{number}"))).unwrap();
    CycleUpdate {
        run_id: Some(run),
        experiment_id: Some(format!("e-{number}").parse().unwrap()),
        window: Some(Window::new(due(0), due(number)).unwrap()),
        parent_id: Some(model.clone()),
        model_id: Some(model),
        verdict: Some(verdict(Outcome::Promote)),
        deployed_model_id: None,
        started_at: Some(due(number)),
        ..CycleUpdate::of(id.clone(), number)
    }
}

#[test]
fn a_cycle_keeps_what_its_run_learned_and_after_its_end_only_its_deployment_is_added() {
    let (_fixture, store, id) = with_schedule();
    commit(&store, &[queued(&id, 1), status(&id, 1, CycleStatus::Running)]).unwrap();
    let update = learned(&store, &id, 1);
    store.update_cycle(&update).unwrap();
    store.update_cycle(&CycleUpdate::of(id.clone(), 1)).unwrap();
    commit(&store, &[status(&id, 1, CycleStatus::Held)]).unwrap();
    let cycle = store.cycle(&id, 1).unwrap();
    assert_eq!((&cycle.run_id, &cycle.experiment_id), (&update.run_id, &update.experiment_id));
    assert_eq!((cycle.window, &cycle.verdict), (update.window, &update.verdict));
    assert_eq!((&cycle.parent_id, &cycle.model_id), (&update.parent_id, &update.model_id));
    assert_eq!((cycle.started_at, &cycle.deployed_model_id), (update.started_at, &None));
    assert_eq!(store.cycle_of_model(update.model_id.as_ref().unwrap()).unwrap(), Some(cycle));
    let error = store.update_cycle(&update).unwrap_err().to_string();
    assert!(error.contains("it is held: only its deployed model"), "{error}");
    let deployed =
        CycleUpdate { deployed_model_id: update.model_id.clone(), ..CycleUpdate::of(id.clone(), 1) };
    store.update_cycle(&deployed).unwrap();
    assert_eq!(store.cycle(&id, 1).unwrap().deployed_model_id, update.model_id);
    let unknown = CycleUpdate { experiment_id: Some("x".parse().unwrap()), ..CycleUpdate::of(id.clone(), 2) };
    assert!(store.update_cycle(&unknown).unwrap_err().to_string().contains("there is no such cycle"));
    commit(&store, &[queued(&id, 2)]).unwrap();
    assert!(store.update_cycle(&unknown).unwrap_err().to_string().contains("no experiment 'x'"));
}

#[test]
fn a_promoted_cycle_has_deployed_its_model_and_its_schedule_continues_from_that() {
    let (_fixture, store, id) = with_schedule();
    let mut base = None;
    for number in 1..=3 {
        commit(&store, &[queued(&id, number), status(&id, number, CycleStatus::Running)]).unwrap();
        let update = learned(&store, &id, number);
        store.update_cycle(&update).unwrap();
        let before = store.schedule(&id).unwrap();
        let end = if number == 2 { CycleStatus::Rejected } else { CycleStatus::Promoted };
        commit(&store, &[status(&id, number, end)]).unwrap();
        let (cycle, after) = (store.cycle(&id, number).unwrap(), store.schedule(&id).unwrap());
        if end == CycleStatus::Rejected {
            assert_eq!(cycle.deployed_model_id, None);
            assert_eq!(after.current_checkpoint_path, before.current_checkpoint_path);
            continue;
        }
        let model = update.model_id.unwrap();
        assert_eq!(cycle.deployed_model_id.as_ref(), Some(&model));
        let path = store.model_dir(&model).display().to_string();
        assert_eq!(after.current_checkpoint_path, Some(path));
        let base = base.get_or_insert(update.experiment_id);
        assert_eq!(after.base_experiment_id, *base, "the first one stays the base");
    }
}

#[test]
fn a_write_that_fails_changes_nothing_and_works_the_next_time() {
    let fixture = Fixture::new();
    let switch = Arc::new(Switch::default());
    let store = fixture.try_open(switch.files()).unwrap();
    store.create_experiment(&new_experiment("base")).unwrap();
    let id: ScheduleId = "btc".parse().unwrap();
    let renamed = NewSchedule { name: "Other".to_owned(), ..new_schedule("btc") };
    let deployed = CycleUpdate {
        deployed_model_id: Some(ModelId::of_run(&RunId::at(due(1)))),
        ..CycleUpdate::of(id.clone(), 1)
    };
    let step = [queued(&id, 1), status(&id, 1, CycleStatus::Failed), event("a")];
    let actions: [&dyn Fn() -> Result<(), StoreError>; 9] = [
        &|| store.create_schedule(&new_schedule("btc")).map(drop),
        &|| store.delete_schedule(&id),
        &|| store.create_schedule(&new_schedule("btc")).map(drop),
        &|| store.update_schedule_config(&id, &json!({})).map(drop),
        &|| store.update_schedule(&renamed).map(drop),
        &|| store.set_base_experiment(&id, &"base".parse().unwrap()),
        &|| store.set_current_checkpoint(&id, Some("models/x")),
        &|| commit(&store, &step).map(drop),
        &|| store.update_cycle(&deployed),
    ];
    let look =
        || (store.schedules().unwrap(), store.cycles(&id, None, 10).ok(), store.events_after(0, 10).unwrap());
    for action in actions {
        let kept = look();
        switch.arm(0, false);
        assert!(action().unwrap_err().is_environment_fault());
        assert_eq!(look(), kept);
        action().unwrap();
        assert_ne!(look(), kept);
    }
}

/// A change with small numbers, so that right ones and wrong ones are both common.
fn change() -> impl Strategy<Value = ScheduleChange> {
    let id = prop_oneof![Just("a"), Just("b")].prop_map(|id| id.parse::<ScheduleId>().unwrap());
    let word = prop::sample::select(CycleStatus::ALL);
    let trigger = prop::sample::select(CycleTrigger::ALL);
    let schedule_status = prop::sample::select(ScheduleStatus::ALL);
    prop_oneof![
        6 => (id.clone(), 1..6_u64, 0..6_u64, trigger, word.clone()).prop_map(
            |(schedule_id, number, hour, trigger, status)| {
                let (due_at, reason) = (due(hour), None);
                ScheduleChange::Cycle(NewCycle { schedule_id, number, due_at, trigger, status, reason })
            }
        ),
        4 => (id.clone(), 1..6_u64, word).prop_map(|(id, number, word)| status(&id, number, word)),
        1 => (id, schedule_status).prop_map(|(id, word)| state(&id, word)),
        1 => Just(event("x")),
    ]
}

type History = BTreeMap<ScheduleId, Vec<CycleRecord>>;

fn history(store: &Store) -> History {
    let of = |id: &str| {
        let id: ScheduleId = id.parse().unwrap();
        let mut cycles = store.cycles(&id, None, 1_000).unwrap();
        cycles.reverse();
        (id, cycles)
    };
    ["a", "b"].map(of).into()
}

fn assert_sound(before: &History, after: &History) {
    for (id, cycles) in after {
        let numbers: Vec<u64> = cycles.iter().map(|cycle| cycle.number).collect();
        assert_eq!(numbers, (1..=cycles.len() as u64).collect::<Vec<_>>(), "{id}");
        let mut due_times: Vec<_> = cycles
            .iter()
            .filter(|cycle| cycle.trigger == CycleTrigger::Due)
            .map(|cycle| cycle.due_at)
            .collect();
        due_times.sort();
        assert!(due_times.windows(2).all(|pair| pair[0] != pair[1]), "{id}: {due_times:?}");
        assert!(cycles.iter().all(|cycle| cycle.status.is_final() == cycle.finished_at.is_some()));
        for (old, new) in before[id].iter().zip(cycles) {
            assert!(!old.status.is_final() || old == new, "{old:?} became {new:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn numbers_have_no_gaps_and_final_statuses_stay_whatever_is_committed(
        steps in prop::collection::vec((prop::collection::vec(change(), 1..3), any::<bool>()), 1..40)
    ) {
        let fixture = Fixture::new();
        let switch = Arc::new(Switch::default());
        let store = fixture.try_open(switch.files()).unwrap();
        for id in ["a", "b"] {
            store.create_schedule(&new_schedule(id)).unwrap();
        }
        let mut events = 0;
        for (step, fails) in steps {
            let before = history(&store);
            if fails {
                switch.arm(0, false);
            }
            match commit(&store, &step) {
                Ok(numbers) => events += numbers.len(),
                Err(_) => prop_assert_eq!(&history(&store), &before),
            }
            switch.arm(i64::MAX, false);
            assert_sound(&before, &history(&store));
            prop_assert_eq!(store.events_after(0, 1_000).unwrap().len(), events);
        }
    }
}
