//! Everything that can be wrong with bars or with a request for them.

use std::path::PathBuf;

use walkforward_core::{ErrorKind, SourceError, Stage, StageError, Timeframe, Timestamp};

/// Why there are no bars, or no dataset. Every case is bad input: the text names the file, line or setting.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file can't be opened or read to its end.
    #[error("{}: can't read the file: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system or the decompressor says.
        source: std::io::Error,
    },
    /// Something else than a file has its name.
    #[error("{}: this is {found}: expected a regular file, which can be read more than once", path.display())]
    NotAFile {
        /// What was to be read.
        path: PathBuf,
        /// What it is.
        found: &'static str,
    },
    /// The file holds nothing.
    #[error("{}: the file is empty: expected a header and rows of bars", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The file has no row that is a bar.
    #[error("{}: the file has no row that is a bar, only {lines} line(s) of header, banner or rejected rows", path.display())]
    NoRows {
        /// The file.
        path: PathBuf,
        /// Lines that are there, blank ones not counted.
        lines: usize,
    },
    /// The file, a line or the number of rows is longer than is read.
    #[error("{}: {what}: longer than the limit of {limit}", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// What is too long.
        what: String,
        /// The limit with its unit.
        limit: String,
    },
    /// The columns can't be told from the file.
    #[error("{}: {reason}; pass the order with --columns, such as --columns time,open,high,low,close,volume ('-' skips a column)", path.display())]
    Layout {
        /// The file.
        path: PathBuf,
        /// What is missing or ambiguous.
        reason: String,
    },
    /// The declared columns are no order of columns.
    #[error(
        "columns '{text}': {reason}; expected a list such as time,open,high,low,close,volume with each of these once and '-' or 'skip' for other columns"
    )]
    Columns {
        /// What was declared.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A row is no bar.
    #[error("{}, line {line}: {reason}", path.display())]
    Row {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// More rows are no bars than are tolerated.
    #[error("{}, line {line}: {reason}; more than the {max} rows that max_rejected_rows tolerates are no bars, the first in line {first_line}", path.display())]
    TooManyRejected {
        /// The file.
        path: PathBuf,
        /// Line of the row that was one too many, from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
        /// How many are tolerated.
        max: usize,
        /// Line of the first such row.
        first_line: u64,
    },
    /// Rows of one start hold different bars, and too often for revisions.
    #[error(
        "{}: {conflicts} of {rows} rows have the start of another row and other values, such as line {line} ({start}): \
         expected one bar for each start; is a time of day in another column? Pass the columns with --columns, such \
         as date,time,open,high,low,close,volume",
        path.display()
    )]
    Conflicts {
        /// The file.
        path: PathBuf,
        /// Rows that are replaced by a later row with other values.
        conflicts: usize,
        /// Rows that are bars.
        rows: usize,
        /// Line of the first of them by time, from 1.
        line: u64,
        /// Its start.
        start: Timestamp,
    },
    /// The rows' distance in time is no timeframe.
    #[error("{}: {reason}: expected rows a whole number of minutes apart, at most a week", path.display())]
    Step {
        /// The file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// The bars of the file can't be made into those asked for.
    #[error(
        "{}: the file has bars of {file}, bars of {asked} were asked for: expected {file} or a multiple of it",
        path.display()
    )]
    Timeframe {
        /// The file.
        path: PathBuf,
        /// Timeframe of the rows.
        file: Timeframe,
        /// Timeframe of the request.
        asked: Timeframe,
    },
    /// No bar has closed at the time asked for.
    #[error("{origin}: no bar has closed by {as_of}: the first one closes at {first_close}")]
    NothingClosed {
        /// The file or the source.
        origin: String,
        /// The "now" of the request.
        as_of: Timestamp,
        /// The earliest usable "now".
        first_close: Timestamp,
    },
    /// The only bar was left out.
    #[error("{}: no bar is left after the last one was dropped", path.display())]
    NothingLeft {
        /// The file.
        path: PathBuf,
    },
    /// More bars are asked for than are made or kept.
    #[error("{what} is {asked}: expected at most {limit}")]
    TooManyBars {
        /// Which setting or which request.
        what: &'static str,
        /// What was asked for.
        asked: u64,
        /// The limit.
        limit: u64,
    },
    /// A setting is outside its range.
    #[error("{name} is {value}: expected {expected}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: String,
        /// What it may be.
        expected: String,
    },
    /// The source has fewer bars than the window.
    #[error(
        "window_bars is {window_bars}, but {origin} has only {available} bars of {timeframe} up to {as_of}: shorten the window or bring more bars"
    )]
    WindowTooLong {
        /// Bars of the window.
        window_bars: usize,
        /// Bars of the grid from the source's first to its last.
        available: u64,
        /// Length of the bars.
        timeframe: Timeframe,
        /// The "now" of the request.
        as_of: Timestamp,
        /// What the bars were read from.
        origin: String,
    },
    /// Too many bars of the window are missing.
    #[error("{origin}: {missing} of the window's {window_bars} bars are missing ({:.2} %), the longest hole has {longest_hole}: more than max_missing_share {max_share} allows", 100.0 * *missing as f64 / *window_bars as f64)]
    TooManyMissing {
        /// What the bars were read from.
        origin: String,
        /// Bars that are not there.
        missing: usize,
        /// Bars of the window.
        window_bars: usize,
        /// Bars of the longest hole.
        longest_hole: usize,
        /// The share that is allowed.
        max_share: f64,
    },
    /// Too many of the shorter bars that the window's bars are made of are missing.
    #[error("{origin}: {missing} of the {expected} bars of {base} that the window's bars of {timeframe} are made of are missing ({:.2} %): more than max_missing_share {max_share} allows", 100.0 * *missing as f64 / *expected as f64)]
    TooManyBaseMissing {
        /// What the bars were read from.
        origin: String,
        /// Shorter bars that are not there.
        missing: usize,
        /// Shorter bars of the window.
        expected: usize,
        /// Length of the shorter bars.
        base: Timeframe,
        /// Length of the window's bars.
        timeframe: Timeframe,
        /// The share that is allowed.
        max_share: f64,
    },
    /// A source broke its contract.
    #[error("{origin}: {reason}")]
    Source {
        /// What the bars were read from.
        origin: String,
        /// What is wrong with its answer.
        reason: String,
    },
}

impl From<Error> for SourceError {
    fn from(error: Error) -> Self {
        Self { kind: ErrorKind::BadInput, message: error.to_string() }
    }
}

impl From<Error> for StageError {
    fn from(error: Error) -> Self {
        Self::new(Stage::Etl, ErrorKind::BadInput, error)
    }
}
