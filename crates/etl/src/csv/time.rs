//! The start of a bar in every spelling that publishers use, read from bytes without allocation.

use walkforward_core::Timestamp;

const MS_PER_DAY: i64 = 86_400_000;
const MS_PER_HOUR: i64 = 3_600_000;
const MS_PER_MINUTE: i64 = 60_000;
/// Smallest count that is taken for an epoch time, March 1973 in seconds: shorter numbers are prices or volumes.
const MIN_EPOCH: u64 = 100_000_000;
/// From here (year 5138 in seconds) a count is milliseconds.
const MIN_EPOCH_MS: u64 = 100_000_000_000;
/// From here (year 5138 in milliseconds) a count is microseconds.
const MIN_EPOCH_US: u64 = 100_000_000_000_000;
const MAX_EPOCH_US: u64 = 100_000_000_000_000_000;

/// Reads a time. A time without zone is UTC; digits beyond milliseconds are cut off.
///
/// `2019-10-17` (also with points or slashes), `2019-10-17 09-AM` (12-hour clock: `12-AM` is midnight, `12-PM` noon), `2020-01-01 00:00`,
/// `2021-12-31 23:01:00.000000`, `2020-01-01 00:00:00+00:00`, RFC 3339, and counts of seconds, milliseconds or
/// microseconds since 1970 (told apart by their size).
pub(crate) fn parse_time(cell: &[u8]) -> Option<Timestamp> {
    let ms = match cell.get(4) {
        Some(b'-' | b'.' | b'/') => calendar(cell)?,
        _ => epoch(cell)?,
    };
    Timestamp::from_millis(ms)
}

/// Reads a time whose date and time of day stand in two cells: `2024.01.02` and `15:00`, or as [`parse_time`] knows
/// them.
pub(super) fn parse_date_and_clock(date: &[u8], clock: &[u8]) -> Option<Timestamp> {
    let (days_ms, rest) = date_ms(date)?;
    if !rest.is_empty() {
        return None;
    }
    Timestamp::from_millis(days_ms + clock_ms(clock)?)
}

/// What a cell of a time column tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TimeKind {
    /// A count since 1970; its time of day in UTC, in milliseconds into the day.
    Epoch(i64),
    /// A date with a time of day, in milliseconds into the day.
    DateAndClock(i64),
    /// A date alone.
    Date,
    /// A time of day alone, in milliseconds into the day.
    Clock(i64),
}

/// What the cell tells; `None` when it is no time.
pub(super) fn time_kind(cell: &[u8]) -> Option<TimeKind> {
    if let Some(clock) = clock_ms(cell) {
        return Some(TimeKind::Clock(clock.rem_euclid(MS_PER_DAY)));
    }
    let time = parse_time(cell)?;
    let into_day_ms = time.as_millis().rem_euclid(MS_PER_DAY);
    Some(match date_ms(cell) {
        None => TimeKind::Epoch(into_day_ms),
        Some((_, b"")) => TimeKind::Date,
        Some(_) => TimeKind::DateAndClock(into_day_ms),
    })
}

fn epoch(cell: &[u8]) -> Option<i64> {
    let whole = match cell.iter().position(|&byte| byte == b'.') {
        Some(at) if cell[at + 1..].iter().all(|&byte| byte == b'0') => &cell[..at],
        Some(_) => return None,
        None => cell,
    };
    if whole.is_empty() || whole.len() > 17 {
        return None;
    }
    epoch_ms(digits(whole)?)
}

/// Milliseconds since 1970 that a count of seconds, milliseconds or microseconds stands for, told apart by its size.
pub(crate) fn epoch_ms(count: u64) -> Option<i64> {
    let ms = match count {
        MIN_EPOCH..MIN_EPOCH_MS => count * 1_000,
        MIN_EPOCH_MS..MIN_EPOCH_US => count,
        MIN_EPOCH_US..MAX_EPOCH_US => count / 1_000,
        _ => return None,
    };
    i64::try_from(ms).ok()
}

fn calendar(cell: &[u8]) -> Option<i64> {
    let (days_ms, rest) = date_ms(cell)?;
    let into_day_ms = match rest {
        [] => 0,
        [b' ' | b'T' | b't', rest @ ..] => clock_ms(rest)?,
        _ => return None,
    };
    Some(days_ms + into_day_ms)
}

/// Start of the day that the cell begins with, milliseconds since 1970, and what comes behind it.
pub(super) fn date_ms(cell: &[u8]) -> Option<(i64, &[u8])> {
    let (date, rest) = cell.split_at_checked(10)?;
    if !matches!(date[4], b'-' | b'.' | b'/') || date[7] != date[4] {
        return None;
    }
    let (year, month, day) = (digits(&date[..4])?, digits(&date[5..7])?, digits(&date[8..])?);
    Some((days_since_1970(year as i64, month as i64, day as i64)? * MS_PER_DAY, rest))
}

/// Days from 1970-01-01 to a day of the Gregorian calendar; `None` when there is no such day. Years are counted from
/// March, so that the leap day is a year's last (H. Hinnant, "chrono-compatible low-level date algorithms").
fn days_since_1970(year: i64, month: i64, day: i64) -> Option<i64> {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 => 28 + i64::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=length).contains(&day) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

fn clock_ms(text: &[u8]) -> Option<i64> {
    hours_12(text).or_else(|| hours_24(text))
}

/// `09-AM`: milliseconds into the day.
fn hours_12(text: &[u8]) -> Option<i64> {
    let [tens, ones, b'-', half, b'M' | b'm'] = text else { return None };
    let hour = digits(&[*tens, *ones])? as i64;
    if !(1..=12).contains(&hour) {
        return None;
    }
    match half.to_ascii_uppercase() {
        b'A' => Some(hour % 12 * MS_PER_HOUR),
        b'P' => Some((hour % 12 + 12) * MS_PER_HOUR),
        _ => None,
    }
}

/// A time of day as it is mostly written, `09:00:00` in UTC; else as [`parse_time`] knows it. Milliseconds.
pub(super) fn clock_of_day_ms(text: &[u8]) -> Option<i64> {
    if let [h1, h2, b':', m1, m2, b':', s1, s2, zone @ ..] = text
        && matches!(zone, b"" | b"Z" | b"+00:00" | b".000Z")
    {
        let two = |tens: u8, ones: u8| {
            let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
            (tens < 10 && ones < 10).then(|| i64::from(tens) * 10 + i64::from(ones))
        };
        let (hour, minute, second) = (two(*h1, *h2)?, two(*m1, *m2)?, two(*s1, *s2)?);
        let is_time = hour < 24 && minute < 60 && second < 60;
        return is_time.then_some(hour * MS_PER_HOUR + minute * MS_PER_MINUTE + second * 1_000);
    }
    clock_ms(text)
}

/// `09:00`, `09:00:00`, with fraction and zone: milliseconds into the day, in UTC.
fn hours_24(text: &[u8]) -> Option<i64> {
    let (hour, rest) = two_digits(text)?;
    let (minute, rest) = two_digits(rest.strip_prefix(b":")?)?;
    let (second, rest) = match rest.strip_prefix(b":") {
        Some(rest) => two_digits(rest)?,
        None => (0, rest),
    };
    let (fraction_ms, rest) = match rest.strip_prefix(b".") {
        Some(rest) => fraction_ms(rest)?,
        None => (0, rest),
    };
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let local = hour * MS_PER_HOUR + minute * MS_PER_MINUTE + second * 1_000 + fraction_ms;
    Some(local - zone_ms(rest)?)
}

fn fraction_ms(text: &[u8]) -> Option<(i64, &[u8])> {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let (fraction, rest) = text.split_at(end);
    if fraction.is_empty() {
        return None;
    }
    let digit = |at: usize| i64::from(fraction.get(at).map_or(0, |byte| byte - b'0'));
    Some((digit(0) * 100 + digit(1) * 10 + digit(2), rest))
}

/// Milliseconds by which the zone is ahead of UTC.
fn zone_ms(text: &[u8]) -> Option<i64> {
    let (sign, rest) = match text.trim_ascii_start() {
        [] | b"Z" | b"z" | b"UTC" | b"utc" => return Some(0),
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let (hours, rest) = two_digits(rest)?;
    let (minutes, rest) = match rest {
        [] => (0, rest),
        _ => two_digits(rest.strip_prefix(b":").unwrap_or(rest))?,
    };
    if !rest.is_empty() || hours > 23 || minutes > 59 {
        return None;
    }
    Some(sign * (hours * MS_PER_HOUR + minutes * MS_PER_MINUTE))
}

fn two_digits(text: &[u8]) -> Option<(i64, &[u8])> {
    let (two, rest) = text.split_at_checked(2)?;
    Some((digits(two)? as i64, rest))
}

/// The number that at most 18 digits spell; `None` for anything else.
fn digits(text: &[u8]) -> Option<u64> {
    text.iter()
        .try_fold(0_u64, |number, &byte| byte.is_ascii_digit().then(|| number * 10 + u64::from(byte - b'0')))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expected: &str) {
        let time = parse_time(text.as_bytes()).unwrap_or_else(|| panic!("{text}"));
        assert_eq!(time.to_string(), expected, "{text}");
    }

    #[test]
    fn the_12_hour_clock_begins_at_12() {
        check("2019-10-17 09-AM", "2019-10-17T09:00:00.000Z");
        check("2019-10-17 12-AM", "2019-10-17T00:00:00.000Z");
        check("2019-10-17 12-PM", "2019-10-17T12:00:00.000Z");
        check("2019-10-17 11-PM", "2019-10-17T23:00:00.000Z");
    }

    #[test]
    fn dates_and_times_of_day_are_read_with_and_without_zone() {
        check("2019-10-17", "2019-10-17T00:00:00.000Z");
        check("2024.01.02", "2024-01-02T00:00:00.000Z");
        check("2024/01/02 15:30", "2024-01-02T15:30:00.000Z");
        check("2020-01-01 00:00:00+00:00", "2020-01-01T00:00:00.000Z");
        check("2020-01-01 00:00", "2020-01-01T00:00:00.000Z");
        check("2021-12-31 23:01:00.000000", "2021-12-31T23:01:00.000Z");
        check("2021-12-31T23:01:00.25Z", "2021-12-31T23:01:00.250Z");
        check("2021-12-31T23:01:00+0130", "2021-12-31T21:31:00.000Z");
        check("2021-12-31 23:01:00-05", "2022-01-01T04:01:00.000Z");
        check("2021-12-31 23:01:00 UTC", "2021-12-31T23:01:00.000Z");
    }

    #[test]
    fn epoch_counts_are_told_apart_by_size() {
        for text in ["1546300800", "1546300800.0", "1546300800000", "1546300800000000"] {
            check(text, "2019-01-01T00:00:00.000Z");
        }
    }

    #[test]
    fn a_date_and_a_time_of_day_in_two_cells_are_one_time() {
        let read = |date: &str, clock: &str| parse_date_and_clock(date.as_bytes(), clock.as_bytes());
        let expected = parse_time(b"2024-01-02 15:00");
        for (date, clock) in [("2024.01.02", "15:00"), ("2024-01-02", "15:00:00"), ("2024/01/02", "03-PM")] {
            assert_eq!(read(date, clock), expected, "{date} {clock}");
        }
        for (date, clock) in [("2024.01.02", ""), ("2024-01-02 00:00", "15:00"), ("15:00", "2024.01.02")] {
            assert_eq!(read(date, clock), None, "{date} {clock}");
        }
    }

    #[test]
    fn nonsense_is_no_time() {
        let texts = [
            "",
            "x",
            "2019",
            "2019-13-01",
            "2019-02-30",
            "2019-10-17 13-AM",
            "2019-10-17 00-AM",
            "2019-10-17 9-AM",
            "2019-10-17 24:00",
            "2019-10-17 10:60",
            "2019-10-17 10:00:00+",
            "2019-10-17 10:00:00.",
            "2019-10-17x",
            "-1546300800",
            "1546300800.5",
            "99999999",
            "999999999999999999",
            "17.10.2019",
            "nan",
            "2019-10-17 10",
            "2019.10-17",
            "10:00",
        ];
        for text in texts {
            assert_eq!(parse_time(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_core_reads_is_read_alike(ms in 100_000_000_000_i64..4_000_000_000_000) {
            let time = Timestamp::from_millis(ms).unwrap();
            prop_assert_eq!(parse_time(time.to_string().as_bytes()), Some(time));
            prop_assert_eq!(parse_time(ms.to_string().as_bytes()), Some(time));
        }

        #[test]
        fn a_day_is_the_one_that_chrono_counts(year in 0_i32..10_000, month in 0_u32..14, day in 0_u32..33) {
            let expected = chrono::NaiveDate::from_ymd_opt(year, month, day);
            let expected = expected.map(|date| (date - chrono::NaiveDate::default()).num_days());
            prop_assert_eq!(days_since_1970(year.into(), month.into(), day.into()), expected);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = parse_time(&bytes);
        }

        #[test]
        fn near_times_never_panic(text in "[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9:.+APMZ-]{0,16}") {
            let _ = parse_time(text.as_bytes());
        }
    }
}
