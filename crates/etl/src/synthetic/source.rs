//! Synthetic bars on request.

use async_trait::async_trait;
use walkforward_core::{BarRequest, BarSeries, DataSource, SourceBars, SourceError, Timeframe, Timestamp};

use super::walk::{Market, Walk, is_missing};
use crate::Error;

/// Highest index of a synthetic bar: 38 years of minutes. Every bar before the first one asked for is computed.
pub const MAX_SYNTHETIC_BARS: u64 = 20_000_000;

/// 2020-01-01T00:00:00Z.
const ORIGIN_MS: i64 = 1_577_836_800_000;
/// 2024-01-01T00:00:00Z.
const DEFAULT_AS_OF_MS: i64 = 1_704_067_200_000;
const DEFAULT_TIMEFRAME_MINUTES: u32 = 60;

/// A market that exists only as a formula: the same seed gives the same bars everywhere, whatever range is asked
/// for and without any file. The symbol makes no difference, and each timeframe counts its own bars: bar `i` has
/// the same prices in each, so minutes don't add up to the hours.
///
/// * Bar 0 starts at [`origin`](Self::origin) (2020-01-01T00:00Z, for weeks the Monday before); the price starts
///   at 30,000 and is pulled back there, so that ten years of hours stay within a factor of about two.
/// * Rising and falling regimes of 24 to 60 bars take turns; falling ones are more volatile and busier.
/// * Close = close before x (1 + drift + volatility x shock), drift +0.25 % or -0.25 %, volatility about 0.33 %,
///   shocks independent. About 0.5 % of the bars are missing: single ones and outages of up to twelve bars.
///
/// **The edge.** Regimes last, so past returns tell the next ones. A long/flat rule such as "long while the close is
/// above its 20-bar mean", or "above the close of 12 bars ago", filled at the next open with 25 bps fee and 5 bps
/// slippage each way, makes a net annualised Sharpe ratio above 20 on hourly bars, wins more than 0.7 of its trades
/// and loses less than 10 % from peak to trough in a year. No real market does this: the edge is there so that a
/// first run has something to find. [`without_edge`](Self::without_edge) is the same market with drift 0: its close
/// is a martingale, and whoever profits there by more than luck has a leak. Its bars below an hour are calmer, by the
/// root of their length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SyntheticSource {
    seed: u64,
    has_edge: bool,
}

impl SyntheticSource {
    /// The market of `seed`, with its edge.
    pub fn new(seed: u64) -> Self {
        Self { seed, has_edge: true }
    }

    /// The market of `seed` with drift 0: nothing can be learned from it.
    pub fn without_edge(seed: u64) -> Self {
        Self { seed, has_edge: false }
    }

    /// The "now" of requests that name none: 2024-01-01T00:00:00Z.
    pub fn default_as_of() -> Timestamp {
        Timestamp::EPOCH.plus_millis(DEFAULT_AS_OF_MS)
    }

    /// Start of bar 0: 2020-01-01T00:00:00Z, or the start of the interval around it.
    pub fn origin(timeframe: Timeframe) -> Timestamp {
        timeframe.floor(Timestamp::EPOCH.plus_millis(ORIGIN_MS))
    }

    /// Start of bar `index`.
    pub(super) fn open_time(timeframe: Timeframe, index: u64) -> Timestamp {
        let index = i64::try_from(index).unwrap_or(i64::MAX);
        Self::origin(timeframe).plus_millis(timeframe.millis().saturating_mul(index))
    }

    /// Number of whole bars between the origin and `time`.
    pub(super) fn bars_until(timeframe: Timeframe, time: Timestamp) -> u64 {
        let elapsed_ms = time.millis_since(Self::origin(timeframe));
        u64::try_from(elapsed_ms / timeframe.millis()).unwrap_or(0)
    }

    pub(super) fn walk(&self, timeframe: Timeframe) -> Walk {
        let hours = f64::from(timeframe.minutes()) / f64::from(DEFAULT_TIMEFRAME_MINUTES);
        // Nothing pulls a martingale back: at the volatility of hours, years of minutes would end near zero.
        let volatility_scale = if self.has_edge { 1.0 } else { hours.min(1.0).sqrt() };
        Walk::new(self.seed, Market { has_edge: self.has_edge, volatility_scale })
    }

    pub(super) fn is_missing(&self, index: u64) -> bool {
        is_missing(self.seed, index)
    }

    /// The bars that `request` asks for; hourly ones, and those up to [`default_as_of`](Self::default_as_of), when
    /// it doesn't say.
    ///
    /// # Errors
    /// When no bar has closed at the time asked for, or it lies more than [`MAX_SYNTHETIC_BARS`] bars ahead.
    pub fn read(&self, request: &BarRequest) -> Result<SourceBars, Error> {
        let hour = Timeframe::from_minutes(DEFAULT_TIMEFRAME_MINUTES).unwrap_or(Timeframe::MINUTE);
        let timeframe = request.timeframe.unwrap_or(hour);
        let as_of = request.as_of.unwrap_or_else(Self::default_as_of);
        let end = Self::bars_until(timeframe, as_of);
        if end == 0 {
            let first_close = Self::open_time(timeframe, 1);
            return Err(Error::NothingClosed { origin: self.origin_text(), as_of, first_close });
        }
        check_index(end)?;
        let wanted = u64::try_from(request.bars).unwrap_or(u64::MAX).clamp(1, end);
        let bars = self.range(timeframe, end - wanted, end)?;
        Ok(SourceBars::new(bars, as_of, self.origin_text()))
    }

    /// Bars `from..to`, and as many before them as it takes to begin with one that is there.
    fn range(&self, timeframe: Timeframe, from: u64, to: u64) -> Result<BarSeries, Error> {
        let from = (0..=from).rev().find(|&index| !self.is_missing(index)).unwrap_or(0);
        let capacity = usize::try_from(to - from).unwrap_or(0);
        let mut bars = BarSeries::with_capacity(timeframe, capacity);
        let mut walk = self.walk(timeframe);
        while walk.index() < to {
            let index = walk.index();
            if index < from || self.is_missing(index) {
                walk.skip();
                continue;
            }
            let bar =
                walk.next_bar(Self::open_time(timeframe, index)).map_err(|error| self.broken(&error))?;
            bars.push(bar).map_err(|error| self.broken(&error))?;
        }
        Ok(bars)
    }

    pub(super) fn broken(&self, error: &dyn std::error::Error) -> Error {
        Error::Source { origin: self.origin_text(), reason: error.to_string() }
    }

    fn origin_text(&self) -> String {
        let kind = if self.has_edge { "" } else { " without edge" };
        format!("synthetic{kind}, seed {}", self.seed)
    }
}

pub(super) fn check_index(index: u64) -> Result<(), Error> {
    if index > MAX_SYNTHETIC_BARS {
        let what = "the index of a synthetic bar";
        return Err(Error::TooManyBars { what, asked: index, limit: MAX_SYNTHETIC_BARS });
    }
    Ok(())
}

#[async_trait]
impl DataSource for SyntheticSource {
    async fn bars(&self, request: &BarRequest) -> Result<SourceBars, SourceError> {
        Ok(self.read(request)?)
    }
}
