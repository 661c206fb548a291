//! Exponential and logarithm that have the same bits on every instruction set and run across lanes.

/// Below this argument [`exp`] answers as at it: the result would no longer be a normal number.
const LEAST_EXPONENT: f32 = -87.0;
/// Above this argument [`exp`] answers as at it: the result would be infinite.
const LARGEST_EXPONENT: f32 = 88.0;
/// 1.5 * 2^23: adding it rounds to a whole number, which then stands in the low bits.
const ROUNDER: f32 = 12_582_912.0;
/// ln 2 in two parts, the first exact in products with small whole numbers.
const LN_2_HIGH: f32 = 0.693_359_4;
const LN_2_LOW: f32 = -2.121_944_4e-4;
/// Bits of 1.0.
const ONE_BITS: u32 = 0x3F80_0000;
/// Bits of the mantissa.
const MANTISSA_BITS: u32 = 23;
/// Bits of the square root of one half.
const ROOT_HALF_BITS: u32 = 0x3F35_04F3;

/// `e^x` to within 2e-7 of its value for x in -87..=88, outside as at the bound; 1 at 0, NaN for NaN.
///
/// Cephes' `expf`: `2^n e^r` with |r| <= ln 2 / 2.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    let x = x.clamp(LEAST_EXPONENT, LARGEST_EXPONENT);
    let rounded = x.mul_add(std::f32::consts::LOG2_E, ROUNDER);
    let n = rounded - ROUNDER;
    let r = n.mul_add(-LN_2_LOW, n.mul_add(-LN_2_HIGH, x));
    let mut sum = 1.987_569_1e-4;
    for coefficient in [1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 0.166_666_65, 0.5] {
        sum = r.mul_add(sum, coefficient);
    }
    let value = (r * r).mul_add(sum, r) + 1.0;
    value * f32::from_bits((rounded.to_bits() << MANTISSA_BITS).wrapping_add(ONE_BITS))
}

/// Natural logarithm of a normal positive `x`, to within 2e-7 of its value or 1e-7; 0 at 1, NaN for NaN. Other
/// arguments give a finite number without meaning.
///
/// Cephes' `logf`: `x = 2^e m` with m between the root of one half and that of two.
#[inline(always)]
pub(crate) fn ln(x: f32) -> f32 {
    let shifted = x.to_bits().wrapping_sub(ROOT_HALF_BITS);
    let exponent = (shifted as i32) >> MANTISSA_BITS;
    let mantissa = x.to_bits().wrapping_sub((exponent as u32) << MANTISSA_BITS);
    let (e, m) = (exponent as f32, f32::from_bits(mantissa) - 1.0);
    let mut sum = 7.037_683_6e-2;
    for coefficient in [
        -0.115_146_1,
        0.116_769_98,
        -0.124_201_41,
        0.142_493_23,
        -0.166_680_57,
        0.200_007_14,
        -0.249_999_94,
        0.333_333_3,
    ] {
        sum = m.mul_add(sum, coefficient);
    }
    let square = m * m;
    let tail = e.mul_add(LN_2_LOW, square.mul_add(-0.5, m * square * sum));
    let value = e.mul_add(LN_2_HIGH, m + tail);
    if x.is_nan() { x } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponential_stays_within_its_documented_error() {
        for i in 0..=1_000_000 {
            let x = -87.0 + 175.0 * i as f32 / 1_000_000.0;
            let expected = f64::from(x).exp();
            assert!((f64::from(exp(x)) / expected - 1.0).abs() <= 2e-7, "{x}");
        }
        assert_eq!((exp(0.0), exp(-1e9), exp(f32::NEG_INFINITY)), (1.0, exp(-87.0), exp(-87.0)));
        assert!(exp(f32::NAN).is_nan() && exp(f32::INFINITY).is_finite());
    }

    #[test]
    fn the_logarithm_stays_within_its_documented_error() {
        for i in 1..=1_000_000 {
            for x in [i as f32 / 1_000.0, i as f32 * 1e-30, i as f32 * 1e30] {
                let expected = f64::from(x).ln();
                assert!((f64::from(ln(x)) - expected).abs() <= 1e-7_f64.max(2e-7 * expected.abs()), "{x}");
            }
        }
        assert_eq!(ln(1.0).to_bits(), 0.0_f32.to_bits());
        assert!(ln(f32::NAN).is_nan());
    }
}
