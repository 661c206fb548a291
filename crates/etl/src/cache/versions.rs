//! Bars with everything that was ever known of them.

use walkforward_core::{Bar, BarColumns, BarSeries, SeriesError, Timeframe, Timestamp};

use crate::parquet::codec::Columns;

/// Bars by start, each start as often as its bar was learnt anew, oldest version first.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Versions(Columns);

/// Which version of each bar is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    /// The newest one.
    Newest,
    /// The newest one that was known at a time; a bar that was not known by then is left out.
    KnownAt(Timestamp),
    /// The newest one that was known at a time; of a bar that was not known by then the first one. What is learnt
    /// later changes no bar that was given for that time.
    AsOf(Timestamp),
}

/// Bars with one version each, and the starts of those that were changed before it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Known {
    pub(crate) bars: BarSeries,
    pub(crate) revised: Vec<Timestamp>,
}

impl Versions {
    /// The versions in `columns`; `None` when they are not in order or not complete.
    pub(crate) fn from_columns(columns: Columns) -> Option<Self> {
        let times = columns.bars.open_time.iter().zip(&columns.learnt_at);
        let is_ordered = times.is_sorted();
        (is_ordered && columns.learnt_at.len() == columns.bars.len()).then_some(Self(columns))
    }

    /// Those of `given` that are new here or differ from what is known, learnt at `learnt_at`. Where the clock has
    /// gone back, a bar counts as learnt when its version before was: the order of versions stays.
    pub(crate) fn news(&self, given: &BarSeries, learnt_at: Timestamp) -> Self {
        let mut news = Columns::default();
        for bar in given.iter() {
            let known = self.newest_row(bar.open_time());
            if known.and_then(|row| self.bar(row)) == Some(bar) {
                continue;
            }
            news.bars.push(&bar);
            news.learnt_at.push(known.map_or(learnt_at, |row| self.0.learnt_at[row].max(learnt_at)));
        }
        Self(news)
    }

    fn newest_row(&self, start: Timestamp) -> Option<usize> {
        let open_time = &self.0.bars.open_time;
        let row = open_time.partition_point(|&time| time <= start).checked_sub(1)?;
        (open_time[row] == start).then_some(row)
    }

    fn bar(&self, row: usize) -> Option<Bar> {
        let BarColumns { open_time, open, high, low, close, volume } = &self.0.bars;
        Bar::new(open_time[row], open[row], high[row], low[row], close[row], volume[row]).ok()
    }

    /// When the newest version was learnt.
    pub(crate) fn learnt_until(&self) -> Option<Timestamp> {
        self.0.learnt_at.iter().max().copied()
    }

    /// Adds versions of bars that were learnt after those of the same bars here.
    pub(crate) fn merge(&mut self, newer: Self) {
        let Some(&first) = newer.0.bars.open_time.first() else { return };
        if self.len() == 0 {
            *self = newer;
            return;
        }
        let at = self.0.bars.open_time.partition_point(|&time| time < first);
        let tail = self.split_off(at);
        if tail.is_empty() {
            return self.append(newer.0);
        }
        self.append(merged(&tail, &newer.0));
    }

    fn split_off(&mut self, at: usize) -> Columns {
        let BarColumns { open_time, open, high, low, close, volume } = &mut self.0.bars;
        let bars = BarColumns {
            open_time: open_time.split_off(at),
            open: open.split_off(at),
            high: high.split_off(at),
            low: low.split_off(at),
            close: close.split_off(at),
            volume: volume.split_off(at),
        };
        Columns { bars, learnt_at: self.0.learnt_at.split_off(at) }
    }

    fn append(&mut self, other: Columns) {
        let BarColumns { open_time, open, high, low, close, volume } = other.bars;
        let bars = &mut self.0.bars;
        bars.open_time.extend(open_time);
        bars.open.extend(open);
        bars.high.extend(high);
        bars.low.extend(low);
        bars.close.extend(close);
        bars.volume.extend(volume);
        self.0.learnt_at.extend(other.learnt_at);
    }

    /// One version of each bar.
    pub(crate) fn known(self, timeframe: Timeframe, which: Which) -> Result<Known, SeriesError> {
        let Columns { bars, learnt_at } = self.0;
        let is_simple = bars.open_time.is_sorted_by(|one, next| one < next);
        let is_all = match which {
            Which::Newest | Which::AsOf(_) => true,
            Which::KnownAt(time) => learnt_at.iter().all(|&learnt| learnt <= time),
        };
        if is_simple && is_all {
            return Ok(Known { bars: BarSeries::from_columns(timeframe, bars)?, revised: Vec::new() });
        }
        let mut chosen: Vec<usize> = Vec::with_capacity(bars.len());
        let mut revised: Vec<Timestamp> = Vec::new();
        let mut first = 0;
        for versions in bars.open_time.chunk_by(|one, next| one == next) {
            let rows = first..first + versions.len();
            first = rows.end;
            let known_by = |time| learnt_at[rows.clone()].partition_point(|&learnt| learnt <= time);
            let count = match which {
                Which::Newest => versions.len(),
                Which::KnownAt(time) => known_by(time),
                Which::AsOf(time) => known_by(time).max(1),
            };
            chosen.extend(count.checked_sub(1).map(|last| rows.start + last));
            revised.extend((count > 1).then(|| versions[0]));
        }
        let bars = BarSeries::from_columns(timeframe, selected(&bars, &chosen))?;
        Ok(Known { bars, revised })
    }

    pub(crate) fn len(&self) -> usize {
        self.0.bars.len()
    }

    pub(crate) fn columns(&self) -> &Columns {
        &self.0
    }

    pub(crate) fn starts(&self) -> &[Timestamp] {
        &self.0.bars.open_time
    }
}

impl Columns {
    fn is_empty(&self) -> bool {
        self.bars.is_empty()
    }

    fn push(&mut self, from: &Self, row: usize) {
        let BarColumns { open_time, open, high, low, close, volume } = &from.bars;
        self.bars.open_time.push(open_time[row]);
        self.bars.open.push(open[row]);
        self.bars.high.push(high[row]);
        self.bars.low.push(low[row]);
        self.bars.close.push(close[row]);
        self.bars.volume.push(volume[row]);
        self.learnt_at.push(from.learnt_at[row]);
    }
}

/// Both by start; of equal starts the older one's first.
fn merged(older: &Columns, newer: &Columns) -> Columns {
    let mut out = Columns::default();
    let mut next = 0;
    for row in 0..older.bars.len() {
        while next < newer.bars.len() && newer.bars.open_time[next] < older.bars.open_time[row] {
            out.push(newer, next);
            next += 1;
        }
        out.push(older, row);
    }
    (next..newer.bars.len()).for_each(|row| out.push(newer, row));
    out
}

fn selected(bars: &BarColumns, rows: &[usize]) -> BarColumns {
    let column = |values: &[f64]| rows.iter().map(|&row| values[row]).collect();
    BarColumns {
        open_time: rows.iter().map(|&row| bars.open_time[row]).collect(),
        open: column(&bars.open),
        high: column(&bars.high),
        low: column(&bars.low),
        close: column(&bars.close),
        volume: column(&bars.volume),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::EPOCH.plus_millis(minute * 60_000)
    }

    proptest! {
        #[test]
        fn every_earlier_state_can_be_told(
            refreshes in prop::collection::vec(prop::collection::btree_map(0_i64..40, 1_u8..4, 0..20), 1..8),
        ) {
            let mut versions = Versions::default();
            let mut states = vec![BTreeMap::new()];
            let mut changed = vec![std::collections::BTreeSet::new()];
            for (time, refresh) in refreshes.iter().enumerate() {
                let mut given = BarSeries::new(Timeframe::MINUTE);
                let mut state: BTreeMap<i64, u8> = states[time].clone();
                let mut revised = changed[time].clone();
                for (&minute, &price) in refresh {
                    given.push(Bar::flat(at(minute), f64::from(price)).unwrap()).unwrap();
                    if state.insert(minute, price).is_some_and(|before| before != price) {
                        revised.insert(at(minute));
                    }
                }
                versions.merge(versions.clone().news(&given, at(1_000 + time as i64)));
                states.push(state);
                changed.push(revised);
            }
            prop_assert!(Versions::from_columns(versions.0.clone()).is_some());
            for (time, state) in states.iter().enumerate() {
                let known = versions.clone().known(Timeframe::MINUTE, Which::KnownAt(at(999 + time as i64))).unwrap();
                let got: BTreeMap<i64, u8> =
                    known.bars.iter().map(|bar| (bar.open_time().as_millis() / 60_000, bar.close() as u8)).collect();
                prop_assert_eq!(&got, state);
                prop_assert_eq!(known.revised, changed[time].iter().copied().collect::<Vec<_>>());
            }
        }
    }
}
