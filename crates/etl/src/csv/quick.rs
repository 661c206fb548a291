//! Rows as they mostly are, read in one pass: plain decimals, times such as `2024-01-02T15:00:00Z` or counts since
//! 1970, nothing in quotes. Every other row is left to the careful reader, which gives the same for these.

use super::cells::{MAX_DIGITS, decimal};
use super::header::Layout;
use super::time::{clock_of_day_ms, date_ms, epoch_ms};

const DATE_BYTES: usize = 10;
/// Cells of a row at most; wider ones are read carefully.
const MAX_CELLS: usize = 32;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Skip,
    Time,
    /// Open, high, low, close or volume, by its place in a bar.
    Number(usize),
}

/// What a row says: its start in milliseconds since 1970, and open, high, low, close, volume.
pub(super) type QuickRow = (i64, [f64; 5]);

/// Reads rows of one layout.
#[derive(Debug)]
pub(super) struct QuickReader {
    roles: Vec<Role>,
    /// The date that the last row began with, and its midnight: neighbours mostly share it.
    date: [u8; DATE_BYTES],
    date_ms: i64,
}

impl QuickReader {
    /// A reader of rows as `layout` says; `None` for layouts that are read carefully.
    pub(super) fn new(layout: &Layout) -> Option<Self> {
        if layout.width > MAX_CELLS || layout.time.clock.is_some() {
            return None;
        }
        let mut roles = vec![Role::Skip; layout.width];
        *roles.get_mut(layout.time.time)? = Role::Time;
        for (number, &place) in layout.numbers.iter().enumerate() {
            *roles.get_mut(place)? = Role::Number(number);
        }
        Some(Self { roles, date: [0; DATE_BYTES], date_ms: 0 })
    }

    /// The row in `line`; `None` when it has to be read carefully.
    pub(super) fn row(&mut self, line: &[u8]) -> Option<QuickRow> {
        let (mut time, mut numbers, mut rest) = (0, [0.0; 5], Some(line));
        for index in 0..self.roles.len() {
            let cells = rest?;
            rest = match self.roles[index] {
                Role::Number(number) => {
                    let (value, rest) = number_cell(cells)?;
                    numbers[number] = value;
                    rest
                }
                Role::Time => {
                    let (cell, rest) = cut(cells);
                    time = self.time_ms(cell)?;
                    rest
                }
                Role::Skip => {
                    let (cell, rest) = cut(cells);
                    if memchr::memchr(b'"', cell).is_some() {
                        return None;
                    }
                    rest
                }
            };
        }
        rest.is_none().then_some((time, numbers))
    }

    fn time_ms(&mut self, cell: &[u8]) -> Option<i64> {
        let (date, clock) = cell.split_first_chunk::<DATE_BYTES>()?;
        let Some((b' ' | b'T', clock)) = clock.split_first() else { return count_ms(cell) };
        if *date != self.date {
            let (midnight_ms, rest) = date_ms(date)?;
            if !rest.is_empty() {
                return None;
            }
            (self.date, self.date_ms) = (*date, midnight_ms);
        }
        Some(self.date_ms + clock_of_day_ms(clock)?)
    }
}

/// A count of seconds, milliseconds or microseconds since 1970.
fn count_ms(cell: &[u8]) -> Option<i64> {
    if cell.len() > MAX_DIGITS - 2 {
        return None;
    }
    let count = cell.iter().try_fold(0_u64, |count, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit < 10).then(|| count * 10 + u64::from(digit))
    });
    epoch_ms(count?)
}

/// The first cell, and those behind its comma, if there is one.
fn cut(cells: &[u8]) -> (&[u8], Option<&[u8]>) {
    match memchr::memchr(b',', cells) {
        Some(at) => (&cells[..at], Some(&cells[at + 1..])),
        None => (cells, None),
    }
}

/// The decimal in the first cell, and the cells behind it.
fn number_cell(cells: &[u8]) -> Option<(f64, Option<&[u8]>)> {
    let (mut digits, mut count, mut point) = (0_u64, 0_usize, None);
    for (at, &byte) in cells.iter().enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit < 10 {
            digits = digits.wrapping_mul(10).wrapping_add(u64::from(digit));
            count += 1;
        } else if byte == b'.' && point.is_none() {
            point = Some(count);
        } else if byte == b',' {
            return Some((decimal(digits, count, point)?, Some(&cells[at + 1..])));
        } else {
            return None;
        }
    }
    Some((decimal(digits, count, point)?, None))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use walkforward_core::Timestamp;

    use super::super::cells::{Cells, number};
    use super::super::columns::Columns;
    use super::super::time::parse_time;
    use super::*;

    fn check(columns: &str, line: &str) -> Option<QuickRow> {
        let columns: Columns = columns.parse().unwrap();
        let layout = Layout::of(columns.as_slice()).unwrap();
        let row = QuickReader::new(&layout)?.row(line.as_bytes())?;
        let mut cells = Cells::default();
        cells.cut(line.as_bytes());
        assert_eq!(cells.len(), layout.width, "{line}");
        let time = parse_time(cells.get(line.as_bytes(), layout.time.time)).map(Timestamp::as_millis);
        assert_eq!(Some(row.0), time, "{line}");
        for (value, place) in row.1.iter().zip(layout.numbers) {
            let expected = number(cells.get(line.as_bytes(), place));
            assert_eq!(Some(value.to_bits()), expected.map(f64::to_bits), "{line}");
        }
        Some(row)
    }

    const PLAIN: &str = "time,open,high,low,close,volume";

    #[test]
    fn usual_rows_are_read_and_unusual_ones_are_left() {
        for time in
            ["2024-01-02T15:00:00Z", "2024-01-02 15:00:00", "2024-01-02 15:00", "1704207600", "1704207600000"]
        {
            let row = check(PLAIN, &format!("{time},10.5,12,9.25,11,0.00000001"));
            assert_eq!(row, Some((1_704_207_600_000, [10.5, 12.0, 9.25, 11.0, 1e-8])), "{time}");
        }
        assert!(check(PLAIN, "2019-10-17 09-AM,10,12,9,11,1").is_some());
        for line in [
            "",
            ",,,,,",
            "2024-01-02T15:00:00Z,10,12,9,11",
            "2024-01-02T15:00:00Z,10,12,9,11,1,1",
            "2024-01-02T15:00:00Z,10,12,9,11,",
            "2024-01-02T15:00:00Z, 10,12,9,11,1",
            "\"2024-01-02T15:00:00Z\",10,12,9,11,1",
            "2024-01-02T15:00:00Z,1e1,12,9,11,1",
            "2024-01-02T15:00:00Z,-10,12,9,11,1",
            "2024-01-02T15:00:00Z,nan,12,9,11,1",
            "2024-02-30T15:00:00Z,10,12,9,11,1",
            "2024-01-02,10,12,9,11,1",
        ] {
            assert_eq!(check(PLAIN, line), None, "{line}");
        }
        assert_eq!(check("time,-,open,high,low,close,volume", "1704207600,\"a,b\",1,1,1,1,1"), None);
        assert!(check("volume,time,-,open,close,high,low", "3,1704207600,BTC,1,2,3,0.5").is_some());
        assert_eq!(check("time,clock,open,high,low,close,volume", "2024-01-02,15:00,1,1,1,1,1"), None);
    }

    proptest! {
        #[test]
        fn what_is_read_quickly_is_read_as_carefully(
            times in prop::collection::vec(0_i64..4_000_000_000, 1..4),
            forms in prop::collection::vec(0_usize..6, 4),
            numbers in prop::collection::vec("[0-9]{0,12}(\\.[0-9]{0,12})?", 5),
            noise in prop::collection::vec(any::<u8>(), 0..3), at in 0_usize..80,
        ) {
            for (&seconds, &form) in times.iter().zip(&forms) {
                let time = Timestamp::from_millis(seconds * 1_000).unwrap().to_string();
                let (date, clock) = (&time[..10], &time[11..19]);
                let time = match form {
                    0 => time.clone(),
                    1 => format!("{date} {clock}"),
                    2 => format!("{date}T{clock}+00:00"),
                    3 => format!("{date} {clock}-05:30"),
                    4 => seconds.to_string(),
                    _ => format!("{date} {clock}.123456"),
                };
                let mut line = format!("{time},{}", numbers.join(",")).into_bytes();
                let at = at.min(line.len());
                line.splice(at..at, noise.iter().copied());
                check(PLAIN, &String::from_utf8_lossy(&line));
            }
        }
    }
}
