//! `orchestrate data`: looks at bars, fetches, checks and writes them.

mod chart;
mod export;
mod fetch;
mod show;
mod verify;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command};
use walkforward::clock::SystemClock;
use walkforward::config::OrchestrateConfig;
use walkforward::failure::Failure;
use walkforward::settings::{Output, Settings};
use walkforward::wiring;
use walkforward_core::{CancelToken, Clock, Dataset, DatasetBuilder, StageContext};
use walkforward_etl::EtlPipeline;

use crate::progress;
use crate::stoppable::stoppable;

const TO: &str = "to";
const FORCE: &str = "force";
const REPAIR: &str = "repair";

/// The subcommand with its own subcommands.
pub(crate) fn command() -> Command {
    let switch = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
    };
    Command::new("data")
        .about("Looks at bars, fetches, checks and writes them")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(Command::new("show").about("Prints coverage, holes and prices of the window"))
        .subcommand(
            Command::new("fetch").about("Asks a service for the bars of the window that are not kept yet"),
        )
        .subcommand(
            Command::new("verify")
                .about("Checks every row of a file, or every file of what is kept of a service")
                .arg(switch(REPAIR, "Set damaged files aside; their bars are asked for again")),
        )
        .subcommand(
            Command::new("export")
                .about("Writes the bars of the window to a file, CSV or Parquet by its name")
                .arg(
                    Arg::new(TO)
                        .long(TO)
                        .value_name("FILE")
                        .required(true)
                        .value_parser(clap::value_parser!(PathBuf))
                        .help("File that is written, ending in .csv or .parquet"),
                )
                .arg(switch(FORCE, "Replace the file if it is there")),
        )
}

/// Does what the subcommand says.
pub(crate) fn run(settings: &Settings, output: Output, matches: &ArgMatches) -> Result<(), Failure> {
    let config = OrchestrateConfig::from_settings(settings, true)?;
    let clock = Arc::new(SystemClock::start());
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| Failure::stage(format!("the async runtime does not start: {error}")))?;
    let task = Task::of(matches);
    let result = runtime.block_on(stoppable(|cancel| async move {
        let desk = Desk { config, clock, output, cancel };
        tokio::select! {
            result = task.run(&desk) => result,
            () = desk.stopped() => Err(Failure::stage("stopped")),
        }
    }));
    runtime.shutdown_background();
    result
}

/// A subcommand with what it was told.
enum Task {
    Show,
    Fetch,
    Verify { repair: bool },
    Export { path: PathBuf, replace: bool },
}

impl Task {
    fn of(matches: &ArgMatches) -> Self {
        match matches.subcommand() {
            Some(("fetch", _)) => Self::Fetch,
            Some(("verify", matches)) => Self::Verify { repair: matches.get_flag(REPAIR) },
            Some(("export", matches)) => Self::Export {
                path: matches.get_one::<PathBuf>(TO).cloned().unwrap_or_default(),
                replace: matches.get_flag(FORCE),
            },
            _ => Self::Show,
        }
    }

    async fn run(&self, desk: &Desk) -> Result<(), Failure> {
        match self {
            Self::Show => show::run(desk).await,
            Self::Fetch => fetch::run(desk).await,
            Self::Verify { repair } => verify::run(desk, *repair),
            Self::Export { path, replace } => export::run(desk, path, *replace).await,
        }
    }
}

/// How often a task that waits looks whether it is to stop.
const LOOK: Duration = Duration::from_millis(20);

/// What every subcommand works with.
struct Desk {
    config: OrchestrateConfig,
    clock: Arc<dyn Clock>,
    output: Output,
    cancel: CancelToken,
}

impl Desk {
    /// Resolves when somebody asked to stop.
    async fn stopped(&self) {
        while !self.cancel.is_cancelled() {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The dataset that a run would get, whatever it lacks: who looks wants to see the holes.
    async fn dataset(&self) -> Result<Dataset, Failure> {
        let config = &self.config;
        let source = config.source.open(&config.dataset.symbol, config.seed, &self.clock)?;
        let pipeline =
            EtlPipeline::new(source, config.etl.unlimited()).with_calendar(config.calendar.clone());
        pipeline.build(&config.dataset, &self.context()).await.map_err(|error| Failure::from(&error))
    }

    fn context(&self) -> StageContext {
        let progress = progress::on_terminal(self.output == Output::Human);
        wiring::stage_context(&self.clock, progress, self.cancel.clone(), self.config.data_dir.clone())
    }
}
