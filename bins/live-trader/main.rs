//! `live-trader`: trades the champion of a line on the paper broker, and takes a new one between two bars.
#![forbid(unsafe_code)]

mod cli;
mod market;
mod print;
mod session;

use std::process::ExitCode;

use walkforward::failure::Failure;
use walkforward::live::LiveConfig;
use walkforward::logging;
use walkforward::output::finish;

fn main() -> ExitCode {
    let matches = cli::command().get_matches();
    let _flushed_at_exit = logging::start(logging::WARNINGS);
    finish(dispatch(&matches))
}

fn dispatch(matches: &clap::ArgMatches) -> Result<(), Failure> {
    let config = LiveConfig::from_settings(&cli::settings(matches)?)?;
    match matches.subcommand() {
        Some(("verify", _)) => session::verify(&config, cli::output(matches)),
        Some(("resume", flags)) => {
            session::acknowledge(&config, cli::reason(flags, "ack"), cli::output(matches))
        }
        Some(("halt", flags)) => session::halt(&config, cli::reason(flags, "reason"), cli::output(matches)),
        _ => session::run(&config, cli::output(matches)),
    }
}
