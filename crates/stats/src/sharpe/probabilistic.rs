//! Probability that a true Sharpe ratio lies above a benchmark.

use super::SharpeMoments;
use crate::normal;
use crate::numeric::finite;

/// Fewer returns say nothing about a Sharpe ratio.
const MIN_RETURNS: usize = 3;

/// Probabilistic Sharpe ratio `Phi((sr - benchmark) sqrt(n - 1) / sqrt(D))` (Bailey and Lopez de Prado 2012), in
/// `[0, 1]`; the benchmark is per period too.
///
/// It assumes independent returns: positive autocorrelation flatters. `None` of fewer than three returns and when `D`
/// is not above 0.
pub fn probabilistic_sharpe(moments: &SharpeMoments, benchmark: f64) -> Option<f64> {
    if moments.n < MIN_RETURNS {
        return None;
    }
    let z = (moments.sharpe - benchmark) * ((moments.n - 1) as f64).sqrt() / moments.dispersion()?.sqrt();
    finite(z).map(normal::cumulative)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: SharpeMoments = SharpeMoments { n: 250, sharpe: 0.1, skew: -0.5, kurtosis: 5.0 };

    #[test]
    fn the_example_of_the_formula_sheet() {
        assert!((probabilistic_sharpe(&EXAMPLE, 0.0).unwrap() - 0.937_3).abs() < 5e-5);
    }

    #[test]
    fn a_benchmark_at_the_estimate_is_even_odds() {
        assert_eq!(probabilistic_sharpe(&EXAMPLE, 0.1), Some(0.5));
    }

    #[test]
    fn two_returns_and_a_benchmark_that_is_no_number_are_undefined() {
        assert_eq!(probabilistic_sharpe(&SharpeMoments { n: 2, ..EXAMPLE }, 0.0), None);
        assert_eq!(probabilistic_sharpe(&EXAMPLE, f64::NAN), None);
    }
}
