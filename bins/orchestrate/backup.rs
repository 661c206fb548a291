//! `orchestrate backup` and `orchestrate restore`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use serde_json::{Value, json};
use walkforward::config::Folders;
use walkforward::failure::Failure;
use walkforward::output::say;
use walkforward::settings::{Output, Settings};
use walkforward_core::{LineName, ModelId};
use walkforward_store::{BackupReport, BackupScope, RestoreReport, StoreError, restore as restore_backup};

use crate::home::Home;
use crate::text::{bytes, labelled, minute};

const DIR: &str = "dir";
const ALL_MODELS: &str = "all-models";

fn folder(help: &'static str) -> Arg {
    Arg::new(DIR).value_name("DIR").required(true).value_parser(value_parser!(PathBuf)).help(help)
}

/// The subcommand that takes one.
pub(crate) fn backup_command() -> Command {
    Command::new("backup")
        .about("Copies database, pointers, models, ETL records and decision journals while they are in use")
        .after_help(
            "The records and evaluations of all models are copied, and the weights of champions, of the champions \
             before them, of pinned models, of models that wait for approval and of the next parents of schedules. What can be made again is left out: \
             the cache of bars, jobs, checkpoints. manifest.json is written last: a folder without it is incomplete.",
        )
        .arg(folder("Folder of the backup; it has to be empty or not there"))
        .arg(
            Arg::new(ALL_MODELS)
                .long(ALL_MODELS)
                .action(ArgAction::SetTrue)
                .help("Copy the weights of all models that have them"),
        )
}

/// The subcommand that gives one back.
pub(crate) fn restore_command() -> Command {
    Command::new("restore")
        .about("Puts a backup into the data folder and the models folder, which have to be empty")
        .after_help(
            "Every file is checked before the first is written. A restore that is cut short is told apart: nothing \
             opens the folders then, and the same command makes them whole.",
        )
        .arg(folder("Folder of the backup"))
}

fn dir(matches: &ArgMatches) -> PathBuf {
    matches.get_one::<PathBuf>(DIR).cloned().unwrap_or_default()
}

fn refuse(error: StoreError) -> Failure {
    Failure::from(&error)
}

/// Takes a backup.
pub(crate) fn backup(settings: &Settings, output: Output, matches: &ArgMatches) -> Result<(), Failure> {
    let home = Home::open(settings, output)?;
    let scope = match matches.get_flag(ALL_MODELS) {
        true => BackupScope::AllModels,
        false => BackupScope::Referenced,
    };
    let dir = dir(matches);
    let taken = home.store.backup(&dir, scope).map_err(refuse)?;
    let BackupReport { created_at, files, bytes, models, models_with_weights, champions, problems } = taken;
    let report = RestoreReport { created_at, files, bytes, models, models_with_weights, champions };
    home.print(|| json("backup", &dir, &report, &problems), || words("backup", &dir, &report, &problems))
}

/// Restores a backup.
pub(crate) fn restore(settings: &Settings, output: Output, matches: &ArgMatches) -> Result<(), Failure> {
    let Folders { data_dir, models_dir } = Folders::from_settings(settings)?;
    let dir = dir(matches);
    let report = restore_backup(&dir, &data_dir, &models_dir).map_err(refuse)?;
    match output {
        Output::Quiet => Ok(()),
        Output::Json => say(&format!("{}\n", json("restored", &dir, &report, &[]))),
        Output::Human => say(&words("restored", &dir, &report, &[])),
    }
}

fn words(done: &str, dir: &Path, report: &RestoreReport, problems: &[String]) -> String {
    let files = format!(
        "{}, {} files, {}, as of {} UTC",
        dir.display(),
        report.files,
        bytes(report.bytes),
        minute(report.created_at)
    );
    let models = format!("{} records, {} with weights", report.models, report.models_with_weights);
    let champions = report.champions.iter().map(|(line, model)| ("champion", format!("{line}: {model}")));
    let problems = problems.iter().map(|problem| ("left out", problem.clone()));
    let lines = [(done, files), ("models", models)].into_iter().chain(champions).chain(problems);
    lines.map(|(label, text)| labelled(label, &text)).collect()
}

fn json(done: &str, dir: &Path, report: &RestoreReport, problems: &[String]) -> Value {
    let champions: &BTreeMap<LineName, ModelId> = &report.champions;
    json!({
        "done": done, "dir": dir, "created_at": report.created_at, "files": report.files, "bytes": report.bytes,
        "models": report.models, "models_with_weights": report.models_with_weights, "champions": champions,
        "problems": problems,
    })
}
