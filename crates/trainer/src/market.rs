//! The part of a dataset that training may see, with its features.

use std::ops::Range;

use walkforward_core::{Bar, Dataset, Normaliser, Timeframe, Timestamp};
use walkforward_engine::{FeatureMatrix, NormalisedRows, feature_matrix};

use crate::TrainerError;

/// Largest absolute value of a normalised feature.
const CLIP: f32 = 5.0;
/// Below this deviation a column is constant and keeps its scale.
const LEAST_STD: f64 = 1e-6;

/// Bars that close at or before the split, and what a policy sees of them. Nothing else of the dataset is kept.
#[derive(Debug)]
pub(crate) struct Market {
    bars: Vec<Bar>,
    present: Vec<bool>,
    rows: NormalisedRows,
    normaliser: Normaliser,
    first: usize,
    /// Index of the first bar that nobody learns from: the validation bars, or the end.
    learn_end: usize,
    timeframe: Timeframe,
}

impl Market {
    /// Cuts `dataset` at its split and computes features; `normaliser` is the parent's, else one is fitted on the bars
    /// that are learned from, which are all but the last `validation_bars`.
    pub(crate) fn new(
        dataset: &Dataset,
        lookback: usize,
        normaliser: Option<Normaliser>,
        validation_bars: usize,
    ) -> Result<Self, TrainerError> {
        let timeframe = dataset.timeframe();
        let is_closed = |open: &Timestamp| open.plus_millis(timeframe.millis()) <= dataset.split;
        let end = dataset.bars.open_times().partition_point(is_closed);
        let bars = dataset.bars.slice(0..end);
        let matrix = feature_matrix(&dataset.feature_spec, &bars)?;
        let learn_end = end.saturating_sub(validation_bars);
        let normaliser = normaliser.unwrap_or_else(|| fit(&matrix, dataset.history_bars..learn_end));
        let rows = matrix.normalised(&normaliser)?;
        let first = rows.first_window(lookback).unwrap_or(end).max(dataset.history_bars).min(end);
        let present = (0..end).map(|index| dataset.is_present(index)).collect();
        Ok(Self { bars: bars.iter().collect(), present, rows, normaliser, first, learn_end, timeframe })
    }

    /// Index of the last bar at which an episode of `episode_bars` may start.
    pub(crate) fn last_start(&self, episode_bars: usize) -> Result<usize, TrainerError> {
        let available = self.learn_end.saturating_sub(self.first);
        let needed = episode_bars + 1;
        if available < needed {
            return Err(TrainerError::TooFewBars { available, needed });
        }
        Ok(self.learn_end - needed)
    }

    /// Indices of the bars that nobody learns from.
    pub(crate) fn validation(&self) -> Range<usize> {
        self.learn_end..self.bars.len()
    }

    /// Index of the first bar in the window with a full observation.
    pub(crate) fn first(&self) -> usize {
        self.first
    }

    /// Columns of a feature row.
    pub(crate) fn width(&self) -> usize {
        self.rows.width()
    }

    /// The bar at `index` and whether the source has it.
    pub(crate) fn bar(&self, index: usize) -> (&Bar, bool) {
        (&self.bars[index], self.present[index])
    }

    /// The feature rows of the observation at bar `index`, `[lookback * width]`; empty before the first.
    pub(crate) fn window(&self, index: usize, lookback: usize) -> &[f32] {
        self.rows.window(index, lookback).unwrap_or(&[])
    }

    /// Close of the bar at `index`.
    pub(crate) fn close_time(&self, index: usize) -> Timestamp {
        self.bars[index].close_time(self.timeframe)
    }

    /// Close of the last bar that training sees.
    pub(crate) fn used_until(&self) -> Option<Timestamp> {
        self.bars.last().map(|bar| bar.close_time(self.timeframe))
    }

    pub(crate) fn normaliser(&self) -> &Normaliser {
        &self.normaliser
    }
}

/// Mean and population deviation of each column over the rows of `bars`, summed in `f64`.
fn fit(matrix: &FeatureMatrix, bars: Range<usize>) -> Normaliser {
    let width = matrix.width;
    let at = |bar: usize| (bar.saturating_sub(matrix.first_row) * width).min(matrix.data.len());
    let rows = matrix.data.get(at(bars.start)..at(bars.end)).unwrap_or(&[]);
    let count = (rows.len() / width).max(1) as f64;
    let mut mean = vec![0.0_f64; width];
    for row in rows.chunks_exact(width) {
        mean.iter_mut().zip(row).for_each(|(sum, &x)| *sum += f64::from(x) / count);
    }
    let mut variance = vec![0.0_f64; width];
    for row in rows.chunks_exact(width) {
        for ((sum, &x), mean) in variance.iter_mut().zip(row).zip(&mean) {
            *sum += (f64::from(x) - mean).powi(2) / count;
        }
    }
    let scale = |variance: &f64| if variance.sqrt() < LEAST_STD { 1.0 } else { variance.sqrt() as f32 };
    Normaliser {
        mean: mean.iter().map(|&x| x as f32).collect(),
        std: variance.iter().map(scale).collect(),
        clip: CLIP,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_normaliser_is_fitted_on_the_window_alone() {
        // Two columns; the first row belongs to the history, the last to the validation bars.
        let data = vec![100.0, 7.0, 1.0, 7.0, 3.0, 7.0, 50.0, 7.0];
        let matrix = FeatureMatrix { width: 2, first_row: 4, data };
        let normaliser = fit(&matrix, 5..7);
        assert_eq!(normaliser.mean, [2.0, 7.0]);
        assert_eq!(normaliser.std, [1.0, 1.0], "a constant column keeps its scale");
    }
}
