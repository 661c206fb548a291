//! Which lengths of bars are asked for, and which are made of shorter ones.

use walkforward_core::Timeframe;

use crate::Market;

const HOUR: u32 = 60;
const DAY: u32 = 24 * HOUR;

/// Minutes of the bars that are asked for directly, longest first. They divide the day, so it does not matter from
/// where the service counts; the service itself would give any number up to 59 minutes or 23 hours.
const CRYPTO: [u32; 19] = [
    DAY,
    12 * HOUR,
    8 * HOUR,
    6 * HOUR,
    4 * HOUR,
    3 * HOUR,
    2 * HOUR,
    HOUR,
    30,
    20,
    15,
    12,
    10,
    6,
    5,
    4,
    3,
    2,
    1,
];
/// Those of stocks. Sessions begin and end on half hours, so a bar of at most half an hour that divides it never
/// mixes trades of a session with those before or after it, as the service's own hours do.
const STOCKS: [u32; 9] = [DAY, 30, 15, 10, 6, 5, 3, 2, 1];

/// The longest bars that can be asked for and that bars of `timeframe` can be made of: `timeframe` itself where the
/// service has it.
pub(crate) fn base(market: Market, timeframe: Timeframe) -> Timeframe {
    let lengths: &[u32] = match market {
        Market::Crypto => &CRYPTO,
        Market::Stocks => &STOCKS,
    };
    let fits = lengths.iter().find(|&&minutes| timeframe.minutes().is_multiple_of(minutes));
    fits.and_then(|&minutes| Timeframe::from_minutes(minutes)).unwrap_or(Timeframe::MINUTE)
}

/// The service's name of bars of this length: `5Min`, `4Hour`, `1Day`; none for lengths that it doesn't have.
pub(crate) fn name(timeframe: Timeframe) -> Option<String> {
    match timeframe.minutes() {
        minutes @ 1..HOUR => Some(format!("{minutes}Min")),
        minutes @ HOUR..DAY if minutes % HOUR == 0 => Some(format!("{}Hour", minutes / HOUR)),
        DAY => Some("1Day".to_owned()),
        minutes if minutes == 7 * DAY => Some("1Week".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(market: Market, timeframe: &str, expected: &str) {
        let base = base(market, timeframe.parse().unwrap());
        assert_eq!(name(base).as_deref(), Some(expected), "{timeframe}");
    }

    #[test]
    fn lengths_that_divide_the_day_are_asked_for_directly() {
        for (timeframe, expected) in
            [("1m", "1Min"), ("15m", "15Min"), ("1h", "1Hour"), ("4h", "4Hour"), ("1d", "1Day")]
        {
            check(Market::Crypto, timeframe, expected);
        }
    }

    #[test]
    fn others_are_made_of_the_longest_that_fits() {
        for (timeframe, expected) in
            [("7m", "1Min"), ("45m", "15Min"), ("90m", "30Min"), ("5h", "1Hour"), ("1w", "1Day")]
        {
            check(Market::Crypto, timeframe, expected);
        }
    }

    #[test]
    fn bars_of_stocks_never_reach_over_the_edge_of_a_session() {
        for (timeframe, expected) in
            [("1h", "30Min"), ("4h", "30Min"), ("20m", "10Min"), ("1d", "1Day"), ("1w", "1Day")]
        {
            check(Market::Stocks, timeframe, expected);
        }
    }

    #[test]
    fn a_length_that_the_service_does_not_have_has_no_name() {
        assert_eq!(name("90m".parse().unwrap()), None);
        assert_eq!(name("2d".parse().unwrap()), None);
        assert_eq!(name("1w".parse().unwrap()).as_deref(), Some("1Week"));
    }
}
