//! `orchestrate experiments run`.

use std::sync::Arc;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::{Value, json};
use walkforward::failure::{Failure, STAGE_FAILED};
use walkforward::output::say;
use walkforward::scheduling::Recipe;
use walkforward::settings::{Output, Settings};
use walkforward_core::RunId;
use walkforward_orchestrator::{ContinuousParts, ContinuousTrainer, CyclePlan, NoCycleProgress, RunError};
use walkforward_store::{
    ExperimentId, ExperimentRecord, ExperimentStatus, NewExperiment, RunLock, StoreError,
};

use crate::control::{Client, Request};
use crate::home::{Home, Reach};
use crate::progress;
use crate::references::{self, References};
use crate::run::conclude;
use crate::stoppable::stoppable;

const GIVEN_ID: &str = "id";
const NAME: &str = "name";
const DETACH: &str = "detach";
/// How often the row of a training in the server is looked at.
const LOOK: Duration = Duration::from_millis(200);

const ABOUT: &str = "Trains a model from the settings that are set now, judges it and promotes it or says why not, as \
--once does, and keeps an experiment's record of it. A running server does it, so that it takes its turn.";

pub(super) fn command() -> Command {
    references::arguments(Command::new("run").about(ABOUT))
        .arg(Arg::new(GIVEN_ID).long(GIVEN_ID).value_name("ID").help("Its id [default: exp- and the time]"))
        .arg(Arg::new(NAME).long(NAME).value_name("TEXT").help("Its name for people [default: its id]"))
        .arg(
            Arg::new(DETACH)
                .long(DETACH)
                .action(ArgAction::SetTrue)
                .help("Leave it to the running server, and don't wait for it"),
        )
}

/// Checks all of it, then trains here or has the server do it.
pub(super) fn run(settings: &Settings, output: Output, matches: &ArgMatches) -> Result<(), Failure> {
    let home = Home::open(settings, output)?;
    let (experiment, plan) = wanted(&home, matches)?;
    home.write_down("experiments.run", experiment.id.as_str(), "")?;
    match (home.reach()?, matches.get_flag(DETACH)) {
        (Reach::Server(server), is_detached) => hand_over(&home, server, experiment, is_detached),
        (_, true) => Err(Failure::input(
            "--detach leaves the training to a server, and none runs: start one with `orchestrate serve`, or leave \
             --detach out",
        )),
        (Reach::Alone(lock), false) => here(&home, experiment, plan, lock),
        (Reach::Held(held), false) => conclude(Err(RunError::Busy(held)), None, output),
    }
}

fn wanted(home: &Home, matches: &ArgMatches) -> Result<(NewExperiment, CyclePlan), Failure> {
    let References { dataset, pack } = References::of(matches)?;
    let id: ExperimentId = match matches.get_one::<String>(GIVEN_ID) {
        Some(id) => id.parse(),
        None => format!("exp-{}", RunId::at(home.clock.now()).as_str().to_ascii_lowercase()).parse(),
    }
    .map_err(|error| Failure::input(format!("--{GIVEN_ID}: {error}")))?;
    let name = matches.get_one::<String>(NAME).cloned().unwrap_or_else(|| id.to_string());
    let settings = &home.settings;
    let recipe = Recipe {
        name: format!("experiment '{id}'"),
        line: settings.require("line.name")?,
        frozen: settings.freeze()?,
        dataset,
        pack,
    };
    let plan = home.planner().experiment(&recipe)?;
    let mut config = recipe.config()?;
    if let Value::Object(config) = &mut config {
        config.insert("dataset_id".to_owned(), json!(recipe.dataset));
        config.insert("hp_pack_id".to_owned(), json!(recipe.pack));
        config.insert("training_config".to_owned(), plan.request.pack.clone());
        config.insert("seed".to_owned(), json!(plan.request.seed));
    }
    let script = "run".to_owned();
    Ok((NewExperiment { id, name, script, line: recipe.line, config, tags: Vec::new() }, plan))
}

/// Trains in this process.
fn here(home: &Home, experiment: NewExperiment, plan: CyclePlan, lock: RunLock) -> Result<(), Failure> {
    let trainer = ContinuousTrainer::new(ContinuousParts {
        store: Arc::clone(&home.store),
        lock: Arc::new(lock),
        planner: Arc::new(home.planner()),
        clock: Arc::clone(&home.clock),
        progress: Arc::new(NoCycleProgress),
        work_dir: home.folders.data_dir.clone(),
    });
    let output = home.output;
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| Failure::stage(format!("the async runtime does not start: {error}")))?;
    let result = runtime.block_on(stoppable(|cancel| async move {
        let progress = progress::on_terminal(output == Output::Human);
        let result = trainer.run_experiment(experiment, plan, progress, cancel).await;
        conclude(result, None, output)
    }));
    runtime.shutdown_background();
    result
}

/// Has the server train, and waits for the end unless told not to.
fn hand_over(
    home: &Home,
    mut server: Client,
    experiment: NewExperiment,
    is_detached: bool,
) -> Result<(), Failure> {
    let id = experiment.id.clone();
    server.ask(&Request::RunExperiment { experiment: Box::new(experiment) })?;
    if is_detached {
        let words = || {
            format!("experiment '{id}' runs in the server; `orchestrate experiments show {id}` shows it\n")
        };
        return home.print(|| json!({ "experiment": id }), words);
    }
    if home.output == Output::Human {
        say(&format!("experiment '{id}' runs in the server, and goes on there after Ctrl-C\n"))?;
    }
    let ended = wait(home, &id)?;
    tell(home, &ended)
}

/// The record once the training has ended. The server makes it after it has answered.
fn wait(home: &Home, id: &ExperimentId) -> Result<ExperimentRecord, Failure> {
    let mut server = home.server()?;
    loop {
        match home.store.experiment(id) {
            Ok(record) if record.status.is_final() => return Ok(record),
            Ok(_) | Err(StoreError::UnknownRow { .. }) => {}
            Err(error) => return Err(Failure::from(&error)),
        }
        if server.as_mut().is_none_or(|server| server.ask(&Request::Status).is_err()) {
            return Err(Failure::stage(format!(
                "the server went away; `orchestrate experiments show {id}` shows what became of it"
            )));
        }
        std::thread::sleep(LOOK);
    }
}

fn tell(home: &Home, record: &ExperimentRecord) -> Result<(), Failure> {
    let outcome = record.final_metrics["outcome"].as_str().unwrap_or(record.status.as_str()).to_owned();
    let reason = record.error.as_deref().map(|error| format!(": {error}")).unwrap_or_default();
    let model = record.model_id.as_ref().map(|model| format!(" ({model})")).unwrap_or_default();
    home.print(|| json!(record), || format!("experiment '{}' {outcome}{reason}{model}\n", record.id))?;
    match record.status {
        ExperimentStatus::Failed | ExperimentStatus::Interrupted => Err(Failure {
            code: STAGE_FAILED,
            message: format!("experiment '{}' {}{reason}", record.id, record.status),
        }),
        _ => Ok(()),
    }
}
