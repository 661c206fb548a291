//! `orchestrate models take-over`: a models folder whose database is gone gets another.

use std::sync::Arc;

use clap::{Arg, Command};
use serde_json::json;
use walkforward::clock::SystemClock;
use walkforward::config::Folders;
use walkforward::failure::Failure;
use walkforward::output::say;
use walkforward::settings::{Output, Settings};
use walkforward_store::Store;

use super::refuse;

/// The subcommand.
pub(super) fn command(reason: Arg) -> Command {
    Command::new("take-over")
        .about("Makes the models folder that of this data folder, when the one that it belonged to is gone for good")
        .after_help(
            "A models folder belongs to one database: two would each take away what the other needs. What the lost \
             database alone knew is lost: pins, schedules, experiments, the history of runs. While the other data \
             folder is still there, or a process uses the models folder, nothing is changed.",
        )
        .arg(reason)
}

/// Takes the folder over.
pub(super) fn run(settings: &Settings, output: Output, reason: &str) -> Result<(), Failure> {
    if reason.trim().is_empty() {
        return Err(Failure::input("--reason is empty: say why, for the events"));
    }
    let Folders { data_dir, models_dir } = Folders::from_settings(settings)?;
    let taken = Store::take_over(&data_dir, &models_dir, Arc::new(SystemClock::start()), reason);
    let (store, former) = taken.map_err(refuse)?;
    let models = store.recovery().registered;
    match output {
        Output::Quiet => Ok(()),
        Output::Json => {
            let line = json!({ "done": "taken_over", "former": former, "models_registered": models });
            say(&format!("{line}\n"))
        }
        Output::Human => {
            let (models_dir, data_dir) = (models_dir.display(), data_dir.display());
            let from = former.map_or("nobody".to_owned(), |former| format!("'{}'", former.data_dir));
            say(&format!(
                "'{models_dir}' is that of '{data_dir}' now, before of {from}; {models} models registered\n"
            ))
        }
    }
}
