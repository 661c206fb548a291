//! The fleet under random inputs, and what its queue promises.

use proptest::prelude::*;
use walkforward_store::{CycleStatus, CycleTrigger, NewCycle, ScheduleRecord};

use super::*;
use crate::driver::{MemoryLedger, ScheduleLedger};

mod model;

use model::{World, at, id, record};

/// Where what to do comes from: what, to which schedule, how much.
type Move = (u8, u8, i64);

fn moves() -> impl Strategy<Value = Vec<Move>> {
    proptest::collection::vec((0u8..22, 0u8..8, 0i64..400), 200..201)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// 96 sequences of 200 inputs; `World` checks every promise after every step.
    #[test]
    fn every_promise_holds_after_every_step(
        moves in moves(),
        schedules in 1u8..8,
        lines in 1u8..8,
        max_concurrent in 1usize..4,
        queues in any::<bool>(),
        undoes in any::<bool>(),
    ) {
        let mut world = World::new(schedules, lines, max_concurrent, queues, undoes);
        for (what, which, amount) in moves {
            world.make(what, which, amount);
        }
    }
}

fn queueing(names: &[(&str, &str)], max_concurrent: usize) -> Fleet {
    let mut fleet = Fleet::new(max_concurrent);
    for (name, line) in names {
        let state = State::from_record(&record(name, line, "queue")).unwrap();
        fleet.step(Input::Added { state, open: Vec::new() }).unwrap();
        fleet.step(Input::Start { id: id(name), now: at(0) }).unwrap();
    }
    fleet
}

fn runs(step: &Step) -> Vec<String> {
    let run = |effect: &Effect| match effect {
        Effect::Run(cycle) => Some(format!("{} {}", cycle.schedule_id, cycle.number)),
        _ => None,
    };
    step.effects.iter().filter_map(run).collect()
}

fn timer(fleet: &mut Fleet, minute: i64) -> Step {
    fleet.step(Input::Timer { now: at(minute), at_most: usize::MAX }).unwrap()
}

fn finish(fleet: &mut Fleet, name: &str, number: u64) -> Step {
    let status = CycleStatus::Rejected;
    fleet.step(Input::Finished { id: id(name), number, end: CycleEnd::new(status, None) }).unwrap()
}

#[test]
fn a_free_slot_goes_to_the_schedule_that_was_served_longest_ago() {
    let mut fleet = queueing(&[("a", "a"), ("b", "b"), ("c", "c")], 1);
    assert_eq!(runs(&timer(&mut fleet, 0)), ["a 1"]);
    // The others were never served, and were due at the same time: by id.
    assert_eq!(runs(&finish(&mut fleet, "a", 1)), ["b 1"]);
    assert_eq!(runs(&timer(&mut fleet, 60)), [""; 0]);
    // Served longest ago: c never, then a, then b.
    assert_eq!(runs(&finish(&mut fleet, "b", 1)), ["c 1"]);
    assert_eq!(runs(&finish(&mut fleet, "c", 1)), ["a 2"]);
    assert_eq!(runs(&finish(&mut fleet, "a", 2)), ["b 2"]);
}

#[test]
fn two_schedules_of_one_line_never_run_at_once() {
    let mut fleet = queueing(&[("a", "btc"), ("b", "btc"), ("c", "eth")], 3);
    assert_eq!(runs(&timer(&mut fleet, 0)), ["a 1", "c 1"]);
    assert_eq!(runs(&finish(&mut fleet, "c", 1)), [""; 0]);
    assert_eq!(runs(&finish(&mut fleet, "a", 1)), ["b 1"]);
}

#[test]
fn who_is_busy_is_named() {
    let mut fleet = queueing(&[("a", "btc"), ("b", "btc"), ("c", "eth")], 1);
    let step = timer(&mut fleet, 0);
    let Some(Effect::Persist(changes)) = step.effects.first() else { panic!("nothing is persisted") };
    let reasons: Vec<&str> = changes
        .iter()
        .filter_map(|change| match change {
            ScheduleChange::Cycle(NewCycle { reason, .. }) => reason.as_deref(),
            _ => None,
        })
        .collect();
    let expected = ["line 'btc' is busy with cycle 1 of schedule 'a'", "cycle 1 of schedule 'a' is running"];
    assert_eq!(reasons, expected);
}

#[test]
fn unknown_and_doubled_schedules_are_refused_by_name() {
    let mut fleet = queueing(&[("a", "a")], 1);
    let refused = fleet.step(Input::Pause { id: id("b") }).unwrap_err().to_string();
    assert_eq!(
        refused,
        "schedule 'b' can't be paused: there is no such schedule; list the schedules to see their ids"
    );
    let state = State::from_record(&record("a", "a", "skip")).unwrap();
    let refused = fleet.step(Input::Added { state, open: Vec::new() }).unwrap_err().to_string();
    assert_eq!(refused, "schedule 'a' can't be added: there is one with this id already");
}

#[test]
fn a_removed_schedule_is_forgotten_when_its_cycle_has_ended() {
    let mut fleet = queueing(&[("a", "btc"), ("b", "btc")], 2);
    timer(&mut fleet, 0);
    let step = fleet.step(Input::Removed { id: id("a"), now: at(1) }).unwrap();
    assert!(step.effects.contains(&Effect::Cancel { schedule_id: id("a"), number: 1 }));
    assert!(fleet.get(&id("a")).is_some());
    assert_eq!(runs(&finish(&mut fleet, "a", 1)), ["b 1"]);
    assert!(fleet.get(&id("a")).is_none());
}

#[test]
fn nothing_starts_while_the_scheduler_stops() {
    let mut fleet = queueing(&[("a", "a"), ("b", "b")], 1);
    timer(&mut fleet, 0);
    fleet.step(Input::ShutDown).unwrap();
    assert_eq!((fleet.queued(), fleet.next_wake()), (0, None));
    assert_eq!(runs(&finish(&mut fleet, "a", 1)), [""; 0]);
}

#[test]
fn many_due_times_at_once_come_in_steps_of_bounded_size() {
    let names: Vec<String> = (0..3_000).map(|n| format!("s-{n:04}")).collect();
    let pairs: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), name.as_str())).collect();
    let mut fleet = queueing(&pairs, 1);
    let mut steps = 0;
    while fleet.next_wake().is_some_and(|wake| wake <= at(0)) {
        let step = timer(&mut fleet, 0);
        let Some(Effect::Persist(changes)) = step.effects.first() else { panic!("nothing is persisted") };
        assert!(changes.len() <= MAX_CHANGES_PER_STEP + 3, "{}", changes.len());
        steps += 1;
    }
    assert!(steps > 1);
    assert_eq!((fleet.running(), fleet.queued()), (1, 2_999));
}

#[test]
fn a_training_that_is_no_cycle_takes_a_slot_and_its_line() {
    let mut fleet = queueing(&[("a", "a"), ("b", "b")], 2);
    assert_eq!(fleet.reserve(&"a".parse().unwrap(), "experiment 'e'"), Ok(()));
    assert_eq!(runs(&timer(&mut fleet, 0)), ["b 1"]);
    assert_eq!((fleet.trainings(), fleet.running(), fleet.queued()), (2, 1, 1));
    let busy = fleet.reserve(&"a".parse().unwrap(), "experiment 'f'").unwrap_err();
    assert_eq!(busy, "line 'a' is busy with experiment 'e'");
    let busy = fleet.reserve(&"c".parse().unwrap(), "experiment 'f'").unwrap_err();
    assert_eq!(busy, "cycle 1 of schedule 'b', experiment 'e' are running");
    let step = fleet.step(Input::Released { line: "a".parse().unwrap() }).unwrap();
    assert_eq!(runs(&step), ["a 1"]);
}

#[test]
fn a_due_time_beside_an_experiment_is_skipped_where_the_schedule_does_not_queue() {
    let mut fleet = Fleet::new(1);
    let state = State::from_record(&record("a", "a", "skip")).unwrap();
    fleet.step(Input::Added { state, open: Vec::new() }).unwrap();
    fleet.step(Input::Start { id: id("a"), now: at(0) }).unwrap();
    fleet.reserve(&"other".parse().unwrap(), "experiment 'e'").unwrap();
    let step = timer(&mut fleet, 0);
    let skipped = step.effects.iter().find_map(|effect| match effect {
        Effect::Persist(changes) => changes.iter().find_map(|change| match change {
            ScheduleChange::Cycle(cycle) => Some((cycle.status, cycle.reason.clone())),
            _ => None,
        }),
        _ => None,
    });
    assert_eq!(skipped, Some((CycleStatus::Skipped, Some("experiment 'e' is running".to_owned()))));
}
