//! Tests of pairs for which no horizon was registered: each may be looked at at any time, at a level of its own.
//!
//! A test is announced with its rules when its pair is first measured, and enrolled with the first live bar that it counts.
//! Only then it takes a number, and the level that goes by that: what is tried once and left costs nothing.

use rusqlite::{Connection, OptionalExtension, Row, params};
use walkforward_core::Timestamp;

use super::arms::ARMS;
use super::pairs::{CROSSING, Pair};
use crate::database::Refusal;
use crate::rows::{bounded, parse, parse_optional};
use crate::{Store, StoreError};

/// Which test: of which pair, by which rules.
#[derive(Debug, Clone, Copy)]
pub struct AnytimePair<'a> {
    /// Whose models, against what.
    pub pair: Pair<'a>,
    /// The rules that the test goes by, in words: under others it is another test.
    pub rules: &'a str,
}

/// The test of an arm against a reference at any time.
#[derive(Debug, Clone, PartialEq)]
pub struct AnytimeTest {
    /// Bars that close after this count; none where it is the pair's first test, which counts all.
    pub after: Option<Timestamp>,
    /// Its level; none before its first live bar.
    pub enrolled: Option<Enrolment>,
    /// Close of the bar at which any test of the pair was first found crossed; none while none was.
    pub crossed_at: Option<Timestamp>,
}

/// That a test has begun.
#[derive(Debug, Clone, PartialEq)]
pub struct Enrolment {
    /// Its place in the order in which all tests of the database were enrolled, from 1.
    pub number: u32,
    /// One-sided level: it never changes.
    pub level: f64,
    /// When.
    pub at: Timestamp,
}

impl Store {
    /// Announces a test, if it is not; the test. When the pair had a test already, by other rules or of the other kind,
    /// this one counts bars that close after `known_until`: who chose its rules may have seen those before.
    ///
    /// # Errors
    /// There is no such arm.
    pub fn announce_anytime(
        &self,
        test: AnytimePair<'_>,
        known_until: Timestamp,
    ) -> Result<AnytimeTest, StoreError> {
        if let Some(announced) = self.anytime_test(test)? {
            return Ok(announced);
        }
        let Pair { arm, reference, .. } = test.pair;
        self.database.write_checked("announce a test in", |tx| {
            ARMS.require(tx, arm.as_str())?;
            tx.execute(
                "INSERT INTO anytime_tests (arm, reference, since, rules, after) SELECT ?1, ?2, ?3, ?4, (SELECT ?5 WHERE \
                 EXISTS (SELECT 1 FROM anytime_tests WHERE arm = ?1 AND reference = ?2 AND since = ?3 UNION ALL \
                 SELECT 1 FROM horizons WHERE arm = ?1 AND reference = ?2 AND after >= ?3)) \
                 WHERE true ON CONFLICT DO NOTHING",
                params![
                    arm.as_str(),
                    reference,
                    test.pair.since_text(),
                    bounded(test.rules),
                    known_until.to_string()
                ],
            )?;
            known(tx, test)
        })
    }

    /// Enrols an announced test, if it is not; the test. `level` gives the level of the next test after `tested` ones, of
    /// which `crossed` are known to be crossed.
    ///
    /// # Errors
    /// It was not announced, or the level is no probability.
    pub fn enrol_anytime(
        &self,
        test: AnytimePair<'_>,
        level: impl FnOnce(u32, u32) -> f64,
    ) -> Result<AnytimeTest, StoreError> {
        let Pair { arm, reference, .. } = test.pair;
        let now = self.now().to_string();
        self.database.write_checked("enrol a test in", |tx| {
            let announced = known(tx, test)?;
            if announced.enrolled.is_some() {
                return Ok(announced);
            }
            let (tested, crossed) = counts(tx)?;
            let level = level(tested, crossed);
            if !is_probability(level) {
                let problem = format!("its test number {} can't have the level {level}", tested + 1);
                return Err(ARMS.refuse(arm.as_str(), problem).into());
            }
            tx.execute(
                "UPDATE anytime_tests SET number = ?5, level = ?6, enrolled_at = ?7 \
                 WHERE arm = ?1 AND reference = ?2 AND since = ?3 AND rules = ?4",
                params![
                    arm.as_str(),
                    reference,
                    test.pair.since_text(),
                    bounded(test.rules),
                    tested + 1,
                    level,
                    now
                ],
            )?;
            known(tx, test)
        })
    }

    /// A test at any time; none that was never announced.
    pub fn anytime_test(&self, test: AnytimePair<'_>) -> Result<Option<AnytimeTest>, StoreError> {
        self.database.read(|db| anytime_test(db, test))
    }

    /// The level that a test would have which is enrolled now; none where that is no probability.
    pub fn next_anytime_level(&self, level: impl FnOnce(u32, u32) -> f64) -> Result<Option<f64>, StoreError> {
        let (tested, crossed) = self.database.read(counts)?;
        Ok(Some(level(tested, crossed)).filter(|level| is_probability(*level)))
    }

    /// Records that an enrolled test was found crossed by the bar that closes at `at`. The first such bar stays.
    pub fn cross_anytime(&self, test: AnytimePair<'_>, at: Timestamp) -> Result<(), StoreError> {
        let Pair { arm, reference, .. } = test.pair;
        self.database.write("record a crossing in", |tx| {
            tx.execute(
                "UPDATE anytime_tests SET crossed_at = ?5 WHERE arm = ?1 AND reference = ?2 AND since = ?3 \
                 AND rules = ?4 AND number IS NOT NULL AND crossed_at IS NULL",
                params![arm.as_str(), reference, test.pair.since_text(), bounded(test.rules), at.to_string()],
            )
            .map(drop)
        })
    }
}

/// Tests that were enrolled, and those of them that were crossed.
fn counts(db: &Connection) -> rusqlite::Result<(u32, u32)> {
    let sql = "SELECT count(number), count(crossed_at) FROM anytime_tests";
    db.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))
}

fn is_probability(level: f64) -> bool {
    level > 0.0 && level < 1.0
}

/// A test that was announced.
fn known(db: &Connection, test: AnytimePair<'_>) -> Result<AnytimeTest, Refusal> {
    let found = anytime_test(db, test)?;
    let arm = test.pair.arm.as_str();
    found.ok_or_else(|| ARMS.refuse(arm, "its test was not announced before it is enrolled").into())
}

fn anytime_test(db: &Connection, test: AnytimePair<'_>) -> rusqlite::Result<Option<AnytimeTest>> {
    let Pair { arm, reference, .. } = test.pair;
    let sql = format!(
        "SELECT number, after, level, enrolled_at, {CROSSING} FROM anytime_tests \
         WHERE arm = ?1 AND reference = ?2 AND since = ?3 AND rules = ?4"
    );
    let values = params![arm.as_str(), reference, test.pair.since_text(), bounded(test.rules)];
    db.prepare_cached(&sql)?.query_row(values, test_row).optional()
}

fn test_row(row: &Row<'_>) -> rusqlite::Result<AnytimeTest> {
    let number: Option<u32> = row.get(0)?;
    let enrolled = match number {
        Some(number) => Some(Enrolment { number, level: row.get(2)?, at: parse(row, 3)? }),
        None => None,
    };
    Ok(AnytimeTest { after: parse_optional(row, 1)?, enrolled, crossed_at: parse_optional(row, 4)? })
}
