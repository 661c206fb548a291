//! Feature rows of a whole series.

use walkforward_core::{BarSeries, FeatureSpec, Normaliser};

use super::{BLOCK, BarBlock};
use crate::{EngineError, FeatureEngine};

/// Raw feature rows of a series, from the first bar that has one. There is a row for every bar after it.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureMatrix {
    /// Number of columns.
    pub width: usize,
    /// Index of the first bar with a row; the number of bars when none has one.
    pub first_row: usize,
    /// Rows in bar order, `[bars - first_row, width]`, row-major.
    pub data: Vec<f32>,
}

/// The features of every bar of `bars`: [`FeatureEngine`] in blocks, whose bits do not depend on where they are cut,
/// so batch and stream agree to the bit.
///
/// # Errors
/// As [`FeatureEngine::push`].
pub fn feature_matrix(spec: &FeatureSpec, bars: &BarSeries) -> Result<FeatureMatrix, EngineError> {
    let mut engine = FeatureEngine::new(spec)?;
    let width = engine.width();
    let first_row = spec.warm_up_bars().min(bars.len());
    let mut data = vec![0.0; (bars.len() - first_row) * width];
    for start in (0..bars.len()).step_by(BLOCK) {
        let range = start..(start + BLOCK).min(bars.len());
        let open_times = &bars.open_times()[range.clone()];
        engine.compute(BarBlock::of(bars, range.clone()), open_times)?;
        let cold_bars = first_row.saturating_sub(start).min(range.len());
        let place = |bar: usize| bar.saturating_sub(first_row) * width;
        let rows = &mut data[place(start)..place(range.end)];
        write_rows(&engine.values, range.len(), cold_bars, rows);
        if rows.iter().fold(false, |found, value| found | !value.is_finite()) {
            for (row, &open_time) in rows.chunks_exact(width).zip(&open_times[cold_bars..]) {
                engine.check_row(row, open_time)?;
            }
        }
    }
    Ok(FeatureMatrix { width, first_row, data })
}

/// Columns that are written side by side.
const GROUP: usize = 4;

/// Turns `columns`, `[width, bars]`, into `rows`, `[bars - cold_bars, width]`.
fn write_rows(columns: &[f64], bars: usize, cold_bars: usize, rows: &mut [f32]) {
    let width = columns.len() / bars;
    let column = |index: usize| &columns[index * bars + cold_bars..(index + 1) * bars];
    let grouped = width - width % GROUP;
    for first in (0..grouped).step_by(GROUP) {
        let [a, b, c, d] = std::array::from_fn(|index| column(first + index));
        let values = a.iter().zip(b).zip(c.iter().zip(d));
        for (row, ((a, b), (c, d))) in rows.chunks_exact_mut(width).zip(values) {
            row[first..first + GROUP].copy_from_slice(&[*a as f32, *b as f32, *c as f32, *d as f32]);
        }
    }
    for index in grouped..width {
        for (row, &value) in rows.chunks_exact_mut(width).zip(column(index)) {
            row[index] = value as f32;
        }
    }
}

impl FeatureMatrix {
    /// The row of the bar at `bar_index`, `[width]`.
    pub fn row(&self, bar_index: usize) -> Option<&[f32]> {
        let start = bar_index.checked_sub(self.first_row)? * self.width;
        self.data.get(start..start + self.width)
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.data.len() / self.width
    }

    /// Applies `normaliser` to a copy of all rows.
    ///
    /// # Errors
    /// The normaliser has another width, a scale that is not above zero, or a number that is not finite.
    pub fn normalised(&self, normaliser: &Normaliser) -> Result<NormalisedRows, EngineError> {
        check_normaliser(normaliser, self.width)?;
        let mut matrix = self.clone();
        for row in matrix.data.chunks_exact_mut(self.width) {
            normaliser.apply(row);
        }
        Ok(NormalisedRows(matrix))
    }
}

/// Normalises one raw row in place, `[n_features]`.
///
/// # Errors
/// The normaliser has another width, a scale that is not above zero, or a number that is not finite.
pub fn normalise_row(normaliser: &Normaliser, row: &mut [f32]) -> Result<(), EngineError> {
    check_normaliser(normaliser, row.len())?;
    normaliser.apply(row);
    Ok(())
}

fn check_normaliser(normaliser: &Normaliser, width: usize) -> Result<(), EngineError> {
    let parts = [("the normaliser's mean", &normaliser.mean), ("the normaliser's std", &normaliser.std)];
    for (what, part) in parts {
        if part.len() != width {
            return Err(EngineError::Length { what, expected: width, actual: part.len() });
        }
    }
    let wrong =
        |part, column, value, expected| Err(EngineError::Normaliser { part, column, value, expected });
    for (column, (&mean, &std)) in normaliser.mean.iter().zip(&normaliser.std).enumerate() {
        if !mean.is_finite() {
            return wrong("mean", column, mean, "a finite number");
        }
        if !(std.is_finite() && std > 0.0) {
            return wrong("std", column, std, "a finite number above 0");
        }
    }
    // Without a bound a tiny scale would turn a finite feature into infinity.
    if !(normaliser.clip.is_finite() && normaliser.clip > 0.0) {
        return wrong("clip", 0, normaliser.clip, "a finite number above 0");
    }
    Ok(())
}

/// Feature rows that a normaliser was applied to: what policies see.
#[derive(Debug, Clone, PartialEq)]
pub struct NormalisedRows(FeatureMatrix);

impl NormalisedRows {
    /// Number of columns.
    pub fn width(&self) -> usize {
        self.0.width
    }

    /// Index of the first bar with a row.
    pub fn first_row(&self) -> usize {
        self.0.first_row
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.0.rows()
    }

    /// The row of the bar at `bar_index`, `[width]`.
    pub fn row(&self, bar_index: usize) -> Option<&[f32]> {
        self.0.row(bar_index)
    }

    /// The `lookback` rows that end with the bar at `bar_index`, `[lookback * width]`, oldest first; `None` when
    /// there are not so many.
    pub fn window(&self, bar_index: usize, lookback: usize) -> Option<&[f32]> {
        let end = (bar_index + 1).checked_sub(self.0.first_row)?;
        let start = end.checked_sub(lookback)?;
        self.0.data.get(start * self.0.width..end * self.0.width)
    }

    /// Index of the first bar with a [`window`](Self::window) of `lookback` rows, if the series has one.
    pub fn first_window(&self, lookback: usize) -> Option<usize> {
        let wanted = lookback.max(1);
        (self.0.rows() >= wanted).then(|| self.0.first_row + wanted - 1)
    }
}
