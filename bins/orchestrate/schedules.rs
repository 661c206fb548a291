//! `orchestrate schedules`: makes schedules, looks at them, and tells them what to do.
//!
//! Looking reads the database. A command goes to the server of the folder when one runs; without one it takes the run
//! lock, moves the schedule with the same step as the server, and records it.

use clap::{Arg, ArgMatches, Command, value_parser};
use serde_json::json;
use walkforward::failure::Failure;
use walkforward::output::say;
use walkforward::settings::{Output, Settings};
use walkforward_store::{RunLockHeld, ScheduleId, ScheduleRecord};

use crate::control::Request;
use crate::home::{Home, Reach};

mod add;
mod history;
mod list;
mod offline;
pub(crate) mod timing;

const ID: &str = "id";

const ABOUT: &str = "Schedules train a line again and again. They run while `orchestrate serve` does; the commands \
here work with and without it.";

/// The subcommand with its own subcommands.
pub(crate) fn command() -> Command {
    let of_one = |name: &'static str, about: &'static str| Command::new(name).about(about).arg(id_argument());
    Command::new("schedules")
        .about(ABOUT)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(add::command())
        .subcommand(Command::new("list").about("Lists the schedules"))
        .subcommand(of_one("show", "Prints a schedule with its settings and its progress"))
        .subcommand(of_one("start", "Begins with a schedule's due times; the first cycle is due at once"))
        .subcommand(of_one("pause", "Starts nothing new for a while; a running cycle goes on"))
        .subcommand(of_one("resume", "Ends a pause"))
        .subcommand(of_one("stop", "Leaves a schedule's due times and cancels its running cycle"))
        .subcommand(of_one("trigger", "Runs a cycle now; needs a running server"))
        .subcommand(of_one(
            "remove",
            "Takes a schedule away; its history is kept, and its id is not given again",
        ))
        .subcommand(history::command())
}

fn id_argument() -> Arg {
    Arg::new(ID).value_name("ID").required(true).value_parser(value_parser!(String)).help("The schedule's id")
}

/// Does what the subcommand says.
pub(crate) fn run(settings: &Settings, output: Output, matches: &ArgMatches) -> Result<(), Failure> {
    let Some((name, matches)) = matches.subcommand() else { return Ok(()) };
    if name == "add" {
        return add::run(settings, output, matches);
    }
    let id = matches.try_get_one::<String>(ID).ok().flatten();
    let id = id.map(|text| text.parse::<ScheduleId>()).transpose();
    let id =
        id.map_err(|error| Failure::input(format!("{error}: `orchestrate schedules list` lists them")))?;
    let home = Home::open(settings, output)?;
    match (name, id) {
        ("list", _) => list::list(&home),
        ("show", Some(id)) => list::show(&home, &id),
        ("history", Some(id)) => history::print(&home, &id, matches),
        (name, Some(id)) => command_one(&home, name, id),
        (name, None) => Err(Failure::input(format!("schedules {name} needs the id of a schedule"))),
    }
}

/// Sends a command where it is carried out, and prints the schedule as it then is.
fn command_one(home: &Home, name: &str, id: ScheduleId) -> Result<(), Failure> {
    home.store.schedule(&id).map_err(|error| Failure::from(&error))?;
    home.write_down(&format!("schedules.{name}"), id.as_str(), "")?;
    let note = match home.reach()? {
        Reach::Server(mut server) => {
            server.ask(&request(name, id.clone())?)?;
            None
        }
        Reach::Alone(lock) => offline::apply(home, &lock, name, &id)?,
        Reach::Held(held) => return Err(busy(&held)),
    };
    let record = home.store.schedule(&id).map_err(|error| Failure::from(&error))?;
    tell(home, &record, done(name), note)
}

fn request(name: &str, schedule: ScheduleId) -> Result<Request, Failure> {
    Ok(match name {
        "start" => Request::Start { schedule },
        "pause" => Request::Pause { schedule },
        "resume" => Request::Resume { schedule },
        "stop" => Request::Stop { schedule },
        "trigger" => Request::Trigger { schedule },
        "remove" => Request::Remove { schedule },
        _ => return Err(Failure::input(format!("there is no command schedules {name}"))),
    })
}

fn done(name: &str) -> &'static str {
    match name {
        "start" => "started",
        "pause" => "paused",
        "resume" => "resumed",
        "stop" => "stopped",
        "trigger" => "triggered",
        "remove" => "removed",
        _ => "done",
    }
}

/// Prints what was done to a schedule.
fn tell(home: &Home, record: &ScheduleRecord, done: &str, note: Option<String>) -> Result<(), Failure> {
    match home.output {
        Output::Quiet => Ok(()),
        Output::Json => {
            let mut line = list::json(record, None);
            line["done"] = json!(done);
            line["note"] = json!(note);
            say(&format!("{line}\n"))
        }
        Output::Human => {
            let cycle = match done {
                "triggered" => format!(", cycle {}", record.current_cycle),
                _ => String::new(),
            };
            let next = record.next_cycle_at.filter(|_| note.is_none());
            let next = next.map(|next| format!(", next due {} UTC", crate::text::minute(next)));
            let note = note.map(|note| format!(": {note}")).unwrap_or_default();
            say(&format!("schedule '{}' {done}{cycle}{}{note}\n", record.id, next.unwrap_or_default()))
        }
    }
}

/// That somebody who takes no commands holds the run lock, and what can be done.
fn busy(held: &RunLockHeld) -> Failure {
    Failure::stage(format!(
        "a run is going on in the same data folder: {held}; try again when it is over, or run schedules and trainings \
         in one place with `orchestrate serve`"
    ))
}
