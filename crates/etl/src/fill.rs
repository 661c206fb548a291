//! The window of a run, cut from a series and completed to a grid without holes.

use walkforward_core::{Bar, BarSeries, BaseBars, GapKind, QualityFigures, SeriesError, Timestamp, Window};

use crate::figures::figures_of;

/// History and window on a grid without holes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Filled {
    /// Every bar of the grid: `history_bars` rows, then the window's.
    pub(crate) bars: BarSeries,
    /// What each bar is, `[bars.len()]`.
    pub(crate) gap_kinds: Vec<GapKind>,
    /// Rows before the window.
    pub(crate) history_bars: usize,
}

/// Bars of the grid from the first bar of `series` to its last.
pub(crate) fn grid_bars(series: &BarSeries) -> u64 {
    match (series.first_open_time(), series.last_close_time()) {
        (Some(first), Some(end)) => {
            end.millis_since(first).unsigned_abs() / series.timeframe().millis().unsigned_abs()
        }
        _ => 0,
    }
}

/// The last `window_bars` bars of the grid and up to `history_bars` before them. A hole is filled with flat bars of
/// the close before it, without volume: nothing of the future enters. `None` when the grid is shorter than the
/// window.
pub(crate) fn fill(
    series: &BarSeries,
    window_bars: usize,
    history_bars: usize,
) -> Result<Option<Filled>, SeriesError> {
    let Some(end) = series.last_close_time() else { return Ok(None) };
    let available = usize::try_from(grid_bars(series)).unwrap_or(usize::MAX);
    let Some(before_window) = available.checked_sub(window_bars) else { return Ok(None) };
    let history_bars = history_bars.min(before_window);
    let rows = window_bars + history_bars;
    let step_ms = series.timeframe().millis();
    let start = end.plus_millis(-step_ms.saturating_mul(i64::try_from(rows).unwrap_or(i64::MAX)));
    let mut bars = BarSeries::with_capacity(series.timeframe(), rows);
    let mut gap_kinds = Vec::with_capacity(rows);
    let mut next = series.index_at_or_after(start);
    let mut open_time = start;
    while open_time < end {
        let (bar, kind) = bar_at(series, &mut next, open_time)?;
        bars.push(bar)?;
        gap_kinds.push(kind);
        open_time = open_time.plus_millis(step_ms);
    }
    Ok(Some(Filled { bars, gap_kinds, history_bars }))
}

fn bar_at(series: &BarSeries, next: &mut usize, open_time: Timestamp) -> Result<(Bar, GapKind), SeriesError> {
    if series.open_times().get(*next) == Some(&open_time) {
        *next += 1;
        return Ok((series.bar(*next - 1), GapKind::Present));
    }
    // The grid begins at or after the first bar, so a missing bar has one before it.
    let close_before = next.checked_sub(1).map_or(f64::NAN, |before| series.closes()[before]);
    Ok((Bar::flat(open_time, close_before)?, GapKind::Missing))
}

/// Figures about the bars of `series` in a window of `window_bars` bars; bars missing at its ends count, and so do
/// those of the shorter bars in `base`.
pub(crate) fn window_figures(
    series: &BarSeries,
    window: Window,
    window_bars: usize,
    gap_kinds: &[GapKind],
    base: Option<&BaseBars>,
) -> QualityFigures {
    let present = series.within(window);
    let missing_bars = window_bars.saturating_sub(present.len());
    let holes = gap_kinds.split(|kind| *kind == GapKind::Present);
    let longest_hole_bars = holes.map(<[GapKind]>::len).max().unwrap_or(0);
    let per_bar = |base: &BaseBars| (series.timeframe().minutes() / base.timeframe.minutes()) as usize;
    let base_bars_per_bar = base.map_or(0, per_bar);
    let base_bars = window_bars.saturating_mul(base_bars_per_bar);
    let missing_base_bars = base_bars.saturating_sub(base.map_or(0, |base| base.present_within(window)));
    QualityFigures {
        missing_bars,
        longest_hole_bars,
        base_bars_per_bar,
        missing_base_bars,
        ..figures_of(&present)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use walkforward_core::Timeframe;

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

    #[test]
    fn a_hole_is_filled_with_the_close_before_it() {
        let filled = fill(&series(&[0, 1, 4]), 4, 9).unwrap().unwrap();
        assert_eq!(filled.history_bars, 1);
        assert_eq!(filled.bars.bar(2), Bar::flat(at(2), 11.5).unwrap());
        assert_eq!(filled.bars.bar(3), Bar::flat(at(3), 11.5).unwrap());
        let kinds =
            [GapKind::Present, GapKind::Present, GapKind::Missing, GapKind::Missing, GapKind::Present];
        assert_eq!(filled.gap_kinds, kinds);
    }

    #[test]
    fn a_grid_that_begins_in_a_hole_is_filled_from_before() {
        let filled = fill(&series(&[0, 3]), 2, 0).unwrap().unwrap();
        assert_eq!(filled.bars.bar(0), Bar::flat(at(2), 10.5).unwrap());
        let window = Window::new(at(2), at(4)).unwrap();
        let figures = window_figures(&series(&[0, 3]), window, 2, &filled.gap_kinds, None);
        assert_eq!((figures.rows, figures.missing_bars, figures.longest_hole_bars), (1, 1, 1));
    }

    #[test]
    fn a_window_longer_than_the_grid_is_no_window() {
        assert_eq!(fill(&series(&[0, 3]), 5, 0).unwrap(), None);
        assert_eq!(fill(&series(&[]), 1, 0).unwrap(), None);
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
            let Some(filled) = fill(&series, window_bars, history).unwrap() else {
                prop_assert!((grid_bars(&series) as usize) < window_bars);
                return Ok(());
            };
            prop_assert_eq!(filled.bars.len(), window_bars + filled.history_bars);
            prop_assert_eq!(filled.bars.last_close_time(), series.last_close_time());
            prop_assert!(filled.bars.open_times().windows(2).all(|pair| pair[1].millis_since(pair[0]) == 60_000));
            for (bar, kind) in filled.bars.iter().zip(&filled.gap_kinds) {
                let past = series.iter().take_while(|past| past.open_time() <= bar.open_time()).last().unwrap();
                let expected = match kind {
                    GapKind::Present => past,
                    GapKind::Missing => Bar::flat(bar.open_time(), past.close()).unwrap(),
                };
                prop_assert_eq!(bar, expected);
            }
        }
    }
}
