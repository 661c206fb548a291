//! Runs, once or at an interval.

use std::sync::Arc;

use async_trait::async_trait;
use walkforward::clock::SystemClock;
use walkforward::config::{Mode, OrchestrateConfig};
use walkforward::failure::Failure;
use walkforward::settings::{Output, Settings};
use walkforward::{signals, wiring};
use walkforward_core::{CancelToken, Clock, Timestamp};
use walkforward_orchestrator::schedule::Schedule;
use walkforward_orchestrator::{CycleOutcome, Pipeline, RunError, RunReport, RunRequest, drive};
use walkforward_store::Store;

use crate::progress;

mod print;

/// Runs what `settings` ask for.
pub(crate) fn run(settings: &Settings, output: Output, once: bool) -> Result<(), Failure> {
    let config = OrchestrateConfig::from_settings(settings, once)?;
    let request = wiring::run_request(&config)?;
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| Failure::stage(format!("the async runtime does not start: {error}")))?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let store = wiring::store(&config, &clock)?;
    let pipeline = wiring::pipeline(&config, Arc::clone(&store));
    let runner = Arc::new(Runner { pipeline, request, clock, store, output, config });
    let result = match runner.config.mode {
        Mode::Once => runtime.block_on(run_once(runner)),
        Mode::Loop(schedule) => runtime.block_on(run_loop(runner, schedule)),
    };
    runtime.shutdown_background();
    result
}

/// One run; a signal stops it.
async fn run_once(runner: Arc<Runner>) -> Result<(), Failure> {
    let stop = stop_requested()?;
    let cancel = CancelToken::default();
    let run = runner.run(cancel.clone());
    tokio::pin!(run, stop);
    tokio::select! {
        result = &mut run => return result,
        () = &mut stop => cancel.cancel(),
    }
    run.await
}

/// A run at once and at every interval, until a signal.
async fn run_loop(runner: Arc<Runner>, schedule: Schedule) -> Result<(), Failure> {
    let stop = stop_requested()?;
    let clock = Arc::clone(&runner.clock);
    drive(schedule, runner, clock, stop).await;
    Ok(())
}

fn stop_requested() -> Result<impl Future<Output = ()> + Send, Failure> {
    signals::stop_requested().map_err(|error| Failure::stage(format!("{error:#}")))
}

/// What all runs of this process share.
struct Runner {
    pipeline: Pipeline,
    request: RunRequest,
    clock: Arc<dyn Clock>,
    store: Arc<Store>,
    output: Output,
    config: OrchestrateConfig,
}

impl Runner {
    async fn run(&self, cancel: CancelToken) -> Result<(), Failure> {
        match self.pipeline_run(cancel).await {
            Ok(report) => {
                print::report(&report, self.output);
                Ok(())
            }
            Err(RunError::Busy(held)) => {
                print::skipped(&held.to_string(), self.output);
                Ok(())
            }
            Err(error) => Err(Failure::from(error)),
        }
    }

    async fn pipeline_run(&self, cancel: CancelToken) -> Result<RunReport, RunError> {
        let progress = progress::on_terminal(self.output == Output::Human);
        let work_dir = self.config.data_dir.clone();
        let ctx = wiring::stage_context(&self.clock, progress, cancel, work_dir);
        self.pipeline.run(&self.request, &ctx).await
    }
}

#[async_trait]
impl CycleOutcome for Runner {
    async fn run(&self, cycle: u64, due: Timestamp, cancel: CancelToken) {
        tracing::info!(cycle, %due, "cycle starts");
        let stopping = cancel.clone();
        if let Err(failure) = Self::run(self, cancel).await
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

impl Runner {
    fn record(&self, cycle: u64, due: Timestamp, outcome: &str, reason: &str) {
        tracing::warn!(cycle, %due, outcome, reason);
        let payload = serde_json::json!({
            "line": self.request.line, "cycle": cycle, "due": due, "reason": reason,
        });
        if let Err(error) = self.store.record_event(&format!("cycle_{outcome}"), &payload) {
            tracing::error!(%error, cycle, outcome, "the cycle could not be recorded");
        }
    }
}
