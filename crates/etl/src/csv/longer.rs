//! Bars of a longer timeframe than the file's.

use walkforward_core::{Aggregator, Bar, BarSeries, BaseBars, Timeframe, Timestamp};

/// Bars of `to` that have closed by `as_of`, and how many of the shorter bars each interval has. `None` when `to` is
/// no multiple of the bars' timeframe.
///
/// An interval that began before the first bar is left out: its open is not known. An interval that lacks more than
/// half of its shorter bars gives no bar, and so becomes a hole, but what it has is counted.
pub(super) fn longer_bars(
    bars: &BarSeries,
    to: Timeframe,
    as_of: Timestamp,
) -> Option<(BarSeries, BaseBars)> {
    let from = bars.timeframe();
    let mut aggregator = Aggregator::new(from, to).ok()?;
    let per_bar = usize::try_from(to.minutes() / from.minutes()).ok()?;
    let present = counts(bars, to, as_of);
    let is_whole_enough = |bar: &Bar| {
        let at = present.partition_point(|&(start, _)| start < bar.open_time());
        present.get(at).is_some_and(|&(start, count)| start == bar.open_time() && count * 2 >= per_bar)
    };
    let mut longer = BarSeries::new(to);
    let mut take = |bar: Bar| if is_whole_enough(&bar) { longer.push(bar) } else { Ok(()) };
    for bar in bars.iter() {
        for bar in aggregator.push(bar).ok()?.into_iter().flatten() {
            take(bar).ok()?;
        }
    }
    if let Some(bar) = aggregator.close_at(as_of) {
        take(bar).ok()?;
    }
    Some((longer, BaseBars { timeframe: from, present }))
}

/// Start of each interval that lies between the first bar and `as_of`, and how many bars it has.
fn counts(bars: &BarSeries, to: Timeframe, as_of: Timestamp) -> Vec<(Timestamp, usize)> {
    let mut counts: Vec<(Timestamp, usize)> = Vec::new();
    let starts = bars.open_times().iter().map(|&time| to.floor(time));
    let first = bars.first_open_time();
    for start in starts.filter(|&start| Some(start) >= first && start.plus_millis(to.millis()) <= as_of) {
        match counts.last_mut() {
            Some((last, count)) if *last == start => *count += 1,
            _ => counts.push((start, 1)),
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::EPOCH.plus_millis(minute * 60_000)
    }

    fn hours(minutes: impl Iterator<Item = i64>, as_of: i64) -> (BarSeries, BaseBars) {
        let mut bars = BarSeries::new(Timeframe::MINUTE);
        for minute in minutes {
            bars.push(Bar::flat(at(minute), 1.0 + minute as f64).unwrap()).unwrap();
        }
        longer_bars(&bars, "1h".parse().unwrap(), at(as_of)).unwrap()
    }

    #[test]
    fn an_interval_with_half_of_its_bars_opens_at_the_first_price_that_there_is() {
        let (longer, base) = hours((0..60).chain(90..120), 120);
        assert_eq!(longer.opens(), [1.0, 91.0]);
        assert_eq!(base.present, [(at(0), 60), (at(60), 30)]);
    }

    #[test]
    fn an_interval_with_less_gives_no_bar_and_its_bars_are_counted() {
        let (longer, base) = hours((0..60).chain(91..180), 180);
        assert_eq!(longer.open_times(), [at(0), at(120)]);
        assert_eq!(base.present, [(at(0), 60), (at(60), 29), (at(120), 60)]);
    }

    proptest! {
        #[test]
        fn every_short_bar_of_a_closed_interval_is_counted_once(
            minutes in proptest::collection::btree_set(0_i64..600, 1..400),
            as_of in 600_i64..700,
        ) {
            let first = *minutes.first().unwrap();
            let (longer, base) = hours(minutes.iter().copied(), as_of);
            let closed = minutes.iter().filter(|&&minute| {
                let start = minute / 60 * 60;
                start >= first && start + 60 <= as_of
            });
            prop_assert_eq!(base.present.iter().map(|&(_, count)| count).sum::<usize>(), closed.count());
            let whole = base.present.iter().filter(|&&(_, count)| count >= 30).map(|&(start, _)| start);
            prop_assert_eq!(longer.open_times(), whole.collect::<Vec<_>>());
        }
    }
}
