//! What the benches of files and caches share: made-up numbers, and what the kernel knows about this process.

use std::fs::read_to_string;

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

/// Seconds of processor time of this thread so far; NaN where the kernel does not tell.
pub(crate) fn cpu_seconds() -> f64 {
    let text = read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split_whitespace().next().and_then(|ns| ns.parse::<f64>().ok()).map_or(f64::NAN, |ns| ns * 1e-9)
}

/// Most memory that was resident at once, in MiB; NaN where the kernel does not tell.
pub(crate) fn peak_rss_mib() -> f64 {
    let status = read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
    kib.map_or(f64::NAN, |kib| kib / 1024.0)
}
