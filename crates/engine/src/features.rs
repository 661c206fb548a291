//! Features: one streaming engine, whose loop over a series is the batch.

mod column;
mod indicator;
mod matrix;

use ta_lib::Core;
use walkforward_core::{Bar, FeatureSpec};

use crate::EngineError;
use column::FeatureColumns;

pub use matrix::{FeatureMatrix, NormalisedRows, feature_matrix, normalise_row};

/// Computes the features of a specification bar by bar, as [`walkforward_core::FeatureKind`] documents them.
///
/// A row depends on bars up to its own alone. It is complete when every column is defined; before that, there is
/// none. After an error the engine is of no more use.
#[derive(Debug, Clone)]
pub struct FeatureEngine {
    core: Core,
    features: Vec<FeatureColumns>,
    names: Vec<String>,
    row: Vec<f32>,
}

impl FeatureEngine {
    /// An engine that has seen no bar.
    ///
    /// # Errors
    /// None today: a [`FeatureSpec`] is checked when it is made.
    pub fn new(spec: &FeatureSpec) -> Result<Self, EngineError> {
        Ok(Self {
            core: Core::new(),
            features: spec.kinds().iter().map(FeatureColumns::new).collect(),
            names: spec.columns(),
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
        let mut is_complete = true;
        let mut start = 0;
        for feature in &mut self.features {
            let end = start + feature.width();
            let defined = feature.push(&self.core, bar, &mut self.row[start..end]).map_err(|code| {
                EngineError::Indicator {
                    column: self.names[start].clone(),
                    open_time: bar.open_time(),
                    reason: code.to_string(),
                }
            })?;
            is_complete &= defined;
            start = end;
        }
        if !is_complete {
            return Ok(None);
        }
        match self.row.iter().position(|value| !value.is_finite()) {
            None => Ok(Some(&self.row)),
            Some(column) => Err(EngineError::NotFinite {
                column: self.names[column].clone(),
                open_time: bar.open_time(),
                value: f64::from(self.row[column]),
            }),
        }
    }
}
