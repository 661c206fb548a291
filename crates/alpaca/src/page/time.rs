//! Times as the service writes them.

use std::fmt;

use chrono::DateTime;
use serde::Deserializer;
use serde::de::{Error, Visitor};
use walkforward_core::Timestamp;

const MS_PER_SECOND: i64 = 1_000;
/// Characters of a text that is no time which its error shows.
const MAX_SHOWN_CHARS: usize = 40;

/// Reads a time for serde.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    struct Time;
    impl Visitor<'_> for Time {
        type Value = Timestamp;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a time such as \"2024-01-01T00:00:00Z\"")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Timestamp, E> {
            self.visit_bytes(text.as_bytes())
        }

        fn visit_bytes<E: Error>(self, text: &[u8]) -> Result<Timestamp, E> {
            parse(text).ok_or_else(|| {
                let shown: String = String::from_utf8_lossy(text).chars().take(MAX_SHOWN_CHARS).collect();
                E::custom(format!("'{shown}' is no time: expected one such as 2024-01-01T00:00:00Z"))
            })
        }
    }
    // As bytes, because nearly all times are read without asking whether they are text.
    deserializer.deserialize_bytes(Time)
}

/// The time that `text` says in RFC 3339; fractions below a millisecond are cut off.
fn parse(text: &[u8]) -> Option<Timestamp> {
    usual(text).or_else(|| {
        let time = DateTime::parse_from_rfc3339(std::str::from_utf8(text).ok()?).ok()?;
        Timestamp::from_millis(time.timestamp_millis())
    })
}

/// The form in which all bars come, `2024-01-01T00:00:00Z`, read without a general parser; none for every other form
/// and for days that only some months have.
fn usual(text: &[u8]) -> Option<Timestamp> {
    let text: &[u8; 20] = text.try_into().ok()?;
    let marks = [text[4], text[7], text[10], text[13], text[16], text[19]];
    if marks != *b"--T::Z" {
        return None;
    }
    let two = |at: usize| {
        let (tens, ones) = (text[at].wrapping_sub(b'0'), text[at + 1].wrapping_sub(b'0'));
        (tens < 10 && ones < 10).then(|| i64::from(tens) * 10 + i64::from(ones))
    };
    let (year, month, day) = (two(0)? * 100 + two(2)?, two(5)?, two(8)?);
    let (hour, minute, second) = (two(11)?, two(14)?, two(17)?);
    let is_plain = (1..=12).contains(&month) && (1..=28).contains(&day);
    if !is_plain || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = ((days_since_epoch(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
    Timestamp::from_millis(seconds * MS_PER_SECOND)
}

/// Days from 1970-01-01 to a date of the Gregorian calendar: years begin in March, so that the leap day is the last
/// (Hinnant, "chrono-compatible low-level date algorithms").
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn other_forms_of_rfc_3339_are_read_too() {
        for text in ["2024-02-29T00:00:00Z", "2024-02-28T19:00:00-05:00", "2024-02-29T00:00:00.000999999Z"] {
            assert_eq!(parse(text.as_bytes()).unwrap().to_string(), "2024-02-29T00:00:00.000Z", "{text}");
        }
    }

    #[test]
    fn dates_alone_and_impossible_times_are_refused() {
        for text in ["", "2024-01-01", "2024-01-01T00:00:00", "2023-02-29T00:00:00Z", "2024-13-01T00:00:00Z"]
        {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
        for text in
            ["2024-01-01T24:00:00Z", "2024-01-01T00:60:00Z", "2024-01-0/T00:00:00Z", "+024-01-01T00:00:00Z"]
        {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_short_way_reads_what_the_long_one_does(seconds in -62_135_596_800_i64..253_402_300_800) {
            let time = Timestamp::from_millis(seconds * MS_PER_SECOND).unwrap();
            let text = time.to_string().replace(".000Z", "Z");
            prop_assert_eq!(parse(text.as_bytes()), Some(time));
            if let Some(short) = usual(text.as_bytes()) {
                prop_assert_eq!(short, time);
            }
        }
    }
}
