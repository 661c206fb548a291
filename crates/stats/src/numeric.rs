//! Sums and moments that do not lose digits.

/// Neumaier's compensated sum: the rounding error does not grow with the number of terms.
pub(crate) fn sum(values: impl IntoIterator<Item = f64>) -> f64 {
    let (mut total, mut lost) = (0.0_f64, 0.0_f64);
    for value in values {
        let next = total + value;
        lost += if total.abs() >= value.abs() { (total - next) + value } else { (value - next) + total };
        total = next;
    }
    total + lost
}

/// Arithmetic mean; `None` of nothing.
pub(crate) fn mean(values: &[f64]) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    finite(sum(values.iter().copied()) / values.len() as f64)
}

/// Mean of `(x - mean)^power` over all values (population moment, two passes); `None` of nothing.
pub(crate) fn central_moment(values: &[f64], power: i32) -> Option<f64> {
    let mean = mean(values)?;
    finite(sum(values.iter().map(|value| (value - mean).powi(power))) / values.len() as f64)
}

/// Standard deviation with `n - 1`; exactly 0 when all values are equal; `None` of fewer than two values.
pub(crate) fn sample_deviation(values: &[f64]) -> Option<f64> {
    if values.len() < 2 {
        return None;
    }
    if all_equal(values) {
        return Some(0.0);
    }
    let n = values.len() as f64;
    finite((central_moment(values, 2)? * n / (n - 1.0)).sqrt())
}

/// Whether no value differs from the first. A deviation of rounded numbers can't tell.
pub(crate) fn all_equal(values: &[f64]) -> bool {
    values.iter().all(|value| *value == values[0])
}

/// The number, unless it is NaN or infinite.
pub(crate) fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_keeps_what_plain_addition_loses() {
        assert_eq!(sum([1.0, 1e100, 1.0, -1e100]), 2.0);
        assert_eq!(sum([0.1; 10]), 1.0);
    }

    #[test]
    fn equal_values_deviate_by_exactly_nothing() {
        assert_eq!(sample_deviation(&[0.002; 30]), Some(0.0));
        assert_eq!(sample_deviation(&[0.002]), None);
        assert_eq!(mean(&[]), None);
    }

    #[test]
    fn an_overflow_is_undefined() {
        assert_eq!(central_moment(&[f64::MAX, 0.0], 2), None);
    }
}
