//! What can be wrong with a job folder or with the program that should work on it.

use std::path::{Path, PathBuf};

use walkforward_core::{ErrorKind, Stage, StageError};

/// A job that can't be written, read or started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] walkforward_durable::Error),
    /// A file holds something else than it should.
    #[error("'{}'{} can't be used: expected {expected}, found {found}", path.display(), line_clause(*line))]
    Content {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1, where one line is at fault.
        line: Option<u64>,
        /// What should be there.
        expected: String,
        /// What is there.
        found: String,
    },
    /// The job was written by a program that speaks another version.
    #[error(
        "'{}' speaks version {found} of the job protocol, expected {}: run orchestrator and worker of one version",
        path.display(), crate::PROTOCOL
    )]
    Protocol {
        /// Which file.
        path: PathBuf,
        /// Its version.
        found: u64,
    },
    /// A file is not the one that the job was written with.
    #[error("'{}' has the SHA-256 {found}, expected {expected}: it was changed after the job was written", path.display())]
    Hash {
        /// Which file.
        path: PathBuf,
        /// What it should have, lower-case hex.
        expected: String,
        /// What it has.
        found: String,
    },
    /// The features of the dataset can't be computed.
    #[error("the features of the job can't be computed: {0}")]
    Features(#[from] walkforward_engine::EngineError),
    /// The name of an attempt that can't be the name of a folder.
    #[error("'{name}' is no attempt: expected 1 to 128 letters, digits, '-' or '_'")]
    Attempt {
        /// The name.
        name: String,
    },
    /// A program is not there or can't be run.
    #[error("the program '{}' can't be run: {reason}", path.display())]
    Program {
        /// Which program.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The folder in which the worker should run is not there.
    #[error("'{}', the folder that the training program runs in, is no folder", path.display())]
    Folder {
        /// Which folder.
        path: PathBuf,
    },
    /// A process could not be set up, started or watched.
    #[error("can't {what}: {source}")]
    Process {
        /// What could not be done.
        what: String,
        /// The system's answer.
        source: std::io::Error,
    },
}

fn line_clause(line: Option<u64>) -> String {
    line.map(|line| format!(", line {line},")).unwrap_or_default()
}

impl Error {
    /// What to do about it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::File(error) if error.is_not_found() => ErrorKind::BadInput,
            Self::File(_) | Self::Process { .. } => ErrorKind::Retry,
            Self::Content { .. }
            | Self::Protocol { .. }
            | Self::Hash { .. }
            | Self::Features(_)
            | Self::Program { .. }
            | Self::Folder { .. } => ErrorKind::BadInput,
            Self::Attempt { .. } => ErrorKind::Bug,
        }
    }

    pub(crate) fn content(path: &Path, expected: impl Into<String>, found: impl ToString) -> Self {
        Self::Content {
            path: path.to_owned(),
            line: None,
            expected: expected.into(),
            found: found.to_string(),
        }
    }

    pub(crate) fn at_line(path: &Path, line: u64, expected: impl Into<String>, found: impl ToString) -> Self {
        Self::Content {
            path: path.to_owned(),
            line: Some(line),
            expected: expected.into(),
            found: found.to_string(),
        }
    }

    pub(crate) fn process(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Process { what, source }
    }
}

impl From<Error> for StageError {
    fn from(error: Error) -> Self {
        Self::new(Stage::Train, error.kind(), error)
    }
}
