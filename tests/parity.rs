//! The same bars come to the same fills and the same equity in training, in a backtest, on paper and in the shadow, to the
//! last bit.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use tempfile::TempDir;
use walkforward_core::{
    Action, ActionMap, Activation, Bar, BarFeed, BarRequest, BarSeries, CancelToken, Continued, DataSource,
    Dataset, DatasetBuilder, DatasetRequest, Evaluator, FeatureKind, FeatureSpec, Fill, ManualClock,
    MarketRules, ModelRef, NetworkSpec, NoProgress, Normaliser, Observation, Policy, PolicySpec, Probe,
    SizedTargets, SourceBars, SourceError, StageContext, StreamRequest, Timeframe, Timestamp, Window,
};
use walkforward_engine::{
    BarOutcome, FillModel, NormalisedRows, SessionBatch, SessionConfig, SessionRecord, SessionStep,
    TradingSession, continue_policy, feature_matrix, write_observation,
};
use walkforward_etl::{CsvOptions, CsvSource, EtlConfig, EtlPipeline, SyntheticSource};
use walkforward_evaluator::BacktestEvaluator;
use walkforward_live::{
    ChampionError, ChampionLook, ChampionSource, JournalRecord, PaperBroker, ReplayedBars, Shadow,
    ShadowModel, Succession, Trader, TraderOptions, TraderPorts, read_journal,
};
use walkforward_policy::write_bundle;

use crate::support::shared_data;

const LOOKBACK: usize = 3;
const HIDDEN: usize = 16;
const WINDOW: usize = 1_600;
const HOLDOUT: usize = 1_400;
/// Bars after which a session is put away and taken up again.
const STRETCH: usize = 37;

/// What a session came to, each figure as its bits, `[bars]`.
#[derive(Debug, Clone, PartialEq, Default)]
struct Trace {
    equity: Vec<u64>,
    net_return: Vec<u64>,
    fills: Vec<Fill>,
}

impl Trace {
    fn note(&mut self, equity: f64, net_return: f64) {
        self.equity.push(equity.to_bits());
        self.net_return.push(net_return.to_bits());
    }
}

/// A model and the bars that it trades: the hold-out of a dataset, or all but its first.
struct Case {
    dataset: Dataset,
    model: ModelRef,
    policy: Arc<dyn Policy>,
    session: SessionConfig,
    range: Range<usize>,
    rows: NormalisedRows,
    _folder: TempDir,
}

fn context() -> StageContext {
    StageContext {
        clock: Arc::new(ManualClock::at(Timestamp::EPOCH)),
        progress: Arc::new(NoProgress),
        cancel: CancelToken::default(),
        work_dir: std::path::PathBuf::new(),
    }
}

/// Features that follow from a few closes: they have the same bits wherever they begin.
fn without_memory() -> FeatureSpec {
    FeatureSpec::new(vec![FeatureKind::Returns { periods: vec![1, 2, 5, 12] }]).unwrap()
}

fn spec(dataset: &Dataset, actions: ActionMap) -> PolicySpec {
    let features = dataset.feature_spec.clone();
    let width = features.width();
    let std = if features == without_memory() { 0.004 } else { 0.3 };
    PolicySpec {
        schema: PolicySpec::SCHEMA,
        symbol: dataset.symbol.clone(),
        timeframe: dataset.timeframe(),
        network: NetworkSpec::Mlp {
            inputs: LOOKBACK * width + PolicySpec::PORTFOLIO_INPUTS,
            hidden: vec![HIDDEN],
            outputs: actions.len(),
            activation: Activation::Tanh,
        },
        sessions: false,
        features,
        normaliser: Normaliser { mean: vec![0.02; width], std: vec![std; width], clip: 5.0 },
        lookback: LOOKBACK,
        actions,
        used_until: dataset.split,
        probe: Probe { observations: vec![], outputs: vec![], tolerance: 0.0 },
    }
}

/// Weights without any sense, which decide otherwise from bar to bar.
fn write_model(folder: &Path, spec: &PolicySpec) -> ModelRef {
    let mut tensors = BTreeMap::new();
    let layers = [(spec.obs_dim(), HIDDEN), (HIDDEN, spec.actions.len())];
    for (layer, (inputs, outputs)) in layers.into_iter().enumerate() {
        let weight = (0..inputs * outputs).map(|index| ((index * 37 % 101) as f32 - 50.0) / 60.0).collect();
        tensors.insert(format!("actor.{layer}.weight"), (vec![outputs, inputs], weight));
        tensors.insert(format!("actor.{layer}.bias"), (vec![outputs], vec![0.0; outputs]));
    }
    let sha256 = write_bundle(folder, spec, &tensors, None).unwrap().sha256;
    let id = "model-2024-01-01T00-00-00-000Z".parse().unwrap();
    ModelRef { id, dir: folder.to_owned(), sha256, lineage_until: spec.used_until }
}

impl Case {
    async fn new(
        source: Arc<dyn DataSource>,
        features: FeatureSpec,
        actions: ActionMap,
        session: SessionConfig,
    ) -> Self {
        let request = DatasetRequest {
            symbol: "BTC/USD".parse().unwrap(),
            timeframe: None,
            as_of: None,
            window_bars: WINDOW,
            holdout_bars: HOLDOUT,
            embargo_bars: 0,
            features,
        };
        let pipeline = EtlPipeline::new(source, EtlConfig::default().unlimited());
        let dataset = pipeline.build(&request, &context()).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let spec = spec(&dataset, actions);
        let model = write_model(folder.path(), &spec);
        let policy = walkforward_policy::load(&model.dir, &model.sha256).unwrap();
        let raw = feature_matrix(&spec.features, &dataset.bars).unwrap();
        let rows = raw.normalised(&spec.normaliser).unwrap();
        // A trader runs a hole before its first bar too, because it knows of it: it begins behind a bar that is there.
        let split = dataset.split_index();
        let first = (split..).find(|&bar| dataset.can_fill(bar - 1)).unwrap();
        let range = first..dataset.bars.len();
        Self { dataset, model, policy, session, range, rows, _folder: folder }
    }

    fn present(&self) -> Vec<bool> {
        (0..self.dataset.bars.len()).map(|bar| self.dataset.can_fill(bar)).collect()
    }

    fn start(&self) -> Timestamp {
        self.dataset.bars.open_times()[self.range.start]
    }

    fn close_time(&self, bar: &Bar) -> Timestamp {
        bar.close_time(self.dataset.timeframe())
    }

    /// The environment of a training: three sessions side by side, of which the second is that of the policy.
    fn training(&self) -> Trace {
        const OURS: usize = 1;
        let (bars, present) = (self.dataset.bars.iter().collect::<Vec<_>>(), self.present());
        let mut batch = SessionBatch::new(self.session, 3).unwrap();
        (0..3).for_each(|session| batch.restart(session, &bars[self.range.start]));
        let mut trace = Trace::default();
        trace.note(batch.ledger(OURS).unwrap().equity(), 0.0);
        let mut outcomes = [BarOutcome::EMPTY; 3];
        for index in self.range.clone().skip(1) {
            let target = |session: usize| {
                let portfolio = batch.portfolio(session).unwrap();
                let mut observation = vec![0.0; self.policy.spec().obs_dim()];
                let window = self.rows.window(index - 1, LOOKBACK).unwrap();
                write_observation(window, portfolio, &mut observation).unwrap();
                let own = self.policy.act(Observation(&observation)).unwrap();
                let action = if session == OURS { own } else { Action((index / 3 % 2) as u8) };
                self.policy.spec().actions.decide(action, portfolio.position_fraction).unwrap()
            };
            let step = |session| SessionStep {
                target: target(session),
                decided_at: self.close_time(&bars[index - 1]),
                bar: &bars[index],
                present: present[index],
            };
            let steps = [step(0), step(OURS), step(2)];
            batch.step(&steps, &mut outcomes).unwrap();
            let outcome = outcomes[OURS];
            trace.fills.extend(outcome.fill.into_iter().chain(outcome.liquidation));
            trace.note(outcome.equity, outcome.net_return);
        }
        trace
    }

    /// The backtest, whose report has all but the equity, which its returns are made of.
    fn backtest(&self) -> Trace {
        let judged = Window::new(self.start(), self.dataset.window.end()).unwrap();
        let evaluator = BacktestEvaluator::new(self.session);
        let report = evaluator.evaluate(&self.model, &self.dataset, judged, &context()).unwrap();
        assert!(report.mechanical.loads && report.mechanical.varies, "{:?}", report.mechanical);
        let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect();
        Trace { equity: Vec::new(), net_return: bits(&report.net_return), fills: report.fills }
    }

    /// The bars of `range` that the source has.
    fn fed(&self, range: Range<usize>) -> Vec<Bar> {
        let bars = range.filter(|&bar| self.dataset.can_fill(bar)).map(|bar| self.dataset.bars.bar(bar));
        bars.collect()
    }

    /// The trader on paper, as its journal tells it.
    async fn paper(&self) -> Trace {
        let folder = tempfile::tempdir().unwrap();
        let journal = folder.path().join("journal");
        let timeframe = self.dataset.timeframe();
        let options = TraderOptions {
            session: self.session,
            warm_up: self.fed(0..self.range.start),
            ..TraderOptions::new(self.dataset.symbol.clone(), timeframe, journal.clone())
        };
        let feed = Feed(self.fed(self.range.clone()).into());
        let ports = TraderPorts {
            feed: Box::new(ReplayedBars::new(Box::new(feed), timeframe)),
            backfill: None,
            execution: Box::new(PaperBroker::new(FillModel::new(&self.session))).into(),
            champion: Box::new(Champion(self.model.clone())),
            clock: Arc::new(ManualClock::at(self.start())),
        };
        Trader::new(options, ports, CancelToken::default()).unwrap().run().await.unwrap();
        let (mut trace, mut before) = (Trace::default(), self.session.initial_cash);
        for record in read_journal(&journal).unwrap() {
            let JournalRecord::Bar(bar) = record.unwrap() else { continue };
            let growth = if before > 0.0 { bar.equity / before } else { 1.0 };
            trace.note(bar.equity, growth - 1.0);
            trace.fills.extend(bar.all_fills());
            before = bar.equity;
        }
        trace
    }

    /// A session that is put away every few bars and taken up again, as streams are.
    fn in_stretches(&self) -> Trace {
        let (bars, present) = (&self.dataset.bars, self.present());
        let mut session = TradingSession::new(self.session).unwrap();
        let mut record = SessionRecord::default();
        for from in self.range.clone().step_by(STRETCH) {
            let stretch = from..(from + STRETCH).min(self.range.end);
            let policy = self.policy.as_ref();
            let played = continue_policy(&mut session, policy, bars, &present, &self.rows, stretch);
            record.append(played.unwrap());
            let put_away = serde_json::to_string(&session.checkpoint()).unwrap();
            let checkpoint = serde_json::from_str(&put_away).unwrap();
            session = TradingSession::resume(self.session, &checkpoint).unwrap();
        }
        let mut trace = Trace::default();
        for (equity, net_return) in record.equity.iter().zip(&record.net_return) {
            trace.note(*equity, *net_return);
        }
        Trace { fills: record.fills, ..trace }
    }

    /// The trader's shadow, whose features begin anew each day. It tells no fills.
    fn shadow(&self) -> Trace {
        let (bars, present) = (self.dataset.bars.iter().collect::<Vec<_>>(), self.present());
        let mut shadow = Shadow::new(self.session, self.dataset.timeframe(), bars.len()).unwrap();
        bars[..self.range.start].iter().for_each(|bar| shadow.warm_up(bar));
        let ModelRef { id, sha256, .. } = self.model.clone();
        let model = ShadowModel { model_id: id, sha256, policy: Arc::clone(&self.policy) };
        shadow.set_champion(model, Succession::Takeover).unwrap();
        let mut trace = Trace::default();
        for (bar, present) in bars.iter().zip(present).skip(self.range.start) {
            let [played] = shadow.on_bar(bar, present) else { panic!("one model") };
            trace.note(played.equity, played.net_return);
        }
        trace
    }

    /// The returns that the gates count, stretch by stretch.
    fn stream(&self) -> Vec<u64> {
        let (evaluator, end) = (BacktestEvaluator::new(self.session), self.dataset.window.end());
        let (mut returns, mut session, mut from) = (Vec::new(), None, self.start());
        while from < end {
            let length = STRETCH as i64 * self.dataset.timeframe().millis();
            let span = Window::new(from, from.plus_millis(length).min(end)).unwrap();
            let request = StreamRequest {
                model: Some(&self.model),
                dataset: &self.dataset,
                span,
                session: session.as_ref(),
            };
            let Continued::Scored(stretch) = evaluator.continue_stream(&request, &context()).unwrap() else {
                panic!("a stretch that is scored");
            };
            returns.extend(stretch.net_return.iter().map(|value| value.to_bits()));
            (session, from) = (Some(stretch.session), span.end());
        }
        returns
    }

    async fn check(&self, name: &str) {
        let training = self.training();
        assert!(training.fills.len() > 20, "{name}: {} fills", training.fills.len());
        assert_eq!(training.equity.len(), self.range.len(), "{name}");
        let same = |other: &Trace, who: &str| {
            assert!(
                *other == training,
                "{name}: {who} is not training, first at {:?}",
                first(other, &training)
            );
        };
        same(&self.paper().await, "the trader on paper");
        same(&self.in_stretches(), "a session in stretches");
        same(&Trace { equity: training.equity.clone(), ..self.backtest() }, "the backtest");
        if self.dataset.feature_spec == without_memory() {
            same(&Trace { fills: training.fills.clone(), ..self.shadow() }, "the shadow");
            assert_eq!(self.stream(), training.net_return, "{name}: the stream is not training");
        }
    }
}

/// Index of the first bar at which two traces differ.
fn first(one: &Trace, other: &Trace) -> Option<usize> {
    let differs = |one: &[u64], other: &[u64]| one.iter().zip(other).position(|(a, b)| a != b);
    let places = [differs(&one.equity, &other.equity), differs(&one.net_return, &other.net_return)];
    places.into_iter().flatten().min()
}

/// Gives bars one after the other.
struct Feed(VecDeque<Bar>);

#[async_trait]
impl BarFeed for Feed {
    async fn next_bar(&mut self) -> Result<Option<Bar>, SourceError> {
        Ok(self.0.pop_front())
    }
}

/// A champion that stays.
struct Champion(ModelRef);

impl ChampionSource for Champion {
    fn look(&mut self, _again: bool) -> Result<ChampionLook, ChampionError> {
        Ok(ChampionLook::Champion(self.0.clone(), None))
    }
}

/// Synthetic bars of which some are left out.
struct Holes(BarSeries);

impl Holes {
    fn new(seed: u64) -> Arc<Self> {
        let request = BarRequest::new("BTC/USD".parse().unwrap(), WINDOW + 400);
        let whole = SyntheticSource::new(seed).read(&request).unwrap().bars;
        let mut bars = BarSeries::new(whole.timeframe());
        for (index, bar) in whole.iter().enumerate() {
            let is_hole = index % 17 == 9 || (900..904).contains(&index) || (1_300..1_330).contains(&index);
            if !is_hole {
                bars.push(bar).unwrap();
            }
        }
        Arc::new(Self(bars))
    }
}

#[async_trait]
impl DataSource for Holes {
    async fn bars(&self, _request: &BarRequest) -> Result<SourceBars, SourceError> {
        let as_of = self.0.last_close_time().unwrap();
        Ok(SourceBars::new(self.0.clone(), as_of, "synthetic bars with holes"))
    }
}

/// Each action scheme with a market that allows it.
fn schemes() -> [(ActionMap, MarketRules); 4] {
    let sized = SizedTargets::new(&[-0.5, 0.0, 0.25, 1.0]).unwrap();
    [
        (ActionMap::LongFlat, MarketRules::LONG_ONLY),
        (ActionMap::BuySellHold, MarketRules::LONG_ONLY),
        (ActionMap::ShortFlatLong, MarketRules::SHORTING),
        (ActionMap::Sized(sized), MarketRules::SHORTING),
    ]
}

#[tokio::test]
async fn training_backtest_paper_and_shadow_come_to_the_same_bits_on_bars_with_holes() {
    for (index, (actions, market)) in schemes().into_iter().enumerate() {
        for (features, max_bars_in_position) in [
            (FeatureSpec::default(), None),
            (FeatureSpec::default(), Some(5)),
            (without_memory(), None),
            (without_memory(), Some(5)),
        ] {
            let session = SessionConfig { market, max_bars_in_position, ..SessionConfig::default() };
            let case = Case::new(Holes::new(index as u64 + 1), features, actions, session).await;
            let absent = case.present()[case.range.clone()].iter().filter(|there| !**there).count();
            assert!(absent > 80, "{absent} holes");
            let width = case.dataset.feature_spec.width();
            case.check(&format!("{actions:?}, {width} features, {max_bars_in_position:?}")).await;
        }
    }
}

#[tokio::test]
async fn training_backtest_paper_and_shadow_come_to_the_same_bits_on_real_bars_shared_data() {
    let name = "training_backtest_paper_and_shadow_come_to_the_same_bits_on_real_bars_shared_data";
    let Some(shared) = shared_data(name) else { return };
    let bitfinex = CsvOptions {
        columns: Some("time,open,close,high,low,volume".parse().unwrap()),
        ..CsvOptions::default()
    };
    let files = [
        ("Coinbase_BTCUSD_1h.csv", CsvOptions::default(), Timeframe::HOUR),
        ("BTCUSDT_1h.csv.gz", CsvOptions::default(), Timeframe::HOUR),
        ("bitfinex_BTCUSD_1m_2019.csv.gz", bitfinex, Timeframe::MINUTE),
    ];
    for (file, options, timeframe) in files {
        let source = Arc::new(CsvSource::new(shared.join("data").join(file), options));
        for (features, max_bars_in_position) in
            [(FeatureSpec::default(), None), (FeatureSpec::default(), Some(12)), (without_memory(), Some(12))]
        {
            let market = MarketRules::SHORTING;
            let session = SessionConfig { market, max_bars_in_position, ..SessionConfig::default() };
            let case = Case::new(source.clone(), features, ActionMap::ShortFlatLong, session).await;
            assert_eq!(case.dataset.timeframe(), timeframe, "{file}");
            case.check(&format!("{file}, {max_bars_in_position:?}")).await;
        }
    }
}
