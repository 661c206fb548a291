//! The stop that waits at the venue behind the position.

use walkforward_core::{Order, OrderSize, Price, Quantity, Side, Timestamp, VenueOrder};

use super::{MAX_WAIT_MS, OrderDesk, has_come};
use crate::orders::{OrderAct, OrderIntent, OrderPurpose, OrderWarning};

/// Stops that one bar may have: more come from a venue that ends each of them.
const MAX_STOPS_PER_BAR: u32 = 20;

impl OrderDesk {
    /// Whether a stop is missing.
    pub(super) fn wants_stop(&self) -> bool {
        self.wanted_stop().is_some() && self.state.stop().is_none()
    }

    /// The quantity that a stop should sell; none where there is to be no stop.
    fn wanted_stop(&self) -> Option<Quantity> {
        self.rules.disaster_stop?;
        let instrument = &self.rules.instrument;
        let held = self.state.position;
        let entry = Price::new(self.state.average_entry).ok()?;
        let most = instrument.most_at(entry).map_or(held, |most| most.min(held));
        instrument.sells(most).then(|| instrument.truncated(most))
    }

    /// Brings the stop to the size of the position, once the position is sure and no other order is under way.
    pub(super) fn protect(&mut self, now: Timestamp, acts: &mut Vec<OrderAct>) {
        let is_decision = |purpose| purpose == OrderPurpose::Decision;
        let is_busy = self.state.open.iter().any(|entry| is_decision(entry.intent.purpose));
        if is_busy || self.state.is_unconfirmed || self.state.blocked.is_some() {
            return;
        }
        let wanted = self.wanted_stop();
        match (self.state.stop(), wanted) {
            (Some(stop), wanted) => {
                let left = match stop.intent.order.size {
                    OrderSize::Quantity(quantity) => quantity - stop.filled,
                    OrderSize::Notional(_) => Quantity::ZERO,
                };
                if wanted != Some(left) {
                    let id = stop.intent.id.clone();
                    self.ask_end(&id, now, acts);
                }
            }
            (None, Some(quantity)) if self.hand.stop_due.is_none_or(|due| has_come(due, now)) => {
                self.place_stop(quantity, now, acts);
            }
            (None, _) => {}
        }
    }

    fn place_stop(&mut self, quantity: Quantity, now: Timestamp, acts: &mut Vec<OrderAct>) {
        let Some(prices) = self.rules.disaster_stop.and_then(|stop| stop.prices(self.state.average_entry))
        else {
            return;
        };
        // A day of no bar: a position that was taken over at the start.
        let bar_open = self.state.bar.map_or(Timestamp::EPOCH, |bar| bar.open);
        let attempt = self.attempts(bar_open, OrderPurpose::Stop);
        if attempt >= MAX_STOPS_PER_BAR {
            return self.unprotected("the venue ends every stop", now, acts);
        }
        let Ok(id) = self.next_id(bar_open, OrderPurpose::Stop) else { return };
        let size = OrderSize::Quantity(quantity);
        let made = VenueOrder::protective_stop(id.clone(), quantity, prices, now, &self.rules.instrument);
        if let Err(error) = made {
            return self.unprotected(&error.to_string(), now, acts);
        }
        let intent = OrderIntent {
            id: id.clone(),
            purpose: OrderPurpose::Stop,
            bar_open,
            attempt,
            order: Order { side: Side::Sell, size, decided_at: now },
            sold: Quantity::ZERO,
            stop: Some(prices),
            price: Price::new(self.state.average_entry).unwrap_or(prices.0),
            at: now,
            expires_at: now.plus_millis(self.rules.times.live_ms),
        };
        self.intend(intent, None, now, acts);
        self.hand_in(&id, now, acts);
        self.tell_stop_cap(quantity, acts);
    }

    /// Tells a person, once, that the stop is as large as the venue takes it, and smaller than the position.
    fn tell_stop_cap(&mut self, quantity: Quantity, acts: &mut Vec<OrderAct>) {
        let bare = self.rules.instrument.truncated(self.state.position) - quantity;
        if bare > Quantity::ZERO && !std::mem::replace(&mut self.hand.is_stop_cap_told, true) {
            let reason = format!("{bare} of it is more than the venue takes in one order");
            acts.push(OrderAct::Warn(OrderWarning::Unprotected { reason }));
        }
    }

    fn unprotected(&mut self, reason: &str, now: Timestamp, acts: &mut Vec<OrderAct>) {
        self.hand.stop_due = Some(now.plus_millis(MAX_WAIT_MS));
        acts.push(OrderAct::Warn(OrderWarning::Unprotected { reason: reason.to_owned() }));
    }
}
