//! Rows in any order to a series on one grid, with figures about the whole file.

use std::collections::BTreeMap;
use std::path::Path;

use walkforward_core::{BarSeries, QualityFigures, Timeframe};

use super::rows::{FileRows, Rejects, Row};
use crate::Error;
use crate::figures::figures_of;

/// Rows with the start and not the values of another that a file may have whatever its length: revisions happen.
const TOLERATED_CONFLICTS: usize = 10;
/// Such rows in a hundred that make a file no file of bars.
const MAX_CONFLICT_PERCENT: usize = 1;

/// A file's bars and what is known about them.
#[derive(Debug)]
pub(super) struct Table {
    /// Sorted, unique, on one grid.
    pub(super) bars: BarSeries,
    /// The whole file as it was read.
    pub(super) figures: QualityFigures,
}

/// Sorts `rows`, drops rows whose start stood in the file before (the last one in the file stays: later rows are
/// revisions; too many with other values are an error), finds the step and refuses rows off the grid. `fallback` is the timeframe of a file with one row.
pub(super) fn table(path: &Path, file: FileRows<'_>, fallback: Option<Timeframe>) -> Result<Table, Error> {
    let FileRows { mut rows, mut rejects, is_unterminated } = file;
    let out_of_order_rows = out_of_order(&rows);
    rows.sort_by_key(|row| row.bar.open_time());
    let read = rows.len();
    let mut rows = without_duplicates(path, rows)?;
    let duplicates = read - rows.len();
    let timeframe = step(path, &rows, fallback)?;
    let off_grid = drop_off_grid(&mut rows, timeframe, &mut rejects)?;
    let mut bars = BarSeries::with_capacity(timeframe, rows.len());
    for row in &rows {
        let pushed = bars.push(row.bar);
        pushed.map_err(|error| Error::Row {
            path: path.to_owned(),
            line: row.line,
            reason: error.to_string(),
        })?;
    }
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
fn out_of_order(rows: &[Row]) -> usize {
    let steps = || rows.windows(2).map(|pair| pair[1].bar.open_time().cmp(&pair[0].bar.open_time()));
    let forward = steps().filter(|step| step.is_gt()).count();
    let backward = steps().filter(|step| step.is_lt()).count();
    forward.min(backward)
}

/// Of rows with equal start, which a stable sort has kept in the file's order, the last.
fn without_duplicates(path: &Path, rows: Vec<Row>) -> Result<Vec<Row>, Error> {
    let read = rows.len();
    let mut kept: Vec<Row> = Vec::with_capacity(read);
    let mut conflicts = 0;
    let mut first_conflict = None;
    for row in rows {
        match kept.last_mut() {
            Some(last) if last.bar.open_time() == row.bar.open_time() => {
                if last.bar != row.bar {
                    conflicts += 1;
                    first_conflict.get_or_insert(row);
                }
                *last = row;
            }
            _ => kept.push(row),
        }
    }
    match first_conflict {
        Some(row) if is_too_many(conflicts, read) => Err(Error::Conflicts {
            path: path.to_owned(),
            conflicts,
            rows: read,
            line: row.line,
            start: row.bar.open_time(),
        }),
        _ => Ok(kept),
    }
}

fn is_too_many(conflicts: usize, rows: usize) -> bool {
    conflicts > TOLERATED_CONFLICTS && conflicts.saturating_mul(100) > rows * MAX_CONFLICT_PERCENT
}

fn step(path: &Path, rows: &[Row], fallback: Option<Timeframe>) -> Result<Timeframe, Error> {
    let error = |reason| Error::Step { path: path.to_owned(), reason };
    let steps = rows.windows(2).map(|pair| pair[1].bar.open_time().millis_since(pair[0].bar.open_time()));
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
    for value in values {
        *counts.entry(value).or_default() += 1;
    }
    let best = counts.values().copied().max()?;
    counts.into_iter().find(|&(_, count)| count == best).map(|(value, _)| value)
}

fn drop_off_grid(
    rows: &mut Vec<Row>,
    timeframe: Timeframe,
    rejects: &mut Rejects<'_>,
) -> Result<usize, Error> {
    let phase_of = |row: &Row| row.bar.open_time().as_millis().rem_euclid(timeframe.millis());
    let Some(phase) = most_common(rows.iter().map(phase_of)) else { return Ok(0) };
    let mut off: Vec<Row> = rows.iter().copied().filter(|row| phase_of(row) != phase).collect();
    off.sort_by_key(|row| row.line);
    for row in &off {
        let start = row.bar.open_time();
        rejects
            .reject(row.line, format!("the bar of {start} is off the {timeframe} grid of the other rows"))?;
    }
    rows.retain(|row| phase_of(row) == phase);
    Ok(off.len())
}
