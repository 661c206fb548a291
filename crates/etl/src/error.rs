//! Everything that can be wrong with bars or with a request for them.

use std::fmt;
use std::path::PathBuf;

use walkforward_core::{ErrorKind, QualityFigures, SourceError, Stage, StageError, Timeframe, Timestamp};

/// Why there are no bars, or no dataset. The text names the file, line or setting. All but a failed write are bad input.
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
    /// The source's bars end long before "now".
    #[error(
        "{origin}: the newest bar closed at {newest}, and by {as_of} {stale_bars} more should have: more than max_stale_bars {max_stale_bars} allows; ask again later, or set an earlier --as-of"
    )]
    Stale {
        /// What the bars were read from.
        origin: String,
        /// Close of the newest bar.
        newest: Timestamp,
        /// The "now" of the request.
        as_of: Timestamp,
        /// Expected bars in between.
        stale_bars: usize,
        /// How many are allowed.
        max_stale_bars: usize,
    },
    /// Too many bars of the window are missing.
    #[error("{origin}: {} of the window's {} bars are missing ({:.2} %), the longest hole has {}: more than max_missing_share {max_share} allows ({gaps})", gaps.missing, gaps.expected(), gaps.missing_percent(), gaps.longest_hole)]
    TooManyMissing {
        /// What the bars were read from.
        origin: String,
        /// The window's bars by kind.
        gaps: GapNumbers,
        /// The share that is allowed.
        max_share: f64,
    },
    /// The longest hole of the window is too long.
    #[error("{origin}: the longest hole of the window's {} bars has {}: more than max_longest_hole_bars {max_bars} allows ({} missing, {gaps})", gaps.expected(), gaps.longest_hole, gaps.missing)]
    HoleTooLong {
        /// What the bars were read from.
        origin: String,
        /// The window's bars by kind.
        gaps: GapNumbers,
        /// Bars that a hole may have.
        max_bars: usize,
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
    /// A file of sessions can't be used.
    #[error("{}: {reason}; expected sessions as lines of date,open,close or as the broker's calendar in JSON", path.display())]
    Sessions {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the line or entry.
        reason: String,
    },
    /// A Parquet file can't be read as bars.
    #[error("{}: {reason}", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what was expected.
        reason: String,
    },
    /// A durable write or a lock failed.
    #[error(transparent)]
    Durable(#[from] walkforward_durable::Error),
    /// A file of the bar cache is torn, changed or another's.
    #[error("{}: the bar cache is damaged: {reason}; repair it, and what is lost is asked for again", path.display())]
    CacheDamaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file of the bar cache was written by a later program.
    #[error("{}: the bar cache has format {found}: this program knows formats up to {known}; use a newer program or another cache folder", path.display())]
    CacheNewer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The last format that is known here.
        known: u32,
    },
    /// The bar cache can't keep or give bars.
    #[error("bar cache of {what}: {reason}")]
    Cache {
        /// Whose bars.
        what: String,
        /// What is wrong.
        reason: String,
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

impl Error {
    /// What to do about it.
    pub fn kind(&self) -> ErrorKind {
        use walkforward_durable::Error as Durable;
        match self {
            Self::Durable(Durable::NotAFile { .. } | Durable::TooLarge { .. }) => ErrorKind::BadInput,
            Self::Durable(error) if !error.is_not_found() => ErrorKind::Retry,
            Self::Stale { .. } => ErrorKind::Retry,
            _ => ErrorKind::BadInput,
        }
    }
}

/// A window's expected bars by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GapNumbers {
    /// Bars that the source gave.
    pub present: usize,
    /// Absent bars in which nothing traded.
    pub no_trade: usize,
    /// Absent bars that should be there.
    pub missing: usize,
    /// Bars that the source gave and has changed since.
    pub revised: usize,
    /// Missing bars in the longest hole.
    pub longest_hole: usize,
}

impl GapNumbers {
    /// The numbers of a window's figures.
    pub(crate) fn of(figures: &QualityFigures) -> Self {
        Self {
            present: figures.present_bars,
            no_trade: figures.no_trade_bars,
            missing: figures.missing_bars,
            revised: figures.revised_bars,
            longest_hole: figures.longest_hole_bars,
        }
    }

    /// All expected bars.
    pub fn expected(&self) -> usize {
        self.present + self.no_trade + self.missing + self.revised
    }

    fn missing_percent(&self) -> f64 {
        100.0 * self.missing as f64 / self.expected() as f64
    }
}

impl fmt::Display for GapNumbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { present, no_trade, revised, .. } = self;
        write!(f, "{present} present, {no_trade} without a trade, {revised} revised")
    }
}

impl From<Error> for SourceError {
    fn from(error: Error) -> Self {
        Self { kind: error.kind(), message: error.to_string() }
    }
}

impl From<Error> for StageError {
    fn from(error: Error) -> Self {
        Self::new(Stage::Etl, error.kind(), error)
    }
}
