//! Regular sessions of the New York exchanges: 09:30 to 16:00, holidays, early closes, daylight saving time.
//!
//! The rules are those of NYSE Rule 7.2 and its yearly calendars; days of mourning and storms are listed by date.

use std::ops::RangeInclusive;

use chrono::{Datelike, Days, NaiveDate, NaiveTime, Weekday};
use walkforward_core::{MarketCalendar, SessionCalendar, Timestamp, Window};

use crate::Error;

/// Years whose sessions the rules give: daylight saving time is what it is since 2007.
pub const US_EQUITY_YEARS: RangeInclusive<i32> = 2007..=2100;

const OPEN_MINUTE: i64 = 9 * 60 + 30;
const CLOSE_MINUTE: i64 = 16 * 60;
const EARLY_CLOSE_MINUTE: i64 = 13 * 60;
const MS_PER_MINUTE: i64 = 60_000;
/// First year in which the exchanges closed on Juneteenth.
const FIRST_JUNETEENTH: i32 = 2022;
/// Closed by decision: mourning for Ford, the storm Sandy, mourning for Bush and Carter.
const CLOSED_ONCE: [(i32, u32, u32); 5] =
    [(2007, 1, 2), (2012, 10, 29), (2012, 10, 30), (2018, 12, 5), (2025, 1, 9)];

/// The regular sessions of US equities in `years`.
///
/// ```
/// let calendar = walkforward_etl::us_equities(2024..=2024)?;
/// assert!((calendar.bars_per_year("1d".parse().unwrap()) - 252.0).abs() < 1.5);
/// # Ok::<(), walkforward_etl::Error>(())
/// ```
///
/// # Errors
/// When a year lies outside [`US_EQUITY_YEARS`] or there is none.
pub fn us_equities(years: RangeInclusive<i32>) -> Result<MarketCalendar, Error> {
    let refuse = |reason: String| Error::Setting {
        name: "the years of the US equity calendar",
        value: format!("{}..={}", years.start(), years.end()),
        expected: format!("years from {} to {}{reason}", US_EQUITY_YEARS.start(), US_EQUITY_YEARS.end()),
    };
    if years.is_empty() || !US_EQUITY_YEARS.contains(years.start()) || !US_EQUITY_YEARS.contains(years.end())
    {
        return Err(refuse(String::new()));
    }
    let sessions = years.clone().flat_map(days_of).filter_map(session).collect();
    let calendar = SessionCalendar::new(sessions).map_err(|error| refuse(format!(": {error}")))?;
    Ok(MarketCalendar::Sessions(calendar))
}

fn days_of(year: i32) -> impl Iterator<Item = NaiveDate> {
    NaiveDate::from_yo_opt(year, 1)
        .into_iter()
        .flat_map(|first| first.iter_days())
        .take_while(move |day| day.year() == year)
}

fn session(day: NaiveDate) -> Option<Window> {
    if matches!(day.weekday(), Weekday::Sat | Weekday::Sun) || is_closed(day) {
        return None;
    }
    let close = if is_short(day) { EARLY_CLOSE_MINUTE } else { CLOSE_MINUTE };
    Window::new(new_york_time(day, OPEN_MINUTE), new_york_time(day, close)).ok()
}

/// The instant `minute` minutes after midnight of `day` in New York, for times of day at which the clocks don't
/// change.
pub(super) fn new_york_time(day: NaiveDate, minute: i64) -> Timestamp {
    let behind_utc = if is_summer(day) { 4 * 60 } else { 5 * 60 };
    let midnight = Timestamp::from(day.and_time(NaiveTime::MIN).and_utc());
    midnight.plus_millis((minute + behind_utc) * MS_PER_MINUTE)
}

/// Whether New York has daylight saving time after two in the morning: from the second Sunday of March to the first
/// of November.
fn is_summer(day: NaiveDate) -> bool {
    let (from, to) = (nth(day.year(), 3, Weekday::Sun, 2), nth(day.year(), 11, Weekday::Sun, 1));
    from.is_some_and(|from| day >= from) && to.is_some_and(|to| day < to)
}

fn nth(year: i32, month: u32, weekday: Weekday, n: u8) -> Option<NaiveDate> {
    NaiveDate::from_weekday_of_month_opt(year, month, weekday, n)
}

fn is_closed(day: NaiveDate) -> bool {
    let year = day.year();
    let is = |holiday: Option<NaiveDate>| holiday == Some(day);
    CLOSED_ONCE.iter().any(|&(year, month, date)| is(NaiveDate::from_ymd_opt(year, month, date)))
        || is_new_year(day)
        || is(nth(year, 1, Weekday::Mon, 3))
        || is(nth(year, 2, Weekday::Mon, 3))
        || is(easter(year).and_then(|easter| easter.checked_sub_days(Days::new(2))))
        || is(last_monday_of_may(year))
        || (year >= FIRST_JUNETEENTH && is(observed(year, 6, 19)))
        || is(observed(year, 7, 4))
        || is(nth(year, 9, Weekday::Mon, 1))
        || is(thanksgiving(year))
        || is(observed(year, 12, 25))
}

/// New Year's Day, on Monday when it is a Sunday; on a Saturday it is not made up for, since the year's books close on
/// the Friday.
fn is_new_year(day: NaiveDate) -> bool {
    (day.month(), day.day()) == (1, 1)
        || ((day.month(), day.day()) == (1, 2) && day.weekday() == Weekday::Mon)
}

/// A holiday of fixed date: on the Friday before when it is a Saturday, on the Monday after when it is a Sunday.
fn observed(year: i32, month: u32, date: u32) -> Option<NaiveDate> {
    let day = NaiveDate::from_ymd_opt(year, month, date)?;
    match day.weekday() {
        Weekday::Sat => day.pred_opt(),
        Weekday::Sun => day.succ_opt(),
        _ => Some(day),
    }
}

fn last_monday_of_may(year: i32) -> Option<NaiveDate> {
    nth(year, 5, Weekday::Mon, 5).or_else(|| nth(year, 5, Weekday::Mon, 4))
}

fn thanksgiving(year: i32) -> Option<NaiveDate> {
    nth(year, 11, Weekday::Thu, 4)
}

/// Days that end at 13:00: before Independence Day and Christmas when both days are weekdays, and after Thanksgiving.
fn is_short(day: NaiveDate) -> bool {
    let is_eve = matches!((day.month(), day.day()), (7, 3) | (12, 24));
    // On a Friday the next day, a Saturday, is the holiday, and this day is off; a Saturday has no session.
    is_eve || thanksgiving(day.year()).and_then(|day| day.succ_opt()) == Some(day)
}

/// Easter Sunday in the Gregorian calendar: the algorithm of Meeus, Jones and Butcher (Astronomical Algorithms, 1991).
fn easter(year: i32) -> Option<NaiveDate> {
    let (a, b, c) = (year % 19, year / 100, year % 100);
    let (d, e) = (b / 4, b % 4);
    let g = (8 * b + 13) / 25;
    let h = (19 * a + b - d - g + 15) % 30;
    let (i, k) = (c / 4, c % 4);
    let l = (32 + 2 * e + 2 * i - h - k) % 7;
    let m = (a + 11 * h + 22 * l) / 451;
    let (month, day) = ((h + l - 7 * m + 114) / 31, (h + l - 7 * m + 114) % 31 + 1);
    NaiveDate::from_ymd_opt(year, u32::try_from(month).ok()?, u32::try_from(day).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sessions(year: i32) -> Vec<Window> {
        let MarketCalendar::Sessions(calendar) = us_equities(year..=year).unwrap() else {
            panic!("no sessions")
        };
        calendar.sessions().to_vec()
    }

    /// The session of the day, as texts of UTC; none when closed.
    fn on(date: &str) -> Option<(String, String)> {
        let year = date[..4].parse().unwrap();
        let session =
            sessions(year).into_iter().find(|session| session.start().to_string().starts_with(date))?;
        let clock = |time: Timestamp| time.to_string()[11..16].to_owned();
        Some((clock(session.start()), clock(session.end())))
    }

    fn check(date: &str, open: &str, close: &str) {
        assert_eq!(on(date), Some((open.to_owned(), close.to_owned())), "{date}");
    }

    #[test]
    fn years_have_the_trading_days_that_the_exchange_had() {
        let known = [
            (2007, 251),
            (2008, 253),
            (2009, 252),
            (2010, 252),
            (2011, 252),
            (2012, 250),
            (2013, 252),
            (2014, 252),
            (2015, 252),
            (2016, 252),
            (2017, 251),
            (2018, 251),
            (2019, 252),
            (2020, 253),
            (2021, 252),
            (2022, 251),
            (2023, 250),
            (2024, 252),
            (2025, 250),
        ];
        for (year, days) in known {
            assert_eq!(sessions(year).len(), days, "{year}");
        }
    }

    #[test]
    fn holidays_of_known_years_have_no_session() {
        let closed = [
            "2021-12-24",
            "2022-01-17",
            "2022-02-21",
            "2022-04-15",
            "2022-05-30",
            "2022-06-20",
            "2022-07-04",
            "2022-09-05",
            "2022-11-24",
            "2022-12-26",
            "2023-01-02",
            "2024-01-01",
            "2024-01-15",
            "2024-02-19",
            "2024-03-29",
            "2024-05-27",
            "2024-06-19",
            "2024-07-04",
            "2024-09-02",
            "2024-11-28",
            "2024-12-25",
            "2025-01-09",
            "2025-04-18",
            "2018-12-05",
            "2012-10-29",
            "2012-10-30",
            "2007-01-02",
            "2015-07-03",
            "2026-07-03",
            "2024-06-15",
        ];
        for date in closed {
            assert_eq!(on(date), None, "{date}");
        }
        check("2021-12-31", "14:30", "21:00");
        check("2021-06-18", "13:30", "20:00");
    }

    #[test]
    fn early_closes_and_the_change_of_clocks_are_where_they_were() {
        check("2024-07-03", "13:30", "17:00");
        check("2024-11-29", "14:30", "18:00");
        check("2024-12-24", "14:30", "18:00");
        check("2023-07-03", "13:30", "17:00");
        check("2020-11-27", "14:30", "18:00");
        check("2020-07-02", "13:30", "20:00");
        check("2021-07-02", "13:30", "20:00");
        check("2024-03-08", "14:30", "21:00");
        check("2024-03-11", "13:30", "20:00");
        check("2024-11-01", "13:30", "20:00");
        check("2024-11-04", "14:30", "21:00");
    }

    #[test]
    fn years_without_rules_are_refused() {
        let empty = 2024..=2024 - i32::from(true);
        for years in [2006..=2024, 2024..=2101, empty] {
            assert!(us_equities(years).unwrap_err().to_string().contains("expected years from 2007 to 2100"));
        }
    }
}
