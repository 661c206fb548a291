//! Bars from files of comma-separated values, plain or gzip, as exchanges and publishers give them out.

mod cells;
mod columns;
mod detect;
mod header;
mod lines;
mod rows;
mod table;
mod time;

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use walkforward_core::{
    Aggregator, BarRequest, BarSeries, DataSource, SourceBars, SourceError, Timeframe, Timestamp,
};

pub use columns::{Column, Columns};

use crate::Error;
use lines::Limits;
use table::Table;

/// How a file is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CsvOptions {
    /// Order of the columns. None takes it from the header or, without header, from the prices, when exactly one
    /// order with the open before the close fits every row.
    pub columns: Option<Columns>,
    /// Leaves the last bar out, for files that were downloaded before it had closed.
    pub drop_last: bool,
    /// Rows that are no bar and are left out and reported instead of refusing the file.
    pub max_rejected_rows: usize,
}

/// Bars of a file. It is read anew at each request, on the calling thread.
///
/// Rows may stand in any order. Of rows with the same start the last one in the file is taken and the others are
/// counted as duplicates. `figures.rows` counts every row that is a bar, duplicates included; rows that are none
/// are counted apart. Without a requested "now" it is the close of the file's last bar.
#[derive(Debug, Clone)]
pub struct CsvSource {
    path: PathBuf,
    options: CsvOptions,
    limits: Limits,
}

impl CsvSource {
    /// A source that reads `path`; nothing is opened before the first request.
    pub fn new(path: impl Into<PathBuf>, options: CsvOptions) -> Self {
        Self { path: path.into(), options, limits: Limits::default() }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The bars that `request` asks for, with figures about the whole file.
    ///
    /// # Errors
    /// When the file can't be read, its columns can't be told, more rows are no bars than
    /// [`CsvOptions::max_rejected_rows`], its timeframe doesn't fit or no bar had closed.
    pub fn read(&self, request: &BarRequest) -> Result<SourceBars, Error> {
        let (rows, rejects) = rows::read_rows(&self.path, &self.options, &request.symbol, self.limits)?;
        if rows.is_empty() {
            return Err(Error::NoRows { path: self.path.clone(), lines: rejects.count });
        }
        let Table { bars, mut figures } = table::table(&self.path, rows, rejects, request.timeframe)?;
        let (bars, as_of, unfinished) = self.closed(bars, request.as_of)?;
        figures.unfinished_dropped = unfinished;
        let bars = self.at_timeframe(bars, request.timeframe, as_of)?;
        let bars = last_bars(bars, request.bars);
        Ok(SourceBars { bars, as_of, file: Some(figures), origin: self.path.display().to_string() })
    }

    /// The bars that have closed, the "now" and the number of bars that were left out unfinished.
    fn closed(
        &self,
        bars: BarSeries,
        as_of: Option<Timestamp>,
    ) -> Result<(BarSeries, Timestamp, usize), Error> {
        let dropped = usize::from(self.options.drop_last);
        let first = bars.first_open_time();
        let timeframe = bars.timeframe();
        let bars = bars.slice(0..bars.len() - dropped.min(bars.len()));
        let (Some(first), Some(last_close)) = (first, bars.last_close_time()) else {
            return Err(Error::NothingLeft { path: self.path.clone() });
        };
        let as_of = as_of.unwrap_or(last_close);
        let begun = bars.index_at_or_after(as_of);
        let closed = bars.index_at_or_after(as_of.plus_millis(1 - timeframe.millis()));
        if closed == 0 {
            let first_close = first.plus_millis(timeframe.millis());
            return Err(Error::NothingClosed { origin: self.path.display().to_string(), as_of, first_close });
        }
        Ok((bars.slice(0..closed), as_of, dropped + begun - closed))
    }

    fn at_timeframe(
        &self,
        bars: BarSeries,
        asked: Option<Timeframe>,
        as_of: Timestamp,
    ) -> Result<BarSeries, Error> {
        let file = bars.timeframe();
        match asked {
            Some(asked) if asked != file => {
                let mismatch = || Error::Timeframe { path: self.path.clone(), file, asked };
                let aggregator = Aggregator::new(file, asked).map_err(|_| mismatch())?;
                let longer = aggregated(&bars, aggregator, asked, as_of).ok_or_else(mismatch)?;
                if longer.is_empty() {
                    let begins = asked.floor(bars.open_times()[0].plus_millis(asked.millis() - 1));
                    let first_close = begins.plus_millis(asked.millis());
                    let origin = self.path.display().to_string();
                    return Err(Error::NothingClosed { origin, as_of, first_close });
                }
                Ok(longer)
            }
            _ => Ok(bars),
        }
    }
}

/// Longer bars that have closed by `as_of`. An interval that began before the first bar is left out: its open is
/// not known.
fn aggregated(
    bars: &BarSeries,
    mut aggregator: Aggregator,
    to: Timeframe,
    as_of: Timestamp,
) -> Option<BarSeries> {
    let mut longer = BarSeries::new(to);
    let first = bars.first_open_time()?;
    for bar in bars.iter() {
        let complete = aggregator.push(bar).ok()?;
        for bar in complete.into_iter().flatten().filter(|bar| bar.open_time() >= first) {
            longer.push(bar).ok()?;
        }
    }
    if let Some(bar) = aggregator.close_at(as_of).filter(|bar| bar.open_time() >= first) {
        longer.push(bar).ok()?;
    }
    Some(longer)
}

/// The last `count` bars of the grid; where the first of them is missing, the bar before it too, so that the hole
/// can be filled from the past.
fn last_bars(bars: BarSeries, count: usize) -> BarSeries {
    let Some(end) = bars.last_close_time() else { return bars };
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let start = end.plus_millis(-bars.timeframe().millis().saturating_mul(count));
    let mut from = bars.index_at_or_after(start);
    if from > 0 && bars.open_times().get(from) != Some(&start) {
        from -= 1;
    }
    if from == 0 { bars } else { bars.slice(from..bars.len()) }
}

#[async_trait]
impl DataSource for CsvSource {
    async fn bars(&self, request: &BarRequest) -> Result<SourceBars, SourceError> {
        Ok(self.read(request)?)
    }
}
