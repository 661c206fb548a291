//! Elementary functions that have the same bits on every machine and run across lanes.
//!
//! The standard library's come from the machine's C library, whose bits differ from one version to the next.

/// From here on the hyperbolic tangent is 1 in `f64`.
const SATURATION: f64 = 20.0;
/// The argument is divided by 2^4 and what is made of it squared as often.
const HALVINGS: u32 = 4;
const SMALLEST_PART: f64 = 1.0 / (1 << HALVINGS) as f64;

/// Hyperbolic tangent to within 2e-15; odd but for the sign of 0, never beyond 1 in magnitude, NaN for NaN.
///
/// `tanh x = (u - v) / (u + v)` for any u, v in the proportion of `e^x` to `e^-x`. The fifth convergent of Lambert's
/// continued fraction at x / 16 gives them, and squaring both four times gives those of x: no division until the end.
#[inline(always)]
pub(crate) fn tanh(x: f64) -> f64 {
    let y = x.clamp(-SATURATION, SATURATION) * SMALLEST_PART;
    let square = y * y;
    let above = y * ((square + 105.0) * square + 945.0);
    let below = (15.0 * square + 420.0) * square + 945.0;
    let (mut u, mut v) = (below + above, below - above);
    for _ in 0..HALVINGS {
        (u, v) = (u * u, v * v);
    }
    (u - v) / (u + v)
}

/// `tanh(scale x)` of each value in place: a loop of its own, so that it runs across lanes.
pub(crate) fn tanh_all(values: &mut [f64], scale: f64) {
    for value in values {
        *value = tanh(scale * *value);
    }
}

const MANTISSA_BITS: u32 = 52;
/// Bits of the square root of one half.
const ROOT_HALF_BITS: u64 = 0x3FE6_A09E_667F_3BCD;
/// Bits of 2^52: a whole number below it stands in the low bits of the sum.
const TWO_52_BITS: u64 = 0x4330_0000_0000_0000;
/// Added to an exponent so that it is not negative.
const EXPONENT_SHIFT: u64 = 1_024;

/// `ln(1 + x)` for x >= 0 to within 1e-15 of its value; NaN for NaN, infinite for infinity.
///
/// `1 + x = 2^e m` with m between the root of one half and that of two, `ln m = 2 artanh((m - 1) / (m + 1))`, and a
/// first-order term for what was lost in `1 + x`.
#[inline(always)]
pub(crate) fn ln_1p(x: f64) -> f64 {
    let sum = 1.0 + x;
    let lost = (x - (sum - 1.0)) / sum;
    let bits = sum.to_bits();
    let shifted = bits.wrapping_sub(ROOT_HALF_BITS).wrapping_add(EXPONENT_SHIFT << MANTISSA_BITS);
    let exponent = shifted >> MANTISSA_BITS;
    let mantissa = f64::from_bits(bits.wrapping_sub(exponent.wrapping_sub(EXPONENT_SHIFT) << MANTISSA_BITS));
    let e = f64::from_bits(exponent | TWO_52_BITS) - f64::from_bits(EXPONENT_SHIFT | TWO_52_BITS);
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let square = s * s;
    let mut series = 1.0 / 21.0;
    for odd in [19.0, 17.0, 15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0] {
        series = series * square + 1.0 / odd;
    }
    let value = e * std::f64::consts::LN_2 + (2.0 * s * (series * square) + (lost + 2.0 * s));
    // Infinity has no mantissa, and takes NaN with it.
    if x < f64::INFINITY { value } else { x }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn relative(actual: f64, expected: f64) -> f64 {
        (actual - expected).abs() / expected.abs()
    }

    #[test]
    fn tanh_stays_within_its_documented_error() {
        let mut worst = 0.0_f64;
        for step in 1..=200_000 {
            let x = f64::from(step) * 1.3e-4;
            for x in [x, x * 1e-3, x * 1e-9] {
                worst = worst.max((tanh(x) - x.tanh()).abs());
            }
        }
        assert!(worst <= 2e-15, "{worst:e}");
    }

    #[test]
    fn tanh_saturates_and_keeps_nan() {
        assert_eq!((tanh(f64::INFINITY), tanh(-1e300), tanh(0.0)), (1.0, -1.0, 0.0));
        assert!(tanh(f64::NAN).is_nan());
    }

    #[test]
    fn the_logarithm_stays_within_its_documented_error() {
        let mut worst = 0.0_f64;
        for step in 1..=200_000 {
            let x = f64::from(step) * 1.7e-4;
            for x in [x, x * 1e-6, x * 1e-13, x * 1e6, x * 1e250] {
                worst = worst.max(relative(ln_1p(x), x.ln_1p()));
            }
        }
        assert!(worst <= 1e-15, "{worst:e}");
        assert_eq!((ln_1p(0.0), ln_1p(f64::INFINITY)), (0.0, f64::INFINITY));
        assert!(ln_1p(f64::NAN).is_nan());
    }

    proptest! {
        #[test]
        fn tanh_is_odd_and_bounded(bits in any::<u64>()) {
            let x = f64::from_bits(bits);
            prop_assume!(!x.is_nan());
            prop_assert_eq!(tanh(-x), -tanh(x));
            prop_assert!(tanh(x).abs() <= 1.0);
        }
    }
}
