//! What a run does for the stream of its arm.

use std::sync::Arc;

use walkforward_core::{
    Dataset, ErrorKind, Evaluator, Evidence, Stage, StageContext, StageError, StreamEvidence,
};
use walkforward_store::ModelRecord;

use super::{Judged, Run};
use crate::evidence::{CaughtUp, Evidence as ArmEvidence, Measured};
use crate::run_error::RunError;

impl Run<'_> {
    /// Scores the bars that have closed since the last run, with the snapshots of that time.
    pub(super) async fn catch_up(&self, dataset: &Arc<Dataset>) -> Result<CaughtUp, RunError> {
        let Some(evidence) = &self.evidence else { return Ok(CaughtUp::default()) };
        catch_up(Arc::clone(evidence), &self.pipeline.stages.evaluator, dataset, self.ctx).await
    }

    /// Makes a model that runs the newest snapshot of its arm; what the arm has come to. One that does not change its mind
    /// is a snapshot too: the arm's cycles go on, and whether a model may trade is the verdict's to say.
    pub(super) fn stream(
        &self,
        dataset: &Dataset,
        record: &ModelRecord,
        evidence: &Evidence,
        caught_up: &CaughtUp,
    ) -> Result<Option<StreamEvidence>, RunError> {
        let Some(arm) = &self.evidence else { return Ok(None) };
        let (now, candidate) = (self.ctx.clock.now(), &evidence.candidate);
        if candidate.mechanical.loads {
            arm.publish(record, now)?;
        }
        let (candidate, sharpe) = (&record.model_id, candidate.metrics.sharpe);
        arm.ledger(&Measured { dataset, now, candidate, sharpe, caught_up }).map(Some)
    }

    /// Keeps what the verdict found out about the arm's test, before the verdict is kept.
    pub(super) fn settle_test(
        &self,
        dataset: &Dataset,
        judged: &Judged,
        caught_up: &CaughtUp,
    ) -> Result<(), RunError> {
        match (&self.evidence, &judged.evidence.stream) {
            (Some(arm), Some(stream)) => {
                arm.settle_test(stream, &judged.verdict, caught_up, dataset.window.end())
            }
            _ => Ok(()),
        }
    }
}

/// Extends the streams of `evidence` by the bars of `dataset`, where blocking is allowed.
pub(super) async fn catch_up(
    evidence: Arc<ArmEvidence>,
    evaluator: &Arc<dyn Evaluator>,
    dataset: &Arc<Dataset>,
    ctx: &StageContext,
) -> Result<CaughtUp, RunError> {
    let (evaluator, dataset, ctx) = (Arc::clone(evaluator), Arc::clone(dataset), ctx.clone());
    let caught_up = tokio::task::spawn_blocking(move || evidence.catch_up(&evaluator, &dataset, &ctx));
    let bug = |panic| RunError::from(StageError::new(Stage::Evaluate, ErrorKind::Bug, panic));
    caught_up.await.map_err(bug)?
}
