//! Why a training ends without a model.

use walkforward_core::{ErrorKind, Stage, StageError};
use walkforward_engine::EngineError;
use walkforward_policy::BundleError;

/// A training that can't start or go on.
#[derive(Debug, thiserror::Error)]
pub enum TrainerError {
    /// The pack is not the settings of this trainer.
    #[error("the training pack can't be read: {0}")]
    Pack(serde_json::Error),
    /// A setting is out of range.
    #[error("training setting {name} is {value}: expected {expected}")]
    Setting {
        /// Which setting.
        name: &'static str,
        /// What it is.
        value: String,
        /// What it may be.
        expected: String,
    },
    /// The bars before the hold-out are not enough for one episode.
    #[error(
        "{available} bars before the hold-out have features: one episode needs {needed} (episode_bars + 1); \
         take a longer window or fewer episode_bars"
    )]
    TooFewBars {
        /// Bars on which the policy could decide.
        available: usize,
        /// Bars that an episode takes.
        needed: usize,
    },
    /// A loss or gradient is NaN or infinite.
    #[error(
        "training diverged in iteration {iteration}: the {what} is {value}; lower learning_rate or reward_scale"
    )]
    Diverged {
        /// Which iteration, from 1.
        iteration: u64,
        /// Loss or gradient norm.
        what: &'static str,
        /// What it is.
        value: f64,
    },
    /// Environments that do not fit the settings or the network.
    #[error("there are {actual} {what}: expected {expected}")]
    Environments {
        /// What there are too many or too few of.
        what: &'static str,
        /// What settings or network ask for.
        expected: usize,
        /// What there is.
        actual: usize,
    },
    /// A network that these kernels don't train.
    #[error("the kernels train an mlp, not {kind}: choose the candle backend")]
    Network {
        /// Which kind it is.
        kind: &'static str,
    },
    /// An instruction set that was asked for.
    #[error(
        "this machine does not have the instruction set {isa:?}: choose another, or leave the choice out"
    )]
    InstructionSet {
        /// Which one.
        isa: walkforward_kernels::Isa,
    },
    /// The session or the features refuse the settings or the bars.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The parent can't be read, or the bundle can't be written.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// A checkpoint can't be written.
    #[error("the checkpoint can't be written: {0}")]
    Checkpoint(#[from] walkforward_durable::Error),
    /// A kernel was called with the wrong shapes.
    #[error("a kernel was called with the wrong shapes: {0}")]
    Kernel(#[from] walkforward_kernels::Error),
    /// A tensor operation failed.
    #[error("a tensor operation failed: {0}")]
    Tensor(#[from] candle_core::Error),
    /// Somebody asked to stop.
    #[error("cancelled")]
    Cancelled,
}

impl TrainerError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Cancelled => ErrorKind::Cancelled,
            Self::Kernel(_) | Self::Tensor(_) | Self::Environments { .. } | Self::Network { .. } => {
                ErrorKind::Bug
            }
            Self::Bundle(BundleError::Write(_) | BundleError::Read { .. }) | Self::Checkpoint(_) => {
                ErrorKind::Retry
            }
            _ => ErrorKind::BadInput,
        }
    }
}

impl From<TrainerError> for StageError {
    fn from(error: TrainerError) -> Self {
        Self::new(Stage::Train, error.kind(), error)
    }
}
