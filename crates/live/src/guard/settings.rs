//! What a guard goes by.

use serde::{Deserialize, Serialize};
use walkforward_core::Timestamp;
use walkforward_stats::{EProcessSettings, Error as StatsError};

use super::{ReplayFigures, in_range};

/// When a champion is taken back. Fixed before its first bar.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuardSettings {
    /// The e-value against the champion at which it is taken back, above 1. An arm that is no worse than its anchor ever
    /// gets there with a probability of at most one in so many.
    pub e_value: f64,
    /// How many times the drawdown of the replay, and that of its anchor in the same time, the champion may fall, 1 or more.
    pub drawdown_factor: f64,
    /// A fall up to this is allowed whatever the replay came to, a fraction of equity: short replays know no deep falls.
    pub least_drawdown: f64,
    /// How many times the replay's 99th percentile a day's turnover may be, 1 or more.
    pub turnover_factor: f64,
    /// A day's turnover up to this is allowed whatever the replay came to: so many times the equity.
    pub least_turnover: f64,
    /// Decisions in a row without an answer at which the champion is taken back, 1 or more.
    pub unanswered_decisions: u32,
    /// No bar's difference is below this, a fraction of equity: what the e-process bets on. As in the gates.
    pub loss_bound: f64,
    /// Annual deviation of the differences before the first one is known. As in the gates.
    pub initial_annual_deviation: f64,
    /// Bars in a year of this market.
    pub bars_per_year: f64,
}

impl GuardSettings {
    /// The defaults for a market with so many bars in a year.
    pub fn standard(bars_per_year: f64) -> Self {
        Self {
            e_value: 5.0,
            drawdown_factor: 1.5,
            least_drawdown: 0.05,
            turnover_factor: 2.0,
            least_turnover: 4.0,
            unanswered_decisions: 3,
            loss_bound: 0.2,
            initial_annual_deviation: 0.6,
            bars_per_year,
        }
    }

    /// Refuses settings out of range.
    ///
    /// # Errors
    /// [`GuardError::Value`] names the first.
    pub fn validate(&self) -> Result<(), GuardError> {
        let at_least_1 = "1 or more";
        in_range("e_value", self.e_value, self.e_value > 1.0, "above 1")?;
        in_range("drawdown_factor", self.drawdown_factor, self.drawdown_factor >= 1.0, at_least_1)?;
        in_range("turnover_factor", self.turnover_factor, self.turnover_factor >= 1.0, at_least_1)?;
        let is_fraction = self.least_drawdown > 0.0 && self.least_drawdown < 1.0;
        in_range("least_drawdown", self.least_drawdown, is_fraction, "a fraction between 0 and 1")?;
        in_range("least_turnover", self.least_turnover, self.least_turnover > 0.0, "above 0")?;
        let decisions = self.unanswered_decisions;
        in_range("unanswered_decisions", f64::from(decisions), decisions > 0, at_least_1)
    }

    pub(super) fn bets(&self) -> EProcessSettings {
        let deviation = self.initial_annual_deviation / self.bars_per_year.sqrt();
        let standard = EProcessSettings::standard(self.bars_per_year, deviation);
        EProcessSettings { bound: self.loss_bound, ..standard }
    }

    /// The deepest fall that is allowed after `bars` bars; none where the replay does not say.
    pub(super) fn drawdown_limit(&self, replay: &ReplayFigures, bars: u64) -> Option<f64> {
        let fall = self.drawdown_factor * replay.max_drawdown? * replay.stretch(bars);
        Some(fall.max(self.least_drawdown))
    }

    /// The largest turnover of a day; none where the replay does not say.
    pub(super) fn turnover_limit(&self, replay: &ReplayFigures) -> Option<f64> {
        Some((self.turnover_factor * replay.daily_turnover_p99?).max(self.least_turnover))
    }
}

/// What a guard can't work with.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum GuardError {
    /// A setting or a figure is out of range.
    #[error("{what} of a guard is {value}: expected {expected}")]
    Value {
        /// Which.
        what: &'static str,
        /// What it is.
        value: f64,
        /// What it may be.
        expected: &'static str,
    },
    /// Bars came in another order.
    #[error(
        "a bar of a guard closes at {close}, not after the one before, {last}: give each bar once, in order"
    )]
    Order {
        /// The bar.
        close: Timestamp,
        /// The one before.
        last: Timestamp,
    },
    /// Series do not belong together.
    #[error("the figures of a replay have {found} {what}, and {expected} bars: give one for each bar")]
    Length {
        /// Which series.
        what: &'static str,
        /// Its length.
        found: usize,
        /// Bars.
        expected: usize,
    },
    /// The e-process refuses it.
    #[error(transparent)]
    Bets(#[from] StatsError),
}
