//! The arithmetic of a session, shared by the single one and the batch: what is the same for all sessions of a
//! configuration, and what each has of its own.

use walkforward_core::{
    ApprovedOrder, Bar, Cash, Fill, Holdings, Order, OrderSize, Price, Quantity, RiskRejection, Side, Target,
    Timestamp,
};

use crate::checkpoint::refused;
use crate::{
    BarOutcome, EngineError, FillModel, Ledger, PortfolioView, SessionCheckpoint, SessionConfig,
    TradingSession,
};

/// What is the same for all sessions of a configuration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct SessionRules {
    config: SessionConfig,
    fill_model: FillModel,
}

impl SessionRules {
    pub(crate) fn new(config: SessionConfig) -> Result<Self, EngineError> {
        config.validate()?;
        Ok(Self { config, fill_model: FillModel::new(&config) })
    }

    pub(crate) fn config(&self) -> &SessionConfig {
        &self.config
    }
}

/// What a session needs of a bar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Prices {
    pub(crate) open_time: Timestamp,
    pub(crate) open: f64,
    pub(crate) close: f64,
}

impl From<&Bar> for Prices {
    fn from(bar: &Bar) -> Self {
        Self { open_time: bar.open_time(), open: bar.open(), close: bar.close() }
    }
}

/// What each session has of its own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct SessionState {
    ledger: Ledger,
    pending: Option<ApprovedOrder>,
    equity: f64,
    /// Closes at which the position was held, below 0 for a short one; counted under a limit alone.
    bars_held: i32,
}

impl SessionState {
    pub(crate) fn new(rules: &SessionRules) -> Self {
        let SessionConfig { initial_cash, market, .. } = rules.config;
        Self {
            ledger: Ledger::with_rules(initial_cash, market),
            pending: None,
            equity: initial_cash,
            bars_held: 0,
        }
    }

    pub(crate) fn checkpoint(&self, rules: &SessionRules) -> SessionCheckpoint {
        SessionCheckpoint {
            market: rules.config.market,
            start: self.ledger.start(),
            cash: self.ledger.cash(),
            position: self.ledger.position(),
            average_entry: self.ledger.average_entry(),
            mark: self.ledger.mark_price(),
            realised: self.ledger.realised(),
            fees: self.ledger.fees(),
            equity: self.equity,
            pending: self.pending.map(|approved| *approved.order()),
            bars_in_position: self.bars_held.unsigned_abs(),
        }
    }

    pub(crate) fn resume(rules: &SessionRules, checkpoint: &SessionCheckpoint) -> Result<Self, EngineError> {
        checkpoint.check(&rules.config)?;
        let ledger = Ledger::resume(checkpoint);
        if checkpoint.equity != ledger.equity() {
            let expected = format!("cash and position at the mark, which are {}", ledger.equity());
            return Err(refused("equity", checkpoint.equity, expected));
        }
        let bars_held = match rules.config.max_bars_in_position {
            Some(_) => checkpoint.bars_held(),
            None => 0,
        };
        let mut state = Self { ledger, pending: None, equity: checkpoint.equity, bars_held };
        if let Some(order) = checkpoint.pending {
            state.pending = Some(state.approve(rules, order).map_err(EngineError::PendingOrder)?);
        }
        Ok(state)
    }

    #[inline]
    pub(crate) fn on_bar(&mut self, rules: &SessionRules, bar: Prices, present: bool) -> BarOutcome {
        if self.pending.is_none() {
            return self.mark(rules, bar);
        }
        let before = self.equity;
        let fill = self.fill_pending(rules, bar, present);
        let cost = fill.map_or(0.0, |fill| cost(&fill, bar.open, before));
        BarOutcome { fill, cost, lapsed: fill.is_none(), ..self.mark(rules, bar) }
    }

    /// What the pending order comes to at the bar's open; it is forgotten either way.
    pub(crate) fn fill_pending(&mut self, rules: &SessionRules, bar: Prices, present: bool) -> Option<Fill> {
        let order = self.pending.take().filter(|_| present)?;
        let fill = rules.fill_model.fill(&order, bar.open, bar.open_time)?;
        self.ledger.apply_fill(&fill).is_ok().then_some(fill)
    }

    pub(crate) fn apply_fill(&mut self, fill: &Fill) -> Result<(), EngineError> {
        self.ledger.apply_fill(fill)?;
        self.pending = None;
        if self.ledger.position().is_zero() {
            self.bars_held = 0;
        }
        Ok(())
    }

    #[inline]
    pub(crate) fn mark(&mut self, rules: &SessionRules, bar: Prices) -> BarOutcome {
        self.ledger.mark(bar.close);
        let liquidation = if self.owes_everything() { self.liquidate(bar.open_time) } else { None };
        self.count_bar(rules);
        let growth = self.revalue();
        // Most sessions of a batch are flat at any time; the logarithm of 1 is 0.
        let log_growth = if growth == 1.0 { 0.0 } else { growth.ln() };
        BarOutcome {
            fill: None,
            liquidation,
            lapsed: false,
            equity: self.equity,
            net_return: growth - 1.0,
            log_return: log_growth.max(TradingSession::LOG_RETURN_FLOOR),
            cost: 0.0,
        }
    }

    /// [`mark`](Self::mark) for those who want equity / equity before alone. A purchase that closes a position which
    /// owes all that there is goes to `fills`.
    #[inline]
    pub(crate) fn mark_growth(&mut self, rules: &SessionRules, bar: Prices, fills: &mut Vec<Fill>) -> f64 {
        self.ledger.mark(bar.close);
        if self.owes_everything() {
            fills.extend(self.liquidate(bar.open_time));
        }
        self.count_bar(rules);
        self.revalue()
    }

    /// Counts the bar that closes. A position of the other side begins anew.
    #[inline]
    fn count_bar(&mut self, rules: &SessionRules) {
        if rules.config.max_bars_in_position.is_some() {
            let side = self.ledger.position().nanos().signum() as i32;
            let same = if self.bars_held.signum() == side { self.bars_held } else { 0 };
            self.bars_held = same.saturating_add(side);
        }
    }

    /// Whether the position has been held for as many bars as it may be.
    #[inline]
    pub(crate) fn is_overdue(&self, rules: &SessionRules) -> bool {
        let limit = rules.config.max_bars_in_position;
        limit.is_some_and(|limit| self.bars_held.unsigned_abs() >= limit)
    }

    /// Whether the last mark left nothing of what there was.
    #[inline]
    fn owes_everything(&self) -> bool {
        self.equity > 0.0 && self.ledger.net_worth() <= 0.0
    }

    /// Takes over the ledger's equity; its ratio to the equity before, 1 once everything is lost.
    #[inline]
    pub(crate) fn revalue(&mut self) -> f64 {
        let before = self.equity;
        self.equity = if before > 0.0 { self.ledger.equity() } else { 0.0 };
        if before > 0.0 { self.equity / before } else { 1.0 }
    }

    /// Ends with nothing. `None` when there is no short position to buy back, or nothing to buy it with.
    #[cold]
    fn liquidate(&mut self, time: Timestamp) -> Option<Fill> {
        let short = -self.ledger.position();
        let price = Price::new(self.ledger.cash() / short.units()).ok();
        self.ledger.settle_total_loss();
        let price = price.filter(|_| short > Quantity::ZERO)?;
        let (fee_quantity, fee_cash) = (Quantity::ZERO, Cash::ZERO);
        Some(Fill { time, side: Side::Buy, quantity: short, price, fee_quantity, fee_cash })
    }

    pub(crate) fn clear_pending(&mut self) {
        self.pending = None;
    }

    #[inline]
    pub(crate) fn follow(
        &mut self,
        rules: &SessionRules,
        target: Target,
        decided_at: Timestamp,
    ) -> Result<Option<ApprovedOrder>, RiskRejection> {
        match target {
            Target::Fraction(fraction) => self.decide(rules, fraction, decided_at),
            Target::Hold if self.is_overdue(rules) => self.decide(rules, 0.0, decided_at),
            Target::Hold => {
                self.pending = None;
                Ok(None)
            }
        }
    }

    #[inline]
    pub(crate) fn decide(
        &mut self,
        rules: &SessionRules,
        target_fraction: f64,
        decided_at: Timestamp,
    ) -> Result<Option<ApprovedOrder>, RiskRejection> {
        self.pending = None;
        let wanted = if self.is_overdue(rules) { 0.0 } else { target_fraction };
        let target = wanted.clamp(rules.config.market.least_target(), 1.0);
        if !self.is_away_from(target) {
            return Ok(None);
        }
        self.order(rules, target, decided_at)
    }

    /// Whether the position is so far from `target` that an order is worth it.
    #[inline]
    fn is_away_from(&self, target: f64) -> bool {
        if target == 0.0 {
            return !self.ledger.position().is_zero();
        }
        let difference = target * self.equity - self.ledger.position_value();
        self.equity > 0.0 && difference.abs() > TradingSession::REBALANCE_TOLERANCE * self.equity
    }

    /// Makes, checks and keeps the order towards `target`.
    fn order(
        &mut self,
        rules: &SessionRules,
        target: f64,
        decided_at: Timestamp,
    ) -> Result<Option<ApprovedOrder>, RiskRejection> {
        let Some((side, size)) = self.order_towards(target) else { return Ok(None) };
        self.pending = Some(self.approve(rules, Order { side, size, decided_at })?);
        Ok(self.pending)
    }

    #[inline]
    fn approve(&self, rules: &SessionRules, order: Order) -> Result<ApprovedOrder, RiskRejection> {
        rules.config.risk.approve_with(order, &self.holdings(), rules.config.market)
    }

    #[inline]
    fn holdings(&self) -> Holdings {
        Holdings {
            cash: Cash::new(self.ledger.cash()).unwrap_or(Cash::ZERO),
            position: self.ledger.position(),
            equity: Cash::new(self.equity).unwrap_or(Cash::ZERO),
            last_price: self.ledger.mark_price(),
        }
    }

    /// The order that moves the position to `target`, however small.
    fn order_towards(&self, target: f64) -> Option<(Side, OrderSize)> {
        let held = self.ledger.position();
        if target == 0.0 {
            return close(held);
        }
        let difference = target * self.equity - self.ledger.position_value();
        let amount = Quantity::from_units_towards_zero(difference.abs() / self.ledger.mark_price());
        let (side, quantity) = match (difference > 0.0, target > 0.0) {
            (true, true) => {
                let notional = Cash::new(difference.min(self.ledger.cash())).ok()?;
                return (notional.get() > 0.0).then_some((Side::Buy, OrderSize::Notional(notional)));
            }
            // Less of a short position: never so much that a falling price turns it into a long one.
            (true, false) => (Side::Buy, amount.ok()?.min(-held)),
            (false, true) => (Side::Sell, amount.ok()?.min(held)),
            (false, false) => (Side::Sell, amount.ok()?),
        };
        (quantity > Quantity::ZERO).then_some((side, OrderSize::Quantity(quantity)))
    }

    #[inline]
    pub(crate) fn equity(&self) -> f64 {
        self.equity
    }

    #[inline]
    pub(crate) fn position_fraction(&self) -> f64 {
        if self.equity > 0.0 { self.ledger.position_value() / self.equity } else { 0.0 }
    }

    #[inline]
    pub(crate) fn unrealised_return(&self) -> f64 {
        let entry = self.ledger.average_entry();
        if entry <= 0.0 {
            return 0.0;
        }
        let change = self.ledger.mark_price() / entry - 1.0;
        if self.ledger.position() < Quantity::ZERO { -change } else { change }
    }

    #[inline]
    pub(crate) fn portfolio(&self) -> PortfolioView {
        PortfolioView {
            position_fraction: self.position_fraction(),
            unrealised_return: self.unrealised_return(),
        }
    }

    #[inline]
    pub(crate) fn pending(&self) -> Option<&ApprovedOrder> {
        self.pending.as_ref()
    }

    #[inline]
    pub(crate) fn ledger(&self) -> &Ledger {
        &self.ledger
    }
}

/// The order that leaves no position.
fn close(held: Quantity) -> Option<(Side, OrderSize)> {
    match held.cmp(&Quantity::ZERO) {
        std::cmp::Ordering::Greater => Some((Side::Sell, OrderSize::Quantity(held))),
        std::cmp::Ordering::Less => Some((Side::Buy, OrderSize::Quantity(-held))),
        std::cmp::Ordering::Equal => None,
    }
}

/// Fee and slippage of `fill` at a bar that opened at `open`, as a fraction of the equity `before` it.
fn cost(fill: &Fill, open: f64, before: f64) -> f64 {
    let slippage = (fill.price.get() - open).abs() * fill.quantity.units();
    if before > 0.0 { (fill.fee_in_quote() + slippage) / before } else { 0.0 }
}
