//! What becomes of a verdict that can't be carried out at once, and whom a rollback by somebody else concerns.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use walkforward_core::{LineName, TradingMode};
use walkforward_live::{
    ChampionSource, EventRecord, JournalRecord, JournalTail, LineChampion, Notice, ShadowRole, StampedEvent,
    Tailed, Watchman, acknowledge_session, verify_journal,
};
use walkforward_store::{JournalPosition, confirmation_path};

use crate::common::walk;
use crate::watched::{Habit, STEP, World};
use crate::watchman::{advance_all, end_of, notes};

/// More than any session keeps.
pub(crate) const TOO_MUCH: Habit = Habit::Needs(5_000);

/// What was told since the last call, without warnings.
pub(crate) fn take(told: &Arc<Mutex<Vec<Notice>>>) -> Vec<Notice> {
    let mut notices = std::mem::take(&mut *told.lock().unwrap());
    notices.retain(|notice| !matches!(notice, Notice::Warning { .. }));
    notices
}

/// Hands the session notices, then trades `bars`; the modes of its bars.
pub(crate) async fn trade_told(
    world: &World,
    bars: std::ops::Range<usize>,
    told: Vec<Notice>,
) -> Vec<TradingMode> {
    let count = bars.len();
    let trader = world.trader(walk(3, bars.end).iter().skip(bars.start));
    for notice in told {
        trader.handle().notify(notice).unwrap();
    }
    trader.run().await.unwrap();
    let mode = |record| if let JournalRecord::Bar(bar) = record { Some(bar.mode) } else { None };
    let modes: Vec<TradingMode> = world.records().into_iter().filter_map(mode).collect();
    modes[modes.len() - count..].to_vec()
}

pub(crate) fn warnings(world: &World) -> Vec<String> {
    let warning = |record| match record {
        JournalRecord::Event(StampedEvent { event: EventRecord::Warning { reason }, .. }) => Some(reason),
        _ => None,
    };
    world.records().into_iter().filter_map(warning).collect()
}

/// Where bar `index` stands in the journal.
pub(crate) fn bar_at(world: &World, index: usize) -> JournalPosition {
    let mut tail = JournalTail::new(&world.journal());
    let mut bars = 0;
    while let Some(Tailed::Record(at, record)) = tail.next(None).unwrap() {
        bars += usize::from(matches!(*record, JournalRecord::Bar(_)));
        if bars == index + 1 {
            return at;
        }
    }
    panic!("the journal has {bars} bars");
}

fn bars_of(world: &World, model: usize) -> usize {
    world.deciders().iter().filter(|decider| **decider == world.models[model]).count()
}

/// Weights that can't be read until they are put back.
pub(crate) struct WeightsAway {
    weights: PathBuf,
    aside: PathBuf,
}

impl WeightsAway {
    pub(crate) fn of(world: &World, model: usize) -> Self {
        let weights = world.models_dir().join(world.models[model].as_str()).join("policy.safetensors");
        let aside = weights.with_extension("aside");
        fs::rename(&weights, &aside).unwrap();
        fs::create_dir(&weights).unwrap();
        Self { weights, aside }
    }

    pub(crate) fn put_back(self) {
        fs::remove_dir(&self.weights).unwrap();
        fs::rename(&self.aside, &self.weights).unwrap();
    }
}

#[tokio::test]
async fn a_verdict_stays_while_the_pointer_names_a_model_that_the_session_does_not_take() {
    let mut world = World::new(&[(0, Habit::Holds), (1, Habit::Churns)]);
    world.trade_alone(0..40).await;
    let until = end_of(&world);
    {
        let store = world.store();
        world.crown(&store, 0, TOO_MUCH);
    }
    let (told, notify) = notes();
    let mut watchman = world.watchman(notify);
    advance_all(&mut watchman, until).unwrap();
    let notices = take(&told);
    let [Notice::Restricted { reason }] = &notices[..] else { panic!("{notices:?}") };
    assert!(reason.contains("turned its equity over") && reason.contains("has not taken"), "{reason}");
    assert!(world.store().guarded_rollbacks(None).unwrap().is_empty());

    // A start knows it still.
    drop(watchman);
    let (told, notify) = notes();
    let mut watchman = world.watchman(notify);
    advance_all(&mut watchman, until).unwrap();
    assert!(matches!(&take(&told)[..], [Notice::Restricted { .. }]));

    world.put_back(1);
    advance_all(&mut watchman, until).unwrap();
    // Until another model decides the session has to be held back, and nothing in the journal says that it is.
    assert!(matches!(&take(&told)[..], [Notice::TakenBack { .. }, Notice::Restricted { .. }]));
    assert_eq!(world.store().guarded_rollbacks(None).unwrap().len(), 1);
    assert_ne!(world.champion(), world.models[1]);
}

#[tokio::test]
async fn a_session_is_held_back_until_another_model_decides() {
    let world = World::new(&[(0, Habit::Holds), (1, Habit::Churns)]);
    world.trade_alone(0..40).await;
    let reason = || "a verdict waits".to_owned();
    let modes = trade_told(&world, 40..60, vec![Notice::Restricted { reason: reason() }]).await;
    assert!(modes.iter().all(|mode| *mode == TradingMode::ReduceOnly), "{modes:?}");
    // The next process is held back too, until it is told.
    assert_eq!(trade_told(&world, 60..61, vec![]).await, [TradingMode::ReduceOnly]);
    let modes = trade_told(&world, 61..80, vec![Notice::Lifted { reason: reason() }]).await;
    assert!(modes.iter().all(|mode| *mode == TradingMode::Active), "{modes:?}");
    assert!(verify_journal(&world.journal(), &world.models_dir()).unwrap().is_identical());
}

#[tokio::test]
async fn a_session_that_does_not_take_the_champion_of_before_closes_its_position_and_halts() {
    let world = World::new(&[(0, TOO_MUCH), (1, Habit::Churns)]);
    let followed = world.trade(0..300).await;
    let decided: Vec<&Notice> =
        followed.told.iter().filter(|it| !matches!(it, Notice::Warning { .. })).collect();
    let [Notice::TakenBack { .. }, Notice::Stop { model_id, reason }] = &decided[..] else {
        panic!("{decided:?}")
    };
    assert_eq!((model_id, world.champion()), (&world.models[1], world.models[0].clone()));
    assert!(reason.contains("has not taken the model that is champion now"), "{reason}");
    let last = world.records().into_iter().rev().find_map(|record| match record {
        JournalRecord::Bar(bar) => Some(bar),
        _ => None,
    });
    let last = last.unwrap();
    assert!(last.mode == TradingMode::Halted && last.position.is_zero(), "{last:?}");
    let traded = world.records().into_iter().filter(|record| match record {
        JournalRecord::Bar(bar) => !bar.fills.is_empty(),
        _ => false,
    });
    assert!(traded.count() < 5 * STEP as usize);
    assert_eq!(world.guard_events().len(), 2);
    // Whoever starts it again is told nothing more.
    let again = world.trade(300..330).await;
    let more = again.told.iter().filter(|it| !matches!(it, Notice::Warning { .. })).count();
    assert_eq!((again.summary.fills, more), (0, 0), "{:?}", again.told);
}

#[tokio::test]
async fn a_session_is_held_back_while_its_champion_can_not_be_taken_back() {
    let world = World::new(&[(0, Habit::Holds), (1, Habit::Churns)]);
    world.trade_alone(0..40).await;
    let away = WeightsAway::of(&world, 0);
    let (told, notify) = notes();
    let mut watchman = world.watchman(notify);
    // The verdict comes at some bar; the first bars after it are no reason yet.
    let mut failed_at = None;
    for bar in 0..40 {
        if advance_all(&mut watchman, bar_at(&world, bar)).is_err() {
            let first = *failed_at.get_or_insert(bar);
            let is_held = take(&told).iter().any(|it| matches!(it, Notice::Restricted { .. }));
            assert_eq!(is_held, bar >= first + 3, "bar {bar}, the first was {first}");
        }
    }
    assert!(failed_at.is_some() && world.champion() == world.models[1]);
    away.put_back();
    let modes = trade_told(&world, 40..41, vec![Notice::Restricted { reason: "as told".to_owned() }]).await;
    assert_eq!(modes, [TradingMode::ReduceOnly]);
    advance_all(&mut watchman, end_of(&world)).unwrap();
    let notices = take(&told);
    assert!(matches!(&notices[..], [Notice::TakenBack { .. }]), "{notices:?}");
    assert_eq!(world.champion(), world.models[0]);
    let modes = trade_told(&world, 41..43, notices).await;
    assert_eq!(modes, [TradingMode::ReduceOnly; 2]);
    advance_all(&mut watchman, end_of(&world)).unwrap();
    let notices = take(&told);
    assert!(matches!(&notices[..], [Notice::Lifted { .. }]), "{notices:?}");
    assert_eq!(trade_told(&world, 43..44, notices).await, [TradingMode::Active]);
}

#[tokio::test]
async fn a_rollback_by_hand_to_an_earlier_snapshot_of_the_arm_begins_a_new_guard() {
    let world = World::new(&[(0, Habit::Holds), (1, Habit::Holds), (1, Habit::Churns)]);
    // Too few bars for a verdict.
    world.trade_alone(0..4).await;
    world.put_back(1);
    world.trade_alone(4..60).await;
    let (told, notify) = notes();
    let mut watchman = world.watchman(notify);
    advance_all(&mut watchman, end_of(&world)).unwrap();
    let report = watchman.report().borrow().clone();
    assert_eq!((report.champion.as_ref(), report.guard_bars), (Some(&world.models[1]), 56));
    assert!(take(&told).is_empty() && world.champion() == world.models[1]);
}

#[tokio::test]
async fn two_sessions_of_a_line_take_its_champion_back_once() {
    let world = World::new(&[(1, Habit::Holds), (1, Habit::Holds), (1, Habit::Churns)]);
    let beside = world.beside("live/beside");
    for session in [&world, &beside] {
        session.trade_alone(0..40).await;
    }
    let (told, notify) = notes();
    let mut first = world.watchman(notify);
    advance_all(&mut first, end_of(&world)).unwrap();
    assert!(matches!(&take(&told)[..], [Notice::TakenBack { .. }]));
    assert_eq!(world.champion(), world.models[1]);

    // The other one has come as far, and takes the champion of before before its watch does anything.
    let (told_beside, notify) = notes();
    let mut second = beside.watchman(notify);
    advance_all(&mut second, end_of(&beside)).unwrap();
    let notices = take(&told_beside);
    assert!(matches!(&notices[..], [Notice::Restricted { .. }]), "{notices:?}");
    for (session, watchman, told, was_held) in
        [(&world, &mut first, &told, false), (&beside, &mut second, &told_beside, true)]
    {
        session.trade_alone(40..100).await;
        advance_all(watchman, end_of(session)).unwrap();
        let report = watchman.report().borrow().clone();
        assert_eq!((report.champion.as_ref(), report.guard_bars), (Some(&world.models[1]), 60));
        let notices = take(told);
        assert_eq!(notices.len(), usize::from(was_held), "{notices:?}");
        assert!(notices.iter().all(|notice| matches!(notice, Notice::Lifted { .. })), "{notices:?}");
        assert_eq!((bars_of(session, 2), bars_of(session, 1)), (40, 60));
    }
    assert_eq!(world.champion(), world.models[1]);
    assert_eq!(world.store().guarded_rollbacks(None).unwrap().len(), 1);
}

#[tokio::test]
async fn a_rollback_by_another_session_since_the_verdict_is_this_ones_too() {
    let world = World::new(&[(1, Habit::Holds), (1, Habit::Churns)]);
    world.trade_alone(0..40).await;
    let away = WeightsAway::of(&world, 0);
    let (told, notify) = notes();
    let mut watchman = world.watchman(notify);
    advance_all(&mut watchman, end_of(&world)).unwrap_err();
    away.put_back();
    world
        .store()
        .roll_back_guarded(&walkforward_store::RollbackRequest {
            line: &LineName::default(),
            expected_champion: &world.models[1],
            rule: "turnover",
            sentence: "another session says so",
            quarantine: walkforward_store::RollbackRequest::DEFAULT_QUARANTINE,
        })
        .unwrap();
    advance_all(&mut watchman, end_of(&world)).unwrap();
    let notices = take(&told);
    let taken = notices.iter().filter(|it| matches!(it, Notice::TakenBack { .. })).count();
    assert_eq!(taken, 1, "{notices:?}");
    assert_eq!(world.store().guarded_rollbacks(None).unwrap().len(), 1);
}

#[tokio::test]
async fn an_acknowledgement_after_a_stop_begins_a_new_guard() {
    let world = World::new(&[(1, Habit::Churns)]);
    let followed = world.trade(0..100).await;
    assert!(matches!(&followed.told[..], [Notice::Stop { .. }]), "{:?}", followed.told);
    acknowledge_session(&world.journal(), "looked into it").unwrap();
    let again = world.trade(100..300).await;
    let [Notice::Warning { reason }, Notice::Stop { .. }] = &again.told[..] else {
        panic!("{:?}", again.told)
    };
    assert!(reason.contains("begins anew") && reason.contains("acknowledged"), "{reason}");
    assert_eq!((world.guard_events().len(), warnings(&world).len()), (2, 1));
    assert!(again.summary.fills > 2);
}

#[tokio::test]
async fn a_champion_that_could_not_be_loaded_is_watched_as_soon_as_it_can() {
    for broken in [0, 1] {
        let world = World::new(&[(0, Habit::Holds), (1, Habit::Holds)]);
        world.trade_alone(0..60).await;
        let weights = world.models_dir().join(world.models[broken].as_str()).join("policy.safetensors");
        let aside: PathBuf = weights.with_extension("aside");
        fs::rename(&weights, &aside).unwrap();
        let (told, notify) = notes();
        let mut watchman: Watchman = world.watchman(notify);
        advance_all(&mut watchman, bar_at(&world, 20)).unwrap();
        let problem = told.lock().unwrap().clone();
        assert!(matches!(&problem[..], [Notice::Warning { .. }, ..]), "{problem:?}");
        fs::rename(&aside, &weights).unwrap();
        advance_all(&mut watchman, end_of(&world)).unwrap();
        let report = watchman.report().borrow().clone();
        assert_eq!(report.champion.as_ref(), Some(&world.models[1]));
        assert_eq!(report.guard_bars, if broken == 1 { 39 } else { 60 });
        let anchor = report.ledgers.iter().find(|it| it.role == ShadowRole::Anchor);
        assert_eq!(anchor.map(|it| &it.model_id), Some(&world.models[0]), "{:?}", report.ledgers);
    }
}

#[tokio::test]
async fn whatever_trades_is_watched_however_much_history_it_needs() {
    let mut world = World::new(&[(1, Habit::Needs(50))]);
    world.history_bars = 60;
    world.trade_alone(0..120).await;
    assert_eq!(bars_of(&world, 0), 120);
    let (told, notify) = notes();
    let mut watchman = world.watchman(notify);
    advance_all(&mut watchman, end_of(&world)).unwrap();
    let report = watchman.report().borrow().clone();
    assert_eq!((report.champion.as_ref(), report.guard_bars), (Some(&world.models[0]), 120));
    assert!(told.lock().unwrap().is_empty(), "{:?}", told.lock().unwrap());
}

#[test]
fn a_confirmation_that_can_not_be_read_leaves_the_age_what_it_was() {
    let world = World::new(&[(0, Habit::Holds)]);
    let champion = || LineChampion::new(&world.models_dir(), LineName::default());
    let mut running = champion();
    let known = running.confirmed().unwrap();
    fs::write(confirmation_path(&world.models_dir(), &LineName::default()), b"{").unwrap();
    assert_eq!(running.confirmed(), Some(known.clone()));
    // Nobody has confirmed it since its promotion, which a start goes by.
    assert_eq!(champion().confirmed(), Some(known.clone()));
    let record = world.models_dir().join(world.models[0].as_str()).join("metadata.json");
    fs::write(record, b"{").unwrap();
    assert_eq!(champion().confirmed(), Some(known));
}
