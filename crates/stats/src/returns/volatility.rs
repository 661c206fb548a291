//! How much returns scatter.

use super::passes::Passes;
use crate::numeric::finite;

/// Sample standard deviation (`n - 1`) times `sqrt(periods_per_year)`; exactly 0 when all returns are equal;
/// `None` of fewer than two returns.
pub(super) fn volatility(passes: &Passes) -> Option<f64> {
    finite(passes.sample_deviation()? * passes.periods_per_year.sqrt())
}

/// `sqrt(mean(min(r, 0)^2)) * sqrt(periods_per_year)`, the mean over all returns; `None` of no returns.
pub(super) fn downside_deviation(passes: &Passes) -> Option<f64> {
    finite(passes.downside()? * passes.periods_per_year.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ReturnSeries;

    fn check(returns: &[f64], expected: [Option<f64>; 2]) {
        let passes = Passes::of(&ReturnSeries::new(returns, 4.0).unwrap());
        assert_eq!([volatility(&passes), downside_deviation(&passes)], expected);
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
