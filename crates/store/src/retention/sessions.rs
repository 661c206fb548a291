//! What stays of a trader's session long after it: its row. Its bars, fills, swaps and events go; the journal has them.

use rusqlite::params;
use walkforward_core::SessionId;

use crate::rows::{parse, to_sql};
use crate::{Store, StoreError};

/// Rows that one transaction removes: a trader that carries its journal over does not wait longer than that takes.
const BATCH: u64 = 2_000;
/// Days after the last sign of life of a session that may still run: until then its rows stay.
const QUIET_DAYS: i64 = 30;
const DAY_MS: i64 = 86_400_000;
/// Most sessions that one call purges.
const MAX_PURGED: usize = 10_000;
const TABLES: [&str; 4] = ["live_bars", "live_fills", "live_swaps", "live_events"];

/// What a purge of old sessions removes, or would.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PurgedSessions {
    /// Sessions whose rows go; what they came to stays.
    pub sessions: Vec<SessionId>,
    /// How many rows that are.
    pub rows: u64,
}

impl Store {
    /// The sessions whose rows may go: of each line all that have ended but the newest `keep`, and all without an end but
    /// the newest `keep`, so that no replay displaces a session that goes on. One that has not ended, or has an account, may
    /// go on however many came after it: its rows stay while it holds a position, and until its start, its last bar and its
    /// end are 30 days ago. Nothing is changed.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn old_sessions(&self, keep: usize) -> Result<PurgedSessions, StoreError> {
        let mut found = PurgedSessions::default();
        for session in self.sessions_behind(keep)? {
            let rows = TABLES
                .iter()
                .try_fold(0, |sum, table| Ok::<_, StoreError>(sum + self.rows_of(table, &session)?))?;
            if rows > 0 && found.sessions.len() < MAX_PURGED {
                found.rows += rows;
                found.sessions.push(session);
            }
        }
        Ok(found)
    }

    /// Removes the rows of the sessions that [`old_sessions`](Self::old_sessions) finds. A session that goes on later has
    /// the rows from then on; none is carried over twice.
    ///
    /// # Errors
    /// The database can't be written. What went until then stays gone.
    pub fn purge_sessions(&self, keep: usize) -> Result<PurgedSessions, StoreError> {
        let mut purged = PurgedSessions::default();
        for session in self.old_sessions(keep)?.sessions {
            for table in TABLES {
                loop {
                    let rows = self.purge_rows(table, &session)?;
                    purged.rows += rows;
                    if rows < BATCH {
                        break;
                    }
                }
            }
            purged.sessions.push(session);
        }
        Ok(purged)
    }

    /// Oldest first.
    fn sessions_behind(&self, keep: usize) -> Result<Vec<SessionId>, StoreError> {
        let sql = "SELECT id FROM (SELECT *, row_number() OVER \
                   (PARTITION BY line, ended_at IS NULL ORDER BY number DESC) AS place FROM live_sessions) \
                   WHERE place > ?1 AND NOT ((ended_at IS NULL OR venue <> 'paper') AND (position_nanos <> 0 \
                   OR started_at >= ?2 OR coalesce(ended_at >= ?2, 0) OR coalesce(last_bar_ms >= ?3, 0))) \
                   ORDER BY number";
        let since = self.now().plus_millis(-QUIET_DAYS * DAY_MS);
        self.database.read(|db| {
            let keep = to_sql(u64::try_from(keep).unwrap_or(u64::MAX));
            let values = params![keep, since.to_string(), since.as_millis()];
            db.prepare_cached(sql)?.query_map(values, |row| parse(row, 0))?.collect()
        })
    }

    fn rows_of(&self, table: &str, session: &SessionId) -> Result<u64, StoreError> {
        let sql = format!(
            "SELECT count(*) FROM {table} WHERE session = (SELECT number FROM live_sessions WHERE id = ?1)"
        );
        self.database.read(|db| {
            let count = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0).map(i64::unsigned_abs);
            db.prepare_cached(&sql)?.query_row([session.as_str()], count)
        })
    }

    /// Removes the oldest rows of a session, at most [`BATCH`]; how many.
    fn purge_rows(&self, table: &str, session: &SessionId) -> Result<u64, StoreError> {
        let sql = format!(
            "DELETE FROM {table} WHERE session = (SELECT number FROM live_sessions WHERE id = ?1) AND number IN \
             (SELECT number FROM {table} WHERE session = (SELECT number FROM live_sessions WHERE id = ?1) \
             ORDER BY number LIMIT ?2)"
        );
        let removed = self.database.write("remove rows of an old session from", |tx| {
            tx.execute(&sql, params![session.as_str(), to_sql(BATCH)])
        })?;
        Ok(removed as u64)
    }
}
