//! A year of minutes.

use walkforward_core::{Bar, BarSeries, Timeframe, Timestamp};

/// Bars of the series.
pub(crate) const BARS: usize = 525_600;

/// A uniform number in 0..1 for each (index, purpose): SplitMix64 of a counter.
pub(crate) fn uniform(index: usize, purpose: u64) -> f64 {
    let mut z = (index as u64 * 4 + purpose + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

/// A random walk from 20,000 in steps of at most 0.1 %; a bar opens up to 0.005 % away from the close before it.
pub(crate) fn bars() -> BarSeries {
    let mut bars = BarSeries::with_capacity(Timeframe::MINUTE, BARS);
    let mut close = 20_000.0_f64;
    for index in 0..BARS {
        let open = close * (1.0 + 0.0001 * (uniform(index, 1) - 0.5));
        close *= 1.0 + 0.002 * (uniform(index, 0) - 0.5);
        let (high, low) = (open.max(close), open.min(close));
        let time = Timestamp::EPOCH.plus_millis(index as i64 * Timeframe::MINUTE.millis());
        bars.push(Bar::new(time, open, high, low, close, 1.0).expect("a bar")).expect("ascending bars");
    }
    bars
}
