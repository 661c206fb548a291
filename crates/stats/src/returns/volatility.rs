//! How much returns scatter.

use super::ReturnSeries;
use crate::numeric::{finite, sample_deviation, sum};

/// Sample standard deviation (`n - 1`) times `sqrt(periods_per_year)`; exactly 0 when all returns are equal;
/// `None` of fewer than two returns.
pub(super) fn volatility(series: &ReturnSeries<'_>) -> Option<f64> {
    finite(sample_deviation(series.values())? * series.periods_per_year().sqrt())
}

/// [`downside`] times `sqrt(periods_per_year)`; `None` of no returns.
pub(super) fn downside_deviation(series: &ReturnSeries<'_>) -> Option<f64> {
    finite(downside(series.values())? * series.periods_per_year().sqrt())
}

/// `sqrt(mean(min(r, 0)^2))`, the mean over all returns, per period; `None` of no returns.
pub(super) fn downside(returns: &[f64]) -> Option<f64> {
    if returns.is_empty() {
        return None;
    }
    let squares = sum(returns.iter().map(|value| value.min(0.0).powi(2)));
    finite((squares / returns.len() as f64).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(returns: &[f64], expected: [Option<f64>; 2]) {
        let series = ReturnSeries::new(returns, 4.0).unwrap();
        assert_eq!([volatility(&series), downside_deviation(&series)], expected);
    }

    #[test]
    fn gains_scatter_but_have_no_downside() {
        check(&[0.0, 0.5], [Some(0.5_f64.sqrt() * 0.5 * 2.0), Some(0.0)]);
        check(&[0.25, 0.25], [Some(0.0), Some(0.0)]);
    }

    #[test]
    fn the_downside_is_averaged_over_all_returns() {
        check(&[-0.5, 0.0, 0.0, 0.0], [Some(0.5), Some(0.5)]);
    }

    #[test]
    fn one_return_has_no_scatter() {
        check(&[0.1], [None, Some(0.0)]);
        check(&[], [None, None]);
    }
}
