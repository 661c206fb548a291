//! How the binaries fail: a text for a person and an exit code for a script.

use std::fmt;

use walkforward_core::{ErrorKind, SourceError, StageError};
use walkforward_live::LiveError;
use walkforward_orchestrator::RunError;
use walkforward_store::StoreError;

/// Exit code of a run whose stage failed.
pub const STAGE_FAILED: u8 = 1;
/// Exit code of a configuration or an input that can't be used.
pub const BAD_INPUT: u8 = 2;

/// The end of a program that did not do what it was asked.
#[derive(Debug)]
pub struct Failure {
    /// Exit code.
    pub code: u8,
    /// What went wrong, what was expected, what to do.
    pub message: String,
}

impl Failure {
    /// A configuration or an input that can't be used.
    pub fn input(message: impl Into<String>) -> Self {
        Self { code: BAD_INPUT, message: message.into() }
    }

    /// A stage that failed.
    pub fn stage(message: impl Into<String>) -> Self {
        Self { code: STAGE_FAILED, message: message.into() }
    }
}

impl Failure {
    /// A source that has no bars.
    pub fn of_source(error: &SourceError) -> Self {
        let code = if error.kind == ErrorKind::BadInput { BAD_INPUT } else { STAGE_FAILED };
        Self { code, message: chain(error) }
    }

    /// An error of no kind that is known here: the machine's fault, or a stage that failed.
    pub fn from_error(error: &(dyn std::error::Error + 'static)) -> Self {
        let code = if has_environment_fault(error) { BAD_INPUT } else { STAGE_FAILED };
        Self { code, message: chain(error) }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// The causes of `error`, outermost first, each said once.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let said = cause.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        source = cause.source();
    }
    text
}

/// Whether a full disk, a read-only file system or a missing permission is among the causes of `error`.
fn has_environment_fault(error: &(dyn std::error::Error + 'static)) -> bool {
    let is_fault = |error: &(dyn std::error::Error + 'static)| {
        error.downcast_ref().is_some_and(walkforward_durable::is_environment_fault)
            || error.downcast_ref().is_some_and(walkforward_durable::Error::is_environment_fault)
    };
    std::iter::successors(Some(error), |error| error.source()).any(is_fault)
}

impl From<&StageError> for Failure {
    fn from(error: &StageError) -> Self {
        let is_input = error.kind == ErrorKind::BadInput || has_environment_fault(error);
        Self { code: if is_input { BAD_INPUT } else { STAGE_FAILED }, message: chain(error) }
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        match &error {
            RunError::Stage(stage) => Self::from(stage),
            RunError::Store(store) => Self::from(store),
            RunError::Busy(_) | RunError::NoNewBars(_) | RunError::Contaminated { .. } => {
                Self::stage(chain(&error))
            }
        }
    }
}

impl From<&LiveError> for Failure {
    fn from(error: &LiveError) -> Self {
        match error.kind() {
            ErrorKind::BadInput => Self::input(chain(error)),
            _ => Self::from_error(error),
        }
    }
}

impl From<&StoreError> for Failure {
    /// A full or read-only disk and a folder without permission are for the user to mend, like any other input.
    fn from(error: &StoreError) -> Self {
        let is_input = error.kind() == ErrorKind::BadInput || error.is_environment_fault();
        Self { code: if is_input { BAD_INPUT } else { STAGE_FAILED }, message: chain(error) }
    }
}
