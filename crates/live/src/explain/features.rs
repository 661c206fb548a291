//! How far what a model saw lies from what it was trained on.

use serde::Serialize;
use walkforward_core::{BarSeries, Normalisation, PolicySpec};
use walkforward_engine::feature_matrix;

use crate::{Desk, LiveError, SegmentHeader};

/// Features that are named.
pub const FARTHEST_FEATURES: usize = 5;

/// A feature at a bar, and where it stands among the rows that the model was trained on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FeatureDistance {
    /// Its column.
    pub column: String,
    /// Its value, from the bars that the segment keeps.
    pub value: f64,
    /// Mean in training.
    pub mean: f64,
    /// Standard deviation in training.
    pub deviation: f64,
    /// `(value - mean) / deviation`.
    pub z: f64,
    /// What the model saw: the same, cut at the normaliser's bound.
    pub seen: f64,
}

/// The columns of the bar's own row that are furthest from their mean, the furthest first. Columns that are not
/// normalised are left out: nobody noted how they were distributed.
pub(super) fn farthest(
    spec: &PolicySpec,
    observation: &[f32],
    desk: &Desk,
    header: &SegmentHeader,
) -> Result<Vec<FeatureDistance>, LiveError> {
    let width = spec.features.width();
    let mut bars = BarSeries::new(header.timeframe);
    for bar in desk.history() {
        // The bars of a desk stand on their grid.
        if bars.push(*bar).is_err() {
            return Ok(Vec::new());
        }
    }
    let matrix = feature_matrix(&spec.features, &bars)?;
    let newest = matrix.data.len().checked_sub(width).map(|begin| &matrix.data[begin..]);
    let seen = spec.lookback.checked_sub(1).map(|rows| rows * width);
    let seen = seen.and_then(|begin| observation.get(begin..begin + width));
    let (Some(newest), Some(seen)) = (newest, seen) else { return Ok(Vec::new()) };
    let mut distances: Vec<FeatureDistance> = (spec.features.columns().into_iter())
        .zip(spec.features.normalisations())
        .enumerate()
        .filter(|(_, (_, normalisation))| *normalisation == Normalisation::Standard)
        .map(|(index, (column, _))| {
            let value = f64::from(newest[index]);
            let mean = f64::from(spec.normaliser.mean[index]);
            let deviation = f64::from(spec.normaliser.std[index]);
            let z = (value - mean) / deviation;
            FeatureDistance { column, value, mean, deviation, z, seen: f64::from(seen[index]) }
        })
        .collect();
    distances.sort_by(|a, b| b.z.abs().total_cmp(&a.z.abs()));
    distances.truncate(FARTHEST_FEATURES);
    Ok(distances)
}
