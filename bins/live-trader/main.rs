//! `live-trader`: trades the champion of a line, on paper or in an account, and takes a new one between two bars.
#![forbid(unsafe_code)]

mod champion;
mod cli;
mod control;
mod costs;
mod doctor;
mod ending;
mod explain;
mod followers;
mod market;
mod metrics;
mod notices;
mod print;
mod session;
mod switch;
mod venue;
mod view;

use std::process::ExitCode;

use walkforward::config::folder;
use walkforward::failure::Failure;
use walkforward::live::LiveConfig;
use walkforward::logging;
use walkforward::notify::{NotifyConfig, Teller};
use walkforward::output::finish;

use ending::Process;

fn main() -> ExitCode {
    // Before anything else: without its handler, the signal that is to halt a session ends its process.
    let process = Process::begin();
    let matches = cli::command().get_matches();
    let _flushed_at_exit = logging::start(logging::WARNINGS);
    finish(dispatch(&matches, process))
}

fn dispatch(matches: &clap::ArgMatches, process: Result<Process, Failure>) -> Result<(), Failure> {
    // What is wrong with the settings is one of its findings.
    if let Some(("doctor", _)) = matches.subcommand() {
        return doctor::run(cli::settings(matches), cli::output(matches));
    }
    let settings = cli::settings(matches)?;
    // A session can be told something although its configuration is not right any more.
    if let Some((verb, flags)) = matches.subcommand().filter(|(verb, _)| control::is_verb(verb)) {
        return control::run(verb, flags, &folder(&settings, "live.journal")?, cli::output(matches));
    }
    let config = LiveConfig::from_settings(&settings)?;
    match matches.subcommand() {
        Some(("costs", flags)) => costs::run(&config, flags, cli::output(matches)),
        Some(("explain", flags)) => explain::run(&config, flags, cli::output(matches)),
        Some(("verify", _)) => session::verify(&config, cli::output(matches)),
        _ => {
            let notify = NotifyConfig::from_settings(&settings, Teller::Trader)?;
            session::run(&config, &notify, cli::output(matches), process?)
        }
    }
}
