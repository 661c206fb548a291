//! Shape of the distribution of returns.

use super::passes::Passes;
use crate::numeric::finite;

/// Skew `m3 / m2^1.5` of population moments; `None` when all returns are equal.
pub(super) fn skew(passes: &Passes) -> Option<f64> {
    finite(passes.moments[1]? / spread(passes)?.powf(1.5))
}

/// Raw kurtosis `m4 / m2^2` of population moments (3 for a normal distribution); `None` when all returns are equal.
pub(super) fn kurtosis(passes: &Passes) -> Option<f64> {
    finite(passes.moments[2]? / spread(passes)?.powi(2))
}

fn spread(passes: &Passes) -> Option<f64> {
    if passes.all_equal { None } else { passes.moments[0] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ReturnSeries;

    fn check(returns: &[f64], expected: [Option<f64>; 2]) {
        let passes = Passes::of(&ReturnSeries::new(returns, 365.0).unwrap());
        assert_eq!([skew(&passes), kurtosis(&passes)], expected, "{returns:?}");
    }

    #[test]
    fn two_values_are_symmetric_and_as_flat_as_can_be() {
        check(&[-0.5, 0.5], [Some(0.0), Some(1.0)]);
    }

    #[test]
    fn equal_returns_have_no_shape() {
        check(&[0.002; 30], [None, None]);
        check(&[0.01], [None, None]);
        check(&[], [None, None]);
    }
}
