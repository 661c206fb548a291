//! The standard normal distribution, to about 14 digits in both tails.

use std::f64::consts::PI;

/// From here on the continued fraction needs fewer terms than the series.
const TAIL_FROM: f64 = 2.0;
/// Terms of the continued fraction: at [`TAIL_FROM`] the rest is below 1e-18 of the value.
const FRACTION_TERMS: u32 = 150;
/// Halley steps from four digits to all of them (each triples the digits).
const QUANTILE_STEPS: usize = 3;

/// Density at `x`.
fn density(x: f64) -> f64 {
    (-0.5 * x * x).exp() / (2.0 * PI).sqrt()
}

/// Probability of at most `x`.
pub(crate) fn cumulative(x: f64) -> f64 {
    if x >= TAIL_FROM {
        1.0 - upper_tail(x)
    } else if x <= -TAIL_FROM {
        upper_tail(-x)
    } else {
        0.5 + centre(x)
    }
}

/// Probability of more than `x`, without the loss of digits in `1 - cumulative(x)`.
pub(crate) fn exceeding(x: f64) -> f64 {
    cumulative(-x)
}

/// The `x` that a standard normal number exceeds with probability `tail`; `None` unless `0 < tail < 1`.
///
/// Abramowitz and Stegun 26.2.23 (four digits), then Halley's method.
pub fn exceeded_with(tail: f64) -> Option<f64> {
    if !(tail > 0.0 && tail < 1.0) {
        return None;
    }
    if tail > 0.5 {
        return exceeded_with(1.0 - tail).map(|x| 0.0 - x);
    }
    if tail == 0.5 {
        return Some(0.0);
    }
    let t = (-2.0 * tail.ln()).sqrt();
    let numerator = 2.515_517 + t * (0.802_853 + t * 0.010_328);
    let denominator = 1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308));
    let mut x = t - numerator / denominator;
    for _ in 0..QUANTILE_STEPS {
        let error = (tail - exceeding(x)) / density(x);
        x -= error / (1.0 + 0.5 * x * error);
    }
    Some(x)
}

/// `cumulative(x) - 0.5` as `density(x) (x + x^3/3 + x^5/(3*5) + ..)`, all terms of one sign.
fn centre(x: f64) -> f64 {
    let (mut term, mut total, mut odd) = (x, x, 1.0);
    while term.abs() > 1e-17 * total.abs() {
        odd += 2.0;
        term *= x * x / odd;
        total += term;
    }
    density(x) * total
}

/// Laplace's continued fraction `density(x) / (x + 1/(x + 2/(x + 3/..)))`, for `x` well above 0.
fn upper_tail(x: f64) -> f64 {
    let fraction = (1..=FRACTION_TERMS).rev().fold(x, |below, k| x + f64::from(k) / below);
    density(x) / fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(actual: f64, expected: f64) {
        assert!((actual / expected - 1.0).abs() < 1e-13, "{actual}, expected {expected}");
    }

    #[test]
    fn probabilities_have_their_tabulated_values_in_both_tails() {
        assert_eq!(cumulative(0.0), 0.5);
        near(cumulative(1.0), 0.841_344_746_068_542_9);
        near(cumulative(-1.0), 0.158_655_253_931_457_05);
        near(cumulative(-3.0), 1.349_898_031_630_094_6e-3);
        near(cumulative(-10.0), 7.619_853_024_160_527e-24);
        near(exceeding(5.0), 2.866_515_718_791_939e-7);
        assert_eq!((cumulative(40.0), cumulative(-40.0)), (1.0, 0.0));
    }

    #[test]
    fn both_methods_agree_where_they_meet() {
        for x in [2.0, 2.5, 3.0] {
            near(0.5 - centre(x), upper_tail(x));
        }
    }

    #[test]
    fn quantiles_have_their_tabulated_values() {
        near(exceeded_with(0.05).unwrap(), 1.644_853_626_951_472_2);
        near(exceeded_with(0.025).unwrap(), 1.959_963_984_540_054);
        near(exceeded_with(0.975).unwrap(), -1.959_963_984_540_054);
        near(exceeded_with(1e-10).unwrap(), 6.361_340_902_404_055);
        assert_eq!(exceeded_with(0.5), Some(0.0));
    }

    #[test]
    fn a_quantile_inverts_the_probability() {
        for tail in [1e-300, 1e-20, 1e-6, 0.01, 0.3, 0.499_999, 0.6, 0.999] {
            let found = exceeding(exceeded_with(tail).unwrap());
            assert!((found / tail - 1.0).abs() < 1e-12, "{found}, expected {tail}");
        }
    }

    #[test]
    fn what_is_no_probability_has_no_quantile() {
        for tail in [0.0, 1.0, -0.1, 1.1, f64::NAN] {
            assert_eq!(exceeded_with(tail), None);
        }
    }
}
