//! What happened, in order, for those who follow: the newest events, each with a number that is never given twice.

use rusqlite::{Transaction, params};
use walkforward_core::Timestamp;

use crate::rows::parse;
use crate::{Store, StoreError};

/// Events kept. Who asks for older ones starts from the present state instead.
pub const MAX_EVENTS: i64 = 10_000;

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Its number; later events have larger ones.
    pub seq: i64,
    /// When.
    pub time: Timestamp,
    /// What, in one word.
    pub kind: String,
    /// Details.
    pub payload: serde_json::Value,
}

impl Store {
    /// Records an event and returns its number.
    pub fn record_event(&self, kind: &str, payload: &serde_json::Value) -> Result<i64, StoreError> {
        let now = self.now();
        self.database.write("record an event in", |tx| insert_event(tx, now, kind, payload))
    }

    /// The number of the newest event; 0 before the first.
    pub fn last_event(&self) -> Result<i64, StoreError> {
        self.database
            .read(|db| db.query_row("SELECT COALESCE(MAX(seq), 0) FROM events", [], |row| row.get(0)))
    }

    /// At most `limit` events after number `seq`, in order.
    pub fn events_after(&self, seq: i64, limit: u32) -> Result<Vec<Event>, StoreError> {
        self.database.read(|db| {
            let mut query = db.prepare(
                "SELECT seq, time, kind, payload FROM events WHERE seq > ?1 ORDER BY seq LIMIT ?2",
            )?;
            query
                .query_map(params![seq, limit], |row| {
                    Ok(Event {
                        seq: row.get(0)?,
                        time: parse(row, 1)?,
                        kind: row.get(2)?,
                        payload: parse(row, 3)?,
                    })
                })?
                .collect()
        })
    }
}

pub(crate) fn insert_event(
    tx: &Transaction<'_>,
    time: Timestamp,
    kind: &str,
    payload: &serde_json::Value,
) -> rusqlite::Result<i64> {
    tx.execute(
        "INSERT INTO events (time, kind, payload) VALUES (?1, ?2, ?3)",
        params![time.to_string(), kind, payload.to_string()],
    )?;
    let seq = tx.last_insert_rowid();
    tx.execute("DELETE FROM events WHERE seq <= ?1", [seq - MAX_EVENTS])?;
    Ok(seq)
}
