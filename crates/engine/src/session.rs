//! One trading session: pending order, ledger, returns.

use walkforward_core::{
    ApprovedOrder, Bar, Cash, Fill, Order, OrderSize, Quantity, RiskRejection, Side, Timestamp,
};

use crate::{EngineError, FillModel, Ledger, PortfolioView, SessionConfig};

/// One session over one asset, long or flat. Copies are cheap, for trainings that run many.
///
/// With the built-in fill model the loop is [`on_bar`](Self::on_bar), then [`decide`](Self::decide); with a broker
/// outside it is [`apply_fill`](Self::apply_fill) for each fill, [`mark`](Self::mark), then `decide`, whose order
/// goes to the broker.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TradingSession {
    config: SessionConfig,
    fill_model: FillModel,
    ledger: Ledger,
    pending: Option<ApprovedOrder>,
    equity: f64,
}

/// What one bar did to a session.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BarOutcome {
    /// The pending order's fill at this bar's open.
    pub fill: Option<Fill>,
    /// Whether a pending order came to nothing on this bar.
    pub lapsed: bool,
    /// Cash plus the position at this bar's close.
    pub equity: f64,
    /// `equity / previous equity - 1`; 0 once everything is lost.
    pub net_return: f64,
    /// `ln(equity / previous equity)`, not below [`TradingSession::LOG_RETURN_FLOOR`]; 0 once everything is lost.
    pub log_return: f64,
}

impl TradingSession {
    /// The log return of a total loss, which would be minus infinity.
    pub const LOG_RETURN_FLOOR: f64 = -10.0;
    /// Differences between target and position below this fraction of equity make no order: the remainder of a
    /// full purchase is no reason to trade.
    pub const REBALANCE_TOLERANCE: f64 = 0.02;

    /// A session with `config.initial_cash` and no position.
    ///
    /// # Errors
    /// [`EngineError::Setting`] when a setting is out of range.
    pub fn new(config: SessionConfig) -> Result<Self, EngineError> {
        config.validate()?;
        Ok(Self {
            config,
            fill_model: FillModel::new(&config),
            ledger: Ledger::new(config.initial_cash),
            pending: None,
            equity: config.initial_cash,
        })
    }

    /// Fills the pending order at this bar's open, then marks the position at its close. On a bar that the source
    /// does not have (`present` is false) the order lapses.
    pub fn on_bar(&mut self, bar: &Bar, present: bool) -> BarOutcome {
        let order = self.pending.take();
        let fill = order
            .filter(|_| present)
            .and_then(|order| self.fill_model.fill(&order, bar.open(), bar.open_time()))
            .filter(|fill| self.ledger.apply_fill(fill).is_ok());
        let marked = self.mark(bar);
        BarOutcome { fill, lapsed: order.is_some() && fill.is_none(), ..marked }
    }

    /// Books a fill that a broker outside reports, and forgets the pending order.
    ///
    /// # Errors
    /// A fill that the ledger refuses; see [`Ledger::apply_fill`].
    pub fn apply_fill(&mut self, fill: &Fill) -> Result<(), EngineError> {
        self.ledger.apply_fill(fill)?;
        self.pending = None;
        Ok(())
    }

    /// Marks the position at the bar's close and gives the return since the last mark. Fills nothing.
    pub fn mark(&mut self, bar: &Bar) -> BarOutcome {
        let before = self.equity;
        self.ledger.mark(bar.close());
        self.equity = if before > 0.0 { self.ledger.equity() } else { 0.0 };
        let growth = if before > 0.0 { self.equity / before } else { 1.0 };
        BarOutcome {
            fill: None,
            lapsed: false,
            equity: self.equity,
            net_return: growth - 1.0,
            log_return: growth.ln().max(Self::LOG_RETURN_FLOOR),
        }
    }

    /// Forgets the pending order.
    pub fn clear_pending(&mut self) {
        self.pending = None;
    }

    /// Makes the order that moves the position to `target_fraction` of equity, checks it, keeps it pending for the
    /// next bar and returns it. `None` when the position is there already, within
    /// [`REBALANCE_TOLERANCE`](Self::REBALANCE_TOLERANCE). Targets are clamped to 0..=1; NaN changes nothing. An
    /// order that was still pending is dropped.
    ///
    /// # Errors
    /// The risk checks refuse the order; then none is pending.
    pub fn decide(
        &mut self,
        target_fraction: f64,
        decided_at: Timestamp,
    ) -> Result<Option<ApprovedOrder>, RiskRejection> {
        self.pending = None;
        let Some((side, size)) = self.order_towards(target_fraction.clamp(0.0, 1.0)) else {
            return Ok(None);
        };
        let cash = Cash::new(self.ledger.cash()).unwrap_or(Cash::ZERO);
        let order = Order { side, size, decided_at };
        let approved = self.config.risk.approve(order, cash, self.ledger.position())?;
        self.pending = Some(approved);
        Ok(self.pending)
    }

    fn order_towards(&self, target: f64) -> Option<(Side, OrderSize)> {
        let held = self.ledger.position();
        if target == 0.0 {
            return (!held.is_zero()).then_some((Side::Sell, OrderSize::Quantity(held)));
        }
        let difference = target * self.equity - self.ledger.position_value();
        let is_worth_it = difference.abs() > Self::REBALANCE_TOLERANCE * self.equity;
        if !is_worth_it || self.equity <= 0.0 {
            return None;
        }
        if difference > 0.0 {
            let notional = Cash::new(difference.min(self.ledger.cash())).ok()?;
            return (notional.get() > 0.0).then_some((Side::Buy, OrderSize::Notional(notional)));
        }
        let surplus =
            Quantity::from_units_towards_zero(-difference / self.ledger.mark_price()).ok()?.min(held);
        (!surplus.is_zero()).then_some((Side::Sell, OrderSize::Quantity(surplus)))
    }

    /// Equity at the last mark; the starting cash before the first.
    pub fn equity(&self) -> f64 {
        self.equity
    }

    /// Quote currency at hand.
    pub fn cash(&self) -> f64 {
        self.ledger.cash()
    }

    /// Amount of the asset held.
    pub fn position(&self) -> Quantity {
        self.ledger.position()
    }

    /// Position at the last mark as a fraction of equity; 0 when there is none.
    pub fn position_fraction(&self) -> f64 {
        if self.equity > 0.0 { self.ledger.position_value() / self.equity } else { 0.0 }
    }

    /// `mark / average entry - 1` of the open position, fees left out; 0 without a position.
    pub fn unrealised_return(&self) -> f64 {
        let entry = self.ledger.average_entry();
        if entry > 0.0 { self.ledger.mark_price() / entry - 1.0 } else { 0.0 }
    }

    /// What an observation says about the session.
    pub fn portfolio(&self) -> PortfolioView {
        PortfolioView {
            position_fraction: self.position_fraction(),
            unrealised_return: self.unrealised_return(),
        }
    }

    /// The order that waits for the next bar.
    pub fn pending(&self) -> Option<&ApprovedOrder> {
        self.pending.as_ref()
    }

    /// Cash, position, profits and fees.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// What the session was made with.
    pub fn config(&self) -> &SessionConfig {
        &self.config
    }
}
