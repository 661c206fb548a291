//! Features in intervals, and sums over them.

use std::ops::Range;

use super::rows::Rows;

/// Intervals that a feature is cut into, at the quantiles of its values.
pub(super) const BINS: usize = 32;

/// First and second derivative of the loss of one row, the first with the other sign.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slope {
    pub(super) gradient: f64,
    pub(super) curvature: f64,
}

/// Sums over the rows of a bin, or of a node.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sums {
    pub(super) gradient: f64,
    pub(super) curvature: f64,
    pub(super) rows: usize,
}

impl Sums {
    pub(super) fn add(&mut self, slope: &Slope) {
        self.gradient += slope.gradient;
        self.curvature += slope.curvature;
        self.rows += 1;
    }

    pub(super) fn plus(self, other: &Self) -> Self {
        Self {
            gradient: self.gradient + other.gradient,
            curvature: self.curvature + other.curvature,
            rows: self.rows + other.rows,
        }
    }

    pub(super) fn minus(self, other: &Self) -> Self {
        Self {
            gradient: self.gradient - other.gradient,
            curvature: self.curvature - other.curvature,
            rows: self.rows - other.rows,
        }
    }

    pub(super) fn gain(&self, penalty: f64) -> f64 {
        self.gradient * self.gradient / (self.curvature + penalty)
    }
}

/// Features as numbers of their intervals.
pub(super) struct Binned {
    pub(super) inputs: usize,
    rows: usize,
    /// Ascending, `[inputs][at most BINS - 1]`.
    pub(super) cuts: Vec<Vec<f32>>,
    /// How many cuts of its feature lie below a number, `[inputs, rows]`.
    bins: Vec<u8>,
}

impl Binned {
    pub(super) fn new(rows: &Rows, fit: Range<usize>) -> Self {
        let mut binned = Self { inputs: rows.inputs, rows: fit.len(), cuts: Vec::new(), bins: Vec::new() };
        binned.bins.reserve(binned.inputs * binned.rows);
        for feature in 0..rows.inputs {
            let column: Vec<f32> = fit.clone().map(|row| rows.features(row)[feature]).collect();
            let mut sorted = column.clone();
            sorted.sort_by(f32::total_cmp);
            let mut cuts: Vec<f32> = (1..BINS).map(|bin| sorted[bin * sorted.len() / BINS]).collect();
            cuts.dedup();
            let bin = |x: &f32| cuts.partition_point(|cut| x > cut) as u8;
            binned.bins.extend(column.iter().map(bin));
            binned.cuts.push(cuts);
        }
        binned
    }

    pub(super) fn column(&self, feature: usize) -> &[u8] {
        &self.bins[feature * self.rows..(feature + 1) * self.rows]
    }
}
