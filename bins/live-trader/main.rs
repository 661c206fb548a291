//! `live-trader`: trades the champion of a line on the paper broker, and takes a new one between two bars.
#![forbid(unsafe_code)]

mod cli;
mod print;
mod session;

use std::process::ExitCode;

use walkforward::config::LiveConfig;
use walkforward::failure::Failure;
use walkforward::logging;
use walkforward::output::finish;

fn main() -> ExitCode {
    let matches = cli::command().get_matches();
    let _flushed_at_exit = logging::start(logging::WARNINGS);
    finish(dispatch(&matches))
}

fn dispatch(matches: &clap::ArgMatches) -> Result<(), Failure> {
    let config = LiveConfig::from_settings(&cli::settings(matches)?)?;
    match matches.subcommand_name() {
        Some("verify") => session::verify(&config, cli::output(matches)),
        _ => session::run(&config, cli::output(matches)),
    }
}
