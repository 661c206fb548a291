//! A line of two arms in a store, whose champions are made to do well or badly, and a trader with those who follow it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use serde_json::json;
use tempfile::TempDir;
use tokio::sync::watch;
use walkforward_core::{
    ArmId, Bar, CancelToken, Clock, FeatureKind, FeatureSpec, LineName, ManualClock, ModelId, PolicySpec,
    SessionId, Timeframe,
};
use walkforward_live::{
    EventRecord, FollowOptions, Follower, JournalRecord, KeepStep, LineChampion, Notice, Projector,
    SessionSummary, StampedEvent, StoreAccess, Trader, TraderHandle, TraderOptions, WatchOptions, Watchman,
    follow, read_journal,
};
use walkforward_store::{
    LiveBar, LiveEvent, LiveFill, LiveSession, LiveSwap, Numbered, PromotionKind, PromotionRequest,
    ScoredBar, Snapshot, Store, StreamKey, StreamPart,
};

use crate::common::{ListFeed, at, features, hour, ports, spec, walk};
use crate::line::{promoted, record};

/// Bars that a replay may be ahead of its watch.
pub(crate) const STEP: u64 = 24;
/// Days that an arm's stream has before the session.
const STREAM_DAYS: i64 = 14;

/// What a model does whatever the market does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Habit {
    /// It buys once and holds.
    Holds,
    /// It buys and sells in turns, and pays for it each time.
    Churns,
    /// It needs so many bars before it decides, and holds.
    Needs(u32),
}

pub(crate) struct World {
    pub(crate) folder: Arc<TempDir>,
    /// The session's folder.
    pub(crate) journal: &'static str,
    /// Bars that its sessions keep.
    pub(crate) history_bars: usize,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) arms: [ArmId; 2],
    pub(crate) models: Vec<ModelId>,
}

impl World {
    /// A line whose champions were models of these arms and habits, the last one is.
    pub(crate) fn new(reigns: &[(usize, Habit)]) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let clock = Arc::new(ManualClock::at(at(0)));
        let line = LineName::default();
        let store =
            Store::open(&folder.path().join("data"), &folder.path().join("models"), clock.clone()).unwrap();
        let arms = [0, 1].map(|arm| store.register_arm(&line, &json!({ "arm": arm })).unwrap());
        for arm in &arms {
            let part = quiet_stream();
            store.extend_stream(&StreamKey::Arm(arm.clone()), None, &part).unwrap();
        }
        let (journal, history_bars) = ("live/journal", TraderOptions::DEFAULT_HISTORY_BARS);
        let mut world = Self { folder, journal, history_bars, clock, arms, models: Vec::new() };
        for (arm, habit) in reigns {
            world.crown(&store, *arm, *habit);
        }
        world
    }

    /// Makes a new model of an arm champion.
    pub(crate) fn crown(&mut self, store: &Store, arm: usize, habit: Habit) -> ModelId {
        let model = self.publish(store, arm, habit);
        let verdict = promoted();
        store
            .promote(&PromotionRequest {
                line: &LineName::default(),
                expected_current: store
                    .champion(&LineName::default())
                    .unwrap()
                    .map(|champion| champion.record.model_id)
                    .as_ref(),
                to: &model,
                kind: PromotionKind::Promote,
                reason: "a test",
                verdict: &verdict,
                metrics: &Default::default(),
            })
            .unwrap();
        model
    }

    /// A person makes an earlier champion champion again.
    pub(crate) fn put_back(&self, model: usize) {
        let store = self.store();
        store.rollback(&LineName::default(), Some(&self.models[model]), "a person wants it").unwrap();
    }

    /// A new snapshot of an arm.
    pub(crate) fn publish(&mut self, store: &Store, arm: usize, habit: Habit) -> ModelId {
        let number = self.models.len();
        let attempt = format!("attempt-{number}");
        let dir = store.staging_dir(&attempt).unwrap();
        let spec = match habit {
            Habit::Needs(bars) => spec(needing(bars)),
            Habit::Holds | Habit::Churns => spec(features()),
        };
        write_habit(&dir, number, &spec, habit);
        let model = store.adopt(&attempt, record(number, &spec)).unwrap().model_id;
        let published_at = at(0).plus_millis(number as i64 - 1_000);
        let snapshot = Snapshot { model: model.clone(), published_at, lineage_until: at(0) };
        store.publish_snapshot(&self.arms[arm], &snapshot).unwrap();
        self.models.push(model.clone());
        model
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.folder.path().join(self.journal)
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn models_dir(&self) -> PathBuf {
        self.folder.path().join("models")
    }

    pub(crate) fn store(&self) -> Store {
        Store::attach(&self.data_dir(), &self.models_dir(), self.clock.clone()).unwrap().unwrap()
    }

    pub(crate) fn access(&self) -> StoreAccess {
        StoreAccess::new(self.data_dir(), self.models_dir(), self.clock.clone())
    }

    pub(crate) fn champion(&self) -> ModelId {
        self.store().champion(&LineName::default()).unwrap().unwrap().record.model_id
    }

    pub(crate) fn is_quarantined(&self, arm: usize) -> bool {
        self.store().quarantined_until(&self.arms[arm], self.clock.now()).unwrap().is_some()
    }

    pub(crate) fn options(&self) -> TraderOptions {
        let mut options = TraderOptions::new("BTC/USD".parse().unwrap(), hour(), self.journal());
        options.poll_interval = std::time::Duration::from_millis(1);
        options.resume = true;
        options.history_bars = self.history_bars;
        options
    }

    pub(crate) fn watchman(&self, notify: impl Fn(Notice) + Send + Sync + 'static) -> Watchman {
        let options = WatchOptions::new(self.journal(), LineName::default());
        Watchman::new(options, self.access(), Box::new(notify))
    }

    pub(crate) fn trader(&self, bars: impl IntoIterator<Item = Bar>) -> Trader {
        let champion = LineChampion::new(&self.models_dir(), LineName::default());
        let ports = ports(ListFeed::of(bars), Box::new(champion));
        Trader::new(self.options(), ports, CancelToken::default()).unwrap()
    }

    /// Trades `bars` of a walk with nobody who follows.
    pub(crate) async fn trade_alone(&self, bars: std::ops::Range<usize>) -> SessionSummary {
        self.trader(walk(3, bars.end).iter().skip(bars.start)).run().await.unwrap()
    }

    /// Trades `bars` of a walk with a watch, in step, and a projection.
    pub(crate) async fn trade(&self, bars: std::ops::Range<usize>) -> Followed {
        let trader = self.trader(walk(3, bars.end).iter().skip(bars.start));
        let (reached, told) = (watch::Sender::new(None), Arc::new(Mutex::new(Vec::new())));
        let trader = trader.in_step_with(KeepStep::new(reached.subscribe(), STEP));
        let handle = trader.handle();
        let (telling, remembering) = (handle.clone(), Arc::clone(&told));
        let watchman = self.watchman(move |notice| {
            remembering.lock().unwrap().push(notice.clone());
            let _ = telling.notify(notice);
        });
        let tasks = [
            tokio::spawn(run(Box::new(watchman), &handle, reached)),
            tokio::spawn(run(
                Box::new(Projector::new(&self.journal(), self.access())),
                &handle,
                watch::Sender::new(None),
            )),
        ];
        let summary = trader.run().await.unwrap();
        for task in tasks {
            assert!(task.await.unwrap(), "a follower has not taken everything");
        }
        let told = told.lock().unwrap().clone();
        Followed { summary, told }
    }

    pub(crate) fn records(&self) -> Vec<JournalRecord> {
        read_journal(&self.journal()).unwrap().map(Result::unwrap).collect()
    }

    /// What the journal says of the watch: the model and the words.
    pub(crate) fn guard_events(&self) -> Vec<(ModelId, String)> {
        let event = |record| match record {
            JournalRecord::Event(StampedEvent { event: EventRecord::Guard { model_id, reason }, .. }) => {
                Some((model_id, reason))
            }
            _ => None,
        };
        self.records().into_iter().filter_map(event).collect()
    }

    /// The model of each bar.
    pub(crate) fn deciders(&self) -> Vec<ModelId> {
        let decider = |record| match record {
            JournalRecord::Bar(bar) => bar.model.map(|model| model.model_id),
            _ => None,
        };
        self.records().into_iter().filter_map(decider).collect()
    }

    pub(crate) fn session_id(&self) -> SessionId {
        let header = self.records().into_iter().find_map(|record| match record {
            JournalRecord::Header(header) => Some(*header),
            _ => None,
        });
        header.unwrap().session_id().unwrap()
    }

    /// The same folders somewhere else.
    pub(crate) fn copy(&self) -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy_tree(self.folder.path(), folder.path());
        Self { folder: Arc::new(folder), ..self.beside(self.journal) }
    }

    /// Another session of the same line.
    pub(crate) fn beside(&self, journal: &'static str) -> Self {
        Self {
            folder: Arc::clone(&self.folder),
            journal,
            history_bars: self.history_bars,
            clock: self.clock.clone(),
            arms: self.arms.clone(),
            models: self.models.clone(),
        }
    }
}

fn run(
    follower: Box<dyn Follower>,
    handle: &TraderHandle,
    reached: watch::Sender<Option<walkforward_store::JournalPosition>>,
) -> impl Future<Output = bool> + use<> {
    follow(follower, handle.synced(), reached, FollowOptions::default(), Box::new(|words| panic!("{words}")))
}

/// What a session with its followers came to.
pub(crate) struct Followed {
    pub(crate) summary: SessionSummary,
    pub(crate) told: Vec<Notice>,
}

fn copy_tree(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy_tree(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).unwrap()),
        }
    }
}

/// Features that need `bars` before the first decision.
fn needing(bars: u32) -> FeatureSpec {
    FeatureSpec::new(vec![FeatureKind::Returns { periods: vec![1, bars] }]).unwrap()
}

/// Weights that look at the position alone.
fn write_habit(dir: &Path, number: usize, spec: &PolicySpec, habit: Habit) {
    let (inputs, outputs) = (spec.obs_dim(), spec.actions.len());
    let mut weights = vec![0.0; inputs * outputs];
    if habit == Habit::Churns {
        weights[inputs - PolicySpec::PORTFOLIO_INPUTS] = 10.0;
    }
    // The number makes the hash another one.
    let bias = vec![0.0, 1.0 + 0.001 * number as f32];
    let tensors = BTreeMap::from([
        ("actor.0.weight".to_owned(), (vec![outputs, inputs], weights)),
        ("actor.0.bias".to_owned(), (vec![outputs], bias)),
    ]);
    walkforward_policy::write_bundle(dir, spec, &tensors, None).unwrap();
}

/// Bars before the session on which an arm held a position that fell by a fifth at first, and then went nowhere.
fn quiet_stream() -> StreamPart {
    let bars = STREAM_DAYS * 24;
    let bar = |index: i64| ScoredBar {
        close: at(0).plus_millis((index - bars) * Timeframe::HOUR.millis()),
        net_return: match index {
            0 => -0.2,
            index if index % 2 == 0 => 0.001,
            _ => -0.001,
        },
        position: 1.0,
        is_known: true,
        is_replayed: false,
    };
    StreamPart { bars: (0..bars).map(bar).collect(), deciders: Vec::new(), session: json!({}) }
}

/// All that the store's tables say of a session.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tables {
    pub(crate) session: LiveSession,
    pub(crate) bars: Vec<Numbered<LiveBar>>,
    pub(crate) fills: Vec<Numbered<LiveFill>>,
    pub(crate) swaps: Vec<Numbered<LiveSwap>>,
    pub(crate) events: Vec<Numbered<LiveEvent>>,
}

pub(crate) fn tables(store: &Store, id: &SessionId) -> Tables {
    Tables {
        session: store.live_session(id).unwrap(),
        bars: store.live_bars(id, 0, 1_000).unwrap(),
        fills: store.live_fills(id, 0, 1_000).unwrap(),
        swaps: store.live_swaps(id, 0, 1_000).unwrap(),
        events: store.live_events(id, 0, 1_000).unwrap(),
    }
}
