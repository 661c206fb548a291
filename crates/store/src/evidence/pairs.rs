//! What is measured against what, since when.

use rusqlite::params;
use walkforward_core::{ArmId, LineName, Timestamp};

use crate::rows::time;
use crate::{Store, StoreError};

const MS_PER_YEAR: i64 = 365 * 86_400_000;

/// An arm and what it is measured against. What comes to reign again after another did makes another pair: its bars
/// count from then on, and no test of before is gone on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair<'a> {
    /// Whose models.
    pub arm: &'a ArmId,
    /// What they are measured against: `flat`, or a model's id.
    pub reference: &'a str,
    /// Bars that close after this count; none where all do.
    pub since: Option<Timestamp>,
}

/// What the sequential tests that a line began within a year may spend. Rates of error, each as a share of one.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ErrorSpent {
    /// Levels of the tests that were registered, added up; without those that are void.
    pub registered: f64,
    /// Levels of the tests at any time, added up. They are bounded over all of the database together, not by line.
    pub anytime: f64,
}

/// The first crossing of any test of the arm ?1 against the reference ?2 on bars since ?3.
pub(super) const CROSSING: &str = "(SELECT min(crossed_at) FROM \
     (SELECT crossed_at FROM horizons WHERE arm = ?1 AND reference = ?2 AND after >= ?3 UNION ALL \
     SELECT crossed_at FROM anytime_tests WHERE arm = ?1 AND reference = ?2 AND since = ?3))";

impl Pair<'_> {
    /// Since when, as a column has it: every time comes after the empty text.
    pub(super) fn since_text(&self) -> String {
        time(self.since).unwrap_or_default()
    }
}

impl Store {
    /// Close of the bar at which any test of a pair was first found crossed; none while none was.
    pub fn crossing(&self, pair: Pair<'_>) -> Result<Option<Timestamp>, StoreError> {
        self.database.read(|db| {
            let mut query = db.prepare_cached(&format!("SELECT {CROSSING}"))?;
            let values = params![pair.arm.as_str(), pair.reference, pair.since_text()];
            query.query_row(values, |row| crate::rows::parse_optional(row, 0))
        })
    }

    /// What the tests may spend that a line began within the year before `now`.
    pub fn error_spent(&self, line: &LineName, now: Timestamp) -> Result<ErrorSpent, StoreError> {
        let since = a_year_before(now);
        self.database.read(|db| {
            let anytime = db.query_row(
                "SELECT coalesce(sum(level), 0.0) FROM anytime_tests JOIN arms ON arms.id = anytime_tests.arm \
                 WHERE arms.line = ?1 AND enrolled_at > ?2",
                [line.as_str(), &since],
                |row| row.get(0),
            )?;
            Ok(ErrorSpent { registered: registered(db, line, &since)?, anytime })
        })
    }
}

/// Tests that began after this count for the year that ends `now`.
pub(super) fn a_year_before(now: Timestamp) -> String {
    now.plus_millis(-MS_PER_YEAR).to_string()
}

/// The levels of the tests that a line registered after `since`.
pub(super) fn registered(db: &rusqlite::Connection, line: &LineName, since: &str) -> rusqlite::Result<f64> {
    db.query_row(
        "SELECT coalesce(sum(alpha), 0.0) FROM horizons WHERE line = ?1 AND after > ?2 AND is_void = 0",
        [line.as_str(), since],
        |row| row.get(0),
    )
}
