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
}

struct Features {
    spec: FeatureSpec,
    engine: FeatureEngine,
    /// Raw rows, oldest first, the last [`MAX_LOOKBACK`]: raw, so that a model with another normaliser or lookback
    /// can take them over.
    rows: VecDeque<Vec<f32>>,
    first_bar: Option<Timestamp>,
}

impl MarketView {
    pub(crate) fn new(history_bars: usize) -> Self {
        Self { history: VecDeque::with_capacity(history_bars), history_bars, features: None }
    }

    /// Takes the next bar of the grid.
    pub(crate) fn push(&mut self, bar: Bar) -> Result<(), EngineError> {
        if self.history.len() == self.history_bars {
            self.history.pop_front();
        }
        self.history.push_back(bar);
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
        let mut features = Features {
            spec: spec.clone(),
            engine: FeatureEngine::new(spec)?,
            rows: VecDeque::with_capacity(MAX_LOOKBACK),
            first_bar: None,
        };
        for bar in &self.history {
            features.push(bar)?;
        }
        self.features = Some(features);
        Ok(())
    }

    /// Start of the first bar that the features were computed from.
    pub(crate) fn first_history_bar(&self) -> Option<Timestamp> {
        self.features.as_ref()?.first_bar
    }

    /// The normalised rows that `spec` looks back on, `[lookback * width]`, oldest first; none during warm-up.
    pub(crate) fn window(&self, spec: &PolicySpec) -> Result<Option<Vec<f32>>, EngineError> {
        let Some(features) = &self.features else { return Ok(None) };
        let Some(start) = features.rows.len().checked_sub(spec.lookback) else { return Ok(None) };
        let mut window = Vec::with_capacity(spec.obs_dim());
        for row in features.rows.range(start..) {
            let begin = window.len();
            window.extend_from_slice(row);
            normalise_row(&spec.normaliser, &mut window[begin..])?;
        }
        Ok(Some(window))
    }
}

impl Features {
    fn push(&mut self, bar: &Bar) -> Result<(), EngineError> {
        self.first_bar.get_or_insert(bar.open_time());
        let Some(row) = self.engine.push(bar)? else { return Ok(()) };
        if self.rows.len() == MAX_LOOKBACK {
            self.rows.pop_front();
        }
        self.rows.push_back(row.to_vec());
        Ok(())
    }
}
