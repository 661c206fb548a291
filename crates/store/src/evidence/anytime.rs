//! Tests of pairs for which no horizon was registered: each may be looked at at any time, at a level of its own.

use rusqlite::{Connection, OptionalExtension, Row, params};
use walkforward_core::{ArmId, Timestamp};

use super::arms::ARMS;
use super::horizons::CROSSING;
use crate::database::Refusal;
use crate::rows::{bounded, parse, parse_optional};
use crate::{Store, StoreError};

/// Which test: whose, against what, by which rules.
#[derive(Debug, Clone, Copy)]
pub struct AnytimePair<'a> {
    /// Whose models.
    pub arm: &'a ArmId,
    /// What they are measured against.
    pub reference: &'a str,
    /// The rules that the test goes by, in words: under others it is another test.
    pub rules: &'a str,
}

/// The test of an arm against a reference at any time.
#[derive(Debug, Clone, PartialEq)]
pub struct AnytimeTest {
    /// Its place in the order in which all tests of the database were enrolled, from 1.
    pub number: u32,
    /// Bars that close after this count; none where it is the pair's first test, which counts all.
    pub after: Option<Timestamp>,
    /// One-sided level: fixed when it was enrolled.
    pub level: f64,
    /// When that was.
    pub enrolled_at: Timestamp,
    /// Close of the bar at which any test of the pair was first found crossed; none while none was.
    pub crossed_at: Option<Timestamp>,
}

impl Store {
    /// Enrols a test, if it is not; the test. `level` gives the level of the next test after `tested` ones, of which
    /// `crossed` are known to be crossed. When the pair had a test already, by other rules or of the other kind, this
    /// one counts bars that close after `known_until`: who chose its rules may have seen those before.
    ///
    /// # Errors
    /// There is no such arm, or the level is no probability.
    pub fn enrol_anytime(
        &self,
        pair: AnytimePair<'_>,
        known_until: Timestamp,
        level: impl FnOnce(u32, u32) -> f64,
    ) -> Result<AnytimeTest, StoreError> {
        let AnytimePair { arm, reference, rules } = pair;
        let now = self.now().to_string();
        self.database.write_checked("enrol a test in", |tx| {
            ARMS.require(tx, arm.as_str())?;
            if let Some(enrolled) = anytime_test(tx, pair)? {
                return Ok(enrolled);
            }
            let sql = "SELECT count(*), count(crossed_at) FROM anytime_tests";
            let (tested, crossed) = tx.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let level = level(tested, crossed);
            let is_probability = level > 0.0 && level < 1.0;
            if !is_probability {
                let problem = format!("its test number {} can't have the level {level}", tested + 1);
                return Err(ARMS.refuse(arm.as_str(), problem).into());
            }
            tx.execute(
                "INSERT INTO anytime_tests (number, arm, reference, rules, after, level, enrolled_at) \
                 SELECT ?1, ?2, ?3, ?4, (SELECT ?5 WHERE EXISTS \
                 (SELECT 1 FROM anytime_tests WHERE arm = ?2 AND reference = ?3 UNION ALL \
                 SELECT 1 FROM horizons WHERE arm = ?2 AND reference = ?3)), ?6, ?7",
                params![
                    tested + 1,
                    arm.as_str(),
                    reference,
                    bounded(rules),
                    known_until.to_string(),
                    level,
                    now
                ],
            )?;
            let enrolled = anytime_test(tx, pair)?;
            enrolled.ok_or_else(|| Refusal::from(rusqlite::Error::QueryReturnedNoRows))
        })
    }

    /// A test at any time; none that was never enrolled.
    pub fn anytime_test(&self, pair: AnytimePair<'_>) -> Result<Option<AnytimeTest>, StoreError> {
        self.database.read(|db| anytime_test(db, pair))
    }

    /// Records that a test was found crossed by the bar that closes at `at`. The first such bar stays.
    pub fn cross_anytime(&self, pair: AnytimePair<'_>, at: Timestamp) -> Result<(), StoreError> {
        let AnytimePair { arm, reference, rules } = pair;
        self.database.write("record a crossing in", |tx| {
            tx.execute(
                "UPDATE anytime_tests SET crossed_at = ?4 \
                 WHERE arm = ?1 AND reference = ?2 AND rules = ?3 AND crossed_at IS NULL",
                params![arm.as_str(), reference, bounded(rules), at.to_string()],
            )
            .map(drop)
        })
    }
}

fn anytime_test(db: &Connection, pair: AnytimePair<'_>) -> rusqlite::Result<Option<AnytimeTest>> {
    let AnytimePair { arm, reference, rules } = pair;
    let sql = format!(
        "SELECT number, after, level, enrolled_at, {CROSSING} FROM anytime_tests \
         WHERE arm = ?1 AND reference = ?2 AND rules = ?3"
    );
    db.prepare_cached(&sql)?.query_row([arm.as_str(), reference, bounded(rules)], test_row).optional()
}

fn test_row(row: &Row<'_>) -> rusqlite::Result<AnytimeTest> {
    Ok(AnytimeTest {
        number: row.get(0)?,
        after: parse_optional(row, 1)?,
        level: row.get(2)?,
        enrolled_at: parse(row, 3)?,
        crossed_at: parse_optional(row, 4)?,
    })
}
