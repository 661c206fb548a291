//! What came from the service, as the quality report tells it.

use walkforward_core::{AbsentMeans, BarSeries, MarketCalendar, QualityFigures, Window};

use crate::FetchFigures;

/// Figures about all bars that came: what came twice or out of order, what was left out, and which expected bars are
/// not there between the first and the last.
pub(super) fn received(
    bars: &BarSeries,
    fetched: &FetchFigures,
    calendar: &MarketCalendar,
    absent: AbsentMeans,
) -> QualityFigures {
    let (absent_bars, longest_hole_bars) = holes(bars, calendar);
    let (missing_bars, no_trade_bars) = match absent {
        AbsentMeans::Missing => (absent_bars, 0),
        AbsentMeans::NoTrade => (0, absent_bars),
    };
    let twice = fetched.duplicates + fetched.conflicts;
    QualityFigures {
        rows: bars.len() + twice,
        first_open_time: bars.first_open_time(),
        last_open_time: bars.open_times().last().copied(),
        duplicates: twice,
        missing_bars,
        longest_hole_bars: if missing_bars == 0 { 0 } else { longest_hole_bars },
        no_trade_bars,
        present_bars: bars.len(),
        zero_volume_bars: bars.volumes().iter().filter(|&&volume| volume == 0.0).count(),
        flat_bars: bars.highs().iter().zip(bars.lows()).filter(|(high, low)| high == low).count(),
        out_of_order_rows: fetched.out_of_order,
        unfinished_dropped: fetched.after_end,
        ..QualityFigures::default()
    }
}

/// Expected bars between first and last that are not there: how many, and how many in a row.
fn holes(bars: &BarSeries, calendar: &MarketCalendar) -> (usize, usize) {
    let (Some(first), Some(end)) = (bars.first_open_time(), bars.last_close_time()) else { return (0, 0) };
    let Ok(window) = Window::new(first, end) else { return (0, 0) };
    let (mut all, mut run, mut longest) = (0, 0, 0_usize);
    let mut given = bars.open_times().iter().copied().peekable();
    for expected in calendar.expected(window, bars.timeframe()) {
        while given.next_if(|&time| time < expected).is_some() {}
        if given.next_if_eq(&expected).is_some() {
            run = 0;
        } else {
            run += 1;
            all += 1;
            longest = longest.max(run);
        }
    }
    (all, longest)
}

#[cfg(test)]
mod tests {
    use walkforward_core::{Bar, SessionCalendar, Timeframe, Timestamp};

    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::EPOCH.plus_millis(minute * 60_000)
    }

    #[test]
    fn closed_hours_are_no_holes() {
        let mut bars = BarSeries::new(Timeframe::MINUTE);
        for minute in [0, 3, 4, 100, 102] {
            bars.push(Bar::flat(at(minute), 1.0).unwrap()).unwrap();
        }
        assert_eq!(holes(&bars, &MarketCalendar::Continuous), (98, 95));
        let sessions = [(0, 5), (100, 105)].map(|(open, close)| Window::new(at(open), at(close)).unwrap());
        let calendar = MarketCalendar::Sessions(SessionCalendar::new(sessions.to_vec()).unwrap());
        assert_eq!(holes(&bars, &calendar), (3, 2));
        let figures = received(&bars, &FetchFigures::default(), &calendar, AbsentMeans::NoTrade);
        assert_eq!((figures.missing_bars, figures.no_trade_bars, figures.flat_bars), (0, 3, 5));
    }
}
