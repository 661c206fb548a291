//! A small run in a temporary folder, with all parts of the product's own; an example replaces one of them.

use std::sync::Arc;

use anyhow::{Context, Result};
use walkforward::clock::SystemClock;
use walkforward_core::{CancelToken, Clock, DatasetRequest, FeatureSpec, NoProgress, StageContext};
use walkforward_engine::SessionConfig;
use walkforward_etl::{EtlConfig, EtlPipeline, SyntheticSource};
use walkforward_evaluator::BacktestEvaluator;
use walkforward_orchestrator::{
    InProcessLauncher, OnNoNewBars, Parent, Pipeline, RunReport, RunRequest, Stages,
};
use walkforward_promoter::ThresholdsGate;
use walkforward_store::Store;
use walkforward_trainer::PpoTrainer;

/// The product's own stages over synthetic bars.
pub(crate) fn stages() -> Stages {
    let session = SessionConfig::default();
    Stages {
        datasets: Arc::new(EtlPipeline::new(Arc::new(SyntheticSource::new(1)), EtlConfig::default())),
        launcher: Arc::new(InProcessLauncher::new(Arc::new(PpoTrainer::new(session)))),
        evaluator: Arc::new(BacktestEvaluator::new(session)),
        gate: Arc::new(ThresholdsGate::default()),
    }
}

/// A run small enough to watch: 2,000 hourly bars, the last 300 held out.
pub(crate) fn small_request() -> Result<RunRequest> {
    Ok(RunRequest {
        line: "default".parse()?,
        dataset: DatasetRequest {
            symbol: "BTC/USD".parse()?,
            timeframe: None,
            as_of: None,
            window_bars: 2_000,
            holdout_bars: 300,
            embargo_bars: 0,
            features: FeatureSpec::default(),
        },
        pack: serde_json::json!({ "iterations": 4 }),
        parent: Parent::None,
        base: None,
        on_no_new_bars: OnNoNewBars::Run,
        seed: 1,
        threads: 1,
        min_judged_bars: 250,
        auto_deploy: true,
        overrules_evidence: false,
        code_version: env!("CARGO_PKG_VERSION").to_owned(),
        settings: std::collections::BTreeMap::new(),
        made_for: None,
        supplied_sha256: None,
        allow_reused_metrics: false,
        arm: None,
    })
}

/// Runs `stages` once in a temporary folder and prints what came of it.
pub(crate) fn run(stages: Stages, request: &RunRequest) -> Result<RunReport> {
    let folder = tempfile::tempdir()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let store = Store::open(&folder.path().join("data"), &folder.path().join("models"), Arc::clone(&clock))?;
    let ctx = StageContext {
        clock,
        progress: Arc::new(NoProgress),
        cancel: CancelToken::default(),
        work_dir: folder.path().to_owned(),
    };
    let runtime = tokio::runtime::Runtime::new().context("no async runtime")?;
    let report = runtime.block_on(Pipeline::new(stages, Arc::new(store)).run(request, &ctx))?;
    print(&report);
    Ok(report)
}

#[expect(clippy::print_stdout, reason = "an example shows what it did")]
fn print(report: &RunReport) {
    println!("{} bars from {}", report.window_bars, report.origin);
    println!("trained by {}: {} iterations", report.training.trainer, report.training.iterations);
    for check in &report.verdict.checks {
        println!("  {}", check.sentence);
    }
    println!("{}: {}", report.outcome.as_str(), report.verdict.sentence);
}
