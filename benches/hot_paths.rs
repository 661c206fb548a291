//! What the parts on the way of a bar cost: one step of the session, one feature row, one decision, loading a bundle,
//! and swapping a policy.
//!
//! `cargo bench --bench hot_paths`; figures and machine in `docs/performance.md`.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use walkforward_core::{
    ActionMap, Activation, BarRequest, BarSeries, FeatureSpec, ModelId, NetworkSpec, Normaliser, Observation,
    PolicySpec, Probe,
};
use walkforward_engine::{FeatureEngine, SessionConfig, TradingSession};
use walkforward_etl::SyntheticSource;
use walkforward_live::PolicySlot;
use walkforward_policy::{Tensors, load, write_bundle};

const BARS: usize = 2_000;
const LOOKBACK: usize = 4;
const HIDDEN: usize = 64;

fn bars() -> BarSeries {
    let request = BarRequest::new(spec().symbol, BARS);
    SyntheticSource::new(1).read(&request).expect("synthetic bars").bars
}

fn spec() -> PolicySpec {
    let features = FeatureSpec::default();
    let width = features.width();
    let inputs = LOOKBACK * width + PolicySpec::PORTFOLIO_INPUTS;
    PolicySpec {
        schema: PolicySpec::SCHEMA,
        symbol: "BTC/USD".parse().expect("a symbol"),
        timeframe: "1h".parse().expect("a timeframe"),
        network: NetworkSpec::Mlp {
            inputs,
            hidden: vec![HIDDEN, HIDDEN],
            outputs: 2,
            activation: Activation::Tanh,
        },
        sessions: false,
        features,
        normaliser: Normaliser { mean: vec![0.0; width], std: vec![1.0; width], clip: 5.0 },
        lookback: LOOKBACK,
        actions: ActionMap::LongFlat,
        used_until: "2024-01-01T00:00:00Z".parse().expect("a time"),
        probe: Probe { observations: vec![], outputs: vec![], tolerance: 0.0 },
    }
}

/// Small weights that differ from each other.
fn weights(spec: &PolicySpec) -> Tensors {
    let mut tensors = Tensors::new();
    for (layer, (inputs, outputs)) in
        [(spec.obs_dim(), HIDDEN), (HIDDEN, HIDDEN), (HIDDEN, 2)].into_iter().enumerate()
    {
        let weight = (0..inputs * outputs).map(|index| ((index * 37 % 101) as f32 - 50.0) / 500.0).collect();
        tensors.insert(format!("actor.{layer}.weight"), (vec![outputs, inputs], weight));
        tensors.insert(format!("actor.{layer}.bias"), (vec![outputs], vec![0.0; outputs]));
    }
    tensors
}

fn session_step(c: &mut Criterion) {
    let bars: Vec<_> = bars().iter().collect();
    let hour = "1h".parse().expect("a timeframe");
    c.bench_function("session: decide and step 2,000 bars", |b| {
        b.iter_batched(
            || TradingSession::new(SessionConfig::default()).expect("a session"),
            |mut session| {
                for (index, bar) in bars.iter().enumerate() {
                    session.on_bar(bar, true);
                    let target = if index / 10 % 2 == 0 { 1.0 } else { 0.0 };
                    session.decide(target, bar.close_time(hour)).expect("within limits");
                }
                session.equity()
            },
            BatchSize::SmallInput,
        );
    });
    c.bench_function("features: 2,000 bars, default columns", |b| {
        b.iter(|| {
            let mut engine = FeatureEngine::new(&FeatureSpec::default()).expect("features");
            for bar in &bars {
                black_box(engine.push(bar).expect("finite features"));
            }
        });
    });
}

fn bundle(c: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder");
    let spec = spec();
    let written = write_bundle(folder.path(), &spec, &weights(&spec), None).expect("a bundle");
    c.bench_function("bundle: load, hash, check, probe", |b| {
        b.iter(|| load(folder.path(), &written.sha256).expect("loads"));
    });
    let policy = load(folder.path(), &written.sha256).expect("loads");
    let observation = vec![0.25; spec.obs_dim()];
    c.bench_function("policy: one decision", |b| {
        b.iter(|| policy.act(Observation(black_box(&observation))).expect("decides"));
    });
    let (slot, id) = (PolicySlot::new(), "model-2024-01-01T00-00-00-000Z".parse::<ModelId>().expect("an id"));
    slot.deploy(Arc::clone(&policy), id.clone(), written.sha256.clone());
    c.bench_function("slot: read", |b| b.iter(|| black_box(slot.load())));
    c.bench_function("slot: swap", |b| {
        b.iter_batched(
            || (Arc::clone(&policy), id.clone(), written.sha256.clone()),
            |(policy, id, sha256)| slot.deploy(policy, id, sha256),
            BatchSize::SmallInput,
        );
    });
}

criterion_group!(benches, session_step, bundle);
criterion_main!(benches);
