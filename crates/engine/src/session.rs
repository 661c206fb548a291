//! One trading session: pending order, ledger, returns.

use walkforward_core::{ApprovedOrder, Bar, Fill, Quantity, RiskRejection, Target, Timestamp};

use crate::state::{SessionRules, SessionState};
use crate::{EngineError, Ledger, PortfolioView, SessionCheckpoint, SessionConfig};

/// One session over one asset; short positions where its market allows them. Copies are cheap.
///
/// With the built-in fill model the loop is [`on_bar`](Self::on_bar), then [`decide`](Self::decide); with a broker
/// outside it is [`apply_fill`](Self::apply_fill) for each fill, [`mark`](Self::mark), then `decide`, whose order
/// goes to the broker.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TradingSession {
    pub(crate) rules: SessionRules,
    pub(crate) state: SessionState,
}

/// What one bar did to a session.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BarOutcome {
    /// The pending order's fill at this bar's open.
    pub fill: Option<Fill>,
    /// The purchase that closed a short position at this bar's close because it owed all that there was. Its price
    /// is the one that left nothing; the venue bears the rest.
    pub liquidation: Option<Fill>,
    /// Whether a pending order came to nothing on this bar.
    pub lapsed: bool,
    /// Cash plus the position at this bar's close.
    pub equity: f64,
    /// `equity / previous equity - 1`; 0 once everything is lost.
    pub net_return: f64,
    /// `ln(equity / previous equity)`, not below [`TradingSession::LOG_RETURN_FLOOR`]; 0 once everything is lost.
    pub log_return: f64,
    /// Fee and slippage of the fill, as a fraction of the previous equity; 0 without one, and of fills that a broker
    /// outside reports.
    pub cost: f64,
}

impl TradingSession {
    /// The log return of a total loss, which would be minus infinity.
    pub const LOG_RETURN_FLOOR: f64 = -10.0;
    /// Differences between target and position below this fraction of equity make no order: the remainder of a
    /// full purchase is no reason to trade. A short position leaves its target as the price moves, and is brought
    /// back beyond this difference.
    pub const REBALANCE_TOLERANCE: f64 = 0.02;

    /// A session with `config.initial_cash` and no position.
    ///
    /// # Errors
    /// [`EngineError::Setting`] when a setting is out of range.
    pub fn new(config: SessionConfig) -> Result<Self, EngineError> {
        let rules = SessionRules::new(config)?;
        Ok(Self { state: SessionState::new(&rules), rules })
    }

    /// All that the session has come to: with it, [`resume`](Self::resume) goes on to the same bits. To be taken
    /// between two bars, behind the decision on the one.
    pub fn checkpoint(&self) -> SessionCheckpoint {
        self.state.checkpoint(&self.rules)
    }

    /// The session that was put away as `checkpoint`, with the costs and limits of `config`; the cash at the start is
    /// the checkpoint's.
    ///
    /// # Errors
    /// A setting out of range; a checkpoint of other market rules, or that no session comes to; an order that the risk
    /// checks of `config` refuse.
    pub fn resume(config: SessionConfig, checkpoint: &SessionCheckpoint) -> Result<Self, EngineError> {
        let rules = SessionRules::new(config)?;
        Ok(Self { state: SessionState::resume(&rules, checkpoint)?, rules })
    }

    /// Fills the pending order at this bar's open, then marks the position at its close. On a bar that the source
    /// does not have (`present` is false) the order lapses.
    pub fn on_bar(&mut self, bar: &Bar, present: bool) -> BarOutcome {
        self.state.on_bar(&self.rules, bar.into(), present)
    }

    /// Books a fill that a broker outside reports, and forgets the pending order.
    ///
    /// # Errors
    /// A fill that the ledger refuses; see [`Ledger::apply_fill`].
    pub fn apply_fill(&mut self, fill: &Fill) -> Result<(), EngineError> {
        self.state.apply_fill(fill)
    }

    /// As [`apply_fill`](Self::apply_fill), of a fill that comes between two bars, as a venue's do: equity is that at the
    /// last mark from now on, and the next mark's return counts from there.
    ///
    /// # Errors
    /// As [`apply_fill`](Self::apply_fill).
    pub fn apply_fill_between_bars(&mut self, fill: &Fill) -> Result<(), EngineError> {
        self.state.apply_fill(fill)?;
        self.state.revalue();
        Ok(())
    }

    /// Marks the position at the bar's close and gives the return since the last mark. Fills nothing, but closes a
    /// position that owes all that there is: the session then stays at 0.
    pub fn mark(&mut self, bar: &Bar) -> BarOutcome {
        self.state.mark(&self.rules, bar.into())
    }

    /// Forgets the pending order.
    pub fn clear_pending(&mut self) {
        self.state.clear_pending();
    }

    /// Makes the order that moves the position to `target_fraction` of equity, checks it, keeps it pending for the
    /// next bar and returns it. `None` when the position is there already, within
    /// [`REBALANCE_TOLERANCE`](Self::REBALANCE_TOLERANCE). Targets are clamped to 0..=1, or to -1..=1 where the
    /// market allows shorting; NaN changes nothing. An order that was still pending is dropped. Where the position
    /// [is overdue](Self::is_overdue) the target is 0.
    ///
    /// # Errors
    /// The risk checks refuse the order; then none is pending.
    pub fn decide(
        &mut self,
        target_fraction: f64,
        decided_at: Timestamp,
    ) -> Result<Option<ApprovedOrder>, RiskRejection> {
        self.state.decide(&self.rules, target_fraction, decided_at)
    }

    /// As [`decide`](Self::decide) for what an action asks for: to hold makes no order and drops a pending one, but for
    /// a position that [is overdue](Self::is_overdue).
    ///
    /// # Errors
    /// As [`decide`](Self::decide).
    pub fn follow(
        &mut self,
        target: Target,
        decided_at: Timestamp,
    ) -> Result<Option<ApprovedOrder>, RiskRejection> {
        self.state.follow(&self.rules, target, decided_at)
    }

    /// Whether the position has been held for the [most bars](SessionConfig::max_bars_in_position): whatever is decided
    /// then closes it. A bar at which nothing is decided does not.
    pub fn is_overdue(&self) -> bool {
        self.state.is_overdue(&self.rules)
    }

    /// Equity at the last mark; the starting cash before the first.
    pub fn equity(&self) -> f64 {
        self.state.equity()
    }

    /// Quote currency at hand; what a short sale brought is part of it.
    pub fn cash(&self) -> f64 {
        self.ledger().cash()
    }

    /// Amount of the asset held; below zero when short.
    pub fn position(&self) -> Quantity {
        self.ledger().position()
    }

    /// Position at the last mark as a fraction of equity, below 0 when short; 0 when there is none.
    pub fn position_fraction(&self) -> f64 {
        self.state.position_fraction()
    }

    /// Profit of the open position at the last mark as a fraction of its entry value, fees left out: `mark / average
    /// entry - 1`, with the other sign when short; 0 without a position.
    pub fn unrealised_return(&self) -> f64 {
        self.state.unrealised_return()
    }

    /// What an observation says about the session.
    pub fn portfolio(&self) -> PortfolioView {
        self.state.portfolio()
    }

    /// The order that waits for the next bar.
    pub fn pending(&self) -> Option<&ApprovedOrder> {
        self.state.pending()
    }

    /// Cash, position, profits and fees.
    pub fn ledger(&self) -> &Ledger {
        self.state.ledger()
    }

    /// What the session was made with.
    pub fn config(&self) -> &SessionConfig {
        self.rules.config()
    }
}
