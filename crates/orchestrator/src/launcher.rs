//! Trainings in this process.

use std::sync::Arc;

use async_trait::async_trait;
use walkforward_core::{
    ErrorKind, Launcher, Stage, StageContext, StageError, Trainer, TrainingJob, TrainingOutcome,
};

/// Runs a trainer on a blocking thread of this process.
pub struct InProcessLauncher {
    trainer: Arc<dyn Trainer>,
}

impl InProcessLauncher {
    /// A launcher for `trainer`.
    pub fn new(trainer: Arc<dyn Trainer>) -> Self {
        Self { trainer }
    }
}

#[async_trait]
impl Launcher for InProcessLauncher {
    async fn launch(&self, job: TrainingJob, ctx: &StageContext) -> Result<TrainingOutcome, StageError> {
        let (trainer, ctx) = (Arc::clone(&self.trainer), ctx.clone());
        on_blocking_thread(Stage::Train, move || trainer.train(&job, &ctx)).await
    }
}

/// Runs the compute of `stage` off the async threads; a panic in it becomes an error.
pub(crate) async fn on_blocking_thread<T: Send + 'static>(
    stage: Stage,
    work: impl FnOnce() -> Result<T, StageError> + Send + 'static,
) -> Result<T, StageError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(failed) => Err(StageError::new(stage, ErrorKind::Bug, failed)),
    }
}
