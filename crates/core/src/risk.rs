//! Checks that every order passes before it may leave.

use serde::{Deserialize, Serialize};

use crate::{Cash, MarketRules, Order, OrderSize, Quantity, Side};

/// Bounds on orders and positions.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RiskLimits {
    /// Most quote currency that one order may spend, or sell short at the last price; none means all of the cash,
    /// or of the equity.
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
    /// It spends, or sells short, more than one order may.
    #[error("the order spends or sells short {wanted}: the limit per order is {limit}")]
    Notional {
        /// What it spends, or sells short at the last price.
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
    /// It sells short more than the equity covers.
    #[error("the order makes a short position worth {wanted}: the equity is {equity}, and covers no more")]
    ShortExposure {
        /// What the short position would be worth at the last price.
        wanted: f64,
        /// The equity.
        equity: f64,
    },
    /// It buys back more than was sold short.
    #[error("the order buys back {wanted}: the short position is {short}")]
    Cover {
        /// What it buys back.
        wanted: Quantity,
        /// What was sold short.
        short: Quantity,
    },
    /// A purchase by quantity without a short position, whose price nobody knows before the fill.
    #[error("a purchase has to name the cash that it spends, not a quantity")]
    UnboundedPurchase,
}

/// What a session has when an order is checked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Holdings {
    /// Quote currency at hand.
    pub cash: Cash,
    /// Amount of the asset, below zero when short.
    pub position: Quantity,
    /// Cash and position at the last price.
    pub equity: Cash,
    /// The last price of the asset; 0 before the first.
    pub last_price: f64,
}

/// How far above equity rounding may take a short sale.
const EXPOSURE_ROUNDING: f64 = 1e-9;

impl RiskLimits {
    /// Passes `order` on a market without short positions when `cash` and the position `held` cover it and no
    /// bound is broken.
    pub fn approve(&self, order: Order, cash: Cash, held: Quantity) -> Result<ApprovedOrder, RiskRejection> {
        let holdings = Holdings { cash, position: held, equity: cash, last_price: 0.0 };
        self.approve_with(order, &holdings, MarketRules::LONG_ONLY)
    }

    /// Passes `order` on a market of `rules` when `holdings` cover it and no bound is broken. A purchase by
    /// quantity covers a short position and nothing else; a short position is worth at most the equity.
    pub fn approve_with(
        &self,
        order: Order,
        holdings: &Holdings,
        rules: MarketRules,
    ) -> Result<ApprovedOrder, RiskRejection> {
        match (order.side, order.size) {
            (Side::Buy, OrderSize::Notional(notional)) => {
                self.check_purchase(notional.get(), holdings.cash.get())?;
            }
            (Side::Buy, OrderSize::Quantity(wanted)) => check_cover(wanted, holdings.position)?,
            (Side::Sell, OrderSize::Quantity(wanted)) if rules.shorting => {
                self.check_short_sale(wanted, holdings)?;
            }
            (Side::Sell, OrderSize::Quantity(wanted)) => check_sale(wanted, holdings.position)?,
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
        self.check_notional(wanted)
    }

    /// What is sold beyond a long position is sold short.
    fn check_short_sale(&self, wanted: Quantity, holdings: &Holdings) -> Result<(), RiskRejection> {
        if wanted <= Quantity::ZERO {
            return Err(RiskRejection::Empty);
        }
        let held = holdings.position;
        if wanted <= held {
            return Ok(());
        }
        let (short, equity) = ((wanted - held).units() * holdings.last_price, holdings.equity.get());
        if short > equity * (1.0 + EXPOSURE_ROUNDING) {
            return Err(RiskRejection::ShortExposure { wanted: short, equity });
        }
        self.check_notional((wanted - held.max(Quantity::ZERO)).units() * holdings.last_price)
    }

    fn check_notional(&self, wanted: f64) -> Result<(), RiskRejection> {
        match self.max_order_notional {
            Some(limit) if wanted > limit.get() => {
                Err(RiskRejection::Notional { wanted, limit: limit.get() })
            }
            _ => Ok(()),
        }
    }
}

fn check_cover(wanted: Quantity, held: Quantity) -> Result<(), RiskRejection> {
    if held >= Quantity::ZERO {
        return Err(RiskRejection::UnboundedPurchase);
    }
    if wanted <= Quantity::ZERO {
        return Err(RiskRejection::Empty);
    }
    if wanted > -held {
        return Err(RiskRejection::Cover { wanted, short: -held });
    }
    Ok(())
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

    /// Equity 100 at a price of 10; `nanos` of the asset are held.
    fn check_short(side: Side, wanted: i64, held: i64, limit: Option<f64>) -> Result<(), RiskRejection> {
        let limits = RiskLimits { max_order_notional: limit.map(|limit| Cash::new(limit).unwrap()) };
        let size = OrderSize::Quantity(Quantity::from_nanos(wanted));
        let order = Order { side, size, decided_at: Timestamp::from_millis(0).unwrap() };
        let holdings = Holdings {
            cash: Cash::new(100.0).unwrap(),
            position: Quantity::from_nanos(held),
            equity: Cash::new(100.0).unwrap(),
            last_price: 10.0,
        };
        limits.approve_with(order, &holdings, MarketRules::SHORTING).map(|_| ())
    }

    #[test]
    fn a_short_sale_is_bounded_by_equity_and_limit() {
        let units = 1_000_000_000;
        assert_eq!(check_short(Side::Sell, 10 * units, 0, None), Ok(()));
        assert_eq!(check_short(Side::Sell, 15 * units, 5 * units, None), Ok(()), "five are held");
        let beyond = check_short(Side::Sell, 11 * units, 0, None);
        assert_eq!(beyond, Err(RiskRejection::ShortExposure { wanted: 110.0, equity: 100.0 }));
        let deeper = check_short(Side::Sell, 2 * units, -9 * units, None);
        assert!(matches!(deeper, Err(RiskRejection::ShortExposure { .. })));
        let limited = check_short(Side::Sell, 6 * units, 0, Some(50.0));
        assert_eq!(limited, Err(RiskRejection::Notional { wanted: 60.0, limit: 50.0 }));
        assert_eq!(check_short(Side::Sell, 6 * units, 6 * units, Some(50.0)), Ok(()), "an exit has no limit");
        assert_eq!(check_short(Side::Sell, 0, 0, None), Err(RiskRejection::Empty));
    }

    #[test]
    fn a_purchase_by_quantity_covers_a_short_position_and_no_more() {
        assert_eq!(check_short(Side::Buy, 5, -5, None), Ok(()));
        assert!(matches!(check_short(Side::Buy, 6, -5, None), Err(RiskRejection::Cover { .. })));
        assert_eq!(check_short(Side::Buy, 0, -5, None), Err(RiskRejection::Empty));
        assert_eq!(check_short(Side::Buy, 1, 0, None), Err(RiskRejection::UnboundedPurchase));
    }
}
