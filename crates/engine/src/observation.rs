//! What a policy looks at: normalised feature rows, then two numbers about the portfolio.

use walkforward_core::PolicySpec;

use crate::EngineError;

/// What an observation says about the session.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PortfolioView {
    /// Position as a fraction of equity; below 0 when short.
    pub position_fraction: f64,
    /// Profit of the position as a fraction of its entry value; 0 without a position.
    pub unrealised_return: f64,
}

/// A profit of 10 % is 1 in an observation, so that it has the scale of a normalised feature.
const UNREALISED_SCALE: f64 = 10.0;
/// Largest absolute value of the scaled unrealised return, and of the position fraction: a short position outgrows
/// what is left of the equity.
const PORTFOLIO_CLIP: f64 = 5.0;

/// Writes an observation into `out`: `rows` (`[lookback * width]`, oldest first, normalised), then
/// `clip(position fraction, -5, 5)`, then `clip(10 * unrealised return, -5, 5)`.
///
/// # Errors
/// `out` is not two numbers longer than `rows`.
pub fn write_observation(rows: &[f32], portfolio: PortfolioView, out: &mut [f32]) -> Result<(), EngineError> {
    let expected = rows.len() + PolicySpec::PORTFOLIO_INPUTS;
    if out.len() != expected {
        return Err(EngineError::Length { what: "the observation buffer", expected, actual: out.len() });
    }
    let (features, tail) = out.split_at_mut(rows.len());
    features.copy_from_slice(rows);
    let unrealised = portfolio.unrealised_return * UNREALISED_SCALE;
    tail[0] = portfolio.position_fraction.clamp(-PORTFOLIO_CLIP, PORTFOLIO_CLIP) as f32;
    tail[1] = unrealised.clamp(-PORTFOLIO_CLIP, PORTFOLIO_CLIP) as f32;
    Ok(())
}

/// A buffer of one observation that is written again for every bar.
#[derive(Debug, Clone, PartialEq)]
pub struct ObservationBuilder {
    buffer: Vec<f32>,
}

impl ObservationBuilder {
    /// A buffer for `lookback` rows of `width` features.
    pub fn new(lookback: usize, width: usize) -> Self {
        Self { buffer: vec![0.0; lookback * width + PolicySpec::PORTFOLIO_INPUTS] }
    }

    /// Writes and returns the observation; see [`write_observation`].
    ///
    /// # Errors
    /// `rows` has another length than the buffer was made for.
    pub fn build(&mut self, rows: &[f32], portfolio: PortfolioView) -> Result<&[f32], EngineError> {
        write_observation(rows, portfolio, &mut self.buffer)?;
        Ok(&self.buffer)
    }
}

/// The last `lookback` feature rows of a stream, oldest first.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureWindow {
    rows: Vec<f32>,
    width: usize,
    filled: usize,
    lookback: usize,
}

impl FeatureWindow {
    /// An empty window of `lookback` rows of `width` features.
    pub fn new(lookback: usize, width: usize) -> Self {
        Self { rows: vec![0.0; lookback * width], width, filled: 0, lookback }
    }

    /// Takes the newest row and drops the oldest one when the window is full.
    ///
    /// # Errors
    /// `row` has another width.
    pub fn push(&mut self, row: &[f32]) -> Result<(), EngineError> {
        if row.len() != self.width {
            let (expected, actual) = (self.width, row.len());
            return Err(EngineError::Length { what: "the feature row", expected, actual });
        }
        if self.lookback == 0 {
            return Ok(());
        }
        if self.filled == self.lookback {
            self.rows.copy_within(self.width.., 0);
            self.filled -= 1;
        }
        let start = self.filled * self.width;
        self.rows[start..start + self.width].copy_from_slice(row);
        self.filled += 1;
        Ok(())
    }

    /// The rows, `[lookback * width]`, once there are enough.
    pub fn rows(&self) -> Option<&[f32]> {
        (self.filled == self.lookback).then_some(&self.rows[..])
    }

    /// Forgets all rows.
    pub fn clear(&mut self) {
        self.filled = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_observation_ends_with_position_and_scaled_unrealised_return() {
        let mut out = [0.0; 4];
        let portfolio = PortfolioView { position_fraction: 1.0, unrealised_return: 0.05 };
        write_observation(&[7.0, 8.0], portfolio, &mut out).unwrap();
        assert_eq!(out, [7.0, 8.0, 1.0, 0.5]);
        let crash = PortfolioView { position_fraction: 1.0, unrealised_return: -0.9 };
        write_observation(&[7.0, 8.0], crash, &mut out).unwrap();
        assert_eq!(out[3], -5.0);
        assert!(write_observation(&[7.0], portfolio, &mut out).is_err());
    }

    #[test]
    fn a_window_keeps_the_newest_rows_in_order() {
        let mut window = FeatureWindow::new(2, 2);
        window.push(&[1.0, 2.0]).unwrap();
        assert_eq!(window.rows(), None);
        window.push(&[3.0, 4.0]).unwrap();
        window.push(&[5.0, 6.0]).unwrap();
        assert_eq!(window.rows(), Some(&[3.0, 4.0, 5.0, 6.0][..]));
        assert!(window.push(&[1.0]).is_err());
        window.clear();
        assert_eq!(window.rows(), None);
    }
}
