//! What orders cost, beside what the cost model says.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use walkforward_core::{ClientOrderId, Quantity, Side, Timestamp};

use super::{OrderEntry, OrderRules};

/// Orders that are compared with the model.
pub const COST_WINDOW: usize = 20;
/// Mean cost over mean modelled cost from which on a person is told.
const TOO_MUCH: f64 = 2.0;
const BPS_PER_UNIT: f64 = 10_000.0;

/// What one order cost. Money is quote currency.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FillCost {
    /// Which order.
    pub id: ClientOrderId,
    /// Side.
    pub side: Side,
    /// What filled, before fees.
    pub quantity: Quantity,
    /// Price at the decision.
    pub decision_price: f64,
    /// Price by the model: the decision's, worse by the slippage.
    pub expected_price: f64,
    /// Mean price of the fills.
    pub average_price: f64,
    /// Fee taken in cash.
    pub fee_cash: f64,
    /// Fee taken in the asset.
    pub fee_quantity: Quantity,
    /// Whether some of the fee is the declared one, because the venue did not tell it.
    pub is_fee_estimated: bool,
    /// Close of the bar that it was decided on.
    pub decided_at: Timestamp,
    /// When it was first handed in.
    pub sent_at: Option<Timestamp>,
    /// When it was known that the venue has it.
    pub placed_at: Option<Timestamp>,
    /// Time of the first fill, by the venue's clock.
    pub first_fill_at: Option<Timestamp>,
    /// Time of the last fill, by the venue's clock.
    pub last_fill_at: Option<Timestamp>,
    /// Implementation shortfall: what it cost more, or brought less, than the quantity at the decision's price; fees
    /// included.
    pub shortfall: f64,
    /// The same by the cost model.
    pub modelled: f64,
}

/// An order that has filled, in whole or in part, before it is priced.
pub(crate) struct Executed {
    pub(crate) id: ClientOrderId,
    pub(crate) side: Side,
    /// What filled, before fees.
    pub(crate) quantity: Quantity,
    /// The quote currency that it came to, before fees.
    pub(crate) notional: f64,
    pub(crate) decision_price: f64,
    pub(crate) fee_cash: f64,
    pub(crate) fee_quantity: Quantity,
    pub(crate) is_fee_estimated: bool,
    pub(crate) decided_at: Timestamp,
    pub(crate) sent_at: Option<Timestamp>,
    pub(crate) placed_at: Option<Timestamp>,
    pub(crate) first_fill_at: Option<Timestamp>,
    pub(crate) last_fill_at: Option<Timestamp>,
}

fn sign_of(side: Side) -> f64 {
    if side == Side::Buy { 1.0 } else { -1.0 }
}

/// The price by a model with this slippage, in basis points: the decision's, worse by it.
pub(crate) fn expected_price(side: Side, decision_price: f64, slippage_bps: f64) -> f64 {
    decision_price * (1.0 + sign_of(side) * (slippage_bps / BPS_PER_UNIT))
}

impl FillCost {
    /// The cost of `entry`; none when nothing filled.
    pub(super) fn of(entry: &OrderEntry, rules: &OrderRules) -> Option<Self> {
        let intent = &entry.intent;
        let executed = Executed {
            id: intent.id.clone(),
            side: intent.order.side,
            quantity: entry.filled,
            notional: entry.cost,
            decision_price: intent.price.get(),
            fee_cash: entry.fee_cash,
            fee_quantity: entry.fee_quantity,
            is_fee_estimated: entry.is_fee_estimated,
            decided_at: intent.order.decided_at,
            sent_at: entry.sent_at,
            placed_at: entry.placed_at,
            first_fill_at: entry.first_fill_at,
            last_fill_at: entry.last_fill_at,
        };
        Self::priced(executed, rules.fee_bps, rules.slippage_bps)
    }

    /// The cost of what has filled, beside that of a model with these costs, in basis points; none when nothing filled.
    pub(crate) fn priced(executed: Executed, fee_bps: f64, slippage_bps: f64) -> Option<Self> {
        let units = executed.quantity.units();
        if units <= 0.0 {
            return None;
        }
        let Executed { side, decision_price, fee_cash, fee_quantity, .. } = executed;
        let average_price = executed.notional / units;
        let sign = sign_of(side);
        let slippage = slippage_bps / BPS_PER_UNIT;
        let expected_price = expected_price(side, decision_price, slippage_bps);
        let fee = fee_cash + fee_quantity.units() * average_price;
        let modelled_fee = expected_price * units * fee_bps / BPS_PER_UNIT;
        Some(Self {
            id: executed.id,
            side,
            quantity: executed.quantity,
            decision_price,
            expected_price,
            average_price,
            fee_cash,
            fee_quantity,
            is_fee_estimated: executed.is_fee_estimated,
            decided_at: executed.decided_at,
            sent_at: executed.sent_at,
            placed_at: executed.placed_at,
            first_fill_at: executed.first_fill_at,
            last_fill_at: executed.last_fill_at,
            shortfall: sign * (average_price - decision_price) * units + fee,
            modelled: decision_price * slippage * units + modelled_fee,
        })
    }

    /// What filled, at the price at the decision: what shares of cost are of.
    pub fn value_at_decision(&self) -> f64 {
        self.decision_price * self.quantity.units()
    }

    /// Fees in quote currency; those taken in the asset at the mean price of the fills.
    pub fn fees(&self) -> f64 {
        self.fee_cash + self.fee_quantity.units() * self.average_price
    }
}

/// The last [`COST_WINDOW`] orders' costs beside the model's.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CostMeter {
    /// Shortfall and modelled cost, oldest first.
    recent: VecDeque<(f64, f64)>,
    is_beyond: bool,
}

impl CostMeter {
    /// Takes an order's cost.
    pub(crate) fn push(&mut self, cost: &FillCost) {
        if self.recent.len() == COST_WINDOW {
            self.recent.pop_front();
        }
        self.recent.push_back((cost.shortfall, cost.modelled));
        self.is_beyond = self.ratio().is_some_and(|ratio| ratio > TOO_MUCH);
    }

    /// Forgets an order that it took: its end is told again.
    pub(crate) fn forget(&mut self, cost: &FillCost) {
        if let Some(at) = self.recent.iter().rposition(|it| *it == (cost.shortfall, cost.modelled)) {
            self.recent.remove(at);
        }
    }

    /// Mean cost over mean modelled cost of the last [`COST_WINDOW`] orders; none before there are so many, or when the
    /// model says that trading is free.
    pub fn ratio(&self) -> Option<f64> {
        let (actual, modelled) =
            self.recent.iter().fold((0.0, 0.0), |sums, it| (sums.0 + it.0, sums.1 + it.1));
        (self.recent.len() == COST_WINDOW && modelled > 0.0).then(|| actual / modelled)
    }

    /// Whether the ratio is more than twice.
    pub fn is_beyond(&self) -> bool {
        self.is_beyond
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(shortfall: f64) -> FillCost {
        FillCost {
            id: "wf-1".parse().unwrap(),
            side: Side::Buy,
            quantity: Quantity::from_nanos(1),
            decision_price: 100.0,
            expected_price: 100.0,
            average_price: 100.0,
            fee_cash: 0.0,
            fee_quantity: Quantity::ZERO,
            is_fee_estimated: false,
            decided_at: Timestamp::EPOCH,
            sent_at: None,
            placed_at: None,
            first_fill_at: None,
            last_fill_at: None,
            shortfall,
            modelled: 1.0,
        }
    }

    #[test]
    fn twenty_orders_that_cost_more_than_twice_the_model_are_too_much() {
        let mut meter = CostMeter::default();
        for _ in 0..COST_WINDOW - 1 {
            meter.push(&cost(2.0));
            assert!(!meter.is_beyond() && meter.ratio().is_none());
        }
        meter.push(&cost(2.0));
        assert!(!meter.is_beyond(), "exactly twice is not beyond");
        meter.push(&cost(4.0));
        assert!(meter.is_beyond());
        for _ in 0..COST_WINDOW {
            meter.push(&cost(1.0));
        }
        assert_eq!((meter.is_beyond(), meter.ratio()), (false, Some(1.0)));
    }
}
