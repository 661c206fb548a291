//! One attempt from its first line to its last process.

use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::Signal;
use walkforward_core::{CancelToken, StageContext, Timestamp, TrainingOutcome};

use crate::attempt::AttemptError;
use crate::lines::{CutLine, LineSplitter};
use crate::log::WorkerLog;
use crate::output::{ChildOutput, Stream};
use crate::process::GroupLeader;
use crate::protocol::{FailureMessage, Line, Message, OutcomeMessage, defined, parse_line};
use crate::{Error, SubprocessConfig};

/// Longest time without a look at cancellation and time limits.
const TICK: Duration = Duration::from_millis(20);
/// Most reads after a worker's end: what its pipes can still hold, many times over.
const MAX_LAST_READS: usize = 64;
/// Over how long the rate of output is taken.
const RATE_SPAN: Duration = Duration::from_secs(1);
/// The file that a bundle can't be without.
pub(crate) const POLICY_FILE: &str = "policy.safetensors";

/// What an attempt is measured against.
pub(crate) struct Watched<'a> {
    pub(crate) config: &'a SubprocessConfig,
    pub(crate) ctx: &'a StageContext,
    /// Nobody waits for the outcome any more.
    pub(crate) abandoned: &'a CancelToken,
    pub(crate) attempt: &'a str,
    pub(crate) training_end: Timestamp,
    pub(crate) out_dir: &'a Path,
}

/// Why a worker is being ended before it ended itself.
enum Stop {
    /// It was asked to leave and is killed at this time.
    Cancelled { kill_at: Duration },
    /// It said its outcome and is killed at this time if it lingers.
    Done { kill_at: Duration },
    /// It was killed.
    Killed(AttemptError),
}

/// How an attempt ended.
pub(crate) enum Ended {
    Done(TrainingOutcome),
    Cancelled,
    Failed(AttemptError),
}

/// A worker that is being watched.
pub(crate) struct Supervisor<'a> {
    watched: Watched<'a>,
    leader: GroupLeader,
    output: ChildOutput,
    listener: Listener<'a>,
    started: Duration,
    stop: Option<Stop>,
}

impl<'a> Supervisor<'a> {
    /// Takes over `leader`, whose pipes are open.
    pub(crate) fn new(watched: Watched<'a>, mut leader: GroupLeader, log: &'a mut WorkerLog) -> Self {
        let output = ChildOutput::new(leader.child.stdout.take(), leader.child.stderr.take());
        let started = watched.ctx.clock.monotonic();
        let listener = Listener {
            ctx: watched.ctx,
            attempt: watched.attempt,
            log,
            stdout: LineSplitter::default(),
            stderr: LineSplitter::default(),
            last_sign: started,
            said: Said::Nothing,
            flow: Flow { total: 0, span_start: started, in_span: 0, most_in_span: 0 },
        };
        Self { watched, leader, output, listener, started, stop: None }
    }

    /// Listens until the worker has ended, ends what it left, and says what came of it.
    pub(crate) fn run(mut self) -> Result<Ended, Error> {
        let failed = || Error::process("listen to the worker");
        while !self.leader.has_ended() {
            let Self { output, listener, .. } = &mut self;
            output.read(TICK, &mut |stream, bytes| listener.hear(stream, bytes)).map_err(failed())?;
            self.look();
        }
        self.leader.signal(Signal::KILL);
        let Self { output, listener, .. } = &mut self;
        for _ in 0..MAX_LAST_READS {
            if !output
                .read(Duration::ZERO, &mut |stream, bytes| listener.hear(stream, bytes))
                .map_err(failed())?
            {
                break;
            }
        }
        listener.finish();
        let status = self.leader.end().map_err(Error::process("wait for the worker"))?;
        Ok(self.conclude(status))
    }

    /// Ends the worker when it should not go on.
    fn look(&mut self) {
        let now = self.watched.ctx.clock.monotonic();
        match &self.stop {
            None => self.look_for_a_reason(now),
            Some(Stop::Cancelled { kill_at } | Stop::Done { kill_at }) if now >= *kill_at => {
                self.leader.signal(Signal::KILL);
            }
            Some(_) => {}
        }
    }

    fn look_for_a_reason(&mut self, now: Duration) {
        let kill_at = now.saturating_add(self.watched.config.cancel_grace);
        if self.watched.ctx.cancel.is_cancelled() || self.watched.abandoned.is_cancelled() {
            self.leader.signal(Signal::TERM);
            self.stop = Some(Stop::Cancelled { kill_at });
        } else if !matches!(self.listener.said, Said::Nothing) {
            self.stop = Some(Stop::Done { kill_at });
        } else if let Some(error) = self.broken_limit(now) {
            self.leader.signal(Signal::KILL);
            self.stop = Some(Stop::Killed(error));
        }
    }

    fn broken_limit(&self, now: Duration) -> Option<AttemptError> {
        let config = self.watched.config;
        if let Some(flooded) = self.listener.flow.flooded(config) {
            return Some(flooded);
        }
        if now.saturating_sub(self.started) > config.time_budget {
            return Some(AttemptError::OverBudget { seconds: config.time_budget.as_secs() });
        }
        let silent = now.saturating_sub(self.listener.last_sign) > config.stall_timeout;
        silent.then_some(AttemptError::Stalled { seconds: config.stall_timeout.as_secs() })
    }

    fn conclude(self, status: ExitStatus) -> Ended {
        let flooded = self.listener.flow.flooded(self.watched.config);
        let lingered = match self.stop {
            Some(Stop::Cancelled { .. }) => return Ended::Cancelled,
            Some(Stop::Killed(error)) => return Ended::Failed(error),
            Some(Stop::Done { kill_at }) => self.watched.ctx.clock.monotonic() >= kill_at,
            None => false,
        };
        if let Some(error) = flooded {
            return Ended::Failed(error);
        }
        match self.listener.said {
            Said::Failed(FailureMessage { kind, message }) => {
                Ended::Failed(AttemptError::Reported { kind, message })
            }
            Said::Done(outcome) if outcome.attempt != self.watched.attempt => {
                let expected = self.watched.attempt.to_owned();
                Ended::Failed(AttemptError::OtherAttempt { expected, found: outcome.attempt })
            }
            Said::Done(_) if !status.success() && !lingered => {
                Ended::Failed(AttemptError::Died { status, had_outcome: true })
            }
            Said::Done(outcome) => match missing_bundle(self.watched.out_dir) {
                Some(error) => Ended::Failed(error),
                None => Ended::Done(outcome.into_outcome(self.watched.training_end)),
            },
            Said::Nothing => Ended::Failed(AttemptError::Died { status, had_outcome: false }),
        }
    }
}

/// What is wrong with the bundle at first sight. Whether it can be loaded is for the store and the evaluator to say.
pub(crate) fn missing_bundle(out_dir: &Path) -> Option<AttemptError> {
    let path = out_dir.join(POLICY_FILE);
    let problem = match std::fs::symlink_metadata(&path) {
        Ok(metadata) if !metadata.is_file() => "no regular file",
        Ok(metadata) if metadata.len() == 0 => "empty",
        Ok(_) => return None,
        Err(_) => "not there",
    };
    Some(AttemptError::NoBundle { path, problem })
}

/// The last word of a worker; what it says afterwards counts for nothing.
enum Said {
    Nothing,
    Done(OutcomeMessage),
    Failed(FailureMessage),
}

/// How much came.
struct Flow {
    total: u64,
    span_start: Duration,
    in_span: u64,
    most_in_span: u64,
}

impl Flow {
    fn add(&mut self, bytes: usize, now: Duration) {
        if now.saturating_sub(self.span_start) >= RATE_SPAN {
            (self.span_start, self.in_span) = (now, 0);
        }
        self.total += bytes as u64;
        self.in_span += bytes as u64;
        self.most_in_span = self.most_in_span.max(self.in_span);
    }

    fn flooded(&self, config: &SubprocessConfig) -> Option<AttemptError> {
        let in_all = (self.total, config.max_output_bytes, "in all");
        let in_a_second = (self.most_in_span, config.max_output_bytes_per_s, "within a second");
        let broken = [in_all, in_a_second].into_iter().find(|(bytes, limit, _)| bytes > limit);
        broken.map(|(bytes, limit, span)| AttemptError::Flooded { bytes, limit, span })
    }
}

/// Takes what a worker says apart.
struct Listener<'a> {
    ctx: &'a StageContext,
    attempt: &'a str,
    log: &'a mut WorkerLog,
    stdout: LineSplitter,
    stderr: LineSplitter,
    last_sign: Duration,
    said: Said,
    flow: Flow,
}

impl Listener<'_> {
    fn hear(&mut self, stream: Stream, bytes: &[u8]) {
        self.flow.add(bytes.len(), self.ctx.clock.monotonic());
        self.split(stream, Some(bytes));
    }

    fn finish(&mut self) {
        for stream in [Stream::Stdout, Stream::Stderr] {
            self.split(stream, None);
        }
    }

    /// Takes the lines that `bytes` ends, or what is left at the end of the stream.
    fn split(&mut self, stream: Stream, bytes: Option<&[u8]>) {
        let mut splitter = std::mem::take(self.splitter(stream));
        let mut take = |line: CutLine<'_>| match stream {
            Stream::Stdout if !line.is_cut => self.take(line.bytes),
            _ => self.log.line(line.bytes),
        };
        match bytes {
            Some(bytes) => splitter.push(bytes, &mut take),
            None => splitter.finish(&mut take),
        }
        *self.splitter(stream) = splitter;
    }

    fn splitter(&mut self, stream: Stream) -> &mut LineSplitter {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }

    fn take(&mut self, line: &[u8]) {
        match parse_line(line) {
            Line::Message(message) => self.obey(message),
            Line::Garbage => self.log.line(line),
            Line::Unknown { kind } => {
                tracing::warn!(attempt = self.attempt, kind, "the worker said something of an unknown type");
                self.log.line(line);
            }
            Line::Malformed { reason } => {
                tracing::warn!(attempt = self.attempt, reason, "the worker said something incomplete");
                self.log.line(line);
            }
        }
    }

    fn obey(&mut self, message: Message) {
        self.last_sign = self.ctx.clock.monotonic();
        match (message, &self.said) {
            (Message::Progress(said), _) => self.ctx.progress.report(said.into()),
            (Message::Metrics(said), _) => self.ctx.progress.metrics(said.iteration, &defined(said.metrics)),
            (Message::Outcome(outcome), Said::Nothing) => self.said = Said::Done(outcome),
            (Message::Error(failure), Said::Nothing) => self.said = Said::Failed(failure),
            (Message::Outcome(_) | Message::Error(_), _) => {
                tracing::warn!(attempt = self.attempt, "the worker said a second outcome, which is ignored");
            }
        }
    }
}
