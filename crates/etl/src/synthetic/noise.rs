//! Counter-based noise: draw `i` of a seed is a hash of both, so no draw depends on another.

/// Draws that belong to one bar.
const DRAWS_PER_BAR: u64 = 24;
const GOLDEN_GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;

/// What the draws of a bar are used for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Draw {
    /// Distance of the open from the close before.
    OpenGap = 12,
    UpperWick = 13,
    LowerWick = 14,
    Volume = 15,
    RegimeBars = 16,
    RegimeVolatility = 17,
    RegimeVolume = 18,
    Missing = 19,
    Outage = 20,
    OutageBars = 21,
}

/// Draw `index` of the stream of `seed`, uniform in [0, 1): SplitMix64 (Steele, Lea, Flood 2014).
fn uniform(seed: u64, index: u64) -> f64 {
    let mut x = seed.wrapping_add(index.wrapping_add(1).wrapping_mul(GOLDEN_GAMMA));
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^= x >> 31;
    (x >> 11) as f64 / (1_u64 << 53) as f64
}

/// The draw of bar `bar` for `purpose`, uniform in [0, 1).
pub(super) fn draw(seed: u64, bar: u64, purpose: Draw) -> f64 {
    uniform(seed, bar.wrapping_mul(DRAWS_PER_BAR).wrapping_add(purpose as u64))
}

/// The shock of bar `bar`: mean 0, standard deviation 1, between -6 and 6, nearly normal (a sum of 12 uniforms,
/// which needs no function that differs from machine to machine).
pub(super) fn shock(seed: u64, bar: u64) -> f64 {
    let first = bar.wrapping_mul(DRAWS_PER_BAR);
    (0..12).map(|at| uniform(seed, first.wrapping_add(at))).sum::<f64>() - 6.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_those_of_splitmix64() {
        // First outputs for seed 0 in the published reference implementation.
        let expected: [u64; 2] = [0xE220_A839_7B1D_CDAF, 0x6E78_9E6A_A1B9_65F4];
        for (index, expected) in (0..).zip(expected) {
            assert_eq!(uniform(0, index), (expected >> 11) as f64 / (1_u64 << 53) as f64);
        }
    }

    #[test]
    fn shocks_have_mean_0_and_deviation_1() {
        let shocks: Vec<f64> = (0..20_000).map(|bar| shock(3, bar)).collect();
        let mean = shocks.iter().sum::<f64>() / 20_000.0;
        let variance = shocks.iter().map(|shock| (shock - mean) * (shock - mean)).sum::<f64>() / 20_000.0;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05, "{mean} {variance}");
    }
}
