//! What the desk remembers: made of its records, and of nothing else.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use walkforward_core::{ClientOrderId, Fill, Price, Quantity, Side, Timestamp};

use super::{
    Booking, BookingKind, CostMeter, OrderEntry, OrderIntent, OrderOutcome, OrderPurpose, OrderRecord,
};

/// Orders that are not over: one of the loop, one that waits for its end, one stop, and those that were given up and
/// turned up again.
pub(super) const MAX_OPEN: usize = 8;
/// Orders that are over and remembered: whatever comes late is told from what is somebody else's.
const MAX_CLOSED: usize = 32;

/// A record that does not follow from those before it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a record of order {id} in the journal does not follow from those before it: expected {expected}")]
pub struct ReplayError {
    pub(super) id: String,
    pub(super) expected: &'static str,
}

/// Orders of the newest bar that had any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct BarOrders {
    pub(super) open: Timestamp,
    pub(super) decisions: u32,
    pub(super) stops: u32,
}

/// The account's cash when it was last compared, and what the ledger has booked since.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct CashWatch {
    pub(super) account: f64,
    pub(super) at: Timestamp,
    /// Quote currency that bookings brought since, after fees.
    pub(super) flow: f64,
    /// Expected fees of sales among that.
    pub(super) fees: f64,
}

/// Everything that survives a crash.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct DeskState {
    /// By the bookings.
    pub(super) position: Quantity,
    /// Mean price of the position; 0 without one.
    pub(super) average_entry: f64,
    /// Price of the newest booking.
    pub(super) last_price: Option<Price>,
    /// How many bookings there were.
    pub(super) bookings: u64,
    pub(super) open: Vec<OrderEntry>,
    pub(super) closed: VecDeque<OrderEntry>,
    /// Whether something was booked since ledger and venue agreed.
    pub(super) is_unconfirmed: bool,
    /// Purchases since then whose fee was estimated, before fees.
    pub(super) estimated: Quantity,
    pub(super) blocked: Option<String>,
    pub(super) bar: Option<BarOrders>,
    /// Largest sale, in the asset, and purchase, in quote currency, that the venue found too small.
    pub(super) small_sale: Option<f64>,
    pub(super) small_purchase: Option<f64>,
    pub(super) costs: CostMeter,
    /// Quote currency of fees that were estimated: what cash may have been wrong by. None as an earlier version left it,
    /// which did not count them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) estimated_fees: Option<f64>,
    /// None until the account's cash was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cash: Option<CashWatch>,
}

impl DeskState {
    /// What of this an earlier version has kept, where `recorded` is from one; all of it where it is not.
    pub(super) fn as_kept_by(&self, recorded: &Self) -> Self {
        let mut kept = self.clone();
        if recorded.estimated_fees.is_some() {
            kept.estimated_fees.get_or_insert(0.0);
            return kept;
        }
        // It did not know either what was taken over of which order, or not in every case.
        kept.estimated_fees = None;
        for entry in kept.open.iter_mut().chain(&mut kept.closed) {
            let name = &entry.intent.id;
            entry.adopted = recorded.entry(name).and_then(|recorded| recorded.adopted);
        }
        kept
    }

    pub(super) fn open(&self, id: &ClientOrderId) -> Option<&OrderEntry> {
        self.open.iter().find(|entry| entry.intent.id == *id)
    }

    /// The order of this name, whether it is over or not.
    pub(super) fn entry(&self, id: &ClientOrderId) -> Option<&OrderEntry> {
        self.open(id).or_else(|| self.closed.iter().find(|entry| entry.intent.id == *id))
    }

    /// The decision that has not left yet.
    pub(super) fn waiting(&self) -> Option<&OrderEntry> {
        self.open.iter().find(|entry| entry.is_waiting() && entry.intent.purpose == OrderPurpose::Decision)
    }

    /// The stop that is not over.
    pub(super) fn stop(&self) -> Option<&OrderEntry> {
        self.open.iter().find(|entry| entry.intent.purpose == OrderPurpose::Stop)
    }

    /// Orders that the venue may have.
    pub(super) fn sent(&self) -> impl Iterator<Item = &OrderEntry> {
        self.open.iter().filter(|entry| !entry.is_waiting())
    }

    /// Takes a record.
    pub(super) fn apply(&mut self, record: &OrderRecord) -> Result<(), ReplayError> {
        match record {
            OrderRecord::Intent(intent) => self.intend(intent)?,
            OrderRecord::Sent { id, at, size } => {
                let entry = self.change(id, "an intent before it is sent")?;
                entry.sent_at.get_or_insert(*at);
                entry.handed_in = *size;
            }
            OrderRecord::Placed { id, at } => self.place(id, *at)?,
            OrderRecord::CancelAsked { id, .. } => {
                self.change(id, "an open order before it is ended")?.is_canceling = true;
            }
            OrderRecord::Booked(booking) => self.book(booking)?,
            OrderRecord::Closed { id, outcome, cost, .. } => {
                if let Some(cost) = cost {
                    self.costs.push(cost);
                }
                self.close(id, outcome.clone())?;
            }
            OrderRecord::Confirmed { .. } => {
                (self.is_unconfirmed, self.estimated, self.blocked) = (false, Quantity::ZERO, None);
            }
            OrderRecord::Blocked { reason, .. } => self.blocked = Some(reason.clone()),
            OrderRecord::TooSmall { side, amount, .. } => {
                let small = match side {
                    Side::Buy => &mut self.small_purchase,
                    Side::Sell => &mut self.small_sale,
                };
                *small = Some(small.map_or(*amount, |before| before.max(*amount)));
            }
            OrderRecord::CashSeen { account, at } => {
                self.cash = Some(CashWatch { account: *account, at: *at, flow: 0.0, fees: 0.0 });
            }
        }
        Ok(())
    }

    fn intend(&mut self, intent: &OrderIntent) -> Result<(), ReplayError> {
        if self.entry(&intent.id).is_some() || self.open.len() >= MAX_OPEN {
            return Err(replay_error(&intent.id, "a new name, and room among the open orders"));
        }
        let fresh = BarOrders { open: intent.bar_open, decisions: 0, stops: 0 };
        let bar = self.bar.get_or_insert(fresh);
        if bar.open != intent.bar_open {
            *bar = fresh;
        }
        match intent.purpose {
            OrderPurpose::Decision => bar.decisions = intent.attempt + 1,
            OrderPurpose::Stop => bar.stops = intent.attempt + 1,
        }
        self.open.push(OrderEntry::new(intent.clone(), self.bookings));
        Ok(())
    }

    fn change(&mut self, id: &ClientOrderId, expected: &'static str) -> Result<&mut OrderEntry, ReplayError> {
        let entry = self.open.iter_mut().find(|entry| entry.intent.id == *id);
        entry.ok_or_else(|| replay_error(id, expected))
    }

    /// The venue has it, also one that was thought not to be there.
    fn place(&mut self, id: &ClientOrderId, at: Timestamp) -> Result<(), ReplayError> {
        if let Some(index) = self.closed.iter().position(|entry| entry.intent.id == *id)
            && let Some(mut entry) = self.closed.remove(index)
        {
            entry.outcome = None;
            self.open.push(entry);
        }
        let entry = self.change(id, "an intent before it is placed")?;
        entry.sent_at.get_or_insert(at);
        entry.placed_at.get_or_insert(at);
        Ok(())
    }

    /// Whether the position is enough for `fill`: nothing is sold short.
    pub(super) fn takes(&self, fill: &Fill) -> bool {
        fill.side == Side::Buy || fill.quantity <= self.position
    }

    fn book(&mut self, booking: &Booking) -> Result<(), ReplayError> {
        let fill = &booking.fill;
        let takes = self.takes(fill);
        match &booking.order {
            Some(id) => self.book_order(id, booking)?,
            None if booking.kind == BookingKind::External => self.adopt(fill),
            None => {}
        }
        self.bookings += 1;
        if takes {
            self.move_position(fill);
            if let Some(cash) = &mut self.cash {
                cash.flow += cash_flow(fill);
                let is_expected = booking.is_fee_estimated && fill.side == Side::Sell;
                cash.fees += if is_expected { fill.fee_cash.get() } else { 0.0 };
            }
            if booking.kind != BookingKind::FeeCorrection {
                self.last_price = Some(fill.price);
            }
        }
        Ok(())
    }

    fn book_order(&mut self, id: &ClientOrderId, booking: &Booking) -> Result<(), ReplayError> {
        let fill = &booking.fill;
        let all = self.open.iter_mut().chain(&mut self.closed);
        let entry = all.into_iter().find(|entry| entry.intent.id == *id);
        let entry = entry.ok_or_else(|| replay_error(id, "an intent before it fills"))?;
        self.is_unconfirmed = true;
        if booking.kind == BookingKind::Reversal {
            entry.give_back(fill.quantity);
            return Ok(());
        }
        entry.book(booking);
        match fill.side {
            _ if !booking.is_fee_estimated => {}
            Side::Buy => self.estimated = self.estimated + fill.quantity,
            Side::Sell => *self.estimated_fees.get_or_insert(0.0) += fill.fee_cash.get(),
        }
        Ok(())
    }

    /// Notes which orders may explain what is taken over, should they turn up: those of which nobody knows whether they are
    /// there before those that the venue refused, the newest first.
    fn adopt(&mut self, fill: &Fill) {
        let mut left = fill.quantity;
        for is_given_up in [true, false] {
            for entry in self.closed.iter_mut().rev() {
                let is_meant = (entry.outcome == Some(OrderOutcome::GivenUp)) == is_given_up;
                if is_meant && entry.may_turn_up() && entry.intent.order.side == fill.side {
                    left = left - entry.adopt(left, fill.price);
                }
            }
        }
    }

    fn move_position(&mut self, fill: &Fill) {
        let (change, price) = (fill.position_change(), fill.price.get());
        let after = self.position + change;
        if after <= Quantity::ZERO {
            self.average_entry = 0.0;
        } else if change > Quantity::ZERO {
            let cost = self.average_entry * self.position.units() + price * change.units();
            self.average_entry = cost / after.units();
        }
        self.position = after;
    }

    fn close(&mut self, id: &ClientOrderId, outcome: OrderOutcome) -> Result<(), ReplayError> {
        let index = self.open.iter().position(|entry| entry.intent.id == *id);
        let index = index.ok_or_else(|| replay_error(id, "an open order before it is over"))?;
        let mut entry = self.open.remove(index);
        entry.outcome = Some(outcome);
        if self.closed.len() == MAX_CLOSED {
            self.closed.pop_front();
        }
        self.closed.push_back(entry);
        Ok(())
    }
}

/// What `fill` brings in quote currency.
pub(crate) fn cash_flow(fill: &Fill) -> f64 {
    match fill.side {
        Side::Buy => -(fill.notional() + fill.fee_cash.get()),
        Side::Sell => fill.notional() - fill.fee_cash.get(),
    }
}

fn replay_error(id: &ClientOrderId, expected: &'static str) -> ReplayError {
    ReplayError { id: id.to_string(), expected }
}
