//! Times as a person reads them, in UTC.

use chrono::{DateTime, Utc};
use walkforward_core::{Timestamp, Window};

/// `time` as chrono has it.
pub(crate) fn utc(time: Timestamp) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(time.as_millis()).unwrap_or_default()
}

/// `14 Mar 2024, 13:00`.
pub(crate) fn minute(time: Timestamp) -> String {
    utc(time).format("%-d %b %Y, %H:%M").to_string()
}

/// `14 Mar 2024`.
pub(crate) fn day(time: Timestamp) -> String {
    utc(time).format("%-d %b %Y").to_string()
}

/// A span, with hours where they matter: `1 Mar 2024 to 15 Mar 2024`.
pub(crate) fn span(window: Window) -> String {
    const DAY_MS: i64 = 86_400_000;
    let is_midnight = |time: Timestamp| time.as_millis() % DAY_MS == 0;
    let write = if is_midnight(window.start()) && is_midnight(window.end()) { day } else { minute };
    format!("{} to {}", write(window.start()), write(window.end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_has_hours_only_where_they_matter() {
        let window = |from: &str, to: &str| Window::new(from.parse().unwrap(), to.parse().unwrap()).unwrap();
        assert_eq!(span(window("2024-03-01", "2024-03-15")), "1 Mar 2024 to 15 Mar 2024");
        assert_eq!(
            span(window("2024-03-01T01:00:00Z", "2024-03-02")),
            "1 Mar 2024, 01:00 to 2 Mar 2024, 00:00"
        );
    }
}
