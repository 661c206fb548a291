//! What is fitted: features and labels of bars before the split.

use std::ops::Range;

use super::{SupervisedConfig, SupervisedError};
use crate::TrainerError;
use crate::market::Market;

/// Most numbers in all rows together: 1 GiB of them.
const MAX_NUMBERS: usize = 1 << 28;
/// Fewest rows to fit and to validate, each.
const LEAST_ROWS: usize = 50;

/// Rows in bar order; row `i` belongs to bar `first_bar + i`.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) first_bar: usize,
    pub(super) inputs: usize,
    /// Normalised features, `[rows, inputs]`.
    pub(super) features: Vec<f32>,
    /// `ln(open[t + 1 + horizon] / open[t + 1])`, `[rows]`.
    pub(super) labels: Vec<f64>,
}

impl Rows {
    /// All bars of `market` with features and a label that lies in it too.
    pub(super) fn new(market: &Market, config: &SupervisedConfig) -> Result<Self, SupervisedError> {
        let horizon = config.horizon_bars;
        let too_few = |available| SupervisedError::TooFewRows { available, needed: least_rows(config) };
        let last = market.last_start(horizon + 1).map_err(|error| match error {
            TrainerError::TooFewBars { .. } => too_few(0),
            other => other.into(),
        })?;
        let first_bar = market.first();
        let count = last + 1 - first_bar;
        if count < least_rows(config) {
            return Err(too_few(count));
        }
        let inputs = market.window(first_bar, config.lookback).len();
        if count.saturating_mul(inputs) > MAX_NUMBERS {
            return Err(SupervisedError::TooManyNumbers { rows: count, inputs, most: MAX_NUMBERS });
        }
        let mut features = Vec::with_capacity(count * inputs);
        let mut labels = Vec::with_capacity(count);
        let open = |index: usize| market.bar(index).0.open();
        for bar in first_bar..=last {
            features.extend_from_slice(market.window(bar, config.lookback));
            labels.push((open(bar + 1 + horizon) / open(bar + 1)).ln());
        }
        Ok(Self { first_bar, inputs, features, labels })
    }

    /// Number of rows.
    pub(super) fn len(&self) -> usize {
        self.labels.len()
    }

    /// Features of row `index`, `[inputs]`.
    pub(super) fn features(&self, index: usize) -> &[f32] {
        &self.features[index * self.inputs..(index + 1) * self.inputs]
    }

    /// The rows to fit and the rows to validate, a horizon apart, so that no label of the first reaches the others.
    pub(super) fn split(&self, config: &SupervisedConfig) -> (Range<usize>, Range<usize>) {
        let validation = self.len() - (self.len() as f64 * config.validation_share) as usize;
        (0..validation - config.horizon_bars, validation..self.len())
    }
}

/// Rows that leave enough on either side of the gap.
fn least_rows(config: &SupervisedConfig) -> usize {
    let fit = LEAST_ROWS.max(2 * config.min_leaf_rows) + config.horizon_bars;
    let share = config.validation_share;
    let by_fit = fit as f64 / (1.0 - share);
    let by_validation = LEAST_ROWS as f64 / share;
    by_fit.max(by_validation).ceil() as usize + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_markets::{dataset, zigzag};

    #[test]
    fn labels_are_returns_between_opens_before_the_split() {
        let data = dataset(zigzag(400, 20, 0.01), 40);
        let config = SupervisedConfig { lookback: 2, horizon_bars: 3, ..Default::default() };
        let market = Market::new(&data, 2, None, 0).unwrap();
        let rows = Rows::new(&market, &config).unwrap();
        assert_eq!((rows.inputs, rows.first_bar), (6, market.first()));
        // The last label ends with the open of the last bar before the split, 359.
        assert_eq!(rows.first_bar + rows.len() - 1 + 1 + 3, 359);
        let opens = data.bars.opens();
        let bar = rows.first_bar + 7;
        assert_eq!(rows.labels[7], (opens[bar + 4] / opens[bar + 1]).ln());
        assert_eq!(rows.features(7), market.window(bar, 2));
    }

    #[test]
    fn fitted_labels_end_before_the_validation_slice_begins() {
        let data = dataset(zigzag(400, 20, 0.01), 40);
        let config = SupervisedConfig { horizon_bars: 5, ..Default::default() };
        let rows = Rows::new(&Market::new(&data, 4, None, 0).unwrap(), &config).unwrap();
        let (fit, validation) = rows.split(&config);
        assert_eq!((fit.start, validation.end), (0, rows.len()));
        assert_eq!(fit.end + 5, validation.start);
        assert!(fit.len() >= LEAST_ROWS && validation.len() >= LEAST_ROWS);
    }

    #[test]
    fn too_few_rows_are_refused_with_the_number_needed() {
        let data = dataset(zigzag(200, 20, 0.01), 40);
        let error = Rows::new(&Market::new(&data, 4, None, 0).unwrap(), &SupervisedConfig::default());
        let text = error.unwrap_err().to_string();
        assert!(text.contains("validating need 201"), "{text}");
    }
}
