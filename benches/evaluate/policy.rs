//! A network of 66-64-64-3 over a year of minutes.

use std::sync::Arc;

use serde_json::{Value, json};
use walkforward_core::{
    ActionMap, Activation, FeatureKind, FeatureSpec, MarketCalendar, MarketRules, NetworkSpec, Normaliser,
    Policy, PolicySpec, Probe, RiskLimits, Timeframe,
};
use walkforward_engine::{FeatureMatrix, NormalisedRows, SessionConfig, run_policy};
use walkforward_evaluator::measure;
use walkforward_policy::{Tensors, load, write_bundle};

use crate::bars::{BARS, bars, uniform};
use crate::measure::time;

const FEATURES: usize = 16;
const LOOKBACK: usize = 4;
const HIDDEN: usize = 64;
const ACTIONS: usize = 3;
const RUNS: usize = 7;
/// Small costs, so that a network that trades at random still has money at the end.
const COSTS: SessionConfig = SessionConfig {
    initial_cash: 10_000.0,
    fee_bps: 0.05,
    slippage_bps: 0.05,
    risk: RiskLimits { max_order_notional: None },
    market: MarketRules::SHORTING,
    max_bars_in_position: None,
};

/// A JSON line for each of three rates of trading: session, inference, metrics and trades; features are given.
pub(crate) fn run() -> Vec<Value> {
    let folder = tempfile::tempdir().expect("a folder");
    let spec = spec();
    let written = write_bundle(folder.path(), &spec, &weights(), None).expect("a bundle");
    let policy = load(folder.path(), &written.sha256).expect("loads");
    [("policy", 0.99), ("policy_restless", 0.9), ("policy_frantic", 0.0)]
        .map(|(name, memory)| line(name, &policy, &features(memory)))
        .to_vec()
}

fn line(name: &str, policy: &Arc<dyn Policy>, features: &NormalisedRows) -> Value {
    let bars = bars();
    let present = vec![true; BARS];
    let bars_per_year = MarketCalendar::Continuous.bars_per_year(Timeframe::MINUTE);
    let (seconds, (fills, equity, (metrics, trades))) = time(RUNS, || {
        let record = run_policy(policy.as_ref(), &bars, &present, features, 0..BARS, &COSTS);
        let record = record.expect("a session");
        let equity = record.equity.last().copied();
        (record.fills.len(), equity, measure(&record, bars_per_year).expect("figures"))
    });
    json!({
        "name": name,
        "rows": BARS,
        "rows_per_cpu_s": (BARS as f64 / seconds.median).round(),
        "rows_per_cpu_s_fastest": (BARS as f64 / seconds.fastest).round(),
        "bars_per_fill": BARS as f64 / fills as f64,
        "trades": trades.len(),
        "last_equity": equity,
        "sharpe": metrics.sharpe,
    })
}

/// `[BARS, FEATURES]`: noise of which each bar keeps the share `memory` of the bar before.
fn features(memory: f64) -> NormalisedRows {
    let mut data = Vec::with_capacity(BARS * FEATURES);
    let mut last = [0.0_f64; FEATURES];
    let noise = (12.0 * (1.0 - memory * memory)).sqrt();
    for bar in 0..BARS {
        for (column, value) in last.iter_mut().enumerate() {
            *value = memory * *value + noise * (uniform(bar * FEATURES + column, 2) - 0.5);
            data.push(*value as f32);
        }
    }
    let matrix = FeatureMatrix { width: FEATURES, first_row: 0, data };
    matrix.normalised(&spec().normaliser).expect("a normaliser")
}

fn spec() -> PolicySpec {
    let periods = (1..=FEATURES as u32).collect();
    let features = FeatureSpec::new(vec![FeatureKind::Returns { periods }]).expect("features");
    let inputs = LOOKBACK * FEATURES + PolicySpec::PORTFOLIO_INPUTS;
    let hidden = vec![HIDDEN; 2];
    PolicySpec {
        schema: PolicySpec::SCHEMA,
        symbol: "BTC/USD".parse().expect("a symbol"),
        timeframe: Timeframe::MINUTE,
        network: NetworkSpec::Mlp { inputs, hidden, outputs: ACTIONS, activation: Activation::Tanh },
        sessions: false,
        features,
        normaliser: Normaliser { mean: vec![0.0; FEATURES], std: vec![1.0; FEATURES], clip: 5.0 },
        lookback: LOOKBACK,
        actions: ActionMap::ShortFlatLong,
        used_until: "1970-01-01".parse().expect("a time"),
        probe: Probe { observations: vec![], outputs: vec![], tolerance: 0.0 },
    }
}

/// Weights as a fresh network has them.
fn weights() -> Tensors {
    let mut tensors = Tensors::new();
    let widths = [LOOKBACK * FEATURES + PolicySpec::PORTFOLIO_INPUTS, HIDDEN, HIDDEN, ACTIONS];
    for (layer, pair) in widths.windows(2).enumerate() {
        let scale = (3.0 / pair[0] as f64).sqrt() * 2.0;
        let weight =
            (0..pair[0] * pair[1]).map(|index| (scale * (uniform(index, layer as u64) - 0.5)) as f32);
        tensors.insert(format!("actor.{layer}.weight"), (vec![pair[1], pair[0]], weight.collect()));
        tensors.insert(format!("actor.{layer}.bias"), (vec![pair[1]], vec![0.0; pair[1]]));
    }
    tensors
}
