//! What `selftest` and `demo` have in common: a market of their own, a folder of their own, and in it the pipeline, the
//! ledger and the gates of the product.
//!
//! Nothing of the user's folders is read or written, so both run beside a server.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::Command;
use walkforward::config::{Folders, OrchestrateConfig};
use walkforward::evidence::{Cadence, choose_for_cycles};
use walkforward::failure::Failure;
use walkforward::launch::LauncherKind;
use walkforward::settings::{Binary, Settings, arguments};
use walkforward::wiring;
use walkforward_core::{
    CancelToken, Clock, DataSource, Dataset, DatasetRequest, ManualClock, NoProgress, StageContext, Timestamp,
};
use walkforward_orchestrator::recurrence::Recurrence;
use walkforward_orchestrator::replay::{ReplayParts, ReplayProgress, ReplayRequest, ReplaySummary, Replayer};
use walkforward_orchestrator::{NoObserver, Pipeline, RunReport, Stages};
use walkforward_store::{RunLock, Store};

use crate::replay;

pub(crate) mod bench;
pub(crate) mod folder;
pub(crate) mod leak;
pub(crate) mod live;
pub(crate) mod look_ahead;
pub(crate) mod progress;
pub(crate) mod shuffle;
pub(crate) mod side_by_side;

/// Milliseconds of a day.
pub(crate) const DAY_MS: i64 = 86_400_000;
/// After this time a cycle's model decides, as in `orchestrate replay`.
const PUBLISH_DELAY: Duration = Duration::from_secs(600);

/// Settings out of `flags` and defaults: nothing of the environment, nothing of a file.
pub(crate) fn settings(flags: &[&str]) -> Result<Settings, Failure> {
    let command = arguments(Command::new("rehearsal").no_binary_name(true), Binary::Orchestrate);
    let matches = command.try_get_matches_from(flags);
    let matches = matches.map_err(|error| Failure::stage(error.to_string()))?;
    Settings::collect(Binary::Orchestrate, &matches, &|_| None)
}

/// The configuration of cycles that promote by themselves: nobody approves in a rehearsal.
///
/// # Errors
/// A setting can't be used, or metrics are supplied.
pub(crate) fn config(settings: &Settings) -> Result<OrchestrateConfig, Failure> {
    let mut config = OrchestrateConfig::from_settings(settings, true)?;
    choose_for_cycles(&mut config, settings);
    if config.supplied.is_some() {
        return Err(Failure::input(
            "metrics that somebody supplied say nothing about other cycles: unset them",
        ));
    }
    if config.launch.kind == LauncherKind::Subprocess {
        // A worker protects a trader beside it; here are none, and hundreds of short trainings.
        config.launch.kind = LauncherKind::InProcess;
    }
    config.auto_deploy = true;
    Ok(config)
}

/// The span of a replay.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Span {
    /// Days from the first due time to the end.
    pub(crate) days: u64,
    /// When cycles are due.
    pub(crate) every: Recurrence,
    /// The end; bars are scored up to it.
    pub(crate) until: Timestamp,
}

impl Span {
    /// The first due time.
    pub(crate) fn from(&self) -> Timestamp {
        self.until.plus_millis(-DAY_MS * i64::try_from(self.days).unwrap_or(i64::MAX / DAY_MS))
    }
}

/// The product over one market, in one folder.
pub(crate) struct Rehearsal {
    /// What it runs with.
    pub(crate) config: OrchestrateConfig,
    /// Its models and records.
    pub(crate) store: Arc<Store>,
    stages: Stages,
    lock: Arc<RunLock>,
    clock: Arc<ManualClock>,
    cancel: CancelToken,
}

impl Rehearsal {
    /// A rehearsal over the bars of `source` with data and models below `folder`, at the time `now`.
    ///
    /// # Errors
    /// The folder can't be used, or `config` names a trainer that is not there.
    pub(crate) fn open(
        config: OrchestrateConfig,
        source: Arc<dyn DataSource>,
        folder: &Path,
        now: Timestamp,
        cancel: CancelToken,
    ) -> Result<Self, Failure> {
        let folders = Folders { data_dir: folder.join("data"), models_dir: folder.join("models") };
        let clock = Arc::new(ManualClock::at(now));
        let ports: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
        let store = Store::open(&folders.data_dir, &folders.models_dir, ports);
        let store = Arc::new(store.map_err(|error| Failure::from(&error))?);
        let lock = Arc::new(store.run_lock().map_err(|error| Failure::from(&error))?);
        let stages = wiring::stages_over(source, &config)?;
        let config =
            OrchestrateConfig { data_dir: folders.data_dir, models_dir: folders.models_dir, ..config };
        Ok(Self { config, store, stages, lock, clock, cancel })
    }

    /// One run from bars to verdict.
    ///
    /// # Errors
    /// A stage failed.
    pub(crate) async fn once(&self) -> Result<RunReport, Failure> {
        let request = wiring::run_request(&self.config, &Cadence::default())?;
        let pipeline = Pipeline::new(self.stages.clone(), Arc::clone(&self.store));
        let report = pipeline.run_under(&self.lock, &request, &self.context(), &NoObserver).await;
        report.map_err(Failure::from)
    }

    /// The cycles of `span` and what they came to.
    ///
    /// # Errors
    /// A cycle could not be made.
    pub(crate) async fn replay(
        &self,
        span: &Span,
        progress: &dyn ReplayProgress,
    ) -> Result<ReplaySummary, Failure> {
        let cadence = Cadence { text: span.every.to_string(), every: span.every.interval() };
        let mut run = wiring::run_request(&self.config, &cadence)?;
        if let Some(arm) = &mut run.arm {
            arm.publish_delay = PUBLISH_DELAY;
        }
        let request = ReplayRequest {
            run,
            recurrence: span.every.clone(),
            from: span.from(),
            until: span.until,
            wall_clock: span.until,
        };
        let parts = ReplayParts {
            stages: self.stages.clone(),
            store: Arc::clone(&self.store),
            lock: Arc::clone(&self.lock),
            clock: Arc::clone(&self.clock),
            cancel: self.cancel.clone(),
            work_dir: self.config.data_dir.clone(),
        };
        let replayer = Arc::new(Replayer::new(parts, request).map_err(replay::failure)?);
        replayer.run(progress).await.map_err(replay::failure)?;
        replayer.summary(Arc::new(self.config.thresholds.clone())).await.map_err(replay::failure)
    }

    /// The dataset of `request`.
    ///
    /// # Errors
    /// The bars can't be used.
    pub(crate) async fn dataset(&self, request: &DatasetRequest) -> Result<Dataset, Failure> {
        let dataset = self.stages.datasets.build(request, &self.context()).await;
        dataset.map_err(|error| Failure::from(&error))
    }

    fn context(&self) -> StageContext {
        StageContext {
            clock: Arc::<ManualClock>::clone(&self.clock),
            progress: Arc::new(NoProgress),
            cancel: self.cancel.clone(),
            work_dir: self.config.data_dir.clone(),
        }
    }
}
