//! Bars from files of comma-separated values, plain or gzip, as exchanges and publishers give them out.

mod cells;
mod columns;
mod detect;
mod header;
mod lines;
mod longer;
mod rows;
mod table;
mod time;
mod time_columns;

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use walkforward_core::{
    BarRequest, BarSeries, BaseBars, DataSource, SourceBars, SourceError, Timeframe, Timestamp,
};

pub use columns::{Column, Columns};

use crate::Error;
use lines::Limits;
use longer::longer_bars;
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
/// are counted apart. More than ten conflicting duplicates (one start, other values) that are more than 1 % of the
/// rows refuse the file. Without a requested "now" it is the close of the file's last bar.
///
/// Bars longer than the file's are made of an interval's rows when at least half of them are there: then the bar
/// opens at the first price that there is. Of other intervals no bar is made. Every missing row, in both kinds, is
/// told in [`SourceBars::base`], so that the pipeline counts it.
///
/// A last line without line end is taken as it is and told in the figures; only its number of cells could show that
/// it is cut. `drop_last` leaves it out when it is the newest bar.
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
        let file = rows::read_rows(&self.path, &self.options, &request.symbol, self.limits)?;
        if file.rows.is_empty() {
            return Err(Error::NoRows { path: self.path.clone(), lines: file.rejects.count });
        }
        let Table { bars, mut figures } = table::table(&self.path, file, request.timeframe)?;
        let (bars, as_of, unfinished) = self.closed(bars, request.as_of)?;
        figures.unfinished_dropped = unfinished;
        let (bars, base) = self.at_timeframe(bars, request.timeframe, as_of)?;
        let bars = last_bars(bars, request.bars);
        let origin = self.path.display().to_string();
        Ok(SourceBars { bars, as_of, file: Some(figures), origin, base })
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
    ) -> Result<(BarSeries, Option<BaseBars>), Error> {
        let file = bars.timeframe();
        let Some(asked) = asked.filter(|&asked| asked != file) else { return Ok((bars, None)) };
        let mismatch = || Error::Timeframe { path: self.path.clone(), file, asked };
        let (longer, base) = longer_bars(&bars, asked, as_of).ok_or_else(mismatch)?;
        let origin = || self.path.display().to_string();
        match (longer.is_empty(), base.present.is_empty()) {
            (false, _) => Ok((longer, Some(base))),
            (true, false) => {
                let reason = format!("no interval of {asked} up to {as_of} has half of its bars of {file}");
                Err(Error::Source { origin: origin(), reason })
            }
            (true, true) => {
                let begins = asked.floor(bars.open_times()[0].plus_millis(asked.millis() - 1));
                let first_close = begins.plus_millis(asked.millis());
                Err(Error::NothingClosed { origin: origin(), as_of, first_close })
            }
        }
    }
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
