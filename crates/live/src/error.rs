//! Why a session ends before its feed does.

use std::path::PathBuf;

use walkforward_core::{AggregateError, BrokerError, ErrorKind, IdError, SourceError, Timestamp, VenueError};
use walkforward_engine::EngineError;

use crate::StartRefusal;

/// Why a session can't start or go on. What it had journalled is synced before it is returned.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// An option is out of range.
    #[error("trader option {name} is {value}: expected {expected}")]
    Option {
        /// Which option.
        name: &'static str,
        /// What it is.
        value: String,
        /// What it may be.
        expected: String,
    },
    /// The feed failed.
    #[error("the bar feed failed: {0}")]
    Feed(#[from] SourceError),
    /// The broker failed, so the position is no longer certain.
    #[error("the broker failed: {0}")]
    Broker(#[from] BrokerError),
    /// The journal can't be written or read.
    #[error("the decision journal failed: {0}")]
    Journal(#[from] walkforward_durable::Error),
    /// A record of the journal is not one.
    #[error("{path}: record {record} is no journal record: {reason}", path = path.display())]
    Record {
        /// The journal.
        path: PathBuf,
        /// Number of the record, from 1.
        record: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// The journal's folder can't be read.
    #[error("{path}: {source}", path = path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Something that is no folder has the journal's name.
    #[error("{path} is no folder: a journal is a folder of segments, name another one", path = path.display())]
    NotAFolder {
        /// The name.
        path: PathBuf,
    },
    /// There is no journal.
    #[error("{path} holds no journal: expected a folder with segments such as 00000001.journal", path = path.display())]
    NoJournal {
        /// The folder.
        path: PathBuf,
    },
    /// The journal does not have a bar.
    #[error("{path} has no {wanted}", path = path.display())]
    NoBar {
        /// The journal, or a segment of it.
        path: PathBuf,
        /// What was looked for.
        wanted: String,
    },
    /// A record was handed in before the first segment.
    #[error("a record came before the journal's first segment had begun")]
    NoSegment,
    /// The journal is another session's.
    #[error(
        "{path} is the journal of a session with {what} {recorded}, and this one has {wanted}: name another journal",
        path = path.display()
    )]
    OtherSession {
        /// The folder.
        path: PathBuf,
        /// What is another.
        what: &'static str,
        /// What the journal has.
        recorded: String,
        /// What was asked for.
        wanted: String,
    },
    /// Short bars make no longer one.
    #[error("the feed's bars can't be made into longer ones: {0}")]
    Aggregate(#[from] AggregateError),
    /// The session or its features failed.
    #[error("the session failed: {0}")]
    Engine(#[from] EngineError),
    /// A model of the journal can't be loaded.
    #[error("the model {model} of the journal can't be loaded: {reason}")]
    Model {
        /// Its name.
        model: String,
        /// What went wrong.
        reason: String,
    },
    /// The feed left out more bars than the trader fills in.
    #[error(
        "no bar between {last} and {next}, {missing} bars: at most {max} are filled in, start a new session",
        max = crate::MAX_HOLE_BARS
    )]
    Hole {
        /// Start of the last bar.
        last: Timestamp,
        /// Start of the bar that came next.
        next: Timestamp,
        /// Bars between them.
        missing: u64,
    },
    /// The venue does not answer.
    #[error("the venue does not answer: {0}")]
    Venue(#[from] VenueError),
    /// Something stands against a start at the venue.
    #[error("the session does not start at the venue: {}", listed(.refusals))]
    Refused {
        /// What, and what to do about it.
        refusals: Vec<StartRefusal>,
    },
    /// The deployment's name, which the journal keeps, makes no name for a session.
    #[error("the session has no name: {error}")]
    Name {
        /// What is wrong with it.
        error: IdError,
    },
    /// A background task died.
    #[error("a task of the trader died: {0}")]
    Task(String),
}

impl LiveError {
    /// What to do about it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Option { .. }
            | Self::NotAFolder { .. }
            | Self::NoJournal { .. }
            | Self::NoBar { .. }
            | Self::OtherSession { .. }
            | Self::Hole { .. }
            | Self::Aggregate(_)
            | Self::Record { .. }
            | Self::Refused { .. }
            | Self::Name { .. }
            | Self::Model { .. } => ErrorKind::BadInput,
            Self::Feed(error) => error.kind,
            Self::Broker(error) => error.kind,
            Self::Venue(error) => error.kind,
            Self::Engine(EngineError::Setting { .. }) => ErrorKind::BadInput,
            Self::Journal(
                walkforward_durable::Error::CorruptRecord { .. }
                | walkforward_durable::Error::NotALog { .. }
                | walkforward_durable::Error::NotAFile { .. },
            ) => ErrorKind::BadInput,
            Self::Journal(walkforward_durable::Error::BadRecord { .. }) => ErrorKind::Bug,
            Self::Journal(_) | Self::Folder { .. } => ErrorKind::Retry,
            Self::Engine(_) | Self::Task(_) | Self::NoSegment => ErrorKind::Bug,
        }
    }
}

fn listed(refusals: &[StartRefusal]) -> String {
    let words: Vec<String> = refusals.iter().map(ToString::to_string).collect();
    words.join("; ")
}
