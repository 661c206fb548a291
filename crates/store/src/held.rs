//! Models that a gate let through and that wait for somebody: approved or declined.
//!
//! A verdict holds against the champion that the model was compared with. An approval is therefore a promotion that
//! expects that champion, and fails when it has changed. The rows of the cycle and of the experiment say what became
//! of the model in the transaction that makes the promotion committed, so that no crash comes between them.

use rusqlite::{OptionalExtension, Row, Transaction, params};
use serde::{Deserialize, Serialize};
use serde_json::json;
use walkforward_core::{LineName, ModelId, Timestamp};

use crate::events::insert_event;
use crate::listing::of_line;
use crate::pins::MODELS;
use crate::pointer::parse_pointer;
use crate::rows::{bounded, parse};
use crate::{
    MAX_LISTED_ROWS, ModelRecord, ModelStatus, Promotion, PromotionKind, PromotionRequest, Store, StoreError,
};

mod promise;

/// That somebody said no to a model which a gate had let through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Declined {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

/// A model that waits for approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldModel {
    /// Which.
    pub model: ModelId,
    /// Its line.
    pub line: LineName,
    /// The champion that it was compared with; none when its line had none.
    pub judged_against: Option<ModelId>,
    /// The champion now.
    pub champion: Option<ModelId>,
}

impl HeldModel {
    /// Whether its verdict still holds: it can be approved.
    pub fn is_current(&self) -> bool {
        self.judged_against == self.champion
    }
}

/// Preset of a promotion that a person made against a verdict.
pub const BY_HAND: &str = "by_hand";
/// Why a verdict rejects a model that does not work.
const MECHANICAL: &str = "mechanical";

/// The condition under which a row of `models` waits for approval.
pub(crate) const IS_HELD: &str = "models.status = 'evaluated' AND models.weights_removed_at IS NULL \
     AND (EXISTS (SELECT 1 FROM runs WHERE runs.id = models.run_id AND runs.outcome = 'held') \
          OR EXISTS (SELECT 1 FROM cycles WHERE cycles.model_id = models.id AND cycles.status = 'held')) \
     AND NOT EXISTS (SELECT 1 FROM promotions WHERE promotions.to_model = models.id \
                     AND promotions.state = 'committed')";

/// The query of a list of models that wait, of `line` alone if one is given.
pub(crate) fn held_query(line: Option<&LineName>) -> String {
    let of_line = of_line(line);
    format!(
        "SELECT id, line FROM models WHERE {of_line} AND {IS_HELD} ORDER BY created_at DESC, id DESC \
         LIMIT {MAX_LISTED_ROWS}"
    )
}

impl Store {
    /// The models of `line`, or of all lines, that wait for approval, newest first, at most [`MAX_LISTED_ROWS`].
    ///
    /// # Errors
    /// A record or a pointer can't be read.
    pub fn held_models(&self, line: Option<&LineName>) -> Result<Vec<HeldModel>, StoreError> {
        let rows = self.held_rows(line)?.into_iter();
        rows.map(|(model, line)| self.held_model(model, line)).collect()
    }

    /// The models of [`held_models`](Self::held_models) with their lines.
    pub(crate) fn held_rows(&self, line: Option<&LineName>) -> Result<Vec<(ModelId, LineName)>, StoreError> {
        self.database.read(|db| {
            let mut query = db.prepare_cached(&held_query(line))?;
            let row = |row: &Row<'_>| Ok((parse(row, 0)?, parse(row, 1)?));
            query.query_map([line.map(LineName::as_str)], row)?.collect()
        })
    }

    /// What `model` of `line` was compared with, and who is champion now.
    pub(crate) fn held_model(&self, model: ModelId, line: LineName) -> Result<HeldModel, StoreError> {
        let judged_against = self.model(&model)?.champion_id;
        let champion = parse_pointer(self.models_dir(), &line)?.map(|pointer| pointer.model_id);
        Ok(HeldModel { model, line, judged_against, champion })
    }

    /// Makes a model that waits for approval the champion of its line. Its cycle and its experiment show it as
    /// deployed, and its schedule continues from it.
    ///
    /// # Errors
    /// It does not wait, the reason is empty, the champion is not the one that it was compared with any more, the newest
    /// verdict of its arm gives a lower grade than its own promised, and all that [`promote`](Self::promote) refuses.
    pub fn approve(&self, id: &ModelId, reason: &str) -> Result<Promotion, StoreError> {
        let reason = format!("approved: {}", required(id, reason)?);
        let record = self.model(id)?;
        self.check_held(&record)?;
        let Some(verdict) = &record.verdict else {
            return Err(MODELS.refuse(id.as_str(), "its record has no verdict"));
        };
        self.check_promise(&record, verdict)?;
        let approved = self.promote(&PromotionRequest {
            line: &record.line,
            expected_current: record.champion_id.as_ref(),
            to: id,
            kind: PromotionKind::Promote,
            reason: &reason,
            verdict,
            metrics: &record.metrics.clone().unwrap_or_default(),
        });
        approved.map_err(|error| match error {
            StoreError::PointerMoved { line, expected, found } => {
                let name = |id: Option<ModelId>| id.map_or("no model".to_owned(), |id| id.to_string());
                let reason = format!(
                    "it was compared with {}, and the champion is {} now: its verdict says nothing about that one; let a \
                     new cycle train and judge a model (`orchestrate schedules trigger`, `orchestrate --once`)",
                    name(expected),
                    name(found)
                );
                StoreError::RefusedPromotion { line, to: id.clone(), reason }
            }
            error => error,
        })
    }

    /// Makes a model champion that no gate let through, because a person takes that upon themselves. The promotion keeps
    /// the verdict's words, its preset is [`BY_HAND`], and its grade is what its arm had earned itself by that verdict and
    /// still earns by the newest one on any of its models, the lower of the two: capital follows evidence, whoever decides.
    ///
    /// # Errors
    /// It has no verdict, does not work, was declined, the reason is empty, and all that [`promote`](Self::promote)
    /// refuses.
    pub fn overrule(&self, id: &ModelId, reason: &str) -> Result<Promotion, StoreError> {
        let reason = required(id, reason)?;
        let record = self.model(id)?;
        let refuse = |why: &str| Err(MODELS.refuse(id.as_str(), why));
        let Some(verdict) = &record.verdict else {
            return refuse("it was never judged: nothing is known of it that could be overruled");
        };
        if verdict.reason.as_deref() == Some(MECHANICAL) {
            return refuse(&format!("{}: a model that does not work can't trade", verdict.sentence));
        }
        let reason = format!("by hand: {reason}");
        self.promote(&PromotionRequest {
            line: &record.line,
            expected_current: self
                .champion(&record.line)?
                .as_ref()
                .map(|champion| &champion.pointer.model_id),
            to: id,
            kind: PromotionKind::Promote,
            reason: &reason,
            verdict: &self.overruled(&record, verdict)?,
            metrics: &record.metrics.clone().unwrap_or_default(),
        })
    }

    /// Says no to a model that waits for approval: it is `rejected`, and ages as such.
    ///
    /// # Errors
    /// It does not wait, or the reason is empty.
    pub fn decline(&self, id: &ModelId, reason: &str) -> Result<ModelRecord, StoreError> {
        let reason = required(id, reason)?;
        let line = self.model(id)?.line;
        let _line = self.line_lock(&line)?;
        self.settle_line(&line)?;
        let mut record = self.model(id)?;
        self.check_held(&record)?;
        record.status = ModelStatus::Rejected;
        record.declined = Some(Declined { at: self.now(), reason });
        self.write_record(&record)?;
        Ok(record)
    }

    fn check_held(&self, record: &ModelRecord) -> Result<(), StoreError> {
        let id = record.model_id.as_str();
        let sql = format!("SELECT 1 FROM models WHERE id = ?1 AND {IS_HELD}");
        let held = self.database.read(|db| db.query_row(&sql, [id], |_| Ok(())).optional())?;
        if held.is_some() && record.declined.is_none() {
            return Ok(());
        }
        let why = match (&record.declined, record.weights_removed) {
            (Some(declined), _) => declined.to_string(),
            (None, Some(removed)) => removed.to_string(),
            (None, None) if record.status == ModelStatus::Evaluated => "its run did not hold it".to_owned(),
            (None, None) => format!("it is {}", record.status),
        };
        let how = "(`orchestrate models list` shows which do)";
        Err(MODELS.refuse(id, format!("it does not wait for approval: {why} {how}")))
    }
}

impl std::fmt::Display for Declined {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "it was declined on {}: {}", self.at, self.reason)
    }
}

fn required(id: &ModelId, reason: &str) -> Result<String, StoreError> {
    match bounded(reason.trim()) {
        "" => Err(MODELS.refuse(id.as_str(), "a decision needs a reason")),
        reason => Ok(reason.to_owned()),
    }
}

/// Records in the rows of a model that waited for approval that it is champion now, at `path`.
pub(crate) fn deploy_held(
    tx: &Transaction<'_>,
    model: &ModelId,
    path: &str,
    reason: &str,
    at: Timestamp,
) -> rusqlite::Result<()> {
    let (model, at) = (model.as_str(), at.to_string());
    tx.execute(
        "UPDATE continuous_training_schedules SET current_checkpoint_path = ?2, updated_at = ?3, \
         base_experiment_id = coalesce(base_experiment_id, (SELECT experiment_id FROM cycles \
          WHERE model_id = ?1 AND schedule_id = continuous_training_schedules.id)) \
         WHERE id IN (SELECT schedule_id FROM cycles WHERE model_id = ?1 AND status = 'held' \
                      AND deployed_model_id IS NULL)",
        params![model, path, at],
    )?;
    tx.execute(
        "UPDATE cycles SET deployed_model_id = ?1, reason = ?2 \
         WHERE model_id = ?1 AND status = 'held' AND deployed_model_id IS NULL",
        params![model, bounded(reason)],
    )?;
    tx.execute(
        "UPDATE experiments SET final_metrics = json_set(final_metrics, '$.decision', 'approved', \
          '$.deployed_model_id', ?1) WHERE model_id = ?1 AND json_extract(final_metrics, '$.outcome') = 'held'",
        [model],
    )?;
    Ok(())
}

/// Records in the rows of a model that it was declined, with the event, unless they say so already.
pub(crate) fn settle_declined(tx: &Transaction<'_>, record: &ModelRecord) -> rusqlite::Result<()> {
    let Some(declined) = &record.declined else { return Ok(()) };
    let id = record.model_id.as_str();
    let known: Option<String> =
        tx.query_row("SELECT status FROM models WHERE id = ?1", [id], |row| row.get(0)).optional()?;
    if known.is_none_or(|status| status == ModelStatus::Rejected.as_str()) {
        return Ok(());
    }
    tx.execute(
        "UPDATE cycles SET reason = ?2 WHERE model_id = ?1 AND status = 'held'",
        params![id, bounded(&format!("declined: {}", declined.reason))],
    )?;
    tx.execute(
        "UPDATE experiments SET final_metrics = json_set(final_metrics, '$.decision', 'declined') \
         WHERE model_id = ?1 AND json_extract(final_metrics, '$.outcome') = 'held'",
        [id],
    )?;
    let payload = json!({ "line": record.line, "model": record.model_id, "reason": declined.reason });
    insert_event(tx, declined.at, "model_declined", &payload)?;
    Ok(())
}
