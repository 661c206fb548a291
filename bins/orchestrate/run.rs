//! Runs, once or at an interval.

use std::sync::Arc;

use walkforward::clock::SystemClock;
use walkforward::config::{Mode, OrchestrateConfig};
use walkforward::evidence::Cadence;
use walkforward::failure::Failure;
use walkforward::settings::{Output, Settings};
use walkforward::wiring;
use walkforward::wiring::BuiltAhead;
use walkforward_core::{CancelToken, Clock, StageContext};
use walkforward_orchestrator::{Pipeline, RunError, RunReport, Stages};

use crate::progress;
use crate::stoppable::stoppable;
use repeat::{Loop, run_loop};

mod print;
mod repeat;

/// Runs what `settings` ask for.
pub(crate) fn run(settings: &Settings, output: Output, once: bool) -> Result<(), Failure> {
    let config = OrchestrateConfig::from_settings(settings, once)?;
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| Failure::stage(format!("the async runtime does not start: {error}")))?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let result = match config.mode {
        Mode::Once => runtime.block_on(stoppable(|cancel| run_once(config, clock, output, cancel))),
        Mode::Loop(interval) => {
            let store = wiring::store(&config, &clock)?;
            let settings = settings.clone();
            runtime.block_on(run_loop(Loop { settings, line: config.line, interval, store, clock, output }))
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
    let (stages, request) =
        (wiring::stages(&config, &clock)?, wiring::run_request(&config, &Cadence::default())?);
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

/// Prints how a run ended; `interval_ms` is the time between cycles, if there are any.
pub(crate) fn conclude(
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
