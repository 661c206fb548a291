//! What a session owns and what it has earned.

use walkforward_core::{Fill, Quantity, Side};

use crate::EngineError;

/// Cash and one long position, with the invariant
/// `cash + position value = start + realised + unrealised - fees`.
///
/// Profits are before fees; a fee taken in the asset counts at the fill's price, and what is left enters the
/// position at that price.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ledger {
    start: f64,
    cash: f64,
    position: Quantity,
    average_entry: f64,
    mark: f64,
    realised: f64,
    fees: f64,
}

impl Ledger {
    /// A ledger with `start` in cash and no position.
    pub fn new(start: f64) -> Self {
        Self {
            start,
            cash: start,
            position: Quantity::ZERO,
            average_entry: 0.0,
            mark: 0.0,
            realised: 0.0,
            fees: 0.0,
        }
    }

    /// Books a fill. The mark moves to its price.
    ///
    /// # Errors
    /// A fill for nothing, or one that sells more than the position; the ledger is then as before. A purchase that
    /// costs more than the cash is booked, because it has happened.
    pub fn apply_fill(&mut self, fill: &Fill) -> Result<(), EngineError> {
        let is_empty = fill.quantity <= Quantity::ZERO
            || fill.fee_quantity < Quantity::ZERO
            || fill.fee_quantity > fill.quantity;
        if is_empty {
            return Err(EngineError::EmptyFill { quantity: fill.quantity, fee: fill.fee_quantity });
        }
        match fill.side {
            Side::Buy => self.buy(fill),
            Side::Sell if fill.quantity > self.position => {
                return Err(EngineError::Oversold { wanted: fill.quantity, held: self.position });
            }
            Side::Sell => self.sell(fill),
        }
        self.fees += fill.fee_in_quote();
        self.mark = fill.price.get();
        Ok(())
    }

    fn buy(&mut self, fill: &Fill) {
        let held_cost = self.average_entry * self.position.units();
        let added = fill.position_change();
        self.cash -= fill.notional() + fill.fee_cash.get();
        self.position = self.position + added;
        if !self.position.is_zero() {
            let cost = held_cost + added.units() * fill.price.get();
            self.average_entry = cost / self.position.units();
        }
    }

    fn sell(&mut self, fill: &Fill) {
        self.cash += fill.notional() - fill.fee_cash.get();
        self.realised += (fill.price.get() - self.average_entry) * fill.quantity.units();
        self.position = self.position - fill.quantity;
        if self.position.is_zero() {
            self.average_entry = 0.0;
        }
    }

    /// Values the position at `price` from now on.
    pub fn mark(&mut self, price: f64) {
        self.mark = price;
    }

    /// Cash plus the position at the mark, not below 0.
    pub fn equity(&self) -> f64 {
        (self.cash + self.position_value()).max(0.0)
    }

    /// The position at the mark, in quote currency.
    pub fn position_value(&self) -> f64 {
        self.position.units() * self.mark
    }

    /// Quote currency at hand.
    pub fn cash(&self) -> f64 {
        self.cash
    }

    /// Amount of the asset held.
    pub fn position(&self) -> Quantity {
        self.position
    }

    /// Average price at which the position was entered, fees left out; 0 without a position.
    pub fn average_entry(&self) -> f64 {
        self.average_entry
    }

    /// The last mark; 0 before the first.
    pub fn mark_price(&self) -> f64 {
        self.mark
    }

    /// Profit of closed positions before fees.
    pub fn realised(&self) -> f64 {
        self.realised
    }

    /// Profit of the open position before fees, at the mark.
    pub fn unrealised(&self) -> f64 {
        self.position.units() * (self.mark - self.average_entry)
    }

    /// All fees so far, in quote currency.
    pub fn fees(&self) -> f64 {
        self.fees
    }

    /// Cash at the start.
    pub fn start(&self) -> f64 {
        self.start
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use walkforward_core::{Cash, Price, Timestamp};

    fn fill(side: Side, nanos: i64, price: f64, fee_nanos: i64, fee_cash: f64) -> Fill {
        Fill {
            time: Timestamp::from_millis(0).unwrap(),
            side,
            quantity: Quantity::from_nanos(nanos),
            price: Price::new(price).unwrap(),
            fee_quantity: Quantity::from_nanos(fee_nanos),
            fee_cash: Cash::new(fee_cash).unwrap(),
        }
    }

    #[test]
    fn a_round_trip_books_profit_and_both_fees() {
        let mut ledger = Ledger::new(1_000.0);
        ledger.apply_fill(&fill(Side::Buy, 2_000_000_000, 100.0, 10_000_000, 0.0)).unwrap();
        assert_eq!((ledger.cash(), ledger.average_entry(), ledger.fees()), (800.0, 100.0, 1.0));
        ledger.apply_fill(&fill(Side::Sell, 1_990_000_000, 110.0, 0, 2.0)).unwrap();
        assert!((ledger.realised() - 19.9).abs() < 1e-12);
        assert!((ledger.equity() - (1_000.0 + 19.9 - 3.0)).abs() < 1e-9);
        assert_eq!((ledger.position(), ledger.average_entry()), (Quantity::ZERO, 0.0));
    }

    #[test]
    fn impossible_fills_are_refused_and_change_nothing() {
        let mut ledger = Ledger::new(1_000.0);
        let before = ledger;
        let oversold = ledger.apply_fill(&fill(Side::Sell, 1, 100.0, 0, 0.0));
        assert!(matches!(oversold, Err(EngineError::Oversold { .. })));
        let empty = ledger.apply_fill(&fill(Side::Buy, 0, 100.0, 0, 0.0));
        assert!(matches!(empty, Err(EngineError::EmptyFill { .. })));
        let eaten = ledger.apply_fill(&fill(Side::Buy, 1, 100.0, 2, 0.0));
        assert!(matches!(eaten, Err(EngineError::EmptyFill { .. })));
        assert_eq!(ledger, before);
    }

    proptest! {
        #[test]
        fn cash_and_position_equal_start_and_profits_less_fees(
            steps in prop::collection::vec((any::<bool>(), 0.0..1.0f64, 1.0..1_000.0f64, 0.0..0.1f64), 1..200),
            last_mark in 1.0..1_000.0f64,
        ) {
            let mut ledger = Ledger::new(10_000.0);
            for (is_buy, share, price, fee_rate) in steps {
                let booked = if is_buy {
                    let nanos = (ledger.cash().max(0.0) * share / price * 1e9) as i64;
                    fill(Side::Buy, nanos, price, (nanos as f64 * fee_rate) as i64, 0.0)
                } else {
                    let nanos = (ledger.position().nanos() as f64 * share) as i64;
                    fill(Side::Sell, nanos, price, 0, nanos as f64 / 1e9 * price * fee_rate)
                };
                if booked.quantity > Quantity::ZERO {
                    ledger.apply_fill(&booked).unwrap();
                }
            }
            ledger.mark(last_mark);
            let owned = ledger.cash() + ledger.position_value();
            let earned = ledger.start() + ledger.realised() + ledger.unrealised() - ledger.fees();
            let scale = ledger.start().max(owned);
            prop_assert!((owned - earned).abs() <= 1e-9 * scale, "{owned} {earned}");
        }
    }
}
