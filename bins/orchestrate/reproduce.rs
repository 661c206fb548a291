//! `orchestrate models reproduce`: makes a model again from its record and compares the bytes.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Arg, ArgMatches, Command};
use serde_json::{Value, json};
use walkforward::clock::SystemClock;
use walkforward::failure::{BAD_INPUT, Failure, STAGE_FAILED};
use walkforward::output::say;
use walkforward::settings::{Output, Settings};
use walkforward::wiring::CODE_VERSION;
use walkforward_core::{CancelToken, LineName};
use walkforward_store::{ModelRecord, read_model};

use crate::evaluate::find_model;
use crate::stoppable::stoppable;
use crate::{progress, text};
use again::{Compared, Made, Obstacle, Workshop};

mod again;

/// Name of the argument.
const MODEL: &str = "model";

/// The subcommand of `models`.
pub(crate) fn command() -> Command {
    Command::new("reproduce")
        .about("Makes a model again from its record in a temporary folder and compares the bytes")
        .after_help(
            "Exit codes: 0 the bytes are the same; 1 they differ; 2 it can't be compared here, and why. Nothing is \
             changed in the folders, but bars of a service that are not in the cache are fetched to it. They come from \
             the source on record, wherever the settings of now point.",
        )
        .arg(
            Arg::new(MODEL)
                .value_name("MODEL")
                .required(true)
                .help("Id of a model in the models folder, or champion"),
        )
}

/// Does what the subcommand of `models` in `matches` asks for.
pub(crate) fn dispatch(settings: &Settings, output: Output, matches: &ArgMatches) -> Result<(), Failure> {
    let id = matches.subcommand().and_then(|(_, inner)| inner.get_one::<String>(MODEL));
    reproduce(settings, output, id.map_or("champion", String::as_str))
}

/// Makes the model called `id` again and says whether it is the same.
///
/// # Errors
/// There is no such model; its bytes differ; it can't be compared.
pub(crate) fn reproduce(settings: &Settings, output: Output, id: &str) -> Result<(), Failure> {
    let models_dir: PathBuf = settings.require("paths.models_dir")?;
    let line: LineName = settings.require("line.name")?;
    let id = find_model(&models_dir, &line, id)?;
    let (record, _) = read_model(&models_dir, &id).map_err(|error| Failure::from(&error))?;
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| Failure::stage(format!("the async runtime does not start: {error}")))?;
    let settings = settings.clone();
    let work = |cancel: CancelToken| async move {
        let progress = progress::on_terminal(output == Output::Human);
        let clock = Arc::new(SystemClock::start());
        let workshop = Workshop { models_dir: &models_dir, settings: &settings, clock, progress, cancel };
        let found = match workshop.make(&record).await {
            Ok(made) => Found::of(made),
            Err(Obstacle::NotComparable(reason)) => Found::not_comparable(reason),
            Err(Obstacle::Failed(failure)) => return Err(failure),
        };
        drop(workshop);
        found.conclude(&record, output)
    };
    let result = runtime.block_on(stoppable(work));
    runtime.shutdown_background();
    result
}

/// What a comparison came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Identical,
    Different,
    NotComparable,
}

struct Found {
    outcome: Outcome,
    /// Why it is not identical.
    reason: Option<String>,
    /// What was compared; nothing where nothing was made.
    files: Vec<Compared>,
}

impl Found {
    fn of(made: Made) -> Self {
        let differing: Vec<&str> =
            made.files.iter().filter(|file| !file.is_same()).map(|file| file.file).collect();
        let verb = if differing.len() == 1 { "differs" } else { "differ" };
        let sentence = format!("{} {verb}", differing.join(" and "));
        let (outcome, reason) = match (differing.is_empty(), made.is_free_because) {
            (true, _) => (Outcome::Identical, None),
            (false, None) => (Outcome::Different, Some(sentence)),
            (false, Some(why)) => (Outcome::NotComparable, Some(format!("{sentence}, but {why}"))),
        };
        Self { outcome, reason, files: made.files.into() }
    }

    fn not_comparable(reason: String) -> Self {
        Self { outcome: Outcome::NotComparable, reason: Some(reason), files: Vec::new() }
    }

    /// Says what was found, and fails unless the model is the same.
    fn conclude(&self, record: &ModelRecord, output: Output) -> Result<(), Failure> {
        match output {
            Output::Human => say(&self.human(record))?,
            Output::Json => say(&format!("{}\n", self.json(record)))?,
            Output::Quiet => {}
        }
        let (code, word) = match self.outcome {
            Outcome::Identical => return Ok(()),
            Outcome::Different => (STAGE_FAILED, "different"),
            Outcome::NotComparable => (BAD_INPUT, "not comparable"),
        };
        let reason = self.reason.as_deref().unwrap_or_default();
        Err(Failure { code, message: format!("{}: {word}: {reason}", record.model_id) })
    }

    fn json(&self, record: &ModelRecord) -> Value {
        let outcome = match self.outcome {
            Outcome::Identical => "identical",
            Outcome::Different => "different",
            Outcome::NotComparable => "not_comparable",
        };
        let file = |it: &Compared| json!({ "file": it.file, "recorded": it.recorded, "made": it.made });
        json!({
            "modelId": record.model_id,
            "outcome": outcome,
            "reason": self.reason,
            "notes": notes(record),
            "parentId": record.parent_id,
            "datasetHash": record.dataset_hash,
            "trainer": record.training.trainer,
            "instructionSet": record.training.instruction_set,
            "codeVersion": { "recorded": record.code_version, "this": CODE_VERSION },
            "files": self.files.iter().map(file).collect::<Vec<_>>(),
        })
    }

    /// The reason of a failure is said on standard error.
    fn human(&self, record: &ModelRecord) -> String {
        let none = || "none".to_owned();
        let compared = self.files.iter().map(|it| match it.is_same() {
            true => format!("{} is the same: {}", it.file, it.made.clone().unwrap_or_else(none)),
            false => {
                let [recorded, made] = [&it.recorded, &it.made].map(|it| it.clone().unwrap_or_else(none));
                format!("{} differs: recorded {recorded}, made again {made}", it.file)
            }
        });
        let verdict = (self.outcome == Outcome::Identical)
            .then(|| format!("{} was made again with the same bytes", record.model_id));
        let lines = verdict.map(|it| ("identical", it)).into_iter();
        let lines = lines.chain(compared.map(|it| ("file", it)));
        let lines = lines.chain(notes(record).into_iter().map(|it| ("note", it)));
        lines.map(|(label, sentence)| text::labelled(label, &sentence)).collect()
    }
}

/// What has to be known to judge a difference.
fn notes(record: &ModelRecord) -> Vec<String> {
    let other = (record.code_version != CODE_VERSION)
        .then(|| format!("it was made by version {}, this is {CODE_VERSION}", record.code_version));
    other.into_iter().collect()
}
