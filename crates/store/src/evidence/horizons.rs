//! Sequential tests that were fixed before their first bar.

use rusqlite::{Connection, OptionalExtension, Row, params};
use walkforward_core::{ArmId, Horizon, LineName, Timestamp};

use super::arms::ARMS;
use crate::rows::{bounded, count, parse, to_sql};
use crate::{Store, StoreError};

const MS_PER_YEAR: i64 = 365 * 86_400_000;
/// Rounding of a sum of levels.
const TOLERANCE: f64 = 1e-9;

/// A test that an arm wants to begin.
#[derive(Debug, Clone, Copy)]
pub struct HorizonRequest<'a> {
    /// Whose models.
    pub arm: &'a ArmId,
    /// What they are measured against.
    pub reference: &'a str,
    /// Bars that close after this will count; none of them is known yet.
    pub after: Timestamp,
    /// Number of bars after which it ends.
    pub bars: usize,
    /// One-sided level.
    pub alpha: f64,
    /// What the tests that a line begins within a year may spend together.
    pub line_alpha: f64,
}

impl Store {
    /// Registers a test before its first bar; none when the line has no error left to spend this year.
    ///
    /// # Errors
    /// There is no such arm, or a number is out of range.
    pub fn register_horizon(&self, request: &HorizonRequest<'_>) -> Result<Option<Horizon>, StoreError> {
        let HorizonRequest { arm, reference, after, bars, alpha, line_alpha } = *request;
        let is_sound = bars > 0 && alpha > 0.0 && alpha < 1.0;
        if !is_sound {
            let problem = format!("a test over {bars} bars at level {alpha} can't be registered");
            return Err(ARMS.refuse(arm.as_str(), problem));
        }
        self.database.write_checked("register a test in", |tx| {
            let line: LineName = ARMS.get(tx, "line", arm.as_str(), |row| parse(row, 0))?;
            if spent(tx, &line, after)? + alpha > line_alpha + TOLERANCE {
                return Ok(None);
            }
            tx.execute(
                "INSERT INTO horizons (arm, reference, after, line, bars, alpha) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![arm.as_str(), reference, after.to_string(), line.as_str(), to_sql(bars as u64), alpha],
            )?;
            Ok(Some(Horizon { after, bars, alpha, broken: None, crossed_at: None }))
        })
    }

    /// The newest test of an arm against a reference.
    pub fn horizon(&self, arm: &ArmId, reference: &str) -> Result<Option<Horizon>, StoreError> {
        self.database.read(|db| {
            db.query_row(
                "SELECT after, bars, alpha, broken FROM horizons WHERE arm = ?1 AND reference = ?2 \
                 ORDER BY after DESC LIMIT 1",
                [arm.as_str(), reference],
                horizon_row,
            )
            .optional()
        })
    }

    /// Records why the newest test can't be trusted any more, if it has no such reason yet.
    pub fn break_horizon(&self, arm: &ArmId, reference: &str, reason: &str) -> Result<(), StoreError> {
        self.database.write("break a test in", |tx| {
            tx.execute(
                "UPDATE horizons SET broken = ?3 WHERE arm = ?1 AND reference = ?2 AND broken IS NULL AND after = \
                 (SELECT max(after) FROM horizons WHERE arm = ?1 AND reference = ?2)",
                [arm.as_str(), reference, bounded(reason)],
            )
            .map(drop)
        })
    }

    /// The levels of the tests that a line began within the year before `now`, added up.
    pub fn error_spent(&self, line: &LineName, now: Timestamp) -> Result<f64, StoreError> {
        self.database.read(|db| spent(db, line, now))
    }
}

fn spent(db: &Connection, line: &LineName, now: Timestamp) -> rusqlite::Result<f64> {
    let since = now.plus_millis(-MS_PER_YEAR).to_string();
    db.query_row(
        "SELECT coalesce(sum(alpha), 0.0) FROM horizons WHERE line = ?1 AND after > ?2",
        [line.as_str(), &since],
        |row| row.get(0),
    )
}

fn horizon_row(row: &Row<'_>) -> rusqlite::Result<Horizon> {
    let bars = usize::try_from(count(row, 1)?).unwrap_or(usize::MAX);
    Ok(Horizon { after: parse(row, 0)?, bars, alpha: row.get(2)?, broken: row.get(3)?, crossed_at: None })
}
