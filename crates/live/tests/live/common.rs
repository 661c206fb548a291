//! Bars, models, feeds and champions for the tests.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tempfile::TempDir;
use walkforward_core::{
    ActionMap, Activation, Bar, BarFeed, BarSeries, CancelToken, FeatureKind, FeatureSpec, ManualClock,
    ModelId, ModelRef, NetworkSpec, Normaliser, PolicySpec, Probe, RunId, SourceError, Timeframe, Timestamp,
};
use walkforward_engine::{FillModel, SessionConfig};
use walkforward_live::{
    BarRecord, ChampionError, ChampionLook, ChampionSource, EventRecord, JournalRecord, LiveError,
    PaperBroker, ReplayedBars, SegmentHeader, SessionSummary, StampedEvent, Trader, TraderOptions,
    TraderPorts, read_journal,
};

pub(crate) const LOOKBACK: usize = 2;

pub(crate) fn hour() -> Timeframe {
    "1h".parse().unwrap()
}

pub(crate) fn at(index: usize) -> Timestamp {
    Timestamp::from_millis(1_699_999_200_000 + index as i64 * 3_600_000).unwrap()
}

/// A walk that differs for each seed.
pub(crate) fn walk(seed: u64, bars: usize) -> BarSeries {
    let mut walk = Walk::new(seed);
    let mut series = BarSeries::new(hour());
    for _ in 0..bars {
        series.push(walk.next_bar()).unwrap();
    }
    series
}

pub(crate) struct Walk {
    state: u64,
    close: f64,
    pub(crate) index: usize,
}

impl Walk {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1, close: 100.0, index: 0 }
    }

    fn uniform(&mut self) -> f64 {
        self.state =
            self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 33) as f64 / (1u64 << 31) as f64
    }

    pub(crate) fn next_bar(&mut self) -> Bar {
        let open = self.close * (1.0 + 0.004 * (self.uniform() - 0.5));
        // Pulled back to 100, so that a long walk stays there.
        let pull = 0.01 * (100.0 / open - 1.0);
        self.close = open * (1.0 + pull + 0.03 * (self.uniform() - 0.5));
        let (high, low) = (open.max(self.close) * 1.001, open.min(self.close) * 0.999);
        let bar = Bar::new(at(self.index), open, high, low, self.close, 10.0 * self.uniform()).unwrap();
        self.index += 1;
        bar
    }
}

pub(crate) fn features() -> FeatureSpec {
    FeatureSpec::new(vec![
        FeatureKind::Returns { periods: vec![1, 4] },
        FeatureKind::Rsi { period: 5 },
        FeatureKind::VolumeRatio { period: 4 },
    ])
    .unwrap()
}

pub(crate) fn spec(features: FeatureSpec) -> PolicySpec {
    spec_with(features, ActionMap::LongFlat)
}

pub(crate) fn spec_with(features: FeatureSpec, actions: ActionMap) -> PolicySpec {
    spec_looking_back(features, actions, LOOKBACK)
}

/// A linear model's spec over so many bars.
pub(crate) fn spec_looking_back(features: FeatureSpec, actions: ActionMap, lookback: usize) -> PolicySpec {
    let width = features.width();
    PolicySpec {
        schema: PolicySpec::SCHEMA,
        symbol: "BTC/USD".parse().unwrap(),
        timeframe: hour(),
        network: NetworkSpec::Mlp {
            inputs: lookback * width + PolicySpec::PORTFOLIO_INPUTS,
            hidden: vec![],
            outputs: actions.len(),
            activation: Activation::Tanh,
        },
        sessions: false,
        features,
        normaliser: Normaliser { mean: vec![0.05; width], std: vec![0.7; width], clip: 5.0 },
        lookback,
        actions,
        used_until: at(0),
        probe: Probe { observations: vec![], outputs: vec![], tolerance: 0.0 },
    }
}

/// Writes model `number`, whose weights differ for each number.
pub(crate) fn write_model(models_dir: &Path, number: usize, spec: &PolicySpec) -> ModelRef {
    write_inclined_model(models_dir, number, spec, 0.05 * number as f32)
}

/// As [`write_model`], with what speaks for being long whatever the market does.
pub(crate) fn write_inclined_model(
    models_dir: &Path,
    number: usize,
    spec: &PolicySpec,
    inclination: f32,
) -> ModelRef {
    let id = ModelId::of_run(&RunId::at(at(number)));
    let dir = models_dir.join(id.as_str());
    std::fs::create_dir_all(&dir).unwrap();
    let sha256 = write_weights(&dir, number, spec, inclination);
    ModelRef { id, dir, sha256, lineage_until: spec.used_until }
}

/// Writes the weights into an existing folder and returns their hash.
pub(crate) fn write_weights(dir: &Path, number: usize, spec: &PolicySpec, inclination: f32) -> String {
    let (inputs, outputs) = (spec.obs_dim(), spec.actions.len());
    let weight = |index: usize| ((index * 7 + number * 13) % 11) as f32 / 5.0 - 1.0;
    let mut bias = vec![0.0; outputs];
    bias[1] = inclination;
    let tensors = BTreeMap::from([
        ("actor.0.weight".to_owned(), (vec![outputs, inputs], (0..outputs * inputs).map(weight).collect())),
        ("actor.0.bias".to_owned(), (vec![outputs], bias)),
    ]);
    walkforward_policy::write_bundle(dir, spec, &tensors, None).unwrap().sha256
}

pub(crate) struct ListFeed(pub(crate) VecDeque<Bar>);

impl ListFeed {
    pub(crate) fn of(bars: impl IntoIterator<Item = Bar>) -> Box<Self> {
        Box::new(Self(bars.into_iter().collect()))
    }
}

#[async_trait]
impl BarFeed for ListFeed {
    async fn next_bar(&mut self) -> Result<Option<Bar>, SourceError> {
        Ok(self.0.pop_front())
    }
}

/// A walk during which something happens before some bars; each time it waits until the trader has looked twice.
pub(crate) struct EventfulFeed {
    pub(crate) walk: Walk,
    pub(crate) bars: usize,
    pub(crate) events: Vec<(usize, Box<dyn FnMut() + Send>)>,
    pub(crate) looks: Arc<AtomicU64>,
}

#[async_trait]
impl BarFeed for EventfulFeed {
    async fn next_bar(&mut self) -> Result<Option<Bar>, SourceError> {
        if self.walk.index == self.bars {
            return Ok(None);
        }
        for (_, event) in self.events.iter_mut().filter(|(bar, _)| *bar == self.walk.index) {
            event();
            // The look that is under way may have seen the state before; the second one after it is done.
            let before = self.looks.load(Ordering::SeqCst);
            while self.looks.load(Ordering::SeqCst) < before + 3 {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
        }
        Ok(Some(self.walk.next_bar()))
    }
}

/// Counts the looks at a champion.
pub(crate) struct Counted<S>(pub(crate) S, pub(crate) Arc<AtomicU64>);

impl<S: ChampionSource> ChampionSource for Counted<S> {
    fn look(&mut self, again: bool) -> Result<ChampionLook, ChampionError> {
        self.1.fetch_add(1, Ordering::SeqCst);
        self.0.look(again)
    }

    fn file(&self) -> Option<PathBuf> {
        self.0.file()
    }

    fn folder_of(&self, model: &ModelId) -> Option<PathBuf> {
        self.0.folder_of(model)
    }
}

/// A champion that the test moves.
#[derive(Clone, Default)]
pub(crate) struct Champion(pub(crate) Arc<Mutex<Option<ModelRef>>>);

impl Champion {
    pub(crate) fn of(model: &ModelRef) -> Self {
        Self(Arc::new(Mutex::new(Some(model.clone()))))
    }
}

impl ChampionSource for Champion {
    fn look(&mut self, _again: bool) -> Result<ChampionLook, ChampionError> {
        let model = self.0.lock().unwrap().clone();
        Ok(model.map_or(ChampionLook::NoChampion, |model| ChampionLook::Champion(model, None)))
    }

    fn folder_of(&self, model: &ModelId) -> Option<PathBuf> {
        let champion = self.0.lock().unwrap();
        Some(champion.as_ref()?.dir.parent()?.join(model.as_str()))
    }
}

/// A folder with models and a journal.
pub(crate) struct Workplace {
    pub(crate) folder: TempDir,
}

impl Workplace {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn models_dir(&self) -> PathBuf {
        self.folder.path().join("models")
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.folder.path().join("live/journal")
    }

    pub(crate) fn model(&self, number: usize) -> ModelRef {
        write_model(&self.models_dir(), number, &spec(features()))
    }

    pub(crate) fn options(&self) -> TraderOptions {
        let symbol = "BTC/USD".parse().unwrap();
        let mut options = TraderOptions::new(symbol, hour(), self.journal());
        options.poll_interval = std::time::Duration::from_millis(1);
        options
    }

    pub(crate) fn trader(
        &self,
        options: TraderOptions,
        feed: Box<dyn BarFeed>,
        champion: Box<dyn ChampionSource>,
    ) -> Trader {
        Trader::new(options, ports(feed, champion), CancelToken::default()).unwrap()
    }

    pub(crate) async fn trade(
        &self,
        feed: Box<dyn BarFeed>,
        champion: impl ChampionSource + 'static,
    ) -> Result<SessionSummary, LiveError> {
        self.trader(self.options(), feed, Box::new(champion)).run().await
    }

    pub(crate) fn records(&self) -> Vec<JournalRecord> {
        read_journal(&self.journal()).unwrap().map(Result::unwrap).collect()
    }

    pub(crate) fn headers(&self) -> Vec<SegmentHeader> {
        let header = |record| if let JournalRecord::Header(header) = record { Some(*header) } else { None };
        self.records().into_iter().filter_map(header).collect()
    }

    pub(crate) fn bars(&self) -> Vec<BarRecord> {
        let bar = |record| if let JournalRecord::Bar(bar) = record { Some(*bar) } else { None };
        self.records().into_iter().filter_map(bar).collect()
    }

    /// Why models were refused.
    pub(crate) fn refusals(&self) -> Vec<String> {
        let reason =
            |event| if let EventRecord::Refused { reason, .. } = event { Some(reason) } else { None };
        self.events().into_iter().filter_map(reason).collect()
    }

    pub(crate) fn events(&self) -> Vec<EventRecord> {
        let event = |record| match record {
            JournalRecord::Event(StampedEvent { event, .. }) => Some(event),
            _ => None,
        };
        self.records().into_iter().filter_map(event).collect()
    }
}

/// Ports of a session over hours, on a clock that stands.
pub(crate) fn ports(feed: Box<dyn BarFeed>, champion: Box<dyn ChampionSource>) -> TraderPorts {
    TraderPorts {
        feed: Box::new(ReplayedBars::new(feed, hour())),
        backfill: None,
        execution: paper().into(),
        champion,
        clock: Arc::new(ManualClock::at(at(0))),
    }
}

pub(crate) fn paper() -> Box<PaperBroker> {
    Box::new(PaperBroker::new(FillModel::new(&SessionConfig::default())))
}
