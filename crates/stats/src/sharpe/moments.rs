//! What the statistics of a Sharpe ratio are computed from.

use crate::ReturnSummary;
use crate::numeric::finite;

/// Number of returns, their Sharpe ratio and their shape.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SharpeMoments {
    /// Number of returns.
    pub n: usize,
    /// Mean / sample standard deviation per period, not annualised.
    pub sharpe: f64,
    /// Population skew.
    pub skew: f64,
    /// Raw population kurtosis, 3 for a normal distribution.
    pub kurtosis: f64,
}

impl SharpeMoments {
    /// The moments in `summary`; `None` where the Sharpe ratio or the shape is undefined (fewer than two returns, all
    /// equal).
    pub fn of(summary: &ReturnSummary) -> Option<Self> {
        Some(Self {
            n: summary.n,
            sharpe: summary.sharpe_per_period?,
            skew: summary.skew?,
            kurtosis: summary.kurtosis?,
        })
    }

    /// `D = 1 - skew * sharpe + (kurtosis - 1) / 4 * sharpe^2`: the variance of the Sharpe ratio's estimate times
    /// `n - 1`. `None` when it is not above 0.
    pub(super) fn dispersion(&self) -> Option<f64> {
        let square = self.sharpe * self.sharpe;
        finite(1.0 - self.skew * self.sharpe + (self.kurtosis - 1.0) / 4.0 * square).filter(|d| *d > 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ReturnSeries;

    #[test]
    fn returns_without_spread_have_no_moments() {
        for returns in [&[][..], &[0.01], &[0.002; 30]] {
            let summary = ReturnSummary::of(&ReturnSeries::new(returns, 365.0).unwrap());
            assert_eq!(SharpeMoments::of(&summary), None);
        }
    }

    #[test]
    fn the_dispersion_of_the_formula_sheet() {
        let moments = SharpeMoments { n: 250, sharpe: 0.1, skew: -0.5, kurtosis: 5.0 };
        assert!((moments.dispersion().unwrap() - 1.06).abs() < 1e-15);
    }

    #[test]
    fn a_dispersion_of_nothing_is_undefined() {
        let moments = SharpeMoments { n: 10, sharpe: 1.0, skew: 2.0, kurtosis: 5.0 };
        assert_eq!(moments.dispersion(), None);
    }
}
