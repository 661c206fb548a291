//! The embedded market has an edge, and the trainer finds it; where there is none, it finds none.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod common;

use std::sync::Arc;

use common::{context, job};
use walkforward_core::{Dataset, DatasetBuilder, DatasetRequest, FeatureSpec};
use walkforward_engine::{SessionConfig, SessionRecord, feature_matrix, run_policy};
use walkforward_etl::{EtlConfig, EtlPipeline, SyntheticSource};
use walkforward_policy::{Policy, WEIGHTS_FILE, load_mlp, sha256_hex};
use walkforward_trainer::{PpoTrainer, Trainer};

const WINDOW_BARS: usize = 4_000;
const HOLDOUT_BARS: usize = 500;

fn dataset(source: SyntheticSource) -> Dataset {
    let request = DatasetRequest {
        symbol: "BTC/USD".parse().unwrap(),
        timeframe: None,
        as_of: None,
        window_bars: WINDOW_BARS,
        holdout_bars: HOLDOUT_BARS,
        embargo_bars: 0,
        features: FeatureSpec::default(),
    };
    let pipeline = EtlPipeline::new(Arc::new(source), EtlConfig::default());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(pipeline.build(&request, &context())).unwrap()
}

/// Trains with the default settings, but a smaller network for fewer iterations, then runs the policy over the hold-out.
fn train_and_backtest(dataset: &Dataset) -> SessionRecord {
    let dir = tempfile::tempdir().unwrap();
    let pack = serde_json::json!({ "iterations": 12, "hidden": [32, 32] });
    let job = job(dataset.clone(), pack, 1, dir.path());
    PpoTrainer::new(SessionConfig::default()).train(&job, &context()).unwrap();
    let bytes = std::fs::read(dir.path().join(WEIGHTS_FILE)).unwrap();
    let policy = load_mlp(dir.path(), &sha256_hex(&bytes)).unwrap();
    let present: Vec<bool> = (0..dataset.bars.len()).map(|index| dataset.can_fill(index)).collect();
    let rows = feature_matrix(&dataset.feature_spec, &dataset.bars).unwrap();
    let rows = rows.normalised(&policy.spec().normaliser).unwrap();
    let range = dataset.split_index()..dataset.bars.len();
    run_policy(&policy, &dataset.bars, &present, &rows, range, &SessionConfig::default()).unwrap()
}

fn annualised_sharpe(record: &SessionRecord, dataset: &Dataset) -> f64 {
    let count = record.net_return.len() as f64;
    let mean = record.net_return.iter().sum::<f64>() / count;
    let variance = record.net_return.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / (count - 1.0);
    mean / variance.sqrt() * dataset.timeframe().bars_per_year().sqrt()
}

#[test]
fn the_edge_of_the_synthetic_market_is_learned() {
    let dataset = dataset(SyntheticSource::new(7));
    let record = train_and_backtest(&dataset);
    let sharpe = annualised_sharpe(&record, &dataset);
    assert!(sharpe > 10.0, "{sharpe}");
    // Long while the close is above where it stood half a day ago, flat while it is below, most of the time.
    let closes = &dataset.bars.closes()[dataset.split_index() - 12..];
    let agrees = |bar: &usize| (closes[bar + 12] > closes[*bar]) == (record.position[*bar] > 0.5);
    let agreeing = (0..HOLDOUT_BARS).filter(agrees).count();
    assert!(agreeing * 10 > HOLDOUT_BARS * 7, "{agreeing} of {HOLDOUT_BARS}");
}

#[test]
fn nothing_is_found_where_there_is_nothing() {
    let dataset = dataset(SyntheticSource::without_edge(7));
    let record = train_and_backtest(&dataset);
    let sharpe = annualised_sharpe(&record, &dataset);
    assert!(sharpe.is_nan() || sharpe < 5.0, "{sharpe}");
}
