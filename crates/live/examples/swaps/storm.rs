//! A storm: bars come as fast as they are taken while one champion follows on another, and what that came to.
#![expect(clippy::disallowed_methods, reason = "what a bar takes is wall time")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use walkforward_core::{Bar, BarFeed, SourceError};
use walkforward_durable::FileLock;
use walkforward_live::{BarRecord, SessionSummary, TraderHandle, TraderOptions, verify_journal};
use walkforward_testing::Random;

use crate::common::{Walk, Workplace, at, features, spec};
use crate::line::Line;
use crate::process::Reading;

/// Models that take turns.
const MODELS: usize = 5;
/// Bars after the last swap.
const BARS_AFTER: usize = 20;
/// Longest wait for a model to trade.
const PATIENCE: Duration = Duration::from_secs(30);
/// Turns for which there is room from the begin: what the storm notes is no memory of the session's.
const ROOM_FOR_TURNS: usize = 1 << 20;

/// How a champion comes to be another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Through the store: rows, pointer, event.
    Store,
    /// The pointer's file is replaced.
    Pointer,
}

/// A storm to be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Storm {
    pub(crate) seed: u64,
    pub(crate) swaps: u64,
    pub(crate) way: Way,
    /// Longest rest between a swap and the next promotion, microseconds.
    pub(crate) rest_us: u64,
    /// Time between two looks at the pointer where nothing tells of a change.
    pub(crate) poll_interval: Duration,
}

/// What a bar took from when it was handed over until the next one was asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Turn {
    pub(crate) began: Instant,
    pub(crate) took: Duration,
}

/// What a storm came to.
pub(crate) struct Outcome {
    pub(crate) summary: SessionSummary,
    pub(crate) bars: Vec<BarRecord>,
    /// One for each bar.
    pub(crate) turns: Vec<Turn>,
    /// What the process took after each swap.
    pub(crate) readings: Vec<Reading>,
    /// When each champion after the first was put into place: just before its pointer was written.
    pub(crate) moved: Vec<Instant>,
    /// The weights of each version, from version 1.
    pub(crate) hashes: Vec<String>,
}

impl Outcome {
    /// Index of the first bar of each version after the first.
    pub(crate) fn first_bars(&self) -> Vec<usize> {
        let version = |bar: &BarRecord| bar.model.as_ref().map(|model| model.model_version);
        let versions: Vec<_> = self.bars.iter().map(version).collect();
        (1..versions.len()).filter(|index| versions[*index] != versions[index - 1]).collect()
    }
}

struct StormFeed {
    walk: Walk,
    done: Arc<AtomicBool>,
    bars_after: usize,
    handed: Option<Instant>,
    turns: Arc<Mutex<Vec<Turn>>>,
}

#[async_trait]
impl BarFeed for StormFeed {
    async fn next_bar(&mut self) -> Result<Option<Bar>, SourceError> {
        if let Some(began) = self.handed.take() {
            self.turns.lock().unwrap().push(Turn { began, took: began.elapsed() });
        }
        if self.done.load(Ordering::SeqCst) {
            if self.bars_after == 0 {
                return Ok(None);
            }
            self.bars_after -= 1;
        }
        let bar = self.walk.next_bar();
        self.handed = Some(Instant::now());
        Ok(Some(bar))
    }
}

/// Moves the champion on.
struct Mover {
    storm: Storm,
    line: Line,
    handle: TraderHandle,
    random: Random,
}

/// What the mover saw.
struct Moves {
    readings: Vec<Reading>,
    moved: Vec<Instant>,
    hashes: Vec<String>,
}

impl Mover {
    fn run(mut self) -> Moves {
        let mut champion = 0;
        let hash = |line: &Line, model: usize| line.models()[model].sha256.clone();
        let mut moves = Moves { readings: Vec::new(), moved: Vec::new(), hashes: vec![hash(&self.line, 0)] };
        self.await_version(1);
        for swap in 0..self.storm.swaps {
            std::thread::sleep(Duration::from_micros(self.random.below(self.storm.rest_us + 1)));
            let before = champion;
            champion = (before + 1 + self.random.below(MODELS as u64 - 1) as usize) % MODELS;
            moves.moved.push(Instant::now());
            match self.storm.way {
                Way::Store => self.line.promote(champion),
                Way::Pointer => self.line.point_to(champion),
            }
            moves.hashes.push(hash(&self.line, champion));
            self.await_version(swap + 2);
            self.await_release(before);
            moves.readings.push(Reading::now());
        }
        moves
    }

    /// Waits until a bar has been decided by `version`.
    fn await_version(&self, version: u64) {
        let trades = || self.handle.status().model.is_some_and(|model| model.model_version >= version);
        wait_until(trades, &format!("version {version} trades"));
    }

    /// Waits until nobody keeps the bundle of `model` from being removed.
    fn await_release(&self, model: usize) {
        let path = self.line.lock_file(model);
        let is_free = || FileLock::try_exclusive(&path, 0).is_ok();
        wait_until(is_free, "the bundle of a model that was replaced can be removed");
    }
}

fn wait_until(mut holds: impl FnMut() -> bool, what: &str) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_micros(50));
    }
}

/// Runs a storm in `place`.
pub(crate) async fn run(place: &Workplace, storm: Storm) -> Outcome {
    let line = Line::new(place.folder.path(), MODELS, &spec(features()));
    let (done, turns) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(room_for_turns())));
    let feed = StormFeed {
        walk: Walk::new(storm.seed),
        done: Arc::clone(&done),
        bars_after: BARS_AFTER,
        handed: None,
        turns: Arc::clone(&turns),
    };
    let options = TraderOptions { poll_interval: storm.poll_interval, ..place.options() };
    let trader = place.trader(options, Box::new(feed), Box::new(line.source()));
    let mover = Mover { storm, line, handle: trader.handle(), random: Random::new(storm.seed) };
    let moving = tokio::task::spawn_blocking(move || {
        // However it ends, the bars end too.
        let _done = SetOnDrop(done);
        mover.run()
    });
    let summary = trader.run().await.unwrap();
    let Moves { readings, moved, hashes } = moving.await.unwrap();
    let turns = std::mem::take(&mut *turns.lock().unwrap());
    Outcome { summary, bars: place.bars(), turns, readings, moved, hashes }
}

/// An empty list whose memory the process has already.
fn room_for_turns() -> Vec<Turn> {
    let mut turns = vec![Turn { began: Instant::now(), took: Duration::ZERO }; ROOM_FOR_TURNS];
    turns.clear();
    turns
}

struct SetOnDrop(Arc<AtomicBool>);

impl Drop for SetOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Checks that each bar was decided once, by one model, as an offline replay with that model decides it.
pub(crate) fn check(outcome: &Outcome, journal: &Path, models_dir: &Path) {
    let Outcome { summary, bars, hashes, .. } = outcome;
    let swaps = hashes.len() as u64 - 1;
    assert_eq!((summary.swaps, summary.model_versions), (swaps, Some((1, swaps + 1))));
    assert_eq!((summary.refused_models, summary.missing_bars, summary.no_model_bars), (0, 0, 0));
    assert_eq!((bars.len() as u64, outcome.turns.len()), (summary.bars, bars.len()));
    let (mut last_version, mut seen) = (0, BTreeMap::new());
    for (index, bar) in bars.iter().enumerate() {
        assert_eq!(bar.open_time, at(index), "no bar is missed or decided twice");
        let model = bar.model.as_ref().unwrap();
        assert!(model.model_version >= last_version, "versions count up");
        last_version = model.model_version;
        assert_eq!(model.sha256, hashes[last_version as usize - 1], "never a mixture");
        assert_eq!(bar.action.is_some(), index > 5, "{index}");
        *seen.entry(last_version).or_insert(0) += 1;
    }
    assert_eq!(seen.len() as u64, swaps + 1, "each model decided");
    let replayed = verify_journal(journal, models_dir).unwrap();
    assert!(replayed.is_identical(), "{replayed:?}");
    assert_eq!((replayed.decisions, replayed.without_weights), (summary.bars - 6, 0));
}
