//! The look-ahead check: does a source say later what it said at the time?
//!
//! The dataset of a time is built twice: at that time, and again when more bars have closed. What was known is known: each
//! bar up to that time, and each feature made of it, has to be the same, bit for bit. A source that writes into the past
//! shows values in a backtest that nobody had when the bar closed.

use serde::Serialize;
use walkforward::failure::Failure;
use walkforward_core::{Bar, BarSeries, Dataset, DatasetRequest, Timestamp};
use walkforward_engine::feature_matrix;

use super::Rehearsal;

/// Bars that close before the second look.
const LATER_BARS: usize = 24;
/// Bars from one time that is checked to the one before: any number that is no whole part of a day.
const STRIDE_BARS: i64 = 37;
/// Names of a bar's values.
const VALUES: [&str; 5] = ["open", "high", "low", "close", "volume"];

/// What the check came to.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LookAhead {
    /// Times that were looked at.
    pub(crate) times: usize,
    /// Bars that were compared.
    pub(crate) bars: usize,
    /// Feature values that were compared.
    pub(crate) features: usize,
    /// Bars that were others afterwards.
    pub(crate) rewritten_bars: usize,
    /// Feature values that were others afterwards.
    pub(crate) rewritten_features: usize,
    /// The first of them.
    pub(crate) first: Option<Rewritten>,
}

/// A bar that was another one afterwards.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Rewritten {
    /// When it was looked at first.
    pub(crate) at: Timestamp,
    /// Start of the bar.
    pub(crate) bar: Timestamp,
    /// Which value.
    pub(crate) value: String,
    /// What it was.
    pub(crate) was: f64,
    /// What it was afterwards.
    pub(crate) became: f64,
    /// Columns of the bar's features that changed with it.
    pub(crate) features: Vec<String>,
}

impl LookAhead {
    /// Whether the source stays with what it said.
    pub(crate) fn is_clean(&self) -> bool {
        self.rewritten_bars == 0 && self.rewritten_features == 0
    }

    /// Checks the source of `rehearsal` at `times` times before the end of what `request` asks for.
    ///
    /// # Errors
    /// The bars can't be used.
    pub(crate) async fn check(
        rehearsal: &Rehearsal,
        request: &DatasetRequest,
        times: usize,
    ) -> Result<Self, Failure> {
        let last = rehearsal.dataset(request).await?;
        let step_ms = last.timeframe().millis();
        let mut found = Self::default();
        for time in 0..i64::try_from(times).unwrap_or(i64::MAX) {
            let bars_back = LATER_BARS as i64 + time * STRIDE_BARS;
            let at = last.window.end().plus_millis(-step_ms * bars_back);
            let early = DatasetRequest { as_of: Some(at), ..request.clone() };
            let later_at = at.plus_millis(step_ms * LATER_BARS as i64);
            let window_bars = request.window_bars + LATER_BARS;
            let later = DatasetRequest { as_of: Some(later_at), window_bars, ..request.clone() };
            let (early, later) = (rehearsal.dataset(&early).await?, rehearsal.dataset(&later).await?);
            found.compare(at, &early, &later)?;
        }
        Ok(found)
    }

    fn compare(&mut self, at: Timestamp, early: &Dataset, later: &Dataset) -> Result<(), Failure> {
        let fail = |error: walkforward_engine::EngineError| Failure::from_error(&error);
        let (early_bars, later_bars) = same_start(&early.bars, &later.bars);
        let rows = feature_matrix(&early.feature_spec, &early_bars).map_err(fail)?;
        let later_rows = feature_matrix(&early.feature_spec, &later_bars).map_err(fail)?;
        let columns = early.feature_spec.columns();
        self.times += 1;
        for index in 0..early_bars.len().min(later_bars.len()) {
            let features = changed(rows.row(index), later_rows.row(index));
            self.bars += 1;
            self.features += rows.row(index).map_or(0, <[f32]>::len);
            self.rewritten_features += features.len();
            if let Some((value, was, became)) = rewritten(&early_bars.bar(index), &later_bars.bar(index)) {
                self.rewritten_bars += 1;
                let features = features.iter().filter_map(|&column| columns.get(column).cloned()).collect();
                let bar = early_bars.open_times()[index];
                self.first.get_or_insert(Rewritten {
                    at,
                    bar,
                    value: value.to_owned(),
                    was,
                    became,
                    features,
                });
            }
        }
        Ok(())
    }
}

/// Both from the first bar on that both have, so that features with an exponential memory begin alike. Where the source
/// lacks the last bar of a time, its window begins a bar earlier.
fn same_start(early: &BarSeries, later: &BarSeries) -> (BarSeries, BarSeries) {
    let start = early.first_open_time().max(later.first_open_time());
    let from_start = |bars: &BarSeries| {
        let first = start.map_or(0, |start| bars.index_at_or_after(start));
        bars.slice(first..bars.len())
    };
    (from_start(early), from_start(later))
}

/// Columns in which the rows differ.
fn changed(early: Option<&[f32]>, later: Option<&[f32]>) -> Vec<usize> {
    let (Some(early), Some(later)) = (early, later) else { return Vec::new() };
    let pairs = early.iter().zip(later).enumerate();
    pairs.filter(|(_, (was, is))| was.to_bits() != is.to_bits()).map(|(column, _)| column).collect()
}

/// The first value in which the bars differ: its name, what it was, what it became.
fn rewritten(early: &Bar, later: &Bar) -> Option<(&'static str, f64, f64)> {
    let values = |bar: &Bar| [bar.open(), bar.high(), bar.low(), bar.close(), bar.volume()];
    let pairs = VALUES.into_iter().zip(values(early)).zip(values(later));
    let differing = pairs.map(|((name, was), is)| (name, was, is));
    let mut differing = differing.filter(|(_, was, is)| was.to_bits() != is.to_bits());
    differing.next()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use async_trait::async_trait;
    use walkforward_core::{BarRequest, CancelToken, DataSource, SourceBars, SourceError};
    use walkforward_etl::SyntheticSource;

    use super::*;
    use crate::rehearsal::leak::LeakingSource;
    use crate::rehearsal::{config, settings};

    /// Volumes over the mean of the whole file, as a notebook makes them.
    struct Normalising(SyntheticSource);

    #[async_trait]
    impl DataSource for Normalising {
        async fn bars(&self, request: &BarRequest) -> Result<SourceBars, SourceError> {
            let answer = self.0.bars(request).await?;
            let mean = answer.bars.volumes().iter().sum::<f64>() / answer.bars.len() as f64;
            let mut bars = BarSeries::new(answer.bars.timeframe());
            for bar in answer.bars.iter() {
                let volume = bar.volume() / mean;
                let [open, high, low, close] = [bar.open(), bar.high(), bar.low(), bar.close()];
                bars.push(Bar::new(bar.open_time(), open, high, low, close, volume).unwrap()).unwrap();
            }
            Ok(SourceBars { bars, ..answer })
        }
    }

    async fn check(source: Arc<dyn DataSource>) -> LookAhead {
        let folder = tempfile::tempdir().unwrap();
        let config = config(&settings(&["--window-bars", "400", "--holdout-bars", "100"]).unwrap()).unwrap();
        let now = SyntheticSource::default_as_of();
        let request = DatasetRequest { as_of: Some(now), ..config.dataset.clone() };
        let rehearsal = Rehearsal::open(config, source, folder.path(), now, CancelToken::default()).unwrap();
        LookAhead::check(&rehearsal, &request, 2).await.unwrap()
    }

    #[tokio::test]
    async fn a_source_that_stays_with_what_it_said_is_clean() {
        let found = check(Arc::new(SyntheticSource::new(5))).await;
        assert!(
            found.is_clean() && found.times == 2 && found.bars > 800 && found.features > 8_000,
            "{found:?}"
        );
    }

    #[tokio::test]
    async fn the_newest_bar_gives_a_shifted_column_away() {
        let found = check(Arc::new(LeakingSource(Arc::new(SyntheticSource::new(5))))).await;
        assert_eq!((found.rewritten_bars, found.is_clean()), (2, false));
        let first = found.first.unwrap();
        assert_eq!((first.value.as_str(), first.was), ("volume", 100.0));
        assert_eq!(first.at.millis_since(first.bar), 3_600_000, "the bar had just closed");
        assert_eq!(first.features, ["vol_ratio"]);
    }

    #[tokio::test]
    async fn values_that_are_normalised_over_the_whole_file_are_caught_on_every_bar() {
        let found = check(Arc::new(Normalising(SyntheticSource::new(5)))).await;
        assert!(found.rewritten_bars > found.bars * 9 / 10, "{found:?}");
    }
}
