//! Why runs end without a verdict.

use walkforward_core::{ErrorKind, ModelId, StageError, Timeframe, Timestamp};
use walkforward_store::{RunLockHeld, RunOutcome, StoreError};

/// Why a run did not end in a verdict.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Another run goes on in the same data folder.
    #[error("a run is going on in the same data folder: {0}")]
    Busy(RunLockHeld),
    /// There is no bar that the line's newest model was not made from.
    #[error("no new bar since {0}")]
    NoNewBars(ModelId),
    /// The champion has seen so much of the hold-out that no candidate could be judged beside it.
    #[error(
        "no candidate could be judged, so none was trained: it is compared with the champion on bars that neither has \
         seen. The champion {champion} has seen all until {seen_until}; after that there are {unseen_bars} bars, and a \
         verdict needs {needed}, so {} more have to close", needed.saturating_sub(*unseen_bars)
    )]
    Contaminated {
        /// The champion.
        champion: ModelId,
        /// Close of the last bar that its lineage has seen.
        seen_until: Timestamp,
        /// End of the window.
        window_end: Timestamp,
        /// Length of the bars.
        timeframe: Timeframe,
        /// Bars of the window after what the champion has seen.
        unseen_bars: usize,
        /// Fewest bars under a verdict.
        needed: usize,
    },
    /// A stage failed.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// The records could not be read or written.
    #[error(transparent)]
    Store(StoreError),
}

impl From<StoreError> for RunError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::RunLockHeld(held) => Self::Busy(held),
            error => Self::Store(error),
        }
    }
}

impl RunError {
    /// How the run ended, and why, in words.
    pub fn outcome(&self) -> (RunOutcome, Option<String>) {
        match self {
            Self::Stage(error) if error.kind == ErrorKind::Cancelled => (RunOutcome::Cancelled, None),
            Self::Busy(_) | Self::NoNewBars(_) | Self::Contaminated { .. } => {
                (RunOutcome::Skipped, Some(self.to_string()))
            }
            Self::Stage(_) | Self::Store(_) => (RunOutcome::Failed, Some(self.to_string())),
        }
    }
}
