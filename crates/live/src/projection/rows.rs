//! What the records of a journal are in the store's tables.

mod acts;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use walkforward_core::{Bar, Cash, ClientOrderId, Fill, Price, Side, Timestamp, TradingMode, UnitError};
use walkforward_store::{
    LiveBar, LiveCandle, LiveEvent, LiveFill, LiveModel, LiveRow, LiveSwap, MAX_JSON_BYTES,
};

use crate::conditions::apply_to_risk;
use crate::journal::{
    BarRecord, Checkpoint, EventRecord, JournalRecord, ModelStamp, SegmentHeader, SegmentStart, StampedEvent,
};
use crate::orders::expected_price;
use crate::{Booking, ConditionSource, OrderIntent, OrderOutcome, OrderRecord, RiskDesk, SessionSummary};

/// Orders that are remembered until they end. The desk itself has fewer open at once.
const MAX_OPEN_ORDERS: usize = 64;

/// What the records before say about the one that comes: all of it since the head of the record's segment, so that the rows
/// are the same wherever the reading begins.
pub(super) struct Context {
    header: SegmentHeader,
    /// Limits and conditions, as the session has them.
    risk: RiskDesk,
    equity: f64,
    /// Number of the model at the last bar.
    model_version: Option<u64>,
    /// Close of the last bar, at which its order was decided.
    close: Option<f64>,
    /// Orders at the venue that have not ended.
    orders: BTreeMap<ClientOrderId, Wanted>,
    /// When the last record was written.
    now: Timestamp,
}

/// What is known of an order before it fills.
struct Wanted {
    expected: Option<Price>,
    model_version: Option<u64>,
}

impl Context {
    /// What the head of a segment says.
    pub(super) fn new(header: SegmentHeader, checkpoint: &Checkpoint) -> Self {
        let now = header.started_at;
        Self {
            header,
            risk: checkpoint.desk.risk.clone(),
            equity: checkpoint.desk.session.equity,
            model_version: checkpoint.model.as_ref().map(|model| model.model_version),
            close: None,
            orders: BTreeMap::new(),
            now,
        }
    }

    /// The row of a header.
    pub(super) fn begins(header: &SegmentHeader) -> LiveRow {
        match header.start {
            SegmentStart::Resumed => LiveRow::Resumed,
            SegmentStart::New | SegmentStart::Continued => LiveRow::Nothing,
        }
    }

    /// The row of the record that comes next.
    ///
    /// # Errors
    /// It holds a number that the tables don't take.
    pub(super) fn row(&mut self, record: &JournalRecord) -> Result<LiveRow, UnitError> {
        Ok(match record {
            JournalRecord::Header(_) | JournalRecord::Checkpoint(_) => LiveRow::Nothing,
            JournalRecord::History { bars } => {
                self.close = bars.last().map(Bar::close).or(self.close);
                LiveRow::Nothing
            }
            JournalRecord::Bar(record) => self.bar(record)?,
            JournalRecord::Again(record) => self.again(record),
            JournalRecord::Order(record) => self.order(record),
            JournalRecord::Event(event) => self.event(event),
            JournalRecord::End(summary) => self.end(summary),
        })
    }

    fn bar(&mut self, record: &BarRecord) -> Result<LiveRow, UnitError> {
        let fills = record.all_fills().map(|fill| self.paper_fill(fill)).collect();
        let end = record.open_time.plus_millis(self.header.timeframe.millis());
        if record.position.is_zero() {
            self.risk.set_condition(ConditionSource::Swap, None);
        }
        let _ = self.risk.mark(end, record.equity);
        self.equity = record.equity;
        self.close = Some(record.close);
        self.model_version = record.model.as_ref().map(|model| model.model_version);
        self.now = record.decided_at;
        let bar = LiveBar {
            open_time: record.open_time,
            close: Price::new(record.close)?,
            candle: Some(candle(record)?),
            missed: record.missed,
            action: record.action,
            model_version: self.model_version,
            equity: Cash::new(record.equity)?,
            cash: Cash::new(record.cash)?,
            position: record.position,
            mode: record.mode,
        };
        Ok(LiveRow::Bar { bar, fills })
    }

    /// A fill on paper: its order was decided at the close of the bar before.
    fn paper_fill(&self, fill: &Fill) -> LiveFill {
        let expected = self.close.and_then(|close| self.expected(fill.side, close));
        LiveFill { fill: *fill, expected_price: expected, order_id: None, model_version: self.model_version }
    }

    fn expected(&self, side: Side, price: f64) -> Option<Price> {
        Price::new(expected_price(side, price, self.header.config.slippage_bps)).ok()
    }

    fn again(&mut self, record: &BarRecord) -> LiveRow {
        self.model_version = record.model.as_ref().map(|model| model.model_version);
        self.now = record.decided_at;
        let details =
            json!({ "open_time": record.open_time, "action": record.action, "order": record.order });
        self.told("decided_again", details, record.decided_at, None)
    }

    fn order(&mut self, record: &OrderRecord) -> LiveRow {
        match record {
            OrderRecord::Intent(intent) => self.intent(intent),
            OrderRecord::Booked(booking) => return self.booked(booking),
            OrderRecord::Closed { id, outcome, at, .. } => {
                self.orders.remove(id);
                self.now = *at;
                let is_usual =
                    matches!(outcome, OrderOutcome::Filled | OrderOutcome::Void(_) | OrderOutcome::Observed);
                if !is_usual {
                    return self.told("order_ended", json!({ "id": id, "outcome": outcome }), *at, None);
                }
            }
            OrderRecord::Blocked { reason, at } => {
                self.now = *at;
                return self.told("orders_blocked", json!({ "reason": reason }), *at, None);
            }
            OrderRecord::Sent { at, .. }
            | OrderRecord::Placed { at, .. }
            | OrderRecord::CancelAsked { at, .. }
            | OrderRecord::Confirmed { at, .. }
            | OrderRecord::TooSmall { at, .. }
            | OrderRecord::CashSeen { at, .. } => self.now = *at,
        }
        LiveRow::Nothing
    }

    fn intent(&mut self, intent: &OrderIntent) {
        self.now = intent.at;
        if self.orders.len() == MAX_OPEN_ORDERS {
            self.orders.pop_first();
        }
        let wanted = Wanted {
            expected: self.expected(intent.order.side, intent.price.get()),
            model_version: self.model_version,
        };
        self.orders.insert(intent.id.clone(), wanted);
    }

    fn booked(&mut self, booking: &Booking) -> LiveRow {
        let wanted = booking.order.as_ref().and_then(|id| self.orders.get(id));
        LiveRow::Fill(LiveFill {
            fill: booking.fill,
            expected_price: wanted.and_then(|wanted| wanted.expected),
            order_id: booking.order.as_ref().map(ToString::to_string),
            model_version: wanted.and_then(|wanted| wanted.model_version),
        })
    }

    fn event(&mut self, StampedEvent { at, event }: &StampedEvent) -> LiveRow {
        let before = self.risk.mode();
        match event {
            EventRecord::Limit { restriction } => self.risk.restrict(restriction.clone()),
            _ => apply_to_risk(&mut self.risk, self.equity, event, *at),
        }
        self.now = *at;
        if let EventRecord::Swapped { from, to, position, .. } = event {
            let from = from.as_ref().map(|from| from.model_id.clone());
            return LiveRow::Swap(LiveSwap { at: *at, from, model: live_model(to), position: *position });
        }
        let mode = Some(self.risk.mode()).filter(|mode| *mode != before);
        // An event is an object with its word in it.
        let mut details = serde_json::to_value(event).unwrap_or(Value::Null);
        let kind = details.as_object_mut().and_then(|object| object.remove("event"));
        let kind = kind.as_ref().and_then(Value::as_str).unwrap_or("event").to_owned();
        let told = self.live_event(&kind, details, *at, mode);
        match acts::act_of(&self.header, event, *at) {
            Some(act) => LiveRow::Act { event: told, act: Box::new(act) },
            None => LiveRow::Event(told),
        }
    }

    fn told(&self, kind: &str, details: Value, at: Timestamp, mode: Option<TradingMode>) -> LiveRow {
        LiveRow::Event(self.live_event(kind, details, at, mode))
    }

    fn live_event(&self, kind: &str, details: Value, at: Timestamp, mode: Option<TradingMode>) -> LiveEvent {
        let is_short = details.is_object() && details.to_string().len() <= MAX_JSON_BYTES;
        let details = if is_short { details } else { json!({ "left_out": "more than a row may hold" }) };
        LiveEvent { at, kind: kind.to_owned(), details, mode }
    }

    fn end(&self, summary: &SessionSummary) -> LiveRow {
        let reason = serde_json::to_value(summary.stop).unwrap_or(Value::Null);
        LiveRow::Ended { at: self.now, reason: reason.as_str().unwrap_or("ended").to_owned() }
    }
}

fn candle(record: &BarRecord) -> Result<LiveCandle, UnitError> {
    let (open, high) = (Price::new(record.open)?, Price::new(record.high)?);
    Ok(LiveCandle { open, high, low: Price::new(record.low)?, volume: record.volume })
}

fn live_model(stamp: &ModelStamp) -> LiveModel {
    LiveModel {
        model_id: stamp.model_id.clone(),
        sha256: stamp.sha256.clone(),
        model_version: stamp.model_version,
    }
}
