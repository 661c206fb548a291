//! Whether a verdict's grade is still what the model's arm earns.
//!
//! Hours or weeks go by between a verdict and a person's decision, and the arm's stream goes on: the newest verdict on any of
//! its models knows more about it.

use rusqlite::OptionalExtension;
use walkforward_core::{Grade, Grading, LineName, ModelId, Outcome, PromotionClass, Verdict};

use super::BY_HAND;
use crate::rows::json_column;
use crate::{ModelRecord, Store, StoreError};

/// What the newest verdict on a model of an arm says about that.
struct NewestGrading {
    model: ModelId,
    grading: Grading,
}

impl Store {
    /// What a person made of `verdict`, which is that on the model of `record`.
    pub(super) fn overruled(&self, record: &ModelRecord, verdict: &Verdict) -> Result<Verdict, StoreError> {
        let mut verdict = verdict.clone();
        verdict.sentence =
            format!("a person decided; the verdict was {}: {}", verdict.outcome, verdict.sentence);
        verdict.preset = BY_HAND.to_owned();
        verdict.outcome = Outcome::Promote;
        let Some(grading) = &mut verdict.grading else { return Ok(verdict) };
        let newest = self.newest_grading(record, grading)?;
        grading.grade = grading.earned.min(newest.grading.earned);
        if grading.grade < grading.earned {
            verdict.warnings.push(format!(
                "its arm had earned {} by this verdict, and the newest one, on {}, says {}: that is its grade",
                in_words(grading.earned),
                newest.model,
                in_words(newest.grading.earned)
            ));
        }
        Ok(verdict)
    }

    /// The verdict with which a model of `line` was last promoted; none where no promotion names it.
    pub(crate) fn promoted_with(
        &self,
        line: &LineName,
        model: &ModelId,
    ) -> Result<Option<Verdict>, StoreError> {
        self.database.read(|db| {
            let mut query = db.prepare_cached(
                "SELECT verdict_json FROM promotions WHERE line = ?1 AND to_model = ?2 AND kind = 'promote' \
                 AND state = 'committed' AND verdict_json IS NOT NULL ORDER BY sequence DESC LIMIT 1",
            )?;
            query.query_row([line.as_str(), model.as_str()], |row| json_column(row, 0)).optional()
        })
    }

    /// Refuses a model whose verdict promised a grade that its arm does not have any more.
    pub(super) fn check_promise(&self, record: &ModelRecord, verdict: &Verdict) -> Result<(), StoreError> {
        let Some(grading) = &verdict.grading else { return Ok(()) };
        let newest = self.newest_grading(record, grading)?;
        let gives = match (grading.class, newest.grading.class) {
            // What a refresh keeps is a champion's that is none now.
            (PromotionClass::Takeover, PromotionClass::Refresh) => newest.grading.earned,
            _ => newest.grading.grade,
        };
        if gives >= grading.grade {
            return Ok(());
        }
        let (promised, gives) = (in_words(grading.grade), in_words(gives));
        let reason = format!(
            "its verdict promised {promised}, and the newest verdict of its arm {}, on {}, gives {gives}: let a new cycle \
             train and judge a model, or take it with what its arm still earns (`orchestrate models approve {} --overrule`)",
            grading.arm, newest.model, record.model_id
        );
        Err(StoreError::RefusedPromotion { line: record.line.clone(), to: record.model_id.clone(), reason })
    }

    /// The newest verdict on a model of the arm of `own`, which is what the verdict on the model of `record` says: that one
    /// where no newer model was judged.
    fn newest_grading(&self, record: &ModelRecord, own: &Grading) -> Result<NewestGrading, StoreError> {
        for model in self.models(&record.line)?.into_iter().rev() {
            if model == record.model_id {
                break;
            }
            if let Some(grading) = self.grading_of(&model, own)? {
                return Ok(NewestGrading { model, grading });
            }
        }
        Ok(NewestGrading { model: record.model_id.clone(), grading: own.clone() })
    }

    /// What the verdict on `model` says about the arm of `own`; none where it was not judged, or is of another arm. A
    /// snapshot of the arm whose record is damaged or gone earns nothing.
    fn grading_of(&self, model: &ModelId, own: &Grading) -> Result<Option<Grading>, StoreError> {
        let damage = match self.model(model) {
            Ok(record) => {
                let grading = record.verdict.and_then(|verdict| verdict.grading);
                return Ok(grading.filter(|grading| grading.arm == own.arm));
            }
            Err(error) => error,
        };
        let is_lasting = match &damage {
            StoreError::BadModel { .. } | StoreError::UnknownModel { .. } => true,
            StoreError::Files(error) => error.is_not_found(),
            _ => false,
        };
        if !is_lasting {
            return Err(damage);
        }
        let is_own = self.arm_of(model)?.as_ref() == Some(&own.arm);
        Ok(is_own.then(|| Grading { grade: None, earned: None, ..own.clone() }))
    }
}

fn in_words(grade: Option<Grade>) -> &'static str {
    grade.map_or("no grade", Grade::as_str)
}
