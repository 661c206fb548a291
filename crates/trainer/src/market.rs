//! The part of a dataset that training may see, with its features.

use std::ops::Range;

use walkforward_core::{Bar, Dataset, Normalisation, Normaliser, Timeframe, Timestamp};
use walkforward_engine::{FeatureMatrix, NormalisedRows, feature_matrix};

use crate::TrainerError;

/// Largest absolute value of a normalised feature.
const CLIP: f32 = 5.0;
/// Below this deviation a column is constant and keeps its scale.
const LEAST_STD: f64 = 1e-6;

/// Bars that close at or before the end of training, and what a policy sees of them. Nothing else of the dataset is kept.
#[derive(Debug)]
pub(crate) struct Market {
    bars: Vec<Bar>,
    can_fill: Vec<bool>,
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
        let training_end = dataset.training_end();
        let is_closed = |open: &Timestamp| open.plus_millis(timeframe.millis()) <= training_end;
        let end = dataset.bars.open_times().partition_point(is_closed);
        let bars = dataset.bars.slice(0..end);
        let matrix = feature_matrix(&dataset.feature_spec, &bars)?;
        let learn_end = end.saturating_sub(validation_bars);
        let normaliser = normaliser.unwrap_or_else(|| {
            let fitted = fit(&matrix, dataset.history_bars..learn_end);
            leave_out(fitted, &dataset.feature_spec.normalisations())
        });
        let rows = matrix.normalised(&normaliser)?;
        let first = rows.first_window(lookback).unwrap_or(end).max(dataset.history_bars).min(end);
        let can_fill = (0..end).map(|index| dataset.can_fill(index)).collect();
        Ok(Self { bars: bars.iter().collect(), can_fill, rows, normaliser, first, learn_end, timeframe })
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

    /// The bar at `index` and whether an order can fill on it.
    pub(crate) fn bar(&self, index: usize) -> (&Bar, bool) {
        (&self.bars[index], self.can_fill[index])
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

/// The normaliser without effect on the columns that their features declare to be left as they are.
fn leave_out(mut normaliser: Normaliser, normalisations: &[Normalisation]) -> Normaliser {
    for (column, normalisation) in normalisations.iter().enumerate() {
        if *normalisation == Normalisation::None {
            (normaliser.mean[column], normaliser.std[column]) = (0.0, 1.0);
        }
    }
    normaliser
}

#[cfg(test)]
mod tests {
    use walkforward_core::{
        AbsentMeans, BarSeries, Feature, FeatureKind, FeatureSpec, GapKind, MarketCalendar, QualityFigures,
        QualityReport, Window,
    };

    use super::*;

    const HISTORY_BARS: usize = 100;
    const HOLDOUT_BARS: usize = 80;
    const VALIDATION_BARS: usize = 40;

    /// A walk whose bars from `changed` on are those of another seed; 100 bars of history, 80 held out.
    fn dataset(seed: u64, changed: usize, spec: FeatureSpec) -> Dataset {
        let timeframe = Timeframe::MINUTE;
        let at = |index: usize| Timestamp::EPOCH.plus_millis(index as i64 * timeframe.millis());
        let mut bars = BarSeries::new(timeframe);
        let mut close = 100.0;
        for index in 0..500 {
            let turn = (index as u64 * 37 + if index < changed { 0 } else { seed % 89 + 1 }) % 101;
            let open: f64 = close;
            close *= 1.0 + (turn as f64 - 50.0) * 1e-4;
            let bar = Bar::new(at(index), open, open.max(close), open.min(close), close, turn as f64);
            bars.push(bar.unwrap()).unwrap();
        }
        Dataset {
            symbol: "BTC/USD".parse().unwrap(),
            gap_kinds: vec![GapKind::Present; bars.len()],
            embargo_bars: 0,
            history_bars: HISTORY_BARS,
            window: Window::new(at(HISTORY_BARS), at(500)).unwrap(),
            split: at(500 - HOLDOUT_BARS),
            as_of: at(500),
            feature_spec: spec,
            calendar: MarketCalendar::Continuous,
            absent: AbsentMeans::Missing,
            hash: "test".to_owned(),
            quality: QualityReport { file: None, window: QualityFigures::default() },
            origin: "walk".to_owned(),
            bars,
        }
    }

    fn normaliser(dataset: &Dataset) -> Normaliser {
        Market::new(dataset, 4, None, VALIDATION_BARS).unwrap().normaliser
    }

    #[test]
    fn a_feature_that_is_not_normalised_is_seen_as_it_is() {
        let mut features = FeatureSpec::default().features().to_vec();
        let rsi =
            features.iter_mut().find(|feature| matches!(feature.kind, FeatureKind::Rsi { .. })).unwrap();
        *rsi = Feature { normalise: Normalisation::None, ..rsi.clone() };
        let spec = FeatureSpec::with_normalisation(features).unwrap();
        let (mixed, all) = (dataset(1, 500, spec), dataset(1, 500, FeatureSpec::default()));
        let raw = feature_matrix(&mixed.feature_spec, &mixed.bars).unwrap();
        let column = mixed.feature_spec.columns().iter().position(|name| name == "rsi").unwrap();
        let market = Market::new(&mixed, 1, None, 0).unwrap();
        assert_eq!(market.window(300, 1)[column], raw.row(300).unwrap()[column]);
        let (mixed, all) = (normaliser(&mixed), normaliser(&all));
        assert_eq!((mixed.mean[column], mixed.std[column]), (0.0, 1.0));
        assert_eq!(mixed.mean[..column], all.mean[..column]);
        assert_ne!(all.std[column], 1.0);
    }

    #[test]
    fn bars_that_nobody_learns_from_change_nothing_in_the_normaliser() {
        let learned_from = 500 - HOLDOUT_BARS - VALIDATION_BARS;
        let spec = FeatureSpec::catalogue();
        let fitted = normaliser(&dataset(0, 500, spec.clone()));
        for later in 0..HOLDOUT_BARS + VALIDATION_BARS {
            let changed = dataset(later as u64, learned_from + later, spec.clone());
            assert_eq!(normaliser(&changed), fitted, "{later} bars after the last one that is learned from");
        }
        assert_ne!(normaliser(&dataset(0, learned_from - 1, spec)), fitted);
    }

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
