//! Which of a header's columns hold the start of the bar: names alone don't tell, so rows are looked at.

use super::cells::Cells;
use super::time::{TimeKind, time_kind};

/// Names of time columns; where several hold the whole start, the first of these is taken.
const TIME_NAMES: [&str; 10] = [
    "open_time",
    "timestamp",
    "datetime",
    "date",
    "time",
    "date_utc",
    "gmt_time",
    "unix",
    "unix_timestamp",
    "t",
];

/// Places of the start of the bar in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TimePlaces {
    /// The time, or the date when there is a clock.
    pub(super) time: usize,
    /// The time of day, where it stands apart from the date.
    pub(super) clock: Option<usize>,
}

/// Columns that may hold the start of the bar, the preferred ones first; an error in words when there is none.
pub(crate) fn candidates(names: &[String]) -> Result<Vec<usize>, String> {
    let mut found: Vec<usize> = Vec::new();
    for wanted in TIME_NAMES {
        found.extend((0..names.len()).filter(|&place| names[place] == wanted));
    }
    if found.is_empty() && names.first().is_some_and(String::is_empty) {
        found.push(0);
    }
    if found.is_empty() {
        return Err(format!("the header names no time column (one of {})", TIME_NAMES.join(", ")));
    }
    Ok(found)
}

/// A row's cells in the candidate columns, as far as they are times.
pub(super) type TimeCells = Vec<(usize, TimeKind)>;

/// What the row says in `candidates`.
pub(super) fn time_cells(line: &[u8], cells: &Cells, candidates: &[usize]) -> TimeCells {
    let kind = |&place: &usize| time_kind(cells.get(line, place)).map(|kind| (place, kind));
    candidates.iter().filter_map(kind).collect()
}

/// The columns that hold the start, by the first rows of the file; an error in words when they contradict each
/// other. A single candidate is taken as it is.
///
/// A count since 1970 or a date with its time of day goes before a bare date; a bare date goes with a time of day.
pub(super) fn choose(
    names: &[String],
    candidates: &[usize],
    rows: &[TimeCells],
) -> Result<TimePlaces, String> {
    // At midnight a date without its time of day looks whole.
    let telling = rows.iter().find(|row| row.iter().any(|&(_, kind)| is_past_midnight(kind)));
    match (candidates, telling.or_else(|| rows.iter().find(|row| !row.is_empty()))) {
        ([_, _, ..], Some(row)) => choose_by(names, row, telling.is_some()),
        (&[first, ..], _) => Ok(TimePlaces { time: first, clock: None }),
        ([], _) => Err("the header names no time column".to_owned()),
    }
}

fn is_past_midnight(kind: TimeKind) -> bool {
    matches!(kind, TimeKind::Epoch(1..) | TimeKind::DateAndClock(1..) | TimeKind::Clock(1..))
}

fn choose_by(names: &[String], row: &TimeCells, is_telling: bool) -> Result<TimePlaces, String> {
    let is_epoch = |kind| matches!(kind, TimeKind::Epoch(_));
    let is_whole = |kind| match kind {
        TimeKind::Epoch(_) => true,
        TimeKind::DateAndClock(_) => !is_telling || is_past_midnight(kind),
        TimeKind::Date | TimeKind::Clock(_) => false,
    };
    let first = |wanted: &dyn Fn(TimeKind) -> bool| row.iter().copied().find(|&(_, kind)| wanted(kind));
    let clocks: Vec<(usize, i64)> = row.iter().filter_map(clock_of).collect();
    let differs =
        |kind| matches!(kind, TimeKind::DateAndClock(ms) if clocks.iter().any(|&(_, clock)| clock != ms));
    let alone = |time| Ok(TimePlaces { time, clock: None });
    match (first(&is_whole), first(&|kind| kind == TimeKind::Date), clocks.as_slice()) {
        (Some((place, kind)), _, _) if !differs(kind) => alone(place),
        (Some(_), _, _) => match first(&is_epoch) {
            Some((place, _)) => alone(place),
            None => Err(unclear(names, row)),
        },
        (None, Some((date, _)), &[(clock, _)]) => Ok(TimePlaces { time: date, clock: Some(clock) }),
        (None, Some((date, _)), []) => alone(date),
        (None, _, _) => Err(unclear(names, row)),
    }
}

fn clock_of(&(place, kind): &(usize, TimeKind)) -> Option<(usize, i64)> {
    match kind {
        TimeKind::Clock(ms) => Some((place, ms)),
        _ => None,
    }
}

fn unclear(names: &[String], row: &TimeCells) -> String {
    let columns: Vec<String> = row.iter().map(|&(place, _)| format!("'{}'", names[place])).collect();
    format!("which of the columns {} hold the start of the bar is unclear", columns.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(header: &str, rows: &[&str]) -> Result<TimePlaces, String> {
        let names: Vec<String> = header.split(',').map(str::to_owned).collect();
        let candidates = candidates(&names)?;
        let rows: Vec<TimeCells> = rows
            .iter()
            .map(|row| {
                let mut cells = Cells::default();
                cells.cut(row.as_bytes());
                time_cells(row.as_bytes(), &cells, &candidates)
            })
            .collect();
        choose(&names, &candidates, &rows)
    }

    fn check(header: &str, rows: &[&str], time: usize, clock: Option<usize>) {
        assert_eq!(read(header, rows), Ok(TimePlaces { time, clock }), "{header} {rows:?}");
    }

    #[test]
    fn a_date_and_a_time_of_day_belong_together() {
        check("date,time,open", &["2024.01.02,15:00,1"], 0, Some(1));
        check("time,date,open", &["15:00:00,2024-01-02,1"], 1, Some(0));
        check("date,timestamp", &["2024-01-02,00:00:00", "2024-01-02,01:00:00"], 0, Some(1));
        check("date,time", &["2024-01-02,00:00", "2024-01-03,00:00"], 0, Some(1));
    }

    #[test]
    fn the_column_with_the_whole_start_goes_before_a_bare_date() {
        check("unix,date", &["1704153600,2024-01-02", "1704157200,2024-01-02"], 0, None);
        check("date,unix", &["2024-01-02 00:00:00,1704157200", "2024-01-02 00:00:00,1704160800"], 1, None);
        check("date,timestamp", &["2024-01-02,2024-01-02T01:00:00Z"], 1, None);
        check("date,time", &["2024-01-02,1704157200000"], 1, None);
        check("date,time,datetime", &["2024-01-02,15:00,2024-01-02 15:00"], 2, None);
        check("date,time,unix", &["2024-01-02,10:00,1704207600"], 2, None);
    }

    #[test]
    fn columns_that_all_hold_the_whole_start_are_taken_by_name() {
        check("unix,date", &["1704157200,2024-01-02 01:00:00"], 1, None);
        check("date,timestamp", &["2024-01-02,2024-01-02"], 1, None);
    }

    #[test]
    fn a_single_column_is_taken_unseen_and_what_is_no_time_is_not() {
        check("date,open", &["yesterday,1"], 0, None);
        check("t,date", &["77,2024-01-02 01:00"], 1, None);
        check("date,time", &["x,y"], 0, None);
        check("date,time", &[], 0, None);
    }

    #[test]
    fn columns_that_contradict_each_other_are_refused() {
        for rows in [["2024-01-02 00:00:00,15:00"], ["2024-01-02 03:00:00,15:00"], ["16:00,15:00"]] {
            let error = read("date,time", &rows).unwrap_err();
            assert!(error.contains("'date', 'time'") && error.contains("unclear"), "{error}");
        }
    }
}
