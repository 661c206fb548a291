//! Who follows a run step by step.

use walkforward_core::{Dataset, ModelId, RunId, Verdict};
use walkforward_store::{ModelRecord, StoreError};

/// A step of a run that is on disk.
#[derive(Debug, Clone, Copy)]
pub enum RunStep<'a> {
    /// The run has its id.
    Began(&'a RunId),
    /// The bars are there, and there is something to learn from them.
    Collected {
        /// The run.
        run: &'a RunId,
        /// Its bars.
        dataset: &'a Dataset,
    },
    /// The model is there.
    Trained(&'a ModelRecord),
    /// The gate has spoken.
    Judged(&'a Verdict),
    /// The pointer names the model.
    Promoted(&'a ModelId),
}

/// Keeps what a run has come to.
pub trait RunObserver: Send + Sync {
    /// Takes a step; the next one begins when it returns.
    ///
    /// # Errors
    /// The step could not be kept: the run ends with it.
    fn on(&self, step: RunStep<'_>) -> Result<(), StoreError>;
}

/// Keeps nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoObserver;

impl RunObserver for NoObserver {
    fn on(&self, _step: RunStep<'_>) -> Result<(), StoreError> {
        Ok(())
    }
}
