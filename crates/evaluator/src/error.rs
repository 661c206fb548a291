//! Why a model can't be measured at all.

use std::path::PathBuf;

use walkforward_core::{ErrorKind, ModelId, Stage, StageError, Timestamp, Window};
use walkforward_engine::EngineError;

/// An evaluation that says nothing about the model. What is wrong with the model itself is in the report.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// The dataset has no bar in the judged span.
    #[error(
        "no bar of the dataset starts between {} and {}: choose a span inside its window", judged.start(), judged.end()
    )]
    NoBars {
        /// The span.
        judged: Window,
    },
    /// The span of a stream reaches beyond the dataset.
    #[error(
        "the stream is to go on from {} to {}: the dataset has bars from {first} to {end}", span.start(), span.end()
    )]
    OutsideDataset {
        /// The span.
        span: Window,
        /// Open of the dataset's first bar.
        first: Timestamp,
        /// Close of its last bar.
        end: Timestamp,
    },
    /// A stream begins before the model's features have their history.
    #[error(
        "the bar of {opens} can't be scored: the model's features need {needed} bars before {midnight}, and the \
         dataset has {available}: begin the dataset earlier, or the stream later"
    )]
    TooEarly {
        /// Open of the first bar to score.
        opens: Timestamp,
        /// Begin of its day.
        midnight: Timestamp,
        /// Bars that are needed before the day.
        needed: usize,
        /// Bars that there are.
        available: usize,
    },
    /// The model has seen a bar that it is to be scored on.
    #[error(
        "{model} can't be scored on the bar of {first}: it or an ancestor has seen bars up to {until}; score it from \
         there on"
    )]
    Seen {
        /// The model.
        model: ModelId,
        /// Close of the last bar that its lineage has seen.
        until: Timestamp,
        /// Open of the first bar to score.
        first: Timestamp,
    },
    /// The session that a stream is to go on with can't be taken up.
    #[error("the stream's session can't be taken up: {reason}")]
    Session {
        /// Why.
        reason: String,
    },
    /// The system does not let a model be read, which may be otherwise the next time.
    #[error("{model} can't be read: '{}': {reason}; check its permissions, the disk and the limit of open files", path.display())]
    Unreadable {
        /// The model.
        model: ModelId,
        /// Its file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// The bars, the settings or the session can't be used.
    #[error("the backtest can't run: {0}")]
    Engine(#[from] EngineError),
    /// A statistic refused what the session recorded.
    #[error("the session's record can't be measured: {0}")]
    Stats(#[from] walkforward_stats::Error),
    /// The supplied metrics name another model.
    #[error(
        "{origin} holds metrics of {named}, the model to judge is {judged}: remove modelId or supply its own"
    )]
    OtherModel {
        /// Where the metrics come from.
        origin: String,
        /// The model that they name.
        named: ModelId,
        /// The model that they were to judge.
        judged: ModelId,
    },
}

impl From<Error> for StageError {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Unreadable { .. } => ErrorKind::Retry,
            Error::NoBars { .. }
            | Error::OtherModel { .. }
            | Error::OutsideDataset { .. }
            | Error::TooEarly { .. }
            | Error::Seen { .. }
            | Error::Session { .. } => ErrorKind::BadInput,
            Error::Engine(
                EngineError::Setting { .. } | EngineError::Indicator { .. } | EngineError::NotFinite { .. },
            ) => ErrorKind::BadInput,
            Error::Engine(_) | Error::Stats(_) => ErrorKind::Bug,
        };
        Self::new(Stage::Evaluate, kind, error)
    }
}
