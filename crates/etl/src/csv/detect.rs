//! Where a file's rows begin and which column is which: declared, named by a header, or told from the prices.

use std::path::Path;

use walkforward_core::Symbol;

use super::cells::{Cells, number};
use super::columns::{Column, Columns};
use super::header::{Layout, header_names, layout};
use super::lines::{Limits, LineReader};
use super::time::{TimeKind, parse_time, time_kind};
use super::time_columns::{TimeCells, candidates, choose, time_cells};
use crate::Error;

/// Lines before the first row in which a header is looked for.
const MAX_HEAD_LINES: usize = 8;
/// Cells of a row in a file without header: time, four prices, volume. One more where date and time of day stand
/// apart.
const HEADERLESS_WIDTH: usize = 6;
/// Rows below a header by which its time columns are told apart: enough that one of them is not at midnight, unless
/// all are.
const MAX_TIME_ROWS: usize = 64;

/// Where rows begin and what they hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Detected {
    /// Places of the columns.
    pub(super) layout: Layout,
    /// Line of the first row, from 1.
    pub(super) first_row_line: u64,
}

enum Head {
    /// The names of a header; the rows begin in a later line.
    Header { names: Vec<String>, lines: usize },
    /// Neither header nor declared columns stand before the first row, which has so many cells.
    Row { line: u64, width: usize, has_clock: bool },
}

/// Looks at the beginning of the file, and at all its rows when nothing else tells their order.
pub(super) fn detect(
    path: &Path,
    columns: Option<&Columns>,
    symbol: &Symbol,
    limits: Limits,
) -> Result<Detected, Error> {
    let mut lines = LineReader::open(path, limits)?;
    let layout_error = |reason| Error::Layout { path: path.to_owned(), reason };
    if let Some(columns) = columns {
        let (line, width) = first_row(path, &mut lines)?;
        return declared(columns, line, width).map_err(layout_error);
    }
    match head(path, &mut lines)? {
        Head::Header { names, lines: seen } => {
            let times = candidates(&names).map_err(layout_error)?;
            let (first_row_line, rows) = first_times(&mut lines, names.len(), &times)?;
            let first_row_line = first_row_line.ok_or_else(|| no_rows(path, seen))?;
            let time = choose(&names, &times, &rows).map_err(layout_error)?;
            let layout = layout(&names, time, symbol).map_err(layout_error)?;
            Ok(Detected { layout, first_row_line })
        }
        Head::Row { line, width, has_clock } if width == HEADERLESS_WIDTH + usize::from(has_clock) => {
            let columns = order_of_prices(path, line, has_clock, limits)?.map_err(layout_error)?;
            declared(&columns, line, width).map_err(layout_error)
        }
        Head::Row { line, width, .. } => Err(layout_error(format!(
            "line {line} has no header above it and {width} cells: without a header {HEADERLESS_WIDTH} are expected"
        ))),
    }
}

fn declared(columns: &Columns, line: u64, width: usize) -> Result<Detected, String> {
    let named = columns.as_slice().len();
    if named != width {
        return Err(format!("the columns '{columns}' are {named}, but line {line} has {width} cells"));
    }
    let layout = Layout::of(columns.as_slice()).ok_or_else(|| format!("'{columns}' lacks a column"))?;
    Ok(Detected { layout, first_row_line: line })
}

fn head(path: &Path, lines: &mut LineReader) -> Result<Head, Error> {
    let mut cells = Cells::default();
    for seen in 0..MAX_HEAD_LINES {
        let Some(line) = lines.next_line()? else { return Err(no_rows(path, seen)) };
        cells.cut(line.bytes);
        if let Some(names) = header_names(line.bytes, &cells) {
            return Ok(Head::Header { names, lines: seen + 1 });
        }
        if is_row_like(line.bytes, &cells) {
            let has_clock = is_date_and_clock(line.bytes, &cells);
            return Ok(Head::Row { line: line.number, width: cells.len(), has_clock });
        }
    }
    Err(unrecognised(path))
}

/// The line of the first row below the header, and what the first rows of `width` cells say in the columns `times`.
fn first_times(
    lines: &mut LineReader,
    width: usize,
    times: &[usize],
) -> Result<(Option<u64>, Vec<TimeCells>), Error> {
    let mut cells = Cells::default();
    let mut first = None;
    let mut rows = Vec::new();
    for _ in 0..MAX_TIME_ROWS {
        let Some(line) = lines.next_line()? else { break };
        first.get_or_insert(line.number);
        cells.cut(line.bytes);
        if cells.len() == width {
            rows.push(time_cells(line.bytes, &cells, times));
        }
    }
    Ok((first, rows))
}

/// Whether a row begins with a date and a time of day in two cells.
fn is_date_and_clock(line: &[u8], cells: &Cells) -> bool {
    time_kind(cells.get(line, 0)) == Some(TimeKind::Date)
        && matches!(time_kind(cells.get(line, 1)), Some(TimeKind::Clock(_)))
}

fn first_row(path: &Path, lines: &mut LineReader) -> Result<(u64, usize), Error> {
    let mut cells = Cells::default();
    for seen in 0..MAX_HEAD_LINES {
        let Some(line) = lines.next_line()? else { return Err(no_rows(path, seen)) };
        cells.cut(line.bytes);
        if is_row_like(line.bytes, &cells) {
            return Ok((line.number, cells.len()));
        }
    }
    Err(unrecognised(path))
}

fn no_rows(path: &Path, lines: usize) -> Error {
    let path = path.to_owned();
    if lines == 0 { Error::Empty { path } } else { Error::NoRows { path, lines } }
}

fn unrecognised(path: &Path) -> Error {
    let reason = format!("no header and no row of bars in the first {MAX_HEAD_LINES} lines");
    Error::Layout { path: path.to_owned(), reason }
}

/// Whether a line is meant as a row, though perhaps a bad one: a banner has neither a time nor four numbers.
fn is_row_like(line: &[u8], cells: &Cells) -> bool {
    let numbers = cells.iter(line).filter(|cell| number(cell).is_some()).count();
    numbers >= 4 || cells.iter(line).any(|cell| parse_time(cell).is_some())
}

/// The one order of the four prices in which every row has its highest price as high and its lowest as low.
///
/// Prices alone can't tell open from close; every usual order has the open first, so that is taken for granted.
/// That leaves twelve orders, one for each pair of places of high and low.
fn order_of_prices(
    path: &Path,
    first: u64,
    has_clock: bool,
    limits: Limits,
) -> Result<Result<Columns, String>, Error> {
    let first_price = 1 + usize::from(has_clock);
    let width = HEADERLESS_WIDTH + usize::from(has_clock);
    let mut lines = LineReader::open(path, limits)?;
    let mut cells = Cells::default();
    let mut fitting: Vec<(usize, usize)> = (0..4)
        .flat_map(|high| (0..4).map(move |low| (high, low)))
        .filter(|(high, low)| high != low)
        .collect();
    while let Some(line) = lines.next_line()? {
        cells.cut(line.bytes);
        let prices: [f64; 4] =
            std::array::from_fn(|at| number(cells.get(line.bytes, at + first_price)).unwrap_or(f64::NAN));
        // Rows that are no bar in any order are left to the reader, which names them.
        let is_priced = prices.iter().all(|price| price.is_finite() && *price > 0.0);
        if line.number < first || cells.len() != width || !is_priced {
            continue;
        }
        fitting.retain(|&(high, low)| prices.iter().all(|&p| p <= prices[high] && p >= prices[low]));
        if fitting.is_empty() {
            let reason =
                "there is no header, and no order of open, high, low, close fits every row up to line";
            return Ok(Err(format!("{reason} {}", line.number)));
        }
    }
    let orders: Vec<Columns> =
        fitting.into_iter().filter_map(|places| columns_with(places, has_clock)).collect();
    Ok(match orders.as_slice() {
        [only] => Ok(only.clone()),
        _ => Err(ambiguous(&orders)),
    })
}

fn columns_with((high, low): (usize, usize), has_clock: bool) -> Option<Columns> {
    let mut open_then_close = ["open", "close"].into_iter();
    let mut names = vec![Column::Time.name()];
    names.extend(has_clock.then_some(Column::Clock.name()));
    for place in 0..4 {
        names.push(match place {
            _ if place == high => Column::High.name(),
            _ if place == low => Column::Low.name(),
            _ => open_then_close.next()?,
        });
    }
    names.push(Column::Volume.name());
    names.join(",").parse().ok()
}

fn ambiguous(orders: &[Columns]) -> String {
    let shown: Vec<String> = orders.iter().take(3).map(|order| format!("'{order}'")).collect();
    format!(
        "there is no header, and {} orders of columns fit every row ({} ..)",
        orders.len(),
        shown.join(", ")
    )
}
