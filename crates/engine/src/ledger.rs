//! What a session owns and what it has earned.

use walkforward_core::{Fill, MarketRules, Quantity, Side};

use crate::{EngineError, SessionCheckpoint};

/// Cash and one position, long or short, with the invariant
/// `cash + position value = start + realised + unrealised - fees`.
///
/// Profits are before fees; a fee taken in the asset counts at the fill's price, and what is left enters the
/// position at that price. A short position is a negative one: its sale has brought cash, and its value is owed. A
/// fill that crosses 0 closes one position and opens the other at its price.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ledger {
    start: f64,
    cash: f64,
    position: Quantity,
    /// The position in units, which every mark needs.
    units: f64,
    average_entry: f64,
    mark: f64,
    realised: f64,
    fees: f64,
    rules: MarketRules,
}

impl Ledger {
    /// A ledger with `start` in cash and no position, which never goes short.
    pub fn new(start: f64) -> Self {
        Self::with_rules(start, MarketRules::LONG_ONLY)
    }

    /// A ledger with `start` in cash and no position, on a market of `rules`.
    pub fn with_rules(start: f64, rules: MarketRules) -> Self {
        Self {
            rules,
            start,
            cash: start,
            position: Quantity::ZERO,
            units: 0.0,
            average_entry: 0.0,
            mark: 0.0,
            realised: 0.0,
            fees: 0.0,
        }
    }

    /// The ledger of a session that was put away; its figures are taken as they are.
    pub(crate) fn resume(checkpoint: &SessionCheckpoint) -> Self {
        Self {
            start: checkpoint.start,
            cash: checkpoint.cash,
            position: checkpoint.position,
            units: checkpoint.position.units(),
            average_entry: checkpoint.average_entry,
            mark: checkpoint.mark,
            realised: checkpoint.realised,
            fees: checkpoint.fees,
            rules: checkpoint.market,
        }
    }

    /// Books a fill. The mark moves to its price.
    ///
    /// # Errors
    /// A fill for nothing, or one that sells more than the position where there is no shorting; the ledger is then
    /// as before. A purchase that
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
            Side::Sell if fill.quantity > self.position && !self.rules.shorting => {
                return Err(EngineError::Oversold { wanted: fill.quantity, held: self.position });
            }
            Side::Sell => self.sell(fill),
        }
        self.fees += fill.fee_in_quote();
        self.mark = fill.price.get();
        Ok(())
    }

    fn buy(&mut self, fill: &Fill) {
        self.cash -= fill.notional() + fill.fee_cash.get();
        let (added, price) = (fill.position_change(), fill.price.get());
        if self.position >= Quantity::ZERO {
            self.enter(added, price);
            return;
        }
        let covered = added.min(-self.position);
        self.realised += (self.average_entry - price) * covered.units();
        self.leave(covered);
        if covered < added {
            self.enter(added - covered, price);
        }
    }

    fn sell(&mut self, fill: &Fill) {
        self.cash += fill.notional() - fill.fee_cash.get();
        let price = fill.price.get();
        let sold = fill.quantity.min(self.position.max(Quantity::ZERO));
        if !sold.is_zero() {
            self.realised += (price - self.average_entry) * sold.units();
            self.leave(-sold);
        }
        if sold < fill.quantity {
            self.enter(sold - fill.quantity, price);
        }
    }

    /// Adds to the position on its own side, or opens one.
    fn enter(&mut self, added: Quantity, price: f64) {
        let held_cost = self.average_entry * self.units;
        self.hold(self.position + added);
        if !self.position.is_zero() {
            let cost = held_cost + added.units() * price;
            self.average_entry = cost / self.units;
        }
    }

    /// Moves the position towards 0 by `change`, at most all the way.
    fn leave(&mut self, change: Quantity) {
        self.hold(self.position + change);
        if self.position.is_zero() {
            self.average_entry = 0.0;
        }
    }

    fn hold(&mut self, position: Quantity) {
        self.position = position;
        self.units = position.units();
    }

    /// Takes everything: a venue closes a position that owes more than there is, and keeps what is left. The loss is
    /// the cash at the start with all profits since, and no more.
    pub(crate) fn settle_total_loss(&mut self) {
        self.cash = 0.0;
        self.hold(Quantity::ZERO);
        self.average_entry = 0.0;
        self.realised = self.fees - self.start;
    }

    /// Cash plus the position at the mark, below 0 when more is owed than there is.
    #[inline]
    pub(crate) fn net_worth(&self) -> f64 {
        self.cash + self.position_value()
    }

    /// Values the position at `price` from now on.
    #[inline]
    pub fn mark(&mut self, price: f64) {
        self.mark = price;
    }

    /// Cash plus the position at the mark, not below 0.
    #[inline]
    pub fn equity(&self) -> f64 {
        self.net_worth().max(0.0)
    }

    /// The position at the mark, in quote currency; below 0 when short.
    #[inline]
    pub fn position_value(&self) -> f64 {
        self.units * self.mark
    }

    /// Quote currency at hand.
    #[inline]
    pub fn cash(&self) -> f64 {
        self.cash
    }

    /// Amount of the asset held; below zero when short.
    #[inline]
    pub fn position(&self) -> Quantity {
        self.position
    }

    /// Average price at which the position was entered, fees left out; 0 without a position.
    #[inline]
    pub fn average_entry(&self) -> f64 {
        self.average_entry
    }

    /// The last mark; 0 before the first.
    #[inline]
    pub fn mark_price(&self) -> f64 {
        self.mark
    }

    /// Profit of closed positions before fees.
    pub fn realised(&self) -> f64 {
        self.realised
    }

    /// Profit of the open position before fees, at the mark.
    pub fn unrealised(&self) -> f64 {
        self.units * (self.mark - self.average_entry)
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
mod tests;
