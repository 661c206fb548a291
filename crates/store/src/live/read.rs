//! Lists of sessions, and one session's rows page by page.

use rusqlite::{Connection, OptionalExtension, Row, params};
use walkforward_core::{Action, Fill, LineName, Price, Quantity, SessionId, Side, Timestamp};

use super::{
    JournalPosition, LiveBar, LiveCandle, LiveEvent, LiveFill, LiveModel, LiveSession, LiveSwap,
    NewLiveSession, Numbered, SESSIONS,
};
use crate::rows::{MAX_LISTED_ROWS, conversion, count, json_column, parse, parse_optional, to_sql};
use crate::{Store, StoreError};

const SESSION_COLUMNS: &str = "number, id, line, symbol, timeframe, venue, initial_cash, started_at, \
    ended_at, end_reason, segment, record, mode, bars, missed, fills, swaps, events, last_bar_ms, equity, cash, \
    position_nanos, fees, peak_equity, max_drawdown, model, sha256, model_version, first_segment";

impl Store {
    /// Sessions, the newest first: of `line`, older than number `before`, at most `limit` and
    /// [`MAX_LISTED_ROWS`](crate::MAX_LISTED_ROWS).
    ///
    /// # Errors
    /// The database can't be read.
    pub fn live_sessions(
        &self,
        line: Option<&LineName>,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<LiveSession>, StoreError> {
        let condition = if line.is_some() { "line = ?1" } else { "?1 IS NULL" };
        self.database.read(|db| {
            let mut query = db.prepare_cached(&format!(
                "SELECT {SESSION_COLUMNS} FROM live_sessions WHERE {condition} AND number < ?2 \
                 ORDER BY number DESC LIMIT ?3"
            ))?;
            let before = before.map_or(i64::MAX, to_sql);
            let rows = params![line.map(LineName::as_str), before, limit.min(MAX_LISTED_ROWS)];
            query.query_map(rows, session_row)?.collect()
        })
    }

    /// A session; none where it has not been carried over yet.
    pub fn find_live_session(&self, id: &SessionId) -> Result<Option<LiveSession>, StoreError> {
        self.database.read(|db| find(db, id.as_str()))
    }

    /// A session.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn live_session(&self, id: &SessionId) -> Result<LiveSession, StoreError> {
        self.database.read_checked(|db| find(db, id.as_str())?.ok_or_else(|| unknown(id.as_str()).into()))
    }

    /// Kept bars of a session behind number `after`, in order: at most `limit` and
    /// [`MAX_LISTED_ROWS`](crate::MAX_LISTED_ROWS).
    ///
    /// # Errors
    /// There is no such session.
    pub fn live_bars(
        &self,
        id: &SessionId,
        after: u64,
        limit: u32,
    ) -> Result<Vec<Numbered<LiveBar>>, StoreError> {
        let columns = "open_ms, close, missed, action, model_version, equity, cash, position_nanos, mode, \
            open, high, low, volume";
        self.live_rows(id, "live_bars", columns, after, limit, bar_row)
    }

    /// Kept fills of a session, as [`live_bars`](Self::live_bars).
    ///
    /// # Errors
    /// There is no such session.
    pub fn live_fills(
        &self,
        id: &SessionId,
        after: u64,
        limit: u32,
    ) -> Result<Vec<Numbered<LiveFill>>, StoreError> {
        let columns = "time_ms, side, quantity_nanos, price, fee_quantity_nanos, fee_cash, expected_price, \
            order_id, model_version";
        self.live_rows(id, "live_fills", columns, after, limit, fill_row)
    }

    /// Kept swaps of a session, as [`live_bars`](Self::live_bars).
    ///
    /// # Errors
    /// There is no such session.
    pub fn live_swaps(
        &self,
        id: &SessionId,
        after: u64,
        limit: u32,
    ) -> Result<Vec<Numbered<LiveSwap>>, StoreError> {
        let columns = "at, from_model, model, sha256, model_version, position_nanos";
        self.live_rows(id, "live_swaps", columns, after, limit, swap_row)
    }

    /// Kept events of a session, as [`live_bars`](Self::live_bars).
    ///
    /// # Errors
    /// There is no such session.
    pub fn live_events(
        &self,
        id: &SessionId,
        after: u64,
        limit: u32,
    ) -> Result<Vec<Numbered<LiveEvent>>, StoreError> {
        self.live_rows(id, "live_events", "at, kind, details, mode", after, limit, event_row)
    }

    fn live_rows<T>(
        &self,
        id: &SessionId,
        table: &str,
        columns: &str,
        after: u64,
        limit: u32,
        read: fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<Numbered<T>>, StoreError> {
        self.database.read_checked(|db| {
            let session = find(db, id.as_str())?.ok_or_else(|| unknown(id.as_str()))?;
            let mut query = db.prepare_cached(&format!(
                "SELECT number, {columns} FROM {table} WHERE session = ?1 AND number > ?2 ORDER BY number LIMIT ?3"
            ))?;
            let rows = params![to_sql(session.number), to_sql(after), limit.min(MAX_LISTED_ROWS)];
            let rows = query.query_map(rows, |row| Ok(Numbered { number: count(row, 0)?, row: read(row)? }))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }
}

/// The session of this name.
pub(super) fn find(db: &Connection, id: &str) -> rusqlite::Result<Option<LiveSession>> {
    let mut query =
        db.prepare_cached(&format!("SELECT {SESSION_COLUMNS} FROM live_sessions WHERE id = ?1"))?;
    query.query_row([id], session_row).optional()
}

/// That there is none.
pub(super) fn unknown(id: &str) -> StoreError {
    SESSIONS.refuse(id, "there is no such session: its trader has not been carried over yet")
}

fn session_row(row: &Row<'_>) -> rusqlite::Result<LiveSession> {
    let began = NewLiveSession {
        id: parse(row, 1)?,
        line: parse(row, 2)?,
        symbol: parse(row, 3)?,
        timeframe: parse(row, 4)?,
        venue: row.get(5)?,
        initial_cash: number(row, 6)?,
        started_at: parse(row, 7)?,
        first_segment: count(row, 28)?,
    };
    Ok(LiveSession {
        number: count(row, 0)?,
        began,
        ended_at: parse_optional(row, 8)?,
        end_reason: row.get(9)?,
        position_in_journal: JournalPosition { segment: count(row, 10)?, record: count(row, 11)? },
        mode: parse(row, 12)?,
        bars: count(row, 13)?,
        missed: count(row, 14)?,
        fills: count(row, 15)?,
        swaps: count(row, 16)?,
        events: count(row, 17)?,
        last_bar: row.get::<_, Option<i64>>(18)?.map(|ms| at(18, ms)).transpose()?,
        equity: number(row, 19)?,
        cash: number(row, 20)?,
        position: Quantity::from_nanos(row.get(21)?),
        fees: number(row, 22)?,
        peak_equity: number(row, 23)?,
        max_drawdown: row.get(24)?,
        model: model_row(row, 25)?,
    })
}

/// Name, hash and number of a model in three columns from `first` on.
fn model_row(row: &Row<'_>, first: usize) -> rusqlite::Result<Option<LiveModel>> {
    let Some(model_id) = parse_optional(row, first)? else { return Ok(None) };
    Ok(Some(LiveModel { model_id, sha256: row.get(first + 1)?, model_version: count(row, first + 2)? }))
}

fn bar_row(row: &Row<'_>) -> rusqlite::Result<LiveBar> {
    Ok(LiveBar {
        open_time: at(1, row.get(1)?)?,
        close: number(row, 2)?,
        missed: row.get(3)?,
        action: row.get::<_, Option<u8>>(4)?.map(Action),
        model_version: version(row, 5)?,
        equity: number(row, 6)?,
        cash: number(row, 7)?,
        position: Quantity::from_nanos(row.get(8)?),
        mode: parse(row, 9)?,
        candle: candle_row(row, 10)?,
    })
}

/// The rest of a bar in four columns from `first` on.
fn candle_row(row: &Row<'_>, first: usize) -> rusqlite::Result<Option<LiveCandle>> {
    if row.get::<_, Option<f64>>(first)?.is_none() {
        return Ok(None);
    }
    let (open, high) = (number(row, first)?, number(row, first + 1)?);
    Ok(Some(LiveCandle { open, high, low: number(row, first + 2)?, volume: row.get(first + 3)? }))
}

fn fill_row(row: &Row<'_>) -> rusqlite::Result<LiveFill> {
    let side = match row.get::<_, String>(2)?.as_str() {
        "buy" => Side::Buy,
        _ => Side::Sell,
    };
    let fill = Fill {
        time: at(1, row.get(1)?)?,
        side,
        quantity: Quantity::from_nanos(row.get(3)?),
        price: number(row, 4)?,
        fee_quantity: Quantity::from_nanos(row.get(5)?),
        fee_cash: number(row, 6)?,
    };
    let expected: Option<f64> = row.get(7)?;
    let expected_price = expected.map(Price::new).transpose().map_err(|error| conversion(7, error))?;
    Ok(LiveFill { fill, expected_price, order_id: row.get(8)?, model_version: version(row, 9)? })
}

fn swap_row(row: &Row<'_>) -> rusqlite::Result<LiveSwap> {
    let model = LiveModel { model_id: parse(row, 3)?, sha256: row.get(4)?, model_version: count(row, 5)? };
    let position = Quantity::from_nanos(row.get(6)?);
    Ok(LiveSwap { at: parse(row, 1)?, from: parse_optional(row, 2)?, model, position })
}

fn event_row(row: &Row<'_>) -> rusqlite::Result<LiveEvent> {
    Ok(LiveEvent {
        at: parse(row, 1)?,
        kind: row.get(2)?,
        details: json_column(row, 3)?,
        mode: parse_optional(row, 4)?,
    })
}

fn version(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<u64>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(i64::unsigned_abs))
}

fn at(column: usize, ms: i64) -> rusqlite::Result<Timestamp> {
    Timestamp::from_millis(ms).ok_or(rusqlite::Error::IntegralValueOutOfRange(column, ms))
}

/// A column that holds an amount or a price.
fn number<T>(row: &Row<'_>, column: usize) -> rusqlite::Result<T>
where
    T: TryFrom<f64, Error: std::error::Error + Send + Sync + 'static>,
{
    T::try_from(row.get::<_, f64>(column)?).map_err(|error| conversion(column, error))
}
