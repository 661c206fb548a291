//! Pages of one symbol into one list.

use std::time::Duration;

use walkforward_core::{Symbol, Timestamp};

use crate::{AlpacaError, BarsQuery, RawBar};

/// What a query took and what was wrong with its answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FetchFigures {
    /// Requests sent, failed ones too.
    pub requests: u64,
    /// Pages with an answer.
    pub pages: usize,
    /// Time waited between attempts; the client's own rate limit is not counted.
    pub waited: Duration,
    /// Bars that came twice with the same values; one is kept.
    pub duplicates: usize,
    /// Bars that came twice with different values; the later one is kept.
    pub conflicts: usize,
    /// Bars that came after one with a later start.
    pub out_of_order: usize,
    /// Bars from before the start asked for; they are left out.
    pub before_start: usize,
    /// Bars from after the end asked for, such as the one in progress; they are left out.
    pub after_end: usize,
}

/// A single bar this many intervals after the start asked for may be the service's answer to a start that it can't
/// use.
const FAR_BARS: i64 = 1_000;

/// The bars of one symbol, page by page.
#[derive(Debug)]
pub(crate) struct Merged {
    start: Timestamp,
    end: Timestamp,
    bars: Vec<RawBar>,
    is_ascending: bool,
}

impl Merged {
    pub(crate) fn new(query: &BarsQuery) -> Self {
        Self { start: query.start, end: query.end, bars: Vec::new(), is_ascending: true }
    }

    /// Takes what a page has of this symbol.
    pub(crate) fn extend(&mut self, page: Vec<RawBar>, figures: &mut FetchFigures) {
        self.bars.reserve(page.len());
        for bar in page {
            if bar.open_time < self.start {
                figures.before_start += 1;
                continue;
            }
            if bar.open_time > self.end {
                figures.after_end += 1;
                continue;
            }
            if let Some(last) = self.bars.last()
                && last.open_time >= bar.open_time
            {
                self.is_ascending = false;
                figures.out_of_order += usize::from(last.open_time > bar.open_time);
            }
            self.bars.push(bar);
        }
    }

    /// The bars, ascending, each start once: of several the last that came.
    pub(crate) fn finish(mut self, figures: &mut FetchFigures) -> Vec<RawBar> {
        if self.is_ascending {
            return self.bars;
        }
        // The sort is stable, so bars of one start stay in the order in which they came.
        self.bars.sort_by_key(|bar| bar.open_time);
        let mut kept: Vec<RawBar> = Vec::with_capacity(self.bars.len());
        for bar in self.bars {
            match kept.last_mut() {
                Some(last) if last.open_time == bar.open_time => {
                    let count = if *last == bar { &mut figures.duplicates } else { &mut figures.conflicts };
                    *count += 1;
                    *last = bar;
                }
                _ => kept.push(bar),
            }
        }
        kept
    }
}

/// Refuses the answer to a start that the service could not use: one bar, the newest, far from the start.
pub(crate) fn check_start(symbol: &Symbol, query: &BarsQuery, bars: &[RawBar]) -> Result<(), AlpacaError> {
    let &[RawBar { open_time: first, .. }] = bars else { return Ok(()) };
    let step_ms = query.timeframe.millis();
    let is_far = first.millis_since(query.start) > FAR_BARS * step_ms;
    let is_newest = query.end.millis_since(first) < step_ms;
    if is_far && is_newest {
        let (start, timeframe) = (query.start, query.timeframe);
        return Err(AlpacaError::FarFromStart { symbol: symbol.clone(), timeframe, start, first });
    }
    Ok(())
}
