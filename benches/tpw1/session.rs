//! The rate on the product's own environment: the engine's trading session over synthetic bars, with a network of
//! TPW-1's size.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use serde_json::{Value, json};
use walkforward_core::{
    CancelToken, Dataset, DatasetBuilder, DatasetRequest, FeatureKind, FeatureSpec, ManualClock, Progress,
    ProgressUpdate, RunId, StageContext, TrainingJob,
};
use walkforward_engine::SessionConfig;
use walkforward_etl::{EtlConfig, EtlPipeline, SyntheticSource};
use walkforward_trainer::{PpoTrainer, Trainer};

use crate::market::{BARS, EPISODE, WINDOW};
use crate::options::Options;
use crate::rate::{Measured, gemm_gflops, report};
use crate::{process, settings};

/// Iterations of the training that finds out how many fit into a repetition.
const TRIAL: u64 = 6;

/// Sixteen columns, so that an observation has TPW-1's 66 numbers.
fn features() -> Result<FeatureSpec, Box<dyn std::error::Error>> {
    Ok(FeatureSpec::new(vec![
        FeatureKind::Returns { periods: vec![1, 2, 4, 8, 12, 16, 24, 36, 48, 72] },
        FeatureKind::Rsi { period: 14 },
        FeatureKind::SmaTrend { fast: 20, slow: 50 },
        FeatureKind::TrendStrength { fast: 20, slow: 50 },
        FeatureKind::Volatility { period: 24, norm: None },
        FeatureKind::VolumeRatio { period: 20 },
    ])?)
}

/// Wall and processor time at the end of each iteration.
#[derive(Default)]
struct Stopwatch(Mutex<Vec<(Instant, f64)>>);

impl Progress for Stopwatch {
    fn report(&self, _update: ProgressUpdate) {
        if let Ok(mut times) = self.0.lock() {
            times.push((Instant::now(), process::process_cpu_seconds()));
        }
    }
}

fn context(stopwatch: &Arc<Stopwatch>, dataset_end: walkforward_core::Timestamp) -> StageContext {
    StageContext {
        clock: Arc::new(ManualClock::at(dataset_end)),
        progress: stopwatch.clone(),
        cancel: CancelToken::default(),
        work_dir: std::env::temp_dir(),
    }
}

fn dataset() -> Result<Dataset, Box<dyn std::error::Error>> {
    let request = DatasetRequest {
        symbol: "BTC/USD".parse()?,
        timeframe: None,
        as_of: None,
        window_bars: BARS,
        holdout_bars: EPISODE,
        embargo_bars: 0,
        features: features()?,
    };
    let pipeline = EtlPipeline::new(Arc::new(SyntheticSource::new(1)), EtlConfig::default());
    let context = context(&Arc::default(), "2024-01-01T00:00:00Z".parse()?);
    Ok(tokio::runtime::Builder::new_current_thread().build()?.block_on(pipeline.build(&request, &context))?)
}

/// Trains for `iterations` and gives the times at which each ended.
fn train(
    dataset: &Arc<Dataset>,
    options: &Options,
    iterations: u64,
) -> Result<Vec<(Instant, f64)>, Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let mut pack = serde_json::to_value(settings(options.envs))?;
    pack["iterations"] = json!(iterations);
    pack["lookback"] = json!(WINDOW);
    pack["episode_bars"] = json!(EPISODE);
    let stopwatch = Arc::new(Stopwatch::default());
    let context = context(&stopwatch, dataset.as_of);
    let job = TrainingJob {
        run_id: RunId::at(dataset.as_of),
        attempt: "1".to_owned(),
        dataset: dataset.clone(),
        parent: None,
        pack,
        seed: 1,
        threads: options.threads,
        out_dir: folder.path().to_owned(),
    };
    let trainer = PpoTrainer::new(SessionConfig::default()).with_backend(options.backend);
    trainer.train(&job, &context)?;
    let times = stopwatch.0.lock().map_err(|error| error.to_string())?.clone();
    Ok(times)
}

pub(crate) fn run(options: &Options, started: Instant) -> Result<Value, Box<dyn std::error::Error>> {
    let dataset = Arc::new(dataset()?);
    let between = |times: &[(Instant, f64)]| match times {
        [(first, first_cpu), .., (last, last_cpu)] => {
            ((*last - *first).as_secs_f64(), last_cpu - first_cpu, (times.len() - 1) as f64)
        }
        _ => (f64::NAN, f64::NAN, f64::NAN),
    };
    let trial = train(&dataset, options, TRIAL)?;
    let first_update_ms = trial.first().map_or(f64::NAN, |(at, _)| (*at - started).as_secs_f64() * 1e3);
    let (seconds, _, count) = between(&trial);
    let iterations = (options.seconds * count / seconds).ceil().clamp(2.0, 1e5) as u64;
    let batch = (options.envs * settings(options.envs).num_steps) as f64;
    let mut measured = Measured { wall: vec![], cpu: vec![], gemm: vec![] };
    for _ in 0..options.reps {
        measured.gemm.push(gemm_gflops(options.isa));
        let (wall, cpu, count) = between(&train(&dataset, options, iterations + 1)?);
        measured.wall.push(batch * count / wall);
        measured.cpu.push(batch * count / cpu);
    }
    Ok(report("session", options, &measured, f64::NAN, first_update_ms))
}
