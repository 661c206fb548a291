//! The worst and best returns.

use super::ReturnSeries;
use crate::numeric::{finite, mean};

/// Share of returns in each tail.
const TAIL: f64 = 0.05;
/// `1 / TAIL`, so that counts are exact.
const TAIL_DIVISOR: usize = 20;

/// Tails of the distribution of returns, per period. All `None` of no returns.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct TailStats {
    /// Minus the 5 % quantile (linear interpolation, type 7); positive is a loss.
    pub var_95: Option<f64>,
    /// Minus the mean of the `floor(0.05 (n - 1)) + 1` smallest returns; positive is a loss.
    pub cvar_95: Option<f64>,
    /// `|q_0.95| / |q_0.05|`; `None` when the 5 % quantile is 0.
    pub tail_ratio: Option<f64>,
}

impl TailStats {
    /// The tails of `series`.
    pub fn of(series: &ReturnSeries<'_>) -> Self {
        let mut sorted = series.values().to_vec();
        if sorted.is_empty() {
            return Self::default();
        }
        sorted.sort_by(f64::total_cmp);
        let worst = (sorted.len() - 1) / TAIL_DIVISOR + 1;
        let low = quantile(&sorted, TAIL);
        let high = quantile(&sorted, 1.0 - TAIL);
        Self {
            var_95: finite(0.0 - low),
            cvar_95: mean(&sorted[..worst]).map(|mean| 0.0 - mean),
            tail_ratio: finite(high.abs() / low.abs()),
        }
    }
}

/// Quantile `p` of a sorted, non-empty slice, interpolated at `h = (n - 1) p` (Hyndman and Fan's type 7).
fn quantile(sorted: &[f64], p: f64) -> f64 {
    let h = (sorted.len() - 1) as f64 * p;
    let below = h.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (sorted[above] - sorted[below]) * (h - h.floor())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tails(returns: &[f64]) -> TailStats {
        TailStats::of(&ReturnSeries::new(returns, 365.0).unwrap())
    }

    #[test]
    fn twenty_one_returns_have_their_second_smallest_as_quantile() {
        let returns: Vec<f64> = (0..21).rev().map(|rank| f64::from(rank) - 1.0).collect();
        let stats = tails(&returns);
        assert_eq!(stats.var_95, Some(0.0));
        assert_eq!(stats.cvar_95, Some(0.5));
        assert_eq!(stats.tail_ratio, None);
    }

    #[test]
    fn a_quantile_between_two_returns_is_interpolated() {
        assert!((quantile(&[0.0, 1.0], 0.05) - 0.05).abs() < 1e-15);
        assert_eq!(quantile(&[7.0], 0.95), 7.0);
    }

    #[test]
    fn one_return_is_its_own_tail() {
        let expected = TailStats { var_95: Some(-0.01), cvar_95: Some(-0.01), tail_ratio: Some(1.0) };
        assert_eq!(tails(&[0.01]), expected);
        assert_eq!(tails(&[]), TailStats::default());
    }
}
