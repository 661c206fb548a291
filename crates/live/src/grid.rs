//! From what a feed gives to the grid of bars that a session runs on.

use walkforward_core::{Bar, Timeframe, Timestamp};

use crate::LiveError;

/// Most missing bars that are filled in at once: ten weeks of minutes. A longer hole is another session.
pub const MAX_HOLE_BARS: u64 = 100_000;

/// A bar of the grid.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GridBar {
    /// The bar; a flat one of the previous close where the feed has none.
    pub bar: Bar,
    /// Whether the feed has it.
    pub present: bool,
}

/// Why a bar of the feed was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SkippedBar {
    /// It starts with the last one.
    Duplicate,
    /// It starts before the last one.
    OutOfOrder,
    /// It does not start a whole number of steps after the last one.
    OffGrid,
}

/// Puts bars on the grid that the first one defines: leaves out duplicates and stragglers, fills holes.
#[derive(Debug, Clone)]
pub struct BarGrid {
    timeframe: Timeframe,
    last: Option<Bar>,
}

/// The grid bars up to and including the one that came, oldest first.
#[derive(Debug, Clone)]
pub struct GridBars {
    timeframe: Timeframe,
    next_open: Timestamp,
    previous_close: f64,
    last: Option<Bar>,
}

impl BarGrid {
    /// A grid that has seen no bar.
    pub fn new(timeframe: Timeframe) -> Self {
        Self { timeframe, last: None }
    }

    /// Length of the bars.
    pub fn timeframe(&self) -> Timeframe {
        self.timeframe
    }

    /// Takes the feed's next bar: the bars to run on, or why there is none.
    ///
    /// # Errors
    /// More than [`MAX_HOLE_BARS`] are missing.
    pub fn push(&mut self, bar: Bar) -> Result<Result<GridBars, SkippedBar>, LiveError> {
        let step_ms = self.timeframe.millis();
        let (next_open, previous_close) = match self.last {
            None => (bar.open_time(), bar.close()),
            Some(last) => {
                let distance_ms = bar.open_time().millis_since(last.open_time());
                if let Some(reason) = skip_reason(distance_ms, step_ms) {
                    return Ok(Err(reason));
                }
                let missing = (distance_ms / step_ms - 1).unsigned_abs();
                if missing > MAX_HOLE_BARS {
                    let (last, next) = (last.open_time(), bar.open_time());
                    return Err(LiveError::Hole { last, next, missing });
                }
                (last.open_time().plus_millis(step_ms), last.close())
            }
        };
        self.last = Some(bar);
        Ok(Ok(GridBars { timeframe: self.timeframe, next_open, previous_close, last: Some(bar) }))
    }
}

fn skip_reason(distance_ms: i64, step_ms: i64) -> Option<SkippedBar> {
    match distance_ms {
        0 => Some(SkippedBar::Duplicate),
        ..0 => Some(SkippedBar::OutOfOrder),
        _ if distance_ms % step_ms != 0 => Some(SkippedBar::OffGrid),
        _ => None,
    }
}

impl Iterator for GridBars {
    type Item = GridBar;

    fn next(&mut self) -> Option<GridBar> {
        let last = self.last?;
        if self.next_open < last.open_time()
            && let Ok(bar) = Bar::flat(self.next_open, self.previous_close)
        {
            self.next_open = self.next_open.plus_millis(self.timeframe.millis());
            return Some(GridBar { bar, present: false });
        }
        self.last = None;
        Some(GridBar { bar: last, present: true })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bar(minute: i64, price: f64) -> Bar {
        Bar::flat(Timestamp::from_millis(minute * 60_000).unwrap(), price).unwrap()
    }

    #[test]
    fn holes_are_filled_with_flat_bars_of_the_previous_close() {
        let mut grid = BarGrid::new(Timeframe::MINUTE);
        grid.push(bar(0, 7.0)).unwrap().unwrap();
        let filled: Vec<GridBar> = grid.push(bar(3, 9.0)).unwrap().unwrap().collect();
        let expected = [(bar(1, 7.0), false), (bar(2, 7.0), false), (bar(3, 9.0), true)];
        assert_eq!(filled, expected.map(|(bar, present)| GridBar { bar, present }));
    }

    #[test]
    fn stragglers_are_left_out_with_the_reason() {
        let mut grid = BarGrid::new(Timeframe::MINUTE);
        grid.push(bar(5, 1.0)).unwrap().unwrap();
        assert_eq!(grid.push(bar(5, 2.0)).unwrap().err(), Some(SkippedBar::Duplicate));
        assert_eq!(grid.push(bar(4, 2.0)).unwrap().err(), Some(SkippedBar::OutOfOrder));
        let off = Bar::flat(Timestamp::from_millis(330_000).unwrap(), 1.0).unwrap();
        assert_eq!(grid.push(off).unwrap().err(), Some(SkippedBar::OffGrid));
        assert_eq!(grid.push(bar(6, 2.0)).unwrap().unwrap().count(), 1);
    }

    #[test]
    fn a_hole_beyond_the_bound_is_an_error() {
        let mut grid = BarGrid::new(Timeframe::MINUTE);
        grid.push(bar(0, 1.0)).unwrap().unwrap();
        let error = grid.push(bar(100_002, 1.0)).unwrap_err();
        assert!(matches!(error, LiveError::Hole { missing: 100_001, .. }), "{error}");
        assert_eq!(grid.push(bar(100_001, 1.0)).unwrap().unwrap().count(), 100_001);
    }

    proptest! {
        #[test]
        fn the_grid_has_every_step_once_and_in_order(minutes in prop::collection::vec(0i64..60, 1..80)) {
            let mut grid = BarGrid::new(Timeframe::MINUTE);
            let mut seen = Vec::new();
            for minute in &minutes {
                if let Ok(bars) = grid.push(bar(*minute, 1.0)).unwrap() {
                    seen.extend(bars.map(|grid_bar| grid_bar.bar.open_time().as_millis() / 60_000));
                }
            }
            let last = *minutes.iter().max().unwrap();
            prop_assert_eq!(seen, (minutes[0]..=last.max(minutes[0])).collect::<Vec<_>>());
        }
    }
}
