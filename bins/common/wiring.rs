//! Implementations picked by name.

use std::path::PathBuf;
use std::sync::Arc;

use walkforward_core::{CancelToken, Clock, DataSource, Evaluator, Progress, StageContext};
use walkforward_etl::{CsvSource, EtlConfig, EtlPipeline, SyntheticSource};
use walkforward_evaluator::BacktestEvaluator;
use walkforward_orchestrator::{InProcessLauncher, Pipeline, RunRequest, Stages};
use walkforward_store::Store;
use walkforward_trainer::PpoTrainer;

use crate::config::{OrchestrateConfig, SourceConfig};
use crate::failure::Failure;

/// The version that models record.
pub const CODE_VERSION: &str = env!("CARGO_PKG_VERSION");

/// The source that `config` names; synthetic bars come from `seed`.
pub fn source(config: &SourceConfig, seed: u64) -> Arc<dyn DataSource> {
    match config {
        SourceConfig::Synthetic => Arc::new(SyntheticSource::new(seed)),
        SourceConfig::File { path, options } => Arc::new(CsvSource::new(path, options.clone())),
    }
}

/// Opens the store in the folders of `config` and brings it in order.
pub fn store(config: &OrchestrateConfig, clock: &Arc<dyn Clock>) -> Result<Arc<Store>, Failure> {
    let store = Store::open(&config.data_dir, &config.models_dir, Arc::clone(clock));
    store.map(Arc::new).map_err(|error| Failure::from(&error))
}

/// The pipeline of `config` over `store`.
pub fn pipeline(config: &OrchestrateConfig, store: Arc<Store>) -> Pipeline {
    let source = source(&config.source, config.seed);
    let etl = EtlConfig { max_missing_share: config.max_missing_share };
    let evaluator: Arc<dyn Evaluator> = match &config.supplied {
        Some(supplied) => Arc::new(supplied.clone()),
        None => Arc::new(BacktestEvaluator::new(config.session)),
    };
    let stages = Stages {
        datasets: Arc::new(EtlPipeline::new(source, etl)),
        launcher: Arc::new(InProcessLauncher::new(Arc::new(PpoTrainer::new(config.session)))),
        evaluator,
        gate: Arc::new(config.gate.clone()),
    };
    Pipeline::new(stages, store)
}

/// What `config` asks a run to do.
pub fn run_request(config: &OrchestrateConfig) -> Result<RunRequest, Failure> {
    let pack = serde_json::to_value(&config.ppo).map_err(|error| Failure::stage(error.to_string()))?;
    Ok(RunRequest {
        line: config.line.clone(),
        dataset: config.dataset.clone(),
        pack,
        seed: config.seed,
        threads: config.threads,
        min_judged_bars: config.min_judged_bars,
        code_version: CODE_VERSION.to_owned(),
        supplied_sha256: config.supplied.as_ref().and_then(|supplied| supplied.sha256().map(str::to_owned)),
        allow_reused_metrics: config.allow_reused_metrics,
    })
}

/// What every stage of a run is handed.
pub fn stage_context(
    clock: &Arc<dyn Clock>,
    progress: Arc<dyn Progress>,
    cancel: CancelToken,
    work_dir: PathBuf,
) -> StageContext {
    StageContext { clock: Arc::clone(clock), progress, cancel, work_dir }
}
