//! What the benches share: the features and made-up numbers.

use walkforward_core::{FeatureKind, FeatureSpec};

/// Every kind of feature with its usual parameters, returns over one period: 18 columns.
pub(crate) fn features() -> FeatureSpec {
    let mut kinds = FeatureKind::catalogue();
    kinds[0] = FeatureKind::Returns { periods: vec![1] };
    FeatureSpec::new(kinds).expect("a specification")
}

/// A uniform number in 0..1 for each (bar, purpose): SplitMix64 of a counter.
pub(crate) fn uniform(index: usize, purpose: u64) -> f64 {
    let mut z = (index as u64 * 4 + purpose + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}
