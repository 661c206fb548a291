//! Checks that every order passes before it may leave.

use serde::{Deserialize, Serialize};

use crate::{Cash, Order, OrderSize, Quantity, Side};

/// Bounds on orders and positions.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RiskLimits {
    /// Most quote currency that one order may spend; none means all of the cash.
    pub max_order_notional: Option<Cash>,
}

/// An order that passed the checks. Only [`RiskLimits::approve`] makes one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ApprovedOrder(Order);

impl ApprovedOrder {
    /// The order.
    pub fn order(&self) -> &Order {
        &self.0
    }
}

/// Why an order was refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RiskRejection {
    /// Nothing to do.
    #[error("the order is for nothing")]
    Empty,
    /// It spends more than there is.
    #[error("the order spends {wanted}: the cash is {available}")]
    Cash {
        /// What it spends.
        wanted: f64,
        /// What there is.
        available: f64,
    },
    /// It spends more than one order may.
    #[error("the order spends {wanted}: the limit per order is {limit}")]
    Notional {
        /// What it spends.
        wanted: f64,
        /// The limit.
        limit: f64,
    },
    /// It sells more than there is.
    #[error("the order sells {wanted}: the position is {held}, and this market does not sell short")]
    Position {
        /// What it sells.
        wanted: Quantity,
        /// What there is.
        held: Quantity,
    },
    /// A purchase by quantity, whose price nobody knows before the fill.
    #[error("a purchase has to name the cash that it spends, not a quantity")]
    UnboundedPurchase,
}

impl RiskLimits {
    /// Passes `order` when `cash` and the position `held` cover it and no bound is broken.
    pub fn approve(&self, order: Order, cash: Cash, held: Quantity) -> Result<ApprovedOrder, RiskRejection> {
        match (order.side, order.size) {
            (Side::Buy, OrderSize::Notional(notional)) => self.check_purchase(notional.get(), cash.get())?,
            (Side::Buy, OrderSize::Quantity(_)) => return Err(RiskRejection::UnboundedPurchase),
            (Side::Sell, OrderSize::Quantity(wanted)) => check_sale(wanted, held)?,
            (Side::Sell, OrderSize::Notional(_)) => return Err(RiskRejection::Empty),
        }
        Ok(ApprovedOrder(order))
    }

    fn check_purchase(&self, wanted: f64, available: f64) -> Result<(), RiskRejection> {
        if wanted <= 0.0 {
            return Err(RiskRejection::Empty);
        }
        if wanted > available {
            return Err(RiskRejection::Cash { wanted, available });
        }
        match self.max_order_notional {
            Some(limit) if wanted > limit.get() => {
                Err(RiskRejection::Notional { wanted, limit: limit.get() })
            }
            _ => Ok(()),
        }
    }
}

fn check_sale(wanted: Quantity, held: Quantity) -> Result<(), RiskRejection> {
    if wanted <= Quantity::ZERO {
        return Err(RiskRejection::Empty);
    }
    if wanted > held {
        return Err(RiskRejection::Position { wanted, held });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;

    fn check(side: Side, size: OrderSize, limit: Option<f64>) -> Result<(), RiskRejection> {
        let limits = RiskLimits { max_order_notional: limit.map(|limit| Cash::new(limit).unwrap()) };
        let order = Order { side, size, decided_at: Timestamp::from_millis(0).unwrap() };
        limits.approve(order, Cash::new(100.0).unwrap(), Quantity::from_nanos(5)).map(|_| ())
    }

    fn spend(cash: f64) -> OrderSize {
        OrderSize::Notional(Cash::new(cash).unwrap())
    }

    #[test]
    fn an_order_within_cash_position_and_limit_passes() {
        assert_eq!(check(Side::Buy, spend(100.0), None), Ok(()));
        assert_eq!(check(Side::Sell, OrderSize::Quantity(Quantity::from_nanos(5)), None), Ok(()));
    }

    #[test]
    fn an_order_beyond_cash_position_or_limit_is_refused() {
        assert!(matches!(check(Side::Buy, spend(100.1), None), Err(RiskRejection::Cash { .. })));
        assert!(matches!(check(Side::Buy, spend(60.0), Some(50.0)), Err(RiskRejection::Notional { .. })));
        let six = OrderSize::Quantity(Quantity::from_nanos(6));
        assert!(matches!(check(Side::Sell, six, None), Err(RiskRejection::Position { .. })));
        assert_eq!(check(Side::Buy, six, None), Err(RiskRejection::UnboundedPurchase));
        assert_eq!(check(Side::Buy, spend(0.0), None), Err(RiskRejection::Empty));
    }
}
