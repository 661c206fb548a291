//! Shape of the distribution of returns.

use super::ReturnSeries;
use crate::numeric::{all_equal, central_moment, finite};

/// Skew `m3 / m2^1.5` of population moments; `None` when all returns are equal.
pub(super) fn skew(series: &ReturnSeries<'_>) -> Option<f64> {
    finite(central_moment(series.values(), 3)? / spread(series)?.powf(1.5))
}

/// Raw kurtosis `m4 / m2^2` of population moments (3 for a normal distribution); `None` when all returns are equal.
pub(super) fn kurtosis(series: &ReturnSeries<'_>) -> Option<f64> {
    finite(central_moment(series.values(), 4)? / spread(series)?.powi(2))
}

fn spread(series: &ReturnSeries<'_>) -> Option<f64> {
    if all_equal(series.values()) { None } else { central_moment(series.values(), 2) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(returns: &[f64], expected: [Option<f64>; 2]) {
        let series = ReturnSeries::new(returns, 365.0).unwrap();
        assert_eq!([skew(&series), kurtosis(&series)], expected, "{returns:?}");
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
