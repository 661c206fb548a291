//! `orchestrate`: trains, judges and promotes models, once or at an interval.
#![forbid(unsafe_code)]

mod cli;
mod config_show;
mod data;
mod evaluate;
mod figures;
mod progress;
mod report;
mod run;
mod stoppable;
mod table;
mod text;

use std::process::ExitCode;

use walkforward::failure::Failure;
use walkforward::logging;
use walkforward::output::finish;

fn main() -> ExitCode {
    let matches = cli::command().get_matches();
    let _flushed_at_exit = logging::start();
    finish(dispatch(&matches))
}

fn dispatch(matches: &clap::ArgMatches) -> Result<(), Failure> {
    let settings = cli::settings(matches)?;
    match matches.subcommand() {
        Some(("config", _)) => config_show::print(&settings, matches.get_flag(cli::JSON)),
        Some(("data", inner)) => data::run(&settings, cli::output(matches), inner),
        Some(("evaluate", inner)) => evaluate::run(&settings, cli::output(matches), inner),
        Some(("report", inner)) => report::run(&settings, cli::output(matches), inner),
        _ => run::run(&settings, cli::output(matches), matches.get_flag(cli::ONCE)),
    }
}
