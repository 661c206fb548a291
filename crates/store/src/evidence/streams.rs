//! Streams: every closed bar once.

use std::fmt;

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde_json::Value;
use walkforward_core::{ArmId, ModelId, Timestamp};

use crate::database::Refusal;
use crate::rows::{Table, json_column, parse, parse_optional};
use crate::{Store, StoreError};

/// Most bars that are added at once, and most that one answer holds: three years of minutes.
pub const MAX_STREAM_BARS: usize = 1_600_000;

const STREAMS: Table = Table { what: "stream", name: "streams", command: "evidence" };

/// Begins the key of a stream that others are measured against.
const REFERENCE: &str = "model:";

/// Whose stream.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StreamKey {
    /// Of an arm: its newest snapshots decide.
    Arm(ArmId),
    /// Of a model that an arm is measured against, under the arm's own costs.
    Reference(ModelId, ArmId),
}

impl fmt::Display for StreamKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Arm(arm) => write!(f, "arm:{arm}"),
            Self::Reference(model, arm) => write!(f, "{REFERENCE}{model}:{arm}"),
        }
    }
}

/// How a stream's last bar ended.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamHead {
    /// Close of the last bar.
    pub last_close: Timestamp,
    /// What the next stretch goes on from.
    pub session: Value,
    /// Who decided at that close; none without a position.
    pub decider: Option<ModelId>,
}

/// A bar of a stream.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScoredBar {
    /// Its close.
    pub close: Timestamp,
    /// Net return of equity over it.
    pub net_return: f64,
    /// Position at its close as a fraction of equity, before the decision made there.
    pub position: f64,
    /// Whether what happened in it is known, so that it counts.
    pub is_known: bool,
    /// Whether a replay scored it.
    pub is_replayed: bool,
}

/// What is added to a stream.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamPart {
    /// Its bars, in order.
    pub bars: Vec<ScoredBar>,
    /// From which close on which model decides, in order; what it decides at a close shows in the bars after. None holds
    /// no position.
    pub deciders: Vec<(Timestamp, Option<ModelId>)>,
    /// How the last bar ended.
    pub session: Value,
}

impl Store {
    /// How a stream's last bar ended; none before its first.
    pub fn stream_head(&self, key: &StreamKey) -> Result<Option<StreamHead>, StoreError> {
        self.database.read(|db| {
            let mut query = db.prepare_cached(
                "SELECT last_close_ms, session, (SELECT model FROM stream_deciders WHERE stream = id \
                 ORDER BY from_ms DESC LIMIT 1) FROM streams WHERE key = ?1",
            )?;
            query.query_row([key.to_string()], head_row).optional()
        })
    }

    /// Adds bars to a stream whose last bar closed at `after`; none of a stream that has no bar yet.
    ///
    /// # Errors
    /// Nothing is added when the stream has gone on meanwhile, the bars are out of order, not after it, more than
    /// [`MAX_STREAM_BARS`] or without any, or a number is not finite.
    pub fn extend_stream(
        &self,
        key: &StreamKey,
        after: Option<Timestamp>,
        part: &StreamPart,
    ) -> Result<(), StoreError> {
        let name = key.to_string();
        let last = check(&name, after, part)?;
        let session = STREAMS.json(&name, "session", &part.session)?;
        self.database.write_checked("extend a stream in", |tx| {
            let stream = move_head(tx, &name, after, last, &session)?;
            let mut insert = tx.prepare_cached(
                "INSERT INTO stream_bars (stream, close_ms, net_return, position, is_known, is_replayed) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?;
            for bar in &part.bars {
                insert.execute(params![
                    stream,
                    bar.close.as_millis(),
                    bar.net_return,
                    bar.position,
                    bar.is_known,
                    bar.is_replayed
                ])?;
            }
            let mut insert = tx
                .prepare_cached("INSERT INTO stream_deciders (stream, from_ms, model) VALUES (?1, ?2, ?3)")?;
            for (from, model) in &part.deciders {
                insert.execute(params![stream, from.as_millis(), model.as_ref().map(ModelId::as_str)])?;
            }
            Ok(())
        })
    }

    /// The bars of a stream that close after `after`, in order; the newest [`MAX_STREAM_BARS`] of them.
    pub fn stream_bars(
        &self,
        key: &StreamKey,
        after: Option<Timestamp>,
    ) -> Result<Vec<ScoredBar>, StoreError> {
        self.database.read(|db| {
            let mut query = db.prepare_cached(&format!(
                "SELECT close_ms, net_return, position, is_known, is_replayed FROM stream_bars \
                 WHERE stream = (SELECT id FROM streams WHERE key = ?1) AND close_ms > ?2 \
                 ORDER BY close_ms DESC LIMIT {MAX_STREAM_BARS}"
            ))?;
            let after = after.map_or(i64::MIN, Timestamp::as_millis);
            let newest_first = query.query_map(params![key.to_string(), after], bar_row)?;
            let mut bars: Vec<ScoredBar> = newest_first.collect::<Result<_, _>>()?;
            bars.reverse();
            Ok(bars)
        })
    }

    /// From which close on which model decides in a stream, in order.
    pub fn stream_deciders(&self, key: &StreamKey) -> Result<Vec<(Timestamp, Option<ModelId>)>, StoreError> {
        self.database.read(|db| {
            let mut query = db.prepare_cached(
                "SELECT from_ms, model FROM stream_deciders \
                 WHERE stream = (SELECT id FROM streams WHERE key = ?1) ORDER BY from_ms",
            )?;
            query.query_map([key.to_string()], |row| Ok((at(row, 0)?, parse_optional(row, 1)?)))?.collect()
        })
    }

    /// The models that an arm was ever measured against: those that have a [`StreamKey::Reference`] of it.
    pub fn references(&self, arm: &ArmId) -> Result<Vec<ModelId>, StoreError> {
        let suffix = format!(":{arm}");
        self.database.read(|db| {
            let mut query = db.prepare_cached(
                "SELECT substr(key, length(?1) + 1, length(key) - length(?1) - length(?2)) FROM streams \
                 WHERE substr(key, 1, length(?1)) = ?1 AND substr(key, -length(?2)) = ?2 ORDER BY key",
            )?;
            query.query_map([REFERENCE, &suffix], |row| parse(row, 0))?.collect()
        })
    }
}

/// The close of the last of the bars.
fn check(name: &str, after: Option<Timestamp>, part: &StreamPart) -> Result<Timestamp, StoreError> {
    let refuse = |problem: String| Err(STREAMS.refuse(name, problem));
    let StreamPart { bars, deciders, .. } = part;
    let Some(last) = bars.last().map(|bar| bar.close).filter(|_| bars.len() <= MAX_STREAM_BARS) else {
        return refuse(format!("{} bars are added: expected 1 to {MAX_STREAM_BARS}", bars.len()));
    };
    let mut before = after;
    for bar in bars {
        if before.is_some_and(|before| bar.close <= before) {
            return refuse(format!("the bar that closes at {} is not after the one before", bar.close));
        }
        if !bar.net_return.is_finite() || !bar.position.is_finite() {
            return refuse(format!("the bar that closes at {} has a number that is not finite", bar.close));
        }
        before = Some(bar.close);
    }
    let is_in_order = deciders.windows(2).all(|pair| pair[0].0 < pair[1].0);
    let is_inside = deciders.iter().all(|(from, _)| after.is_none_or(|after| *from > after));
    match is_in_order && is_inside {
        true => Ok(last),
        false => refuse("its deciders are out of order".to_owned()),
    }
}

/// Moves a stream's head; its number.
fn move_head(
    tx: &Transaction<'_>,
    name: &str,
    after: Option<Timestamp>,
    last: Timestamp,
    session: &str,
) -> Result<i64, Refusal> {
    let found = head(tx, name)?;
    if found.map(|(_, last)| last) != after {
        let found =
            found.map_or_else(|| "nothing".to_owned(), |(_, last)| format!("a bar that closes at {last}"));
        let problem = format!("it ends with {found}: somebody else has extended it; read it again");
        return Err(STREAMS.refuse(name, problem).into());
    }
    tx.execute(
        "INSERT INTO streams (key, last_close_ms, session) VALUES (?1, ?2, ?3) \
         ON CONFLICT (key) DO UPDATE SET last_close_ms = excluded.last_close_ms, session = excluded.session",
        params![name, last.as_millis(), session],
    )?;
    let (stream, _) = head(tx, name)?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
    Ok(stream)
}

fn head(db: &Connection, name: &str) -> rusqlite::Result<Option<(i64, Timestamp)>> {
    let mut query = db.prepare_cached("SELECT id, last_close_ms FROM streams WHERE key = ?1")?;
    query.query_row([name], |row| Ok((row.get(0)?, at(row, 1)?))).optional()
}

fn head_row(row: &Row<'_>) -> rusqlite::Result<StreamHead> {
    let decider = parse_optional(row, 2)?;
    Ok(StreamHead { last_close: at(row, 0)?, session: json_column(row, 1)?, decider })
}

fn bar_row(row: &Row<'_>) -> rusqlite::Result<ScoredBar> {
    Ok(ScoredBar {
        close: at(row, 0)?,
        net_return: row.get(1)?,
        position: row.get(2)?,
        is_known: row.get(3)?,
        is_replayed: row.get(4)?,
    })
}

fn at(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    let ms = row.get(column)?;
    Timestamp::from_millis(ms).ok_or(rusqlite::Error::IntegralValueOutOfRange(column, ms))
}
