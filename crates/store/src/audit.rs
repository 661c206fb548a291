//! What people did: rows that are only ever added, each with the hash of the one before it.
//!
//! An act is written down before it is done, and how it came out in a row of its own behind it. The chain shows whether a
//! row was changed, put between or taken out; its end alone can be cut off unseen, so keep the last hash elsewhere
//! ([`Store::acts_after`] gives it, `orchestrate audit export` writes it).

mod search;

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use walkforward_core::Timestamp;

use crate::rows::{MAX_LISTED_ROWS, Table, bounded, json_column, parse};
use crate::{Store, StoreError};

/// Longest name of an actor, an act or a subject, bytes.
const MAX_NAME_BYTES: usize = 200;
/// Rows that are read at once when the chain is checked.
const BATCH: u32 = 500;
/// What the first row's `previous` is.
const NOTHING_BEFORE: &str = "";

const AUDIT: Table = Table { what: "act", name: "audit", command: "audit" };

/// Something that somebody does.
#[derive(Debug, Clone, PartialEq)]
pub struct NewAct {
    /// Who: `command`, `interface:trade`, `trader:signal`, at most 200 bytes.
    pub actor: String,
    /// What, in words that stay the same (`model.approve`), at most 200 bytes.
    pub act: String,
    /// To what: an id, or nothing; at most 200 bytes.
    pub subject: String,
    /// Why, as the person says; cut after 4 KiB.
    pub reason: String,
    /// More about it, an object of at most [`MAX_JSON_BYTES`](crate::MAX_JSON_BYTES). Never a secret.
    pub details: Value,
}

impl NewAct {
    /// Refuses an act that can't be kept.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        let names =
            [("actor", &self.actor, false), ("act", &self.act, false), ("subject", &self.subject, true)];
        for (name, text, may_be_empty) in names {
            if text.len() > MAX_NAME_BYTES || (text.is_empty() && !may_be_empty) {
                let problem = format!("its {name} has {} bytes: expected 1 to {MAX_NAME_BYTES}", text.len());
                return Err(AUDIT.refuse(&self.act, problem));
            }
        }
        AUDIT.object(&self.act, "details", &self.details).map(drop)
    }
}

/// An act as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Act {
    /// Its number, from 1 without gaps.
    pub seq: i64,
    /// When.
    pub time: Timestamp,
    /// Who.
    pub actor: String,
    /// What.
    pub act: String,
    /// To what.
    pub subject: String,
    /// Why.
    pub reason: String,
    /// More about it, an object.
    pub details: Value,
    /// The hash of the act before it; empty of the first.
    pub previous: String,
    /// SHA-256 over `previous` and all else, lower-case hex.
    pub hash: String,
}

impl Act {
    /// The hash that this act has to have. It is over one line of JSON: an array of previous, seq, time, actor, act,
    /// subject, reason and details, whose keys are sorted.
    pub fn expected_hash(&self) -> String {
        let Self { seq, time, actor, act, subject, reason, details, previous, .. } = self;
        let line = json!([previous, seq, time, actor, act, subject, reason, details]).to_string();
        format!("{:x}", Sha256::digest(line.as_bytes()))
    }
}

/// What a check of the chain came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditCheck {
    /// Acts that were read.
    pub acts: u64,
    /// Number of the first one that is not as it was written; none when all are.
    pub broken: Option<i64>,
    /// The last act's hash; empty when there is none.
    pub last_hash: String,
}

impl Store {
    /// Writes an act down, on the disk when this returns.
    ///
    /// # Errors
    /// Actor or act is empty, a name is too long, or the details are no object or too long.
    pub fn record_act(&self, new: &NewAct) -> Result<Act, StoreError> {
        new.check()?;
        let time = self.now();
        self.database.write("write an act down in", |tx| append(tx, time, new))
    }

    /// At most `limit` acts behind number `seq`, in order; at most [`MAX_LISTED_ROWS`](crate::MAX_LISTED_ROWS).
    pub fn acts_after(&self, seq: i64, limit: u32) -> Result<Vec<Act>, StoreError> {
        self.database.read(|db| {
            let sql = format!("{SELECT} WHERE seq > ?1 ORDER BY seq LIMIT ?2");
            db.prepare_cached(&sql)?.query_map(params![seq, limit.min(MAX_LISTED_ROWS)], act_row)?.collect()
        })
    }

    /// The newest `limit` acts before number `before` (none: from the newest), newest first; at most
    /// [`MAX_LISTED_ROWS`](crate::MAX_LISTED_ROWS).
    pub fn acts_before(&self, before: Option<i64>, limit: u32) -> Result<Vec<Act>, StoreError> {
        self.database.read(|db| {
            let sql = format!("{SELECT} WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2");
            let values = params![before.unwrap_or(i64::MAX), limit.min(MAX_LISTED_ROWS)];
            db.prepare_cached(&sql)?.query_map(values, act_row)?.collect()
        })
    }

    /// Follows the chain from the first act to the last.
    pub fn check_acts(&self) -> Result<AuditCheck, StoreError> {
        let mut check = AuditCheck { acts: 0, broken: None, last_hash: NOTHING_BEFORE.to_owned() };
        let mut seen = 0;
        loop {
            let acts = self.acts_after(seen, BATCH)?;
            let Some(last) = acts.last().map(|act| act.seq) else { return Ok(check) };
            for act in acts {
                let follows = act.seq == seen + 1 && act.previous == check.last_hash;
                if check.broken.is_none() && !(follows && act.hash == act.expected_hash()) {
                    check.broken = Some(act.seq);
                }
                (seen, check.acts) = (act.seq, check.acts + 1);
                check.last_hash = act.hash;
            }
            seen = last;
        }
    }
}

const SELECT: &str = "SELECT seq, time, actor, act, subject, reason, details, previous, hash FROM audit";

/// Adds a checked act behind the last one, in the transaction of what it is about.
pub(crate) fn append(tx: &Transaction<'_>, time: Timestamp, new: &NewAct) -> rusqlite::Result<Act> {
    let last = last(tx)?;
    let mut act = Act {
        seq: last.as_ref().map_or(0, |(seq, _)| *seq) + 1,
        time,
        actor: new.actor.clone(),
        act: new.act.clone(),
        subject: new.subject.clone(),
        reason: bounded(new.reason.trim()).to_owned(),
        details: new.details.clone(),
        previous: last.map_or_else(|| NOTHING_BEFORE.to_owned(), |(_, hash)| hash),
        hash: String::new(),
    };
    act.hash = act.expected_hash();
    let Act { seq, time, actor, act: what, subject, reason, details, previous, hash } = &act;
    tx.execute(
        "INSERT INTO audit (seq, time, actor, act, subject, reason, details, previous, hash) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        params![seq, time.to_string(), actor, what, subject, reason, details.to_string(), previous, hash],
    )?;
    Ok(act)
}

fn last(db: &Connection) -> rusqlite::Result<Option<(i64, String)>> {
    let mut query = db.prepare_cached("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1")?;
    query.query_row([], |row| Ok((row.get(0)?, row.get(1)?))).optional()
}

fn act_row(row: &Row<'_>) -> rusqlite::Result<Act> {
    Ok(Act {
        seq: row.get(0)?,
        time: parse(row, 1)?,
        actor: row.get(2)?,
        act: row.get(3)?,
        subject: row.get(4)?,
        reason: row.get(5)?,
        details: json_column(row, 6)?,
        previous: row.get(7)?,
        hash: row.get(8)?,
    })
}
