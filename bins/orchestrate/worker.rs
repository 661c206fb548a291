//! `orchestrate worker`: one training in a process of its own, started by the launcher.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use walkforward::clock::SystemClock;
use walkforward::failure::Failure;
use walkforward::launch::{WORKER, WorkerTrainer};
use walkforward::output::complain;
use walkforward_core::{ErrorKind, Stage, StageContext, StageError, Trainer, TrainingJob, TrainingOutcome};
use walkforward_etl::dataset_hash;
use walkforward_launcher::{JobFile, NOT_RUN, exec_with_parent, run_worker};

const JOB: &str = "job";
const EXEC: &str = "exec";
const PROGRAM: &str = "program";

const ABOUT: &str = "Works on one training job and says how it goes in JSON lines. Started by orchestrate itself; \
docs/jobs.md describes the job and the lines.";

/// The command line of the subcommand, which people don't call.
pub(crate) fn command() -> Command {
    Command::new(WORKER)
        .hide(true)
        .about(ABOUT)
        .arg(
            Arg::new(JOB)
                .long(JOB)
                .value_name("FILE")
                .value_parser(value_parser!(OsString))
                .required_unless_present(EXEC)
                .help("The job.json to work on"),
        )
        .arg(
            Arg::new(EXEC)
                .long(EXEC)
                .value_name("PID")
                .value_parser(value_parser!(i32))
                .requires(PROGRAM)
                .conflicts_with(JOB)
                .help("Become PROGRAM, which ends when the worker PID does"),
        )
        .arg(
            Arg::new(PROGRAM)
                .value_name("PROGRAM")
                .value_parser(value_parser!(OsString))
                .action(ArgAction::Append)
                .num_args(1..)
                .trailing_var_arg(true)
                .allow_hyphen_values(true)
                .help("A program, its arguments and the path of the job"),
        )
}

/// Does what `matches` ask for and gives the exit status.
pub(crate) fn run(matches: &ArgMatches) -> ExitCode {
    if let Some(parent) = matches.get_one::<i32>(EXEC) {
        let words: Vec<OsString> = matches.get_many(PROGRAM).unwrap_or_default().cloned().collect();
        let Some((program, arguments)) = words.split_first() else { return ExitCode::from(NOT_RUN) };
        complain(&exec_with_parent(*parent, program, arguments).to_string());
        return ExitCode::from(NOT_RUN);
    }
    let job_file = matches.get_one::<OsString>(JOB).cloned().unwrap_or_default();
    let job_file = Path::new(&job_file);
    let choose = |file: &JobFile| choose(file, job_file);
    ExitCode::from(run_worker(job_file, Arc::new(SystemClock::start()), choose))
}

/// The trainer that the job names.
fn choose(file: &JobFile, job_file: &Path) -> Result<Box<dyn Trainer>, StageError> {
    let refuse = |error: &dyn std::fmt::Display| {
        let problem = format!("'{}', key trainer: {error}", job_file.display());
        StageError::new(Stage::Train, ErrorKind::BadInput, problem)
    };
    let spec: WorkerTrainer = serde_json::from_value(file.trainer.clone()).map_err(|error| refuse(&error))?;
    let trainer = spec.trainer(file, job_file).map_err(|failure: Failure| refuse(&failure))?;
    Ok(Box::new(Fingerprinted(trainer)))
}

/// Trains on a dataset only when its fingerprint is the one that the run recorded.
struct Fingerprinted(Arc<dyn Trainer>);

impl Trainer for Fingerprinted {
    fn train(&self, job: &TrainingJob, ctx: &StageContext) -> Result<TrainingOutcome, StageError> {
        let refuse = |problem: String| StageError::new(Stage::Train, ErrorKind::BadInput, problem);
        let found = dataset_hash(&job.dataset).map_err(|error| refuse(error.to_string()))?;
        if found != job.dataset.hash {
            let expected = &job.dataset.hash;
            let problem =
                format!("the job's dataset has the fingerprint {found}, its record says {expected}");
            return Err(refuse(problem));
        }
        self.0.train(job, ctx)
    }
}
