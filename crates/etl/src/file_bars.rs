//! From all bars of a file to those that a request asks for.

use std::path::Path;

use walkforward_core::{
    AbsentMeans, AggregateError, AggregateRule, BarRequest, BarSeries, BaseBars, LongerBars, MarketCalendar,
    SourceBars, Timestamp, aggregate,
};

use crate::Error;
use crate::table::Table;

/// What is declared about a file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FileBars<'a> {
    pub(crate) path: &'a Path,
    /// Leaves the last bar out.
    pub(crate) drop_last: bool,
    pub(crate) absent: AbsentMeans,
}

impl FileBars<'_> {
    /// The bars of `table` that `request` asks for. Without a requested "now" it is the close of the last bar.
    pub(crate) fn answer(&self, table: Table, request: &BarRequest) -> Result<SourceBars, Error> {
        let Table { bars, mut figures } = table;
        let (bars, as_of, unfinished) = self.closed(bars, request.as_of)?;
        figures.unfinished_dropped = unfinished;
        let (bars, base) = self.at_timeframe(bars, request, as_of)?;
        let bars = last_bars(bars, request.bars, &request.calendar);
        let answer = SourceBars::new(bars, as_of, self.origin());
        Ok(SourceBars { file: Some(figures), base, absent: self.absent, ..answer })
    }

    fn origin(&self) -> String {
        self.path.display().to_string()
    }

    /// The bars that have closed, the "now" and the number of bars that were left out unfinished.
    fn closed(
        &self,
        bars: BarSeries,
        as_of: Option<Timestamp>,
    ) -> Result<(BarSeries, Timestamp, usize), Error> {
        let dropped = usize::from(self.drop_last);
        let first = bars.first_open_time();
        let timeframe = bars.timeframe();
        let bars = first_bars(bars, |bars| bars.len() - dropped.min(bars.len()));
        let (Some(first), Some(last_close)) = (first, bars.last_close_time()) else {
            return Err(Error::NothingLeft { path: self.path.to_owned() });
        };
        let as_of = as_of.unwrap_or(last_close);
        let begun = bars.index_at_or_after(as_of);
        let closed = bars.index_at_or_after(as_of.plus_millis(1 - timeframe.millis()));
        if closed == 0 {
            let first_close = first.plus_millis(timeframe.millis());
            return Err(Error::NothingClosed { origin: self.origin(), as_of, first_close });
        }
        Ok((first_bars(bars, |_| closed), as_of, dropped + begun - closed))
    }

    fn at_timeframe(
        &self,
        bars: BarSeries,
        request: &BarRequest,
        as_of: Timestamp,
    ) -> Result<(BarSeries, Option<BaseBars>), Error> {
        let file = bars.timeframe();
        let Some(asked) = request.timeframe.filter(|&asked| asked != file) else { return Ok((bars, None)) };
        let rule = AggregateRule { calendar: request.calendar.clone(), absent: self.absent };
        let made = aggregate(&bars, asked, &rule, as_of);
        let LongerBars { bars: longer, base } = made.map_err(|error| match error {
            AggregateError::NotAMultiple { .. } => {
                Error::Timeframe { path: self.path.to_owned(), file, asked }
            }
            other => Error::Source { origin: self.origin(), reason: other.to_string() },
        })?;
        match (longer.is_empty(), base.present.is_empty()) {
            (false, _) => Ok((longer, Some(base))),
            (true, false) => {
                let reason = format!("no interval of {asked} up to {as_of} has half of its bars of {file}");
                Err(Error::Source { origin: self.origin(), reason })
            }
            (true, true) => {
                let begins = asked.floor(bars.open_times()[0].plus_millis(asked.millis() - 1));
                let first_close = begins.plus_millis(asked.millis());
                Err(Error::NothingClosed { origin: self.origin(), as_of, first_close })
            }
        }
    }
}

/// The first bars, as many as `count` says.
fn first_bars(bars: BarSeries, count: impl Fn(&BarSeries) -> usize) -> BarSeries {
    let count = count(&bars);
    bars.into_slice(0..count)
}

/// The last `count` expected bars; where the first of them is absent, the bar before it too, so that the hole can be
/// filled from the past.
pub(crate) fn last_bars(bars: BarSeries, count: usize, calendar: &MarketCalendar) -> BarSeries {
    let Some(end) = bars.last_close_time() else { return bars };
    let Some(start) = calendar.bars_before(end, count, bars.timeframe()) else { return bars };
    let mut from = bars.index_at_or_after(start);
    if from > 0 && bars.open_times().get(from) != Some(&start) {
        from -= 1;
    }
    let to = bars.len();
    bars.into_slice(from..to)
}
