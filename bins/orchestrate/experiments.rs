//! `orchestrate experiments`: trainings without a schedule, and the record of all trainings.

use clap::{Arg, ArgMatches, Command, value_parser};
use serde_json::{Value, json};
use walkforward::failure::Failure;
use walkforward::settings::{Output, Settings};
use walkforward_core::LineName;
use walkforward_store::{ExperimentFilter, ExperimentId, ExperimentRecord, ExperimentStatus, StoreError};

use crate::home::Home;
use crate::table::{Align, Table};
use crate::text::{cut, labelled, minute};

mod cancel;
mod train;

const ID: &str = "id";
const STATUS: &str = "status";
const LIMIT: &str = "limit";
const MOST: i64 = 1_000;
/// Columns that a name has in a table of 80.
const NAME_COLUMNS: usize = 14;

/// The subcommand with its own subcommands.
pub(crate) fn command() -> Command {
    let id = || Arg::new(ID).value_name("ID").required(true).help("The experiment's id");
    Command::new("experiments")
        .about("Trainings without a schedule, and the record of every training")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(train::command())
        .subcommand(Command::new("cancel").about("Cancels a training that belongs to no schedule").arg(id()))
        .subcommand(
            Command::new("list")
                .about("Lists trainings, newest first; --line takes those of one line")
                .arg(
                    Arg::new(STATUS)
                        .long(STATUS)
                        .value_name("STATUS")
                        .value_parser(|text: &str| text.parse::<ExperimentStatus>())
                        .help("Only those with this status"),
                )
                .arg(
                    Arg::new(LIMIT)
                        .long(LIMIT)
                        .value_name("N")
                        .default_value("20")
                        .value_parser(value_parser!(u32).range(1..=MOST))
                        .help("Trainings that are listed"),
                ),
        )
        .subcommand(Command::new("show").about("Prints what is known of a training").arg(id()))
}

/// Does what the subcommand says.
pub(crate) fn run(settings: &Settings, output: Output, matches: &ArgMatches) -> Result<(), Failure> {
    match matches.subcommand() {
        Some(("run", matches)) => train::run(settings, output, matches),
        Some(("cancel", matches)) => {
            let id = id(matches)?;
            cancel::run(&Home::open(settings, output)?, &id)
        }
        Some(("show", matches)) => {
            let id = id(matches)?;
            show(&Home::open(settings, output)?, &id)
        }
        Some((_, matches)) => list(&Home::open(settings, output)?, matches),
        None => Ok(()),
    }
}

fn id(matches: &ArgMatches) -> Result<ExperimentId, Failure> {
    let text = matches.get_one::<String>(ID).cloned().unwrap_or_default();
    let refuse = |error| Failure::input(format!("{error}: `orchestrate experiments list` lists them"));
    text.parse().map_err(refuse)
}

fn list(home: &Home, matches: &ArgMatches) -> Result<(), Failure> {
    let line = match home.settings.is_set("line.name") {
        true => Some(home.settings.require::<LineName>("line.name")?),
        false => None,
    };
    let filter = ExperimentFilter { status: matches.get_one(STATUS).copied(), line, before: None };
    let limit = matches.get_one::<u32>(LIMIT).copied().unwrap_or_default();
    let experiments = home.store.experiments(&filter, limit).map_err(|error| Failure::from(&error))?;
    home.print(|| json!(experiments), || table(&experiments))
}

fn table(experiments: &[ExperimentRecord]) -> String {
    if experiments.is_empty() {
        return "there are no such trainings; `orchestrate experiments run` makes one\n".to_owned();
    }
    let mut table = Table::new(&[
        ("experiment", Align::Left),
        ("line", Align::Left),
        ("made for", Align::Left),
        ("status", Align::Left),
    ]);
    for experiment in experiments {
        table.row(vec![
            experiment.id.to_string(),
            cut(experiment.line.as_str(), NAME_COLUMNS),
            made_for(experiment),
            experiment.status.to_string(),
        ]);
    }
    table.to_string()
}

/// The cycle of an experiment, or a dash.
fn made_for(experiment: &ExperimentRecord) -> String {
    let tag = |start: &str| experiment.tags.iter().find_map(|tag| tag.strip_prefix(start));
    match (tag("schedule:"), tag("cycle:")) {
        (Some(schedule), Some(cycle)) => format!("{} {cycle}", cut(schedule, NAME_COLUMNS)),
        _ => "-".to_owned(),
    }
}

fn show(home: &Home, id: &ExperimentId) -> Result<(), Failure> {
    let refuse = |error: StoreError| Failure::from(&error);
    let experiment = home.store.experiment(id).map_err(refuse)?;
    home.print(|| json!(experiment), || about(&experiment))
}

fn about(experiment: &ExperimentRecord) -> String {
    let time = |at: Option<walkforward_core::Timestamp>| at.map(minute);
    let lines = [
        ("line", Some(experiment.line.to_string())),
        ("status", Some(experiment.status.to_string())),
        ("error", experiment.error.clone()),
        ("made for", Some(made_for(experiment)).filter(|text| text != "-")),
        ("asked for", Some(minute(experiment.created_at))),
        ("began", time(experiment.started_at)),
        ("ended", time(experiment.completed_at)),
        ("run", experiment.run_id.as_ref().map(ToString::to_string)),
        ("model", experiment.model_id.as_ref().map(ToString::to_string)),
        ("config", Some(experiment.config.to_string())),
        ("metrics", Some(&experiment.final_metrics).filter(|it| **it != json!({})).map(Value::to_string)),
    ];
    let lines: String = lines.into_iter().filter_map(|(label, text)| Some(labelled(label, &text?))).collect();
    format!("{} ({})\n{lines}", experiment.id, experiment.name)
}
