//! What store and models folder say about the models of a line.

use std::path::Path;
use std::sync::Arc;

use walkforward_core::{
    Action, ArmId, LineName, ModelId, Observation, Policy, PolicyError, PolicySpec, Timestamp,
};
use walkforward_store::{
    BundleLock, PromotionKind, PromotionRow, PromotionState, Snapshot, Store, StreamKey, read_evaluation,
};

use crate::follow::FollowError;
use crate::{FiguresBasis, ReplayFigures, ShadowModel};

/// Where bundles lie.
pub(super) struct Models<'a> {
    pub(super) folder: &'a Path,
}

impl Models<'_> {
    /// A model, with its bundle locked for as long as anybody holds it; why not, where it can't be loaded.
    pub(super) fn load(&self, model_id: &ModelId, sha256: &str) -> Result<ShadowModel, String> {
        let dir = self.folder.join(model_id.as_str());
        let named = |error: &dyn std::fmt::Display| format!("{model_id} can't be run in the shadow: {error}");
        let bundle = BundleLock::shared(&dir).map_err(|error| named(&error))?;
        let inner = walkforward_policy::load(&dir, sha256).map_err(|error| named(&error))?;
        let policy = Arc::new(LockedPolicy { inner, _bundle: bundle });
        Ok(ShadowModel { model_id: model_id.clone(), sha256: sha256.to_owned(), policy })
    }
}

/// A policy whose bundle stays while it is held.
struct LockedPolicy {
    inner: Arc<dyn Policy>,
    _bundle: BundleLock,
}

impl Policy for LockedPolicy {
    fn act(&self, observation: Observation<'_>) -> Result<Action, PolicyError> {
        self.inner.act(observation)
    }

    fn spec(&self) -> &PolicySpec {
        self.inner.spec()
    }
}

/// Asks about the models of a line.
pub(super) struct Lookup<'a> {
    pub(super) store: &'a Store,
    pub(super) line: &'a LineName,
}

impl Lookup<'_> {
    pub(super) fn models(&self) -> Models<'_> {
        Models { folder: self.store.models_dir() }
    }

    /// The hash that a model's weights have by its record.
    fn sha256(&self, model_id: &ModelId) -> Result<String, String> {
        self.store.model(model_id).map(|record| record.sha256).map_err(|error| error.to_string())
    }

    /// A model as its record names it.
    pub(super) fn load(&self, model_id: &ModelId) -> Result<ShadowModel, String> {
        self.models().load(model_id, &self.sha256(model_id)?)
    }

    pub(super) fn arm_of(&self, model_id: &ModelId) -> Result<Option<ArmId>, FollowError> {
        Ok(self.store.arm_of(model_id)?)
    }

    /// Whether a model is champion because one was taken back for it: by a watch, or by a person.
    pub(super) fn was_taken_back_to(&self, model_id: &ModelId) -> Result<bool, FollowError> {
        let rows = self.store.promotions(self.line)?;
        let made =
            |row: &&PromotionRow| row.state != PromotionState::Aborted && row.to.as_ref() == Some(model_id);
        Ok(rows.iter().rev().find(made).is_some_and(|row| row.kind == PromotionKind::Rollback))
    }

    /// What a champion's arm displaced when it took over; none is flat. Where the line's history is ahead of the session, or
    /// knows nothing of the model, it is the model that traded before.
    pub(super) fn displaced(
        &self,
        champion: &ModelId,
        arm: Option<&ArmId>,
        before: Option<&ModelId>,
    ) -> Result<Option<ModelId>, FollowError> {
        let anchor = self.store.anchor(self.line)?;
        let is_its = |of: &walkforward_store::Anchor| {
            of.model == *champion || (arm.is_some() && of.arm.as_ref() == arm)
        };
        match anchor.filter(is_its) {
            Some(anchor) => Ok(anchor.displaced.map(|(model, _)| model)),
            None => Ok(before.cloned()),
        }
    }

    /// What is known of a champion from bars that closed until `until`: its own evaluation, or its arm's stream, whichever
    /// is longer. Why a part of it is left out.
    pub(super) fn figures(
        &self,
        champion: &ModelId,
        arm: Option<&ArmId>,
        until: Timestamp,
    ) -> Result<(ReplayFigures, Option<String>), FollowError> {
        let (own, mut problem) = match read_evaluation(self.store.models_dir(), champion) {
            Ok(Some(record)) => match ReplayFigures::of_evaluation(&record.candidate) {
                Ok(figures) => (figures, None),
                Err(error) => (unknown(), Some(format!("the evaluation of {champion}: {error}"))),
            },
            Ok(None) => (unknown(), None),
            Err(error) => (unknown(), Some(error.to_string())),
        };
        let Some(arm) = arm else { return Ok((own, problem)) };
        let mut bars = self.store.stream_bars(&StreamKey::Arm(arm.clone()), None)?;
        bars.retain(|bar| bar.close <= until && bar.is_known);
        let closes: Vec<Timestamp> = bars.iter().map(|bar| bar.close).collect();
        let returns: Vec<f64> = bars.iter().map(|bar| bar.net_return).collect();
        let positions: Vec<f64> = bars.iter().map(|bar| bar.position).collect();
        let stream = ReplayFigures::of_series(FiguresBasis::Stream, &closes, &returns, &positions);
        let stream = stream.unwrap_or_else(|error| {
            problem = Some(format!("the stream of arm {arm}: {error}"));
            ReplayFigures::unknown(FiguresBasis::Stream)
        });
        Ok((own.or_longer(stream), problem))
    }

    /// The newest snapshot of each other arm of the line that has not seen the bar which begins at `open`, of the newest arms
    /// at most `most`.
    pub(super) fn challengers(
        &self,
        champions: Option<&ArmId>,
        open: Timestamp,
        most: usize,
    ) -> Result<Vec<(ArmId, ModelId)>, FollowError> {
        let mut found = Vec::new();
        for arm in self.store.arms(self.line)? {
            if found.len() == most {
                break;
            }
            if Some(&arm.id) == champions {
                continue;
            }
            let snapshots = self.store.snapshots(&arm.id, Some(open))?;
            let may_decide = |snapshot: &&Snapshot| snapshot.lineage_until <= open;
            if let Some(newest) = snapshots.iter().rev().find(may_decide) {
                found.push((arm.id, newest.model.clone()));
            }
        }
        Ok(found)
    }
}

fn unknown() -> ReplayFigures {
    ReplayFigures::unknown(FiguresBasis::Evaluation)
}
