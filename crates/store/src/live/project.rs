//! Carrying a journal over.

use rusqlite::{Transaction, params};
use serde_json::json;
use walkforward_core::{Cash, SessionId, Side, Timestamp, TradingMode};

use super::read::{find, unknown};
use super::{
    JOURNAL_GAP, JournalPosition, LiveBar, LiveEvent, LiveFill, LiveRecord, LiveRow, LiveSession, LiveSwap,
    MAX_LIVE_EVENTS, MAX_LIVE_FILLS, MODEL_UPDATED, NewLiveSession, SESSIONS, check, thin,
};
use crate::audit;
use crate::database::Refusal;
use crate::events::insert_event;
use crate::rows::{bounded, time, to_sql};
use crate::{Store, StoreError};

impl Store {
    /// Takes a session in, once: one that is there already stays as it is. Where its journal has to be carried over from.
    ///
    /// # Errors
    /// There is a session of that name that began otherwise, the venue's name is empty or too long, or there is no such
    /// segment.
    pub fn begin_live_session(&self, session: &NewLiveSession) -> Result<JournalPosition, StoreError> {
        let id = session.id.as_str();
        SESSIONS.check_name(id, &session.venue)?;
        if session.first_segment == 0 {
            return Err(SESSIONS.refuse(id, "it begins with segment 0: they count from 1"));
        }
        let start = JournalPosition::before(session.first_segment);
        self.database.write_checked("take a session into", |tx| {
            if let Some(known) = find(tx, id)? {
                return match known.began == *session {
                    true => Ok(known.position_in_journal),
                    false => Err(SESSIONS.refuse(id, "there is another session of this name").into()),
                };
            }
            tx.execute(
                "INSERT INTO live_sessions \
                 (id, line, symbol, timeframe, venue, initial_cash, started_at, equity, cash, peak_equity, \
                 first_segment, segment, record) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?6, ?6, ?6, ?8, ?9, 0)",
                params![
                    id,
                    session.line.as_str(),
                    session.symbol.to_string(),
                    session.timeframe.to_string(),
                    session.venue,
                    session.initial_cash.get(),
                    session.started_at.to_string(),
                    to_sql(session.first_segment),
                    to_sql(start.segment),
                ],
            )?;
            Ok(start)
        })
    }

    /// Carries records of a session's journal over, in order; those that are in the tables already are left out. The
    /// position that the tables have come to, from which the next batch goes on. All of a batch is written or nothing, and
    /// the tables are the same however the journal is cut into batches.
    ///
    /// A later segment may follow any record: its predecessors may have been removed before they were carried over, which
    /// is an event of the kind [`JOURNAL_GAP`]. A model that comes is published as `live_model_updated`.
    ///
    /// # Errors
    /// There is no such session; a record is missing or out of order; a bound of this module is passed.
    pub fn project(&self, id: &SessionId, records: &[LiveRecord]) -> Result<JournalPosition, StoreError> {
        let id = id.as_str();
        check::batch(id, records)?;
        let now = self.now();
        self.database.write_checked("carry a journal over to", |tx| {
            let session = find(tx, id)?.ok_or_else(|| unknown(id))?;
            let before = session.position_in_journal;
            let new = &records[records.partition_point(|record| record.at <= before)..];
            if let Some(first) = new.first() {
                check::follows(id, before, first.at)?;
            }
            let mut projection = Projection { tx, session, now };
            new.iter().try_for_each(|record| projection.take(record))?;
            if !new.is_empty() {
                projection.finish()?;
            }
            Ok(projection.session.position_in_journal)
        })
    }
}

/// A session while records are added to it.
struct Projection<'a> {
    tx: &'a Transaction<'a>,
    session: LiveSession,
    now: Timestamp,
}

impl Projection<'_> {
    fn take(&mut self, record: &LiveRecord) -> Result<(), Refusal> {
        let before = self.session.position_in_journal;
        self.session.position_in_journal = record.at;
        if record.at.segment > before.segment + 1 {
            self.note_gap(before)?;
        }
        match &record.row {
            LiveRow::Bar { bar, fills } => {
                fills.iter().try_for_each(|fill| self.fill(fill))?;
                self.bar(bar)?;
            }
            LiveRow::Fill(fill) => self.fill(fill)?,
            LiveRow::Swap(swap) => self.swap(swap)?,
            LiveRow::Event(event) => self.event(event)?,
            LiveRow::Act { event, act } => {
                self.event(event)?;
                audit::append(self.tx, self.now, act)?;
            }
            LiveRow::Resumed => (self.session.ended_at, self.session.end_reason) = (None, None),
            LiveRow::Ended { at, reason } => {
                self.session.ended_at = Some(*at);
                self.session.end_reason = Some(bounded(reason).to_owned());
            }
            LiveRow::Nothing => {}
        }
        Ok(())
    }

    /// The time of the event is that of the last bar, so that it does not depend on when the journal is carried over.
    fn note_gap(&mut self, before: JournalPosition) -> Result<(), Refusal> {
        let details = json!({ "after_segment": before.segment, "after_record": before.record });
        let at = self.session.last_bar.unwrap_or(self.session.began.started_at);
        self.event(&LiveEvent { at, kind: JOURNAL_GAP.to_owned(), details, mode: None })
    }

    fn bar(&mut self, bar: &LiveBar) -> Result<(), Refusal> {
        let session = &mut self.session;
        session.bars += 1;
        session.missed += u64::from(bar.missed);
        session.last_bar = Some(bar.open_time);
        (session.equity, session.cash, session.position) = (bar.equity, bar.cash, bar.position);
        session.mode = bar.mode;
        if bar.equity > session.peak_equity {
            session.peak_equity = bar.equity;
        }
        if session.peak_equity > Cash::ZERO {
            let fall = 1.0 - bar.equity.get() / session.peak_equity.get();
            session.max_drawdown = session.max_drawdown.max(fall);
        }
        let (number, stride) = (session.bars, thin::stride(session.bars));
        if stride > thin::stride(number - 1) {
            self.tx
                .prepare_cached("DELETE FROM live_bars WHERE session = ?1 AND (number - 1) % ?2 <> 0")?
                .execute(params![to_sql(session.number), to_sql(stride)])?;
        }
        if thin::is_kept(number, stride) { self.insert_bar(bar) } else { Ok(()) }
    }

    fn insert_bar(&self, bar: &LiveBar) -> Result<(), Refusal> {
        self.tx
            .prepare_cached(
                "INSERT INTO live_bars (session, number, open_ms, close, missed, action, model_version, \
                 equity, cash, position_nanos, mode, open, high, low, volume) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
            )?
            .execute(params![
                to_sql(self.session.number),
                to_sql(self.session.bars),
                bar.open_time.as_millis(),
                bar.close.get(),
                bar.missed,
                bar.action.map(|action| action.0),
                bar.model_version.map(to_sql),
                bar.equity.get(),
                bar.cash.get(),
                bar.position.nanos(),
                bar.mode.as_str(),
                bar.candle.map(|candle| candle.open.get()),
                bar.candle.map(|candle| candle.high.get()),
                bar.candle.map(|candle| candle.low.get()),
                bar.candle.map(|candle| candle.volume),
            ])?;
        Ok(())
    }

    fn fill(
        &mut self,
        LiveFill { fill, expected_price, order_id, model_version }: &LiveFill,
    ) -> Result<(), Refusal> {
        let session = &mut self.session;
        session.fills += 1;
        // A sum that no double holds has lost its meaning long before.
        session.fees = Cash::new(session.fees.get() + fill.fee_in_quote()).unwrap_or(session.fees);
        self.tx
            .prepare_cached(
                "INSERT INTO live_fills (session, number, segment, record, time_ms, side, quantity_nanos, price, \
                 fee_quantity_nanos, fee_cash, expected_price, order_id, model_version) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            )?
            .execute(params![
                to_sql(session.number),
                to_sql(session.fills),
                to_sql(session.position_in_journal.segment),
                to_sql(session.position_in_journal.record),
                fill.time.as_millis(),
                match fill.side {
                    Side::Buy => "buy",
                    Side::Sell => "sell",
                },
                fill.quantity.nanos(),
                fill.price.get(),
                fill.fee_quantity.nanos(),
                fill.fee_cash.get(),
                expected_price.map(|price| price.get()),
                order_id,
                model_version.map(to_sql),
            ])?;
        self.keep_newest("live_fills", self.session.fills, MAX_LIVE_FILLS)
    }

    fn swap(&mut self, swap: &LiveSwap) -> Result<(), Refusal> {
        let LiveSwap { at, from, model, position } = swap;
        let session = &mut self.session;
        session.swaps += 1;
        session.model = Some(model.clone());
        self.tx
            .prepare_cached(
                "INSERT INTO live_swaps (session, number, segment, record, at, from_model, model, sha256, \
                 model_version, position_nanos) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            )?
            .execute(params![
                to_sql(session.number),
                to_sql(session.swaps),
                to_sql(session.position_in_journal.segment),
                to_sql(session.position_in_journal.record),
                at.to_string(),
                from.as_ref().map(|from| from.as_str()),
                model.model_id.as_str(),
                model.sha256,
                to_sql(model.model_version),
                position.nanos(),
            ])?;
        let payload = json!({
            "session_id": session.began.id,
            "line": session.began.line,
            "from": from,
            "model_id": model.model_id,
            "model_version": model.model_version,
            "at": at,
        });
        insert_event(self.tx, self.now, MODEL_UPDATED, &payload)?;
        self.keep_newest("live_swaps", self.session.swaps, MAX_LIVE_EVENTS)
    }

    fn event(&mut self, LiveEvent { at, kind, details, mode }: &LiveEvent) -> Result<(), Refusal> {
        let session = &mut self.session;
        session.events += 1;
        session.mode = mode.unwrap_or(session.mode);
        self.tx
            .prepare_cached(
                "INSERT INTO live_events (session, number, segment, record, at, kind, details, mode) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute(params![
                to_sql(session.number),
                to_sql(session.events),
                to_sql(session.position_in_journal.segment),
                to_sql(session.position_in_journal.record),
                at.to_string(),
                kind,
                details.to_string(),
                mode.map(TradingMode::as_str),
            ])?;
        self.keep_newest("live_events", self.session.events, MAX_LIVE_EVENTS)
    }

    /// Lets the oldest row of `table` go when there are more than `most` of `count`.
    fn keep_newest(&self, table: &str, count: u64, most: u64) -> Result<(), Refusal> {
        if let Some(oldest) = count.checked_sub(most).filter(|oldest| *oldest > 0) {
            self.tx
                .prepare_cached(&format!("DELETE FROM {table} WHERE session = ?1 AND number = ?2"))?
                .execute(params![to_sql(self.session.number), to_sql(oldest)])?;
        }
        Ok(())
    }

    /// Writes the session as it is now.
    fn finish(&self) -> Result<(), Refusal> {
        let session = &self.session;
        let model = session.model.as_ref();
        self.tx
            .prepare_cached(
                "UPDATE live_sessions SET ended_at = ?2, end_reason = ?3, segment = ?4, record = ?5, mode = ?6, \
                 bars = ?7, missed = ?8, fills = ?9, swaps = ?10, events = ?11, last_bar_ms = ?12, equity = ?13, \
                 cash = ?14, position_nanos = ?15, fees = ?16, peak_equity = ?17, max_drawdown = ?18, model = ?19, \
                 sha256 = ?20, model_version = ?21 WHERE number = ?1",
            )?
            .execute(params![
                to_sql(session.number),
                time(session.ended_at),
                session.end_reason,
                to_sql(session.position_in_journal.segment),
                to_sql(session.position_in_journal.record),
                session.mode.as_str(),
                to_sql(session.bars),
                to_sql(session.missed),
                to_sql(session.fills),
                to_sql(session.swaps),
                to_sql(session.events),
                session.last_bar.map(Timestamp::as_millis),
                session.equity.get(),
                session.cash.get(),
                session.position.nanos(),
                session.fees.get(),
                session.peak_equity.get(),
                session.max_drawdown,
                model.map(|model| model.model_id.as_str()),
                model.map(|model| model.sha256.as_str()),
                model.map(|model| to_sql(model.model_version)),
            ])?;
        Ok(())
    }
}
