//! Replays: cycles of the past, each under the id that its due time gave it, so that a killed one is gone on with.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};
use walkforward_core::{ArmId, LineName, RunId, Timestamp};

use super::arms::ARMS;
use crate::rows::{bounded, parse, parse_optional, time};
use crate::words::words;
use crate::{RunOutcome, Store, StoreError};

/// Most cycles of a replay: a year of half-hourly ones.
pub const MAX_REPLAY_CYCLES: usize = 20_000;

/// How far a replay has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplayStatus {
    /// It has cycles or bars left.
    Running,
    /// Every cycle was made and every bar scored.
    Finished,
}

words!(ReplayStatus, "status of a replay", { Running => "running", Finished => "finished" });

/// A replay that somebody wants.
#[derive(Debug, Clone, PartialEq)]
pub struct NewReplay {
    /// The line that gets the models.
    pub line: LineName,
    /// The arm that makes them.
    pub arm: ArmId,
    /// When cycles are due, in words.
    pub every: String,
    /// The first due time.
    pub from: Timestamp,
    /// Due times are before this; bars are scored up to it.
    pub until: Timestamp,
    /// How long after its due time a cycle's model decides, at least a millisecond.
    pub publish_delay_ms: i64,
}

/// A replay. A line has one.
#[derive(Debug, Clone, PartialEq)]
pub struct Replay {
    /// Its number.
    pub id: i64,
    /// What was asked for.
    pub asked: NewReplay,
    /// The due time of the next cycle; none after the last.
    pub next_due: Option<Timestamp>,
    /// Bars that had closed by then were known when the replay was last worked on, by the wall clock.
    pub known_until: Timestamp,
    /// How far it has come.
    pub status: ReplayStatus,
}

/// A cycle of a replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayCycle {
    /// When it was due.
    pub due_at: Timestamp,
    /// Its run.
    pub run: RunId,
    /// Whether the replay has gone on from it.
    pub is_ended: bool,
    /// How the run ended; none before it has.
    pub outcome: Option<RunOutcome>,
    /// Why, in a word or a sentence.
    pub reason: Option<String>,
}

impl Store {
    /// The replay of a line; none when it never had one.
    pub fn replay(&self, line: &LineName) -> Result<Option<Replay>, StoreError> {
        self.database.read(|db| {
            let sql = format!("{SELECT} WHERE line = ?1");
            db.query_row(&sql, [line.as_str()], replay_row).optional()
        })
    }

    /// Begins a replay, whose arm is known.
    ///
    /// # Errors
    /// The line has one already, or the delay is none.
    pub fn create_replay(&self, new: &NewReplay, known_until: Timestamp) -> Result<Replay, StoreError> {
        if new.publish_delay_ms <= 0 {
            let problem =
                "a replayed model can't decide at the very close that it was made at: the delay is 0";
            return Err(ARMS.refuse(new.arm.as_str(), problem));
        }
        self.database.write_checked("begin a replay in", |tx| {
            ARMS.require(tx, new.arm.as_str())?;
            let sql = "INSERT INTO replays (line, arm, every, from_at, until_at, publish_delay_ms, next_due, \
                       known_until, status) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?4, ?7, 'running') \
                       ON CONFLICT (line) DO NOTHING";
            let added = tx.execute(
                sql,
                params![
                    new.line.as_str(),
                    new.arm.as_str(),
                    bounded(&new.every),
                    new.from.to_string(),
                    new.until.to_string(),
                    new.publish_delay_ms,
                    known_until.to_string(),
                ],
            )?;
            if added == 0 {
                let problem = format!("line '{}' has a replay already", new.line);
                return Err(ARMS.refuse(new.arm.as_str(), problem).into());
            }
            Ok(tx.query_row(&format!("{SELECT} WHERE line = ?1"), [new.line.as_str()], replay_row)?)
        })
    }

    /// Records that a replay is worked on while every bar up to `known_until` can be known.
    pub fn continue_replay(&self, replay: i64, known_until: Timestamp) -> Result<(), StoreError> {
        self.database.write("go on with a replay in", |tx| {
            let sql = "UPDATE replays SET known_until = max(known_until, ?2) WHERE id = ?1";
            tx.execute(sql, params![replay, known_until.to_string()]).map(drop)
        })
    }

    /// The run of a due time, kept before it begins: `fresh` gives its id where the due time has none yet.
    pub fn begin_replay_cycle(
        &self,
        replay: i64,
        due_at: Timestamp,
        fresh: &RunId,
    ) -> Result<RunId, StoreError> {
        self.database.write("begin a cycle of a replay in", |tx| {
            tx.execute(
                "INSERT INTO replay_cycles (replay, due_at, run, is_ended) VALUES (?1, ?2, ?3, 0) \
                 ON CONFLICT (replay, due_at) DO NOTHING",
                params![replay, due_at.to_string(), fresh.as_str()],
            )?;
            let sql = "SELECT run FROM replay_cycles WHERE replay = ?1 AND due_at = ?2";
            tx.query_row(sql, params![replay, due_at.to_string()], |row| parse(row, 0))
        })
    }

    /// Records that the cycle of `due_at` has ended, and which due time comes after it.
    pub fn end_replay_cycle(
        &self,
        replay: i64,
        due_at: Timestamp,
        next_due: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        self.database.write("end a cycle of a replay in", |tx| {
            let due = due_at.to_string();
            let ended = "UPDATE replay_cycles SET is_ended = 1 WHERE replay = ?1 AND due_at = ?2";
            tx.execute(ended, params![replay, due])?;
            let next = "UPDATE replays SET next_due = ?3 WHERE id = ?1 AND next_due = ?2";
            tx.execute(next, params![replay, due, time(next_due)]).map(drop)
        })
    }

    /// Records that every bar of a replay was scored.
    pub fn finish_replay(&self, replay: i64) -> Result<(), StoreError> {
        self.database.write("finish a replay in", |tx| {
            tx.execute("UPDATE replays SET status = 'finished' WHERE id = ?1", [replay]).map(drop)
        })
    }

    /// The cycles of a replay, the oldest first, at most [`MAX_REPLAY_CYCLES`].
    pub fn replay_cycles(&self, replay: i64) -> Result<Vec<ReplayCycle>, StoreError> {
        self.database.read(|db| {
            let mut query = db.prepare(&format!(
                "SELECT c.due_at, c.run, c.is_ended, r.outcome, r.reason FROM replay_cycles c \
                 LEFT JOIN runs r ON r.id = c.run WHERE c.replay = ?1 ORDER BY c.due_at LIMIT {MAX_REPLAY_CYCLES}"
            ))?;
            query.query_map([replay], cycle_row)?.collect()
        })
    }

    /// Bars of the arm's market that close up to here were known when a replay of the arm was made; none without one.
    pub fn replayed_until(&self, arm: &ArmId) -> Result<Option<Timestamp>, StoreError> {
        self.database.read(|db| known_until(db, arm))
    }
}

fn known_until(db: &Connection, arm: &ArmId) -> rusqlite::Result<Option<Timestamp>> {
    let sql = "SELECT max(known_until) FROM replays WHERE arm = ?1";
    db.query_row(sql, [arm.as_str()], |row| parse_optional(row, 0))
}

const SELECT: &str = "SELECT id, line, arm, every, from_at, until_at, publish_delay_ms, next_due, known_until, \
                      status FROM replays";

fn replay_row(row: &Row<'_>) -> rusqlite::Result<Replay> {
    Ok(Replay {
        id: row.get(0)?,
        asked: NewReplay {
            line: parse(row, 1)?,
            arm: parse(row, 2)?,
            every: row.get(3)?,
            from: parse(row, 4)?,
            until: parse(row, 5)?,
            publish_delay_ms: row.get(6)?,
        },
        next_due: parse_optional(row, 7)?,
        known_until: parse(row, 8)?,
        status: parse(row, 9)?,
    })
}

fn cycle_row(row: &Row<'_>) -> rusqlite::Result<ReplayCycle> {
    Ok(ReplayCycle {
        due_at: parse(row, 0)?,
        run: parse(row, 1)?,
        is_ended: row.get(2)?,
        outcome: parse_optional(row, 3)?,
        reason: row.get(4)?,
    })
}
