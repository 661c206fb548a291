//! Where trainings run, by name, and what a worker is told about it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use walkforward_core::{Launcher, Trainer};
use walkforward_engine::SessionConfig;
use walkforward_launcher::{
    CommandConfig, CommandTrainer, JobFile, SubprocessConfig, SubprocessLauncher, WorkerLimits,
};
use walkforward_orchestrator::InProcessLauncher;
use walkforward_trainer::{PpoTrainer, SupervisedTrainer};

use crate::config::count;
use crate::failure::Failure;
use crate::pack::TrainerConfig;
use crate::program::{COMMAND, UserProgram};
use crate::settings::Settings;

/// The subcommand of `orchestrate` that works on a job.
pub const WORKER: &str = "worker";
/// The program that has it.
const ORCHESTRATE: &str = "orchestrate";
/// Longest time budget: a week.
const MAX_BUDGET_MINUTES: usize = 10_080;
/// Longest silence: a day.
const MAX_STALL_SECONDS: usize = 86_400;
/// Longest grace.
const MAX_GRACE_SECONDS: usize = 600;
/// Largest niceness that systems know.
const MAX_NICENESS: usize = 19;
/// Memory limits: less than the first starts nothing, more than the second is no limit.
const MEMORY_LIMIT_MIB: std::ops::RangeInclusive<usize> = 64..=16_777_216;

/// Where trainings run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LauncherKind {
    /// In this process.
    InProcess,
    /// In a worker of its own.
    Subprocess,
    /// In a worker that runs the user's own program.
    Command,
}

/// Where trainings run, and what they may do there.
#[derive(Debug, Clone, PartialEq)]
pub struct LaunchConfig {
    /// Where.
    pub kind: LauncherKind,
    /// The user's program, for [`LauncherKind::Command`].
    pub program: Option<UserProgram>,
    /// A training is killed after so long.
    pub time_budget: Duration,
    /// A training is killed when nothing is heard of it for so long.
    pub stall_timeout: Duration,
    /// Between the request to stop and the end by force.
    pub cancel_grace: Duration,
    /// What a worker limits itself to.
    pub limits: WorkerLimits,
}

impl LaunchConfig {
    /// Checks the settings; a single run trains in its own process unless they say otherwise.
    pub fn from_settings(settings: &Settings, is_once: bool) -> Result<Self, Failure> {
        let kind = kind(settings)?;
        let by_default = if is_once { LauncherKind::InProcess } else { LauncherKind::Subprocess };
        let program = match kind {
            Some(LauncherKind::Command) => UserProgram::from_settings(settings)?,
            _ => None,
        };
        if kind == Some(LauncherKind::Command) && program.is_none() {
            let problem = "the launcher command needs a program, such as \"python3 train.py\"";
            return Err(settings.refuse(COMMAND, problem));
        }
        let minutes = count(settings, "training.time_budget_minutes", 1..=MAX_BUDGET_MINUTES)?;
        let seconds = |key, most| count(settings, key, 1..=most).map(|it| Duration::from_secs(it as u64));
        let niceness = count(settings, "training.niceness", 0..=MAX_NICENESS)?;
        let memory_limit_mib = match settings.is_set("training.memory_limit_mib") {
            true => Some(count(settings, "training.memory_limit_mib", MEMORY_LIMIT_MIB)? as u64),
            false => None,
        };
        Ok(Self {
            kind: kind.unwrap_or(by_default),
            program,
            time_budget: Duration::from_secs(minutes as u64 * 60),
            stall_timeout: seconds("training.stall_timeout_seconds", MAX_STALL_SECONDS)?,
            cancel_grace: seconds("training.cancel_grace_seconds", MAX_GRACE_SECONDS)?,
            limits: WorkerLimits { niceness: u8::try_from(niceness).unwrap_or(u8::MAX), memory_limit_mib },
        })
    }

    /// The launcher, for trainings by `trainer` of sessions with these costs.
    ///
    /// # Errors
    /// The worker's program or the user's own is not there.
    pub fn launcher(
        &self,
        trainer: &TrainerConfig,
        session: SessionConfig,
    ) -> Result<Arc<dyn Launcher>, Failure> {
        let kind = match trainer {
            TrainerConfig::Ppo(_) => WorkerKind::Ppo,
            TrainerConfig::Supervised(_) => WorkerKind::Supervised,
            TrainerConfig::Command(_) => WorkerKind::Command,
        };
        self.program.as_ref().map(UserProgram::check).transpose()?;
        let (command, folder) = match self.program.clone() {
            Some(UserProgram { words, folder }) => (words, Some(folder)),
            None => (Vec::new(), None),
        };
        let worker = WorkerTrainer { kind, session, command };
        if self.kind == LauncherKind::InProcess {
            let trainer = worker.built_in()?;
            return Ok(Arc::new(InProcessLauncher::new(trainer)));
        }
        let spec = serde_json::to_value(&worker).map_err(|error| Failure::stage(error.to_string()))?;
        let config = SubprocessConfig {
            folder,
            environment: std::env::vars_os().collect(),
            limits: self.limits,
            time_budget: self.time_budget,
            stall_timeout: self.stall_timeout,
            cancel_grace: self.cancel_grace,
            ..SubprocessConfig::new(worker_program()?, spec)
        };
        let launcher = SubprocessLauncher::new(config).map_err(|error| Failure::input(error.to_string()))?;
        Ok(Arc::new(launcher))
    }
}

/// The launcher that is set; none when nobody chose one.
pub(crate) fn kind(settings: &Settings) -> Result<Option<LauncherKind>, Failure> {
    let Some(name) = settings.get::<String>("training.launcher")? else { return Ok(None) };
    match name.as_str() {
        "in_process" => Ok(Some(LauncherKind::InProcess)),
        "subprocess" => Ok(Some(LauncherKind::Subprocess)),
        "command" => Ok(Some(LauncherKind::Command)),
        _ => Err(settings.refuse("training.launcher", "expected in_process, subprocess or command")),
    }
}

/// `orchestrate`: this program, or the one beside it.
fn worker_program() -> Result<PathBuf, Failure> {
    let own = std::env::current_exe()
        .map_err(|error| Failure::stage(format!("this program can't tell where it lies: {error}")))?;
    match own.file_stem() == Some(ORCHESTRATE.as_ref()) {
        true => Ok(own),
        false => Ok(own.with_file_name(ORCHESTRATE)),
    }
}

/// Which trainer a worker runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkerKind {
    /// Proximal policy optimisation.
    Ppo,
    /// The supervised baseline.
    Supervised,
    /// The user's own program.
    Command,
}

/// What a job says to the worker about its trainer: the key `trainer` of `job.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkerTrainer {
    /// Which trainer.
    pub kind: WorkerKind,
    /// Cash, fees and what the market allows.
    pub session: SessionConfig,
    /// The user's program and its arguments; empty for the others.
    #[serde(default)]
    pub command: Vec<String>,
}

impl WorkerTrainer {
    /// The trainer of this program.
    fn built_in(&self) -> Result<Arc<dyn Trainer>, Failure> {
        match self.kind {
            WorkerKind::Ppo => Ok(Arc::new(PpoTrainer::new(self.session))),
            WorkerKind::Supervised => Ok(Arc::new(SupervisedTrainer::new(self.session))),
            WorkerKind::Command => {
                Err(Failure::input("training.launcher: a program of one's own runs in a worker"))
            }
        }
    }

    /// The trainer for the job `file` at `job_file`.
    pub fn trainer(&self, file: &JobFile, job_file: &Path) -> Result<Arc<dyn Trainer>, Failure> {
        if self.kind != WorkerKind::Command {
            return self.built_in();
        }
        let cancel_grace = Duration::try_from_secs_f64(file.cancel_grace_s)
            .map_err(|error| Failure::input(format!("the job's cancel_grace_s: {error}")))?;
        let program = std::env::current_exe()
            .map_err(|error| Failure::stage(format!("the worker can't tell where it lies: {error}")))?;
        let trainer = CommandTrainer::new(CommandConfig {
            command: self.command.iter().map(OsString::from).collect(),
            stage: vec![program.into(), WORKER.into(), "--exec".into()],
            job_file: job_file.to_owned(),
            cancel_grace,
        });
        Ok(Arc::new(trainer.map_err(|error| Failure::input(error.to_string()))?))
    }
}
