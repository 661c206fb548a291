//! The history of champions, and how it is made to agree with the pointers.

use rusqlite::{OptionalExtension, Row, Transaction, params};
use serde_json::json;
use walkforward_core::{LineName, ModelId, SuppliedBy, Timestamp};

use crate::events::insert_event;
use crate::held::deploy_held;
use crate::pointer::parse_pointer;
use crate::quarantine::{GuardNote, guarded, insert_note};
use crate::rows::{count, parse, parse_optional, to_sql};
use crate::{ModelRecord, Pointer, PromotionKind, PromotionRequest, PromotionState, Store, StoreError};

/// A change of champion in the history.
#[derive(Debug, Clone, PartialEq)]
pub struct PromotionRow {
    /// Its number in its line.
    pub sequence: u64,
    /// The champion before.
    pub from: Option<ModelId>,
    /// The champion after; none when somebody took the pointer away.
    pub to: Option<ModelId>,
    /// Why it changed.
    pub kind: PromotionKind,
    /// Why, in words.
    pub reason: String,
    /// How far it has come.
    pub state: PromotionState,
    /// When it was announced.
    pub created_at: Timestamp,
    /// When it happened.
    pub committed_at: Option<Timestamp>,
}

/// What settling a line came to.
#[derive(Debug, Default)]
pub(crate) struct Settled {
    pub(crate) committed: usize,
    pub(crate) aborted: usize,
    pub(crate) adopted: usize,
}

impl Store {
    /// One more than any number that the line's history or its pointer has.
    pub(crate) fn next_sequence(
        &self,
        line: &LineName,
        pointer: Option<&Pointer>,
    ) -> Result<u64, StoreError> {
        let last: i64 = self.database.read(|db| {
            db.query_row(
                "SELECT coalesce(max(sequence), 0) FROM promotions WHERE line = ?1",
                [line.as_str()],
                |row| row.get(0),
            )
        })?;
        let in_pointer = pointer.map_or(0, |pointer| pointer.sequence);
        Ok(u64::try_from(last).unwrap_or(0).max(in_pointer).saturating_add(1))
    }

    /// Adds the pending row of a promotion; `note` is what a rollback was made for.
    pub(crate) fn announce(
        &self,
        request: &PromotionRequest<'_>,
        record: &ModelRecord,
        pointer: &Pointer,
        from: Option<&ModelId>,
        note: Option<&GuardNote>,
    ) -> Result<(), StoreError> {
        let verdict = json!(request.verdict).to_string();
        let metrics_sha256 = match &record.supplied_by {
            Some(SuppliedBy::File { sha256, .. }) => Some(sha256.as_str()),
            _ => None,
        };
        self.database.write("announce a promotion in", |tx| {
            tx.execute(
                "INSERT INTO promotions (line, sequence, from_model, to_model, kind, reason, verdict_json, \
                 metrics_sha256, state, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'pending', ?9)",
                params![
                    request.line.as_str(),
                    to_sql(pointer.sequence),
                    from.map(ModelId::as_str),
                    request.to.as_str(),
                    request.kind.as_str(),
                    request.reason,
                    verdict,
                    metrics_sha256,
                    pointer.promoted_at.to_string(),
                ],
            )?;
            match note {
                Some(note) => insert_note(tx, (request.line, pointer.sequence), pointer.promoted_at, note),
                None => Ok(()),
            }
        })
    }

    /// Turns the pending row whose model `pointer` names into a committed one, with its event. Where the model had
    /// waited for approval, the rows that say so learn that it is deployed.
    pub(crate) fn commit(&self, pointer: &Pointer, at: Timestamp) -> Result<(), StoreError> {
        let path = self.layout.model_dir(&pointer.model_id).display().to_string();
        self.database.write("commit a promotion in", |tx| {
            let row = tx.query_row(
                &format!("{SELECT_PROMOTION} WHERE line = ?1 AND state = 'pending' AND to_model = ?2"),
                [pointer.line.as_str(), pointer.model_id.as_str()],
                promotion_row,
            )?;
            tx.execute(
                "UPDATE promotions SET state = 'committed', committed_at = ?3 WHERE line = ?1 AND sequence = ?2",
                params![pointer.line.as_str(), to_sql(row.sequence), at.to_string()],
            )?;
            deploy_held(tx, &pointer.model_id, &path, &row.reason, at)?;
            let mut payload = event_payload(&pointer.line, &row);
            if let Some(guarded) = guarded(tx, &pointer.line, row.sequence)? {
                payload["guard"] = json!({ "rule": guarded.rule, "quarantine": guarded.quarantine });
            }
            insert_event(tx, at, row.kind.event(), &payload)?;
            Ok(())
        })
    }

    /// Makes the history of `line` agree with its pointer, as opening does for all lines: for one who has
    /// [attached](Store::attach) and wants to know what became of a promotion that a killed process began.
    ///
    /// # Errors
    /// The pointer can't be read, or somebody holds the line's lock for too long.
    pub fn settle(&self, line: &LineName) -> Result<(), StoreError> {
        let _line = self.line_lock(line)?;
        self.settle_line(line).map(drop)
    }

    /// Makes the history of `line` agree with its pointer. The caller holds the line's lock.
    pub(crate) fn settle_line(&self, line: &LineName) -> Result<Settled, StoreError> {
        let pointer = parse_pointer(&self.layout.models_dir, line)?;
        let mut settled = Settled::default();
        for row in self.promotions(line)?.into_iter().filter(|row| row.state == PromotionState::Pending) {
            match &pointer {
                Some(pointer) if Some(&pointer.model_id) == row.to.as_ref() => {
                    self.commit(pointer, pointer.promoted_at)?;
                    settled.committed += 1;
                }
                _ => {
                    self.abort(line, row.sequence)?;
                    settled.aborted += 1;
                }
            }
        }
        settled.adopted = usize::from(self.adopt_pointer(line, pointer.as_ref())?);
        Ok(settled)
    }

    fn abort(&self, line: &LineName, sequence: u64) -> Result<(), StoreError> {
        self.database.write("abort a promotion in", |tx| {
            tx.execute(
                "UPDATE promotions SET state = 'aborted' WHERE line = ?1 AND sequence = ?2",
                params![line.as_str(), to_sql(sequence)],
            )?;
            Ok(())
        })
    }

    /// Records a pointer that the history does not explain.
    fn adopt_pointer(&self, line: &LineName, pointer: Option<&Pointer>) -> Result<bool, StoreError> {
        let last = self.last_committed(line)?;
        let recorded = last.and_then(|row| row.to);
        let found = pointer.map(|pointer| &pointer.model_id);
        if recorded.as_ref() == found {
            return Ok(false);
        }
        let now = self.now();
        let row = PromotionRow {
            sequence: self.next_sequence(line, pointer)?,
            from: recorded,
            to: found.cloned(),
            kind: PromotionKind::Adopted,
            reason: "the pointer was changed by something else".to_owned(),
            state: PromotionState::Committed,
            created_at: now,
            committed_at: Some(pointer.map_or(now, |pointer| pointer.promoted_at)),
        };
        self.database.write("record a found pointer in", |tx| {
            insert_committed(tx, line, &row)?;
            insert_event(tx, now, row.kind.event(), &event_payload(line, &row))?;
            Ok(())
        })?;
        Ok(true)
    }

    fn last_committed(&self, line: &LineName) -> Result<Option<PromotionRow>, StoreError> {
        self.database.read(|db| {
            db.query_row(
                &format!(
                    "{SELECT_PROMOTION} WHERE line = ?1 AND state = 'committed' ORDER BY sequence DESC LIMIT 1"
                ),
                [line.as_str()],
                promotion_row,
            )
            .optional()
        })
    }

    /// The history of a line's champions, oldest first, with what did not come about.
    pub fn promotions(&self, line: &LineName) -> Result<Vec<PromotionRow>, StoreError> {
        self.database.read(|db| {
            let mut query = db.prepare(&format!("{SELECT_PROMOTION} WHERE line = ?1 ORDER BY sequence"))?;
            query.query_map([line.as_str()], promotion_row)?.collect()
        })
    }

    /// Whether a supplied metrics file with this SHA-256 has promoted a model before.
    pub fn file_hash_promoted(&self, sha256: &str) -> Result<bool, StoreError> {
        self.database.read(|db| {
            db.query_row(
                "SELECT EXISTS (SELECT 1 FROM promotions WHERE metrics_sha256 = ?1 AND state = 'committed')",
                [sha256],
                |row| row.get(0),
            )
        })
    }
}

fn insert_committed(tx: &Transaction<'_>, line: &LineName, row: &PromotionRow) -> rusqlite::Result<usize> {
    tx.execute(
        "INSERT INTO promotions (line, sequence, from_model, to_model, kind, reason, state, created_at, \
         committed_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        params![
            line.as_str(),
            to_sql(row.sequence),
            row.from.as_ref().map(ModelId::as_str),
            row.to.as_ref().map(ModelId::as_str),
            row.kind.as_str(),
            row.reason,
            row.state.as_str(),
            row.created_at.to_string(),
            row.committed_at.map(|time| time.to_string()),
        ],
    )
}

fn event_payload(line: &LineName, row: &PromotionRow) -> serde_json::Value {
    json!({
        "line": line, "sequence": row.sequence, "from": row.from, "to": row.to, "kind": row.kind.as_str(),
        "reason": row.reason,
    })
}

const SELECT_PROMOTION: &str =
    "SELECT sequence, from_model, to_model, kind, reason, state, created_at, committed_at FROM promotions";

fn promotion_row(row: &Row<'_>) -> rusqlite::Result<PromotionRow> {
    Ok(PromotionRow {
        sequence: count(row, 0)?,
        from: parse_optional(row, 1)?,
        to: parse_optional(row, 2)?,
        kind: match row.get_ref(3)?.as_str()? {
            "promote" => PromotionKind::Promote,
            "rollback" => PromotionKind::Rollback,
            _ => PromotionKind::Adopted,
        },
        reason: row.get(4)?,
        state: match row.get_ref(5)?.as_str()? {
            "pending" => PromotionState::Pending,
            "committed" => PromotionState::Committed,
            _ => PromotionState::Aborted,
        },
        created_at: parse(row, 6)?,
        committed_at: parse_optional(row, 7)?,
    })
}
