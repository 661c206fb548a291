//! The length of a bar.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// The length of a bar in whole minutes, from one minute to one week; written `1m`, `15m`, `1h`, `4h`, `1d`, `1w`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timeframe {
    minutes: NonZeroU32,
}

/// A text that is no timeframe.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{text}' is not a timeframe: expected a count and a unit such as 1m, 15m, 1h, 4h, 1d or 1w, at most 1w"
)]
pub struct TimeframeError {
    text: String,
}

const MINUTES_PER_HOUR: u32 = 60;
const MINUTES_PER_DAY: u32 = 24 * MINUTES_PER_HOUR;
const MINUTES_PER_WEEK: u32 = 7 * MINUTES_PER_DAY;
const MS_PER_MINUTE: i64 = 60_000;
/// A market that never closes trades 365 days a year.
const MINUTES_PER_YEAR: f64 = 525_600.0;
/// 1970-01-05 was the first Monday of the epoch; weekly bars start on Mondays.
const FIRST_MONDAY_MS: i64 = 4 * MINUTES_PER_DAY as i64 * MS_PER_MINUTE;

impl Timeframe {
    /// One minute, the timeframe of live feeds.
    pub const MINUTE: Self = Self { minutes: NonZeroU32::MIN };
    /// One hour.
    pub const HOUR: Self = Self { minutes: NonZeroU32::new(MINUTES_PER_HOUR).unwrap() };

    /// The timeframe of `minutes` minutes; `None` for zero or more than a week.
    pub fn from_minutes(minutes: u32) -> Option<Self> {
        let minutes = NonZeroU32::new(minutes)?;
        (minutes.get() <= MINUTES_PER_WEEK).then_some(Self { minutes })
    }

    /// Length in minutes.
    pub fn minutes(self) -> u32 {
        self.minutes.get()
    }

    /// Length in milliseconds.
    pub fn millis(self) -> i64 {
        i64::from(self.minutes.get()) * MS_PER_MINUTE
    }

    /// Bars in a year of a market that never closes (hour: 8,760), the annualisation factor of crypto.
    pub fn bars_per_year(self) -> f64 {
        MINUTES_PER_YEAR / f64::from(self.minutes.get())
    }

    /// The open time of the bar that contains `time`. Bars are aligned to the epoch, weekly ones to Monday.
    pub fn floor(self, time: Timestamp) -> Timestamp {
        let origin = if self.minutes.get() == MINUTES_PER_WEEK { FIRST_MONDAY_MS } else { 0 };
        let into_bar = (time.as_millis() - origin).rem_euclid(self.millis());
        time.plus_millis(-into_bar)
    }
}

impl fmt::Display for Timeframe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let minutes = self.minutes.get();
        match minutes {
            m if m % MINUTES_PER_WEEK == 0 => write!(f, "{}w", m / MINUTES_PER_WEEK),
            m if m % MINUTES_PER_DAY == 0 => write!(f, "{}d", m / MINUTES_PER_DAY),
            m if m % MINUTES_PER_HOUR == 0 => write!(f, "{}h", m / MINUTES_PER_HOUR),
            m => write!(f, "{m}m"),
        }
    }
}

impl fmt::Debug for Timeframe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timeframe {
    type Err = TimeframeError;

    fn from_str(text: &str) -> Result<Self, TimeframeError> {
        let error = || TimeframeError { text: text.to_owned() };
        let (count, unit) = match text.char_indices().last() {
            Some((at, unit)) => (&text[..at], unit),
            None => return Err(error()),
        };
        let unit_minutes = match unit {
            'm' => 1,
            'h' => MINUTES_PER_HOUR,
            'd' => MINUTES_PER_DAY,
            'w' => MINUTES_PER_WEEK,
            _ => return Err(error()),
        };
        let minutes = count.parse::<u32>().ok().and_then(|count| count.checked_mul(unit_minutes));
        minutes.and_then(Self::from_minutes).ok_or_else(error)
    }
}

impl TryFrom<String> for Timeframe {
    type Error = TimeframeError;

    fn try_from(text: String) -> Result<Self, TimeframeError> {
        text.parse()
    }
}

impl From<Timeframe> for String {
    fn from(timeframe: Timeframe) -> Self {
        timeframe.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_reads_back() {
        for text in ["1m", "5m", "15m", "1h", "4h", "1d", "1w"] {
            assert_eq!(text.parse::<Timeframe>().unwrap().to_string(), text);
        }
        assert_eq!("60m".parse::<Timeframe>().unwrap().to_string(), "1h");
    }

    #[test]
    fn impossible_lengths_are_refused() {
        for text in ["", "h", "0h", "-1h", "1.5h", "2w", "1y", "99999999999m", "é"] {
            assert!(text.parse::<Timeframe>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_year_has_8760_hours() {
        let hour: Timeframe = "1h".parse().unwrap();
        assert_eq!(hour.bars_per_year(), 8_760.0);
    }

    #[test]
    fn weeks_start_on_monday() {
        let week: Timeframe = "1w".parse().unwrap();
        let friday: Timestamp = "2024-03-01T13:00:00Z".parse().unwrap();
        assert_eq!(week.floor(friday).to_string(), "2024-02-26T00:00:00.000Z");
    }
}
