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
    /// Expected bars that are not there and should be.
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
    /// Whether the file's last line has no line end: its last number may be cut short, which nothing else tells.
    #[serde(default)]
    pub unterminated_last_line: bool,
    /// Bars of the file's own timeframe in each of these bars; 0 when the bars were not made of shorter ones.
    #[serde(default)]
    pub base_bars_per_bar: usize,
    /// Shorter bars that are missing, also inside bars that are there; 0 when the bars were not made of shorter ones.
    #[serde(default)]
    pub missing_base_bars: usize,
    /// Shorter bars that the calendar expects; 0 when the bars were not made of shorter ones.
    #[serde(default)]
    pub expected_base_bars: usize,
    /// Expected bars that are not there because nothing traded.
    #[serde(default)]
    pub no_trade_bars: usize,
    /// Bars that the source has changed since they were first learnt.
    #[serde(default)]
    pub revised_bars: usize,
    /// Bars that are there, unchanged as far as is known.
    #[serde(default)]
    pub present_bars: usize,
    /// Bars that the source gave for times at which the market is closed; they are left out.
    #[serde(default)]
    pub outside_session_bars: usize,
}

impl QualityFigures {
    /// Share of the expected bars that are missing, 0 to 1; where they were made of shorter ones, the share of those.
    pub fn missing_share(&self) -> f64 {
        let given = self.rows - self.duplicates.min(self.rows);
        let expected = given + self.no_trade_bars + self.missing_bars;
        match (expected, self.base_bars_per_bar, self.expected_base_bars) {
            (0, _, _) => 0.0,
            (_, 0, _) => self.missing_bars as f64 / expected as f64,
            (_, per_bar, 0) => self.missing_base_bars as f64 / expected.saturating_mul(per_bar) as f64,
            (_, _, expected_base) => self.missing_base_bars as f64 / expected_base as f64,
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_missing_share_counts_shorter_bars_where_there_are_any() {
        let figures = QualityFigures { rows: 9, missing_bars: 1, ..QualityFigures::default() };
        assert_eq!(figures.missing_share(), 0.1);
        let longer = QualityFigures { base_bars_per_bar: 60, missing_base_bars: 90, ..figures };
        assert_eq!(longer.missing_share(), 0.15);
    }

    #[test]
    fn figures_from_before_a_figure_was_added_are_read() {
        let mut json = serde_json::to_value(QualityFigures::default()).unwrap();
        let added = [
            "unterminated_last_line",
            "base_bars_per_bar",
            "missing_base_bars",
            "expected_base_bars",
            "no_trade_bars",
            "revised_bars",
            "present_bars",
            "outside_session_bars",
        ];
        for added in added {
            json.as_object_mut().unwrap().remove(added);
        }
        assert_eq!(serde_json::from_value::<QualityFigures>(json).unwrap(), QualityFigures::default());
    }
}
