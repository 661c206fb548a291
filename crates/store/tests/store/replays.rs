//! Replays: cycles of the past that are gone on with.

use serde_json::json;
use walkforward_core::{LineName, RunId, Timestamp};
use walkforward_store::{NewReplay, Replay, ReplayStatus, RunOutcome, Store, StoreError};

use crate::fixture::{Fixture, line, time};

fn at(day: i64) -> Timestamp {
    time("2023-01-01T00:00:00Z").plus_millis(day * 86_400_000)
}

fn asked(store: &Store, line: &LineName) -> NewReplay {
    NewReplay {
        line: line.clone(),
        arm: store.register_arm(line, &json!({ "line": line })).unwrap(),
        every: "every 24h".to_owned(),
        from: at(0),
        until: at(3),
        publish_delay_ms: 600_000,
    }
}

fn begun(store: &Store) -> Replay {
    store.create_replay(&asked(store, &line("btc")), at(100)).unwrap()
}

#[test]
fn a_replay_moves_from_due_time_to_due_time() {
    let fixture = Fixture::new();
    let store = fixture.open();
    assert_eq!(store.replay(&line("btc")).unwrap(), None);
    let replay = begun(&store);
    assert_eq!((replay.next_due, replay.status), (Some(at(0)), ReplayStatus::Running));
    for day in 0..3 {
        let run = store.begin_replay_cycle(replay.id, at(day), &RunId::at(at(day))).unwrap();
        store.begin_run_again(&run, &line("btc")).unwrap();
        store.finish_run(&run, RunOutcome::Rejected, Some("rails")).unwrap();
        store.end_replay_cycle(replay.id, at(day), (day < 2).then(|| at(day + 1))).unwrap();
        // What is told twice changes nothing.
        store.end_replay_cycle(replay.id, at(day), Some(at(9))).unwrap();
    }
    store.finish_replay(replay.id).unwrap();
    let found = store.replay(&line("btc")).unwrap().unwrap();
    assert_eq!((found.asked, found.next_due, found.status), (replay.asked, None, ReplayStatus::Finished));
    let cycles = store.replay_cycles(replay.id).unwrap();
    assert_eq!(cycles.iter().map(|cycle| cycle.due_at).collect::<Vec<_>>(), [at(0), at(1), at(2)]);
    let ended = |cycle: &walkforward_store::ReplayCycle| {
        cycle.is_ended
            && cycle.outcome == Some(RunOutcome::Rejected)
            && cycle.reason.as_deref() == Some("rails")
    };
    assert!(cycles.iter().all(ended), "{cycles:?}");
}

#[test]
fn a_due_time_keeps_the_run_that_it_was_given_and_nobody_else_gets_its_id() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let replay = begun(&store);
    let own = store.allocate_run_id().unwrap();
    assert_eq!(store.begin_replay_cycle(replay.id, at(0), &own).unwrap(), own);
    let other = store.allocate_run_id().unwrap();
    assert_ne!(other, own);
    assert_eq!(store.begin_replay_cycle(replay.id, at(0), &other).unwrap(), own);
    assert_eq!(store.replay_cycles(replay.id).unwrap().len(), 1);
}

#[test]
fn a_run_that_was_killed_has_no_end_once_it_goes_on() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let run = store.allocate_run_id().unwrap();
    store.begin_run_again(&run, &line("btc")).unwrap();
    let began = store.run(&run).unwrap().unwrap();
    drop(store.run_lock().unwrap());
    assert_eq!(store.run(&run).unwrap().unwrap().outcome, Some(RunOutcome::Interrupted));
    store.begin_run_again(&run, &line("btc")).unwrap();
    assert_eq!(store.run(&run).unwrap().unwrap(), began);
    let refused = store.begin_run_again(&run, &line("eth")).unwrap_err();
    assert!(matches!(refused, StoreError::RunExists(taken) if taken == run));
}

#[test]
fn a_line_has_one_replay_and_a_model_decides_after_it_was_made() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let replay = begun(&store);
    let again = store.create_replay(&replay.asked, at(100)).unwrap_err().to_string();
    assert!(again.contains("line 'btc' has a replay already"), "{again}");
    let at_once = NewReplay { publish_delay_ms: 0, ..asked(&store, &line("eth")) };
    let refused = store.create_replay(&at_once, at(100)).unwrap_err().to_string();
    assert!(refused.contains("the delay is 0"), "{refused}");
    assert_eq!(store.replay(&line("eth")).unwrap(), None);
}

#[test]
fn bars_were_known_until_the_replay_was_last_worked_on() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let replay = begun(&store);
    let arm = &replay.asked.arm;
    assert_eq!(store.replayed_until(arm).unwrap(), Some(at(100)));
    store.continue_replay(replay.id, at(90)).unwrap();
    assert_eq!(store.replayed_until(arm).unwrap(), Some(at(100)));
    store.continue_replay(replay.id, at(120)).unwrap();
    assert_eq!(store.replayed_until(arm).unwrap(), Some(at(120)));
    let other = store.register_arm(&line("eth"), &json!({})).unwrap();
    assert_eq!(store.replayed_until(&other).unwrap(), None);
}
