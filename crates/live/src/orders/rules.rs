//! What a desk keeps to.

use serde::{Deserialize, Serialize};
use walkforward_core::{Instrument, Price, RiskLimits};
use walkforward_engine::{FillModel, SessionConfig};

use crate::LiveError;

/// Longest name of a deployment or a line, in characters.
const MAX_NAME_CHARS: usize = 128;
/// Longest that anything is put off, in milliseconds. A moment further away comes from a clock that was set back.
pub(super) const MAX_WAIT_MS: i64 = 60_000;
/// Largest fee and slippage, in basis points; beyond it a setting is a mistake of unit.
const MAX_BPS: f64 = 1_000.0;

/// What becomes of a position that the ledger does not explain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExternalPosition {
    /// Nothing starts and nothing is traded until a person has cleared it up.
    #[default]
    Refuse,
    /// It joins the ledger as if it had been traded at the last price, so that equity does not move.
    Adopt,
}

/// A stop at the venue behind every long position: what closes it when the trader is gone.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DisasterStop {
    /// How far below the mean entry price it wakes, in percent.
    pub stop_pct: f64,
    /// How far below the price that wakes it it still sells, in percent of that.
    pub limit_pct: f64,
}

impl DisasterStop {
    /// Stop and limit of a position that was entered at `entry`; none where they are no prices.
    pub fn prices(&self, entry: f64) -> Option<(Price, Price)> {
        let stop = entry * (1.0 - self.stop_pct / 100.0);
        let limit = stop * (1.0 - self.limit_pct / 100.0);
        Price::new(stop).ok().zip(Price::new(limit).ok())
    }
}

/// How long the desk waits for what. Milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderTimes {
    /// How long after its decision an order may be handed in, again or for the first time.
    pub live_ms: i64,
    /// First wait before a question or an order is tried again; each further one is twice as long.
    pub first_wait_ms: i64,
    /// Longest such wait.
    pub max_wait_ms: i64,
    /// Between two looks at an open order while updates don't come.
    pub poll_ms: i64,
    /// Between two looks at an open order while they come.
    pub rest_poll_ms: i64,
    /// How long after it was last handed in an order that can't be found is still looked for.
    pub quiet_ms: i64,
    /// How long the venue's position may lag behind its orders.
    pub lag_ms: i64,
    /// How long an answer may take; then the question counts as lost.
    pub patience_ms: i64,
}

impl Default for OrderTimes {
    fn default() -> Self {
        Self {
            live_ms: 30_000,
            first_wait_ms: 250,
            max_wait_ms: 8_000,
            poll_ms: 2_000,
            rest_poll_ms: 15_000,
            quiet_ms: 15_000,
            lag_ms: 3_000,
            patience_ms: 45_000,
        }
    }
}

impl OrderTimes {
    /// The wait after so many tries.
    pub(super) fn wait_ms(&self, tries: u32) -> i64 {
        let doubled = self.first_wait_ms.saturating_mul(1 << tries.min(16));
        doubled.min(self.max_wait_ms)
    }
}

/// Settings of a desk: whose orders, of what, at which costs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderRules {
    /// Name of the deployment, kept on disk: two deployments never give the same name to an order.
    pub deployment: String,
    /// The line that trades.
    pub line: String,
    /// What the venue takes of the symbol.
    pub instrument: Instrument,
    /// Bounds on orders, for one that is made again after a start.
    pub risk: RiskLimits,
    /// Declared fee of either side, in basis points: where the venue does not tell it.
    pub fee_bps: f64,
    /// Slippage of the cost model, in basis points.
    pub slippage_bps: f64,
    /// What becomes of a position that the ledger does not explain.
    #[serde(default)]
    pub external: ExternalPosition,
    /// A stop behind every position, if there is to be one.
    #[serde(default)]
    pub disaster_stop: Option<DisasterStop>,
    /// How long the desk waits for what.
    #[serde(default)]
    pub times: OrderTimes,
}

impl OrderRules {
    /// The declared costs, as the engine counts them everywhere.
    pub(super) fn fees(&self) -> FillModel {
        let (fee_bps, slippage_bps) = (self.fee_bps, self.slippage_bps);
        FillModel::new(&SessionConfig { fee_bps, slippage_bps, ..SessionConfig::default() })
    }

    /// Refuses settings out of range.
    ///
    /// # Errors
    /// [`LiveError::Option`] names the first that is wrong.
    pub fn validate(&self) -> Result<(), LiveError> {
        for (name, text) in [("deployment", &self.deployment), ("line", &self.line)] {
            let chars = text.chars().count();
            if !(1..=MAX_NAME_CHARS).contains(&chars) || text.chars().any(char::is_control) {
                return wrong(
                    name,
                    format!("{text:?}"),
                    "1 to 128 characters, none of them a control character",
                );
            }
        }
        for (name, value) in [("fee_bps", self.fee_bps), ("slippage_bps", self.slippage_bps)] {
            if !(0.0..=MAX_BPS).contains(&value) {
                return wrong(name, value.to_string(), "0 to 1000 basis points");
            }
        }
        let percents =
            self.disaster_stop.map(|it| [("disaster_stop_pct", it.stop_pct), ("limit_pct", it.limit_pct)]);
        for (name, value) in percents.into_iter().flatten() {
            if !(value > 0.0 && value < 100.0) {
                return wrong(name, value.to_string(), "a percentage above 0 and below 100");
            }
        }
        self.check_times()
    }

    fn check_times(&self) -> Result<(), LiveError> {
        let times = &self.times;
        for (name, value) in [
            ("times.live_ms", times.live_ms),
            ("times.first_wait_ms", times.first_wait_ms),
            ("times.max_wait_ms", times.max_wait_ms),
            ("times.poll_ms", times.poll_ms),
            ("times.rest_poll_ms", times.rest_poll_ms),
            ("times.quiet_ms", times.quiet_ms),
            ("times.lag_ms", times.lag_ms),
            ("times.patience_ms", times.patience_ms),
        ] {
            if !(1..=MAX_WAIT_MS).contains(&value) {
                return wrong(name, value.to_string(), "1 millisecond to a minute");
            }
        }
        Ok(())
    }
}

fn wrong(name: &'static str, value: String, expected: &str) -> Result<(), LiveError> {
    Err(LiveError::Option { name, value, expected: expected.to_owned() })
}

#[cfg(test)]
pub(super) mod tests {
    use walkforward_core::Quantity;

    use super::*;

    /// Rules of tests: 25 bps, 5 bps, BTC's grid.
    pub(in crate::orders) fn rules() -> OrderRules {
        OrderRules {
            deployment: "deployment-1".to_owned(),
            line: "default".to_owned(),
            instrument: Instrument {
                quantity_step: Quantity::from_nanos(1),
                minimum: Quantity::from_nanos(12_000),
                price_step: Price::new(0.01).unwrap(),
                minimum_notional: walkforward_core::Cash::new(10.0).ok(),
                maximum_notional: None,
                tradable: true,
            },
            risk: RiskLimits::default(),
            fee_bps: 25.0,
            slippage_bps: 5.0,
            external: ExternalPosition::Refuse,
            disaster_stop: None,
            times: OrderTimes::default(),
        }
    }

    #[test]
    fn rules_out_of_range_are_refused_by_name() {
        rules().validate().unwrap();
        let stop = |stop_pct, limit_pct| Some(DisasterStop { stop_pct, limit_pct });
        for (wrong, name) in [
            (OrderRules { deployment: String::new(), ..rules() }, "deployment"),
            (OrderRules { line: "a\nb".to_owned(), ..rules() }, "line"),
            (OrderRules { fee_bps: f64::NAN, ..rules() }, "fee_bps"),
            (OrderRules { slippage_bps: -1.0, ..rules() }, "slippage_bps"),
            (OrderRules { disaster_stop: stop(0.0, 1.0), ..rules() }, "disaster_stop_pct"),
            (OrderRules { disaster_stop: stop(5.0, 100.0), ..rules() }, "limit_pct"),
            (
                OrderRules { times: OrderTimes { quiet_ms: 0, ..OrderTimes::default() }, ..rules() },
                "quiet_ms",
            ),
        ] {
            let error = wrong.validate().unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
    }

    #[test]
    fn waits_grow_to_their_bound() {
        let times = OrderTimes::default();
        assert_eq!([0, 1, 2, 5, 99].map(|tries| times.wait_ms(tries)), [250, 500, 1_000, 8_000, 8_000]);
    }
}
