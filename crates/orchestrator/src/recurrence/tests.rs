use proptest::prelude::*;

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The first due times after `from`, in UTC to the minute.
fn check(recurrence: &str, from: &str, expected: &[&str]) {
    let recurrence: Recurrence = recurrence.parse().unwrap();
    let mut time = at(from);
    for expected in expected {
        time = recurrence.next_after(at("2024-01-01"), time).unwrap();
        assert_eq!(time, at(expected), "{recurrence}");
    }
}

#[test]
fn intervals_count_from_the_anchor() {
    check("every 6h", "2024-01-01T05:59:59Z", &["2024-01-01T06:00:00Z", "2024-01-01T12:00:00Z"]);
    check("every 90m", "2024-01-01T00:00:00Z", &["2024-01-01T01:30:00Z", "2024-01-01T03:00:00Z"]);
    check("every 6h", "2023-05-05T00:00:00Z", &["2024-01-01T00:00:00Z", "2024-01-01T06:00:00Z"]);
}

#[test]
fn an_interval_ends_with_the_calendar() {
    let yearly = Recurrence::every_minutes(MAX_INTERVAL_MINUTES).unwrap();
    assert_eq!(yearly.next_after(at("2024-01-01"), at("9999-12-01")), None);
}

#[test]
fn cron_follows_the_clocks_of_its_zone() {
    check(
        "cron 30 9 * * 1-5 America/New_York",
        "2024-07-05T00:00:00Z",
        &["2024-07-05T13:30:00Z", "2024-07-08T13:30:00Z"],
    );
    check("cron 30 9 * * 1-5", "2024-07-05T09:29:59.999Z", &["2024-07-05T09:30:00Z"]);
    check("cron 30 9 * * *", "2024-07-05T09:30:00.500Z", &["2024-07-06T09:30:00Z"]);
    check("cron 0 0 29 2 *", "2024-03-01T00:00:00Z", &["2028-02-29T00:00:00Z"]);
}

#[test]
fn a_due_time_that_the_clocks_skip_comes_once_when_the_skipped_hour_is_over() {
    // New York, 2024-03-10: 01:59:59 EST (06:59:59Z) is followed by 03:00:00 EDT (07:00:00Z).
    for minute_and_hour in ["30 2", "0 2", "59 2", "30 2,14", "*/15 2"] {
        check(
            &format!("cron {minute_and_hour} * * * America/New_York"),
            "2024-03-10T06:00:00Z",
            &["2024-03-10T07:00:00Z"],
        );
    }
    check(
        "cron 30 2 * * * America/New_York",
        "2024-03-09T06:00:00Z",
        &["2024-03-09T07:30:00Z", "2024-03-10T07:00:00Z", "2024-03-11T06:30:00Z"],
    );
    check(
        "cron 0,30 2-3 * * * America/New_York",
        "2024-03-10T06:59:59Z",
        &["2024-03-10T07:00:00Z", "2024-03-10T07:30:00Z", "2024-03-11T06:00:00Z"],
    );
}

#[test]
fn a_due_time_that_the_clocks_show_twice_comes_once() {
    // New York, 2024-11-03: 01:00 to 02:00 comes first as EDT (05:00Z), then as EST (06:00Z).
    check(
        "cron 30 1 * * * America/New_York",
        "2024-11-02T12:00:00Z",
        &["2024-11-03T05:30:00Z", "2024-11-04T06:30:00Z"],
    );
    check(
        "cron 30 1,2 * * * America/New_York",
        "2024-11-03T05:45:00Z",
        &["2024-11-03T07:30:00Z", "2024-11-04T06:30:00Z"],
    );
    check("cron */20 1 * * * America/New_York", "2024-11-03T06:15:00Z", &["2024-11-04T06:00:00Z"]);
}

#[test]
fn every_hour_is_every_hour_that_passes() {
    check(
        "cron 0 * * * * America/New_York",
        "2024-11-03T04:30:00Z",
        &["2024-11-03T05:00:00Z", "2024-11-03T06:00:00Z", "2024-11-03T07:00:00Z"],
    );
    check(
        "cron 0 * * * * America/New_York",
        "2024-03-10T06:30:00Z",
        &["2024-03-10T07:00:00Z", "2024-03-10T08:00:00Z"],
    );
}

#[test]
fn a_midnight_that_the_clocks_skip_is_not_lost() {
    // Cairo, 2024-04-26: 00:00 becomes 01:00 (2024-04-25T22:00Z).
    check(
        "cron 0 0 * * * Africa/Cairo",
        "2024-04-25T12:00:00Z",
        &["2024-04-25T22:00:00Z", "2024-04-26T21:00:00Z"],
    );
}

#[test]
fn a_recurrence_reads_back_as_it_is_written() {
    for text in
        ["every 6h", "every 90m", "every 0.02m", "cron 30 2 * * 1-5 America/New_York", "cron * * * * * UTC"]
    {
        let recurrence: Recurrence = text.parse().unwrap();
        assert_eq!(recurrence.to_string(), text);
        let json = serde_json::to_string(&recurrence).unwrap();
        assert_eq!(serde_json::from_str::<Recurrence>(&json).unwrap(), recurrence);
    }
    assert_eq!("cron  0 6 * * *".parse::<Recurrence>().unwrap().to_string(), "cron 0 6 * * * UTC");
    assert_eq!(Recurrence::every_hours(6.0).unwrap(), "every 360m".parse().unwrap());
}

#[test]
fn what_says_no_due_times_is_refused_by_name() {
    let refused = |text: &str, part: &str| {
        let error = text.parse::<Recurrence>().unwrap_err().to_string();
        assert!(error.contains(part), "{text}: {error}");
    };
    for text in ["", "6h", "every", "every 6", "every h", "every six hours", "daily", &"x".repeat(1000)] {
        refused(text, "is not a recurrence: expected");
    }
    for text in ["every 0m", "every -1h", "every NaNm", "every infm", "every 0.001m", "every 9000h"] {
        refused(text, "the interval is ");
    }
    refused(
        "cron 61 * * * *",
        "'61 * * * *' can't be used: its minute '61' is refused (Number out of bounds);",
    );
    refused("cron 0 0 30 2 *", "'0 0 30 2 *' can't be used: no date ever fits it;");
    refused(
        "cron a b c d e",
        "'a b c d e' can't be used: its minute 'a' is refused (CronPattern contains illegal character",
    );
    refused("cron 0 6 * *", "'0 6 * *' can't be used: it has 4 fields; expected five fields: minute");
    refused("cron 0 6 * * * 2024 UTC", "it has 7 fields");
    refused("cron @daily", "it has 1 fields");
    refused("cron 0 6 * * * Mars/Olympus", "'Mars/Olympus' is not a time zone");
}

#[test]
fn impossible_intervals_are_refused() {
    for minutes in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e9, 0.000_01] {
        assert!(Recurrence::every_minutes(minutes).is_err(), "{minutes}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Asking from anywhere between two due times gives the later one: no due time depends on when it was asked for.
    #[test]
    fn the_next_due_time_does_not_depend_on_when_it_is_asked_for(
        which in 0usize..6,
        from_ms in 1_704_067_200_000i64..1_735_689_600_000,
        shares in proptest::collection::vec(0.0f64..1.0, 8),
    ) {
        let texts = [
            "every 7m", "every 6h", "cron 30 2 * * * America/New_York", "cron */20 1-2 * * * Europe/Berlin",
            "cron 0 * * * * America/New_York", "cron 15 0,1,2,3 * 3,11 0 America/New_York",
        ];
        let recurrence: Recurrence = texts[which].parse().unwrap();
        let anchor = at("2024-01-01");
        let mut time = Timestamp::from_millis(from_ms).unwrap();
        for share in shares {
            let next = recurrence.next_after(anchor, time).unwrap();
            prop_assert!(next > time);
            let between_ms = (next.millis_since(time) as f64 * share) as i64;
            let asked_later = time.plus_millis(between_ms.min(next.millis_since(time) - 1));
            prop_assert_eq!(recurrence.next_after(anchor, asked_later), Some(next));
            time = next;
        }
    }
}
