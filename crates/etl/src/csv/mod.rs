//! Bars from files of comma-separated values, plain or gzip, as exchanges and publishers give them out.

mod cells;
mod columns;
mod detect;
pub(crate) mod header;
mod lines;
mod quick;
mod rows;
pub(crate) mod time;
pub(crate) mod time_columns;

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use walkforward_core::{AbsentMeans, BarRequest, DataSource, SourceBars, SourceError};

pub use columns::{Column, Columns};

use crate::Error;
use crate::file_bars::FileBars;
use crate::table::table;
pub(crate) use lines::open_error;

use lines::Limits;

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
    /// What it means that an expected row is not there.
    pub absent: AbsentMeans,
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
        let table = table(&self.path, file, request.timeframe)?;
        let CsvOptions { drop_last, absent, .. } = self.options;
        FileBars { path: &self.path, drop_last, absent }.answer(table, request)
    }
}

#[async_trait]
impl DataSource for CsvSource {
    async fn bars(&self, request: &BarRequest) -> Result<SourceBars, SourceError> {
        Ok(self.read(request)?)
    }
}
