//! A decision allocates nothing.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::collections::BTreeMap;

use walkforward_core::{
    ActionMap, Activation, Bar, FeatureKind, FeatureSpec, NetworkSpec, Normaliser, Policy, PolicySpec, Probe,
    Timeframe, Timestamp,
};
use walkforward_engine::{FillModel, SessionConfig};
use walkforward_live::{Decision, Desk, NoDecision, SessionLimits};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

const BARS: usize = 1_000;
const WARM_UP: usize = 300;
const LOOKBACK: usize = 4;
const HIDDEN: usize = 64;

/// Every kind of feature that there is.
fn all_features() -> FeatureSpec {
    FeatureSpec::new(vec![
        FeatureKind::Returns { periods: vec![1, 4, 24] },
        FeatureKind::Rsi { period: 14 },
        FeatureKind::SmaTrend { fast: 20, slow: 50 },
        FeatureKind::TrendStrength { fast: 20, slow: 50 },
        FeatureKind::Volatility { period: 24, norm: Some(100) },
        FeatureKind::VolumeRatio { period: 20 },
        FeatureKind::BollingerPosition { period: 20, deviations: 2.0 },
        FeatureKind::Macd { fast: 12, slow: 26, signal: 9 },
        FeatureKind::Atr { period: 14, norm: Some(50) },
        FeatureKind::Stochastic { period: 14, smooth: 3 },
        FeatureKind::Obv { norm: 20 },
        FeatureKind::Roc { period: 10 },
        FeatureKind::Cci { period: 20 },
    ])
    .unwrap()
}

fn policy(features: FeatureSpec) -> walkforward_policy::FrozenPolicy {
    let width = features.width();
    let inputs = LOOKBACK * width + PolicySpec::PORTFOLIO_INPUTS;
    let spec = PolicySpec {
        schema: PolicySpec::SCHEMA,
        symbol: "BTC/USD".parse().unwrap(),
        timeframe: Timeframe::HOUR,
        network: NetworkSpec::Mlp {
            inputs,
            hidden: vec![HIDDEN, HIDDEN],
            outputs: 3,
            activation: Activation::Tanh,
        },
        sessions: false,
        features,
        normaliser: Normaliser { mean: vec![0.0; width], std: vec![1.0; width], clip: 5.0 },
        lookback: LOOKBACK,
        actions: ActionMap::BuySellHold,
        used_until: Timestamp::EPOCH,
        probe: Probe { observations: vec![], outputs: vec![], tolerance: 0.0 },
    };
    let mut tensors = BTreeMap::new();
    for (layer, (inputs, outputs)) in
        [(inputs, HIDDEN), (HIDDEN, HIDDEN), (HIDDEN, 3)].into_iter().enumerate()
    {
        let weight = (0..inputs * outputs).map(|index| ((index * 37 % 101) as f32 - 50.0) / 60.0).collect();
        tensors.insert(format!("actor.{layer}.weight"), (vec![outputs, inputs], weight));
        tensors.insert(format!("actor.{layer}.bias"), (vec![outputs], vec![0.0; outputs]));
    }
    let folder = tempfile::tempdir().unwrap();
    let sha256 = walkforward_policy::write_bundle(folder.path(), &spec, &tensors, None).unwrap().sha256;
    walkforward_policy::load_policy(folder.path(), &sha256).unwrap()
}

fn bar(index: usize) -> Bar {
    let wave = (index as f64 * 0.37).sin() + 0.3 * (index as f64 * 1.91).cos();
    let (open, close) = (100.0 + 3.0 * wave, 100.0 + 3.0 * (index as f64 * 0.37 + 0.2).sin());
    let time = Timestamp::EPOCH.plus_millis(index as i64 * Timeframe::HOUR.millis());
    Bar::new(time, open, open.max(close) + 0.5, open.min(close) - 0.5, close, 5.0 + wave).unwrap()
}

#[test]
fn a_bar_from_close_to_order_allocates_nothing() {
    let limits = SessionLimits {
        max_drawdown: Some(0.99),
        max_daily_loss: Some(0.99),
        max_orders_per_hour: Some(5),
        ..SessionLimits::default()
    };
    for features in [FeatureSpec::default(), all_features()] {
        let policy = policy(features);
        let mut desk = Desk::new(SessionConfig::default(), limits, WARM_UP).unwrap();
        desk.prepare(&policy).unwrap();
        (0..WARM_UP).for_each(|index| drop(on_bar(&mut desk, &policy, index)));
        let profiler = dhat::Profiler::builder().testing().build();
        let mut orders = 0;
        for index in WARM_UP..BARS {
            orders += usize::from(on_bar(&mut desk, &policy, index).unwrap().order.is_some());
        }
        let stats = dhat::HeapStats::get();
        dhat::assert_eq!(stats.total_blocks, 0);
        assert!(orders > 5, "{orders} orders");
        drop(profiler);
    }
}

fn on_bar(desk: &mut Desk, policy: &dyn Policy, index: usize) -> Result<Decision, NoDecision> {
    let fills = FillModel::new(&SessionConfig::default());
    let bar = bar(index);
    let pending = desk.session().pending().copied();
    if let Some(fill) = pending.and_then(|order| fills.fill(&order, bar.open(), bar.open_time())) {
        desk.book(&fill).unwrap();
    }
    let close_time = bar.close_time(Timeframe::HOUR);
    desk.close(&bar, close_time).unwrap();
    desk.decide(policy, None, close_time)
}
