//! Trainings in worker processes.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use walkforward_core::{
    CancelToken, ErrorKind, Launcher, Stage, StageContext, StageError, TrainingJob, TrainingOutcome,
};
use walkforward_durable::Files;

use crate::attempt::QuotedError;
use crate::environment::{MARKER, Marker, is_passed_on};
use crate::job::{JOB_FILE, JobFile, JobFolder, JobSettings, tidy};
use crate::limits::THREAD_VARIABLES;
use crate::log::WorkerLog;
use crate::orphans::end_stragglers;
use crate::process::GroupLeader;
use crate::supervise::{Ended, Supervisor, Watched};
use crate::{Error, WorkerLimits};

/// Name of the log, in a job's folder.
const LOG_FILE: &str = "worker.log";

/// How workers are started and what they may do.
#[derive(Debug, Clone)]
pub struct SubprocessConfig {
    /// The worker's program.
    pub program: PathBuf,
    /// Its arguments; the path of `job.json` comes after them.
    pub arguments: Vec<OsString>,
    /// The worker's working folder, and that of whatever it starts; none: this process's.
    pub folder: Option<PathBuf>,
    /// The environment to choose from: of it a worker gets what [`is_passed_on`] allows.
    pub environment: Vec<(OsString, OsString)>,
    /// Which trainer the worker runs and with what, as the program reads it from the job.
    pub trainer: serde_json::Value,
    /// What the worker limits itself to.
    pub limits: WorkerLimits,
    /// A training is killed after so long.
    pub time_budget: Duration,
    /// A training is killed when no line of progress or metrics comes for so long.
    pub stall_timeout: Duration,
    /// Between the request to stop and the end by force.
    pub cancel_grace: Duration,
    /// Most bytes that a worker may say in all.
    pub max_output_bytes: u64,
    /// Most bytes that a worker may say within a second.
    pub max_output_bytes_per_s: u64,
}

impl SubprocessConfig {
    /// Usual limits for workers that are started as `program worker --job JOB`: four hours, ten minutes without a sign,
    /// five seconds of grace, 256 MiB of output, 8 MiB within a second.
    pub fn new(program: impl Into<PathBuf>, trainer: serde_json::Value) -> Self {
        Self {
            program: program.into(),
            arguments: ["worker", "--job"].map(OsString::from).into(),
            folder: None,
            environment: Vec::new(),
            trainer,
            limits: WorkerLimits::default(),
            time_budget: Duration::from_secs(4 * 3_600),
            stall_timeout: Duration::from_secs(600),
            cancel_grace: Duration::from_secs(5),
            max_output_bytes: 256 << 20,
            max_output_bytes_per_s: 8 << 20,
        }
    }
}

/// Runs each training in a process group of its own, and ends the whole group however the training ends.
///
/// The job lies in `<work_dir>/jobs/<attempt>` with its log. Dropping the future of
/// [`launch`](Launcher::launch) cancels the training.
#[derive(Debug, Clone)]
pub struct SubprocessLauncher {
    config: Arc<SubprocessConfig>,
    files: Files,
}

impl SubprocessLauncher {
    /// A launcher of `config`'s program.
    ///
    /// # Errors
    /// The program is not there or can't be run.
    pub fn new(config: SubprocessConfig) -> Result<Self, Error> {
        check_program(&config.program)?;
        Ok(Self { config: Arc::new(config), files: Files::default() })
    }

    /// The same launcher that writes its jobs through `files`.
    pub fn with_files(self, files: Files) -> Self {
        Self { files, ..self }
    }

    fn run(
        &self,
        job: &TrainingJob,
        ctx: &StageContext,
        abandoned: &CancelToken,
    ) -> Result<TrainingOutcome, StageError> {
        ctx.cancel.check(Stage::Train)?;
        check_program(&self.config.program)?;
        check_folder(self.config.folder.as_deref())?;
        let now_ms = ctx.clock.now().as_millis();
        let folder = JobFolder::make(&self.files, &ctx.work_dir, &job.attempt, now_ms)?;
        let ended = self.run_in(folder.path(), job, ctx, abandoned);
        folder.close(&self.files);
        tidy(&self.files, &ctx.work_dir, now_ms);
        ended
    }

    fn run_in(
        &self,
        dir: &Path,
        job: &TrainingJob,
        ctx: &StageContext,
        abandoned: &CancelToken,
    ) -> Result<TrainingOutcome, StageError> {
        let config = &*self.config;
        let settings = JobSettings {
            work_dir: &ctx.work_dir,
            time_budget: config.time_budget,
            stall_timeout: config.stall_timeout,
            cancel_grace: config.cancel_grace,
            limits: config.limits,
            trainer: &config.trainer,
        };
        JobFile::write(&self.files, dir, job, &settings)?;
        let mut log = WorkerLog::create(&dir.join(LOG_FILE))?;
        let marker = Marker::of(&job.attempt, &ctx.work_dir);
        let leader = self.spawn(&dir.join(JOB_FILE), job, &marker)?;
        let watched = Watched {
            config,
            ctx,
            abandoned,
            attempt: &job.attempt,
            training_end: job.dataset.training_end(),
            out_dir: &job.out_dir,
        };
        let ended = Supervisor::new(watched, leader, &mut log).run();
        end_stragglers(&marker);
        log.finish();
        match ended? {
            Ended::Done(outcome) => Ok(outcome),
            Ended::Cancelled => Err(StageError::cancelled(Stage::Train)),
            Ended::Failed(error) => Err(QuotedError { error, last_lines: log.last_lines() }.into()),
        }
    }

    fn spawn(&self, job_file: &Path, job: &TrainingJob, marker: &Marker) -> Result<GroupLeader, Error> {
        let config = &self.config;
        // Neither may depend on the worker's folder.
        let job_file = std::path::absolute(job_file).map_err(Error::process("tell where the job is"))?;
        let program =
            std::path::absolute(&config.program).map_err(Error::process("tell where the worker is"))?;
        let passed_on = |(name, _): &&(OsString, OsString)| name.to_str().is_some_and(is_passed_on);
        let environment = config.environment.iter().filter(passed_on).map(|(name, value)| (name, value));
        let mut command = Command::new(program);
        if let Some(folder) = &config.folder {
            command.current_dir(folder);
        }
        let child = command
            .args(&config.arguments)
            .arg(job_file)
            .env_clear()
            .envs(environment)
            .envs(THREAD_VARIABLES.map(|name| (name, job.threads.to_string())))
            .env(MARKER, marker.to_string())
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(Error::process(format!("start the worker '{}'", config.program.display())))?;
        Ok(GroupLeader::new(child))
    }
}

/// Refuses a program that can't be run, before anything is written.
///
/// # Errors
/// There is no such file, or it may not be executed.
pub fn check_program(path: &Path) -> Result<(), Error> {
    let refuse = |reason: String| Error::Program { path: path.to_owned(), reason };
    let metadata = std::fs::metadata(path).map_err(|error| refuse(error.to_string()))?;
    if !metadata.is_file() {
        return Err(refuse("it is no file".to_owned()));
    }
    match metadata.permissions().mode() & 0o111 {
        0 => Err(refuse("it may not be executed".to_owned())),
        _ => Ok(()),
    }
}

/// Refuses a working folder that is not there: the system would blame the program.
fn check_folder(folder: Option<&Path>) -> Result<(), Error> {
    match folder {
        Some(path) if !path.is_dir() => Err(Error::Folder { path: path.to_owned() }),
        _ => Ok(()),
    }
}

/// Cancels when it is dropped: nobody waits any more.
struct CancelOnDrop(CancelToken);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

#[async_trait]
impl Launcher for SubprocessLauncher {
    async fn launch(&self, job: TrainingJob, ctx: &StageContext) -> Result<TrainingOutcome, StageError> {
        let abandoned = CancelToken::default();
        let _guard = CancelOnDrop(abandoned.clone());
        let (launcher, ctx) = (self.clone(), ctx.clone());
        let running = tokio::task::spawn_blocking(move || launcher.run(&job, &ctx, &abandoned));
        match running.await {
            Ok(result) => result,
            Err(failed) => Err(StageError::new(Stage::Train, ErrorKind::Bug, failed)),
        }
    }
}
