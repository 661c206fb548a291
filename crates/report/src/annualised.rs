//! What a yearly figure was made of: a year's worth of two weeks is no year.

use walkforward_core::Window;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;
/// From here on a yearly figure needs no word about what it was made of.
const YEAR_MS: i64 = 365 * DAY_MS;
/// Units that a length is counted in, largest first: milliseconds, one, many.
const UNITS: [(i64, &str, &str); 3] =
    [(DAY_MS, "day", "days"), (HOUR_MS, "hour", "hours"), (MINUTE_MS, "minute", "minutes")];

/// How a yearly figure over `span` is called: `annualised`, and below a year also what it was made of
/// (`annualised from 14 days`).
pub fn annualised(span: Option<Window>) -> String {
    let short = span.map(|span| span.end().millis_since(span.start())).filter(|length| *length < YEAR_MS);
    match short {
        Some(length) => format!("annualised from {}", length_in_words(length)),
        None => "annualised".to_owned(),
    }
}

/// Growth of the account for each of `bars` bars in basis points: the one that would compound to `total_return`. A sum
/// of money says less, for a longer span compounds more. `None` when everything was lost.
pub fn growth_bps(total_return: f64, bars: f64) -> Option<f64> {
    let growth = total_return.ln_1p() / bars;
    growth.is_finite().then_some(10_000.0 * growth)
}

/// A length of `millis` milliseconds in the largest unit of which there are two, rounded to whole ones: `14 days`,
/// `36 hours`; below two minutes in minutes.
pub fn length_in_words(millis: i64) -> String {
    let has_two = |(unit, _, _): &&(i64, &str, &str)| millis >= 2 * unit;
    let (unit, one, many) = UNITS.iter().find(has_two).unwrap_or(&UNITS[UNITS.len() - 1]);
    let count = (millis.max(0) as f64 / *unit as f64).round() as u64;
    format!("{} {}", crate::numbers::whole(count), if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_below_a_year_is_said() {
        let window = |end: &str| Window::new("2023-01-01".parse().unwrap(), end.parse().unwrap()).ok();
        assert_eq!(annualised(window("2023-01-15")), "annualised from 14 days");
        assert_eq!(annualised(window("2023-12-31")), "annualised from 364 days");
        assert_eq!(annualised(window("2024-01-01")), "annualised");
        assert_eq!(annualised(None), "annualised");
    }

    #[test]
    fn growth_does_not_depend_on_how_long_it_compounded() {
        let growth = |bars: i32| growth_bps(1.001_f64.powi(bars) - 1.0, f64::from(bars)).unwrap();
        assert!((growth(10) - 9.995_003).abs() < 1e-6 && (growth(1_000) - 9.995_003).abs() < 1e-6);
        assert_eq!([growth_bps(-1.0, 5.0), growth_bps(0.0, 0.0), growth_bps(-2.0, 5.0)], [None; 3]);
    }

    #[test]
    fn a_length_has_the_largest_unit_of_which_there_are_two() {
        let written = [0, MINUTE_MS, 119 * MINUTE_MS, 2 * HOUR_MS, 47 * HOUR_MS, 2 * DAY_MS, 4_000 * DAY_MS];
        let expected =
            ["0 minutes", "1 minute", "119 minutes", "2 hours", "47 hours", "2 days", "4,000 days"];
        assert_eq!(written.map(length_in_words), expected);
    }
}
