//! The watch at work: what it takes back and what it leaves, and that no crash makes it do that twice or never.

use std::sync::{Arc, Mutex};

use walkforward_core::{LineName, TradingMode};
use walkforward_durable::{Files, PlannedFault};
use walkforward_live::{
    Advance, FollowError, Follower, JournalTail, KeepStep, Notice, Projector, StoreAccess, Tailed,
    WATCH_FILE, WatchOptions, Watchman, halt_session, verify_journal,
};
use walkforward_store::{JournalPosition, PromotionKind, Store};

use crate::common::walk;
use crate::watched::{Habit, STEP, World, tables};

const BARS: usize = 200;
/// Bars after which a champion that trades at each bar has broken a rule: a day's turnover of four, at most, and the next
/// midnight begins a new one.
const VERDICT_BARS: usize = 12;

/// The end of what is written.
pub(crate) fn end_of(world: &World) -> JournalPosition {
    let mut tail = JournalTail::new(&world.journal());
    let mut last = None;
    while let Some(Tailed::Record(at, _)) = tail.next(None).unwrap() {
        last = Some(at);
    }
    last.unwrap()
}

pub(crate) fn advance_all(follower: &mut dyn Follower, until: JournalPosition) -> Result<(), FollowError> {
    while follower.advance(until)? == Advance::More {}
    Ok(())
}

pub(crate) fn notes() -> (Arc<Mutex<Vec<Notice>>>, impl Fn(Notice) + Send + Sync + 'static) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let telling = Arc::clone(&told);
    (told, move |notice| telling.lock().unwrap().push(notice))
}

#[tokio::test]
async fn a_bad_champion_is_taken_back_within_the_declared_bars_and_the_one_before_trades_on() {
    let world = World::new(&[(0, Habit::Holds), (1, Habit::Churns)]);
    let followed = world.trade(0..BARS).await;
    assert_eq!(followed.summary.bars as usize, BARS);

    let [good, bad] = [&world.models[0], &world.models[1]];
    let deciders = world.deciders();
    let bars_of_bad = deciders.iter().filter(|model| *model == bad).count();
    assert!((2..=VERDICT_BARS + STEP as usize).contains(&bars_of_bad), "{bars_of_bad}");
    assert!(deciders[bars_of_bad..].iter().all(|model| model == good));
    assert_eq!(&world.champion(), good);
    assert!(world.is_quarantined(1) && !world.is_quarantined(0));

    let guard = world.guard_events();
    assert_eq!((guard.len(), &guard[0].0), (1, bad), "{guard:?}");
    assert!(guard[0].1.contains("turned its equity over") && guard[0].1.contains("quarantine"), "{guard:?}");
    assert!(matches!(&followed.told[..], [Notice::TakenBack { .. }]), "{:?}", followed.told);
    let history = world.store().promotions(&LineName::default()).unwrap();
    let rollbacks = history.iter().filter(|row| row.kind == PromotionKind::Rollback).count();
    assert_eq!(rollbacks, 1);

    let found = tables(&world.store(), &world.session_id());
    assert_eq!((found.session.bars, found.bars.len()), (BARS as u64, BARS));
    assert_eq!(found.session.swaps, 2);
    assert_eq!(found.session.fills, followed.summary.fills);
    assert!(found.fills.len() > 4 && found.fills.iter().all(|fill| fill.row.expected_price.is_some()));
    assert!(found.events.iter().any(|event| event.row.kind == "guard"), "{:?}", found.events);
    assert_eq!(found.session.end_reason.as_deref(), Some("feed_ended"));
    assert_eq!(found.session.equity.get().to_bits(), followed.summary.equity.to_bits());
    let updated = world.store().events_after(0, 1_000).unwrap();
    assert_eq!(updated.iter().filter(|event| event.kind == "live_model_updated").count(), 2);
    assert!(verify_journal(&world.journal(), &world.models_dir()).unwrap().is_identical());
}

#[tokio::test]
async fn a_good_champion_stays() {
    let world = World::new(&[(0, Habit::Churns), (1, Habit::Holds)]);
    let followed = world.trade(0..BARS).await;
    assert_eq!(world.champion(), world.models[1]);
    assert!(world.guard_events().is_empty() && followed.told.is_empty(), "{:?}", followed.told);
    assert!(world.journal().join(WATCH_FILE).exists());
}

#[tokio::test]
async fn what_is_in_the_shadow_is_told_beside_the_champion_on_the_same_bars() {
    let mut world = World::new(&[(0, Habit::Holds), (1, Habit::Holds)]);
    world.trade_alone(0..60).await;
    let challenger = {
        let store = world.store();
        world.publish(&store, 0, Habit::Churns)
    };
    world.trade_alone(60..120).await;
    let until = end_of(&world);
    let (_, notify) = notes();
    let mut watchman = world.watchman(notify);
    // The session's own rows are not there yet: what is told then is told with a later look.
    advance_all(&mut watchman, JournalPosition { segment: 1, record: 30 }).unwrap();
    advance_all(&mut Projector::new(&world.journal(), world.access()), until).unwrap();
    assert_eq!(world.store().live_watch(&world.session_id()).unwrap(), None);
    advance_all(&mut watchman, until).unwrap();

    let told = world.store().live_watch(&world.session_id()).unwrap().unwrap();
    assert_eq!((told.champion.as_ref(), told.bars), (Some(&world.models[1]), 120));
    assert_eq!(told.anchor.as_ref(), Some(&world.models[0]));
    let rules: Vec<&str> = told.rules.iter().map(|rule| rule.rule.as_str()).collect();
    assert_eq!(rules, ["errors", "drawdown", "turnover", "evidence"]);
    let [beside] = &told.challengers[..] else { panic!("{told:?}") };
    assert_eq!((&beside.arm, &beside.model), (&world.arms[0], &challenger));
    // The challenger pays for each of its trades, and the champion holds.
    assert!(beside.bars > 24 && beside.total_return < beside.champion_return, "{beside:?}");
    assert_eq!(beside.problem, None);
    // A start that has not seen a bar yet leaves it as it is.
    drop(watchman);
    let (_, notify) = notes();
    advance_all(&mut world.watchman(notify), until).unwrap();
    assert_eq!(world.store().live_watch(&world.session_id()).unwrap(), Some(told));
}

#[tokio::test]
async fn where_nothing_came_before_the_session_closes_its_position_and_halts() {
    let world = World::new(&[(1, Habit::Churns)]);
    let followed = world.trade(0..BARS).await;
    assert_eq!(world.champion(), world.models[0]);
    let found = tables(&world.store(), &world.session_id());
    assert_eq!((found.session.mode, found.session.position.is_zero()), (TradingMode::Halted, true));
    let last_fill = found.fills.last().unwrap().row.fill.time;
    let halted = found.events.iter().find(|event| event.row.mode == Some(TradingMode::Halted)).unwrap();
    assert_eq!(halted.row.kind, "command");
    assert!(last_fill <= halted.row.at.plus_millis(2 * 3_600_000));
    assert!(matches!(&followed.told[..], [Notice::Stop { .. }]), "{:?}", followed.told);
    // Whoever starts it again is halted still, and told nothing more.
    let again = world.trade(BARS..BARS + 60).await;
    assert_eq!((again.summary.fills, again.told.len()), (0, 0), "{:?}", again.told);
    assert_eq!(world.guard_events().len(), 1);
}

#[tokio::test]
async fn a_watch_that_is_put_away_after_any_record_comes_to_the_same_bits() {
    let mut world = World::new(&[(0, Habit::Holds), (1, Habit::Holds)]);
    world.trade_alone(0..60).await;
    let challenger = {
        let store = world.store();
        world.publish(&store, 0, Habit::Churns)
    };
    world.trade_alone(60..120).await;
    let until = end_of(&world);
    let whole = world.copy();
    let (_, notify) = notes();
    let mut watchman = whole.watchman(notify);
    advance_all(&mut watchman, JournalPosition { segment: 1, record: 4 }).unwrap();
    advance_all(&mut watchman, until).unwrap();
    let report = watchman.report().borrow().clone();
    assert_eq!((report.champion.as_ref(), report.guard_bars), (Some(&world.models[1]), 120));
    assert_eq!(report.anchor.as_ref(), Some(&world.models[0]));
    assert!(report.ledgers.iter().any(|ledger| ledger.model_id == challenger), "{:?}", report.ledgers);
    let expected = std::fs::read_to_string(whole.journal().join(WATCH_FILE)).unwrap();

    let mut tail = JournalTail::new(&world.journal());
    let mut count = 0;
    while let Some(Tailed::Record(at, _)) = tail.next(Some(until)).unwrap() {
        count += 1;
        if at.record >= 4 && count % 5 == 0 {
            let (told, notify) = notes();
            advance_all(&mut world.watchman(notify), at).unwrap();
            assert!(told.lock().unwrap().is_empty(), "{:?}", told.lock().unwrap());
        }
    }
    let (told, notify) = notes();
    advance_all(&mut world.watchman(notify), until).unwrap();
    assert_eq!(std::fs::read_to_string(world.journal().join(WATCH_FILE)).unwrap(), expected);
    assert!(told.lock().unwrap().is_empty(), "{:?}", told.lock().unwrap());
}

#[tokio::test]
async fn a_kill_at_any_step_takes_the_champion_back_once_and_the_session_learns_of_it() {
    let world = World::new(&[(0, Habit::Holds), (1, Habit::Churns)]);
    world.trade_alone(0..40).await;
    let until = end_of(&world);
    let mut kills = 0;
    // Each step twice: with somebody else who opens the store before the next process, which recovers it, and without.
    for (step, somebody_opens) in (0..).flat_map(|step| [(step, false), (step, true)]) {
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
        if somebody_opens {
            drop(Store::open(&world.data_dir(), &world.models_dir(), world.clock.clone()).unwrap());
        }
        let (told, notify) = notes();
        advance_all(&mut world.watchman(notify), until).unwrap();
        let told = told.lock().unwrap().clone();
        assert!(matches!(&told[..], [Notice::TakenBack { .. }]), "step {step}: {told:?}");
        assert_eq!(world.champion(), world.models[0], "step {step}");
        assert_eq!(world.store().guarded_rollbacks(None).unwrap().len(), 1, "step {step}");
        assert!(world.is_quarantined(1), "step {step}");
    }
    assert!(kills > 40, "{kills}");
}

#[tokio::test]
async fn a_champion_that_somebody_puts_back_is_taken_back_again_for_the_same_reason() {
    let world = World::new(&[(0, Habit::Holds), (1, Habit::Churns)]);
    world.trade_alone(0..40).await;
    let until = end_of(&world);
    for times in 1..=2 {
        let (told, notify) = notes();
        advance_all(&mut world.watchman(notify), until).unwrap();
        assert_eq!(told.lock().unwrap().len(), 1);
        assert_eq!(world.store().guarded_rollbacks(None).unwrap().len(), times);
        world.put_back(1);
        // A watch that knows nothing of before comes to the same words.
        std::fs::remove_file(world.journal().join(WATCH_FILE)).unwrap();
    }
}

#[tokio::test]
async fn what_the_journal_tells_of_already_is_not_told_again() {
    let world = World::new(&[(0, Habit::Holds), (1, Habit::Churns)]);
    world.trade_alone(0..40).await;
    let (told, notify) = notes();
    advance_all(&mut world.watchman(notify), end_of(&world)).unwrap();
    let notice = told.lock().unwrap().remove(0);
    let is_open = || {
        let text = std::fs::read_to_string(world.journal().join(WATCH_FILE)).unwrap();
        let state: serde_json::Value = serde_json::from_str(&text).unwrap();
        !state["pending"].is_null()
    };
    assert!(is_open());
    // The session journals it, and the watch is killed before it reads that.
    let trader = world.trader(walk(3, 60).iter().skip(40));
    trader.handle().notify(notice).unwrap();
    trader.run().await.unwrap();
    assert_eq!(world.guard_events().len(), 1);
    let (told, notify) = notes();
    advance_all(&mut world.watchman(notify), end_of(&world)).unwrap();
    assert!(told.lock().unwrap().is_empty(), "{:?}", told.lock().unwrap());
    assert!(!is_open());
}

#[tokio::test]
async fn a_verdict_on_a_champion_that_is_gone_by_then_is_forgotten() {
    let mut world = World::new(&[(0, Habit::Holds), (1, Habit::Churns)]);
    world.trade_alone(0..40).await;
    let good = {
        let store = world.store();
        world.crown(&store, 0, Habit::Holds)
    };
    world.trade_alone(40..60).await;
    let (told, notify) = notes();
    advance_all(&mut world.watchman(notify), end_of(&world)).unwrap();
    assert_eq!(world.champion(), good);
    assert!(told.lock().unwrap().is_empty(), "{:?}", told.lock().unwrap());
    assert!(world.store().guarded_rollbacks(None).unwrap().is_empty());
}

#[tokio::test]
async fn a_verdict_follows_its_arm_to_a_newer_snapshot() {
    let mut world = World::new(&[(0, Habit::Holds), (1, Habit::Churns)]);
    world.trade_alone(0..40).await;
    {
        let store = world.store();
        world.crown(&store, 1, Habit::Churns);
    }
    world.trade_alone(40..80).await;
    let (told, notify) = notes();
    advance_all(&mut world.watchman(notify), end_of(&world)).unwrap();
    assert_eq!(world.champion(), world.models[0]);
    let told = told.lock().unwrap().clone();
    assert!(
        matches!(&told[..], [Notice::TakenBack { model_id, .. }] if *model_id == world.models[2]),
        "{told:?}"
    );
}

#[tokio::test]
async fn a_file_that_makes_no_sense_is_told_and_the_watch_begins_anew() {
    let world = World::new(&[(0, Habit::Holds), (1, Habit::Holds)]);
    world.trade_alone(0..40).await;
    let until = end_of(&world);
    std::fs::write(world.journal().join(WATCH_FILE), b"{\"schema\":1,\"ses").unwrap();
    let (told, notify) = notes();
    let mut watchman = world.watchman(notify);
    advance_all(&mut watchman, until).unwrap();
    assert_eq!(watchman.report().borrow().guard_bars, 40);
    let told = told.lock().unwrap().clone();
    assert!(matches!(&told[..], [Notice::Warning { reason }] if reason.contains(WATCH_FILE)), "{told:?}");
}

#[tokio::test]
async fn a_bundle_in_the_watch_stays_locked_while_it_is_there() {
    let world = World::new(&[(0, Habit::Holds), (1, Habit::Holds)]);
    world.trade_alone(0..40).await;
    // The session's own watcher ends with its task.
    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    let (_, notify) = notes();
    let mut watchman = world.watchman(notify);
    advance_all(&mut watchman, end_of(&world)).unwrap();
    let lock = |model: usize| world.models_dir().join(format!(".locks/{}.lock", world.models[model]));
    let is_free = |model| walkforward_durable::FileLock::try_exclusive(&lock(model), 0).is_ok();
    assert!(!is_free(0) && !is_free(1));
    drop(watchman);
    assert!(is_free(0) && is_free(1));
}

#[tokio::test]
async fn a_halt_by_hand_changes_nothing_in_the_watch() {
    let world = World::new(&[(0, Habit::Holds), (1, Habit::Holds)]);
    std::fs::create_dir_all(world.journal()).unwrap();
    halt_session(&world.journal(), "a test", false).unwrap();
    world.trade(0..60).await;
    let (_, notify) = notes();
    let mut watchman = world.watchman(notify);
    advance_all(&mut watchman, end_of(&world)).unwrap();
    // Its ledgers know no limits of the session.
    let report = watchman.report().borrow().clone();
    assert!(report.standing.iter().all(|rule| !rule.is_broken()), "{report:?}");
}

#[tokio::test]
async fn a_replay_goes_on_alone_when_nobody_follows_or_gets_on() {
    for is_there in [true, false] {
        let world = World::new(&[(0, Habit::Holds)]);
        let reached = tokio::sync::watch::Sender::new(None);
        let patience = std::time::Duration::from_millis(30);
        let step = KeepStep { patience, ..KeepStep::new(reached.subscribe(), 10) };
        let trader = world.trader(walk(3, 100).iter()).in_step_with(step);
        let reached = Some(reached).filter(|_| is_there);
        let summary = trader.run().await.unwrap();
        assert_eq!(summary.bars, 100);
        let warnings = world.records().into_iter().filter(|record| {
            let text = serde_json::to_string(record).unwrap();
            text.contains("\"warning\"") && text.contains("don't get on")
        });
        assert_eq!(warnings.count(), usize::from(is_there));
        drop(reached);
    }
}
