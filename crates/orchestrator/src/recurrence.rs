//! When cycles are due: every so many hours or minutes, or as a cron expression in a time zone says.
//!
//! A recurrence is a pure function from one instant to the next due time. Its text is what settings, the command line
//! and JSON hold: `every 6h`, `every 90m`, `cron 30 2 * * 1-5 America/New_York`.
//!
//! Where the clocks of a zone are set, a due time comes once: see [`CronExpression`].

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use walkforward_core::Timestamp;

mod cron;
mod span;

pub use cron::CronExpression;
pub use span::{MAX_COUNTED, Span};

/// Longest interval between cycles: a year of minutes.
pub const MAX_INTERVAL_MINUTES: f64 = 525_600.0;
const MS_PER_MINUTE: f64 = 60_000.0;
const MS_PER_HOUR: i64 = 3_600_000;
/// Shortest interval: a second, so that a schedule does not spin.
const MIN_INTERVAL_MS: f64 = 1_000.0;
/// Longest text of a recurrence, bytes.
const MAX_TEXT_BYTES: usize = 256;

/// A text or a number that says no due times.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RecurrenceError {
    /// The interval is too short, too long or no number.
    #[error(
        "the interval is {minutes} minutes: expected a number above 0 (at least a second) and at most {MAX_INTERVAL_MINUTES}"
    )]
    Interval {
        /// The interval.
        minutes: f64,
    },
    /// The text is no recurrence.
    #[error(
        "'{text}' is not a recurrence: expected 'every 6h', 'every 90m' or 'cron 30 2 * * 1-5 America/New_York'"
    )]
    Text {
        /// The text.
        text: String,
    },
    /// The cron expression says no times.
    #[error(
        "the cron expression '{expression}' can't be used: {problem}; expected five fields: minute hour day-of-month month day-of-week"
    )]
    Cron {
        /// The expression.
        expression: String,
        /// What is wrong with it.
        problem: String,
    },
    /// There is no such time zone.
    #[error("'{zone}' is not a time zone: expected a name such as UTC or America/New_York")]
    Zone {
        /// Its name.
        zone: String,
    },
}

/// When cycles are due.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Recurrence {
    /// At the anchor and every so long after it.
    Every(Interval),
    /// When a cron expression says so.
    Cron(CronExpression),
}

impl Recurrence {
    /// The time from one cycle to the next; none where it differs.
    pub fn interval(&self) -> Option<Duration> {
        match self {
            Self::Every(Interval { ms }) => u64::try_from(*ms).ok().map(Duration::from_millis),
            Self::Cron(_) => None,
        }
    }
}

/// Time between cycles: a second to a year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    ms: i64,
}

impl Interval {
    /// An interval of `minutes` minutes; fractions are allowed and rounded to milliseconds.
    pub fn from_minutes(minutes: f64) -> Result<Self, RecurrenceError> {
        let ms = (minutes * MS_PER_MINUTE).round();
        if !ms.is_finite() || ms < MIN_INTERVAL_MS || minutes > MAX_INTERVAL_MINUTES {
            return Err(RecurrenceError::Interval { minutes });
        }
        Ok(Self { ms: ms as i64 })
    }

    /// Its length in milliseconds.
    pub fn as_millis(self) -> i64 {
        self.ms
    }
}

impl Recurrence {
    /// Due times every `minutes` minutes.
    pub fn every_minutes(minutes: f64) -> Result<Self, RecurrenceError> {
        Interval::from_minutes(minutes).map(Self::Every)
    }

    /// Due times every `hours` hours.
    pub fn every_hours(hours: f64) -> Result<Self, RecurrenceError> {
        Self::every_minutes(hours * 60.0)
    }

    /// Due times of a five-field cron expression on the clocks of a time zone.
    pub fn cron(expression: &str, zone: &str) -> Result<Self, RecurrenceError> {
        CronExpression::new(expression, zone).map(Self::Cron)
    }

    /// The first due time after `time`; `None` when there is none before the year 9999.
    ///
    /// Intervals count from `anchor`, which is itself a due time; cron expressions don't look at it.
    pub fn next_after(&self, anchor: Timestamp, time: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Every(interval) => {
                let since_ms = time.millis_since(anchor);
                let steps = if since_ms < 0 { 0 } else { since_ms / interval.ms + 1 };
                let after_ms = steps.checked_mul(interval.ms)?;
                Timestamp::from_millis(anchor.as_millis().checked_add(after_ms)?)
            }
            Self::Cron(cron) => cron.next_after(time),
        }
    }

    /// The longest time between two of the next `count` due times after `from`; none where fewer than two are left.
    pub fn longest_gap(&self, from: Timestamp, count: usize) -> Option<Duration> {
        let first = self.next_after(from, from);
        let due: Vec<Timestamp> =
            std::iter::successors(first, |due| self.next_after(from, *due)).take(count).collect();
        let longest_ms = due.windows(2).map(|pair| pair[1].millis_since(pair[0])).max()?;
        u64::try_from(longest_ms).ok().map(Duration::from_millis)
    }

    /// `anchor`, moved back until it is not after `time`, and the due times after it stay the same.
    pub fn anchor_before(&self, anchor: Timestamp, time: Timestamp) -> Timestamp {
        let ahead_ms = anchor.millis_since(time);
        match self {
            _ if ahead_ms <= 0 => anchor,
            Self::Every(interval) => {
                let steps = (ahead_ms - 1) / interval.ms + 1;
                anchor.plus_millis(-steps * interval.ms)
            }
            Self::Cron(_) => time,
        }
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ms % MS_PER_HOUR == 0 {
            write!(f, "{}h", self.ms / MS_PER_HOUR)
        } else {
            write!(f, "{}m", self.ms as f64 / MS_PER_MINUTE)
        }
    }
}

impl fmt::Display for Recurrence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every(interval) => write!(f, "every {interval}"),
            Self::Cron(cron) => write!(f, "cron {} {}", cron.expression(), cron.zone()),
        }
    }
}

impl FromStr for Recurrence {
    type Err = RecurrenceError;

    fn from_str(text: &str) -> Result<Self, RecurrenceError> {
        let refused = || RecurrenceError::Text { text: text.chars().take(MAX_TEXT_BYTES).collect() };
        if text.len() > MAX_TEXT_BYTES {
            return Err(refused());
        }
        match text.trim().split_once(char::is_whitespace) {
            Some(("every", interval)) => parse_interval(interval.trim()).ok_or_else(refused)?,
            Some(("cron", rest)) => cron::parse(rest.trim()).map(Self::Cron),
            _ => Err(refused()),
        }
    }
}

/// `6h` or `90m`; `None` for what is no number with a unit.
fn parse_interval(text: &str) -> Option<Result<Recurrence, RecurrenceError>> {
    let (number, minutes) = match (text.strip_suffix('h'), text.strip_suffix('m')) {
        (Some(hours), _) => (hours, 60.0),
        (_, Some(number)) => (number, 1.0),
        _ => return None,
    };
    let number: f64 = number.trim().parse().ok()?;
    Some(Recurrence::every_minutes(number * minutes))
}

impl TryFrom<String> for Recurrence {
    type Error = RecurrenceError;

    fn try_from(text: String) -> Result<Self, RecurrenceError> {
        text.parse()
    }
}

impl From<Recurrence> for String {
    fn from(recurrence: Recurrence) -> Self {
        recurrence.to_string()
    }
}

#[cfg(test)]
mod tests;
