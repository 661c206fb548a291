//! How the greedy policy does on bars that it has not learned from.

use walkforward_core::{Action, Target};
use walkforward_engine::{ObservationBuilder, SessionConfig, TradingSession};
use walkforward_kernels::argmax;
use walkforward_policy::{OptimizerState, Tensors};

use crate::learner::PpoLearner;
use crate::market::Market;
use crate::sessions::Sessions;
use crate::{PpoConfig, TrainerError};

/// The best weights so far and what they scored.
#[derive(Debug, Clone)]
pub(crate) struct Best {
    /// The iteration that made them, from 1.
    pub(crate) iteration: u64,
    /// Log return on the validation bars.
    pub(crate) score: f64,
    pub(crate) weights: Tensors,
    pub(crate) optimizer: OptimizerState,
}

/// Log return of the greedy policy over the validation bars of `market`, net of costs, starting flat.
pub(crate) fn score(
    learner: &PpoLearner<Sessions<'_>>,
    market: &Market,
    session: SessionConfig,
    config: &PpoConfig,
) -> Result<f64, TrainerError> {
    let mut session = TradingSession::new(session)?;
    let mut builder = ObservationBuilder::new(config.lookback, market.width());
    let mut logits = vec![0.0; config.actions.len()];
    let mut log_return = 0.0;
    for index in market.validation() {
        let (bar, present) = market.bar(index);
        log_return += session.on_bar(bar, present).log_return;
        let rows = market.window(index, config.lookback);
        if rows.is_empty() {
            continue;
        }
        learner.logits(builder.build(rows, session.portfolio())?, &mut logits)?;
        let action = argmax(&logits).and_then(|index| u8::try_from(index).ok()).map(Action);
        let position = session.position_fraction();
        let target = action.and_then(|action| config.actions.decide(action, position));
        // An order that the risk checks refuse is no order, as in a backtest.
        let _ = session.follow(target.unwrap_or(Target::Hold), market.close_time(index));
    }
    Ok(log_return)
}
