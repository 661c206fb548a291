//! Implementations picked by name.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use walkforward_core::{
    CancelToken, Clock, DataSource, Dataset, DatasetBuilder, DatasetRequest, Evaluator, Progress,
    StageContext, StageError,
};
use walkforward_etl::EtlPipeline;
use walkforward_evaluator::BacktestEvaluator;
use walkforward_orchestrator::{OnNoNewBars, RunRequest, Stages};
use walkforward_store::Store;

use crate::config::OrchestrateConfig;
use crate::evidence::{self, Cadence};
use crate::failure::Failure;

/// The version that models record: `0.1.0+g1a2b3c4d5e6f`, the plain one outside a checkout (`build.rs`).
pub const CODE_VERSION: &str = env!("WALKFORWARD_CODE_VERSION");

/// Opens the store in the folders of `config` and brings it in order; trainings whose process was killed are ended
/// first.
pub fn store(config: &OrchestrateConfig, clock: &Arc<dyn Clock>) -> Result<Arc<Store>, Failure> {
    store_in(&config.data_dir, &config.models_dir, clock)
}

/// The same for these folders.
pub fn store_in(data_dir: &Path, models_dir: &Path, clock: &Arc<dyn Clock>) -> Result<Arc<Store>, Failure> {
    let orphans = walkforward_launcher::end_orphans(data_dir);
    if !orphans.is_empty() {
        tracing::warn!(?orphans, "ended what a killed process had left of its trainings");
    }
    walkforward_launcher::tidy_jobs(data_dir, clock.now());
    let store = Store::open(data_dir, models_dir, Arc::clone(clock));
    let store = store.map_err(|error| Failure::from(&error))?;
    for problem in &store.recovery().problems {
        tracing::warn!(problem, "found while opening the store");
    }
    Ok(Arc::new(store))
}

/// The stages of `config`.
pub fn stages(config: &OrchestrateConfig, clock: &Arc<dyn Clock>) -> Result<Stages, Failure> {
    stages_over(config.source.open(&config.dataset.symbol, config.seed, clock)?, config)
}

/// The stages of `config` over the bars of `source`.
pub fn stages_over(source: Arc<dyn DataSource>, config: &OrchestrateConfig) -> Result<Stages, Failure> {
    let evaluator: Arc<dyn Evaluator> = match &config.supplied {
        Some(supplied) => Arc::new(supplied.clone()),
        None => Arc::new(BacktestEvaluator::new(config.session)),
    };
    Ok(Stages {
        datasets: Arc::new(EtlPipeline::new(source, config.etl).with_calendar(config.calendar.clone())),
        launcher: config.launch.launcher(&config.trainer, config.session)?,
        evaluator,
        gate: evidence::chosen_gate(config),
    })
}

/// A dataset that was built before the run, so that bars which can't be used leave no trace on disk.
pub struct BuiltAhead(Dataset);

impl BuiltAhead {
    /// Builds the dataset of `request` now.
    pub async fn build(
        stages: &Stages,
        request: &RunRequest,
        ctx: &StageContext,
    ) -> Result<Self, StageError> {
        Ok(Self(stages.datasets.build(&request.dataset, ctx).await?))
    }
}

#[async_trait]
impl DatasetBuilder for BuiltAhead {
    async fn build(&self, _request: &DatasetRequest, _ctx: &StageContext) -> Result<Dataset, StageError> {
        Ok(self.0.clone())
    }
}

/// What `config` asks a run to do, one of those that come at `cadence`. A single run does it whether or not there are
/// new bars.
pub fn run_request(config: &OrchestrateConfig, cadence: &Cadence) -> Result<RunRequest, Failure> {
    Ok(RunRequest {
        line: config.line.clone(),
        dataset: config.dataset.clone(),
        pack: config.trainer.pack()?,
        parent: config.parent,
        base: None,
        on_no_new_bars: OnNoNewBars::Run,
        seed: config.seed,
        threads: config.threads,
        min_judged_bars: config.min_judged_bars,
        auto_deploy: config.auto_deploy,
        overrules_evidence: config.preset_is_set,
        code_version: CODE_VERSION.to_owned(),
        settings: config.recipe.clone(),
        made_for: None,
        supplied_sha256: config.supplied.as_ref().and_then(|supplied| supplied.sha256().map(str::to_owned)),
        allow_reused_metrics: config.allow_reused_metrics,
        arm: evidence::arm(config, cadence)?,
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
