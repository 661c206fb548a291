//! One model with its paper ledger.

use std::collections::VecDeque;

use walkforward_core::{Bar, PolicySpec};
use walkforward_engine::EngineError;

use super::{Answer, LedgerCheckpoint, Rules, ShadowBar, ShadowModel, ShadowRole};
use crate::{Desk, DeskCheckpoint, NoDecision, RiskDesk, SessionLimits};

pub(super) const DAY_MS: i64 = 86_400_000;
/// A desk keeps no bars of its own here: features are begun from the shadow's.
const DESK_BARS: usize = 1;

/// Bars before the first one of a day that a policy of `spec` needs, so that it decides there.
pub(super) fn needed_bars(spec: &PolicySpec) -> usize {
    spec.features.history_bars() + spec.lookback.saturating_sub(1)
}

/// A model that follows the bars.
pub(super) struct Follower {
    pub(super) role: ShadowRole,
    pub(super) model: ShadowModel,
    desk: Desk,
    /// The UTC day of the last bar; none when features have to begin anew.
    day: Option<i64>,
    bars: u64,
}

impl Follower {
    /// A ledger that begins flat.
    pub(super) fn new(rules: &Rules, role: ShadowRole, model: ShadowModel) -> Result<Self, EngineError> {
        let desk = Desk::new(rules.config, SessionLimits::default(), DESK_BARS)?;
        Ok(Self { role, model, desk, day: None, bars: 0 })
    }

    /// The ledger that was put away, in which `model` decides.
    pub(super) fn resume(
        rules: &Rules,
        ledger: &LedgerCheckpoint,
        model: ShadowModel,
    ) -> Result<Self, EngineError> {
        let risk = RiskDesk::new(SessionLimits::default(), ledger.session.equity);
        let desk = desk_of(rules, &DeskCheckpoint { session: ledger.session, risk })?;
        Ok(Self { role: ledger.role, model, desk, day: None, bars: ledger.bars })
    }

    /// The same ledger, in which `model` decides from the next bar on.
    pub(super) fn clone_for(&self, rules: &Rules, model: ShadowModel) -> Result<Self, EngineError> {
        Self::resume(rules, &self.checkpoint(), model)
    }

    pub(super) fn checkpoint(&self) -> LedgerCheckpoint {
        LedgerCheckpoint {
            role: self.role,
            model_id: self.model.model_id.clone(),
            sha256: self.model.sha256.clone(),
            bars: self.bars,
            session: self.desk.session().checkpoint(),
        }
    }

    /// Fills what waits, marks the position, and decides. `history` is what came before the bar.
    pub(super) fn on_bar(
        &mut self,
        rules: &Rules,
        history: &VecDeque<Bar>,
        bar: &Bar,
        present: bool,
    ) -> ShadowBar {
        let close = bar.close_time(rules.timeframe);
        let renewed = self.begin_day(rules, history, bar);
        let before = self.desk.session().equity();
        self.fill(rules, bar, present);
        let closed = self.desk.close(bar, close).map(drop);
        let session = self.desk.session();
        let (equity, position) = (session.equity(), session.position_fraction());
        let answered = renewed
            .and(closed)
            .map_err(NoDecision::from)
            .and_then(|()| self.desk.decide(self.model.policy.as_ref(), None, close).map(drop));
        let (answer, problem) = match answered {
            Ok(()) => (Answer::Given, None),
            Err(NoDecision::WarmUp) => (Answer::NotAsked, None),
            Err(problem) => (Answer::Missing, Some(problem.to_string())),
        };
        self.bars += 1;
        let net_return = if before > 0.0 { equity / before - 1.0 } else { 0.0 };
        let model_id = self.model.model_id.clone();
        ShadowBar { role: self.role, model_id, close, net_return, equity, position, answer, problem }
    }

    /// The waiting order meets the bar's open, as in the engine's own loop: one that the ledger refuses comes to nothing.
    fn fill(&mut self, rules: &Rules, bar: &Bar, present: bool) {
        let order = self.desk.session().pending().copied().filter(|_| present);
        let fill = order.and_then(|order| rules.fills.fill(&order, bar.open(), bar.open_time()));
        if let Some(fill) = fill {
            // A refused fill leaves the ledger as it was, and closing the bar lets the order lapse.
            let _ = self.desk.book(&fill);
        }
    }

    /// On the first bar of a UTC day, and after a beginning, features begin anew where the gates' streams begin them.
    fn begin_day(&mut self, rules: &Rules, history: &VecDeque<Bar>, bar: &Bar) -> Result<(), EngineError> {
        let day = bar.open_time().as_millis().div_euclid(DAY_MS);
        if self.day == Some(day) {
            return Ok(());
        }
        let mut desk = desk_of(rules, &self.desk.checkpoint())?;
        desk.prepare(self.model.policy.as_ref())?;
        let midnight = history.partition_point(|bar| bar.open_time().as_millis() < day * DAY_MS);
        let first = midnight.saturating_sub(needed_bars(self.model.policy.spec()));
        for bar in history.range(first..) {
            desk.warm_up(bar)?;
        }
        (self.desk, self.day) = (desk, Some(day));
        Ok(())
    }
}

fn desk_of(rules: &Rules, checkpoint: &DeskCheckpoint) -> Result<Desk, EngineError> {
    Desk::resume(rules.config, SessionLimits::default(), DESK_BARS, checkpoint)
}
