//! A trainer that is somebody's own program.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, getpid, kill_process};
use walkforward_core::{ErrorKind, Stage, StageContext, StageError, Trainer, TrainingJob, TrainingOutcome};

use crate::Error;
use crate::attempt::AttemptError;
use crate::exec::NOT_RUN;
use crate::lines::LineSplitter;
use crate::output::{ChildOutput, Stream};
use crate::protocol::{FailureMessage, Line, Message, OutcomeMessage, defined, parse_line};
use crate::supervise::missing_bundle;

/// Longest time without a look at cancellation.
const TICK: Duration = Duration::from_millis(50);
/// Most reads after the program's end.
const MAX_LAST_READS: usize = 64;

/// Which program trains, and how it is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandConfig {
    /// The program and its arguments; the path of `job.json` comes after them.
    pub command: Vec<OsString>,
    /// The program that becomes the command after a call of [`exec_with_parent`](crate::exec_with_parent), with its
    /// arguments; this process's id, the command and its arguments come after them. Empty starts the command itself,
    /// which then outlives a killed worker until its group is ended.
    pub stage: Vec<OsString>,
    /// The job that the program reads.
    pub job_file: PathBuf,
    /// Between the request to stop and the end by force.
    pub cancel_grace: Duration,
}

/// Runs a program that speaks the job protocol. Its lines are taken as they come; its standard error is this process's.
///
/// Whether the bundle that it writes can be loaded is not looked at here: the store and the evaluator refuse one that
/// can't.
#[derive(Debug, Clone)]
pub struct CommandTrainer(CommandConfig);

impl CommandTrainer {
    /// A trainer that runs `config`'s command.
    ///
    /// # Errors
    /// The command is empty.
    pub fn new(config: CommandConfig) -> Result<Self, Error> {
        match config.command.is_empty() {
            true => Err(Error::Program { path: PathBuf::new(), reason: "no command is set".to_owned() }),
            false => Ok(Self(config)),
        }
    }

    fn spawn(&self) -> Result<Program, Error> {
        let config = &self.0;
        let mut words = config.stage.clone();
        if !words.is_empty() {
            words.push(getpid().as_raw_nonzero().to_string().into());
        }
        words.extend(config.command.iter().cloned());
        let (program, arguments) = words.split_first().unwrap_or_else(|| unreachable!("a command has words"));
        let refuse =
            |error: std::io::Error| Error::Program { path: program.into(), reason: error.to_string() };
        let child = Command::new(program)
            .args(arguments)
            .arg(&config.job_file)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .map_err(refuse)?;
        Ok(Program { child, is_reaped: false })
    }

    /// Listens until the program has ended; a cancelled one is asked to stop, then killed.
    fn listen(
        &self,
        program: &mut Program,
        ctx: &StageContext,
        ear: &mut Ear<'_>,
    ) -> std::io::Result<ExitStatus> {
        let mut output = ChildOutput::new(program.child.stdout.take(), None);
        let mut kill_at = None;
        let status = loop {
            output.read(TICK, &mut |stream, bytes| ear.hear(stream, bytes))?;
            if let Some(status) = program.child.try_wait()? {
                program.is_reaped = true;
                break status;
            }
            let now = ctx.clock.monotonic();
            match kill_at {
                None if ctx.cancel.is_cancelled() => {
                    program.signal(Signal::TERM);
                    kill_at = Some(now.saturating_add(self.0.cancel_grace));
                }
                Some(at) if now >= at => program.signal(Signal::KILL),
                _ => {}
            }
        };
        for _ in 0..MAX_LAST_READS {
            if !output.read(Duration::ZERO, &mut |stream, bytes| ear.hear(stream, bytes))? {
                break;
            }
        }
        ear.finish();
        Ok(status)
    }
}

impl Trainer for CommandTrainer {
    fn train(&self, job: &TrainingJob, ctx: &StageContext) -> Result<TrainingOutcome, StageError> {
        ctx.cancel.check(Stage::Train)?;
        let mut program = self.spawn()?;
        let mut ear = Ear { ctx, splitter: LineSplitter::default(), last_word: None };
        let status = self.listen(&mut program, ctx, &mut ear);
        let status = status.map_err(Error::process("listen to the training program"))?;
        ctx.cancel.check(Stage::Train)?;
        let failed = |error: AttemptError| StageError::new(Stage::Train, error.kind(), error);
        match ear.last_word {
            Some(Err(FailureMessage { kind, message })) => {
                Err(failed(AttemptError::Reported { kind, message }))
            }
            Some(Ok(outcome)) if outcome.attempt != job.attempt => {
                let expected = job.attempt.clone();
                Err(failed(AttemptError::OtherAttempt { expected, found: outcome.attempt }))
            }
            Some(Ok(outcome)) if status.success() => match missing_bundle(&job.out_dir) {
                Some(error) => Err(failed(error)),
                None => Ok(outcome.into_outcome(job.dataset.training_end())),
            },
            said => Err(died(&self.0.command[0], status, said.is_some())),
        }
    }
}

fn died(program: &OsString, status: ExitStatus, had_outcome: bool) -> StageError {
    let error = AttemptError::Died { status, had_outcome };
    let kind = if status.code() == Some(i32::from(NOT_RUN)) { ErrorKind::BadInput } else { error.kind() };
    StageError::new(Stage::Train, kind, format!("the program '{}': {error}", program.to_string_lossy()))
}

/// The program; dropping it ends it.
struct Program {
    child: Child,
    is_reaped: bool,
}

impl Program {
    fn signal(&self, signal: Signal) {
        if let Err(error) = kill_process(Pid::from_child(&self.child), signal) {
            tracing::warn!(%error, "the training program can't be signalled");
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if !self.is_reaped {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Hears what the program says and passes it on.
struct Ear<'a> {
    ctx: &'a StageContext,
    splitter: LineSplitter,
    last_word: Option<Result<OutcomeMessage, FailureMessage>>,
}

impl Ear<'_> {
    fn hear(&mut self, _stream: Stream, bytes: &[u8]) {
        let mut splitter = std::mem::take(&mut self.splitter);
        splitter.push(bytes, &mut |line| self.take(line.bytes, line.is_cut));
        self.splitter = splitter;
    }

    fn finish(&mut self) {
        let mut splitter = std::mem::take(&mut self.splitter);
        splitter.finish(&mut |line| self.take(line.bytes, line.is_cut));
    }

    fn take(&mut self, line: &[u8], is_cut: bool) {
        match if is_cut { Line::Garbage } else { parse_line(line) } {
            Line::Message(Message::Progress(said)) => self.ctx.progress.report(said.into()),
            Line::Message(Message::Metrics(said)) => {
                self.ctx.progress.metrics(said.iteration, &defined(said.metrics));
            }
            Line::Message(Message::Outcome(outcome)) => {
                self.last_word.get_or_insert(Ok(outcome));
            }
            Line::Message(Message::Error(failure)) => {
                self.last_word.get_or_insert(Err(failure));
            }
            Line::Unknown { kind } => tracing::warn!(kind, "the program said something of an unknown type"),
            Line::Malformed { reason } => tracing::warn!(reason, "the program said something incomplete"),
            Line::Garbage => log_line(line),
        }
    }
}

/// Puts a line that is no message into the worker's log.
fn log_line(line: &[u8]) {
    use std::io::Write;

    let mut stderr = std::io::stderr().lock();
    let _ = stderr.write_all(line).and_then(|()| stderr.write_all(b"\n"));
}
