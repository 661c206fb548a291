//! What ETL hands to training and evaluation.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{
    AbsentMeans, BarSeries, FeatureSpec, MarketCalendar, QualityReport, StageContext, StageError, Symbol,
    Timeframe, Timestamp, Window,
};

/// What an expected bar of a window is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GapKind {
    /// The source gave the bar, also one without volume.
    Present,
    /// The source has no such bar, which by its convention means that nothing traded. A flat bar of the close before
    /// stands for it. It is known, but no order fills on it.
    NoTrade,
    /// The source has no such bar and should have. A flat bar of the close before stands for it: it is no evidence,
    /// counts against the gap budget, and no order fills on it.
    Missing,
    /// The source gave the bar and has changed it since it was first learnt. It is used with its newest values.
    Revised,
}

impl GapKind {
    /// Whether what happened in the bar is known: all but missing ones.
    pub fn is_known(self) -> bool {
        self != Self::Missing
    }

    /// Whether an order can fill on the bar: only on one that the source gave.
    pub fn can_fill(self) -> bool {
        matches!(self, Self::Present | Self::Revised)
    }
}

/// A request for a dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetRequest {
    /// What is traded.
    pub symbol: Symbol,
    /// Length of the bars; none takes the source's own.
    pub timeframe: Option<Timeframe>,
    /// Only bars closed by this time; none is the source's own "now".
    pub as_of: Option<Timestamp>,
    /// Bars in the window, hold-out included.
    pub window_bars: usize,
    /// Bars at the window's end that nobody trains on.
    pub holdout_bars: usize,
    /// Bars before the hold-out that nobody trains on either, and after a model's last bar that don't judge it: room
    /// for labels that reach ahead.
    #[serde(default)]
    pub embargo_bars: usize,
    /// What policies will see; its history is fetched before the window.
    pub features: FeatureSpec,
}

/// A complete, checked, fingerprinted stretch of bars: history for the features, then the window.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// What is traded.
    pub symbol: Symbol,
    /// Every bar that the calendar expects, without holes: `history_bars` rows, then the window's.
    pub bars: BarSeries,
    /// What each bar is, `[bars.len()]`.
    pub gap_kinds: Vec<GapKind>,
    /// Rows before the window. They feed features and are neither trained on nor judged. Fewer than the feature
    /// specification asks for when the source begins later; then the window's first rows warm the features up.
    pub history_bars: usize,
    /// The window, hold-out included.
    pub window: Window,
    /// Start of the hold-out.
    pub split: Timestamp,
    /// Bars between those that are trained on and those that judge.
    pub embargo_bars: usize,
    /// The "now" of the run.
    pub as_of: Timestamp,
    /// What policies will see.
    pub feature_spec: FeatureSpec,
    /// When the market is open, and so which bars are expected.
    pub calendar: MarketCalendar,
    /// What it means that the source has no bar where one is expected.
    pub absent: AbsentMeans,
    /// SHA-256 over bars, gap kinds, window, split, feature specification, calendar and convention, lower-case hex.
    pub hash: String,
    /// What is known about the bars.
    pub quality: QualityReport,
    /// What the bars were read from.
    pub origin: String,
}

impl Dataset {
    /// Length of every bar.
    pub fn timeframe(&self) -> Timeframe {
        self.bars.timeframe()
    }

    /// Training uses bars that close at or before this: the hold-out's start less the embargo.
    pub fn training_end(&self) -> Timestamp {
        let index = self.split_index().saturating_sub(self.embargo_bars);
        if self.embargo_bars == 0 { self.split } else { self.bars.open_times()[index] }
    }

    /// Index of the first bar of the hold-out.
    pub fn split_index(&self) -> usize {
        self.bars.index_at_or_after(self.split)
    }

    /// Whether what happened in the bar at `index` is known, so that it counts as evidence.
    pub fn is_known(&self, index: usize) -> bool {
        self.gap_kinds.get(index).is_some_and(|kind| kind.is_known())
    }

    /// Whether an order can fill on the bar at `index`.
    pub fn can_fill(&self, index: usize) -> bool {
        self.gap_kinds.get(index).is_some_and(|kind| kind.can_fill())
    }
}

/// Makes datasets: the ETL stage.
#[async_trait]
pub trait DatasetBuilder: Send + Sync {
    /// Fetches, checks and completes the bars that `request` asks for. Writes nothing.
    async fn build(&self, request: &DatasetRequest, ctx: &StageContext) -> Result<Dataset, StageError>;
}
