//! `orchestrate schedules add`.

use clap::{Arg, ArgAction, ArgMatches, Command};
use walkforward::config::OrchestrateConfig;
use walkforward::failure::Failure;
use walkforward::scheduling::{Recipe, WantedSchedule};
use walkforward::settings::{Output, Settings};
use walkforward_core::LineName;
use walkforward_store::{ScheduleId, ScheduleStatus};

use super::{ID, id_argument, tell, timing};
use crate::control::Request;
use crate::home::Home;
use crate::references::{self, References};

const NAME: &str = "name";
const BASE: &str = "base";
const IDLE: &str = "idle";

const ABOUT: &str = "Makes a schedule from the settings that are set now: by flag, in the environment, in the file. \
It keeps them, whatever the environment of the server says later. Everything is checked first.";

const EXAMPLES: &str = "\
Examples:
  orchestrate schedules add btc --every 6h --source alpaca --symbol BTC/USD
  orchestrate schedules add eth --every 6h --dataset eth-hourly --pack cautious --line eth
  orchestrate schedules add nightly --cron \"30 2 * * 1-5\" --zone America/New_York --path bars.csv";

pub(super) fn command() -> Command {
    let command = Command::new("add").about(ABOUT).after_help(EXAMPLES).arg(id_argument());
    let command = references::arguments(timing::arguments(command));
    command
        .arg(Arg::new(NAME).long(NAME).value_name("TEXT").help("Its name for people [default: its id]"))
        .arg(
            Arg::new(BASE)
                .long(BASE)
                .value_name("EXPERIMENT_ID")
                .help("Completed training that the first cycle continues from [default: it trains one]"),
        )
        .arg(Arg::new(IDLE).long(IDLE).action(ArgAction::SetTrue).help("Make it, and do not start it"))
}

/// Checks all of it, makes the row, and has a running server start it.
pub(super) fn run(settings: &Settings, output: Output, matches: &ArgMatches) -> Result<(), Failure> {
    let wanted = wanted(settings, matches)?;
    if wanted.recipe.dataset.is_none() && wanted.recipe.pack.is_none() {
        // What can't be used leaves no trace, not even folders.
        OrchestrateConfig::from_settings(settings, false)?;
    }
    let home = Home::open(settings, output)?;
    let planner = home.planner();
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| Failure::stage(format!("the async runtime does not start: {error}")))?;
    let schedule = runtime.block_on(wanted.check(&planner))?;
    home.write_down("schedules.add", schedule.id.as_str(), "")?;
    let record = home.store.create_schedule(&schedule).map_err(|error| Failure::from(&error))?;
    let server = home.server()?;
    let note = match (&server, wanted.start_with_server) {
        (None, true) => Some("it starts with the next `orchestrate serve`".to_owned()),
        (_, false) => Some(format!("`orchestrate schedules start {}` starts it", record.id)),
        (Some(_), true) => None,
    };
    if let Some(mut server) = server {
        let schedule = record.id.clone();
        let asked = server.ask(&match wanted.start_with_server {
            true => Request::Start { schedule },
            false => Request::Add { schedule },
        });
        // A server that has just begun has found and started it itself.
        let is_active =
            || home.store.schedule(&record.id).is_ok_and(|it| it.status == ScheduleStatus::Active);
        if let Err(failure) = asked
            && !(wanted.start_with_server && is_active())
        {
            return Err(failure);
        }
    }
    let record = home.store.schedule(&record.id).map_err(|error| Failure::from(&error))?;
    let done = if note.is_none() { "added and started" } else { "added" };
    tell(&home, &record, done, note)
}

fn wanted(settings: &Settings, matches: &ArgMatches) -> Result<WantedSchedule, Failure> {
    let text = |name: &str| matches.get_one::<String>(name).cloned().unwrap_or_default();
    let id: ScheduleId = text(ID).parse().map_err(|error| Failure::input(format!("{error}")))?;
    let References { dataset, pack } = References::of(matches)?;
    let base = matches.get_one::<String>(BASE).map(|base| base.parse()).transpose();
    let line: LineName = settings.require("line.name")?;
    Ok(WantedSchedule {
        name: matches.get_one::<String>(NAME).cloned().unwrap_or_else(|| id.to_string()),
        base: base.map_err(|error| Failure::input(format!("--{BASE}: {error}")))?,
        timing: timing::of(settings, matches)?,
        recipe: Recipe { name: format!("schedule '{id}'"), line, frozen: settings.freeze()?, dataset, pack },
        start_with_server: !matches.get_flag(IDLE),
        id,
    })
}
