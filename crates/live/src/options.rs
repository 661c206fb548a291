//! What a trader is told and what it is handed.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use walkforward_core::{Bar, BarFeed, Broker, Clock, Symbol, Timeframe};
use walkforward_engine::SessionConfig;

use crate::{ChampionSource, LiveError, SessionLimits};

/// How fast bars are taken from the feed.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Speed {
    /// As fast as they come: replays at full speed, and real feeds, which pace themselves.
    #[default]
    Max,
    /// So many times as fast as the market: with 3600, an hourly bar each second.
    Times(f64),
}

/// Settings of one session.
#[derive(Debug, Clone)]
pub struct TraderOptions {
    /// What is traded. Models of another symbol are refused.
    pub symbol: Symbol,
    /// Length of the feed's bars. Models of another timeframe are refused.
    pub timeframe: Timeframe,
    /// Cash, costs and risk limits.
    pub session: SessionConfig,
    /// What the session may lose and hold.
    pub limits: SessionLimits,
    /// How fast bars are taken.
    pub speed: Speed,
    /// Where decisions are journalled; a journal that exists is continued with a new session header.
    pub journal: PathBuf,
    /// Bars that are kept to warm up a model that comes later, 1 to [`Self::MAX_HISTORY_BARS`].
    pub history_bars: usize,
    /// Bars before the session, oldest first: they warm features up and are not traded.
    pub warm_up: Vec<Bar>,
    /// Time between two looks at the champion's pointer.
    pub poll_interval: Duration,
}

/// What a session is handed.
pub struct TraderPorts {
    /// Where closed bars come from.
    pub feed: Box<dyn BarFeed>,
    /// Who executes orders.
    pub broker: Box<dyn Broker>,
    /// Which model is champion.
    pub champion: Box<dyn ChampionSource>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl TraderOptions {
    /// Bars kept by default, enough for indicators of a month of hours.
    pub const DEFAULT_HISTORY_BARS: usize = 4_096;
    /// Most bars kept: the history of the longest feature period.
    pub const MAX_HISTORY_BARS: usize = 250_000;
    /// Time between two looks at the pointer by default.
    pub const DEFAULT_POLL_INTERVAL: Duration = Duration::from_millis(250);
    /// Shortest and longest time between two looks.
    const POLL_RANGE: std::ops::RangeInclusive<Duration> =
        Duration::from_millis(1)..=Duration::from_secs(3_600);

    /// Options with defaults for all but what has none.
    pub fn new(symbol: Symbol, timeframe: Timeframe, journal: PathBuf) -> Self {
        Self {
            symbol,
            timeframe,
            session: SessionConfig::default(),
            limits: SessionLimits::default(),
            speed: Speed::Max,
            journal,
            history_bars: Self::DEFAULT_HISTORY_BARS,
            warm_up: Vec::new(),
            poll_interval: Self::DEFAULT_POLL_INTERVAL,
        }
    }

    /// Refuses options out of range.
    ///
    /// # Errors
    /// [`LiveError::Option`] or the session's setting names the first that is wrong.
    pub fn validate(&self) -> Result<(), LiveError> {
        self.session.validate()?;
        self.limits.validate()?;
        let wrong = |name, value: String, expected: &str| {
            Err(LiveError::Option { name, value, expected: expected.to_owned() })
        };
        if let Speed::Times(times) = self.speed
            && !(times.is_finite() && times > 0.0)
        {
            return wrong("speed", times.to_string(), "a finite number above 0, or max");
        }
        if !(1..=Self::MAX_HISTORY_BARS).contains(&self.history_bars) {
            return wrong("history_bars", self.history_bars.to_string(), "1 to 250000");
        }
        if !Self::POLL_RANGE.contains(&self.poll_interval) {
            return wrong("poll_interval", format!("{:?}", self.poll_interval), "1 ms to 1 hour");
        }
        Ok(())
    }
}
