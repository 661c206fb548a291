//! A session that is put away between two bars, and taken up again.

use serde::{Deserialize, Deserializer, Serialize};
use walkforward_core::{MarketRules, Order, Quantity};

use crate::{EngineError, SessionConfig};

/// All that a session has come to, exactly: taken up again, it goes on as if it had never been put away.
///
/// It is taken between two bars, behind the decision on the one and before the fills of the other. Its fields are its
/// version: one more or one less is refused, but for `bars_in_position`, which is written where it counts. The pending order is written as what was asked for, because only the risk
/// checks make an approved one, and they do so again when the session is
/// [taken up](crate::TradingSession::resume). Costs and limits are those of the configuration then.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionCheckpoint {
    /// What the market lets the session do.
    pub market: MarketRules,
    /// Cash at the start, in quote currency as all amounts.
    pub start: f64,
    /// Cash at hand.
    pub cash: f64,
    /// Amount of the asset held; below zero when short.
    pub position: Quantity,
    /// Average price at which the position was entered, fees left out; 0 without a position.
    pub average_entry: f64,
    /// The last mark; 0 before the first.
    pub mark: f64,
    /// Profit of closed positions before fees.
    pub realised: f64,
    /// All fees so far.
    pub fees: f64,
    /// Cash plus the position at the mark.
    pub equity: f64,
    /// The order that waits for the next bar.
    #[serde(deserialize_with = "present")]
    pub pending: Option<Order>,
    /// Closes at which the position was held, where [a limit](SessionConfig::max_bars_in_position) counts them; else 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub bars_in_position: u32,
}

fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// A field that has to be there even when it says none.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Order>, D::Error> {
    Option::deserialize(deserializer)
}

const FINITE: &str = "a finite number";

impl SessionCheckpoint {
    /// Refuses what no session of `config` can have come to.
    pub(crate) fn check(&self, config: &SessionConfig) -> Result<(), EngineError> {
        self.check_market(config.market)?;
        let is_held = !self.position.is_zero();
        let can_start = self.start > 0.0 && self.start <= SessionConfig::MAX_INITIAL_CASH;
        let entered = if is_held { self.average_entry > 0.0 } else { self.average_entry == 0.0 };
        let marked = if is_held { self.mark > 0.0 } else { self.mark >= 0.0 };
        let fields = [
            ("start", self.start, can_start, "above 0, at most 1e12"),
            ("cash", self.cash, true, FINITE),
            ("average_entry", self.average_entry, entered, "a price with a position, 0 without"),
            ("mark", self.mark, marked, "a price, or 0 when there is no position"),
            ("realised", self.realised, true, FINITE),
            ("fees", self.fees, true, FINITE),
            ("equity", self.equity, self.equity >= 0.0, "0 or more"),
        ];
        match fields.into_iter().find(|(_, value, can_be, _)| !(value.is_finite() && *can_be)) {
            Some((field, value, _, expected)) => Err(refused(field, value, expected)),
            None => self.check_bars(),
        }
    }

    fn check_bars(&self) -> Result<(), EngineError> {
        match self.bars_in_position {
            1.. if self.position.is_zero() => {
                Err(refused("bars_in_position", self.bars_in_position, "0: there is no position"))
            }
            bars if i32::try_from(bars).is_err() => {
                Err(refused("bars_in_position", bars, "at most 2147483647"))
            }
            _ => Ok(()),
        }
    }

    /// The closes at which the position was held, below 0 for a short one; a [checked](Self::check) number fits.
    pub(crate) fn bars_held(&self) -> i32 {
        let bars = i32::try_from(self.bars_in_position).unwrap_or(i32::MAX);
        if self.position < Quantity::ZERO { -bars } else { bars }
    }

    fn check_market(&self, market: MarketRules) -> Result<(), EngineError> {
        if self.market != market {
            let word =
                |market: MarketRules| if market.shorting { "with shorting" } else { "without shorting" };
            return Err(refused("market", word(self.market), word(market)));
        }
        if self.position < Quantity::ZERO && !market.shorting {
            return Err(refused("position", self.position, "0 or more: this market does not sell short"));
        }
        Ok(())
    }
}

/// The error about a field.
pub(crate) fn refused(field: &'static str, value: impl ToString, expected: impl Into<String>) -> EngineError {
    EngineError::Checkpoint { field, value: value.to_string(), expected: expected.into() }
}
