//! All rows of a file as bars, in the file's order, and those that are none.

use std::path::Path;

use walkforward_core::{Bar, RejectedRow, Symbol, Timestamp};

use super::CsvOptions;
use super::cells::{Cells, number, shown};
use super::columns::Column;
use super::detect::detect;
use super::header::Layout;
use super::lines::{Limits, LineReader};
use super::time::{parse_date_and_clock, parse_time};
use super::time_columns::TimePlaces;
use crate::Error;

/// Rejected rows that are listed with line and reason; the others are counted.
pub(super) const MAX_LISTED_ROWS: usize = 100;

/// A row that is a bar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Row {
    /// The bar.
    pub(super) bar: Bar,
    /// Line in the file, from 1.
    pub(super) line: u64,
}

/// Rows that are no bars, up to the tolerated number.
#[derive(Debug)]
pub(super) struct Rejects<'a> {
    path: &'a Path,
    max: usize,
    first_line: Option<u64>,
    /// The first of them.
    pub(super) listed: Vec<RejectedRow>,
    /// All of them.
    pub(super) count: usize,
}

impl<'a> Rejects<'a> {
    fn new(path: &'a Path, max: usize) -> Self {
        Self { path, max, first_line: None, listed: Vec::new(), count: 0 }
    }

    /// Notes a row; an error when it is one too many.
    pub(super) fn reject(&mut self, line: u64, reason: String) -> Result<(), Error> {
        let first_line = *self.first_line.get_or_insert(line);
        let path = self.path.to_owned();
        if self.max == 0 {
            return Err(Error::Row { path, line, reason });
        }
        if self.count == self.max {
            return Err(Error::TooManyRejected { path, line, reason, max: self.max, first_line });
        }
        self.count += 1;
        if self.listed.len() < MAX_LISTED_ROWS {
            self.listed.push(RejectedRow { line, reason });
        }
        Ok(())
    }
}

/// What a file holds.
#[derive(Debug)]
pub(super) struct FileRows<'a> {
    /// The bars, in the file's order.
    pub(super) rows: Vec<Row>,
    /// The rows that are none.
    pub(super) rejects: Rejects<'a>,
    /// Whether the last line has no line end.
    pub(super) is_unterminated: bool,
}

/// Reads every row of `path`.
pub(super) fn read_rows<'a>(
    path: &'a Path,
    options: &CsvOptions,
    symbol: &Symbol,
    limits: Limits,
) -> Result<FileRows<'a>, Error> {
    let detected = detect(path, options.columns.as_ref(), symbol, limits)?;
    let mut rejects = Rejects::new(path, options.max_rejected_rows);
    let mut rows = Vec::new();
    let mut is_unterminated = false;
    let mut cells = Cells::default();
    let mut lines = LineReader::open(path, limits)?;
    while let Some(line) = lines.next_line()? {
        if line.number < detected.first_row_line {
            continue;
        }
        is_unterminated = !line.is_ended;
        cells.cut(line.bytes);
        match bar_of(line.bytes, &cells, &detected.layout) {
            Ok(bar) => rows.push(Row { bar, line: line.number }),
            Err(reason) if line.is_ended => rejects.reject(line.number, reason)?,
            Err(reason) => {
                rejects.reject(
                    line.number,
                    format!("{reason}; the file ends inside this line: is it truncated?"),
                )?;
            }
        }
        if rows.len() > limits.rows {
            let limit = format!("{} rows", limits.rows);
            return Err(Error::TooLong { path: path.to_owned(), what: "the file".to_owned(), limit });
        }
    }
    Ok(FileRows { rows, rejects, is_unterminated })
}

fn bar_of(line: &[u8], cells: &Cells, layout: &Layout) -> Result<Bar, String> {
    if cells.len() != layout.width {
        return Err(format!("the row has {} cells: expected {}", cells.len(), layout.width));
    }
    let time = start_of(line, cells, layout.time)?;
    let [_, columns @ ..] = Column::NEEDED;
    let mut numbers = [0.0; 5];
    for ((slot, place), column) in numbers.iter_mut().zip(layout.numbers).zip(columns) {
        let cell = cells.get(line, place);
        *slot = number(cell)
            .ok_or_else(|| format!("{} is '{}': expected a number", column.name(), shown(cell)))?;
    }
    let [open, high, low, close, volume] = numbers;
    Bar::new(time, open, high, low, close, volume).map_err(|error| error.to_string())
}

fn start_of(line: &[u8], cells: &Cells, places: TimePlaces) -> Result<Timestamp, String> {
    let cell = cells.get(line, places.time);
    let Some(place) = places.clock else {
        return parse_time(cell).ok_or_else(|| {
            format!("'{}' is not a time: expected a date, an RFC 3339 time or an epoch count", shown(cell))
        });
    };
    let clock = cells.get(line, place);
    parse_date_and_clock(cell, clock).ok_or_else(|| {
        let (date, clock) = (shown(cell), shown(clock));
        format!(
            "'{date}' and '{clock}' are not a date and a time of day: expected such as 2024-01-02 and 15:00:00"
        )
    })
}
