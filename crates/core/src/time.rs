//! Instants of the market and of the product: UTC milliseconds.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An instant, in milliseconds since 1970-01-01T00:00:00Z. Written as RFC 3339 with milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// A text that is no instant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{text}' is not a time: expected RFC 3339 such as 2024-01-01T00:00:00Z, or a date such as 2024-01-01"
)]
pub struct TimeError {
    text: String,
}

/// 0000-01-01 to 9999-12-31: what RFC 3339 can write.
const RANGE_MS: std::ops::RangeInclusive<i64> = -62_167_219_200_000..=253_402_300_799_999;

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);

    /// The instant `ms` milliseconds after the epoch; `None` outside the years 0000 to 9999.
    pub fn from_millis(ms: i64) -> Option<Self> {
        RANGE_MS.contains(&ms).then_some(Self(ms))
    }

    /// Milliseconds since the epoch.
    pub fn as_millis(self) -> i64 {
        self.0
    }

    /// This instant moved by `ms` milliseconds; stops at the years 0000 and 9999.
    #[inline]
    pub fn plus_millis(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms).clamp(*RANGE_MS.start(), *RANGE_MS.end()))
    }

    /// Milliseconds from `earlier` to this instant; negative when `earlier` is later.
    pub fn millis_since(self, earlier: Self) -> i64 {
        self.0 - earlier.0
    }

    fn to_chrono(self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.0).unwrap_or_default()
    }
}

impl From<DateTime<Utc>> for Timestamp {
    fn from(value: DateTime<Utc>) -> Self {
        Self(value.timestamp_millis().clamp(*RANGE_MS.start(), *RANGE_MS.end()))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_chrono().to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timestamp {
    type Err = TimeError;

    /// Reads RFC 3339; a time without a zone is UTC, a bare date is its midnight.
    fn from_str(text: &str) -> Result<Self, TimeError> {
        let text = text.trim();
        let parsed = DateTime::parse_from_rfc3339(text)
            .map(|time| time.with_timezone(&Utc))
            .ok()
            .or_else(|| {
                ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"]
                    .iter()
                    .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
                    .map(|time| time.and_utc())
            })
            .or_else(|| {
                let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
                Some(date.and_hms_opt(0, 0, 0)?.and_utc())
            });
        parsed
            .and_then(|time| Self::from_millis(time.timestamp_millis()))
            .ok_or_else(|| TimeError { text: text.to_owned() })
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_reads_back_as_written() {
        for text in ["2024-01-01T00:00:00.000Z", "1969-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"] {
            assert_eq!(text.parse::<Timestamp>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_time_without_zone_is_utc_and_a_date_is_midnight() {
        let midnight = "2024-03-01T00:00:00.000Z";
        for text in ["2024-03-01", "2024-03-01 00:00", "2024-03-01T01:00:00+01:00"] {
            assert_eq!(text.parse::<Timestamp>().unwrap().to_string(), midnight, "{text}");
        }
    }

    #[test]
    fn nonsense_is_named_in_the_error() {
        let error = "yesterday".parse::<Timestamp>().unwrap_err().to_string();
        assert!(error.contains("'yesterday'"), "{error}");
    }
}
