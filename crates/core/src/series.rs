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

/// Why a bar can't be appended.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SeriesError {
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

    /// Appends a bar that starts a whole number of steps after the last one.
    pub fn push(&mut self, bar: Bar) -> Result<(), SeriesError> {
        if let Some(&last) = self.open_time.last() {
            let open_time = bar.open_time();
            if open_time <= last {
                return Err(SeriesError::NotAscending { open_time, last });
            }
            if open_time.millis_since(last) % self.timeframe.millis() != 0 {
                return Err(SeriesError::OffGrid { open_time, last, timeframe: self.timeframe });
            }
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

    /// A copy of the bars that start inside `window`.
    pub fn within(&self, window: Window) -> Self {
        self.slice(self.index_at_or_after(window.start())..self.index_at_or_after(window.end()))
    }
}

#[cfg(test)]
mod tests {
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
    }
}
