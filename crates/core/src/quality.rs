//! What is known about the bars that a model was made from.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// Figures about a stretch of bars: a whole file as it was read, or the window of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct QualityFigures {
    /// Data rows, header and banner not counted.
    pub rows: usize,
    /// Start of the first bar.
    pub first_open_time: Option<Timestamp>,
    /// Start of the last bar.
    pub last_open_time: Option<Timestamp>,
    /// Rows whose start stood in the file before.
    pub duplicates: usize,
    /// Bars of the grid between first and last that are not there.
    pub missing_bars: usize,
    /// Missing bars in the longest hole.
    pub longest_hole_bars: usize,
    /// Bars in which nothing traded.
    pub zero_volume_bars: usize,
    /// Bars with open = high = low = close.
    pub flat_bars: usize,
    /// Rows that stand out of the file's order.
    pub out_of_order_rows: usize,
    /// Rows that are no bar, the first of them with line and reason.
    pub rejected_rows: Vec<RejectedRow>,
    /// Number of rows that are no bar.
    pub rejected_count: usize,
    /// Bars left out because they had not closed at the as-of time, or on request.
    pub unfinished_dropped: usize,
}

impl QualityFigures {
    /// Share of the grid's bars that are missing, 0 to 1.
    pub fn missing_share(&self) -> f64 {
        let expected = self.rows - self.duplicates.min(self.rows) + self.missing_bars;
        if expected == 0 { 0.0 } else { self.missing_bars as f64 / expected as f64 }
    }
}

/// A row that is no bar.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RejectedRow {
    /// Line in the file, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub reason: String,
}

/// Figures about the file and about the window that was cut from it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QualityReport {
    /// The whole file as it was read; none for sources without files.
    pub file: Option<QualityFigures>,
    /// The window of the run.
    pub window: QualityFigures,
}
