//! Market, session and limits of one trader: what a bar comes to, without any file, clock or network.

use serde::{Deserialize, Serialize};
use walkforward_core::{
    Action, ApprovedOrder, Bar, Fill, Grade, Observation, Policy, PolicyError, RiskRejection, Target,
    Timestamp,
};
use walkforward_engine::{EngineError, SessionCheckpoint, SessionConfig, TradingSession, write_observation};

use crate::market::MarketView;
use crate::{Admitted, ConditionSource, Restriction, RiskDesk, SessionLimits, TradingMode};

/// The state that decides. For each bar: [`book`](Self::book) for the fills, [`close`](Self::close), then
/// [`decide`](Self::decide), which allocates nothing.
pub struct Desk {
    session: TradingSession,
    market: MarketView,
    risk: RiskDesk,
    window: Vec<f32>,
    observation: Vec<f32>,
}

/// All that a desk has come to but its bars: with both, [`Desk::resume`] goes on to the same bits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeskCheckpoint {
    /// Ledger, and the order in flight.
    pub session: SessionCheckpoint,
    /// Limits, and what the session has come to under them.
    pub risk: RiskDesk,
}

/// What a bar did.
#[derive(Debug, Clone, PartialEq)]
pub struct Closed<'a> {
    /// The purchase that closed a short position which owed all that there was.
    pub liquidation: Option<Fill>,
    /// The restriction that it brought.
    pub restricted: Option<&'a Restriction>,
}

/// What a model decided, and what of it may be done.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// What the model did.
    pub action: Action,
    /// What that asks for with the present position.
    pub wanted: Target,
    /// What the limits leave of it.
    pub admitted: Admitted,
    /// The order that follows; none where the position is there already.
    pub order: Option<ApprovedOrder>,
    /// Why there is no order though one was wanted.
    pub refused: Option<RiskRejection>,
}

/// Why nothing was decided.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum NoDecision {
    /// The features are not complete yet.
    #[error("features warm up")]
    WarmUp,
    /// The features can't be computed.
    #[error(transparent)]
    Features(#[from] EngineError),
    /// The policy gave no answer.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The policy's action has no meaning in its scheme.
    #[error("the policy took action {}, which means nothing", .0.0)]
    Meaningless(Action),
}

impl Desk {
    /// A desk with `config.initial_cash` that keeps `history_bars` bars for models that come later.
    ///
    /// # Errors
    /// A setting is out of range.
    pub fn new(
        config: SessionConfig,
        limits: SessionLimits,
        history_bars: usize,
    ) -> Result<Self, EngineError> {
        Ok(Self {
            session: TradingSession::new(config)?,
            market: MarketView::new(history_bars),
            risk: RiskDesk::new(limits, config.initial_cash),
            window: Vec::new(),
            observation: Vec::new(),
        })
    }

    /// The desk that was put away as `checkpoint`, under the costs of `config` and `limits`. Its bars come through
    /// [`warm_up`](Self::warm_up), its features with the next [`prepare`](Self::prepare).
    ///
    /// # Errors
    /// A setting out of range; a checkpoint that no session comes to, or whose order the risk checks refuse.
    pub fn resume(
        config: SessionConfig,
        limits: SessionLimits,
        history_bars: usize,
        checkpoint: &DeskCheckpoint,
    ) -> Result<Self, EngineError> {
        let session = TradingSession::resume(config, &checkpoint.session)?;
        let risk = checkpoint.risk.clone().with_limits(limits);
        Ok(Self { session, risk, ..Self::new(config, limits, history_bars)? })
    }

    /// All that it has come to but its bars. To be taken between two bars, behind the decision on the one.
    pub fn checkpoint(&self) -> DeskCheckpoint {
        DeskCheckpoint { session: self.session.checkpoint(), risk: self.risk.clone() }
    }

    /// The bars that it keeps, oldest first.
    pub fn history(&self) -> impl ExactSizeIterator<Item = &Bar> {
        self.market.history()
    }

    /// Takes a bar from before the session: it feeds features and nothing else.
    ///
    /// # Errors
    /// The features can't be computed.
    pub fn warm_up(&mut self, bar: &Bar) -> Result<(), EngineError> {
        self.market.push(*bar)
    }

    /// Makes room for `policy`, so that it decides without allocating, and computes its features from now on.
    ///
    /// # Errors
    /// Its features can't be computed.
    pub fn prepare(&mut self, policy: &dyn Policy) -> Result<(), EngineError> {
        let spec = policy.spec();
        self.market.use_features(&spec.features)?;
        self.window.reserve(spec.obs_dim());
        self.observation.resize(spec.obs_dim(), 0.0);
        Ok(())
    }

    /// Computes the features of `policy` for the case that [`prepare`](Self::prepare) asks for them before the next bar:
    /// what a bar would wait for otherwise. It changes nothing that a bar can see.
    ///
    /// # Errors
    /// Its features can't be computed.
    pub fn prepare_ahead(&mut self, policy: &dyn Policy) -> Result<(), EngineError> {
        self.market.prepare_features(&policy.spec().features)
    }

    /// Books a fill.
    ///
    /// # Errors
    /// The ledger refuses it.
    pub fn book(&mut self, fill: &Fill) -> Result<(), EngineError> {
        self.session.apply_fill(fill)
    }

    /// Books a fill that comes between two bars.
    ///
    /// # Errors
    /// The ledger refuses it.
    pub fn book_between_bars(&mut self, fill: &Fill) -> Result<(), EngineError> {
        self.session.apply_fill_between_bars(fill)
    }

    /// Ends a bar: an order that has not filled lapses, the position is marked at the close, features take it in.
    ///
    /// # Errors
    /// The features can't be computed.
    pub fn close(&mut self, bar: &Bar, close_time: Timestamp) -> Result<Closed<'_>, EngineError> {
        self.session.clear_pending();
        let marked = self.session.mark(bar);
        self.market.push(*bar)?;
        if self.session.position().is_zero() {
            self.risk.set_condition(ConditionSource::Swap, None);
        }
        let restricted = self.risk.mark(close_time, marked.equity);
        Ok(Closed { liquidation: marked.liquidation, restricted })
    }

    /// Lets `policy`, of a model with `grade`, decide at the close of the last bar. [`prepare`](Self::prepare) comes
    /// first, whenever the policy is another one.
    ///
    /// # Errors
    /// Why nothing was decided; then no order is pending.
    pub fn decide(
        &mut self,
        policy: &dyn Policy,
        grade: Option<Grade>,
        at: Timestamp,
    ) -> Result<Decision, NoDecision> {
        let spec = policy.spec();
        if !self.market.window(spec, &mut self.window)? {
            return Err(NoDecision::WarmUp);
        }
        write_observation(&self.window, self.session.portfolio(), &mut self.observation)?;
        self.decide_on_observation(policy, grade, at)
    }

    /// As [`decide`](Self::decide), on what was seen at the time: where the bars that features began with are gone.
    ///
    /// # Errors
    /// As [`decide`](Self::decide).
    pub fn decide_again(
        &mut self,
        policy: &dyn Policy,
        grade: Option<Grade>,
        at: Timestamp,
        observation: &[f32],
    ) -> Result<Decision, NoDecision> {
        self.observation.clear();
        self.observation.extend_from_slice(observation);
        self.decide_on_observation(policy, grade, at)
    }

    fn decide_on_observation(
        &mut self,
        policy: &dyn Policy,
        grade: Option<Grade>,
        at: Timestamp,
    ) -> Result<Decision, NoDecision> {
        let action = policy.act(Observation(&self.observation))?;
        let position = self.session.portfolio().position_fraction;
        let wanted = policy.spec().actions.decide(action, position);
        let wanted = wanted.ok_or(NoDecision::Meaningless(action))?;
        let (held, equity) = (self.session.position_fraction(), self.session.equity());
        let admitted = self.risk.admit(wanted, held, equity, grade, at);
        let (order, refused) = match self.go_for(admitted.target, at, true) {
            Ok(order) => (order, None),
            Err(rejection) => (None, Some(rejection)),
        };
        Ok(Decision { action, wanted, admitted, order, refused })
    }

    /// Goes for `target` without a model, within the limits: to close a position, or to make it smaller. Whether the limit of
    /// orders within an hour counts the order is `is_counted`'s to say.
    ///
    /// # Errors
    /// The risk checks refuse the order.
    pub fn go_for(
        &mut self,
        target: Target,
        at: Timestamp,
        is_counted: bool,
    ) -> Result<Option<ApprovedOrder>, RiskRejection> {
        if target == Target::Hold && self.risk.mode() == TradingMode::Halted {
            // A halted session holds even a position that has lasted as long as one may.
            self.session.clear_pending();
            return Ok(None);
        }
        let order = self.session.follow(target, at)?;
        if order.is_some() && is_counted {
            self.risk.note_order(at);
        }
        Ok(order)
    }

    /// What the last decision was made on, `[obs_dim]`.
    pub fn observation(&self) -> &[f32] {
        &self.observation
    }

    /// Start of the first bar that the features were computed from.
    pub fn first_history_bar(&self) -> Option<Timestamp> {
        self.market.first_history_bar()
    }

    /// The session.
    pub fn session(&self) -> &TradingSession {
        &self.session
    }

    /// The limits and what it has come to under them.
    pub fn risk(&self) -> &RiskDesk {
        &self.risk
    }

    /// The same, to restrict or to acknowledge.
    pub fn risk_mut(&mut self) -> &mut RiskDesk {
        &mut self.risk
    }
}
