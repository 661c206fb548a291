//! Rows in any order to a series on one grid, with figures about the whole file.

use std::collections::BTreeMap;
use std::path::Path;

use walkforward_core::{Bar, BarColumns, BarSeries, QualityFigures, RejectedRow, Timeframe, Timestamp};

use crate::Error;
use crate::figures::figures_of;

/// Rows with the start and not the values of another that a file may have whatever its length: revisions happen.
const TOLERATED_CONFLICTS: usize = 10;
/// Such rows in a hundred that make a file no file of bars.
const MAX_CONFLICT_PERCENT: usize = 1;
/// Rejected rows that are listed with line and reason; the others are counted.
const MAX_LISTED_ROWS: usize = 100;

/// Rows that are bars, in the file's order.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    bars: BarColumns,
    /// Line of each in the file, from 1.
    lines: Vec<u64>,
}

impl Rows {
    /// No rows, with room for `rows`.
    pub(crate) fn with_capacity(rows: usize) -> Self {
        Self { bars: BarColumns::with_capacity(rows), lines: Vec::with_capacity(rows) }
    }

    pub(crate) fn push(&mut self, bar: &Bar, line: u64) {
        self.bars.push(bar);
        self.lines.push(line);
    }

    pub(crate) fn len(&self) -> usize {
        self.lines.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    fn starts(&self) -> &[Timestamp] {
        &self.bars.open_time
    }

    fn has_values_of(&self, one: usize, other: usize) -> bool {
        let BarColumns { open_time: _, open, high, low, close, volume } = &self.bars;
        [open, high, low, close, volume].iter().all(|column| column[one] == column[other])
    }

    /// The rows at `order`, in that order.
    fn selected(&self, order: &[usize]) -> Self {
        let BarColumns { open_time, open, high, low, close, volume } = &self.bars;
        let column = |values: &[f64]| order.iter().map(|&row| values[row]).collect();
        let bars = BarColumns {
            open_time: order.iter().map(|&row| open_time[row]).collect(),
            open: column(open),
            high: column(high),
            low: column(low),
            close: column(close),
            volume: column(volume),
        };
        Self { bars, lines: order.iter().map(|&row| self.lines[row]).collect() }
    }
}

/// Rows that are no bars, up to the tolerated number.
#[derive(Debug)]
pub(crate) struct Rejects<'a> {
    path: &'a Path,
    max: usize,
    first_line: Option<u64>,
    listed: Vec<RejectedRow>,
    /// All of them.
    pub(crate) count: usize,
}

impl<'a> Rejects<'a> {
    pub(crate) fn new(path: &'a Path, max: usize) -> Self {
        Self { path, max, first_line: None, listed: Vec::new(), count: 0 }
    }

    /// Notes a row; an error when it is one too many.
    pub(crate) fn reject(&mut self, line: u64, reason: String) -> Result<(), Error> {
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
pub(crate) struct FileRows<'a> {
    /// The bars, in the file's order.
    pub(crate) rows: Rows,
    /// The rows that are none.
    pub(crate) rejects: Rejects<'a>,
    /// Whether the last line has no line end.
    pub(crate) is_unterminated: bool,
}

/// A file's bars and what is known about them.
#[derive(Debug)]
pub(crate) struct Table {
    /// Sorted, unique, on one grid.
    pub(crate) bars: BarSeries,
    /// The whole file as it was read.
    pub(crate) figures: QualityFigures,
}

/// Sorts `rows`, drops rows whose start stood in the file before (the last one in the file stays: later rows are
/// revisions; too many with other values are an error), finds the step and refuses rows off the grid. `fallback` is
/// the timeframe of a file with one row.
pub(crate) fn table(path: &Path, file: FileRows<'_>, fallback: Option<Timeframe>) -> Result<Table, Error> {
    let FileRows { rows, mut rejects, is_unterminated } = file;
    let read = rows.len();
    let out_of_order_rows = out_of_order(rows.starts());
    let rows = in_order(path, rows)?;
    let duplicates = read - rows.len();
    let timeframe = step(path, rows.starts(), fallback)?;
    let on_grid = on_grid(rows, timeframe, &mut rejects)?;
    let off_grid = read - duplicates - on_grid.len();
    let bars = BarSeries::from_columns(timeframe, on_grid.bars);
    let bars = bars
        .map_err(|error| Error::Source { origin: path.display().to_string(), reason: error.to_string() })?;
    rejects.listed.sort_by_key(|rejected| rejected.line);
    let figures = QualityFigures {
        rows: read - off_grid,
        duplicates,
        out_of_order_rows,
        rejected_rows: rejects.listed,
        rejected_count: rejects.count,
        unterminated_last_line: is_unterminated,
        ..figures_of(&bars)
    };
    Ok(Table { bars, figures })
}

/// Steps in time against the file's main direction.
fn out_of_order(starts: &[Timestamp]) -> usize {
    let count = |is_wanted: fn(Timestamp, Timestamp) -> bool| {
        starts.windows(2).filter(|pair| is_wanted(pair[0], pair[1])).count()
    };
    count(|one, next| one < next).min(count(|one, next| one > next))
}

/// The rows by time, each start once; copied only when they are not so already.
fn in_order(path: &Path, rows: Rows) -> Result<Rows, Error> {
    if rows.starts().is_sorted_by(|one, next| one < next) {
        return Ok(rows);
    }
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by_key(|&row| rows.starts()[row]);
    let kept = without_duplicates(path, &rows, &order)?;
    Ok(rows.selected(&kept))
}

/// Of rows with equal start, which a stable sort has kept in the file's order, the last.
fn without_duplicates(path: &Path, rows: &Rows, order: &[usize]) -> Result<Vec<usize>, Error> {
    let mut kept: Vec<usize> = Vec::with_capacity(order.len());
    let mut conflicts = 0;
    let mut first_conflict = None;
    for &row in order {
        match kept.last_mut() {
            Some(last) if rows.starts()[*last] == rows.starts()[row] => {
                if !rows.has_values_of(*last, row) {
                    conflicts += 1;
                    first_conflict.get_or_insert(row);
                }
                *last = row;
            }
            _ => kept.push(row),
        }
    }
    match first_conflict {
        Some(row) if is_too_many(conflicts, order.len()) => Err(Error::Conflicts {
            path: path.to_owned(),
            conflicts,
            rows: order.len(),
            line: rows.lines[row],
            start: rows.starts()[row],
        }),
        _ => Ok(kept),
    }
}

fn is_too_many(conflicts: usize, rows: usize) -> bool {
    conflicts > TOLERATED_CONFLICTS && conflicts.saturating_mul(100) > rows * MAX_CONFLICT_PERCENT
}

fn step(path: &Path, starts: &[Timestamp], fallback: Option<Timeframe>) -> Result<Timeframe, Error> {
    let error = |reason| Error::Step { path: path.to_owned(), reason };
    let steps = starts.windows(2).map(|pair| pair[1].millis_since(pair[0]));
    let Some(step_ms) = most_common(steps) else {
        return fallback
            .ok_or_else(|| error("one row alone has no timeframe, and none was asked for".to_owned()));
    };
    let timeframe = u32::try_from(step_ms / Timeframe::MINUTE.millis())
        .ok()
        .and_then(Timeframe::from_minutes)
        .filter(|timeframe| timeframe.millis() == step_ms);
    timeframe.ok_or_else(|| error(format!("rows are mostly {} s apart", step_ms as f64 / 1_000.0)))
}

/// The most frequent value, the smallest of equally frequent ones.
fn most_common(values: impl Iterator<Item = i64>) -> Option<i64> {
    let mut counts = BTreeMap::<i64, usize>::new();
    // Equal values mostly follow each other: they are counted before they are looked up.
    let mut run: Option<(i64, usize)> = None;
    for value in values {
        match &mut run {
            Some((same, count)) if *same == value => *count += 1,
            _ => {
                if let Some((before, count)) = run.replace((value, 1)) {
                    *counts.entry(before).or_default() += count;
                }
            }
        }
    }
    let (last, count) = run?;
    *counts.entry(last).or_default() += count;
    let best = counts.values().copied().max()?;
    counts.into_iter().find(|&(_, count)| count == best).map(|(value, _)| value)
}

/// The rows on the grid that most of them share; the others are rejected.
fn on_grid(rows: Rows, timeframe: Timeframe, rejects: &mut Rejects<'_>) -> Result<Rows, Error> {
    let step_ms = timeframe.millis();
    // Divisions are dear: rows mostly follow each other by one step.
    let is_step = |ms: i64| ms == step_ms || ms % step_ms == 0;
    if rows.starts().windows(2).all(|pair| is_step(pair[1].millis_since(pair[0]))) {
        return Ok(rows);
    }
    let phase_of = |start: Timestamp| start.as_millis().rem_euclid(step_ms);
    let Some(phase) = most_common(rows.starts().iter().map(|&start| phase_of(start))) else {
        return Ok(rows);
    };
    let is_on = |row: &usize| phase_of(rows.starts()[*row]) == phase;
    let (on, mut off): (Vec<usize>, Vec<usize>) = (0..rows.len()).partition(is_on);
    off.sort_by_key(|&row| rows.lines[row]);
    for row in off {
        let start = rows.starts()[row];
        let reason = format!("the bar of {start} is off the {timeframe} grid of the other rows");
        rejects.reject(rows.lines[row], reason)?;
    }
    Ok(rows.selected(&on))
}
