//! The one activation function.

/// Largest absolute difference between [`tanh`] and the true hyperbolic tangent, over all finite arguments.
pub const TANH_MAX_ERROR: f32 = 3e-7;

/// From here on the rational function has reached 1.
const SATURATION: f32 = 7.905_311;
/// Odd coefficients of the numerator, x^1 to x^13.
const NUMERATOR: [f32; 7] = [
    4.893_524_6e-3,
    6.372_619e-4,
    1.485_722_4e-5,
    5.122_297e-8,
    -8.604_672e-11,
    2.000_188e-13,
    -2.760_768_5e-16,
];
/// Even coefficients of the denominator, x^0 to x^6.
const DENOMINATOR: [f32; 4] = [4.893_525e-3, 2.268_434_6e-3, 1.185_347_1e-4, 1.198_258_4e-6];

/// Hyperbolic tangent to within [`TANH_MAX_ERROR`]; odd to the bit, never beyond 1 in magnitude, NaN for NaN.
///
/// A rational function of degree 13 over 6 (the coefficients are those of the Eigen library's `float` version),
/// evaluated with fused multiply-add, so its bits do not depend on the instruction set.
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    let x = x.clamp(-SATURATION, SATURATION);
    let square = x * x;
    let mut above = NUMERATOR[6];
    above = above.mul_add(square, NUMERATOR[5]);
    above = above.mul_add(square, NUMERATOR[4]);
    above = above.mul_add(square, NUMERATOR[3]);
    above = above.mul_add(square, NUMERATOR[2]);
    above = above.mul_add(square, NUMERATOR[1]);
    above = above.mul_add(square, NUMERATOR[0]);
    let mut below = DENOMINATOR[3];
    below = below.mul_add(square, DENOMINATOR[2]);
    below = below.mul_add(square, DENOMINATOR[1]);
    below = below.mul_add(square, DENOMINATOR[0]);
    (x * above / below).clamp(-1.0, 1.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tanh_stays_within_its_documented_error() {
        let steps = 400_000;
        let worst = (0..=steps)
            .map(|i| -10.0 + 20.0 * i as f32 / steps as f32)
            .map(|x| (f64::from(tanh(x)) - f64::from(x).tanh()).abs())
            .fold(0.0, f64::max);
        assert!(worst <= f64::from(TANH_MAX_ERROR), "{worst:e}");
    }

    #[test]
    fn tanh_saturates_and_keeps_nan() {
        assert_eq!(tanh(f32::INFINITY), tanh(8.0));
        assert!((1.0 - tanh(8.0)).abs() <= TANH_MAX_ERROR);
        assert!(tanh(f32::NAN).is_nan());
        assert_eq!(tanh(0.0).to_bits(), 0.0_f32.to_bits());
    }

    proptest! {
        #[test]
        fn tanh_is_odd_and_bounded(bits in any::<u32>()) {
            let x = f32::from_bits(bits);
            prop_assume!(!x.is_nan());
            prop_assert_eq!(tanh(-x).to_bits(), (-tanh(x)).to_bits());
            prop_assert!(tanh(x).abs() <= 1.0);
        }
    }
}
