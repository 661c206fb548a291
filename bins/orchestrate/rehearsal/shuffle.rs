//! A market with its days in random order: what one day says about the next is gone, and nothing else.

use std::ops::Range;

use walkforward::failure::Failure;
use walkforward_core::{Bar, BarSeries, Timestamp};

use super::DAY_MS;

/// `2^64 / golden ratio`, made odd: the step of SplitMix64.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// The bars of `bars` with whole UTC days in an order that `seed` draws. Start times stay where they are, and so does the
/// first bar; each other bar keeps its shape (open, high, low and close over the close before it) and its volume, and
/// the prices follow from the first close.
///
/// Days that follow each other have nothing to do with each other any more: what can still be learned is what happens
/// within a day, and the mean rise of all of them.
///
/// # Errors
/// A price leaves the range of numbers.
pub(crate) fn shuffle_days(bars: &BarSeries, seed: u64) -> Result<BarSeries, Failure> {
    let mut shuffled = BarSeries::with_capacity(bars.timeframe(), bars.len());
    let refuse =
        |problem: &dyn std::fmt::Display| Failure::input(format!("the bars can't be shuffled: {problem}"));
    if bars.is_empty() {
        return Ok(shuffled);
    }
    shuffled.push(bars.bar(0)).map_err(|error| refuse(&error))?;
    let order = in_random_order(days(bars), seed);
    let mut close = bars.closes()[0];
    for (from, open_time) in order.into_iter().flatten().zip(&bars.open_times()[1..]) {
        let bar = reshaped(bars, from, *open_time, close).map_err(|error| refuse(&error))?;
        close = bar.close();
        shuffled.push(bar).map_err(|error| refuse(&error))?;
    }
    Ok(shuffled)
}

/// The bar at `from` as it would have been after a close of `close`.
fn reshaped(
    bars: &BarSeries,
    from: usize,
    open_time: Timestamp,
    close: f64,
) -> Result<Bar, walkforward_core::BarError> {
    let bar = bars.bar(from);
    let scale = close / bars.closes()[from - 1];
    let [open, high, low, close] =
        [bar.open(), bar.high(), bar.low(), bar.close()].map(|price| price * scale);
    // Rounding must not put a close above its high.
    let (high, low) = (high.max(open).max(close), low.min(open).min(close));
    Bar::new(open_time, open, high, low, close, bar.volume())
}

/// Indices of the bars of each day, the first bar left out.
fn days(bars: &BarSeries) -> Vec<Range<usize>> {
    let day = |index: usize| bars.open_times()[index].as_millis().div_euclid(DAY_MS);
    let mut days: Vec<Range<usize>> = Vec::new();
    for index in 1..bars.len() {
        match days.last_mut() {
            Some(last) if day(last.start) == day(index) => last.end = index + 1,
            _ => days.push(index..index + 1),
        }
    }
    days
}

/// Fisher and Yates's shuffle with the numbers of SplitMix64.
fn in_random_order(mut days: Vec<Range<usize>>, seed: u64) -> Vec<Range<usize>> {
    let mut state = seed;
    for last in (1..days.len()).rev() {
        state = state.wrapping_add(STEP);
        let chosen = (u128::from(mixed(state)) * (last as u128 + 1)) >> 64;
        days.swap(last, chosen as usize);
    }
    days
}

fn mixed(counter: u64) -> u64 {
    let z = (counter ^ (counter >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use walkforward_core::BarRequest;
    use walkforward_etl::SyntheticSource;

    fn market(seed: u64, bars: usize) -> BarSeries {
        let request = BarRequest::new("BTC/USD".parse().unwrap(), bars);
        SyntheticSource::new(seed).read(&request).unwrap().bars
    }

    /// What each bar is beside the close before it, but the first: return, shape, volume. In order of return.
    fn shapes(bars: &BarSeries) -> Vec<[f64; 5]> {
        let shape = |index: usize| {
            let (bar, before) = (bars.bar(index), bars.closes()[index - 1]);
            [bar.close() / before, bar.open() / before, bar.high() / before, bar.low() / before, bar.volume()]
        };
        let mut shapes: Vec<[f64; 5]> = (1..bars.len()).map(shape).collect();
        shapes.sort_by(|one, other| one.partial_cmp(other).unwrap());
        shapes
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn every_bar_is_still_there_at_another_time(seed in 0..1_000_u64, bars in 2..400_usize) {
            let market = market(seed, bars);
            let shuffled = shuffle_days(&market, seed).unwrap();
            prop_assert_eq!(shuffled.open_times(), market.open_times());
            prop_assert_eq!(shuffled.bar(0), market.bar(0));
            for (was, is) in shapes(&market).into_iter().flatten().zip(shapes(&shuffled).into_iter().flatten()) {
                prop_assert!((was - is).abs() <= 1e-9 * was.abs(), "{was} {is}");
            }
            let (was, is) = (market.closes().last().unwrap(), shuffled.closes().last().unwrap());
            prop_assert!((was / is - 1.0).abs() < 1e-9, "the whole return stays: {was} {is}");
            prop_assert_eq!(shuffled, shuffle_days(&market, seed).unwrap());
        }
    }

    #[test]
    fn another_seed_gives_another_order_and_days_stay_whole() {
        let market = market(1, 24 * 60);
        let [one, other] = [1, 2].map(|seed| shuffle_days(&market, seed).unwrap());
        assert!(one != other && one != market);
        let order = in_random_order(days(&market), 1);
        assert!(order.iter().flat_map(Clone::clone).ne(1..market.len()));
        let mut sorted = order.clone();
        sorted.sort_by_key(|day| day.start);
        assert_eq!(sorted.into_iter().flatten().collect::<Vec<_>>(), (1..market.len()).collect::<Vec<_>>());
        assert!(order.iter().all(|day| day.len() <= 24));
    }

    #[test]
    fn one_bar_stays_as_it_is() {
        let market = market(1, 1);
        assert_eq!(shuffle_days(&market, 5).unwrap(), market);
        assert!(shuffle_days(&market.slice(0..0), 5).unwrap().is_empty());
    }
}
