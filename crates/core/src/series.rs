//! Many bars, column by column.

use crate::{Bar, BarError, Timeframe, Timestamp, Window};

/// Bars of one timeframe, sorted by time, without duplicates, stored by column.
///
/// Holes are allowed: the series says what is there, a [`crate::Dataset`] says what should be.
#[derive(Debug, Clone, PartialEq)]
pub struct BarSeries {
    timeframe: Timeframe,
    open_time: Vec<Timestamp>,
    open: Vec<f64>,
    high: Vec<f64>,
    low: Vec<f64>,
    close: Vec<f64>,
    volume: Vec<f64>,
}

/// The columns of a series that is still to be checked, all of one length.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BarColumns {
    /// Starts of the bars.
    pub open_time: Vec<Timestamp>,
    /// Open prices.
    pub open: Vec<f64>,
    /// High prices.
    pub high: Vec<f64>,
    /// Low prices.
    pub low: Vec<f64>,
    /// Close prices.
    pub close: Vec<f64>,
    /// Volumes in the base asset.
    pub volume: Vec<f64>,
}

impl BarColumns {
    /// Empty columns with room for `bars` bars.
    pub fn with_capacity(bars: usize) -> Self {
        let column = || Vec::with_capacity(bars);
        let (open, high, low, close, volume) = (column(), column(), column(), column(), column());
        Self { open_time: Vec::with_capacity(bars), open, high, low, close, volume }
    }

    /// Appends a bar to every column.
    pub fn push(&mut self, bar: &Bar) {
        self.open_time.push(bar.open_time());
        self.open.push(bar.open());
        self.high.push(bar.high());
        self.low.push(bar.low());
        self.close.push(bar.close());
        self.volume.push(bar.volume());
    }

    /// Number of bars, by the starts.
    pub fn len(&self) -> usize {
        self.open_time.len()
    }

    /// Whether there is no bar.
    pub fn is_empty(&self) -> bool {
        self.open_time.is_empty()
    }

    fn lengths(&self) -> [usize; 6] {
        let numbers = [&self.open, &self.high, &self.low, &self.close, &self.volume].map(Vec::len);
        [self.open_time.len(), numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]]
    }
}

/// Why a bar can't be appended.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SeriesError {
    /// Columns of different lengths.
    #[error(
        "the columns open_time, open, high, low, close, volume have {lengths:?} values: expected equally many"
    )]
    Lengths {
        /// Values of each.
        lengths: [usize; 6],
    },
    /// The bar does not start after the last one.
    #[error(
        "the bar of {open_time} does not come after the last one, {last}: sort the bars and drop duplicates"
    )]
    NotAscending {
        /// Start of the refused bar.
        open_time: Timestamp,
        /// Start of the last bar in the series.
        last: Timestamp,
    },
    /// The bar is off the grid of the timeframe that the last one defines.
    #[error("the bar of {open_time} does not start a whole number of {timeframe} steps after {last}")]
    OffGrid {
        /// Start of the refused bar.
        open_time: Timestamp,
        /// Start of the last bar in the series.
        last: Timestamp,
        /// Timeframe of the series.
        timeframe: Timeframe,
    },
    /// The numbers are no bar.
    #[error(transparent)]
    Bar(#[from] BarError),
}

impl BarSeries {
    /// An empty series.
    pub fn new(timeframe: Timeframe) -> Self {
        Self::with_capacity(timeframe, 0)
    }

    /// An empty series with room for `bars` bars.
    pub fn with_capacity(timeframe: Timeframe, bars: usize) -> Self {
        Self {
            timeframe,
            open_time: Vec::with_capacity(bars),
            open: Vec::with_capacity(bars),
            high: Vec::with_capacity(bars),
            low: Vec::with_capacity(bars),
            close: Vec::with_capacity(bars),
            volume: Vec::with_capacity(bars),
        }
    }

    /// The series of `columns`, without copying them.
    ///
    /// # Errors
    /// When the columns differ in length, a row is no bar, or the starts are not ascending on one grid.
    pub fn from_columns(timeframe: Timeframe, columns: BarColumns) -> Result<Self, SeriesError> {
        let lengths = columns.lengths();
        if lengths.iter().any(|&length| length != lengths[0]) {
            return Err(SeriesError::Lengths { lengths });
        }
        let BarColumns { open_time, open, high, low, close, volume } = columns;
        if !are_bars(&open, &high, &low, &close, &volume) {
            for (index, &time) in open_time.iter().enumerate() {
                Bar::new(time, open[index], high[index], low[index], close[index], volume[index])?;
            }
        }
        for pair in open_time.windows(2) {
            check_follows(pair[0], pair[1], timeframe)?;
        }
        Ok(Self { timeframe, open_time, open, high, low, close, volume })
    }

    /// The columns, without copying them.
    pub fn into_columns(self) -> BarColumns {
        let Self { timeframe: _, open_time, open, high, low, close, volume } = self;
        BarColumns { open_time, open, high, low, close, volume }
    }

    /// Appends a bar that starts a whole number of steps after the last one.
    pub fn push(&mut self, bar: Bar) -> Result<(), SeriesError> {
        if let Some(&last) = self.open_time.last() {
            check_follows(last, bar.open_time(), self.timeframe)?;
        }
        self.open_time.push(bar.open_time());
        self.open.push(bar.open());
        self.high.push(bar.high());
        self.low.push(bar.low());
        self.close.push(bar.close());
        self.volume.push(bar.volume());
        Ok(())
    }

    /// Length of every bar.
    pub fn timeframe(&self) -> Timeframe {
        self.timeframe
    }

    /// Number of bars.
    pub fn len(&self) -> usize {
        self.open_time.len()
    }

    /// Whether there is no bar.
    pub fn is_empty(&self) -> bool {
        self.open_time.is_empty()
    }

    /// The bar at `index`.
    ///
    /// # Panics
    /// When `index` is not below [`len`](Self::len), as slices do.
    pub fn bar(&self, index: usize) -> Bar {
        let built = Bar::new(
            self.open_time[index],
            self.open[index],
            self.high[index],
            self.low[index],
            self.close[index],
            self.volume[index],
        );
        match built {
            Ok(bar) => bar,
            Err(error) => unreachable!("a series holds checked bars only: {error}"),
        }
    }

    /// All bars, oldest first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Bar> + '_ {
        (0..self.len()).map(|index| self.bar(index))
    }

    /// Starts of the bars, ascending.
    pub fn open_times(&self) -> &[Timestamp] {
        &self.open_time
    }

    /// Open prices.
    pub fn opens(&self) -> &[f64] {
        &self.open
    }

    /// High prices.
    pub fn highs(&self) -> &[f64] {
        &self.high
    }

    /// Low prices.
    pub fn lows(&self) -> &[f64] {
        &self.low
    }

    /// Close prices.
    pub fn closes(&self) -> &[f64] {
        &self.close
    }

    /// Volumes in the base asset.
    pub fn volumes(&self) -> &[f64] {
        &self.volume
    }

    /// Start of the first bar.
    pub fn first_open_time(&self) -> Option<Timestamp> {
        self.open_time.first().copied()
    }

    /// End of the last bar.
    pub fn last_close_time(&self) -> Option<Timestamp> {
        self.open_time.last().map(|time| time.plus_millis(self.timeframe.millis()))
    }

    /// Index of the first bar that starts at or after `time`.
    pub fn index_at_or_after(&self, time: Timestamp) -> usize {
        self.open_time.partition_point(|&open_time| open_time < time)
    }

    /// A copy of the bars with indices in `range`.
    ///
    /// # Panics
    /// When the range reaches beyond the series, as slices do.
    pub fn slice(&self, range: std::ops::Range<usize>) -> Self {
        Self {
            timeframe: self.timeframe,
            open_time: self.open_time[range.clone()].to_vec(),
            open: self.open[range.clone()].to_vec(),
            high: self.high[range.clone()].to_vec(),
            low: self.low[range.clone()].to_vec(),
            close: self.close[range.clone()].to_vec(),
            volume: self.volume[range].to_vec(),
        }
    }

    /// The bars with indices in `range`, without copying the others.
    ///
    /// # Panics
    /// When the range reaches beyond the series, as slices do.
    pub fn into_slice(mut self, range: std::ops::Range<usize>) -> Self {
        self.open_time.truncate(range.end);
        self.open_time.drain(..range.start);
        for column in [&mut self.open, &mut self.high, &mut self.low, &mut self.close, &mut self.volume] {
            column.truncate(range.end);
            column.drain(..range.start);
        }
        self
    }

    /// A copy of the bars that start inside `window`.
    pub fn within(&self, window: Window) -> Self {
        self.slice(self.index_at_or_after(window.start())..self.index_at_or_after(window.end()))
    }
}

/// Whether [`Bar::new`] takes every row of columns of one length. Without branches, so that many rows are checked at
/// once.
fn are_bars(open: &[f64], high: &[f64], low: &[f64], close: &[f64], volume: &[f64]) -> bool {
    let prices = open.iter().zip(high).zip(low).zip(close).zip(volume);
    prices.fold(true, |good, ((((&open, &high), &low), &close), &volume)| {
        // NaN fails every comparison.
        good & (low > 0.0)
            & (low <= open)
            & (low <= close)
            & (high >= open)
            & (high >= close)
            & (high < f64::INFINITY)
            & (volume >= 0.0)
            & volume.is_finite()
    })
}

fn check_follows(last: Timestamp, open_time: Timestamp, timeframe: Timeframe) -> Result<(), SeriesError> {
    if open_time <= last {
        return Err(SeriesError::NotAscending { open_time, last });
    }
    let distance_ms = open_time.millis_since(last);
    if distance_ms != timeframe.millis() && distance_ms % timeframe.millis() != 0 {
        return Err(SeriesError::OffGrid { open_time, last, timeframe });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bar(ms: i64) -> Bar {
        Bar::flat(Timestamp::from_millis(ms).unwrap(), 1.0).unwrap()
    }

    #[test]
    fn a_series_stays_sorted_unique_and_on_its_grid() {
        let mut series = BarSeries::new(Timeframe::MINUTE);
        series.push(bar(60_000)).unwrap();
        assert!(matches!(series.push(bar(60_000)), Err(SeriesError::NotAscending { .. })));
        assert!(matches!(series.push(bar(0)), Err(SeriesError::NotAscending { .. })));
        assert!(matches!(series.push(bar(61_000)), Err(SeriesError::OffGrid { .. })));
        series.push(bar(180_000)).unwrap();
        assert_eq!(series.len(), 2);
    }

    proptest! {
        #[test]
        fn columns_are_bars_when_every_row_is_one(
            rows in prop::collection::vec(
                prop::collection::vec(
                    prop::sample::select(vec![1.0, 1.0, 2.0, 2.0, 3.0, 0.0, -0.0, -1.0, f64::NAN, f64::INFINITY]), 5,
                ),
                1..3,
            ),
        ) {
            let mut columns = BarColumns::default();
            for (minute, row) in rows.iter().enumerate() {
                columns.open_time.push(Timestamp::EPOCH.plus_millis(minute as i64 * 60_000));
                let BarColumns { open_time: _, open, high, low, close, volume } = &mut columns;
                for (column, &value) in [open, high, low, close, volume].into_iter().zip(row) {
                    column.push(value);
                }
            }
            let expected =
                rows.iter().find_map(|row| Bar::new(Timestamp::EPOCH, row[0], row[1], row[2], row[3], row[4]).err());
            let error = BarSeries::from_columns(Timeframe::MINUTE, columns).err();
            prop_assert_eq!(error.map(|error| error.to_string()), expected.map(|error| error.to_string()));
        }
    }

    #[test]
    fn columns_are_checked_as_bars_are() {
        let mut columns = BarColumns::with_capacity(3);
        for ms in [0, 60_000, 180_000] {
            columns.push(&bar(ms));
        }
        let series = BarSeries::from_columns(Timeframe::MINUTE, columns.clone()).unwrap();
        assert_eq!((series.len(), series.clone().into_columns()), (3, columns.clone()));
        let refuse = |change: &dyn Fn(&mut BarColumns), expected: &str| {
            let mut columns = columns.clone();
            change(&mut columns);
            let error = BarSeries::from_columns(Timeframe::MINUTE, columns).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        refuse(&|columns| columns.close.truncate(2), "have [3, 3, 3, 3, 2, 3] values");
        refuse(&|columns| columns.high[1] = f64::NAN, "high is NaN");
        refuse(&|columns| columns.open_time.swap(0, 1), "does not come after");
        refuse(
            &|columns| columns.open_time[2] = columns.open_time[2].plus_millis(1),
            "whole number of 1m steps",
        );
    }

    #[test]
    fn a_window_cuts_by_the_start_of_a_bar() {
        let mut series = BarSeries::new(Timeframe::MINUTE);
        for minute in 0..5 {
            series.push(bar(minute * 60_000)).unwrap();
        }
        let at = |ms| Timestamp::from_millis(ms).unwrap();
        let cut = series.within(Window::new(at(60_000), at(180_000)).unwrap());
        assert_eq!(cut.open_times(), &[at(60_000), at(120_000)]);
        assert_eq!(cut.last_close_time(), Some(at(180_000)));
        assert_eq!(series.clone().into_slice(1..3), cut);
    }
}
