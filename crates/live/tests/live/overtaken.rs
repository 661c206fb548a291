//! Verdicts that come too late: another model has taken the champion's place, or somebody has made it champion again.

use std::sync::Arc;

use walkforward_core::{LineName, ModelId, TradingMode};
use walkforward_durable::{Files, PlannedFault};
use walkforward_live::{
    EventRecord, JournalRecord, Notice, StampedEvent, StoreAccess, WatchOptions, Watchman,
    acknowledge_session,
};
use walkforward_store::{PromotionKind, PromotionRequest};

use crate::line::promoted;
use crate::verdicts::{TOO_MUCH, WeightsAway, bar_at, take, trade_told, warnings};
use crate::watched::{Habit, World};
use crate::watchman::{advance_all, end_of, notes};

fn stop(model_id: &ModelId) -> Notice {
    Notice::Stop { model_id: model_id.clone(), reason: "a test says so".to_owned() }
}

fn stops(notices: &[Notice]) -> usize {
    notices.iter().filter(|notice| matches!(notice, Notice::Stop { .. })).count()
}

fn rollbacks(world: &World) -> usize {
    world.store().guarded_rollbacks(None).unwrap().len()
}

/// What a watch that begins tells when it has read all that there is.
fn told_by_a_new_watch(world: &World) -> Vec<Notice> {
    let (told, notify) = notes();
    advance_all(&mut world.watchman(notify), end_of(world)).unwrap();
    take(&told)
}

fn begins_anew(notices: &[Notice]) -> bool {
    let says =
        |notice: &Notice| matches!(notice, Notice::Warning { reason } if reason.contains("begins anew"));
    notices.iter().any(says)
}

/// The bar of the first verdict: it is found on a copy.
fn verdict_bar(world: &World) -> usize {
    let copy = world.copy();
    let (_, notify) = notes();
    let mut watchman = copy.watchman(notify);
    (0..40)
        .find(|bar| {
            advance_all(&mut watchman, bar_at(&copy, *bar)).unwrap();
            rollbacks(&copy) > 0
        })
        .unwrap()
}

#[tokio::test]
async fn a_stop_stops_the_model_that_it_is_about_and_no_other() {
    for (about, mode) in [(1, TradingMode::Halted), (0, TradingMode::Active)] {
        let world = World::new(&[(0, Habit::Holds), (1, Habit::Holds)]);
        let modes = trade_told(&world, 0..20, vec![stop(&world.models[about])]).await;
        assert!(modes.iter().all(|found| *found == mode), "{modes:?}");
        assert_eq!(world.guard_events().len(), usize::from(about == 1));
        let is_said = warnings(&world).iter().any(|words| words.contains("has taken its place"));
        assert_eq!(is_said, about == 0, "{:?}", warnings(&world));
    }
}

#[tokio::test]
async fn a_stop_that_is_told_twice_is_one_halt() {
    let world = World::new(&[(0, Habit::Holds), (1, Habit::Holds)]);
    let told = vec![stop(&world.models[1]), stop(&world.models[1])];
    trade_told(&world, 0..20, told).await;
    let is_halt = |record: &JournalRecord| {
        matches!(record, JournalRecord::Event(StampedEvent { event: EventRecord::Command { .. }, .. }))
    };
    let halts = world.records().iter().filter(|record| is_halt(record)).count();
    assert_eq!((halts, world.guard_events().len()), (1, 1));
    // After somebody has acknowledged it, it is told anew.
    acknowledge_session(&world.journal(), "a test").unwrap();
    let modes = trade_told(&world, 20..30, vec![stop(&world.models[1])]).await;
    assert!(modes.iter().all(|mode| *mode == TradingMode::Halted), "{modes:?}");
    assert_eq!(world.guard_events().len(), 2);
}

#[tokio::test]
async fn a_stop_that_was_not_told_does_not_halt_the_model_that_came_since() {
    let mut world = World::new(&[(1, Habit::Churns)]);
    world.trade_alone(0..40).await;
    // Found behind the end of the session, which can't be told any more.
    assert_eq!(stops(&told_by_a_new_watch(&world)), 1);
    let good = {
        let store = world.store();
        world.crown(&store, 0, Habit::Holds)
    };
    let followed = world.trade(40..80).await;
    let modes = world.records().into_iter().filter_map(|record| match record {
        JournalRecord::Bar(bar) => Some(bar.mode),
        _ => None,
    });
    assert!(modes.skip(40).all(|mode| mode == TradingMode::Active), "{:?}", followed.told);
    assert_eq!((world.deciders().last(), world.guard_events().len()), (Some(&good), 0));
    assert_eq!(stops(&told_by_a_new_watch(&world)), 0);
}

#[tokio::test]
async fn a_stop_that_the_session_does_not_hear_is_told_again() {
    let world = World::new(&[(1, Habit::Churns)]);
    world.trade_alone(0..40).await;
    let (told, notify) = notes();
    let mut watchman = world.watchman(notify);
    advance_all(&mut watchman, end_of(&world)).unwrap();
    assert_eq!(stops(&take(&told)), 1);
    world.trade_alone(40..41).await;
    advance_all(&mut watchman, end_of(&world)).unwrap();
    assert_eq!(stops(&take(&told)), 0);
    world.trade_alone(41..42).await;
    advance_all(&mut watchman, end_of(&world)).unwrap();
    let again = take(&told);
    assert_eq!(stops(&again), 1);
    // Now it hears.
    trade_told(&world, 42..60, again).await;
    advance_all(&mut watchman, end_of(&world)).unwrap();
    assert_eq!((take(&told).len(), world.guard_events().len()), (0, 1));
}

#[tokio::test]
async fn a_champion_that_somebody_puts_back_at_once_trades_on_and_is_watched_anew() {
    let world = World::new(&[(0, Habit::Holds), (1, Habit::Churns)]);
    world.trade_alone(0..40).await;
    let (told, notify) = notes();
    let mut watchman = world.watchman(notify);
    advance_all(&mut watchman, end_of(&world)).unwrap();
    let notices = take(&told);
    assert!(matches!(&notices[..], [Notice::TakenBack { .. }]), "{notices:?}");
    // Before the session has taken the other one.
    world.put_back(1);
    trade_told(&world, 40..44, notices).await;
    advance_all(&mut watchman, end_of(&world)).unwrap();
    assert!(begins_anew(&told.lock().unwrap()), "{:?}", told.lock().unwrap());
    assert!(take(&told).is_empty() && world.champion() == world.models[1]);
    // What it does from then on counts.
    world.trade_alone(44..90).await;
    advance_all(&mut watchman, end_of(&world)).unwrap();
    assert!(matches!(&take(&told)[..], [Notice::TakenBack { .. }]));
}

#[tokio::test]
async fn a_watch_that_lags_stops_nobody_for_a_model_that_has_gone_since() {
    let world = World::new(&[(0, Habit::Holds), (1, Habit::Churns)]);
    world.trade_alone(0..40).await;
    let (told, notify) = notes();
    let mut watchman = world.watchman(notify);
    advance_all(&mut watchman, end_of(&world)).unwrap();
    let notices = take(&told);
    world.put_back(1);
    trade_told(&world, 40..44, notices).await;
    world.put_back(0);
    world.trade_alone(44..50).await;
    advance_all(&mut watchman, end_of(&world)).unwrap();
    assert_eq!(stops(&take(&told)), 0);
    assert_eq!(world.deciders().last(), Some(&world.models[0]));
}

/// A line whose champion has a verdict that could not be carried out before the process ended.
async fn left_behind() -> World {
    let world = World::new(&[(0, Habit::Holds), (1, Habit::Churns)]);
    world.trade_alone(0..40).await;
    let away = WeightsAway::of(&world, 0);
    let (_, notify) = notes();
    advance_all(&mut world.watchman(notify), end_of(&world)).unwrap_err();
    away.put_back();
    world
}

#[tokio::test]
async fn a_verdict_of_before_does_not_take_back_a_champion_that_came_again_while_nobody_watched() {
    let mut world = left_behind().await;
    {
        let store = world.store();
        world.crown(&store, 0, Habit::Holds);
    }
    world.put_back(1);
    let (told, notify) = notes();
    let mut watchman = world.watchman(notify);
    advance_all(&mut watchman, end_of(&world)).unwrap();
    assert!(begins_anew(&told.lock().unwrap()), "{:?}", told.lock().unwrap());
    assert!(take(&told).is_empty());
    assert_eq!((rollbacks(&world), world.champion()), (0, world.models[1].clone()));
    // The bars of before are no evidence, those that come are.
    assert_eq!(watchman.report().borrow().guard_bars, 0);
    world.trade_alone(40..90).await;
    advance_all(&mut watchman, end_of(&world)).unwrap();
    assert!(matches!(&take(&told)[..], [Notice::TakenBack { .. }]));
    assert_eq!(rollbacks(&world), 1);
}

#[tokio::test]
async fn a_kill_at_any_step_leaves_a_champion_that_came_again_while_nobody_watched() {
    let mut world = left_behind().await;
    {
        let store = world.store();
        world.crown(&store, 0, Habit::Holds);
    }
    world.put_back(1);
    let until = end_of(&world);
    let mut kills = 0;
    for step in 0.. {
        let world = world.copy();
        let plan = Arc::new(PlannedFault::crash(step));
        let files = Files::with_faults(plan.clone());
        let (data, models) = (world.data_dir(), world.models_dir());
        let access = StoreAccess::with_files(files.clone(), data, models, world.clock.clone());
        let options = WatchOptions::new(world.journal(), LineName::default());
        let (_, notify) = notes();
        let mut watchman = Watchman::with_files(files, options, access, Box::new(notify));
        let went = advance_all(&mut watchman, until);
        if plan.taken() <= step {
            went.unwrap();
            break;
        }
        drop(watchman);
        kills += 1;
        assert!(told_by_a_new_watch(&world).is_empty(), "step {step}");
        assert_eq!((rollbacks(&world), world.champion()), (0, world.models[1].clone()), "step {step}");
    }
    assert!(kills > 0);
}

#[tokio::test]
async fn a_stop_of_before_does_not_halt_a_champion_that_came_again_while_nobody_watched() {
    for comes_again in [true, false] {
        let mut world = World::new(&[(1, Habit::Churns)]);
        world.trade_alone(0..40).await;
        assert_eq!(stops(&told_by_a_new_watch(&world)), 1);
        if comes_again {
            let store = world.store();
            world.crown(&store, 0, Habit::Holds);
            world.put_back(0);
        }
        assert_eq!(stops(&told_by_a_new_watch(&world)), usize::from(!comes_again));
        assert_eq!(stops(&told_by_a_new_watch(&world)), usize::from(!comes_again));
    }
}

#[tokio::test]
async fn a_verdict_of_before_still_takes_back_a_champion_that_never_went() {
    let world = left_behind().await;
    assert!(matches!(&told_by_a_new_watch(&world)[..], [Notice::TakenBack { .. }]));
    assert_eq!((rollbacks(&world), world.champion()), (1, world.models[0].clone()));
}

#[tokio::test]
async fn a_new_promotion_of_the_champion_ends_its_verdict_while_the_watch_runs_too() {
    let mut world = World::new(&[(0, Habit::Holds), (1, Habit::Churns)]);
    world.trade_alone(0..40).await;
    {
        let store = world.store();
        world.crown(&store, 0, TOO_MUCH);
    }
    let (told, notify) = notes();
    let mut watchman = world.watchman(notify);
    advance_all(&mut watchman, end_of(&world)).unwrap();
    assert!(matches!(&take(&told)[..], [Notice::Restricted { .. }]));
    let (verdict, line) = (promoted(), LineName::default());
    world
        .store()
        .promote(&PromotionRequest {
            line: &line,
            expected_current: Some(&world.champion()),
            to: &world.models[1],
            kind: PromotionKind::Promote,
            reason: "a test",
            verdict: &verdict,
            metrics: &Default::default(),
        })
        .unwrap();
    advance_all(&mut watchman, end_of(&world)).unwrap();
    assert!(matches!(&take(&told)[..], [Notice::Lifted { .. }]));
    assert_eq!((rollbacks(&world), world.champion()), (0, world.models[1].clone()));
}

#[tokio::test]
async fn an_acknowledgement_of_something_else_leaves_a_champion_that_was_taken_back_no_peace() {
    let world = World::new(&[(0, Habit::Holds), (1, Habit::Churns)]);
    world.trade_alone(0..40).await;
    let (told, notify) = notes();
    let mut watchman = world.watchman(notify);
    advance_all(&mut watchman, end_of(&world)).unwrap();
    let notices = take(&told);
    // The session trades on with it, as if it had refused the other one.
    world.put_back(1);
    trade_told(&world, 40..41, notices).await;
    acknowledge_session(&world.journal(), "its own limit, not the verdict").unwrap();
    world.trade_alone(41..44).await;
    world.put_back(0);
    advance_all(&mut watchman, end_of(&world)).unwrap();
    let notices = take(&told);
    let [Notice::Stop { model_id, .. }] = &notices[..] else { panic!("{notices:?}") };
    assert_eq!(model_id, &world.models[1]);
}

#[tokio::test]
async fn a_model_that_replaces_a_judged_champion_is_not_held_back_before_its_first_bar() {
    let mut world = World::new(&[(0, Habit::Holds), (1, Habit::Churns)]);
    world.trade_alone(0..40).await;
    let bar = verdict_bar(&world);
    {
        let store = world.store();
        world.crown(&store, 0, Habit::Holds);
    }
    let (told, notify) = notes();
    let mut watchman = world.watchman(notify);
    advance_all(&mut watchman, bar_at(&world, bar)).unwrap();
    // Looking again changes nothing.
    advance_all(&mut watchman, bar_at(&world, bar)).unwrap();
    assert!(take(&told).is_empty());
    // The old one decides once more: the session has not taken the other one.
    advance_all(&mut watchman, bar_at(&world, bar + 1)).unwrap();
    assert!(matches!(&take(&told)[..], [Notice::Restricted { .. }]));
}
