//! Why a model can't be measured at all.

use walkforward_core::{ErrorKind, ModelId, Stage, StageError, Window};
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
            Error::NoBars { .. } | Error::OtherModel { .. } => ErrorKind::BadInput,
            Error::Engine(
                EngineError::Setting { .. } | EngineError::Indicator { .. } | EngineError::NotFinite { .. },
            ) => ErrorKind::BadInput,
            Error::Engine(_) | Error::Stats(_) => ErrorKind::Bug,
        };
        Self::new(Stage::Evaluate, kind, error)
    }
}
