//! What a trader is told and what it is handed.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use walkforward_core::{Backfill, Bar, Clock, LineName, MarketFeed, Symbol, Timeframe};
use walkforward_engine::SessionConfig;

use crate::{Behaviour, ChampionSource, ClosingRules, Execution, JournalBounds, LiveError, SessionLimits};

/// How fast bars are taken from the feed.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Speed {
    /// As fast as they come: replays at full speed, and real feeds, which pace themselves.
    #[default]
    Max,
    /// So many times as fast as the market: with 3600, an hourly bar each second.
    Times(f64),
}

/// Whose time it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FeedTime {
    /// The bars': a replay, which comes out the same however long it takes. A bar closes as soon as the feed has all of
    /// it, and nothing is late.
    #[default]
    Bars,
    /// The clock's: a market. A bar closes when its time is over, whether or not the feed says so.
    Clock,
}

/// What happens to an open position when the model changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SwapRule {
    /// The new model goes on with it.
    #[default]
    Inherit,
    /// It is closed first; the new model decides from the bar on at which there is none.
    Flatten,
    /// The old model goes on until it has none.
    WaitFlat {
        /// For at most so many bars; then the new one goes on with the position.
        max_bars: u32,
    },
}

/// A text that is no rule for swaps.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected inherit, flatten, or wait_flat:N with the most bars to wait, 1 to {max}", max = SwapRule::MAX_WAIT_BARS)]
pub struct SwapRuleError;

impl SwapRule {
    /// Most bars that a new model waits: a year of minutes.
    pub const MAX_WAIT_BARS: u32 = 525_600;
}

impl FromStr for SwapRule {
    type Err = SwapRuleError;

    fn from_str(text: &str) -> Result<Self, SwapRuleError> {
        match text {
            "inherit" => Ok(Self::Inherit),
            "flatten" => Ok(Self::Flatten),
            _ => {
                let bars = text.strip_prefix("wait_flat:").and_then(|bars| bars.parse().ok());
                let bars = bars.filter(|bars| (1..=Self::MAX_WAIT_BARS).contains(bars));
                bars.map(|max_bars| Self::WaitFlat { max_bars }).ok_or(SwapRuleError)
            }
        }
    }
}

impl fmt::Display for SwapRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inherit => f.write_str("inherit"),
            Self::Flatten => f.write_str("flatten"),
            Self::WaitFlat { max_bars } => write!(f, "wait_flat:{max_bars}"),
        }
    }
}

/// What is watched while a market is traded by the clock, and what is done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WatchRules {
    /// A bar that is decided so long after its end is missed: no order follows.
    pub max_decision_delay: Duration,
    /// Data are stale when the feed has given no bar for so many of its own intervals.
    pub stale_after_bars: u32,
    /// What is done about stale data.
    pub on_stale: Behaviour,
    /// A model that no cycle has confirmed for so long is told of.
    pub warns_after: Duration,
    /// A model that no cycle has confirmed for so long has expired.
    pub expires_after: Duration,
    /// What is done about an expired model.
    pub on_expired: Behaviour,
    /// What is done about a position when there is no model that can be loaded.
    pub on_no_model: Behaviour,
}

impl Default for WatchRules {
    fn default() -> Self {
        Self {
            max_decision_delay: Duration::from_secs(60),
            stale_after_bars: 10,
            on_stale: Behaviour::ReduceOnly,
            warns_after: Duration::from_secs(18 * 3_600),
            expires_after: Duration::from_secs(7 * 86_400),
            on_expired: Behaviour::ReduceOnly,
            on_no_model: Behaviour::Hold,
        }
    }
}

/// Settings of one session.
#[derive(Debug, Clone)]
pub struct TraderOptions {
    /// Whose champion trades; the journal says it.
    pub line: LineName,
    /// What is traded. Models of another symbol are refused.
    pub symbol: Symbol,
    /// Length of the session's bars: the feed's, or a multiple. Models of another timeframe are refused.
    pub timeframe: Timeframe,
    /// Cash, costs and risk limits.
    pub session: SessionConfig,
    /// What the session may lose and hold.
    pub limits: SessionLimits,
    /// What happens to an open position when the model changes.
    pub swap: SwapRule,
    /// Whose time it is.
    pub time: FeedTime,
    /// When bars close.
    pub closing: ClosingRules,
    /// What is watched.
    pub watch: WatchRules,
    /// How fast bars are taken.
    pub speed: Speed,
    /// The folder in which decisions are journalled.
    pub journal: PathBuf,
    /// How long its segments are, and how many stay.
    pub bounds: JournalBounds,
    /// Whether the session of the journal goes on; else a new one starts in the same folder.
    pub resume: bool,
    /// Name of the deployment for a folder that has none yet; by default the time of its start.
    pub deployment: Option<String>,
    /// Bars that are kept to warm up a model that comes later, 1 to [`Self::MAX_HISTORY_BARS`].
    pub history_bars: usize,
    /// Bars before the session, oldest first: they warm features up and are not traded. A session that goes on has its
    /// own.
    pub warm_up: Vec<Bar>,
    /// Time between two looks at the champion's pointer.
    pub poll_interval: Duration,
}

/// What a session is handed.
pub struct TraderPorts {
    /// Where bars come from.
    pub feed: Box<dyn MarketFeed>,
    /// Who is asked for bars that did not come; without it they stay missing.
    pub backfill: Option<Arc<dyn Backfill>>,
    /// Who executes orders.
    pub execution: Execution,
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
    /// Longest time for which a bar may be decided late.
    const MAX_DELAY: Duration = Duration::from_secs(3_600);

    /// Options with defaults for all but what has none.
    pub fn new(symbol: Symbol, timeframe: Timeframe, journal: PathBuf) -> Self {
        Self {
            line: LineName::default(),
            symbol,
            timeframe,
            session: SessionConfig::default(),
            limits: SessionLimits::default(),
            swap: SwapRule::default(),
            time: FeedTime::default(),
            closing: ClosingRules::default(),
            watch: WatchRules::default(),
            speed: Speed::Max,
            journal,
            bounds: JournalBounds::default(),
            resume: false,
            deployment: None,
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
        let delay = self.watch.max_decision_delay;
        if delay > Self::MAX_DELAY {
            return wrong("max_decision_delay", format!("{delay:?}"), "at most an hour");
        }
        self.validate_bounds()
    }

    fn validate_bounds(&self) -> Result<(), LiveError> {
        let wrong = |name, value: String, expected: String| Err(LiveError::Option { name, value, expected });
        let (bytes, segments) = (JournalBounds::SEGMENT_BYTES, JournalBounds::KEEP_SEGMENTS);
        if !bytes.contains(&self.bounds.segment_bytes) {
            let expected = format!("{} to {}", bytes.start(), bytes.end());
            return wrong("segment_bytes", self.bounds.segment_bytes.to_string(), expected);
        }
        if !segments.contains(&self.bounds.keep_segments) {
            let expected = format!("{} to {}", segments.start(), segments.end());
            return wrong("keep_segments", self.bounds.keep_segments.to_string(), expected);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_swap_rule_reads_back_as_written() {
        for rule in [SwapRule::Inherit, SwapRule::Flatten, SwapRule::WaitFlat { max_bars: 24 }] {
            assert_eq!(rule.to_string().parse(), Ok(rule));
        }
        for text in ["", "wait_flat", "wait_flat:0", "wait_flat:-1", "wait_flat:525601", "Inherit"] {
            assert_eq!(text.parse::<SwapRule>(), Err(SwapRuleError), "{text}");
        }
    }
}
