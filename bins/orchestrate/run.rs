//! Runs, once or at an interval.

use std::sync::Arc;

use async_trait::async_trait;
use walkforward::clock::SystemClock;
use walkforward::config::{Mode, OrchestrateConfig};
use walkforward::failure::Failure;
use walkforward::settings::{Output, Settings};
use walkforward::source::SourceConfig;
use walkforward::wiring;
use walkforward::wiring::BuiltAhead;
use walkforward_core::{CancelToken, Clock, LineName, StageContext, Timestamp};
use walkforward_orchestrator::schedule::Schedule;
use walkforward_orchestrator::{CycleOutcome, Pipeline, RunError, RunReport, RunRequest, Stages, drive};
use walkforward_store::Store;

use crate::progress;
use crate::stoppable::{STOP_GRACE, stop_requested, stoppable};

mod print;

/// Runs what `settings` ask for.
pub(crate) fn run(settings: &Settings, output: Output, once: bool) -> Result<(), Failure> {
    let config = OrchestrateConfig::from_settings(settings, once)?;
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| Failure::stage(format!("the async runtime does not start: {error}")))?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let result = match config.mode {
        Mode::Once => runtime.block_on(stoppable(|cancel| run_once(config, clock, output, cancel))),
        Mode::Loop(schedule) => {
            let store = wiring::store(&config, &clock)?;
            let settings = settings.clone();
            let (line, interval_ms) = (config.line, schedule.interval_ms());
            let cycles = Loop { settings, line, interval_ms, store, clock, output };
            runtime.block_on(run_loop(cycles, schedule))
        }
    };
    runtime.shutdown_background();
    result
}

/// One run. The bars are read before the store is opened: what can't be used leaves no trace.
async fn run_once(
    config: OrchestrateConfig,
    clock: Arc<dyn Clock>,
    output: Output,
    cancel: CancelToken,
) -> Result<(), Failure> {
    let (stages, request) = (wiring::stages(&config, &clock)?, wiring::run_request(&config)?);
    let ctx = context(&config, &clock, output, cancel);
    let built = BuiltAhead::build(&stages, &request, &ctx).await.map_err(|error| Failure::from(&error))?;
    let store = wiring::store(&config, &clock)?;
    let pipeline = Pipeline::new(Stages { datasets: Arc::new(built), ..stages }, store);
    let result = pipeline.run(&request, &ctx).await;
    drop(ctx);
    conclude(result, None, output)
}

fn context(
    config: &OrchestrateConfig,
    clock: &Arc<dyn Clock>,
    output: Output,
    cancel: CancelToken,
) -> StageContext {
    let progress = progress::on_terminal(output == Output::Human);
    wiring::stage_context(clock, progress, cancel, config.data_dir.clone())
}

fn conclude(
    result: Result<RunReport, RunError>,
    interval_ms: Option<i64>,
    output: Output,
) -> Result<(), Failure> {
    match result {
        Ok(report) => print::report(&report, output),
        Err(skipped @ (RunError::Busy(_) | RunError::NoNewBars(_) | RunError::Contaminated { .. })) => {
            print::skipped(&skipped, interval_ms, output)
        }
        Err(error) => Err(Failure::from(error)),
    }
}

/// A run at once and at every interval, until a signal.
async fn run_loop(cycles: Loop, schedule: Schedule) -> Result<(), Failure> {
    let stop = stop_requested()?;
    let clock = Arc::clone(&cycles.clock);
    let (stopped, stopping) = tokio::sync::oneshot::channel();
    let stop = async {
        stop.await;
        let _ = stopped.send(());
    };
    let left_behind = async {
        match stopping.await {
            Ok(()) => tokio::time::sleep(STOP_GRACE).await,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        () = drive(schedule, Arc::new(cycles), clock, stop) => {}
        () = left_behind => tracing::warn!("stopped while a stage was busy: nothing of it is kept"),
    }
    Ok(())
}

/// What all cycles of this process share.
struct Loop {
    settings: Settings,
    line: LineName,
    interval_ms: i64,
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    output: Output,
}

impl Loop {
    /// One cycle. The settings are read again, for the file of supplied metrics may be another one by now.
    async fn cycle(&self, cancel: CancelToken) -> Result<(), Failure> {
        let config = OrchestrateConfig::from_settings(&self.settings, false)?;
        let pipeline = Pipeline::new(wiring::stages(&config, &self.clock)?, Arc::clone(&self.store));
        let ctx = context(&config, &self.clock, self.output, cancel);
        let result = pipeline.run(&self.request(&config)?, &ctx).await;
        drop(ctx);
        conclude(result, Some(self.interval_ms), self.output)
    }

    /// What a cycle does: synthetic bars go on with the clock, and nothing is trained twice on the same bars.
    fn request(&self, config: &OrchestrateConfig) -> Result<RunRequest, Failure> {
        let mut request = wiring::run_request(config)?;
        request.on_no_new_bars = config.on_no_new_bars;
        if matches!(config.source, SourceConfig::Synthetic) {
            request.dataset.as_of.get_or_insert(self.clock.now());
        }
        Ok(request)
    }

    fn record(&self, cycle: u64, due: Timestamp, outcome: &str, reason: &str) {
        tracing::warn!(cycle, %due, outcome, reason);
        let payload = serde_json::json!({ "line": self.line, "cycle": cycle, "due": due, "reason": reason });
        if let Err(error) = self.store.record_event(&format!("cycle_{outcome}"), &payload) {
            tracing::error!(%error, cycle, outcome, "the cycle could not be recorded");
        }
    }
}

#[async_trait]
impl CycleOutcome for Loop {
    async fn run(&self, cycle: u64, due: Timestamp, cancel: CancelToken) {
        tracing::info!(cycle, %due, "cycle starts");
        let stopping = cancel.clone();
        if let Err(failure) = self.cycle(cancel).await
            && !stopping.is_cancelled()
        {
            print::failed(cycle, &failure, self.output);
        }
    }

    async fn skipped(&self, cycle: u64, due: Timestamp) {
        self.record(cycle, due, "skipped", "the run before is still going");
    }

    async fn missed(&self, cycle: u64, due: Timestamp) {
        self.record(cycle, due, "missed", "the process was not running or asleep when it was due");
    }
}
