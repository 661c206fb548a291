//! Features: one engine that takes blocks of bars. A stream is a block of one bar, a batch is blocks of many.

mod column;
mod math;
mod matrix;
mod oscillator;
mod price;
mod spread;
mod tail;
mod talib;
#[cfg(test)]
mod tests;
mod volume;
mod window;

use walkforward_core::{Bar, FeatureKind, FeatureSpec, Timestamp};

use crate::EngineError;
use column::{BarBlock, FeatureColumns, Workshop};
use tail::BLOCK;

pub use matrix::{FeatureMatrix, NormalisedRows, feature_matrix, normalise_row};

/// Computes the features of a specification bar by bar, as [`walkforward_core::FeatureKind`] documents them.
///
/// A row depends on bars up to its own alone. It is complete when every column is defined; before that, there is
/// none. After an error the engine is of no more use.
#[derive(Debug, Clone)]
pub struct FeatureEngine {
    workshop: Workshop,
    features: Vec<FeatureColumns>,
    /// Where the columns of each feature begin, and the number of all columns.
    starts: Vec<usize>,
    names: Vec<String>,
    /// Bars that have no row yet.
    cold_bars: usize,
    /// Columns of the newest block, `[width, bars]`.
    values: Vec<f64>,
    row: Vec<f32>,
}

impl FeatureEngine {
    /// An engine that has seen no bar.
    ///
    /// # Errors
    /// None today: a [`FeatureSpec`] is checked when it is made.
    pub fn new(spec: &FeatureSpec) -> Result<Self, EngineError> {
        let mut starts = vec![0];
        for kind in spec.kinds() {
            starts.push(starts.last().unwrap_or(&0) + FeatureKind::width(kind));
        }
        Ok(Self {
            workshop: Workshop::new(spec),
            features: spec.kinds().map(FeatureColumns::new).collect(),
            starts,
            names: spec.columns(),
            cold_bars: spec.warm_up_bars(),
            values: vec![0.0; spec.width()],
            row: vec![0.0; spec.width()],
        })
    }

    /// Number of columns.
    pub fn width(&self) -> usize {
        self.row.len()
    }

    /// Takes the next bar and returns its row, `[width]`, raw; `None` during warm-up.
    ///
    /// # Errors
    /// A column is not finite, or an indicator refuses the bar.
    pub fn push(&mut self, bar: &Bar) -> Result<Option<&[f32]>, EngineError> {
        let block = BarBlock {
            high: &[bar.high()],
            low: &[bar.low()],
            close: &[bar.close()],
            volume: &[bar.volume()],
        };
        self.compute(block, &[bar.open_time()])?;
        if self.cold_bars > 0 {
            self.cold_bars -= 1;
            return Ok(None);
        }
        for (out, &value) in self.row.iter_mut().zip(&self.values) {
            *out = value as f32;
        }
        self.check_row(&self.row, bar.open_time())?;
        Ok(Some(&self.row))
    }

    /// Computes the columns of `bars` into `values`.
    fn compute(&mut self, bars: BarBlock<'_>, open_times: &[Timestamp]) -> Result<(), EngineError> {
        let n = bars.len();
        self.values.resize(self.names.len() * n, 0.0);
        self.workshop.extend(bars);
        for (feature, range) in self.features.iter_mut().zip(self.starts.windows(2)) {
            let out = &mut self.values[range[0] * n..range[1] * n];
            feature.extend(&mut self.workshop, bars, out).map_err(|refusal| EngineError::Indicator {
                column: self.names[range[0]].clone(),
                open_time: open_times[refusal.index],
                reason: refusal.code.to_string(),
            })?;
        }
        Ok(())
    }

    /// Refuses a row that is not finite.
    fn check_row(&self, row: &[f32], open_time: Timestamp) -> Result<(), EngineError> {
        match row.iter().position(|value| !value.is_finite()) {
            None => Ok(()),
            Some(column) => Err(EngineError::NotFinite {
                column: self.names[column].clone(),
                open_time,
                value: f64::from(row[column]),
            }),
        }
    }
}
