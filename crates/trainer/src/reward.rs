//! Reward schemes: what a bar was worth to the learner.
//!
//! | scheme | reward of a bar |
//! | --- | --- |
//! | `log_return` | `ln(equity / equity before)`, net of all costs |
//! | `position_return` | position x price change - costs (TensorTrade's position-based return, with costs) |
//! | `differential_sharpe` | what the bar adds to a moving Sharpe ratio (Moody & Saffell 1998, 2001) |
//! | `drawdown` | log return less a penalty for each further fall below the peak |
//!
//! All are in units of a return: 0.01 is about one per cent. What a scheme remembers belongs to an episode: it starts
//! with [`Reward::reset`], and a checkpoint stores a [`Reward`] as it is.

mod drawdown;
mod sharpe;

use serde::{Deserialize, Serialize};
use walkforward_engine::BarOutcome;

use crate::TrainerError;
use drawdown::Fall;
use sharpe::Moments;

/// Which scheme, with its settings. In a pack it is a name (`"log_return"`), or a name with settings
/// (`{"drawdown": {"weight": 2.0}}`); absent settings take their defaults.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum RewardConfig {
    /// `ln(equity / equity before)`, net of fees and slippage.
    #[default]
    LogReturn,
    /// `position * price_change - cost`: the position at the bar's close gets the whole change from close to close, so
    /// what happens between a decision and its fill is left out.
    PositionReturn,
    /// `eta * D`, the first-order change of an exponentially weighted Sharpe ratio of net returns.
    DifferentialSharpe {
        /// Weight of the newest return in the moments, above 0, at most 0.5. 0.01 looks back about 100 bars.
        #[serde(default = "default_eta")]
        eta: f64,
    },
    /// `log_return - weight * (growth of the drawdown, if it grows)`.
    Drawdown {
        /// Price of a fall from the peak, 0 to 100. At 1 a loss below the peak counts about twice.
        #[serde(default = "default_weight")]
        weight: f64,
    },
}

fn default_eta() -> f64 {
    0.01
}

fn default_weight() -> f64 {
    1.0
}

const MAX_ETA: f64 = 0.5;
const MAX_WEIGHT: f64 = 100.0;

impl RewardConfig {
    /// Refuses settings out of range.
    ///
    /// # Errors
    /// [`TrainerError::Setting`] names the setting.
    pub fn validate(&self) -> Result<(), TrainerError> {
        let (name, value, is_good, expected) = match *self {
            Self::LogReturn | Self::PositionReturn => return Ok(()),
            Self::DifferentialSharpe { eta } => {
                ("reward.differential_sharpe.eta", eta, eta > 0.0 && eta <= MAX_ETA, "above 0, at most 0.5")
            }
            Self::Drawdown { weight } => {
                ("reward.drawdown.weight", weight, (0.0..=MAX_WEIGHT).contains(&weight), "0 to 100")
            }
        };
        if is_good {
            return Ok(());
        }
        Err(TrainerError::Setting { name, value: value.to_string(), expected: expected.to_owned() })
    }
}

/// What a scheme looks at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RewardBar {
    /// Net return of equity over the bar.
    pub net_return: f64,
    /// Log return of equity over the bar, bounded below.
    pub log_return: f64,
    /// Fee and slippage of the bar's fill, as a fraction of the equity before.
    pub cost: f64,
    /// Position at the bar's close as a fraction of equity; below 0 when short.
    pub position: f64,
    /// `close / close before - 1`.
    pub price_change: f64,
}

impl RewardBar {
    /// What a session's bar came to, with its position fraction at the close and the closes of this bar and the one
    /// before.
    pub fn new(outcome: &BarOutcome, position: f64, close_before: f64, close: f64) -> Self {
        let BarOutcome { net_return, log_return, cost, .. } = *outcome;
        Self { net_return, log_return, cost, position, price_change: close / close_before - 1.0 }
    }
}

/// A scheme at work in one episode: its settings and what it remembers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reward {
    config: RewardConfig,
    moments: Moments,
    fall: Fall,
}

impl Reward {
    /// The scheme at the start of an episode.
    ///
    /// # Errors
    /// [`TrainerError::Setting`] when a setting is out of range.
    pub fn new(config: RewardConfig) -> Result<Self, TrainerError> {
        config.validate()?;
        Ok(Self { config, moments: Moments::default(), fall: Fall::default() })
    }

    /// Forgets the episode.
    pub fn reset(&mut self) {
        self.moments = Moments::default();
        self.fall = Fall::default();
    }

    /// The reward of the episode's next bar; finite for finite input.
    pub fn step(&mut self, bar: &RewardBar) -> f64 {
        match self.config {
            RewardConfig::LogReturn => bar.log_return,
            RewardConfig::PositionReturn => bar.position * bar.price_change - bar.cost,
            RewardConfig::DifferentialSharpe { eta } => eta * self.moments.push(bar.net_return, eta),
            RewardConfig::Drawdown { weight } => bar.log_return - weight * self.fall.push(bar.net_return),
        }
    }

    /// Which scheme it is.
    pub fn config(&self) -> RewardConfig {
        self.config
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn bar(net_return: f64) -> RewardBar {
        let log_return = net_return.ln_1p();
        RewardBar { net_return, log_return, cost: 0.003, position: -0.5, price_change: 0.02 }
    }

    fn rewards(config: RewardConfig, returns: &[f64]) -> Vec<f64> {
        let mut reward = Reward::new(config).unwrap();
        returns.iter().map(|&net_return| reward.step(&bar(net_return))).collect()
    }

    fn check_config(text: Value, expected: RewardConfig) {
        assert_eq!(serde_json::from_value::<RewardConfig>(text).unwrap(), expected);
        let written = serde_json::to_value(expected).unwrap();
        assert_eq!(serde_json::from_value::<RewardConfig>(written).unwrap(), expected);
    }

    #[test]
    fn schemes_are_named_in_a_pack() {
        check_config(json!("log_return"), RewardConfig::default());
        check_config(json!("position_return"), RewardConfig::PositionReturn);
        check_config(json!({ "differential_sharpe": {} }), RewardConfig::DifferentialSharpe { eta: 0.01 });
        check_config(json!({ "drawdown": { "weight": 2.5 } }), RewardConfig::Drawdown { weight: 2.5 });
        for text in [json!("sharpe"), json!({ "drawdown": { "wait": 1.0 } }), json!({ "drawdown": 1.0 })] {
            assert!(serde_json::from_value::<RewardConfig>(text).is_err());
        }
    }

    #[test]
    fn settings_out_of_range_are_refused_by_name() {
        let refused = |config| Reward::new(config).unwrap_err().to_string();
        let eta = refused(RewardConfig::DifferentialSharpe { eta: 0.0 });
        assert_eq!(
            eta,
            "training setting reward.differential_sharpe.eta is 0: expected above 0, at most 0.5"
        );
        assert!(refused(RewardConfig::DifferentialSharpe { eta: f64::NAN }).contains("is NaN"));
        assert!(refused(RewardConfig::Drawdown { weight: -1.0 }).contains("reward.drawdown.weight is -1"));
    }

    #[test]
    fn the_log_return_is_the_sessions() {
        assert_eq!(rewards(RewardConfig::LogReturn, &[0.1, -0.2]), [0.1_f64.ln_1p(), (-0.2_f64).ln_1p()]);
    }

    #[test]
    fn the_position_return_is_position_times_price_change_less_costs() {
        // Half of the equity short, the price 2 % up, 0.3 % of costs.
        assert!((rewards(RewardConfig::PositionReturn, &[0.0])[0] + 0.013).abs() < 1e-15);
        let outcome = BarOutcome { cost: 0.001, ..BarOutcome::EMPTY };
        let long = RewardBar::new(&outcome, 1.0, 100.0, 103.0);
        assert!((Reward::new(RewardConfig::PositionReturn).unwrap().step(&long) - 0.029).abs() < 1e-15);
    }

    #[test]
    fn a_drawdown_is_paid_for_as_it_grows() {
        let rewards = rewards(RewardConfig::Drawdown { weight: 2.0 }, &[0.25, -0.2, -0.1, 0.1, 0.5]);
        // Equity 1, 1.25, 1, 0.9, 0.99, 1.485: the drawdown grows by 0.2, then by 0.08.
        let expected =
            [1.25_f64.ln(), 0.8_f64.ln() - 2.0 * 0.2, 0.9_f64.ln() - 2.0 * 0.08, 1.1_f64.ln(), 1.5_f64.ln()];
        for (reward, expected) in rewards.iter().zip(expected) {
            assert!((reward - expected).abs() < 1e-12, "{reward} {expected}");
        }
    }

    #[test]
    fn a_stored_reward_goes_on_as_if_nothing_had_happened() {
        let returns: Vec<f64> = (0..40).map(|i| 0.02 * f64::sin(f64::from(i))).collect();
        for config in [RewardConfig::DifferentialSharpe { eta: 0.05 }, RewardConfig::Drawdown { weight: 1.0 }]
        {
            let whole = rewards(config, &returns);
            let mut reward = Reward::new(config).unwrap();
            for &net_return in &returns[..17] {
                reward.step(&bar(net_return));
            }
            let stored = serde_json::to_string(&reward).unwrap();
            let mut resumed: Reward = serde_json::from_str(&stored).unwrap();
            let rest: Vec<f64> = returns[17..].iter().map(|&x| resumed.step(&bar(x))).collect();
            assert_eq!(rest, whole[17..]);
            resumed.reset();
            assert_eq!(resumed, Reward::new(config).unwrap());
        }
    }

    #[test]
    fn rewards_are_finite_even_when_everything_is_lost() {
        for config in [
            RewardConfig::LogReturn,
            RewardConfig::PositionReturn,
            RewardConfig::DifferentialSharpe { eta: 0.01 },
            RewardConfig::Drawdown { weight: 100.0 },
        ] {
            let mut reward = Reward::new(config).unwrap();
            let lost = RewardBar { net_return: -1.0, log_return: -10.0, ..bar(0.0) };
            for bar in [bar(0.0), bar(0.0), bar(0.01), lost, bar(0.0)] {
                assert!(reward.step(&bar).is_finite(), "{config:?}");
            }
        }
    }
}
