//! How many returns a Sharpe ratio needs to be believed.

use super::SharpeMoments;
use crate::normal;
use crate::numeric::finite;

/// The confidence asked for is 1 minus this.
const DOUBT: f64 = 0.05;

/// Minimum track record length `1 + D (Phi^-1(0.95) / (sr - benchmark))^2` in periods, a real number (Bailey and
/// Lopez de Prado 2012): with so many returns of these moments the probabilistic Sharpe ratio reaches 0.95.
///
/// `None` when the Sharpe ratio is not above the benchmark, of fewer than three returns, and when `D` is not above 0.
pub fn min_track_record_length(moments: &SharpeMoments, benchmark: f64) -> Option<f64> {
    let excess = finite(moments.sharpe - benchmark).filter(|excess| *excess > 0.0)?;
    if moments.n < 3 {
        return None;
    }
    let needed = normal::exceeded_with(DOUBT)? / excess;
    finite(1.0 + moments.dispersion()? * needed * needed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probabilistic_sharpe;

    const EXAMPLE: SharpeMoments = SharpeMoments { n: 250, sharpe: 0.1, skew: -0.5, kurtosis: 5.0 };

    #[test]
    fn the_example_of_the_formula_sheet() {
        assert!((min_track_record_length(&EXAMPLE, 0.0).unwrap() - 287.8).abs() < 0.05);
    }

    #[test]
    fn a_record_of_that_length_is_believed_and_a_shorter_one_is_not() {
        let n = min_track_record_length(&EXAMPLE, 0.02).unwrap().ceil() as usize;
        let at = |n| probabilistic_sharpe(&SharpeMoments { n, ..EXAMPLE }, 0.02).unwrap();
        assert!(at(n) >= 0.95 && at(n - 1) < 0.95);
    }

    #[test]
    fn no_length_proves_a_sharpe_that_is_not_there() {
        assert_eq!(min_track_record_length(&EXAMPLE, 0.1), None);
        assert_eq!(min_track_record_length(&EXAMPLE, f64::NAN), None);
    }
}
