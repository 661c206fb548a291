//! What a trader takes from a closed bar to an order: 16 features, an observation of 66 numbers, a 66-64-64-3 network,
//! the limits, and the ledger. One line of JSON:
//!
//! `cargo bench --bench bar_to_action` -> `{"p50_us":..,"p99_us":..,"allocations":..}`
//!
//! Times are of the monotonic clock around one bar; `allocations` are those of all bars after the warm-up. What comes
//! after the decision is beside it: the journal's record (`append_us`), its way to the disk (`sync_us`), and what a swap
//! costs the bar that follows (`swap_us`).
#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]
#![expect(clippy::disallowed_methods, reason = "a bench measures wall time")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use walkforward_core::{
    ActionMap, Activation, BarRequest, BarSeries, FeatureKind, FeatureSpec, ModelId, NetworkSpec, Normaliser,
    Policy, PolicySpec, Probe, Timestamp,
};
use walkforward_engine::{FillModel, SessionConfig};
use walkforward_etl::SyntheticSource;
use walkforward_live::{
    BarRecord, Checkpoint, ClosedBar, DecisionJournal, Desk, JournalBounds, JournalRecord, PAPER, PolicySlot,
    SegmentHead, SegmentHeader, SessionLimits, TraderOptions,
};
use walkforward_policy::{Tensors, load, write_bundle};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

const BARS: usize = 20_000;
const WARM_UP: usize = 2_000;
const LOOKBACK: usize = 4;
const HIDDEN: usize = 64;
const SWAPS: usize = 1_000;
const SYNCS: usize = 200;

fn features() -> FeatureSpec {
    let kinds = vec![
        FeatureKind::Returns { periods: vec![1, 4, 12, 24, 48] },
        FeatureKind::Rsi { period: 14 },
        FeatureKind::SmaTrend { fast: 20, slow: 50 },
        FeatureKind::TrendStrength { fast: 20, slow: 50 },
        FeatureKind::Volatility { period: 24, norm: None },
        FeatureKind::VolumeRatio { period: 20 },
        FeatureKind::BollingerPosition { period: 20, deviations: 2.0 },
        FeatureKind::Macd { fast: 12, slow: 26, signal: 9 },
        FeatureKind::Atr { period: 14, norm: None },
    ];
    FeatureSpec::new(kinds).expect("features")
}

fn spec() -> PolicySpec {
    let features = features();
    let width = features.width();
    PolicySpec {
        schema: PolicySpec::SCHEMA,
        symbol: "BTC/USD".parse().expect("a symbol"),
        timeframe: "1h".parse().expect("a timeframe"),
        network: NetworkSpec::Mlp {
            inputs: LOOKBACK * width + PolicySpec::PORTFOLIO_INPUTS,
            hidden: vec![HIDDEN, HIDDEN],
            outputs: 3,
            activation: Activation::Tanh,
        },
        sessions: false,
        features,
        normaliser: Normaliser { mean: vec![0.0; width], std: vec![0.5; width], clip: 5.0 },
        lookback: LOOKBACK,
        actions: ActionMap::BuySellHold,
        used_until: Timestamp::EPOCH,
        probe: Probe { observations: vec![], outputs: vec![], tolerance: 0.0 },
    }
}

fn policy(spec: &PolicySpec) -> Arc<dyn Policy> {
    let mut tensors = Tensors::new();
    let layers = [(spec.obs_dim(), HIDDEN), (HIDDEN, HIDDEN), (HIDDEN, 3)];
    for (layer, (inputs, outputs)) in layers.into_iter().enumerate() {
        let weight = (0..inputs * outputs).map(|index| ((index * 37 % 101) as f32 - 50.0) / 60.0).collect();
        tensors.insert(format!("actor.{layer}.weight"), (vec![outputs, inputs], weight));
        tensors.insert(format!("actor.{layer}.bias"), (vec![outputs], vec![0.0; outputs]));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let written = write_bundle(folder.path(), spec, &tensors, None).expect("a bundle");
    load(folder.path(), &written.sha256).expect("the bundle")
}

/// A trader over one series of bars.
struct World {
    bars: BarSeries,
    policy: Arc<dyn Policy>,
    desk: Desk,
    fills: FillModel,
    orders: usize,
}

impl World {
    fn new() -> Self {
        let spec = spec();
        assert_eq!(spec.obs_dim(), 66);
        let request = BarRequest::new(spec.symbol.clone(), BARS);
        let bars = SyntheticSource::new(1).read(&request).expect("synthetic bars").bars;
        let policy = policy(&spec);
        let limits = SessionLimits {
            max_drawdown: Some(1.0),
            max_daily_loss: Some(1.0),
            max_orders_per_hour: Some(60),
            ..SessionLimits::default()
        };
        let mut desk = Desk::new(SessionConfig::default(), limits, WARM_UP).expect("a desk");
        desk.prepare(policy.as_ref()).expect("features");
        Self { bars, policy, desk, fills: FillModel::new(&SessionConfig::default()), orders: 0 }
    }

    fn on_bars(&mut self, bars: std::ops::Range<usize>) {
        for index in bars {
            self.on_bar(index);
        }
    }

    /// From the close of bar `index` to the order; the fill of the order before it is the venue's and comes first.
    fn on_bar(&mut self, index: usize) -> Duration {
        let bar = self.bars.bar(index);
        let pending = self.desk.session().pending().copied();
        if let Some(fill) = pending.and_then(|order| self.fills.fill(&order, bar.open(), bar.open_time())) {
            self.desk.book(&fill).expect("a fill");
        }
        let close_time = bar.close_time(self.bars.timeframe());
        let start = Instant::now();
        self.desk.close(&bar, close_time).expect("a bar");
        let decision = self.desk.decide(self.policy.as_ref(), None, close_time);
        let took = start.elapsed();
        self.orders += usize::from(decision.is_ok_and(|decision| decision.order.is_some()));
        took
    }
}

fn micros(durations: &mut [Duration], share: f64) -> f64 {
    durations.sort_unstable();
    let index = ((durations.len() - 1) as f64 * share).round() as usize;
    durations[index].as_nanos() as f64 / 1_000.0
}

/// Allocations of all bars after the warm-up.
fn allocations() -> u64 {
    let mut world = World::new();
    world.on_bars(0..WARM_UP);
    let profiler = dhat::Profiler::builder().testing().build();
    world.on_bars(WARM_UP..world.bars.len());
    let stats = dhat::HeapStats::get();
    drop(profiler);
    stats.total_blocks
}

/// What the reader of the slot pays besides its bar when the policy has been swapped since: time of the load alone.
fn swap() -> Vec<Duration> {
    let (slot, policy) = (PolicySlot::new(), policy(&spec()));
    let id = ModelId::of_run(&walkforward_core::RunId::at(Timestamp::EPOCH));
    let mut took = Vec::with_capacity(SWAPS);
    for _ in 0..SWAPS {
        slot.deploy(Arc::clone(&policy), id.clone(), String::new());
        let start = Instant::now();
        let deployed = slot.load();
        took.push(start.elapsed());
        assert!(deployed.is_some());
    }
    took
}

/// Bars before which the policy was swapped, and those beside them before which it was not: the whole way from the slot
/// to the order.
fn beside_swaps() -> (Vec<Duration>, Vec<Duration>) {
    let mut world = World::new();
    world.on_bars(0..WARM_UP);
    let (slot, id) = (PolicySlot::new(), ModelId::of_run(&walkforward_core::RunId::at(Timestamp::EPOCH)));
    let policies = [policy(&spec()), policy(&spec())];
    let (mut swapped, mut others) = (Vec::new(), Vec::new());
    let mut current = slot.deploy(Arc::clone(&policies[0]), id.clone(), String::new());
    for index in WARM_UP..world.bars.len() {
        let is_swap = index % 2 == 0;
        if is_swap {
            slot.deploy(Arc::clone(&policies[index / 2 % 2]), id.clone(), String::new());
        }
        let (bar, timeframe) = (world.bars.bar(index), world.bars.timeframe());
        let start = Instant::now();
        let offered = slot.load().expect("a policy");
        if offered.model_version != current.model_version {
            world.desk.prepare(offered.policy.as_ref()).expect("features");
        }
        world.desk.close(&bar, bar.close_time(timeframe)).expect("a bar");
        let decided = world.desk.decide(offered.policy.as_ref(), None, bar.close_time(timeframe));
        let took = start.elapsed();
        assert!(decided.is_ok());
        current = offered;
        if is_swap { swapped.push(took) } else { others.push(took) }
    }
    (swapped, others)
}

/// Appending a bar's record, and bringing it to the disk.
fn journal() -> (Vec<Duration>, Vec<Duration>) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut world = World::new();
    let mut journal = begun(folder.path(), &world);
    let (mut append, mut sync) = (Vec::new(), Vec::new());
    for index in 0..SYNCS {
        world.on_bar(index);
        let record = JournalRecord::Bar(Box::new(record(&world, index)));
        let start = Instant::now();
        journal.append(&record).expect("a record");
        append.push(start.elapsed());
        let start = Instant::now();
        journal.sync().expect("a disk");
        sync.push(start.elapsed());
    }
    (append, sync)
}

/// A journal with the head of its first segment.
fn begun(folder: &Path, world: &World) -> DecisionJournal {
    let now = Timestamp::EPOCH;
    let journal = DecisionJournal::open(folder, JournalBounds::default(), now, Duration::ZERO);
    let mut journal = journal.expect("a journal");
    let options = TraderOptions::new(spec().symbol, world.bars.timeframe(), folder.to_owned());
    let header = SegmentHeader::new(&options, world.bars.timeframe(), PAPER, now);
    let checkpoint = Checkpoint::new(world.desk.checkpoint());
    let history = Box::new(std::iter::empty());
    journal.begin(SegmentHead { header, checkpoint, history }).expect("a segment");
    journal
}

fn record(world: &World, index: usize) -> BarRecord {
    let (bar, session) = (world.bars.bar(index), world.desk.session());
    let closed = ClosedBar { bar, present: true, base_bars: 1, expected_base_bars: 1 };
    BarRecord {
        first_history_bar: world.desk.first_history_bar(),
        observation: Some(world.desk.observation().to_vec()),
        order: session.pending().map(|approved| *approved.order()),
        cash: session.cash(),
        position: session.position(),
        ..BarRecord::of(&closed, bar.close_time(world.bars.timeframe()), session.equity())
    }
}

fn main() {
    let mut world = World::new();
    world.on_bars(0..WARM_UP);
    let mut took: Vec<Duration> = (WARM_UP..world.bars.len()).map(|index| world.on_bar(index)).collect();
    let (mut append, mut sync) = journal();
    let (mut swapped, mut others) = beside_swaps();
    let line = serde_json::json!({
        "bench": "bar_to_action",
        "bars": took.len(),
        "orders": world.orders,
        "p50_us": micros(&mut took, 0.5),
        "p99_us": micros(&mut took, 0.99),
        "allocations": allocations(),
        "swap_us": micros(&mut swap(), 0.5),
        "swap_p99_us": micros(&mut swap(), 0.99),
        "bar_after_swap_us": micros(&mut swapped, 0.5),
        "bar_without_swap_us": micros(&mut others, 0.5),
        "append_us": micros(&mut append, 0.5),
        "sync_us": micros(&mut sync, 0.5),
    });
    println!("{line}");
}
