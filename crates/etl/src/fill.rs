//! The window of a run, cut from a series and completed to the bars that the calendar expects.

use walkforward_core::{
    AbsentMeans, Bar, BarSeries, GapKind, MarketCalendar, QualityFigures, SeriesError, SourceBars, Timestamp,
    Window,
};

use crate::figures::figures_of;

/// History and window without holes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Filled {
    /// Every expected bar: `history_bars` rows, then the window's.
    pub(crate) bars: BarSeries,
    /// What each bar is, `[bars.len()]`.
    pub(crate) gap_kinds: Vec<GapKind>,
    /// Rows before the window.
    pub(crate) history_bars: usize,
}

/// Which bars are expected and what those are that the source does not have.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FillRule<'a> {
    pub(crate) calendar: &'a MarketCalendar,
    pub(crate) absent: AbsentMeans,
    /// Starts of the bars that the source has changed, ascending.
    pub(crate) revised: &'a [Timestamp],
    pub(crate) max_no_trade_run_bars: usize,
}

/// Expected bars from the first bar of `series` to its last.
pub(crate) fn available_bars(series: &BarSeries, calendar: &MarketCalendar) -> u64 {
    let (Some(first), Some(end)) = (series.first_open_time(), series.last_close_time()) else { return 0 };
    Window::new(first, end).map_or(0, |window| calendar.expected_count(window, series.timeframe()) as u64)
}

/// The last `window_bars` expected bars and up to `history_bars` before them. A hole is filled with flat bars of the
/// close before it, without volume: nothing of the future enters. `None` when there are fewer than the window has.
pub(crate) fn fill(
    series: &BarSeries,
    window_bars: usize,
    history_bars: usize,
    rule: &FillRule<'_>,
) -> Result<Option<Filled>, SeriesError> {
    let Some(end) = series.last_close_time() else { return Ok(None) };
    let timeframe = series.timeframe();
    let available = usize::try_from(available_bars(series, rule.calendar)).unwrap_or(usize::MAX);
    let Some(before_window) = available.checked_sub(window_bars) else { return Ok(None) };
    let history_bars = history_bars.min(before_window);
    let rows = window_bars + history_bars;
    let start = rule.calendar.bars_before(end, rows, timeframe);
    let Some(window) = start.and_then(|start| Window::new(start, end).ok()) else { return Ok(None) };
    let mut bars = BarSeries::with_capacity(timeframe, rows);
    let mut is_given = Vec::with_capacity(rows);
    let mut next = series.index_at_or_after(window.start());
    for open_time in rule.calendar.expected(window, timeframe) {
        let given = series.open_times().get(next) == Some(&open_time);
        next += usize::from(given);
        // The window begins at or after the first bar, so an absent bar has one before it.
        let close_before = || next.checked_sub(1).map_or(f64::NAN, |before| series.closes()[before]);
        bars.push(if given { series.bar(next - 1) } else { Bar::flat(open_time, close_before())? })?;
        is_given.push(given);
    }
    let gap_kinds = gap_kinds(&bars, &is_given, rule);
    Ok(Some(Filled { bars, gap_kinds, history_bars }))
}

/// What each bar is, told by runs: an absent bar is what the whole run is that it stands in.
fn gap_kinds(bars: &BarSeries, is_given: &[bool], rule: &FillRule<'_>) -> Vec<GapKind> {
    let mut kinds = Vec::with_capacity(is_given.len());
    for run in is_given.chunk_by(|one, next| one == next) {
        if run.first() == Some(&true) {
            let starts = &bars.open_times()[kinds.len()..kinds.len() + run.len()];
            let is_revised = |start| rule.revised.binary_search(start).is_ok();
            kinds.extend(starts.iter().map(|start| match is_revised(start) {
                true => GapKind::Revised,
                false => GapKind::Present,
            }));
            continue;
        }
        let is_quiet = rule.absent == AbsentMeans::NoTrade && run.len() <= rule.max_no_trade_run_bars;
        let kind = if is_quiet { GapKind::NoTrade } else { GapKind::Missing };
        kinds.extend(run.iter().map(|_| kind));
    }
    kinds
}

/// Figures about the bars of `answer` in a window whose expected bars are `gap_kinds`, and about the shorter bars that
/// they were made of.
pub(crate) fn window_figures(
    answer: &SourceBars,
    window: Window,
    gap_kinds: &[GapKind],
    calendar: &MarketCalendar,
) -> QualityFigures {
    let given = answer.bars.within(window);
    let count = |wanted| gap_kinds.iter().filter(|&&kind| kind == wanted).count();
    let holes = gap_kinds.split(|kind| *kind != GapKind::Missing);
    let figures = QualityFigures {
        missing_bars: count(GapKind::Missing),
        longest_hole_bars: holes.map(<[GapKind]>::len).max().unwrap_or(0),
        no_trade_bars: count(GapKind::NoTrade),
        revised_bars: count(GapKind::Revised),
        present_bars: count(GapKind::Present),
        ..figures_of(&given)
    };
    let Some(base) = &answer.base else { return figures };
    let expected_base_bars = calendar.expected_count(window, base.timeframe);
    let missing = match answer.absent {
        AbsentMeans::Missing => expected_base_bars.saturating_sub(base.present_within(window)),
        AbsentMeans::NoTrade => 0,
    };
    QualityFigures {
        base_bars_per_bar: (given.timeframe().minutes() / base.timeframe.minutes()) as usize,
        missing_base_bars: missing,
        expected_base_bars,
        ..figures
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use walkforward_core::{SessionCalendar, Timeframe};

    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::EPOCH.plus_millis(minute * 60_000)
    }

    fn series(minutes: &[i64]) -> BarSeries {
        let mut series = BarSeries::new(Timeframe::MINUTE);
        for &minute in minutes {
            let price = 10.0 + minute as f64;
            series
                .push(Bar::new(at(minute), price, price + 1.0, price - 1.0, price + 0.5, 1.0).unwrap())
                .unwrap();
        }
        series
    }

    const CONTINUOUS: FillRule<'_> = FillRule {
        calendar: &MarketCalendar::Continuous,
        absent: AbsentMeans::Missing,
        revised: &[],
        max_no_trade_run_bars: 2,
    };

    #[test]
    fn a_hole_is_filled_with_the_close_before_it() {
        let filled = fill(&series(&[0, 1, 4]), 4, 9, &CONTINUOUS).unwrap().unwrap();
        assert_eq!(filled.history_bars, 1);
        assert_eq!(filled.bars.bar(2), Bar::flat(at(2), 11.5).unwrap());
        assert_eq!(filled.bars.bar(3), Bar::flat(at(3), 11.5).unwrap());
        let kinds =
            [GapKind::Present, GapKind::Present, GapKind::Missing, GapKind::Missing, GapKind::Present];
        assert_eq!(filled.gap_kinds, kinds);
    }

    #[test]
    fn a_grid_that_begins_in_a_hole_is_filled_from_before() {
        let filled = fill(&series(&[0, 3]), 2, 0, &CONTINUOUS).unwrap().unwrap();
        assert_eq!(filled.bars.bar(0), Bar::flat(at(2), 10.5).unwrap());
        let window = Window::new(at(2), at(4)).unwrap();
        let figures = window_figures(
            &SourceBars::new(series(&[0, 3]), at(4), "test"),
            window,
            &filled.gap_kinds,
            &MarketCalendar::Continuous,
        );
        assert_eq!((figures.rows, figures.missing_bars, figures.longest_hole_bars), (1, 1, 1));
    }

    #[test]
    fn a_window_longer_than_the_grid_is_no_window() {
        assert_eq!(fill(&series(&[0, 3]), 5, 0, &CONTINUOUS).unwrap(), None);
        assert_eq!(fill(&series(&[]), 1, 0, &CONTINUOUS).unwrap(), None);
    }

    #[test]
    fn a_short_run_without_trades_is_known_and_a_long_one_is_missing() {
        let rule = FillRule { absent: AbsentMeans::NoTrade, ..CONTINUOUS };
        let kinds = fill(&series(&[0, 3, 7]), 8, 0, &rule).unwrap().unwrap().gap_kinds;
        let (given, quiet, missing) = (GapKind::Present, GapKind::NoTrade, GapKind::Missing);
        assert_eq!(kinds, [given, quiet, quiet, given, missing, missing, missing, given]);
    }

    #[test]
    fn a_bar_that_the_source_has_changed_is_revised() {
        let rule = FillRule { revised: &[at(1)], ..CONTINUOUS };
        let kinds = fill(&series(&[0, 1, 2]), 3, 0, &rule).unwrap().unwrap().gap_kinds;
        assert_eq!(kinds, [GapKind::Present, GapKind::Revised, GapKind::Present]);
    }

    #[test]
    fn a_closed_market_is_no_hole() {
        let session = |from, to| Window::new(at(from), at(to)).unwrap();
        let sessions = SessionCalendar::new(vec![session(0, 3), session(10, 13)]).unwrap();
        let rule = FillRule { calendar: &MarketCalendar::Sessions(sessions), ..CONTINUOUS };
        let filled = fill(&series(&[0, 2, 10, 11]), 3, 9, &rule).unwrap().unwrap();
        assert_eq!(filled.bars.open_times(), [at(0), at(1), at(2), at(10), at(11)]);
        assert_eq!((filled.history_bars, filled.gap_kinds[1]), (2, GapKind::Missing));
    }

    proptest! {
        #[test]
        fn a_filled_grid_has_every_bar_once_and_nothing_of_the_future(
            minutes in proptest::collection::btree_set(0_i64..60, 2..30),
            window_bars in 1_usize..40,
            history in 0_usize..40,
        ) {
            let minutes: Vec<i64> = minutes.into_iter().collect();
            let series = series(&minutes);
            let Some(filled) = fill(&series, window_bars, history, &CONTINUOUS).unwrap() else {
                prop_assert!((available_bars(&series, &MarketCalendar::Continuous) as usize) < window_bars);
                return Ok(());
            };
            prop_assert_eq!(filled.bars.len(), window_bars + filled.history_bars);
            prop_assert_eq!(filled.bars.last_close_time(), series.last_close_time());
            prop_assert!(filled.bars.open_times().windows(2).all(|pair| pair[1].millis_since(pair[0]) == 60_000));
            for (bar, kind) in filled.bars.iter().zip(&filled.gap_kinds) {
                let past = series.iter().take_while(|past| past.open_time() <= bar.open_time()).last().unwrap();
                let expected = match kind {
                    GapKind::Present => past,
                    _ => Bar::flat(bar.open_time(), past.close()).unwrap(),
                };
                prop_assert_eq!(bar, expected);
            }
        }
    }
}
