//! How an attempt fails.

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;

use walkforward_core::{ErrorKind, Stage, StageError};

/// Why a worker's attempt came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum AttemptError {
    /// The worker said so.
    #[error("{message}")]
    Reported {
        /// What to do about it.
        kind: ErrorKind,
        /// What it said.
        message: String,
    },
    /// The worker ended without an outcome, or badly after one.
    #[error("the training process ended with {} {}", status_text(*status), if *had_outcome { "after its outcome" } else { "and without an outcome" })]
    Died {
        /// How it ended.
        status: ExitStatus,
        /// Whether it had said an outcome.
        had_outcome: bool,
    },
    /// Nothing was heard of it for too long.
    #[error(
        "the worker said nothing of progress for {seconds} s and was killed: see training.stall_timeout_seconds"
    )]
    Stalled {
        /// The longest silence allowed, seconds.
        seconds: u64,
    },
    /// It took too long.
    #[error("the worker was not done after {seconds} s and was killed: see training.time_budget_minutes")]
    OverBudget {
        /// The time it had, seconds.
        seconds: u64,
    },
    /// It said too much.
    #[error("the worker said {bytes} bytes {span}, more than the {limit} allowed, and was killed")]
    Flooded {
        /// What it said.
        bytes: u64,
        /// What it may say.
        limit: u64,
        /// In which time.
        span: &'static str,
    },
    /// The outcome belongs to another attempt.
    #[error("the worker's outcome names the attempt '{found}', expected '{expected}'")]
    OtherAttempt {
        /// This attempt.
        expected: String,
        /// What the outcome says.
        found: String,
    },
    /// There is no bundle.
    #[error("the worker wrote no bundle: '{}' is {problem}", path.display())]
    NoBundle {
        /// Where it should be.
        path: PathBuf,
        /// What is there instead.
        problem: &'static str,
    },
}

/// `exit status 3`, `signal 9`.
pub(crate) fn status_text(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => status.to_string(),
    }
}

/// Signals by which others end a process: the system short of memory, a shutdown, an operator.
const FROM_OUTSIDE: [i32; 4] = [1, 2, 9, 15];

impl AttemptError {
    /// What to do about it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Reported { kind, .. } => *kind,
            Self::Died { status, .. } if status.signal().is_some_and(|it| FROM_OUTSIDE.contains(&it)) => {
                ErrorKind::Retry
            }
            Self::Stalled { .. } | Self::OverBudget { .. } => ErrorKind::Retry,
            Self::Died { .. } | Self::Flooded { .. } | Self::OtherAttempt { .. } | Self::NoBundle { .. } => {
                ErrorKind::Bug
            }
        }
    }
}

/// An attempt's failure with what the worker said last.
#[derive(Debug, thiserror::Error)]
#[error("{error}{}", quote(last_lines))]
pub(crate) struct QuotedError {
    pub(crate) error: AttemptError,
    pub(crate) last_lines: String,
}

fn quote(last_lines: &str) -> String {
    match last_lines {
        "" => String::new(),
        lines => format!("; its last lines:\n{lines}"),
    }
}

impl From<QuotedError> for StageError {
    fn from(error: QuotedError) -> Self {
        Self::new(Stage::Train, error.error.kind(), error)
    }
}
