//! Why a supervised training ends without a model.

use walkforward_core::{ErrorKind, Stage, StageError};

use crate::TrainerError;

/// A supervised training that can't start or go on.
#[derive(Debug, thiserror::Error)]
pub enum SupervisedError {
    /// What can happen to any trainer.
    #[error(transparent)]
    Trainer(#[from] TrainerError),
    /// Too few bars to fit and to validate.
    #[error(
        "{available} bars before the hold-out have features and a label: fitting and validating need {needed}; \
         take a longer window, fewer horizon_bars or a smaller min_leaf_rows"
    )]
    TooFewRows {
        /// Rows with features and label.
        available: usize,
        /// Rows that are needed.
        needed: usize,
    },
    /// Too many inputs for a model that solves equations of their number.
    #[error(
        "a linear model of {inputs} inputs is too large: expected at most {most}; lower lookback or choose trees"
    )]
    TooManyInputs {
        /// Feature inputs of an observation.
        inputs: usize,
        /// The limit.
        most: usize,
    },
    /// Too many numbers to fit.
    #[error("{rows} rows of {inputs} inputs are too many: expected at most {most} numbers; lower lookback")]
    TooManyNumbers {
        /// Rows with features and label.
        rows: usize,
        /// Feature inputs of an observation.
        inputs: usize,
        /// The limit of their product.
        most: usize,
    },
    /// The equations of a linear model have no finite solution.
    #[error("the linear model can't be solved: its features are degenerate; raise l2")]
    Singular,
}

impl From<SupervisedError> for StageError {
    fn from(error: SupervisedError) -> Self {
        match error {
            SupervisedError::Trainer(error) => error.into(),
            error => Self::new(Stage::Train, ErrorKind::BadInput, error),
        }
    }
}
