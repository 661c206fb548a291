//! One order's life, as far as it is remembered.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use walkforward_core::{OrderSize, OrderState, Price, Quantity, Timestamp, VenueFill};

use super::{Booking, OrderIntent, OrderOutcome};

/// Executions of an order that are remembered by name; older ones are known by the filled quantity alone.
const MAX_EXECUTIONS: usize = 64;

/// An order and what has come of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrderEntry {
    pub(super) intent: OrderIntent,
    /// Bookings of the desk before it was decided.
    pub(super) bookings_before: u64,
    pub(super) sent_at: Option<Timestamp>,
    /// The size that it left with, which may be less than was decided; none in journals of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) handed_in: Option<OrderSize>,
    pub(super) placed_at: Option<Timestamp>,
    pub(super) is_canceling: bool,
    /// What is booked of it, before fees, and the quote currency that it came to.
    pub(super) filled: Quantity,
    pub(super) cost: f64,
    pub(super) fee_cash: f64,
    pub(super) fee_quantity: Quantity,
    pub(super) is_fee_estimated: bool,
    pub(super) first_fill_at: Option<Timestamp>,
    pub(super) last_fill_at: Option<Timestamp>,
    executions: VecDeque<String>,
    pub(super) outcome: Option<OrderOutcome>,
    /// What was taken over of the venue's position while it was thought not to be there, and at which price.
    #[serde(default)]
    pub(super) adopted: Option<Adopted>,
}

/// A part of a position that no order explained when it was taken over.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Adopted {
    /// How much, above zero: bought or sold as the order does.
    pub(super) quantity: Quantity,
    pub(super) price: Price,
}

/// How much more than at the price of its decision an order for quote currency may have bought.
const PRICE_ROOM: f64 = 1.1;

/// A piece of an order that is not booked yet.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Part {
    pub(super) quantity: Quantity,
    pub(super) price: Price,
    pub(super) time: Timestamp,
    /// None where it is a difference, and no execution.
    pub(super) execution_id: Option<String>,
}

impl OrderEntry {
    pub(super) fn new(intent: OrderIntent, bookings_before: u64) -> Self {
        Self {
            intent,
            bookings_before,
            sent_at: None,
            handed_in: None,
            placed_at: None,
            is_canceling: false,
            filled: Quantity::ZERO,
            cost: 0.0,
            fee_cash: 0.0,
            fee_quantity: Quantity::ZERO,
            is_fee_estimated: false,
            first_fill_at: None,
            last_fill_at: None,
            executions: VecDeque::new(),
            outcome: None,
            adopted: None,
        }
    }

    /// The order as it was decided.
    pub fn intent(&self) -> &OrderIntent {
        &self.intent
    }

    /// Whether it has not been handed in yet.
    pub fn is_waiting(&self) -> bool {
        self.sent_at.is_none()
    }

    /// What is booked of it, before fees.
    pub fn filled(&self) -> Quantity {
        self.filled
    }

    /// How it ended; none while it is open.
    pub fn outcome(&self) -> Option<&OrderOutcome> {
        self.outcome.as_ref()
    }

    /// Whether it was handed in, was never seen at the venue, and may be there all the same.
    pub(super) fn may_turn_up(&self) -> bool {
        matches!(
            self.outcome,
            Some(OrderOutcome::GivenUp | OrderOutcome::Refused(_) | OrderOutcome::NotPlaced { .. })
        )
    }

    /// Takes so much of `quantity`, which was taken over, for what it may have filled.
    pub(super) fn adopt(&mut self, quantity: Quantity, price: Price) -> Quantity {
        let intent = &self.intent;
        let most = match intent.order.size {
            OrderSize::Quantity(wanted) => wanted - intent.sold,
            OrderSize::Notional(cash) => {
                let units = PRICE_ROOM * cash.get() / intent.price.get();
                Quantity::from_units_towards_zero(units).unwrap_or(Quantity::ZERO)
            }
        };
        let before = self.adopted.map_or(Quantity::ZERO, |adopted| adopted.quantity);
        let taken = quantity.min(most - self.filled - before).max(Quantity::ZERO);
        if !taken.is_zero() {
            self.adopted = Some(Adopted { quantity: before + taken, price });
        }
        taken
    }

    /// Takes back what was taken over of it.
    pub(super) fn give_back(&mut self, quantity: Quantity) {
        let left = self.adopted.map(|it| Adopted { quantity: it.quantity - quantity, ..it });
        self.adopted = left.filter(|it| it.quantity > Quantity::ZERO);
    }

    /// Takes a booking of this order.
    pub(super) fn book(&mut self, booking: &Booking) {
        let fill = &booking.fill;
        self.filled = self.filled + fill.quantity;
        self.cost += fill.notional();
        self.fee_cash += fill.fee_cash.get();
        self.fee_quantity = self.fee_quantity + fill.fee_quantity;
        self.is_fee_estimated |= booking.is_fee_estimated;
        self.first_fill_at.get_or_insert(fill.time);
        self.last_fill_at = Some(fill.time);
        if let Some(id) = &booking.execution_id {
            if self.executions.len() == MAX_EXECUTIONS {
                self.executions.pop_front();
            }
            self.executions.push_back(id.clone());
        }
    }

    /// Whether `state` can be this order: the same side, and the same quantity where it is for one.
    pub(super) fn fits(&self, state: &OrderState) -> bool {
        let order = &self.intent.order;
        let size = match (order.size, state.ordered) {
            (OrderSize::Quantity(wanted), Some(ordered)) => ordered <= wanted,
            _ => true,
        };
        order.side == state.side && size
    }

    /// What of `state` is not booked: `execution` as it is where it is new, and the rest as a difference at the price
    /// that makes the mean right. None when the venue does not say at what price it filled.
    pub(super) fn unbooked(&self, state: &OrderState, execution: Option<&VenueFill>) -> Option<Vec<Part>> {
        let missing = state.filled - self.filled;
        if missing <= Quantity::ZERO {
            return Some(Vec::new());
        }
        let is_new = |told: &&VenueFill| !self.executions.contains(&told.execution_id);
        let told = execution.filter(is_new).filter(|told| told.quantity <= missing);
        let mut parts = Vec::new();
        let told_cost = told.map_or(0.0, |told| told.quantity.units() * told.price.get());
        let gap = told.map_or(missing, |told| missing - told.quantity);
        if gap > Quantity::ZERO {
            let price = self.price_of_gap(state, gap, told_cost)?;
            parts.push(Part { quantity: gap, price, time: state.updated_at, execution_id: None });
        }
        parts.extend(told.map(|told| Part {
            quantity: told.quantity,
            price: told.price,
            time: told.time,
            execution_id: Some(told.execution_id.clone()),
        }));
        Some(parts)
    }

    /// The mean price of `gap`: what the venue's mean leaves when that is taken off which is known.
    fn price_of_gap(&self, state: &OrderState, gap: Quantity, told_cost: f64) -> Option<Price> {
        let average = state.average_price?;
        let cost = average.get() * state.filled.units() - self.cost - told_cost;
        // The venue rounds its mean, which a tiny gap makes much of.
        let price = Price::new(cost / gap.units()).ok();
        Some(price.filter(|price| (0.1..10.0).contains(&(price.get() / average.get()))).unwrap_or(average))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use walkforward_core::{Cash, Fill, Order, OrderOrigin, OrderStatus, Side};

    use super::*;
    use crate::orders::{BookingKind, OrderPurpose};

    fn entry() -> OrderEntry {
        let order = Order {
            side: Side::Buy,
            size: OrderSize::Notional(Cash::new(1_000.0).unwrap()),
            decided_at: Timestamp::EPOCH,
        };
        let intent = OrderIntent {
            id: "wf-1".parse().unwrap(),
            purpose: OrderPurpose::Decision,
            bar_open: Timestamp::EPOCH,
            attempt: 0,
            order,
            sold: Quantity::ZERO,
            stop: None,
            price: Price::new(100.0).unwrap(),
            at: Timestamp::EPOCH,
            expires_at: Timestamp::EPOCH,
        };
        OrderEntry::new(intent, 0)
    }

    fn state(filled: i64, cost: f64) -> OrderState {
        let filled = Quantity::from_nanos(filled);
        OrderState {
            origin: OrderOrigin::of("wf-1"),
            venue_id: "1".to_owned(),
            side: Side::Buy,
            status: OrderStatus::PartiallyFilled,
            ordered: None,
            filled,
            average_price: Price::new(cost / filled.units()).ok(),
            updated_at: Timestamp::EPOCH,
            reason: None,
        }
    }

    fn book(entry: &mut OrderEntry, parts: Vec<Part>) {
        for part in parts {
            let fill = Fill {
                time: part.time,
                side: Side::Buy,
                quantity: part.quantity,
                price: part.price,
                fee_quantity: Quantity::ZERO,
                fee_cash: Cash::ZERO,
            };
            let kind = BookingKind::Execution;
            let booking =
                Booking { order: None, execution_id: part.execution_id, kind, is_fee_estimated: false, fill };
            entry.book(&booking);
        }
    }

    /// The executions of an order, each as the venue tells it.
    fn told(sizes: &[(i64, f64)]) -> Vec<VenueFill> {
        let (mut filled, mut cost) = (0, 0.0);
        let tell = |(number, (nanos, price)): (usize, &(i64, f64))| {
            let quantity = Quantity::from_nanos(*nanos);
            filled += nanos;
            cost += quantity.units() * price;
            VenueFill {
                execution_id: number.to_string(),
                quantity,
                price: Price::new(*price).unwrap(),
                time: Timestamp::EPOCH,
                position_after: None,
                order: state(filled, cost),
            }
        };
        sizes.iter().enumerate().map(tell).collect()
    }

    #[test]
    fn what_the_stream_lost_is_booked_as_the_difference() {
        let fills = told(&[(1_000_000_000, 100.0), (3_000_000_000, 104.0)]);
        let mut entry = entry();
        let parts = entry.unbooked(&fills[1].order, Some(&fills[1])).unwrap();
        assert_eq!(parts.len(), 2);
        assert_eq!((parts[0].quantity.nanos(), parts[0].price.get()), (1_000_000_000, 100.0));
        book(&mut entry, parts);
        assert_eq!(entry.unbooked(&fills[0].order, Some(&fills[0])), Some(Vec::new()), "late");
        assert_eq!(entry.unbooked(&fills[1].order, None), Some(Vec::new()), "asked for");
        let mut newer = fills[0].clone();
        newer.order = told(&[(1_000_000_000, 100.0), (3_000_000_000, 104.0), (1, 90.0)])[2].order.clone();
        assert_eq!(entry.unbooked(&newer.order, Some(&newer)).unwrap().len(), 1);
        let no_price = OrderState { average_price: None, ..newer.order };
        assert_eq!(entry.unbooked(&no_price, None), None, "no price is guessed");
    }

    proptest! {
        #[test]
        fn executions_in_any_order_come_to_the_venues_own_figures(
            sizes in proptest::collection::vec((1_i64..5_000_000_000, 50.0..150.0f64), 1..8),
            order in proptest::collection::vec((0usize..8, any::<bool>()), 0..24),
        ) {
            let fills = told(&sizes);
            let mut entry = entry();
            for (pick, is_asked) in order {
                let fill = &fills[pick % fills.len()];
                let parts = entry.unbooked(&fill.order, (!is_asked).then_some(fill)).unwrap();
                book(&mut entry, parts);
            }
            let last = &fills[fills.len() - 1].order;
            let parts = entry.unbooked(last, None).unwrap();
            book(&mut entry, parts);
            prop_assert_eq!(entry.filled, last.filled);
            let cost: f64 = sizes.iter().map(|(nanos, price)| Quantity::from_nanos(*nanos).units() * price).sum();
            prop_assert!((entry.cost - cost).abs() < 1e-6 * cost, "{} {}", entry.cost, cost);
        }
    }
}
