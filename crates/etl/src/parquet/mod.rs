//! Bars in Parquet files.

pub(crate) mod codec;
mod columns;
mod guard;

use std::fs::File;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, RowGroupReader};
use parquet::file::serialized_reader::SerializedFileReader;
use walkforward_core::{AbsentMeans, Bar, BarRequest, DataSource, SourceBars, SourceError, Symbol};
use walkforward_durable::open_regular;

use crate::Error;
use crate::csv::header::BarPlaces;
use crate::file_bars::FileBars;
use crate::table::{FileRows, Rejects, Rows, table};

/// Most rows of a file: 19 years of minutes.
const MAX_ROWS: usize = 10_000_000;
/// Most bytes of a file.
const MAX_FILE_BYTES: u64 = 4 << 30;
/// Most rows of a row group, which is read at once.
const MAX_GROUP_ROWS: usize = 4_000_000;

/// How a file is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParquetOptions {
    /// Leaves the last bar out, for files that were written before it had closed.
    pub drop_last: bool,
    /// Rows that are no bar and are left out and reported instead of refusing the file.
    pub max_rejected_rows: usize,
    /// What it means that an expected row is not there.
    pub absent: AbsentMeans,
}

/// Bars of a Parquet file, plain or compressed with zstd or snappy. It is read anew at each request, on the calling
/// thread.
///
/// Columns are known by the names that [`CsvSource`](crate::CsvSource) knows, others are left alone. The start of the
/// bar is a timestamp, a count since 1970 or a text; where no column is named so, the only one of type timestamp is
/// taken. Prices and volume are doubles, floats or whole numbers. Rows may stand in any order; what is said of rows,
/// duplicates and longer bars there holds here too, and "line" in errors and figures is the number of the row.
#[derive(Debug, Clone)]
pub struct ParquetSource {
    path: PathBuf,
    options: ParquetOptions,
}

impl ParquetSource {
    /// A source that reads `path`; nothing is opened before the first request.
    pub fn new(path: impl Into<PathBuf>, options: ParquetOptions) -> Self {
        Self { path: path.into(), options }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The bars that `request` asks for, with figures about the whole file.
    ///
    /// # Errors
    /// When the file can't be read, its columns can't be told, more rows are no bars than
    /// [`ParquetOptions::max_rejected_rows`], its timeframe doesn't fit or no bar had closed.
    pub fn read(&self, request: &BarRequest) -> Result<SourceBars, Error> {
        let rows = guard::guarded(|| self.rows(&request.symbol).map_err(Failure::Ours));
        let rows = rows.map_err(|failure| failure.error(&self.path))?;
        if rows.rows.is_empty() {
            return Err(Error::NoRows { path: self.path.clone(), lines: rows.rejects.count });
        }
        let table = table(&self.path, rows, request.timeframe)?;
        let ParquetOptions { drop_last, absent, .. } = self.options;
        FileBars { path: &self.path, drop_last, absent }.answer(table, request)
    }

    fn rows(&self, symbol: &Symbol) -> Result<FileRows<'_>, Error> {
        let reader = self.open()?;
        let refuse = |reason: String| Error::Parquet { path: self.path.clone(), reason };
        let places = columns::places(reader.metadata().file_metadata().schema_descr(), symbol)
            .map_err(|reason| Error::Layout { path: self.path.clone(), reason })?;
        let mut rejects = Rejects::new(&self.path, self.options.max_rejected_rows);
        let count = usize::try_from(reader.metadata().file_metadata().num_rows()).unwrap_or(usize::MAX);
        if count > MAX_ROWS {
            return Err(self.too_long(&format!("{count} rows"), &format!("{MAX_ROWS} rows")));
        }
        let mut rows = Rows::with_capacity(count);
        let mut first_row = 1;
        for index in 0..reader.num_row_groups() {
            let group = reader.get_row_group(index).map_err(|error| refuse(error.to_string()))?;
            let group_rows = usize::try_from(group.metadata().num_rows()).unwrap_or(usize::MAX);
            if group_rows > MAX_GROUP_ROWS || rows.len() + group_rows > MAX_ROWS {
                let limit = format!("{MAX_GROUP_ROWS} rows, and {MAX_ROWS} in the file");
                return Err(self.too_long(&format!("row group {index}, {group_rows} rows"), &limit));
            }
            let columns = read_group(group.as_ref(), &places)
                .map_err(|error| refuse(format!("row group {index}: {error}")))?;
            take_rows(&columns, first_row, &mut rows, &mut rejects)?;
            first_row += group_rows as u64;
        }
        Ok(FileRows { rows, rejects, is_unterminated: false })
    }

    fn open(&self) -> Result<SerializedFileReader<File>, Error> {
        let file = open_regular(&self.path).map_err(|error| crate::csv::open_error(&self.path, error))?;
        let io = |source| Error::Io { path: self.path.clone(), source };
        let length = file.metadata().map_err(io)?.len();
        if length == 0 {
            return Err(Error::Empty { path: self.path.clone() });
        }
        if length > MAX_FILE_BYTES {
            return Err(self.too_long("the file", &format!("{MAX_FILE_BYTES} bytes")));
        }
        let refuse = |error: ParquetError| Error::Parquet {
            path: self.path.clone(),
            reason: format!("{error}: expected a Parquet file"),
        };
        SerializedFileReader::new(file).map_err(refuse)
    }

    fn too_long(&self, what: &str, limit: &str) -> Error {
        Error::TooLong { path: self.path.clone(), what: what.to_owned(), limit: limit.to_owned() }
    }
}

/// Why rows can't be had: an error of ours, or a panic of the reader, which names no file.
enum Failure {
    Ours(Error),
    Reader(ParquetError),
}

impl From<ParquetError> for Failure {
    fn from(error: ParquetError) -> Self {
        Self::Reader(error)
    }
}

impl Failure {
    fn error(self, path: &Path) -> Error {
        match self {
            Self::Ours(error) => error,
            Self::Reader(error) => Error::Parquet { path: path.to_owned(), reason: error.to_string() },
        }
    }
}

/// The columns of a row group: starts with the text of those that are none, and the five numbers.
struct Group {
    starts: Vec<columns::Start>,
    numbers: [Vec<f64>; 5],
}

fn read_group(group: &dyn RowGroupReader, places: &BarPlaces) -> Result<Group, ParquetError> {
    let starts = columns::starts(group, places.time)?;
    let mut numbers: [Vec<f64>; 5] = Default::default();
    for (values, &place) in numbers.iter_mut().zip(&places.numbers) {
        *values = columns::numbers(group, place)?;
    }
    Ok(Group { starts, numbers })
}

fn take_rows(group: &Group, first_row: u64, rows: &mut Rows, rejects: &mut Rejects<'_>) -> Result<(), Error> {
    let [open, high, low, close, volume] = &group.numbers;
    for (at, start) in group.starts.iter().enumerate() {
        let bar = start.time().and_then(|time| {
            let bar = Bar::new(time, open[at], high[at], low[at], close[at], volume[at]);
            bar.map_err(|error| error.to_string())
        });
        match bar {
            Ok(bar) => rows.push(&bar, first_row + at as u64),
            Err(reason) => rejects.reject(first_row + at as u64, reason)?,
        }
    }
    Ok(())
}

#[async_trait]
impl DataSource for ParquetSource {
    async fn bars(&self, request: &BarRequest) -> Result<SourceBars, SourceError> {
        Ok(self.read(request)?)
    }
}
