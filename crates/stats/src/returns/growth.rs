//! How much the equity grew.

use super::passes::Passes;
use crate::numeric::finite;

/// `E_n - 1` with `E_n = prod(1 + r)`; 0 of no returns, `None` on overflow.
pub(super) fn total_return(passes: &Passes) -> Option<f64> {
    finite(passes.last_equity - 1.0)
}

/// Compound annual growth `E_n^(periods_per_year / n) - 1`; -1 after a total loss; `None` of no returns and on
/// overflow.
pub(super) fn cagr(passes: &Passes) -> Option<f64> {
    if passes.n == 0 {
        return None;
    }
    let equity = finite(passes.last_equity)?;
    if equity <= 0.0 {
        return Some(-1.0);
    }
    finite(equity.powf(passes.periods_per_year / passes.n as f64) - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ReturnSeries;

    fn check(returns: &[f64], periods_per_year: f64, total: Option<f64>, annual: Option<f64>) {
        let passes = Passes::of(&ReturnSeries::new(returns, periods_per_year).unwrap());
        assert_eq!(total_return(&passes), total);
        assert_eq!(cagr(&passes), annual);
    }

    #[test]
    fn growth_compounds_over_a_year() {
        check(&[0.5, 0.5], 2.0, Some(1.25), Some(1.25));
        check(&[0.5], 2.0, Some(0.5), Some(1.25));
    }

    #[test]
    fn nothing_recovers_from_a_total_loss() {
        check(&[-1.0, 5.0], 365.0, Some(-1.0), Some(-1.0));
    }

    #[test]
    fn growth_beyond_every_number_is_undefined() {
        check(&[100.0], 525_600.0, Some(100.0), None);
        check(&[1e300, 1e300], 365.0, None, None);
        check(&[], 365.0, Some(0.0), None);
    }
}
