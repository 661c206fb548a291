//! Settings of a session.

use serde::{Deserialize, Serialize};
use walkforward_core::{ActionMap, MarketRules, RiskLimits};

use crate::EngineError;

/// What a session starts with and what trading costs in it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionConfig {
    /// Quote currency at the start, above 0.
    pub initial_cash: f64,
    /// Fee in basis points of what is received: the asset on a purchase, cash on a sale. 0 to [`Self::MAX_BPS`].
    pub fee_bps: f64,
    /// How much worse than the open a market order fills, in basis points. 0 to [`Self::MAX_BPS`].
    pub slippage_bps: f64,
    /// Bounds on orders.
    pub risk: RiskLimits,
    /// What the market lets a session do; long and flat alone unless said otherwise.
    #[serde(default)]
    pub market: MarketRules,
    /// Most bars in one position, 1 to [`Self::MAX_BARS_IN_POSITION`]; none without a limit. At the close of the last
    /// of them the session goes for no position, whatever was decided there, until there is none; what is decided next
    /// may enter again. The bar of the entry is the first. Another side is another position.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_bars_in_position: Option<u32>,
}

impl SessionConfig {
    /// Largest fee and largest slippage: a tenth of the amount, beyond which a setting is a mistake of unit.
    pub const MAX_BPS: f64 = 1_000.0;
    /// Largest starting cash: beyond it a double can't hold a cent of profit.
    pub const MAX_INITIAL_CASH: f64 = 1e12;
    /// Largest limit on the bars in one position: ten years of minutes.
    pub const MAX_BARS_IN_POSITION: u32 = 5_256_000;

    /// Most units of the asset that the starting cash may buy: a position holds 9.2e9, and equity may grow.
    const MAX_UNITS_AT_START: f64 = 1e9;

    /// Refuses a market so cheap that the cash would buy more than a position can hold: no order would ever fill.
    ///
    /// # Errors
    /// [`EngineError::PriceTooLow`].
    pub fn admit_prices(&self, lows: &[f64]) -> Result<(), EngineError> {
        let price = lows.iter().copied().fold(f64::INFINITY, f64::min);
        if self.initial_cash / price <= Self::MAX_UNITS_AT_START {
            return Ok(());
        }
        Err(EngineError::PriceTooLow { price, cash: self.initial_cash })
    }

    /// Refuses settings that are not finite or out of range.
    ///
    /// # Errors
    /// [`EngineError::Setting`] names the first setting that is wrong.
    pub fn validate(&self) -> Result<(), EngineError> {
        let cash = self.initial_cash;
        if !(cash > 0.0 && cash <= Self::MAX_INITIAL_CASH) {
            let expected = "above 0, at most 1e12";
            return Err(EngineError::Setting { name: "initial_cash", value: cash, expected });
        }
        for (name, value) in [("fee_bps", self.fee_bps), ("slippage_bps", self.slippage_bps)] {
            if !(0.0..=Self::MAX_BPS).contains(&value) {
                return Err(EngineError::Setting { name, value, expected: "0 to 1000 basis points" });
            }
        }
        if self.max_bars_in_position.is_some_and(|bars| !(1..=Self::MAX_BARS_IN_POSITION).contains(&bars)) {
            let value = self.max_bars_in_position.map_or(0.0, f64::from);
            let expected = "1 to 5256000 bars, or absent for no limit";
            return Err(EngineError::Setting { name: "max_bars_in_position", value, expected });
        }
        match self.risk.max_order_notional {
            Some(limit) if limit.get() <= 0.0 => Err(EngineError::Setting {
                name: "risk.max_order_notional",
                value: limit.get(),
                expected: "above 0, or absent for no limit",
            }),
            _ => Ok(()),
        }
    }

    /// Refuses an action scheme that needs more than this market allows.
    ///
    /// # Errors
    /// [`EngineError::Actions`].
    pub fn admit(&self, actions: ActionMap) -> Result<(), EngineError> {
        Ok(self.market.admit(actions)?)
    }
}

impl Default for SessionConfig {
    /// 10,000 in cash, fee 25 bps, slippage 5 bps, no limit per order or position, no short positions.
    fn default() -> Self {
        Self {
            initial_cash: 10_000.0,
            fee_bps: 25.0,
            slippage_bps: 5.0,
            risk: RiskLimits::default(),
            market: MarketRules::LONG_ONLY,
            max_bars_in_position: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(change: impl Fn(&mut SessionConfig), expected: &str) {
        let mut config = SessionConfig::default();
        change(&mut config);
        let error = config.validate().unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn impossible_settings_are_refused_by_name() {
        assert_eq!(SessionConfig::default().validate(), Ok(()));
        check(|config| config.initial_cash = 0.0, "initial_cash is 0");
        check(|config| config.initial_cash = f64::INFINITY, "initial_cash is inf");
        check(|config| config.fee_bps = f64::NAN, "fee_bps is NaN");
        check(|config| config.fee_bps = -1.0, "fee_bps is -1");
        check(|config| config.slippage_bps = 10_000.0, "slippage_bps is 10000");
        let zero = walkforward_core::Cash::ZERO;
        check(|config| config.risk.max_order_notional = Some(zero), "max_order_notional is 0");
        check(|config| config.max_bars_in_position = Some(0), "max_bars_in_position is 0");
        check(|config| config.max_bars_in_position = Some(5_256_001), "max_bars_in_position is 5256001");
    }

    #[test]
    fn a_configuration_without_a_limit_on_bars_is_written_as_before_there_was_one() {
        let json = serde_json::to_string(&SessionConfig::default()).unwrap();
        assert!(!json.contains("max_bars_in_position"), "{json}");
        assert_eq!(serde_json::from_str::<SessionConfig>(&json).unwrap(), SessionConfig::default());
        let limited = SessionConfig { max_bars_in_position: Some(9), ..SessionConfig::default() };
        let json = serde_json::to_string(&limited).unwrap();
        assert_eq!(serde_json::from_str::<SessionConfig>(&json).unwrap(), limited);
    }

    #[test]
    fn a_scheme_that_the_market_does_not_allow_is_refused() {
        let mut config = SessionConfig::default();
        let error = config.admit(ActionMap::ShortFlatLong).unwrap_err().to_string();
        assert!(error.contains("takes short positions, and this market does not allow them"), "{error}");
        assert_eq!(config.admit(ActionMap::BuySellHold), Ok(()));
        config.market = MarketRules::SHORTING;
        assert_eq!(config.admit(ActionMap::ShortFlatLong), Ok(()));
    }
}
