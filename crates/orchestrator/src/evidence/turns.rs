//! Who decides at which bar.

use std::ops::Range;

use walkforward_core::{BarSeries, Timestamp};
use walkforward_store::Snapshot;

/// Bars at whose closes the same snapshot decides; none holds no position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Turn<'a> {
    pub(super) bars: Range<usize>,
    pub(super) snapshot: Option<&'a Snapshot>,
}

/// The turns over `range`, in order: at each close the newest snapshot that was published by then and has not seen the
/// bar. `snapshots` are in the order in which they were published.
pub(super) fn turns<'a>(bars: &BarSeries, range: Range<usize>, snapshots: &'a [Snapshot]) -> Vec<Turn<'a>> {
    let mut turns: Vec<Turn<'a>> = Vec::new();
    for index in range {
        let snapshot = decider(bars, index, snapshots);
        match turns.last_mut() {
            Some(turn) if turn.snapshot == snapshot => turn.bars.end = index + 1,
            _ => turns.push(Turn { bars: index..index + 1, snapshot }),
        }
    }
    turns
}

fn decider<'a>(bars: &BarSeries, index: usize, snapshots: &'a [Snapshot]) -> Option<&'a Snapshot> {
    let open = bars.open_times()[index];
    let close = close_of(bars, index);
    let published = snapshots.partition_point(|snapshot| snapshot.published_at <= close);
    snapshots[..published].iter().rev().find(|snapshot| snapshot.lineage_until <= open)
}

pub(super) fn close_of(bars: &BarSeries, index: usize) -> Timestamp {
    bars.open_times()[index].plus_millis(bars.timeframe().millis())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use walkforward_core::{Bar, ModelId, RunId};

    use super::*;

    const HOUR_MS: i64 = 3_600_000;

    fn at(hour: i64) -> Timestamp {
        Timestamp::EPOCH.plus_millis(hour * HOUR_MS)
    }

    fn hours(count: i64) -> BarSeries {
        let mut bars = BarSeries::new("1h".parse().unwrap());
        for hour in 0..count {
            bars.push(Bar::new(at(hour), 1.0, 1.0, 1.0, 1.0, 1.0).unwrap()).unwrap();
        }
        bars
    }

    fn snapshot(published_ms: i64, seen_until_hour: i64) -> Snapshot {
        let published_at = Timestamp::EPOCH.plus_millis(published_ms);
        let model = ModelId::of_run(&RunId::at(published_at));
        Snapshot { model, published_at, lineage_until: at(seen_until_hour) }
    }

    #[test]
    fn a_snapshot_decides_from_the_first_close_after_it_was_published() {
        let bars = hours(10);
        let snapshots = [snapshot(2 * HOUR_MS, 0), snapshot(5 * HOUR_MS + 1, 3)];
        let turns = turns(&bars, 0..10, &snapshots);
        let found: Vec<_> = turns.iter().map(|turn| (turn.bars.clone(), turn.snapshot)).collect();
        // Bar 1 closes at 2:00, bar 5 at 6:00.
        assert_eq!(found, [(0..1, None), (1..5, Some(&snapshots[0])), (5..10, Some(&snapshots[1]))]);
    }

    #[test]
    fn a_snapshot_that_saw_the_bar_leaves_it_to_an_older_one() {
        let bars = hours(6);
        let snapshots = [snapshot(0, 0), snapshot(HOUR_MS, 4)];
        let found: Vec<_> =
            turns(&bars, 0..6, &snapshots).iter().map(|turn| (turn.bars.clone(), turn.snapshot)).collect();
        assert_eq!(found, [(0..4, Some(&snapshots[0])), (4..6, Some(&snapshots[1]))]);
    }

    proptest! {
        #[test]
        fn nobody_decides_who_saw_the_bar_or_came_after_its_close(
            published in proptest::collection::vec((0i64..60 * HOUR_MS, 0i64..70), 0..12),
            cut in 0usize..50,
        ) {
            let bars = hours(50);
            let mut snapshots: Vec<Snapshot> =
                published.iter().map(|(at, seen)| snapshot(*at, *seen)).collect();
            snapshots.sort_by_key(|snapshot| snapshot.published_at);
            let whole = turns(&bars, 0..50, &snapshots);
            for turn in &whole {
                for index in turn.bars.clone() {
                    let open = bars.open_times()[index];
                    let could = |it: &&Snapshot| it.published_at <= close_of(&bars, index) && it.lineage_until <= open;
                    prop_assert_eq!(turn.snapshot, snapshots.iter().rfind(could));
                }
            }
            let mut parts = turns(&bars, 0..cut, &snapshots);
            parts.extend(turns(&bars, cut..50, &snapshots));
            let flat = |turns: &[Turn<'_>]| -> Vec<Option<Snapshot>> {
                turns.iter().flat_map(|turn| turn.bars.clone().map(|_| turn.snapshot.cloned())).collect()
            };
            prop_assert_eq!(flat(&parts), flat(&whole));
        }
    }
}
