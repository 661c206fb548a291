//! Taking an earlier champion back: because somebody wants it, or because a watch found the present one worse.

use std::time::Duration;

use walkforward_core::{ArmId, LineName, ModelId, Timestamp, Verdict};

use crate::quarantine::GuardNote;
use crate::{
    Champion, ModelRecord, Promotion, PromotionKind, PromotionRequest, PromotionRow, PromotionState, Store,
    StoreError,
};

/// Longest quarantine that may be asked for: ten years.
const MAX_QUARANTINE: Duration = Duration::from_secs(10 * 365 * 86_400);

/// A wish to take a champion back because of what a watch found.
#[derive(Debug, Clone, Copy)]
pub struct RollbackRequest<'a> {
    /// Which line.
    pub line: &'a LineName,
    /// The champion that the watch is about.
    pub expected_champion: &'a ModelId,
    /// Which rule it broke, in a word.
    pub rule: &'a str,
    /// The rule's value and limit, in words.
    pub sentence: &'a str,
    /// For how long no model of its arm is promoted.
    pub quarantine: Duration,
}

impl RollbackRequest<'_> {
    /// How long an arm stays in quarantine where nobody says otherwise: 14 days.
    pub const DEFAULT_QUARANTINE: Duration = Duration::from_secs(14 * 86_400);
}

/// What a watch's rollback came to.
#[derive(Debug, Clone, PartialEq)]
pub struct TakenBack {
    /// The promotion of the champion before.
    pub promotion: Promotion,
    /// The arm that is in quarantine, and until when; none where the champion had no arm.
    pub quarantined: Option<(ArmId, Timestamp)>,
    /// Newer champions that could not be looked at, and why: a disk failed.
    pub passed_over: Vec<String>,
}

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
            verdict: &self.verdict_then(&record, &champion)?,
            metrics: &record.metrics.clone().unwrap_or_default(),
        })
    }
}

impl Store {
    /// Takes the champion of a line back because of what a watch found, and puts its arm into quarantine: for so long its
    /// models are not promoted, though its stream goes on being scored.
    ///
    /// Champion again is the newest earlier one of another arm, outside quarantine, whose weights are sound; where there is
    /// none, the newest of the same arm. The rollback is a promotion like any other: after a crash it and the quarantine
    /// are in effect, or neither is.
    ///
    /// # Errors
    /// [`StoreError::PointerMoved`] when the champion is another one by now; [`StoreError::NoEarlierChampion`] when nothing
    /// that loads came before it: then nothing is changed, and whoever trades it has to stop; an empty rule or sentence; and
    /// all that [`promote`](Self::promote) refuses.
    pub fn roll_back_guarded(&self, request: &RollbackRequest<'_>) -> Result<TakenBack, StoreError> {
        let RollbackRequest { line, expected_champion, rule, sentence, .. } = *request;
        let champion = self.champion(line)?.ok_or_else(|| nothing_before(line, "it has no champion"))?;
        let current = &champion.record.model_id;
        if current != expected_champion {
            let (expected, found) = (Some(expected_champion.clone()), Some(current.clone()));
            return Err(StoreError::PointerMoved { line: line.clone(), expected, found });
        }
        let quarantine_ms = check_cause(request)?;
        let arm = self.arm_of(current)?;
        let (record, passed_over) = self.champion_before(line, current, arm.as_ref())?;
        let note = GuardNote {
            model: current.clone(),
            arm: arm.clone(),
            rule: rule.to_owned(),
            sentence: sentence.to_owned(),
            quarantine_ms,
        };
        let wish = PromotionRequest {
            line,
            expected_current: Some(current),
            to: &record.model_id,
            kind: PromotionKind::Rollback,
            reason: &format!("{rule}: {sentence}"),
            verdict: &self.verdict_then(&record, &champion)?,
            metrics: &record.metrics.clone().unwrap_or_default(),
        };
        let promotion = self.promote_noting(&wish, Some(&note))?;
        let until = promotion.pointer().promoted_at.plus_millis(quarantine_ms);
        Ok(TakenBack { quarantined: arm.map(|arm| (arm, until)), promotion, passed_over })
    }

    /// The champion to go back to from `current`, which is of `arm`; those that were passed over because a disk failed, which
    /// is an error where nobody else is left.
    fn champion_before(
        &self,
        line: &LineName,
        current: &ModelId,
        arm: Option<&ArmId>,
    ) -> Result<(ModelRecord, Vec<String>), StoreError> {
        let (mut same_arm, mut passed_over, mut failed) = (None, Vec::new(), None);
        for id in self.champions(line)?.into_iter().filter(|id| id != current) {
            let record = match self.sound(&id) {
                Ok(Some(record)) => record,
                Ok(None) => continue,
                Err(StoreError::Files(error)) => {
                    passed_over.push(format!("{id} was passed over: {error}"));
                    failed.get_or_insert(error);
                    continue;
                }
                Err(error) => return Err(error),
            };
            let of = self.arm_of(&id)?;
            if of.is_some() && of.as_ref() == arm {
                same_arm.get_or_insert(record);
            } else if self.quarantine_problem(&id)?.is_none() {
                return Ok((record, passed_over));
            }
        }
        match (same_arm, failed) {
            (Some(record), _) => Ok((record, passed_over)),
            (None, Some(error)) => Err(error.into()),
            (None, None) => Err(nothing_before(line, &format!("no champion before {current} can be loaded"))),
        }
    }

    /// The verdict that promoted the model, as its promotion had it: what a person made of it included. Of one that no
    /// promotion names, its own, and where its record has none the rules of the present pointer without one.
    fn verdict_then(&self, record: &ModelRecord, champion: &Champion) -> Result<Verdict, StoreError> {
        let promoted = self.promoted_with(&record.line, &record.model_id)?;
        let known = promoted.or_else(|| record.verdict.clone());
        Ok(known.unwrap_or_else(|| Verdict {
            preset: champion.pointer.preset.clone(),
            outcome: walkforward_core::Outcome::Inconclusive,
            reason: None,
            sentence: "its record has no verdict".to_owned(),
            checks: Vec::new(),
            warnings: Vec::new(),
            grading: None,
        }))
    }

    /// The record of a model whose weights can be promoted; none where something is wrong with it.
    fn sound(&self, id: &ModelId) -> Result<Option<ModelRecord>, StoreError> {
        let checked = self.model(id).and_then(|record| self.check_weights(&record).map(|()| record));
        match checked {
            Ok(record) => Ok(Some(record).filter(|record| record.declined.is_none())),
            Err(StoreError::BadModel { .. } | StoreError::UnknownModel { .. }) => Ok(None),
            Err(StoreError::Files(error)) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Refuses a rollback without a cause; the length of its quarantine, milliseconds.
fn check_cause(request: &RollbackRequest<'_>) -> Result<i64, StoreError> {
    let refuse = |reason: String| StoreError::RefusedPromotion {
        line: request.line.clone(),
        to: request.expected_champion.clone(),
        reason,
    };
    if request.rule.trim().is_empty() || request.sentence.trim().is_empty() {
        return Err(refuse(
            "a champion is taken back for a rule and with a sentence: one of them is empty".to_owned(),
        ));
    }
    if request.quarantine > MAX_QUARANTINE {
        let days = request.quarantine.as_secs() / 86_400;
        return Err(refuse(format!("its arm would be in quarantine for {days} days: at most 3650")));
    }
    Ok(i64::try_from(request.quarantine.as_millis()).unwrap_or(i64::MAX))
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

fn nothing_before(line: &LineName, problem: &str) -> StoreError {
    StoreError::NoEarlierChampion { line: line.clone(), problem: problem.to_owned() }
}
