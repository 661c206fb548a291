//! Sums and moments that do not lose digits.

/// Neumaier's compensated sum, one term at a time: the rounding error does not grow with the number of terms.
pub(crate) type CompensatedSum = CompensatedSums<1>;

/// `N` compensated sums side by side, each the same to the bit as alone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct CompensatedSums<const N: usize> {
    total: [f64; N],
    lost: [f64; N],
}

impl<const N: usize> Default for CompensatedSums<N> {
    fn default() -> Self {
        Self { total: [0.0; N], lost: [0.0; N] }
    }
}

impl<const N: usize> CompensatedSums<N> {
    /// Adds one term to each sum.
    #[inline]
    pub(crate) fn add_each(&mut self, values: [f64; N]) {
        for (lane, value) in values.into_iter().enumerate() {
            // What the addition lost, exactly and without a branch (Knuth's two-sum).
            let total = self.total[lane];
            let next = total + value;
            let taken = next - total;
            self.lost[lane] += (total - (next - taken)) + (value - taken);
            self.total[lane] = next;
        }
    }

    /// The sums of all terms so far; 0 of none.
    pub(crate) fn values(&self) -> [f64; N] {
        std::array::from_fn(|lane| self.total[lane] + self.lost[lane])
    }
}

impl CompensatedSum {
    /// Adds one term.
    pub(crate) fn add(&mut self, value: f64) {
        self.add_each([value]);
    }

    /// The sum of all terms so far; 0 of none.
    pub(crate) fn value(&self) -> f64 {
        self.values()[0]
    }
}

/// The [`CompensatedSum`] of `values`.
pub(crate) fn sum(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut total = CompensatedSum::default();
    values.into_iter().for_each(|value| total.add(value));
    total.value()
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

/// Whether no value differs from the first by more than the rounding of `1 + value`: a deviation of rounded numbers
/// can't tell, and returns of an equity that grows at a constant rate are equal up to that.
pub(crate) fn all_equal(values: &[f64]) -> bool {
    const ROUNDING: f64 = 4.0 * f64::EPSILON;
    let tolerance = ROUNDING * (1.0 + values.first().map_or(0.0, |first| first.abs()));
    values.iter().all(|value| (*value - values[0]).abs() <= tolerance)
}

/// Quantile `p` of a sorted, non-empty slice, interpolated at `h = (n - 1) p` (Hyndman and Fan's type 7).
pub(crate) fn quantile(sorted: &[f64], p: f64) -> f64 {
    let (below, above, share) = quantile_ranks(sorted.len(), p);
    sorted[below] + (sorted[above] - sorted[below]) * share
}

/// The two ranks between which quantile `p` of `n` values lies, and how far it is from the first.
pub(crate) fn quantile_ranks(n: usize, p: f64) -> (usize, usize, f64) {
    let h = (n - 1) as f64 * p;
    let below = h.floor() as usize;
    (below, (below + 1).min(n - 1), h - h.floor())
}

/// The number, unless it is NaN or infinite.
pub(crate) fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_differ_by_rounding_alone_are_equal() {
        let equity: Vec<f64> = (0..500).map(|bar| 1.001_3_f64.powi(bar)).collect();
        let returns: Vec<f64> = equity.windows(2).map(|pair| pair[1] / pair[0] - 1.0).collect();
        assert!(returns.iter().any(|r| *r != returns[0]));
        assert!(all_equal(&returns));
        assert_eq!(sample_deviation(&returns), Some(0.0));
        assert!(!all_equal(&[0.001_3, 0.001_3 + 1e-14]));
    }

    #[test]
    fn a_sum_keeps_what_plain_addition_loses() {
        assert_eq!(sum([1.0, 1e100, 1.0, -1e100]), 2.0);
        assert_eq!(sum([0.1; 10]), 1.0);
    }

    #[test]
    fn a_quantile_between_two_values_is_interpolated() {
        assert!((quantile(&[0.0, 1.0], 0.05) - 0.05).abs() < 1e-15);
        assert_eq!(quantile(&[7.0], 0.95), 7.0);
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
