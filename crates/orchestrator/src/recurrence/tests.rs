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

/// The clocks of these zones are set at midnight, by half an hour, in the southern summer, or at two.
const ZONES: [&str; 6] = [
    "America/New_York",
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "Africa/Cairo",
    "America/Havana",
    "Asia/Tokyo",
];

#[test]
fn a_daily_due_time_comes_once_on_each_day_wherever_the_clocks_are_set() {
    for zone in ZONES {
        let clocks: chrono_tz::Tz = zone.parse().unwrap();
        let date = |time: Timestamp| {
            let utc = chrono::DateTime::from_timestamp_millis(time.as_millis()).unwrap();
            utc.with_timezone(&clocks).date_naive()
        };
        for half_hour in 0..48 {
            let recurrence: Recurrence =
                format!("cron {} {} * * * {zone}", half_hour % 2 * 30, half_hour / 2).parse().unwrap();
            let mut time = at("2024-02-28T12:00:00Z");
            for _ in 0..300 {
                let next = recurrence.next_after(time, time).unwrap();
                let expected = date(time).succ_opt().unwrap();
                // The first may still come on the day from which it is asked.
                let is_first = time == at("2024-02-28T12:00:00Z");
                assert!(date(next) == expected || is_first, "{recurrence}: {time} then {next}");
                time = next;
            }
        }
    }
}

#[test]
fn a_restart_in_the_hour_that_comes_twice_does_not_fire_again() {
    // New York, 2024-11-03: 05:30Z is 01:30 for the first time, 06:30Z for the second.
    let recurrence: Recurrence = "cron 30 1 * * * America/New_York".parse().unwrap();
    for minute in 0..120 {
        let asked = at("2024-11-03T05:30:00Z").plus_millis(minute * 60_000);
        assert_eq!(recurrence.next_after(asked, asked), Some(at("2024-11-04T06:30:00Z")), "{asked}");
    }
}

#[test]
fn every_minute_goes_through_the_setting_of_the_clocks() {
    let recurrence: Recurrence = "cron * * * * * America/New_York".parse().unwrap();
    for from in ["2024-03-10T05:00:00Z", "2024-11-03T04:00:00Z"] {
        let mut time = at(from);
        for _ in 0..240 {
            let next = recurrence.next_after(time, time).unwrap();
            assert_eq!(next.millis_since(time), 60_000, "{next}");
            time = next;
        }
    }
}

#[test]
fn a_span_of_due_times_is_counted_up_to_a_bound() {
    let (first, until) = (at("2024-01-01"), at("2124-01-01"));
    let minutely: Recurrence = "every 1m".parse().unwrap();
    let span = minutely.span(first, first, until);
    assert_eq!((span.count, span.is_exact, span.last), (36_524 * 1_440 + 1, true, until));
    assert_eq!(span.next, Some(until.plus_millis(60_000)));
    let minutely: Recurrence = "cron * * * * * UTC".parse().unwrap();
    let span = minutely.span(first, first, until);
    assert_eq!((span.count, span.is_exact, span.last), (MAX_COUNTED, false, until));
    assert_eq!(span.next, Some(until.plus_millis(60_000)));
    let weekly: Recurrence = "cron * 3-4 * * 1 UTC".parse().unwrap();
    let span = weekly.span(first, first, until.plus_millis(-1));
    assert_eq!(
        (span.is_exact, span.last, span.next),
        (false, at("2123-12-27T04:59:00Z"), Some(at("2124-01-03T03:00:00Z")))
    );
    let yearly = Recurrence::every_minutes(MAX_INTERVAL_MINUTES).unwrap();
    let (late, end) = (at("9999-06-01"), Timestamp::EPOCH.plus_millis(i64::MAX));
    let span = yearly.span(late, late, end);
    assert_eq!((span.count, span.last, span.next), (1, late, None));
}

#[test]
fn an_anchor_that_is_moved_back_keeps_the_due_times() {
    let recurrence: Recurrence = "every 6h".parse().unwrap();
    let anchor = at("2030-01-01T01:23:45Z");
    for now in ["2024-05-05T19:23:44Z", "2024-05-05T19:23:45Z", "2024-05-06T01:23:44.999Z"] {
        let moved = recurrence.anchor_before(anchor, at(now));
        assert!(moved <= at(now) && at(now).millis_since(moved) < 6 * 3_600_000, "{moved}");
        assert_eq!(anchor.millis_since(moved) % (6 * 3_600_000), 0);
    }
    assert_eq!(recurrence.anchor_before(anchor, anchor), anchor);
    assert_eq!(recurrence.anchor_before(anchor, at("2031-01-01")), anchor);
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

    /// A span is what one gets by asking for one due time after the other.
    #[test]
    fn a_span_is_its_due_times(
        which in 0usize..5,
        from_ms in 1_704_067_200_000i64..1_735_689_600_000,
        length_ms in 0i64..100_000_000,
    ) {
        let texts = [
            "every 7m", "every 6h", "cron 30 2 * * * America/New_York", "cron */20 1-2 * * * Europe/Berlin",
            "cron 0 * * * * America/New_York",
        ];
        let recurrence: Recurrence = texts[which].parse().unwrap();
        let anchor = at("2024-01-01");
        let first = recurrence.next_after(anchor, Timestamp::from_millis(from_ms).unwrap()).unwrap();
        let until = first.plus_millis(length_ms);
        let (mut count, mut last) = (1, first);
        while let Some(next) = recurrence.next_after(anchor, last).filter(|next| *next <= until) {
            (count, last) = (count + 1, next);
        }
        let next = recurrence.next_after(anchor, last);
        prop_assert_eq!(recurrence.span(anchor, first, until), Span { count, is_exact: true, last, next });
    }
}

#[test]
fn the_longest_gap_is_that_of_the_weekend() {
    let gap = |recurrence: &str, from: &str| {
        let recurrence: Recurrence = recurrence.parse().unwrap();
        recurrence.longest_gap(at(from), 64).map(|gap| gap.as_secs_f64() / 3_600.0)
    };
    assert_eq!(gap("every 6h", "2024-07-05"), Some(6.0));
    assert_eq!(gap("cron 0 */4 * * * UTC", "2024-07-05"), Some(4.0));
    assert_eq!(gap("cron 30 9 * * 1-5 UTC", "2024-07-02"), Some(72.0));
    // The clocks are set back in the night to 27 October 2024.
    assert_eq!(gap("cron 0 12 * * * Europe/Berlin", "2024-10-01"), Some(25.0));
    assert_eq!(gap("cron 0 12 * * * UTC", "9999-12-30T13:00:00Z"), None);
}
