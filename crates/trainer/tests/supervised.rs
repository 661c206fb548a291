//! The trainer that is no reinforcement learning: it finds an edge, finds none where there is none, and keeps the
//! promises that every trainer makes.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod common;

use std::path::Path;
use std::sync::Arc;

use common::{context, context_with, dataset, hour, job, with_sessions, zigzag};
use serde_json::{Value, json};
use walkforward_core::{
    Bar, BarSeries, CancelToken, Dataset, DatasetBuilder, DatasetRequest, ErrorKind, FeatureSpec, NoProgress,
    StageError, TrainingOutcome,
};
use walkforward_engine::{SessionConfig, SessionRecord, feature_matrix, run_policy};
use walkforward_etl::{EtlConfig, EtlPipeline, SyntheticSource};
use walkforward_policy::{FrozenPolicy, Policy, WEIGHTS_FILE, load_policy, sha256_hex};
use walkforward_trainer::{SupervisedTrainer, Trainer};

const MODELS: [&str; 3] = ["ridge", "logistic", "trees"];

fn train(dataset: Dataset, pack: Value, seed: u64, dir: &Path) -> Result<TrainingOutcome, StageError> {
    SupervisedTrainer::new(SessionConfig::default()).train(&job(dataset, pack, seed, dir), &context())
}

fn bundle_bytes(dataset: Dataset, model: &str, seed: u64) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    train(dataset, json!({ "model": model, "lookback": 2, "horizon_bars": 5 }), seed, dir.path()).unwrap();
    std::fs::read(dir.path().join(WEIGHTS_FILE)).unwrap()
}

fn load(dir: &Path) -> FrozenPolicy {
    let bytes = std::fs::read(dir.join(WEIGHTS_FILE)).unwrap();
    load_policy(dir, &sha256_hex(&bytes)).unwrap()
}

/// Half a year of synthetic hours, the last 500 held out.
fn synthetic(source: SyntheticSource) -> Dataset {
    let request = DatasetRequest {
        symbol: "BTC/USD".parse().unwrap(),
        timeframe: None,
        as_of: None,
        window_bars: 4_000,
        holdout_bars: 500,
        embargo_bars: 0,
        features: FeatureSpec::default(),
    };
    let pipeline = EtlPipeline::new(Arc::new(source), EtlConfig::default());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(pipeline.build(&request, &context())).unwrap()
}

/// What the policy does on the hold-out.
fn backtest(policy: &FrozenPolicy, dataset: &Dataset) -> SessionRecord {
    let present: Vec<bool> = (0..dataset.bars.len()).map(|index| dataset.can_fill(index)).collect();
    let rows = feature_matrix(&dataset.feature_spec, &dataset.bars).unwrap();
    let rows = rows.normalised(&policy.spec().normaliser).unwrap();
    let range = dataset.split_index()..dataset.bars.len();
    run_policy(policy, &dataset.bars, &present, &rows, range, &SessionConfig::default()).unwrap()
}

fn annualised_sharpe(record: &SessionRecord, dataset: &Dataset) -> f64 {
    let count = record.net_return.len() as f64;
    let mean = record.net_return.iter().sum::<f64>() / count;
    let variance = record.net_return.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / (count - 1.0);
    if variance > 0.0 { mean / variance.sqrt() * dataset.timeframe().bars_per_year().sqrt() } else { 0.0 }
}

#[test]
fn every_model_finds_the_edge_of_the_synthetic_market() {
    for seed in [7, 8] {
        let dataset = synthetic(SyntheticSource::new(seed));
        for model in MODELS {
            let dir = tempfile::tempdir().unwrap();
            let outcome = train(dataset.clone(), json!({ "model": model }), 1, dir.path()).unwrap();
            assert_eq!(outcome.metrics["has_edge"], 1.0, "{model}");
            let record = backtest(&load(dir.path()), &dataset);
            let sharpe = annualised_sharpe(&record, &dataset);
            eprintln!("seed {seed}, {model}: Sharpe {sharpe:.1}, {} fills", record.fills.len());
            assert!(sharpe > 10.0 && record.fills.len() > 5, "{model}, seed {seed}: {sharpe}");
        }
    }
}

#[test]
fn nothing_is_found_where_there_is_nothing() {
    for seed in [7, 8, 9] {
        let dataset = synthetic(SyntheticSource::without_edge(seed));
        for model in MODELS {
            let dir = tempfile::tempdir().unwrap();
            let outcome = train(dataset.clone(), json!({ "model": model }), 1, dir.path()).unwrap();
            let record = backtest(&load(dir.path()), &dataset);
            let sharpe = annualised_sharpe(&record, &dataset);
            let t = outcome.metrics["validation_t"];
            eprintln!("seed {seed}, {model}: t {t:.2}, Sharpe {sharpe:.1}, {} fills", record.fills.len());
            assert!(sharpe < 5.0, "{model}, seed {seed}: {sharpe}");
            assert!(outcome.metrics["has_edge"] == 1.0 || record.fills.is_empty(), "{model}, seed {seed}");
        }
    }
}

#[test]
fn the_bytes_depend_on_the_bars_and_the_pack_alone() {
    let data = || dataset(zigzag(400, 20, 0.01), 40);
    for model in MODELS {
        let first = bundle_bytes(data(), model, 1);
        assert_eq!(bundle_bytes(data(), model, 2), first, "{model}");
        assert_ne!(bundle_bytes(dataset(zigzag(400, 21, 0.01), 40), model, 1), first, "{model}");
    }
}

#[test]
fn the_hold_out_does_not_reach_the_model() {
    let changed = |model: &str, from: usize| {
        let mut bars = BarSeries::new(hour());
        for (index, bar) in zigzag(400, 20, 0.01).iter().enumerate() {
            let other = Bar::flat(bar.open_time(), 1_000.0 + index as f64).unwrap();
            bars.push(if index < from { bar } else { other }).unwrap();
        }
        bundle_bytes(dataset(bars, 40), model, 1)
    };
    for model in MODELS {
        let whole = changed(model, 400);
        assert_eq!(changed(model, 360), whole, "{model}");
        assert_ne!(changed(model, 359), whole, "the last bar before it does, {model}");
    }
}

#[test]
fn the_outcome_says_what_was_used_and_found() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(zigzag(600, 20, 0.01), 100);
    let pack = json!({ "model": "trees", "lookback": 2, "horizon_bars": 5, "trees": 20 });
    let outcome = train(data.clone(), pack, 1, dir.path()).unwrap();
    assert_eq!(
        (outcome.trainer.as_str(), outcome.iterations, outcome.environment_steps),
        ("supervised", 20, 0)
    );
    assert_eq!(outcome.used_until, data.split);
    assert_eq!(outcome.metrics["has_edge"], 1.0);
    assert!(outcome.metrics["validation_hit_rate"] > 0.7, "{:?}", outcome.metrics);
    let policy = load(dir.path());
    assert_eq!((policy.spec().used_until, policy.spec().lookback), (data.split, 2));
    assert_eq!(policy.spec().network.kind(), "trees");
    let record = backtest(&policy, &data);
    assert!(record.equity.last().unwrap() > &12_000.0, "{:?}", record.equity.last());
}

#[test]
fn a_market_that_only_costs_money_gets_a_model_that_never_trades() {
    // Each bar rises and falls again before the next opens: no decision earns its costs.
    let mut bars = BarSeries::new(hour());
    for (index, bar) in zigzag(500, 3, 0.0005).iter().enumerate() {
        let close = 100.0 + if index % 2 == 0 { 0.01 } else { 0.0 };
        bars.push(Bar::new(bar.open_time(), 100.0, 100.02, 99.99, close, 1.0).unwrap()).unwrap();
    }
    let data = dataset(bars, 40);
    for model in MODELS {
        let dir = tempfile::tempdir().unwrap();
        let outcome = train(data.clone(), json!({ "model": model }), 1, dir.path()).unwrap();
        assert_eq!(outcome.metrics["has_edge"], 0.0);
        assert!(backtest(&load(dir.path()), &data).fills.is_empty());
    }
}

#[test]
fn what_can_not_be_trained_is_bad_input_and_leaves_no_file() {
    let check = |data: Dataset, pack: Value, expected: &str| {
        let dir = tempfile::tempdir().unwrap();
        let error = train(data, pack, 1, dir.path()).unwrap_err();
        assert!(error.kind == ErrorKind::BadInput && error.to_string().contains(expected), "{error}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    };
    check(dataset(zigzag(150, 20, 0.01), 40), json!({}), "have features and a label");
    check(dataset(zigzag(200, 20, 0.01), 200), json!({}), "0 bars before the hold-out");
    check(dataset(zigzag(400, 20, 0.01), 40), json!({ "model": "lstm" }), "lstm");
    check(dataset(zigzag(3_000, 20, 0.01), 40), json!({ "lookback": 200 }), "600 inputs is too large");
    let costly = SupervisedTrainer::new(SessionConfig { fee_bps: -1.0, ..SessionConfig::default() });
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(zigzag(400, 20, 0.01), 40);
    let error = costly.train(&job(data, json!({}), 1, dir.path()), &context()).unwrap_err();
    assert!(error.to_string().contains("fee_bps"), "{error}");
}

#[test]
fn a_cancelled_training_leaves_no_file() {
    let cancel = CancelToken::default();
    cancel.cancel();
    let dir = tempfile::tempdir().unwrap();
    for model in MODELS {
        let job = job(dataset(zigzag(400, 20, 0.01), 40), json!({ "model": model }), 1, dir.path());
        let context = context_with(Arc::new(NoProgress), cancel.clone());
        let trainer = SupervisedTrainer::new(SessionConfig::default());
        assert_eq!(trainer.train(&job, &context).unwrap_err().kind, ErrorKind::Cancelled);
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_model_says_whether_its_market_has_sessions() {
    let market = || dataset(zigzag(400, 20, 0.01), 40);
    for (dataset, has_sessions) in [(market(), false), (with_sessions(market()), true)] {
        let dir = tempfile::tempdir().unwrap();
        train(dataset, json!({ "model": "ridge", "lookback": 2, "horizon_bars": 5 }), 1, dir.path()).unwrap();
        assert_eq!(load(dir.path()).spec().sessions, has_sessions);
    }
}
