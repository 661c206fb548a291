//! Reward per risk, with a risk-free rate of 0.

use super::growth::cagr;
use super::passes::Passes;
use crate::numeric::finite;

/// `mean / sd` with `n - 1`, per period; `None` of fewer than two returns or when all are equal.
pub(super) fn sharpe_per_period(passes: &Passes) -> Option<f64> {
    if passes.n < 2 || passes.all_equal {
        return None;
    }
    finite(passes.mean? / passes.sample_deviation()?)
}

/// [`sharpe_per_period`] times `sqrt(periods_per_year)`.
pub(super) fn sharpe(passes: &Passes) -> Option<f64> {
    finite(sharpe_per_period(passes)? * passes.periods_per_year.sqrt())
}

/// `mean * sqrt(periods_per_year) / sqrt(mean(min(r, 0)^2))`; `None` of fewer than two returns or without a loss.
pub(super) fn sortino(passes: &Passes) -> Option<f64> {
    if passes.n < 2 || passes.non_zero == passes.positive {
        return None;
    }
    finite(passes.mean? * passes.periods_per_year.sqrt() / passes.downside()?)
}

/// Compound annual growth / largest drawdown; `None` when the equity never fell.
pub(super) fn calmar(passes: &Passes) -> Option<f64> {
    let drawdown = passes.drawdown.max_drawdown.filter(|drawdown| *drawdown > 0.0)?;
    finite(cagr(passes)? / drawdown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ReturnSeries;

    fn check(returns: &[f64], expected: [Option<f64>; 3]) {
        let passes = Passes::of(&ReturnSeries::new(returns, 4.0).unwrap());
        assert_eq!([sharpe(&passes), sortino(&passes), calmar(&passes)], expected, "{returns:?}");
    }

    #[test]
    fn ratios_are_annualised_by_the_root_of_the_periods() {
        // sd of [-0.5, 0.5] is sqrt(0.5), its downside sqrt(0.125), its mean 0.
        check(&[-0.5, 0.5], [Some(0.0), Some(0.0), Some((0.75_f64.powi(2) - 1.0) / 0.5)]);
    }

    #[test]
    fn equal_returns_have_no_sharpe_and_gains_no_sortino_or_calmar() {
        check(&[0.002; 30], [None, None, None]);
        check(&[0.0; 24], [None, None, None]);
        check(&[0.1], [None, None, None]);
        check(&[], [None, None, None]);
    }

    #[test]
    fn a_total_loss_has_a_calmar_of_minus_one() {
        let series = ReturnSeries::new(&[0.02, -1.0, 0.0], 365.0).unwrap();
        assert_eq!(calmar(&Passes::of(&series)), Some(-1.0));
    }
}
