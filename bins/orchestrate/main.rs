//! `orchestrate`: trains, judges and promotes models, once or at an interval.
#![forbid(unsafe_code)]

mod audit;
mod backup;
mod cli;
mod config_show;
mod control;
mod data;
mod datasets;
mod demo;
mod evaluate;
mod evidence;
mod experiments;
mod figures;
mod gates;
mod home;
mod json_file;
mod models;
mod notify;
mod packs;
mod progress;
mod references;
mod rehearsal;
mod replay;
mod report;
mod reproduce;
mod run;
mod schedules;
mod selftest;
mod serve;
mod stoppable;
mod text;
mod worker;

use std::process::ExitCode;

use walkforward::failure::Failure;
use walkforward::launch;
use walkforward::logging;
use walkforward::output::finish;
use walkforward::table;

fn main() -> ExitCode {
    let matches = cli::command().get_matches();
    let is_staged = matches!(matches.subcommand_name(), Some("demo" | "selftest"));
    let _flushed_at_exit = logging::start(if is_staged { logging::ERRORS } else { logging::WARNINGS });
    match matches.subcommand() {
        Some((launch::WORKER, inner)) => worker::run(inner),
        _ => finish(dispatch(&matches)),
    }
}

fn dispatch(matches: &clap::ArgMatches) -> Result<(), Failure> {
    let settings = cli::settings(matches)?;
    match matches.subcommand() {
        Some(("config", _)) => config_show::print(&settings, matches.get_flag(cli::JSON)),
        Some(("audit", inner)) => audit::run(&settings, cli::output(matches), inner),
        Some(("data", inner)) => data::run(&settings, cli::output(matches), inner),
        Some(("evaluate", inner)) => evaluate::run(&settings, cli::output(matches), inner),
        Some(("evidence", inner)) => evidence::run(&settings, cli::output(matches), inner),
        Some(("demo", inner)) => demo::run(&settings, cli::output(matches), inner),
        Some(("datasets", inner)) => datasets::run(&settings, cli::output(matches), inner),
        Some(("gates", inner)) => gates::run(&settings, cli::output(matches), inner),
        Some(("experiments", inner)) => experiments::run(&settings, cli::output(matches), inner),
        Some(("models", inner)) => models::run(&settings, cli::output(matches), inner),
        Some(("notify", inner)) => notify::run(&settings, cli::output(matches), inner),
        Some(("backup", inner)) => backup::backup(&settings, cli::output(matches), inner),
        Some(("restore", inner)) => backup::restore(&settings, cli::output(matches), inner),
        Some(("packs", inner)) => packs::run(&settings, cli::output(matches), inner),
        Some(("replay", inner)) => replay::run(&settings, cli::output(matches), inner),
        Some(("report", inner)) => report::run(&settings, cli::output(matches), inner),
        Some(("schedules", inner)) => schedules::run(&settings, cli::output(matches), inner),
        Some(("selftest", inner)) => selftest::run(&settings, cli::output(matches), inner),
        Some(("serve", inner)) => serve::run(&settings, cli::output(matches), inner),
        _ => run::run(&settings, cli::output(matches), matches.get_flag(cli::ONCE)),
    }
}
