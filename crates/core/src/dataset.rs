//! What ETL hands to training and evaluation.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{
    BarSeries, FeatureSpec, QualityReport, StageContext, StageError, Symbol, Timeframe, Timestamp, Window,
};

/// What a bar of a dataset's grid is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GapKind {
    /// The source has the bar.
    Present,
    /// The source has no such bar. A flat bar of the previous close stands for it; no order fills on it.
    Missing,
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
    /// What policies will see; its history is fetched before the window.
    pub features: FeatureSpec,
}

/// A complete, checked, fingerprinted stretch of bars: history for the features, then the window.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// What is traded.
    pub symbol: Symbol,
    /// Every bar of the grid, without holes: `history_bars` rows, then the window's.
    pub bars: BarSeries,
    /// What each bar is, `[bars.len()]`.
    pub gap_kinds: Vec<GapKind>,
    /// Rows before the window. They feed features and are neither trained on nor judged. Fewer than the feature
    /// specification asks for when the source begins later; then the window's first rows warm the features up.
    pub history_bars: usize,
    /// The window, hold-out included.
    pub window: Window,
    /// Start of the hold-out: training uses bars that close at or before it.
    pub split: Timestamp,
    /// The "now" of the run.
    pub as_of: Timestamp,
    /// What policies will see.
    pub feature_spec: FeatureSpec,
    /// SHA-256 over bars, gap kinds, window, split and feature specification, lower-case hex.
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

    /// Index of the first bar of the hold-out.
    pub fn split_index(&self) -> usize {
        self.bars.index_at_or_after(self.split)
    }

    /// Whether the source has the bar at `index`.
    pub fn is_present(&self, index: usize) -> bool {
        self.gap_kinds.get(index) == Some(&GapKind::Present)
    }
}

/// Makes datasets: the ETL stage.
#[async_trait]
pub trait DatasetBuilder: Send + Sync {
    /// Fetches, checks and completes the bars that `request` asks for. Writes nothing.
    async fn build(&self, request: &DatasetRequest, ctx: &StageContext) -> Result<Dataset, StageError>;
}
