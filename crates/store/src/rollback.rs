//! Taking an earlier champion back.

use walkforward_core::{LineName, ModelId, Verdict};

use crate::{
    Champion, ModelRecord, Promotion, PromotionKind, PromotionRequest, PromotionRow, PromotionState, Store,
    StoreError,
};

impl Store {
    /// The champions of `line` that can be gone back to step by step: the present one, the one before it, and so on. A
    /// champion that was rolled back is left out; promoted again, it comes back.
    pub fn champions(&self, line: &LineName) -> Result<Vec<ModelId>, StoreError> {
        Ok(stack(&self.promotions(line)?))
    }

    /// Makes an earlier champion of `line` its champion again: `to`, or the one before the present one. Its pointer
    /// says what it measured and by which rules it was promoted then.
    ///
    /// # Errors
    /// The line has no champion, or none before it; `to` was never its champion; its weights are gone; and all that
    /// [`promote`](Self::promote) refuses.
    pub fn rollback(
        &self,
        line: &LineName,
        to: Option<&ModelId>,
        reason: &str,
    ) -> Result<Promotion, StoreError> {
        let champion = self.champion(line)?.ok_or_else(|| nothing_before(line, "it has no champion"))?;
        let current = champion.record.model_id.clone();
        let rows = self.promotions(line)?;
        let to = match to {
            Some(to) => to.clone(),
            None => match stack(&rows).into_iter().find(|model| *model != current) {
                Some(before) => before,
                None => return Err(nothing_before(line, &format!("{current} is its first champion"))),
            },
        };
        let record = self.model(&to)?;
        if to != current && !committed(&rows).any(|row| row.to.as_ref() == Some(&to)) {
            let reason = format!("it was never champion of line '{line}'");
            return Err(StoreError::RefusedPromotion { line: line.clone(), to, reason });
        }
        self.promote(&PromotionRequest {
            line,
            expected_current: Some(&current),
            to: &to,
            kind: PromotionKind::Rollback,
            reason,
            verdict: &verdict_then(&record, &champion),
            metrics: &record.metrics.clone().unwrap_or_default(),
        })
    }
}

/// The champions on top of each other, the present one first.
fn stack(rows: &[PromotionRow]) -> Vec<ModelId> {
    let mut champions: Vec<ModelId> = Vec::new();
    for row in committed(rows) {
        let Some(to) = &row.to else { continue };
        match champions.iter().position(|champion| champion == to) {
            Some(index) if row.kind == PromotionKind::Rollback => champions.truncate(index + 1),
            Some(index) => {
                champions.remove(index);
                champions.push(to.clone());
            }
            None => champions.push(to.clone()),
        }
    }
    champions.reverse();
    champions
}

fn committed(rows: &[PromotionRow]) -> impl Iterator<Item = &PromotionRow> {
    rows.iter().filter(|row| row.state == PromotionState::Committed)
}

/// The verdict that promoted the model; of one whose record has none, the rules of the present pointer without one.
fn verdict_then(record: &ModelRecord, champion: &Champion) -> Verdict {
    record.verdict.clone().unwrap_or_else(|| Verdict {
        preset: champion.pointer.preset.clone(),
        outcome: walkforward_core::Outcome::Inconclusive,
        reason: None,
        sentence: "its record has no verdict".to_owned(),
        checks: Vec::new(),
        warnings: Vec::new(),
        grading: None,
    })
}

fn nothing_before(line: &LineName, problem: &str) -> StoreError {
    StoreError::NoEarlierChampion { line: line.clone(), problem: problem.to_owned() }
}
