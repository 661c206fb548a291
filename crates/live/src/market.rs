//! What the trader knows of the market: recent bars, and the features that the trading model wants of them.

use std::collections::VecDeque;

use walkforward_core::{Bar, FeatureSpec, PolicySpec, Timestamp};
use walkforward_engine::{EngineError, FeatureEngine, normalise_row};
use walkforward_policy::MAX_LOOKBACK;

/// Recent bars and feature rows, both bounded.
pub(crate) struct MarketView {
    history: VecDeque<Bar>,
    history_bars: usize,
    features: Option<Features>,
    /// Features that the next bar may ask for, computed from the bars that are kept now.
    ahead: Option<Features>,
}

struct Features {
    spec: FeatureSpec,
    engine: FeatureEngine,
    rows: RecentRows,
    first_bar: Option<Timestamp>,
}

/// The last [`MAX_LOOKBACK`] rows, in a buffer that is made once: raw, so that a model with another normaliser or
/// lookback can take them over.
struct RecentRows {
    /// `[MAX_LOOKBACK, width]`; a row takes the place of the oldest.
    values: Vec<f32>,
    width: usize,
    /// Rows so far.
    count: usize,
}

impl MarketView {
    pub(crate) fn new(history_bars: usize) -> Self {
        Self { history: VecDeque::with_capacity(history_bars), history_bars, features: None, ahead: None }
    }

    /// The bars that are kept, oldest first.
    pub(crate) fn history(&self) -> impl ExactSizeIterator<Item = &Bar> {
        self.history.iter()
    }

    /// Takes the next bar of the grid.
    pub(crate) fn push(&mut self, bar: Bar) -> Result<(), EngineError> {
        if self.history.len() == self.history_bars {
            self.history.pop_front();
        }
        self.history.push_back(bar);
        self.ahead = None;
        match &mut self.features {
            Some(features) => features.push(&bar),
            None => Ok(()),
        }
    }

    /// Computes the features of `spec` from now on. When they are others than before, the bars that are kept warm
    /// them up.
    pub(crate) fn use_features(&mut self, spec: &FeatureSpec) -> Result<(), EngineError> {
        if self.features.as_ref().is_some_and(|features| features.spec == *spec) {
            return Ok(());
        }
        self.features = Some(match self.ahead.take_if(|ahead| ahead.spec == *spec) {
            Some(ahead) => ahead,
            None => self.warmed_up(spec)?,
        });
        Ok(())
    }

    /// Computes the features of `spec` for the case that [`use_features`](Self::use_features) asks for them before the
    /// next bar. Until then the others stay.
    pub(crate) fn prepare_features(&mut self, spec: &FeatureSpec) -> Result<(), EngineError> {
        let is_there = |features: &Option<Features>| features.as_ref().is_some_and(|it| it.spec == *spec);
        if !is_there(&self.features) && !is_there(&self.ahead) {
            self.ahead = Some(self.warmed_up(spec)?);
        }
        Ok(())
    }

    /// The features of `spec` after the bars that are kept.
    fn warmed_up(&self, spec: &FeatureSpec) -> Result<Features, EngineError> {
        let engine = FeatureEngine::new(spec)?;
        let rows = RecentRows::new(engine.width());
        let mut features = Features { spec: spec.clone(), engine, rows, first_bar: None };
        for bar in &self.history {
            features.push(bar)?;
        }
        Ok(features)
    }

    /// Start of the first bar that the features were computed from.
    pub(crate) fn first_history_bar(&self) -> Option<Timestamp> {
        self.features.as_ref()?.first_bar
    }

    /// Writes the normalised rows that `spec` looks back on, `[lookback * width]`, oldest first, into `window`; false
    /// during warm-up.
    pub(crate) fn window(&self, spec: &PolicySpec, window: &mut Vec<f32>) -> Result<bool, EngineError> {
        window.clear();
        let Some(features) = &self.features else { return Ok(false) };
        let Some(rows) = features.rows.last(spec.lookback) else { return Ok(false) };
        for row in rows {
            let begin = window.len();
            window.extend_from_slice(row);
            normalise_row(&spec.normaliser, &mut window[begin..])?;
        }
        Ok(true)
    }
}

impl Features {
    fn push(&mut self, bar: &Bar) -> Result<(), EngineError> {
        self.first_bar.get_or_insert(bar.open_time());
        if let Some(row) = self.engine.push(bar)? {
            self.rows.push(row);
        }
        Ok(())
    }
}

impl RecentRows {
    fn new(width: usize) -> Self {
        Self { values: vec![0.0; MAX_LOOKBACK * width], width, count: 0 }
    }

    fn push(&mut self, row: &[f32]) {
        let begin = self.count % MAX_LOOKBACK * self.width;
        self.values[begin..begin + self.width].copy_from_slice(row);
        self.count += 1;
    }

    /// The newest `count` rows, oldest first; none when there are not so many.
    fn last(&self, count: usize) -> Option<impl Iterator<Item = &[f32]>> {
        let start = self.count.checked_sub(count)?;
        let row = move |index: usize| {
            let begin = index % MAX_LOOKBACK * self.width;
            &self.values[begin..begin + self.width]
        };
        (count <= MAX_LOOKBACK).then(|| (start..self.count).map(row))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_rows_come_oldest_first_however_many_there_were() {
        let mut rows = RecentRows::new(2);
        assert!(rows.last(1).is_none());
        for number in 0..MAX_LOOKBACK + 3 {
            rows.push(&[number as f32, -(number as f32)]);
        }
        let newest: Vec<f32> = rows.last(3).unwrap().flatten().copied().collect();
        let first = MAX_LOOKBACK as f32;
        assert_eq!(newest, [first, -first, first + 1.0, -first - 1.0, first + 2.0, -first - 2.0]);
        assert_eq!(rows.last(MAX_LOOKBACK).unwrap().count(), MAX_LOOKBACK);
        assert!(rows.last(MAX_LOOKBACK + 1).is_none());
    }
}
