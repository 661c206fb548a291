//! Many sessions that advance together.

use walkforward_core::{Bar, Target, Timestamp};

use crate::state::{SessionRules, SessionState};
use crate::{BarOutcome, EngineError, Ledger, PortfolioView, SessionConfig};

/// Sessions of one configuration, each at a bar of its own, for trainings that run many.
///
/// A step does what [`follow`](crate::TradingSession::follow) and [`on_bar`](crate::TradingSession::on_bar) do, with the same arithmetic, to each
/// of them. Sessions don't know of each other: a caller with several threads gives each a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionBatch {
    rules: SessionRules,
    sessions: Vec<SessionState>,
}

/// What happens to one session in a step: a decision at the close of its last bar, then its next bar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SessionStep<'a> {
    /// What the action asks for; an order that the risk checks refuse is no order.
    pub target: Target,
    /// Close of the last bar.
    pub decided_at: Timestamp,
    /// The next bar.
    pub bar: &'a Bar,
    /// Whether the source has it; if not, the order lapses.
    pub present: bool,
}

impl SessionBatch {
    /// Most sessions of a batch.
    pub const MAX_SESSIONS: usize = 1 << 20;

    /// `sessions` sessions with `config.initial_cash` and no position.
    ///
    /// # Errors
    /// [`EngineError::Setting`] when a setting or the number of sessions is out of range.
    pub fn new(config: SessionConfig, sessions: usize) -> Result<Self, EngineError> {
        if sessions > Self::MAX_SESSIONS {
            let (name, value) = ("the number of sessions in a batch", sessions as f64);
            return Err(EngineError::Setting { name, value, expected: "at most 1048576" });
        }
        let rules = SessionRules::new(config)?;
        Ok(Self { sessions: vec![SessionState::new(&rules); sessions], rules })
    }

    /// Number of sessions.
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// Starts session `index` again at its first bar, whose close is the first mark. Nothing happens when there is
    /// no such session.
    pub fn restart(&mut self, index: usize, bar: &Bar) {
        if let Some(session) = self.sessions.get_mut(index) {
            *session = SessionState::new(&self.rules);
            session.mark(&self.rules, bar.into());
        }
    }

    /// Takes every session one bar on: `steps[i]` happens to session `i`, and what it came to is in `outcomes[i]`.
    ///
    /// # Errors
    /// [`EngineError::Length`] when `steps` or `outcomes` is not `[sessions]`; then nothing has happened.
    pub fn step(
        &mut self,
        steps: &[SessionStep<'_>],
        outcomes: &mut [BarOutcome],
    ) -> Result<(), EngineError> {
        let expected = self.sessions.len();
        for (what, actual) in [("the steps of a batch", steps.len()), ("the outcomes", outcomes.len())] {
            if actual != expected {
                return Err(EngineError::Length { what, expected, actual });
            }
        }
        for ((session, step), outcome) in self.sessions.iter_mut().zip(steps).zip(outcomes) {
            let _ = session.follow(&self.rules, step.target, step.decided_at);
            *outcome = session.on_bar(&self.rules, step.bar.into(), step.present);
        }
        Ok(())
    }

    /// What an observation says about session `index`.
    pub fn portfolio(&self, index: usize) -> Option<PortfolioView> {
        self.sessions.get(index).map(SessionState::portfolio)
    }

    /// Cash, position, profits and fees of session `index`.
    pub fn ledger(&self, index: usize) -> Option<&Ledger> {
        self.sessions.get(index).map(SessionState::ledger)
    }

    /// What the sessions were made with.
    pub fn config(&self) -> &SessionConfig {
        self.rules.config()
    }
}

impl BarOutcome {
    /// What a bar does to a session without cash, position or order: room for a batch to write to.
    pub const EMPTY: Self = Self {
        fill: None,
        liquidation: None,
        lapsed: false,
        equity: 0.0,
        net_return: 0.0,
        log_return: 0.0,
        cost: 0.0,
    };
}
