//! Hours in which people are left alone.

use chrono::{DateTime, NaiveTime, Timelike, Utc};
use chrono_tz::Tz;
use walkforward_core::Timestamp;

const MINUTE_MS: i64 = 60_000;
/// No quiet hours last longer, whatever clocks do: a day, and the day that an island skips.
const MAX_MINUTES: i64 = 2 * 24 * 60;
const MINUTES_PER_HOUR: u32 = 60;

/// Hours of the day by the clocks of a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuietHours {
    /// Minute of the day with which they begin.
    from: u32,
    /// Minute of the day before which they end; before `from` where they go over midnight.
    until: u32,
    zone: Tz,
}

/// A text that is no quiet hours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuietHoursError {
    /// The hours.
    #[error("expected two different times of the day such as 22:00-07:00")]
    Hours,
    /// The zone.
    #[error("there is no time zone '{zone}': expected a name such as Europe/Berlin, or UTC")]
    Zone {
        /// What was given.
        zone: String,
    },
}

/// The time zone of this name.
///
/// # Errors
/// There is none.
pub fn zone(name: &str) -> Result<Tz, QuietHoursError> {
    name.trim().parse().map_err(|_| QuietHoursError::Zone { zone: name.chars().take(64).collect() })
}

impl QuietHours {
    /// Reads `22:00-07:00` by the clocks of `zone`.
    ///
    /// # Errors
    /// A time is none, both are the same, or there is no such zone.
    pub fn parse(hours: &str, zone_name: &str) -> Result<Self, QuietHoursError> {
        let (from, until) = hours.split_once('-').ok_or(QuietHoursError::Hours)?;
        let minute = |text: &str| {
            let time = NaiveTime::parse_from_str(text.trim(), "%H:%M").map_err(|_| QuietHoursError::Hours)?;
            Ok(minute_of(&time))
        };
        let (from, until) = (minute(from)?, minute(until)?);
        if from == until {
            return Err(QuietHoursError::Hours);
        }
        Ok(Self { from, until, zone: zone(zone_name)? })
    }

    /// Whether people are left alone at `at`.
    pub fn is_quiet(&self, at: Timestamp) -> bool {
        let Some(utc) = DateTime::<Utc>::from_timestamp_millis(at.as_millis()) else { return false };
        let minute = minute_of(&utc.with_timezone(&self.zone).time());
        match self.from < self.until {
            true => (self.from..self.until).contains(&minute),
            false => minute >= self.from || minute < self.until,
        }
    }

    /// When people may be told who are left alone at `at`; `at` itself outside the hours. Clocks that are set forward may
    /// skip the end, and those that are set back may show it twice: it is the first whole minute that is not quiet.
    pub fn ends(&self, at: Timestamp) -> Timestamp {
        if !self.is_quiet(at) {
            return at;
        }
        let minute = at.plus_millis(-at.as_millis().rem_euclid(MINUTE_MS));
        let minutes = (1..=MAX_MINUTES).map(|count| minute.plus_millis(count * MINUTE_MS));
        minutes.into_iter().find(|time| !self.is_quiet(*time)).unwrap_or(at)
    }
}

fn minute_of(time: &impl Timelike) -> u32 {
    time.hour() * MINUTES_PER_HOUR + time.minute()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn check(hours: &str, zone: &str, at: &str, ends: &str) {
        let quiet = QuietHours::parse(hours, zone).unwrap();
        assert_eq!(quiet.ends(time(at)), time(ends), "{hours} {zone} {at}");
        assert_eq!(quiet.is_quiet(time(at)), at != ends);
    }

    #[test]
    fn quiet_hours_end_by_the_clocks_of_their_zone() {
        check("22:00-07:00", "UTC", "2024-01-01T21:59:59Z", "2024-01-01T21:59:59Z");
        check("22:00-07:00", "UTC", "2024-01-01T22:00:00Z", "2024-01-02T07:00:00Z");
        check("22:00-07:00", "UTC", "2024-01-02T06:59:59.999Z", "2024-01-02T07:00:00Z");
        check("22:00-07:00", "UTC", "2024-01-02T07:00:00Z", "2024-01-02T07:00:00Z");
        check("12:00-13:30", "Asia/Kolkata", "2024-01-01T07:00:00Z", "2024-01-01T08:00:00Z");
        check("22:00-07:00", "Europe/Berlin", "2024-07-01T22:00:00Z", "2024-07-02T05:00:00Z");
    }

    #[test]
    fn clocks_that_are_set_change_when_quiet_hours_end() {
        // Berlin, 31 March 2024: 02:00 is followed by 03:00. The end at 02:30 does not happen.
        check("22:00-02:30", "Europe/Berlin", "2024-03-31T00:30:00Z", "2024-03-31T01:00:00Z");
        // 27 October 2024: 03:00 is followed by 02:00. The first 02:30 ends them, and the second hour is quiet again.
        check("22:00-02:30", "Europe/Berlin", "2024-10-27T00:10:00Z", "2024-10-27T00:30:00Z");
        check("22:00-02:30", "Europe/Berlin", "2024-10-27T01:10:00Z", "2024-10-27T01:30:00Z");
        // The nights around are an hour shorter and longer.
        check("22:00-07:00", "Europe/Berlin", "2024-03-30T21:00:00Z", "2024-03-31T05:00:00Z");
        check("22:00-07:00", "Europe/Berlin", "2024-10-26T20:00:00Z", "2024-10-27T06:00:00Z");
    }

    #[test]
    fn hours_that_are_none_are_refused() {
        for hours in ["22:00", "22:00-22:00", "25:00-07:00", "22-7", "a-b", ""] {
            assert_eq!(QuietHours::parse(hours, "UTC"), Err(QuietHoursError::Hours), "{hours}");
        }
        let error = QuietHours::parse("22:00-07:00", "Berlin").unwrap_err().to_string();
        assert!(error.contains("'Berlin'"), "{error}");
    }

    proptest! {
        #[test]
        fn the_end_is_the_first_minute_that_is_not_quiet(
            from in 0_u32..1_440,
            length in 1_u32..1_440,
            at in 1_700_000_000_000_i64..1_740_000_000_000,
            zone in prop::sample::select(vec!["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
        ) {
            let until = (from + length) % 1_440;
            let text = format!("{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, until / 60, until % 60);
            let quiet = QuietHours::parse(&text, zone).unwrap();
            let at = Timestamp::from_millis(at).unwrap();
            let end = quiet.ends(at);
            prop_assert!(!quiet.is_quiet(end));
            prop_assert!(end >= at && end.millis_since(at) <= 26 * 3_600_000);
            if end > at {
                prop_assert!(quiet.is_quiet(end.plus_millis(-1)) && quiet.is_quiet(at));
                prop_assert_eq!(end.as_millis() % 60_000, 0);
            }
        }
    }
}
