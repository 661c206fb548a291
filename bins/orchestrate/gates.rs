//! `orchestrate gates`: what the rules of promotion are worth.

use clap::{ArgMatches, Command};
use walkforward::failure::Failure;
use walkforward::settings::{Output, Settings};

mod plot;
mod request;
mod simulate;
mod tables;

pub(crate) use request::threads;

/// The subcommand with its own subcommands.
pub(crate) fn command() -> Command {
    Command::new("gates")
        .about("What the rules of promotion are worth")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(request::command())
}

/// Does what the subcommand says.
pub(crate) fn run(settings: &Settings, output: Output, matches: &ArgMatches) -> Result<(), Failure> {
    match matches.subcommand() {
        Some((request::NAME, matches)) => simulate::run(settings, output, matches),
        _ => Ok(()),
    }
}
