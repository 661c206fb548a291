//! Arms whose champion a watch took back: none of their models is promoted until the time is over or somebody says so.
//!
//! The row of a quarantine is written together with the pending promotion of the rollback and is in effect exactly where
//! that promotion is committed. So whatever settles the promotion after a crash settles the quarantine too.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde::{Deserialize, Serialize};
use serde_json::json;
use walkforward_core::{ArmId, LineName, ModelId, Timestamp};

use crate::events::insert_event;
use crate::evidence::ARMS;
use crate::rows::{bounded, count, parse, parse_optional, to_sql};
use crate::{MAX_LISTED_ROWS, Store, StoreError};

/// Longest name of somebody who releases an arm, bytes.
const MAX_NAME_BYTES: usize = 200;

/// Why a champion was taken back, and what became of its arm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GuardedRollback {
    /// The line.
    pub line: LineName,
    /// The number of the rollback in it.
    pub sequence: u64,
    /// The champion that was taken back.
    pub model: ModelId,
    /// Which rule did it, in a word.
    pub rule: String,
    /// The rule's value and limit in words.
    pub sentence: String,
    /// When.
    pub since: Timestamp,
    /// The quarantine of its arm; none of a model that was promoted without one.
    pub quarantine: Option<Quarantine>,
}

/// The quarantine of an arm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Quarantine {
    /// Which arm.
    pub arm: ArmId,
    /// When it ends by itself.
    pub until: Timestamp,
    /// That somebody ended it before.
    pub release: Option<Release>,
}

impl Quarantine {
    /// Whether it keeps models of the arm from trading at `now`.
    pub fn is_active(&self, now: Timestamp) -> bool {
        self.release.is_none() && now < self.until
    }
}

/// That somebody let an arm out of quarantine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Release {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// What is written beside the pending promotion of a guarded rollback.
#[derive(Debug, Clone)]
pub(crate) struct GuardNote {
    pub(crate) model: ModelId,
    pub(crate) arm: Option<ArmId>,
    pub(crate) rule: String,
    pub(crate) sentence: String,
    /// Length of the quarantine.
    pub(crate) quarantine_ms: i64,
}

impl Store {
    /// The champions of `line`, or of all lines, that a watch took back, the newest first, at most [`MAX_LISTED_ROWS`].
    pub fn guarded_rollbacks(&self, line: Option<&LineName>) -> Result<Vec<GuardedRollback>, StoreError> {
        let filter = "(?1 IS NULL OR g.line = ?1)";
        self.database.read(|db| select(db, filter, params![line.map(LineName::as_str)]))
    }

    /// Until when `arm` is in quarantine at `now`; none when it is not.
    pub fn quarantined_until(&self, arm: &ArmId, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.quarantine_at(arm, now)?.map(|(_, until)| until))
    }

    /// The rollback that keeps `arm` in quarantine now, the one that does so for longest, and until when; none when the arm
    /// is free.
    pub fn active_quarantine(&self, arm: &ArmId) -> Result<Option<(GuardedRollback, Timestamp)>, StoreError> {
        self.quarantine_at(arm, self.now())
    }

    fn quarantine_at(
        &self,
        arm: &ArmId,
        now: Timestamp,
    ) -> Result<Option<(GuardedRollback, Timestamp)>, StoreError> {
        let rows = self.database.read(|db| select(db, "g.arm = ?1", params![arm.as_str()]))?;
        let active = rows.into_iter().filter_map(|row| {
            let until = row.quarantine.as_ref().filter(|it| it.is_active(now))?.until;
            Some((row, until))
        });
        Ok(active.max_by_key(|(_, until)| *until))
    }

    /// Lets `arm` out of quarantine; what was ended. `by` is who answers for it.
    ///
    /// # Errors
    /// There is no such arm, it is not in quarantine, or name or reason is empty.
    pub fn release_arm(
        &self,
        arm: &ArmId,
        by: &str,
        reason: &str,
    ) -> Result<Vec<GuardedRollback>, StoreError> {
        let refuse = |why: &str| ARMS.refuse(arm.as_str(), why);
        let (by, reason) = (by.trim(), bounded(reason.trim()));
        if reason.is_empty() {
            return Err(refuse("a release needs a reason"));
        }
        if !(1..=MAX_NAME_BYTES).contains(&by.len()) {
            return Err(refuse(&format!(
                "a release needs the name of who answers for it, 1 to {MAX_NAME_BYTES} bytes"
            )));
        }
        let now = self.now();
        self.database.write_checked("release an arm in", |tx| {
            ARMS.require(tx, arm.as_str())?;
            let mut rows = select(tx, "g.arm = ?1", params![arm.as_str()])?;
            rows.retain(|row| row.quarantine.as_ref().is_some_and(|it| it.is_active(now)));
            if rows.is_empty() {
                return Err(
                    refuse("it is not in quarantine (`orchestrate evidence` shows which arms are)").into()
                );
            }
            let release = Release { at: now, by: by.to_owned(), reason: reason.to_owned() };
            for row in &mut rows {
                insert_release(tx, row, &release)?;
                row.quarantine.iter_mut().for_each(|it| it.release = Some(release.clone()));
            }
            let payload = json!({ "arm": arm, "line": rows[0].line, "by": by, "reason": reason });
            insert_event(tx, now, "arm_released", &payload)?;
            Ok(rows)
        })
    }

    /// Why a model of a quarantined arm is not promoted; none when its arm is free.
    pub(crate) fn quarantine_problem(&self, model: &ModelId) -> Result<Option<String>, StoreError> {
        let Some(arm) = self.arm_of(model)? else { return Ok(None) };
        let until = self.quarantined_until(&arm, self.now())?;
        Ok(until.map(|until| {
            format!(
                "its arm {arm} is in quarantine until {until}, because its champion was taken back: wait, or let it out \
                 (`orchestrate models release {arm} --reason TEXT`)"
            )
        }))
    }
}

/// Adds the row of a guarded rollback beside its pending promotion, number `sequence` of `line` at `at`.
pub(crate) fn insert_note(
    tx: &Transaction<'_>,
    (line, sequence): (&LineName, u64),
    at: Timestamp,
    note: &GuardNote,
) -> rusqlite::Result<()> {
    let until = note.arm.as_ref().map(|_| at.plus_millis(note.quarantine_ms).to_string());
    tx.execute(
        "INSERT INTO guarded_rollbacks (line, sequence, model, arm, rule, sentence, quarantined_until) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            line.as_str(),
            to_sql(sequence),
            note.model.as_str(),
            note.arm.as_ref().map(ArmId::as_str),
            bounded(&note.rule),
            bounded(&note.sentence),
            until,
        ],
    )?;
    Ok(())
}

/// The guarded rollback that promotion `sequence` of `line` is, as a transaction sees it that has committed it.
pub(crate) fn guarded(
    tx: &Transaction<'_>,
    line: &LineName,
    sequence: u64,
) -> rusqlite::Result<Option<GuardedRollback>> {
    let sql = format!("{SELECT} AND g.line = ?1 AND g.sequence = ?2");
    tx.query_row(&sql, params![line.as_str(), to_sql(sequence)], guarded_row).optional()
}

fn insert_release(tx: &Transaction<'_>, row: &GuardedRollback, release: &Release) -> rusqlite::Result<usize> {
    tx.execute(
        "INSERT INTO quarantine_releases (line, sequence, released_at, released_by, reason) \
         VALUES (?1, ?2, ?3, ?4, ?5)",
        params![row.line.as_str(), to_sql(row.sequence), release.at.to_string(), release.by, release.reason],
    )
}

/// Rollbacks that are in effect.
const SELECT: &str = "SELECT g.line, g.sequence, g.model, g.rule, g.sentence, p.created_at, g.arm, g.quarantined_until, \
     r.released_at, r.released_by, r.reason FROM guarded_rollbacks g \
     JOIN promotions p ON p.line = g.line AND p.sequence = g.sequence \
     LEFT JOIN quarantine_releases r ON r.line = g.line AND r.sequence = g.sequence \
     WHERE p.state = 'committed'";

fn select(
    db: &Connection,
    filter: &str,
    values: impl rusqlite::Params,
) -> rusqlite::Result<Vec<GuardedRollback>> {
    let sql = format!(
        "{SELECT} AND {filter} ORDER BY p.created_at DESC, g.line, g.sequence DESC LIMIT {MAX_LISTED_ROWS}"
    );
    db.prepare_cached(&sql)?.query_map(values, guarded_row)?.collect()
}

fn guarded_row(row: &Row<'_>) -> rusqlite::Result<GuardedRollback> {
    let arm: Option<ArmId> = parse_optional(row, 6)?;
    let quarantine = match arm {
        Some(arm) => Some(Quarantine { arm, until: parse(row, 7)?, release: release(row)? }),
        None => None,
    };
    Ok(GuardedRollback {
        line: parse(row, 0)?,
        sequence: count(row, 1)?,
        model: parse(row, 2)?,
        rule: row.get(3)?,
        sentence: row.get(4)?,
        since: parse(row, 5)?,
        quarantine,
    })
}

fn release(row: &Row<'_>) -> rusqlite::Result<Option<Release>> {
    match parse_optional(row, 8)? {
        Some(at) => Ok(Some(Release { at, by: row.get(9)?, reason: row.get(10)? })),
        None => Ok(None),
    }
}
