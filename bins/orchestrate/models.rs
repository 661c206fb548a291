//! `orchestrate models`: what there is, what is kept of it, and which of it trades.

mod change;
mod compare;
mod decide;
mod list;
mod prune;
mod release;
mod show;
mod take_over;

use clap::{Arg, ArgMatches, Command, value_parser};
use walkforward::failure::Failure;
use walkforward::settings::{Output, Settings};
use walkforward_core::{LineName, ModelId};
use walkforward_store::StoreError;

use crate::evaluate::find_model;
use crate::home::Home;
use crate::reproduce;

pub(crate) use prune::Removal;

const MODEL: &str = "model";
const REASON: &str = "reason";
/// Subcommands that change something.
const ACTS: [&str; 7] = ["pin", "unpin", "rollback", "approve", "reject", "release", "prune"];
const TO: &str = "to";
/// Columns of a line's name in a table of 80.
const LINE_COLUMNS: usize = 12;

/// The subcommand with its own subcommands.
pub(crate) fn command() -> Command {
    let reason =
        |help: &'static str| Arg::new(REASON).long(REASON).value_name("TEXT").required(true).help(help);
    Command::new("models")
        .about("Models and their records")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(list::command())
        .subcommand(
            Command::new("show").about("Prints what a model was made from and what became of it").arg(of_one()),
        )
        .subcommand(compare::command())
        .subcommand(
            Command::new("pin")
                .about("Keeps a model's weights until it is unpinned")
                .arg(of_one())
                .arg(reason("Why it is kept")),
        )
        .subcommand(Command::new("unpin").about("Lets retention have a model again").arg(of_one()))
        .subcommand(
            Command::new("rollback")
                .about("Makes an earlier champion of the line its champion again; traders take it between two bars")
                .arg(
                    Arg::new(TO)
                        .long(TO)
                        .value_name("MODEL")
                        .help("Which one; default: the champion before the present one"),
                )
                .arg(reason("Why, for the history")),
        )
        .subcommand(decide::approve_command(of_one(), reason("Why, for the history")))
        .subcommand(decide::reject_command(of_one(), reason("Why, for its record")))
        .subcommand(release::command(reason("Why, for the history")))
        .subcommand(prune::command())
        .subcommand(take_over::command(reason("Why, for the events")))
        .subcommand(reproduce::command())
}

fn of_one() -> Arg {
    Arg::new(MODEL)
        .value_name("MODEL")
        .required(true)
        .value_parser(value_parser!(String))
        .help("Id of a model, or champion")
}

/// Does what the subcommand says.
pub(crate) fn run(settings: &Settings, output: Output, matches: &ArgMatches) -> Result<(), Failure> {
    let Some((name, inner)) = matches.subcommand() else { return Ok(()) };
    match name {
        "reproduce" => return reproduce::dispatch(settings, output, matches),
        // It is for folders that can't be opened otherwise.
        "take-over" => return take_over::run(settings, output, text(inner, REASON)),
        _ => {}
    }
    let home = Home::open(settings, output)?;
    let line: LineName = settings.require("line.name")?;
    let only = settings.is_set("line.name").then_some(&line);
    if ACTS.contains(&name) {
        let subject = given(inner, MODEL).unwrap_or(line.as_str());
        home.write_down(&format!("models.{name}"), subject, given(inner, REASON).unwrap_or_default())?;
    }
    match name {
        "list" => list::run(&home, only, inner),
        "compare" => compare::run(&home, inner),
        "show" => show::run(&home, &model(&home, &line, inner, MODEL)?),
        "pin" => change::pin(&home, &model(&home, &line, inner, MODEL)?, text(inner, REASON)),
        "unpin" => change::unpin(&home, &model(&home, &line, inner, MODEL)?),
        "rollback" => {
            let to = inner.contains_id(TO).then(|| model(&home, &line, inner, TO)).transpose()?;
            change::rollback(&home, &line, to.as_ref(), text(inner, REASON))
        }
        "approve" => decide::approve(&home, &model(&home, &line, inner, MODEL)?, inner),
        "reject" => decide::reject(&home, &model(&home, &line, inner, MODEL)?, text(inner, REASON)),
        "release" => release::run(&home, &line, inner),
        "prune" => prune::run(&home, only, inner),
        _ => Err(Failure::input(format!("there is no command models {name}"))),
    }
}

/// The model that the argument `name` names; it exists.
fn model(home: &Home, line: &LineName, matches: &ArgMatches, name: &str) -> Result<ModelId, Failure> {
    let id = find_model(&home.folders.models_dir, line, text(matches, name))
        .map_err(|failure| Failure::input(format!("{failure} (`orchestrate models list` shows all)")))?;
    home.store.model_summary(&id).map_err(refuse)?;
    Ok(id)
}

/// An argument that a subcommand may not have.
fn given<'a>(matches: &'a ArgMatches, name: &str) -> Option<&'a str> {
    matches.try_get_one::<String>(name).ok().flatten().map(String::as_str)
}

fn text<'a>(matches: &'a ArgMatches, name: &str) -> &'a str {
    matches.get_one::<String>(name).map_or("", String::as_str)
}

fn refuse(error: StoreError) -> Failure {
    match error {
        // Here it is a person who asked for it.
        StoreError::RefusedPromotion { .. } => Failure::input(error.to_string()),
        error => Failure::from(&error),
    }
}
