//! All rows of a file as bars, in the file's order, and those that are none.

use std::path::Path;

use walkforward_core::{Bar, Symbol, Timestamp};

use super::CsvOptions;
use super::cells::{Cells, number, shown};
use super::columns::Column;
use super::detect::detect;
use super::header::Layout;
use super::lines::{Limits, LineReader};
use super::quick::QuickReader;
use super::time::{parse_date_and_clock, parse_time};
use super::time_columns::TimePlaces;
use crate::Error;
use crate::table::{FileRows, Rejects, Rows};

/// Reads every row of `path`.
pub(super) fn read_rows<'a>(
    path: &'a Path,
    options: &CsvOptions,
    symbol: &Symbol,
    limits: Limits,
) -> Result<FileRows<'a>, Error> {
    let detected = detect(path, options.columns.as_ref(), symbol, limits)?;
    let mut rejects = Rejects::new(path, options.max_rejected_rows);
    let mut rows = Rows::default();
    let mut is_unterminated = false;
    let mut cells = Cells::default();
    let mut quick = QuickReader::new(&detected.layout);
    let mut lines = LineReader::open(path, limits)?;
    while let Some(line) = lines.next_line()? {
        if line.number < detected.first_row_line {
            continue;
        }
        is_unterminated = !line.is_ended;
        let quick = quick.as_mut().and_then(|quick| quick_bar(quick, line.bytes));
        match quick.map_or_else(|| careful_bar(line.bytes, &mut cells, &detected.layout), Ok) {
            Ok(bar) => rows.push(&bar, line.number),
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

/// The bar of a usual row.
fn quick_bar(reader: &mut QuickReader, line: &[u8]) -> Option<Bar> {
    let (ms, [open, high, low, close, volume]) = reader.row(line)?;
    Bar::new(Timestamp::from_millis(ms)?, open, high, low, close, volume).ok()
}

/// The bar of any row, or why it is none.
fn careful_bar(line: &[u8], cells: &mut Cells, layout: &Layout) -> Result<Bar, String> {
    cells.cut(line);
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
