//! Sequential tests that were fixed before their first bar.

use rusqlite::{Connection, OptionalExtension, Row, params};
use walkforward_core::{ArmId, Horizon, LineName, Timestamp};

use super::StreamKey;
use super::arms::ARMS;
use super::pairs::{CROSSING, Pair, a_year_before, registered};
use crate::rows::{bounded, count, parse, parse_optional, to_sql};
use crate::{Store, StoreError};

const DAY_MS: i64 = 86_400_000;
/// A test that has counted no bar for so many days has nobody who goes on with it.
const ABANDONED_DAYS: i64 = 30;
/// Rounding of a sum of levels.
const TOLERANCE: f64 = 1e-9;
/// Why a test is broken whose rules are others than those that were registered.
const CHANGED: &str = "changed: the rules of the test are not those that were registered";

/// A test that an arm wants to begin.
#[derive(Debug, Clone, Copy)]
pub struct HorizonRequest<'a> {
    /// Whose models, against what.
    pub pair: Pair<'a>,
    /// Bars that close after this will count, where the pair does not begin later; none of them is known yet.
    pub after: Timestamp,
    /// Number of bars after which it ends.
    pub bars: usize,
    /// One-sided level.
    pub alpha: f64,
    /// What the tests that a line begins within a year may spend together.
    pub line_alpha: f64,
    /// The rules that the test goes by, in words: under others it is another test.
    pub rules: &'a str,
}

/// A row that still counts for something.
struct Registered {
    arm: ArmId,
    reference: String,
    after: Timestamp,
}

impl Store {
    /// Registers a test before its first bar; none when the line has no error left to spend this year. Tests of the line
    /// that were left before their first bar give theirs back.
    ///
    /// # Errors
    /// There is no such arm, or a number is out of range.
    pub fn register_horizon(&self, request: &HorizonRequest<'_>) -> Result<Option<Horizon>, StoreError> {
        let HorizonRequest { pair, after, bars, alpha, line_alpha, rules } = *request;
        let Pair { arm, reference, since } = pair;
        let after = since.map_or(after, |since| after.max(since));
        let is_sound = bars > 0 && alpha > 0.0 && alpha < 1.0;
        if !is_sound {
            let problem = format!("a test over {bars} bars at level {alpha} can't be registered");
            return Err(ARMS.refuse(arm.as_str(), problem));
        }
        self.database.write_checked("register a test in", |tx| {
            let line: LineName = ARMS.get(tx, "line", arm.as_str(), |row| parse(row, 0))?;
            give_back_abandoned(tx, &line, after)?;
            if registered(tx, &line, &a_year_before(after))? + alpha > line_alpha + TOLERANCE {
                return Ok(None);
            }
            // Where a void test began at the same bar, this one takes its place.
            tx.execute(
                "INSERT INTO horizons (arm, reference, after, line, bars, alpha, rules) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (arm, reference, after) DO UPDATE SET \
                 bars = excluded.bars, alpha = excluded.alpha, rules = excluded.rules, broken = NULL, is_void = 0 \
                 WHERE is_void = 1",
                params![
                    arm.as_str(),
                    reference,
                    after.to_string(),
                    line.as_str(),
                    to_sql(bars as u64),
                    alpha,
                    bounded(rules)
                ],
            )?;
            Ok(newest(tx, pair)?)
        })
    }

    /// The newest test of a pair that can still mean something: not one that was broken or left before it had counted a bar.
    /// A crossing of this or of an earlier test of the pair stays.
    pub fn horizon(&self, pair: Pair<'_>) -> Result<Option<Horizon>, StoreError> {
        self.database.read(|db| newest(db, pair))
    }

    /// Records why the newest test can't be trusted any more, if it has no such reason yet. One that has counted no bar is
    /// void: what it was to spend is free again.
    pub fn break_horizon(&self, pair: Pair<'_>, reason: &str) -> Result<(), StoreError> {
        self.database.write("break a test in", |tx| break_newest(tx, pair, reason))
    }

    /// Breaks the newest test when it was registered under other rules. Whether its rules are these, as far as is known:
    /// of tests that were registered by earlier versions nobody knows them.
    pub fn keep_horizon_rules(&self, pair: Pair<'_>, rules: &str) -> Result<bool, StoreError> {
        self.database.write("compare the rules of a test in", |tx| {
            let registered: Option<String> = tx
                .query_row(
                    &format!("SELECT rules FROM horizons WHERE {NEWEST}"),
                    params![pair.arm.as_str(), pair.reference, pair.since_text()],
                    |row| row.get(0),
                )
                .optional()?
                .flatten();
            let is_same = registered.is_none_or(|registered| registered == bounded(rules));
            if !is_same {
                break_newest(tx, pair, CHANGED)?;
            }
            Ok(is_same)
        })
    }

    /// Records that the newest test of a pair was found crossed by the bar that closes at `at`. The first such bar stays.
    pub fn cross_horizon(&self, pair: Pair<'_>, at: Timestamp) -> Result<(), StoreError> {
        self.database.write("record a crossing in", |tx| {
            let sql = format!("UPDATE horizons SET crossed_at = ?4 WHERE {NEWEST} AND crossed_at IS NULL");
            let Pair { arm, reference, .. } = pair;
            tx.execute(&sql, params![arm.as_str(), reference, pair.since_text(), at.to_string()]).map(drop)
        })
    }
}

/// The newest test that is not void, of the arm ?1 against the reference ?2 on bars since ?3.
const NEWEST: &str = "arm = ?1 AND reference = ?2 AND is_void = 0 AND after = (SELECT max(after) FROM horizons \
                      WHERE arm = ?1 AND reference = ?2 AND after >= ?3 AND is_void = 0)";

fn newest(db: &Connection, pair: Pair<'_>) -> rusqlite::Result<Option<Horizon>> {
    let sql = format!("SELECT after, bars, alpha, broken, {CROSSING} FROM horizons WHERE {NEWEST}");
    let values = params![pair.arm.as_str(), pair.reference, pair.since_text()];
    db.prepare_cached(&sql)?.query_row(values, horizon_row).optional()
}

fn break_newest(db: &Connection, pair: Pair<'_>, reason: &str) -> rusqlite::Result<()> {
    let Pair { arm, reference, .. } = pair;
    let sql = format!("SELECT after FROM horizons WHERE {NEWEST} AND broken IS NULL");
    let values = params![arm.as_str(), reference, pair.since_text()];
    let after = db.query_row(&sql, values, |row| parse(row, 0)).optional()?;
    let Some(after) = after else { return Ok(()) };
    let test = Registered { arm: arm.clone(), reference: reference.to_owned(), after };
    let is_void = !test.has_counted(db)?;
    test.end(db, reason, is_void)
}

/// Makes the line's tests void that have counted no bar for so long that nobody goes on with them.
fn give_back_abandoned(db: &Connection, line: &LineName, now: Timestamp) -> rusqlite::Result<()> {
    let before = now.plus_millis(-ABANDONED_DAYS * DAY_MS);
    let mut query = db.prepare_cached(
        "SELECT arm, reference, after FROM horizons WHERE line = ?1 AND after > ?2 AND after <= ?3 AND is_void = 0",
    )?;
    let bounds = [a_year_before(now), before.to_string()];
    let tests = query.query_map(params![line.as_str(), bounds[0], bounds[1]], |row| {
        Ok(Registered { arm: parse(row, 0)?, reference: row.get(1)?, after: parse(row, 2)? })
    })?;
    for test in tests.collect::<Result<Vec<_>, _>>()? {
        if !test.has_counted(db)? {
            test.end(db, &format!("abandoned: it had counted no bar {ABANDONED_DAYS} days later"), true)?;
        }
    }
    Ok(())
}

impl Registered {
    /// Whether a live bar of the arm was scored that the test counts, or would count if its reference has it too.
    fn has_counted(&self, db: &Connection) -> rusqlite::Result<bool> {
        db.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM stream_bars WHERE stream = (SELECT id FROM streams WHERE key = ?1) \
             AND close_ms > ?2 AND is_known = 1 AND is_replayed = 0)",
        )?
        .query_row(params![StreamKey::Arm(self.arm.clone()).to_string(), self.after.as_millis()], |row| {
            row.get(0)
        })
    }

    fn end(&self, db: &Connection, reason: &str, is_void: bool) -> rusqlite::Result<()> {
        db.execute(
            "UPDATE horizons SET broken = coalesce(broken, ?4), is_void = ?5 \
             WHERE arm = ?1 AND reference = ?2 AND after = ?3",
            params![self.arm.as_str(), self.reference, self.after.to_string(), bounded(reason), is_void],
        )
        .map(drop)
    }
}

fn horizon_row(row: &Row<'_>) -> rusqlite::Result<Horizon> {
    let bars = usize::try_from(count(row, 1)?).unwrap_or(usize::MAX);
    Ok(Horizon {
        after: parse(row, 0)?,
        bars,
        alpha: row.get(2)?,
        broken: row.get(3)?,
        crossed_at: parse_optional(row, 4)?,
    })
}
