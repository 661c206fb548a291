//! What a window may lack.

use serde::{Deserialize, Serialize};
use walkforward_core::{AbsentMeans, Dataset, Timeframe, Window};

use crate::Error;
use crate::error::GapNumbers;

/// What the pipeline tolerates: the gap budget.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EtlConfig {
    /// Share of the window's bars that may be missing, 0 to 1. Where a source made the bars of shorter ones, at most
    /// that share of the shorter ones may be missing too.
    pub max_missing_share: f64,
    /// Bars that the longest hole may have; none allows any length that the share allows.
    pub max_longest_hole_bars: Option<usize>,
    /// Expected bars that may have closed between the newest one of the source and "now": with more it is stale, and a
    /// later attempt may find the others. Where absent bars mean that nothing traded, as many as may be absent in a row
    /// are no sign of it.
    pub max_stale_bars: usize,
    /// Bars in a row that may be absent because nothing traded. In a longer run all are missing, whatever the source's
    /// convention: nobody can tell a quiet market from a broken recorder that long.
    pub max_no_trade_run_bars: usize,
}

impl Default for EtlConfig {
    fn default() -> Self {
        Self {
            max_missing_share: 0.12,
            max_longest_hole_bars: None,
            max_stale_bars: 24,
            max_no_trade_run_bars: 60,
        }
    }
}

impl EtlConfig {
    /// The budget that lets every window through: for who wants to look at it.
    pub fn unlimited(self) -> Self {
        Self { max_missing_share: 1.0, max_longest_hole_bars: None, max_stale_bars: usize::MAX, ..self }
    }

    /// Refuses a window that is stale, or lacks too many of its bars or of the shorter bars that they are made of.
    ///
    /// # Errors
    /// What is too much, with the numbers.
    pub fn admit(&self, dataset: &Dataset) -> Result<(), Error> {
        self.check_fresh(dataset)?;
        self.check_base(dataset)?;
        let (origin, gaps) = (dataset.origin.clone(), GapNumbers::of(&dataset.quality.window));
        if exceeds(gaps.missing, self.max_missing_share, gaps.expected()) {
            return Err(Error::TooManyMissing { origin, gaps, max_share: self.max_missing_share });
        }
        match self.max_longest_hole_bars {
            Some(max_bars) if gaps.longest_hole > max_bars => {
                Err(Error::HoleTooLong { origin, gaps, max_bars })
            }
            _ => Ok(()),
        }
    }

    fn check_fresh(&self, dataset: &Dataset) -> Result<(), Error> {
        let timeframe = dataset.timeframe();
        let (newest, as_of) = (dataset.window.end(), dataset.as_of);
        // The bar in progress is not due yet.
        let due = as_of.plus_millis(1 - timeframe.millis());
        let Ok(since) = Window::new(newest, due) else { return Ok(()) };
        let max_stale_bars = match dataset.absent {
            AbsentMeans::Missing => self.max_stale_bars,
            AbsentMeans::NoTrade => self.max_stale_bars.max(self.max_no_trade_run_bars),
        };
        let stale_bars = dataset.calendar.expected_count(since, timeframe);
        if stale_bars <= max_stale_bars {
            return Ok(());
        }
        Err(Error::Stale { origin: dataset.origin.clone(), newest, as_of, stale_bars, max_stale_bars })
    }

    fn check_base(&self, dataset: &Dataset) -> Result<(), Error> {
        let (figures, timeframe) = (&dataset.quality.window, dataset.timeframe());
        let (missing, expected) = (figures.missing_base_bars, figures.expected_base_bars);
        let per_bar = u32::try_from(figures.base_bars_per_bar).unwrap_or(u32::MAX);
        let base = timeframe.minutes().checked_div(per_bar).and_then(Timeframe::from_minutes);
        let Some(base) = base.filter(|_| exceeds(missing, self.max_missing_share, expected)) else {
            return Ok(());
        };
        let (origin, max_share) = (dataset.origin.clone(), self.max_missing_share);
        Err(Error::TooManyBaseMissing { origin, missing, expected, base, timeframe, max_share })
    }
}

fn exceeds(missing: usize, max_share: f64, expected: usize) -> bool {
    missing as f64 > max_share * expected as f64
}
