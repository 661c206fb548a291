//! Where bars come from.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{
    Bar, BarSeries, ErrorKind, MarketCalendar, QualityFigures, Symbol, Timeframe, Timestamp, Window,
};

/// A request for the most recent bars.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BarRequest {
    /// What is traded.
    pub symbol: Symbol,
    /// Length of the bars; none lets a source with one timeframe answer in its own.
    pub timeframe: Option<Timeframe>,
    /// Only bars that have closed by this time; none is the source's own "now".
    pub as_of: Option<Timestamp>,
    /// Expected bars wanted before `as_of`. A source may give more, and fewer when it has no more.
    pub bars: usize,
    /// When the market is open. Bars outside are not expected; a source may give them, nobody uses them.
    #[serde(default)]
    pub calendar: MarketCalendar,
}

impl BarRequest {
    /// A request for `bars` bars up to the source's own "now", in its own timeframe, of a market that never closes.
    pub fn new(symbol: Symbol, bars: usize) -> Self {
        Self { symbol, timeframe: None, as_of: None, bars, calendar: MarketCalendar::Continuous }
    }
}

/// What it means that a source has no bar where the calendar expects one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AbsentMeans {
    /// The bar is missing.
    #[default]
    Missing,
    /// Nothing traded: the source makes bars of trades alone.
    NoTrade,
}

/// The answer to a [`BarRequest`].
#[derive(Debug, Clone, PartialEq)]
pub struct SourceBars {
    /// Closed bars, holes left open.
    pub bars: BarSeries,
    /// The "now" that the bars were cut at.
    pub as_of: Timestamp,
    /// Figures about the whole file, for sources that read one.
    pub file: Option<QualityFigures>,
    /// What the bars were read from, for the record: a file name, a service, a seed.
    pub origin: String,
    /// What the bars were made of, for a source that made them of shorter ones.
    pub base: Option<BaseBars>,
    /// What it means that an expected bar is not there.
    pub absent: AbsentMeans,
    /// Starts of the bars that the source has changed since they were first learnt, ascending; empty for a source
    /// that doesn't remember.
    pub revised: Vec<Timestamp>,
}

impl SourceBars {
    /// Bars up to `as_of` from `origin`, of which nothing else is known: an absent bar is missing.
    pub fn new(bars: BarSeries, as_of: Timestamp, origin: impl Into<String>) -> Self {
        let (file, base, absent, revised) = (None, None, AbsentMeans::Missing, Vec::new());
        Self { bars, as_of, file, origin: origin.into(), base, absent, revised }
    }
}

/// The shorter bars that longer ones were made of: a longer bar that is there may lack some of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseBars {
    /// Length of the shorter bars.
    pub timeframe: Timeframe,
    /// Start of each longer interval with any shorter bar in it, and how many there are; ascending.
    pub present: Vec<(Timestamp, usize)>,
}

impl BaseBars {
    /// Shorter bars that are there in the longer intervals that start inside `window`.
    pub fn present_within(&self, window: Window) -> usize {
        let at = |time| self.present.partition_point(|&(start, _)| start < time);
        self.present[at(window.start())..at(window.end())].iter().map(|&(_, present)| present).sum()
    }
}

/// Why a source has no bars.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct SourceError {
    /// What to do about it.
    pub kind: ErrorKind,
    /// What is wrong, where, and what was expected.
    pub message: String,
}

impl SourceError {
    /// The request or the data can't be used.
    pub fn bad_input(message: impl Into<String>) -> Self {
        Self { kind: ErrorKind::BadInput, message: message.into() }
    }
}

/// Gives past bars.
#[async_trait]
pub trait DataSource: Send + Sync {
    /// The bars that `request` asks for.
    async fn bars(&self, request: &BarRequest) -> Result<SourceBars, SourceError>;
}

/// Gives closed bars one by one as they come.
#[async_trait]
pub trait BarFeed: Send {
    /// The next closed bar; `None` when there are no more.
    async fn next_bar(&mut self) -> Result<Option<Bar>, SourceError>;
}
