//! One closed bar.

use serde::{Deserialize, Serialize};

use crate::{Timeframe, Timestamp};

/// One closed OHLCV interval: finite prices above zero, `low <= open, close <= high`, volume finite and not negative.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawBar", into = "RawBar")]
pub struct Bar {
    open_time: Timestamp,
    open: f64,
    high: f64,
    low: f64,
    close: f64,
    volume: f64,
}

/// Why five numbers are no bar.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum BarError {
    /// A price is NaN, infinite, zero or negative.
    #[error("{column} is {value}: expected a finite price above 0")]
    Price {
        /// Which of open, high, low, close.
        column: &'static str,
        /// What it is.
        value: f64,
    },
    /// The high is below another price, or the low above one.
    #[error("{reason} (open {open}, high {high}, low {low}, close {close})")]
    Order {
        /// Which rule is broken.
        reason: &'static str,
        /// Open price.
        open: f64,
        /// High price.
        high: f64,
        /// Low price.
        low: f64,
        /// Close price.
        close: f64,
    },
    /// The volume is NaN, infinite or negative.
    #[error("volume is {value}: expected a finite number of at least 0")]
    Volume {
        /// What it is.
        value: f64,
    },
}

impl Bar {
    /// A bar that starts at `open_time`; prices in quote currency, `volume` in the base asset.
    pub fn new(
        open_time: Timestamp,
        open: f64,
        high: f64,
        low: f64,
        close: f64,
        volume: f64,
    ) -> Result<Self, BarError> {
        for (column, value) in [("open", open), ("high", high), ("low", low), ("close", close)] {
            if !value.is_finite() || value <= 0.0 {
                return Err(BarError::Price { column, value });
            }
        }
        let order = |reason| Err(BarError::Order { reason, open, high, low, close });
        if high < low {
            return order("high is below low");
        }
        if high < open.max(close) {
            return order("high is below open or close");
        }
        if low > open.min(close) {
            return order("low is above open or close");
        }
        if !volume.is_finite() || volume < 0.0 {
            return Err(BarError::Volume { value: volume });
        }
        Ok(Self { open_time, open, high, low, close, volume })
    }

    /// A bar in which nothing traded: all prices are `price`, volume 0.
    pub fn flat(open_time: Timestamp, price: f64) -> Result<Self, BarError> {
        Self::new(open_time, price, price, price, price, 0.0)
    }

    /// Start of the interval.
    pub fn open_time(&self) -> Timestamp {
        self.open_time
    }

    /// End of the interval, the first instant at which the bar may be looked at.
    pub fn close_time(&self, timeframe: Timeframe) -> Timestamp {
        self.open_time.plus_millis(timeframe.millis())
    }

    /// First traded price.
    pub fn open(&self) -> f64 {
        self.open
    }

    /// Highest traded price.
    pub fn high(&self) -> f64 {
        self.high
    }

    /// Lowest traded price.
    pub fn low(&self) -> f64 {
        self.low
    }

    /// Last traded price.
    pub fn close(&self) -> f64 {
        self.close
    }

    /// Traded amount of the base asset.
    pub fn volume(&self) -> f64 {
        self.volume
    }
}

#[derive(Serialize, Deserialize)]
struct RawBar {
    t: Timestamp,
    o: f64,
    h: f64,
    l: f64,
    c: f64,
    v: f64,
}

impl TryFrom<RawBar> for Bar {
    type Error = BarError;

    fn try_from(raw: RawBar) -> Result<Self, BarError> {
        Self::new(raw.t, raw.o, raw.h, raw.l, raw.c, raw.v)
    }
}

impl From<Bar> for RawBar {
    fn from(bar: Bar) -> Self {
        Self { t: bar.open_time, o: bar.open, h: bar.high, l: bar.low, c: bar.close, v: bar.volume }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(prices: [f64; 4], volume: f64, expected: &str) {
        let time = Timestamp::from_millis(0).unwrap();
        let [open, high, low, close] = prices;
        let error = Bar::new(time, open, high, low, close, volume).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn corrupt_bars_are_refused_with_the_reason() {
        check([f64::NAN, 2.0, 1.0, 1.5], 1.0, "open is NaN");
        check([1.0, f64::INFINITY, 1.0, 1.5], 1.0, "high is inf");
        check([1.0, 2.0, 0.0, 1.5], 1.0, "low is 0");
        check([1.0, 2.0, 1.0, -1.5], 1.0, "close is -1.5");
        check([1.0, 1.0, 2.0, 1.0], 1.0, "high is below low");
        check([3.0, 2.0, 1.0, 1.5], 1.0, "high is below open or close");
        check([2.0, 3.0, 1.8, 1.5], 1.0, "low is above open or close");
        check([1.0, 2.0, 1.0, 1.5], -1.0, "volume is -1");
    }
}
