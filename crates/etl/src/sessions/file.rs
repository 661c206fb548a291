//! Sessions from a file.

use std::path::Path;

use chrono::NaiveDate;
use serde::Deserialize;
use walkforward_core::{MarketCalendar, SessionCalendar, Timestamp, Window};
use walkforward_durable::read_bounded;

use super::us_equities::new_york_time;
use crate::Error;

/// Bytes of a file at most; a session has fewer than a hundred.
const MAX_FILE_BYTES: u64 = 64 << 20;
const MS_PER_DAY: i64 = 86_400_000;

/// What a file's times of day are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionClock {
    /// UTC.
    Utc,
    /// New York, since 2007: what Alpaca's calendar has.
    NewYork,
}

/// One session as files write it.
#[derive(Debug, Deserialize)]
struct Row {
    date: String,
    open: String,
    close: String,
}

/// The sessions of a file: lines of `date,open,close` under a header, or Alpaca's answer to `/v2/calendar`
/// (`[{"date":"2024-07-03","open":"09:30","close":"13:00"}]`; other keys are left alone). A close that is not after its
/// open lies on the next day.
///
/// # Errors
/// When the file can't be read, a line or entry is no session, or they overlap; the text names the line or entry.
pub fn read_sessions(path: &Path, clock: SessionClock) -> Result<MarketCalendar, Error> {
    let bytes = read_bounded(path, MAX_FILE_BYTES)?;
    let rows = match bytes.trim_ascii_start().first() {
        Some(b'[') => json_rows(&bytes),
        _ => csv_rows(&bytes),
    };
    let rows = rows.map_err(|reason| sessions_error(path, reason))?;
    let sessions =
        rows.iter().map(|(place, row)| session(row, clock).map_err(|reason| format!("{place}: {reason}")));
    let mut sessions: Vec<Window> =
        sessions.collect::<Result<_, _>>().map_err(|reason| sessions_error(path, reason))?;
    sessions.sort_by_key(Window::start);
    let calendar = SessionCalendar::new(sessions).map_err(|error| sessions_error(path, error.to_string()))?;
    Ok(MarketCalendar::Sessions(calendar))
}

fn sessions_error(path: &Path, reason: String) -> Error {
    Error::Sessions { path: path.to_owned(), reason }
}

fn json_rows(bytes: &[u8]) -> Result<Vec<(String, Row)>, String> {
    let rows: Vec<Row> = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    Ok(rows.into_iter().enumerate().map(|(index, row)| (format!("entry {}", index + 1), row)).collect())
}

fn csv_rows(bytes: &[u8]) -> Result<Vec<(String, Row)>, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let header = lines.next().map(|(_, line)| line.trim().to_ascii_lowercase());
    if header.as_deref() != Some("date,open,close") {
        return Err("the first line is not the header 'date,open,close'".to_owned());
    }
    let row = |(index, line): (usize, &str)| {
        let cells: Vec<&str> = line.split(',').map(str::trim).collect();
        let &[date, open, close] = cells.as_slice() else {
            return Err(format!("line {} has {} cells: expected date,open,close", index + 1, cells.len()));
        };
        let [date, open, close] = [date, open, close].map(str::to_owned);
        Ok((format!("line {}", index + 1), Row { date, open, close }))
    };
    lines.map(row).collect()
}

fn session(row: &Row, clock: SessionClock) -> Result<Window, String> {
    let date = NaiveDate::parse_from_str(&row.date, "%Y-%m-%d");
    let date = date.map_err(|_| format!("'{}' is not a date such as 2024-07-03", row.date))?;
    let at = |text: &str| -> Result<Timestamp, String> {
        let minute =
            minute_of_day(text).ok_or_else(|| format!("'{text}' is not a time of day such as 09:30"))?;
        Ok(match clock {
            SessionClock::NewYork => new_york_time(date, minute),
            SessionClock::Utc => {
                Timestamp::from(date.and_time(Default::default()).and_utc()).plus_millis(minute * 60_000)
            }
        })
    };
    let (open, close) = (at(&row.open)?, at(&row.close)?);
    let close = if close <= open { close.plus_millis(MS_PER_DAY) } else { close };
    Window::new(open, close).map_err(|error| error.to_string())
}

fn minute_of_day(text: &str) -> Option<i64> {
    let (hour, minute) = text.split_once(':')?;
    let two = |part: &str| (part.len() == 2).then(|| part.parse::<i64>().ok()).flatten();
    let (hour, minute) = (two(hour)?, two(minute)?);
    ((0..24).contains(&hour) && (0..60).contains(&minute)).then_some(hour * 60 + minute)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content: &str, clock: SessionClock) -> Result<Vec<String>, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sessions");
        std::fs::write(&path, content).unwrap();
        match read_sessions(&path, clock) {
            Ok(MarketCalendar::Sessions(calendar)) => {
                Ok(calendar.sessions().iter().map(Window::to_string).collect())
            }
            Ok(MarketCalendar::Continuous) => Err("continuous".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn alpacas_calendar_and_lines_give_the_same_sessions() {
        let json = r#"[{"date":"2024-07-05","open":"09:30","close":"16:00","session_open":"0400"},
                       {"date":"2024-07-03","open":"09:30","close":"13:00"}]"#;
        let lines = "date,open,close\n2024-07-03,09:30,13:00\n\n2024-07-05,09:30,16:00\n";
        let expected = [
            "2024-07-03T13:30:00.000Z..2024-07-03T17:00:00.000Z",
            "2024-07-05T13:30:00.000Z..2024-07-05T20:00:00.000Z",
        ];
        assert_eq!(read(json, SessionClock::NewYork).unwrap(), expected);
        assert_eq!(read(lines, SessionClock::NewYork).unwrap(), expected);
    }

    #[test]
    fn a_session_may_reach_into_the_next_day() {
        let sessions = read("date,open,close\n2024-01-01,23:00,22:00\n", SessionClock::Utc).unwrap();
        assert_eq!(sessions, ["2024-01-01T23:00:00.000Z..2024-01-02T22:00:00.000Z"]);
    }

    #[test]
    fn what_is_no_session_is_named() {
        let refuse = |content: &str, expected: &str| {
            let error = read(content, SessionClock::Utc).unwrap_err();
            assert!(error.contains(expected) && error.contains("sessions"), "{error}");
        };
        refuse("", "the header 'date,open,close'");
        refuse("date,open,close\n2024-01-01,09:30\n", "line 2 has 2 cells");
        refuse("date,open,close\n2024-13-01,09:30,16:00\n", "line 2: '2024-13-01' is not a date");
        refuse("date,open,close\n2024-01-01,9:30,16:00\n", "'9:30' is not a time of day");
        refuse("date,open,close\n", "expected 1 to");
        refuse("date,open,close\n2024-01-01,09:00,12:00\n2024-01-01,11:00,13:00\n", "begins before");
        refuse("[{\"date\":1}]", "invalid type");
    }
}
