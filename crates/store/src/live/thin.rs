//! Which bars are kept of a session that goes on for years.

/// Most bars that are kept of a session: nearly two years of hours whole, and every 128th of
/// two years of minutes.
pub const MAX_LIVE_BARS: u64 = 16_384;

/// How far apart the kept ones of `bars` bars are: 1, 2, 4, .. It follows from the number alone, so that it does not
/// depend on how the journal was carried over.
pub(super) fn stride(bars: u64) -> u64 {
    let mut stride = 1;
    while bars.saturating_sub(1) / stride + 1 > MAX_LIVE_BARS {
        stride *= 2;
    }
    stride
}

/// Whether bar `number`, from 1, is kept among those `stride` apart.
pub(super) fn is_kept(number: u64, stride: u64) -> bool {
    number.saturating_sub(1).is_multiple_of(stride)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn all_bars_are_kept_until_they_are_too_many() {
        assert_eq!([stride(0), stride(1), stride(MAX_LIVE_BARS), stride(MAX_LIVE_BARS + 1)], [1, 1, 1, 2]);
        assert_eq!(stride(2 * 365 * 24 * 60), 128);
        assert!(is_kept(1, 64) && is_kept(65, 64) && !is_kept(2, 64) && !is_kept(64, 64));
    }

    proptest! {
        #[test]
        fn the_kept_ones_are_as_many_as_there_is_room_for_and_more_than_half(bars in 1..1_000_000_000_u64) {
            let stride = stride(bars);
            let kept = (bars - 1) / stride + 1;
            prop_assert!(kept <= MAX_LIVE_BARS && (stride == 1 || kept > MAX_LIVE_BARS / 2));
            prop_assert!(stride.is_power_of_two());
        }
    }
}
