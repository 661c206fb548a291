//! What became of a bar's orders at a venue.

use serde::Serialize;
use walkforward_core::Timestamp;

use crate::{Booking, FillCost, OrderIntent, OrderOutcome, OrderRecord};

/// Most fills of an order that are listed; all are in its cost.
const MAX_LISTED_FILLS: usize = 64;
/// Most orders of one bar that are listed.
const MAX_LISTED_ORDERS: usize = 32;

/// An order at a venue.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OrderFate {
    /// What was decided.
    pub intent: OrderIntent,
    /// When it was first handed in; none when it never was.
    pub sent_at: Option<Timestamp>,
    /// When it was known that the venue has it.
    pub placed_at: Option<Timestamp>,
    /// What the ledger took of it, the first 64.
    pub bookings: Vec<Booking>,
    /// How it ended; none where the journal does not say.
    pub outcome: Option<OrderOutcome>,
    /// When that was known.
    pub ended_at: Option<Timestamp>,
    /// What it cost, where it filled.
    pub cost: Option<FillCost>,
}

/// The orders of one bar.
pub(super) struct Fates {
    bar_open: Timestamp,
    pub(super) orders: Vec<OrderFate>,
}

impl Fates {
    pub(super) fn of(bar_open: Timestamp) -> Self {
        Self { bar_open, orders: Vec::new() }
    }

    /// Takes a record, if it is about one of them.
    pub(super) fn take(&mut self, record: &OrderRecord) {
        match record {
            OrderRecord::Intent(intent) if intent.bar_open == self.bar_open => self.intend(intent),
            OrderRecord::Sent { id, at, .. } => self.change(id, |order| {
                order.sent_at.get_or_insert(*at);
            }),
            OrderRecord::Placed { id, at } => self.change(id, |order| {
                order.placed_at.get_or_insert(*at);
                // One that was thought not to be there.
                (order.outcome, order.ended_at, order.cost) = (None, None, None);
            }),
            OrderRecord::Booked(booking) => {
                if let Some(id) = &booking.order {
                    self.change(id, |order| {
                        if order.bookings.len() < MAX_LISTED_FILLS {
                            order.bookings.push((**booking).clone());
                        }
                    });
                }
            }
            OrderRecord::Closed { id, outcome, cost, at } => self.change(id, |order| {
                order.outcome = Some(outcome.clone());
                order.cost = cost.as_deref().cloned();
                order.ended_at = Some(*at);
            }),
            _ => {}
        }
    }

    fn intend(&mut self, intent: &OrderIntent) {
        if self.orders.len() < MAX_LISTED_ORDERS {
            self.orders.push(OrderFate {
                intent: intent.clone(),
                sent_at: None,
                placed_at: None,
                bookings: Vec::new(),
                outcome: None,
                ended_at: None,
                cost: None,
            });
        }
    }

    fn change(&mut self, id: &walkforward_core::ClientOrderId, change: impl FnOnce(&mut OrderFate)) {
        if let Some(order) = self.orders.iter_mut().find(|order| order.intent.id == *id) {
            change(order);
        }
    }

    /// Whether all of them have ended.
    pub(super) fn are_over(&self) -> bool {
        self.orders.iter().all(|order| order.outcome.is_some())
    }
}

#[cfg(test)]
mod tests {
    use walkforward_core::{Cash, Fill, Order, OrderSize, OrderStatus, Price, Quantity, Side};

    use super::*;
    use crate::{BookingKind, OrderPurpose};

    fn at(second: i64) -> Timestamp {
        Timestamp::EPOCH.plus_millis(second * 1_000)
    }

    fn intent(id: &str, bar_open: Timestamp) -> OrderRecord {
        let size = OrderSize::Notional(Cash::new(100.0).unwrap());
        OrderRecord::Intent(Box::new(OrderIntent {
            id: id.parse().unwrap(),
            purpose: OrderPurpose::Decision,
            bar_open,
            attempt: 0,
            order: Order { side: Side::Buy, size, decided_at: at(60) },
            sold: Quantity::ZERO,
            stop: None,
            price: Price::new(10.0).unwrap(),
            at: at(61),
            expires_at: at(90),
        }))
    }

    fn booked(id: &str) -> OrderRecord {
        let fill = Fill {
            time: at(63),
            side: Side::Buy,
            quantity: Quantity::from_nanos(7),
            price: Price::new(10.0).unwrap(),
            fee_quantity: Quantity::ZERO,
            fee_cash: Cash::ZERO,
        };
        OrderRecord::Booked(Box::new(Booking {
            order: Some(id.parse().unwrap()),
            execution_id: None,
            kind: BookingKind::Derived,
            is_fee_estimated: false,
            fill,
        }))
    }

    #[test]
    fn an_order_is_followed_from_its_decision_to_its_end_and_past_one_that_was_none() {
        let id = || "wf-01".parse().unwrap();
        let closed = |outcome| OrderRecord::Closed { id: id(), outcome, cost: None, at: at(64) };
        let mut fates = Fates::of(at(0));
        fates.take(&intent("wf-00", at(-60)));
        fates.take(&booked("wf-00"));
        assert!(fates.orders.is_empty() && fates.are_over(), "another bar's");
        fates.take(&intent("wf-01", at(0)));
        fates.take(&OrderRecord::Sent { id: id(), at: at(62), size: None });
        fates.take(&OrderRecord::Sent { id: id(), at: at(63), size: None });
        assert!(!fates.are_over());
        fates.take(&closed(OrderOutcome::GivenUp));
        assert!(fates.are_over());
        fates.take(&OrderRecord::Placed { id: id(), at: at(63) });
        assert!(!fates.are_over(), "it turned up after all");
        fates.take(&booked("wf-01"));
        fates.take(&closed(OrderOutcome::Ended { status: OrderStatus::Canceled, reason: None }));
        let order = &fates.orders[0];
        assert_eq!(
            (order.sent_at, order.placed_at, order.ended_at),
            (Some(at(62)), Some(at(63)), Some(at(64)))
        );
        assert_eq!((order.bookings.len(), fates.are_over()), (1, true));
    }
}
