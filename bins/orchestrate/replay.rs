//! `orchestrate replay`: the cycles that a schedule would have made, in the past, under a simulated clock.

use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;

use clap::{ArgMatches, Command};
use indicatif::{ProgressBar, ProgressStyle};
use walkforward::clock::SystemClock;
use walkforward::config::{Folders, OrchestrateConfig};
use walkforward::failure::Failure;
use walkforward::launch::LauncherKind;
use walkforward::output::say;
use walkforward::settings::{Output, Settings};
use walkforward::wiring;
use walkforward_core::{
    CancelToken, Clock, ManualClock, NoProgress, RunId, StageContext, Symbol, Timeframe, Timestamp,
};
use walkforward_durable::write_atomic;
use walkforward_orchestrator::replay::{
    ReplayError, ReplayParts, ReplayProgress, ReplayRequest, ReplaySummary, Replayer,
};
use walkforward_orchestrator::{RunError, RunRequest, Stages};
use walkforward_store::{RunLock, RunOutcome, Store, StoreError};

use crate::run::conclude;
use crate::stoppable::stoppable;
use request::Asked;

pub(crate) mod figures;
pub(crate) mod page;
pub(crate) mod print;
pub(crate) mod request;

/// The subcommand.
pub(crate) fn command() -> Command {
    request::command()
}

/// Replays what `matches` ask for and tells what it came to. Called again, it goes on where it was.
pub(crate) fn run(settings: &Settings, output: Output, matches: &ArgMatches) -> Result<(), Failure> {
    let asked = Asked::of(settings, matches)?;
    if asked.schedule.is_none() {
        // What can't be used leaves no trace, not even folders.
        OrchestrateConfig::from_settings(settings, true)?;
    }
    let Some(opened) = Opened::folders(settings, output)? else { return Ok(()) };
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| Failure::stage(format!("the async runtime does not start: {error}")))?;
    let settings = settings.clone();
    let result = runtime.block_on(stoppable(|cancel| replay(opened, settings, asked, output, cancel)));
    runtime.shutdown_background();
    result
}

/// The folders of a replay under its clock.
struct Opened {
    folders: Folders,
    store: Arc<Store>,
    lock: Arc<RunLock>,
    simulated: Arc<ManualClock>,
    system: Arc<dyn Clock>,
}

impl Opened {
    /// Opens the folders that `settings` name; none when somebody else runs in them, which is said.
    fn folders(settings: &Settings, output: Output) -> Result<Option<Self>, Failure> {
        let folders = Folders::from_settings(settings)?;
        let system: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let simulated = Arc::new(ManualClock::at(system.now()));
        let clock: Arc<dyn Clock> = Arc::<ManualClock>::clone(&simulated);
        let store = wiring::store_in(&folders.data_dir, &folders.models_dir, &clock)?;
        match store.run_lock() {
            Ok(lock) => Ok(Some(Self { folders, store, lock: Arc::new(lock), simulated, system })),
            Err(StoreError::RunLockHeld(held)) => {
                conclude(Err(RunError::Busy(held)), None, output).map(|()| None)
            }
            Err(error) => Err(Failure::from(&error)),
        }
    }

    fn context(&self, cancel: CancelToken) -> StageContext {
        StageContext {
            clock: Arc::<ManualClock>::clone(&self.simulated),
            progress: Arc::new(NoProgress),
            cancel,
            work_dir: self.folders.data_dir.clone(),
        }
    }
}

async fn replay(
    opened: Opened,
    settings: Settings,
    asked: Asked,
    output: Output,
    cancel: CancelToken,
) -> Result<(), Failure> {
    let (mut config, run) = asked.cycles(&settings, &opened.store, &opened.system)?;
    if config.launch.kind == LauncherKind::Subprocess {
        // A worker protects a trader beside it; a replay has none, and starts hundreds.
        config.launch.kind = LauncherKind::InProcess;
    }
    let stages = wiring::stages(&config, &opened.system)?;
    let until = until(&opened, &stages, &run, &settings, cancel.clone()).await?;
    let market = (run.dataset.symbol.clone(), until.timeframe);
    let request = ReplayRequest {
        run,
        recurrence: asked.recurrence(&opened.store)?,
        from: until.at.plus_millis(-asked.span_ms()),
        until: until.at,
        wall_clock: opened.system.now(),
    };
    let Opened { store, lock, simulated, folders, .. } = opened;
    let parts =
        ReplayParts { stages, store, lock, clock: simulated, cancel, work_dir: folders.data_dir.clone() };
    let replayer = Arc::new(Replayer::new(parts, request).map_err(failure)?);
    let bar = Bar::new(output);
    replayer.run(&bar).await.map_err(failure)?;
    bar.0.finish_and_clear();
    let summary = replayer.summary(Arc::new(config.thresholds.clone())).await.map_err(failure)?;
    if let Some(path) = &asked.report {
        write_page(path, &summary, &market)?;
    }
    tell(&summary, asked.report.as_deref(), output)
}

/// Where a replay ends.
struct Until {
    at: Timestamp,
    timeframe: Timeframe,
}

/// The end that the line's replay has already, else the last close of the newest bars: those of `--as-of` or of now.
async fn until(
    opened: &Opened,
    stages: &Stages,
    run: &RunRequest,
    settings: &Settings,
    cancel: CancelToken,
) -> Result<Until, Failure> {
    let set: Option<Timestamp> = settings.get("data.as_of")?;
    let known = opened.store.replay(&run.line).map_err(|error| Failure::from(&error))?;
    let known = known.filter(|_| set.is_none()).map(|replay| replay.asked.until);
    let mut request = run.dataset.clone();
    request.as_of = known.or(set).or(request.as_of);
    let dataset = stages.datasets.build(&request, &opened.context(cancel)).await;
    let dataset = dataset.map_err(|error| Failure::from(&error))?;
    Ok(Until { at: known.unwrap_or(dataset.window.end()), timeframe: dataset.timeframe() })
}

/// How a program ends that can't replay.
pub(crate) fn failure(error: ReplayError) -> Failure {
    match error {
        ReplayError::Run(error) => Failure::from(error),
        error @ ReplayError::Refused { .. } => Failure::input(error.to_string()),
    }
}

fn tell(summary: &ReplaySummary, page: Option<&Path>, output: Output) -> Result<(), Failure> {
    match output {
        Output::Quiet => Ok(()),
        Output::Json => say(&format!("{}\n", print::json(summary, page))),
        Output::Human => say(&print::text(summary, page)),
    }
}

/// How far the cycles have come, on a terminal.
struct Bar(ProgressBar);

impl Bar {
    fn new(output: Output) -> Self {
        let is_shown = output == Output::Human && std::io::stderr().is_terminal();
        let bar = if is_shown { ProgressBar::new(1) } else { ProgressBar::hidden() };
        let style = "   cycles [{bar:20}] {pos:>4}/{len:<4} {elapsed:>4}, {eta:>3} left  {wide_msg}";
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style.progress_chars("=> "));
        }
        Self(bar)
    }
}

impl ReplayProgress for Bar {
    fn cycle(&self, done: usize, total: usize, due: Timestamp, outcome: RunOutcome) {
        self.0.set_length(total as u64);
        self.0.set_position(done as u64);
        self.0.set_message(format!("{} {outcome}", RunId::at(due)));
    }
}

/// Writes the page about `summary`.
fn write_page(path: &Path, summary: &ReplaySummary, market: &(Symbol, Timeframe)) -> Result<(), Failure> {
    let page = page::html(summary, market)?;
    write_atomic(path, page.as_bytes()).map_err(|error| Failure::from_error(&error))
}
