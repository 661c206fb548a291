//! A session's journal in the store's tables: each record once, whatever dies or is in the way.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use proptest::prelude::*;
use walkforward_durable::{Files, PlannedFault};
use walkforward_live::{
    Advance, FollowError, FollowOptions, Follower, JournalRecord, JournalTail, Patience, Projector,
    StoreAccess, Tailed, follow,
};
use walkforward_store::{JOURNAL_GAP, JournalPosition, LiveBar, LiveCandle, Store};

use crate::watched::{Habit, Tables, World, tables};

fn positions(world: &World) -> Vec<JournalPosition> {
    let mut tail = JournalTail::new(&world.journal());
    let mut found = Vec::new();
    while let Some(Tailed::Record(at, _)) = tail.next(None).unwrap() {
        found.push(at);
    }
    found
}

fn advance_all(follower: &mut dyn Follower, until: JournalPosition) -> Result<(), FollowError> {
    while follower.advance(until)? == Advance::More {}
    Ok(())
}

fn project_all(world: &World) -> Tables {
    let until = *positions(world).last().unwrap();
    advance_all(&mut Projector::new(&world.journal(), world.access()), until).unwrap();
    tables(&world.store(), &world.session_id())
}

/// Two processes, with a swap in the second one.
async fn a_session() -> World {
    let mut world = World::new(&[(1, Habit::Churns)]);
    world.trade_alone(0..30).await;
    {
        let store = world.store();
        world.crown(&store, 0, Habit::Holds);
    }
    world.trade_alone(30..60).await;
    world
}

#[tokio::test]
async fn the_tables_say_what_the_journal_says() {
    let world = a_session().await;
    let found = project_all(&world);
    let session = &found.session;
    assert_eq!((session.bars, session.swaps, found.swaps.len()), (60, 2, 2));
    assert_eq!(session.began.first_segment, 1);
    assert_eq!(session.end_reason.as_deref(), Some("feed_ended"));
    assert_eq!(session.model.as_ref().unwrap().model_id, world.models[1]);
    assert_eq!(found.swaps[1].row.from.as_ref(), Some(&world.models[0]));
    let versions: Vec<Option<u64>> = found.bars.iter().map(|bar| bar.row.model_version).collect();
    assert_eq!((versions[29], versions[30]), (Some(1), Some(2)));
    assert_eq!(candles(&found), journalled_candles(&world));
    let fees: f64 = found.fills.iter().map(|fill| fill.row.fill.fee_in_quote()).sum();
    assert!(fees > 0.0 && (session.fees.get() - fees).abs() < 1e-9);
    assert_eq!(session.fills as usize, found.fills.len());
}

/// Open, high, low, close and volume of each bar in the tables.
fn candles(tables: &Tables) -> Vec<[f64; 5]> {
    let candle = |bar: &LiveBar| {
        let LiveCandle { open, high, low, volume } = bar.candle.unwrap();
        [open.get(), high.get(), low.get(), bar.close.get(), volume]
    };
    tables.bars.iter().map(|bar| candle(&bar.row)).collect()
}

/// As [`candles`], from the journal.
fn journalled_candles(world: &World) -> Vec<[f64; 5]> {
    let mut tail = JournalTail::new(&world.journal());
    let mut found = Vec::new();
    while let Some(Tailed::Record(_, record)) = tail.next(None).unwrap() {
        if let JournalRecord::Bar(bar) = *record {
            found.push([bar.open, bar.high, bar.low, bar.close, bar.volume]);
        }
    }
    assert!(found.iter().any(|[open, high, low, ..]| high > open && low < open), "{found:?}");
    found
}

#[tokio::test]
async fn a_session_that_begins_anew_in_the_same_folder_is_another_one() {
    let world = World::new(&[(1, Habit::Holds)]);
    world.trade_alone(0..10).await;
    let mut options = world.options();
    options.resume = false;
    let bars = crate::common::walk(3, 20);
    let champion = walkforward_live::LineChampion::new(&world.models_dir(), Default::default());
    let ports = crate::common::ports(crate::common::ListFeed::of(bars.iter().skip(10)), Box::new(champion));
    walkforward_live::Trader::new(options, ports, Default::default()).unwrap().run().await.unwrap();
    let until = *positions(&world).last().unwrap();
    // The follower comes when the first session is long over.
    advance_all(&mut Projector::new(&world.journal(), world.access()), until).unwrap();
    let sessions = world.store().live_sessions(None, None, 10).unwrap();
    let bars: Vec<(u64, u64)> = sessions.iter().map(|it| (it.began.first_segment, it.bars)).collect();
    assert_eq!(bars, [(2, 10), (1, 10)]);
}

#[tokio::test]
async fn a_kill_at_any_step_counts_each_record_once() {
    let world = a_session().await;
    let until = *positions(&world).last().unwrap();
    let expected = project_all(&world.copy());
    let mut kills = 0;
    for step in 0.. {
        let world = world.copy();
        let plan = Arc::new(PlannedFault::crash(step));
        let (data, models) = (world.data_dir(), world.models_dir());
        let files = Files::with_faults(plan);
        let access = StoreAccess::with_files(files, data, models, world.clock.clone());
        let mut projector = Projector::new(&world.journal(), access);
        let went = positions(&world)
            .chunks(9)
            .try_for_each(|part| advance_all(&mut projector, *part.last().unwrap()));
        drop(projector);
        advance_all(&mut Projector::new(&world.journal(), world.access()), until).unwrap();
        assert_eq!(tables(&world.store(), &world.session_id()), expected, "step {step}");
        if went.is_ok() {
            break;
        }
        kills += 1;
    }
    assert!(kills > 8, "{kills}");
}

#[tokio::test]
async fn a_locked_database_delays_the_tables_and_not_the_trade_and_is_told_once() {
    let world = World::new(&[(1, Habit::Churns)]);
    let told = Arc::new(AtomicUsize::new(0));
    let telling = Arc::clone(&told);
    let trader = world.trader(crate::common::walk(3, 40).iter());
    let patience = Patience {
        first: Duration::from_millis(1),
        longest: Duration::from_millis(2),
        ..Patience::default()
    };
    let task = tokio::spawn(follow(
        Box::new(Impatient { inner: Projector::new(&world.journal(), world.access()), failures: 4 }),
        trader.handle().synced(),
        tokio::sync::watch::Sender::new(None),
        FollowOptions { patience, ..FollowOptions::default() },
        Box::new(move |_| {
            telling.fetch_add(1, Ordering::SeqCst);
        }),
    ));
    let summary = trader.run().await.unwrap();
    assert_eq!(summary.bars, 40);
    assert!(task.await.unwrap());
    assert_eq!(told.load(Ordering::SeqCst), 1);
    assert_eq!(tables(&world.store(), &world.session_id()).session.bars, 40);
}

/// Fails so many times before it lets the other work, as a database does that another process holds.
struct Impatient {
    inner: Projector,
    failures: usize,
}

impl Follower for Impatient {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn advance(&mut self, until: JournalPosition) -> Result<Advance, FollowError> {
        match self.failures {
            0 => self.inner.advance(until),
            _ => {
                self.failures -= 1;
                Err(FollowError::Other("the database is locked".to_owned()))
            }
        }
    }
}

#[tokio::test]
async fn what_retention_took_before_it_was_read_is_a_gap_in_the_tables() {
    let world = World::new(&[(1, Habit::Holds)]);
    for part in 0..4 {
        world.trade_alone(part * 10..part * 10 + 10).await;
    }
    let first = positions(&world).into_iter().rfind(|at| at.segment == 1).unwrap();
    let mut projector = Projector::new(&world.journal(), world.access());
    advance_all(&mut projector, first).unwrap();
    for segment in [1, 2] {
        std::fs::remove_file(world.journal().join(format!("{segment:08}.journal"))).unwrap();
    }
    let until = *positions(&world).last().unwrap();
    advance_all(&mut projector, until).unwrap();
    let id = world.store().live_sessions(None, None, 1).unwrap().remove(0).began.id;
    let found = tables(&world.store(), &id);
    assert_eq!(found.session.bars, 30);
    assert_eq!(found.events.iter().filter(|event| event.row.kind == JOURNAL_GAP).count(), 1);
    // A projector that starts later finds the same.
    advance_all(&mut Projector::new(&world.journal(), world.access()), until).unwrap();
    assert_eq!(tables(&world.store(), &id), found);
}

#[tokio::test]
async fn without_a_database_nothing_is_made_and_nobody_is_told() {
    let world = World::new(&[(1, Habit::Holds)]);
    let elsewhere = world.folder.path().join("nowhere");
    let access = StoreAccess::new(elsewhere.clone(), world.models_dir(), world.clock.clone());
    let trader = world.trader(crate::common::walk(3, 20).iter());
    let task = tokio::spawn(follow(
        Box::new(Projector::new(&world.journal(), access)),
        trader.handle().synced(),
        tokio::sync::watch::Sender::new(None),
        FollowOptions::default(),
        Box::new(|words| panic!("{words}")),
    ));
    trader.run().await.unwrap();
    assert!(!task.await.unwrap());
    assert!(!elsewhere.exists());
}

#[test]
fn attaching_disturbs_nobody_who_runs() {
    let world = World::new(&[(1, Habit::Holds)]);
    let server = Store::open(&world.data_dir(), &world.models_dir(), world.clock.clone()).unwrap();
    let run = server.run_lock().unwrap();
    let other = world.store();
    assert_eq!(other.recovery(), &Default::default());
    drop(run);
    // The run lock is free for who starts at this moment.
    drop(server.run_lock().unwrap());
    // A models folder of another database is refused.
    let second = World::new(&[(1, Habit::Holds)]);
    let foreign = Store::attach(&world.data_dir(), &second.models_dir(), world.clock.clone());
    assert!(matches!(foreign, Err(walkforward_store::StoreError::ForeignModels { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn the_tables_are_the_same_however_the_journal_is_cut_and_the_projector_restarted(
        cuts in prop::collection::vec((0..200_usize, any::<bool>()), 0..12),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let world = runtime.block_on(a_session());
        let all = positions(&world);
        let expected = project_all(&world.copy());
        let mut places: Vec<(usize, bool)> = cuts.into_iter().map(|(cut, dies)| (cut % all.len(), dies)).collect();
        places.sort_unstable();
        let mut projector = Projector::new(&world.journal(), world.access());
        for (place, dies) in places {
            advance_all(&mut projector, all[place]).unwrap();
            if dies {
                projector = Projector::new(&world.journal(), world.access());
            }
        }
        advance_all(&mut projector, *all.last().unwrap()).unwrap();
        prop_assert_eq!(tables(&world.store(), &world.session_id()), expected);
    }
}
