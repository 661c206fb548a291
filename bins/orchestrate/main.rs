//! `orchestrate`: trains, judges and promotes models, once or at an interval.
#![forbid(unsafe_code)]

mod cli;
mod config_show;
mod progress;
mod run;
mod table;

use std::process::ExitCode;

use walkforward::failure::Failure;
use walkforward::logging;

fn main() -> ExitCode {
    let matches = cli::command().get_matches();
    logging::start();
    match dispatch(&matches) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            complain(&failure);
            ExitCode::from(failure.code)
        }
    }
}

fn dispatch(matches: &clap::ArgMatches) -> Result<(), Failure> {
    let settings = cli::settings(matches)?;
    match matches.subcommand() {
        Some(("config", _)) => config_show::print(&settings, matches.get_flag(cli::JSON)),
        _ => run::run(&settings, cli::output(matches), matches.get_flag(cli::ONCE)),
    }
}

#[expect(clippy::print_stderr, reason = "this is where a failure reaches the person at the terminal")]
fn complain(failure: &Failure) {
    eprintln!("error: {failure}");
}
