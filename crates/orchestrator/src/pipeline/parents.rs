//! Which model a training continues from.

use walkforward_core::{Dataset, ModelId, ModelRef, Timestamp};
use walkforward_store::{ModelRecord, ParentChoice};

use super::{Parent, Run};
use crate::lineage::{Ancestor, MAX_GENERATIONS, Substitutes, choose_parent};
use crate::run_error::RunError;

impl Run<'_> {
    /// The model to continue from: the one that was asked for, or the nearest to it that has not seen the hold-out.
    pub(super) fn parent(
        &self,
        dataset: &Dataset,
    ) -> Result<Option<(ParentChoice, Option<ModelRef>)>, RunError> {
        let training_end = dataset.training_end();
        let chosen = match (self.request.parent, &self.champion) {
            (Parent::None, _) => None,
            (Parent::Champion, champion) => {
                let asked = match (champion, &self.request.base) {
                    (Some(champion), _) => Some(champion.record.clone()),
                    (None, Some(base)) => Some(self.pipeline.store.model(base)?),
                    (None, None) => None,
                };
                let ancestors = asked.map(|asked| self.ancestors(asked, training_end));
                choose_parent(ancestors.unwrap_or_default(), Substitutes::Ancestors, training_end)
            }
            (Parent::Latest, _) => {
                choose_parent(self.newest_first()?, Substitutes::OlderModels, training_end)
            }
        };
        Ok(chosen.map(|(choice, record)| {
            if let Some(reason) = &choice.reason {
                tracing::warn!(reason, "another parent than was asked for");
            }
            (choice, record.map(|record| self.reference(&record)))
        }))
    }

    /// The model of `record`, then its parents, up to the first that will do.
    fn ancestors(&self, record: ModelRecord, training_end: Timestamp) -> Vec<Ancestor<ModelRecord>> {
        let mut ancestors = vec![self.ancestor(record)];
        while let Some(parent) = ancestors.last().and_then(|last| last.model.parent_id.clone())
            && ancestors.len() < MAX_GENERATIONS
            && ancestors.last().is_some_and(|last| last.problem(training_end).is_some())
        {
            let Some(ancestor) = self.known(&parent) else { break };
            ancestors.push(ancestor);
        }
        ancestors
    }

    /// The line's models, each read when it is asked for. Where an arm is judged they are its own, and what it makes is a
    /// function of the bars: neither verdicts nor other arms of the line have a part in it.
    fn newest_first(&self) -> Result<impl Iterator<Item = Ancestor<ModelRecord>>, RunError> {
        let (models, base) = match &self.evidence {
            Some(evidence) => (evidence.models()?, self.request.base.clone()),
            None => (self.pipeline.store.models(&self.request.line)?, None),
        };
        let newest_first = models.into_iter().rev().chain(base);
        Ok(newest_first.filter_map(|model| self.known(&model)))
    }

    fn known(&self, model: &ModelId) -> Option<Ancestor<ModelRecord>> {
        match self.pipeline.store.model(model) {
            Ok(record) => Some(self.ancestor(record)),
            Err(error) => {
                tracing::warn!(%model, %error, "a model that could be a parent is no longer there");
                None
            }
        }
    }

    fn ancestor(&self, model: ModelRecord) -> Ancestor<ModelRecord> {
        let damage =
            self.pipeline.store.weights_problem(&model).unwrap_or_else(|error| Some(error.to_string()));
        Ancestor { id: model.model_id.clone(), lineage_until: model.lineage_until, damage, model }
    }
}
