//! Short bars into longer ones: one definition for files, feeds and the live trader.

use crate::{Bar, BarSeries, SeriesError, Timeframe, Timestamp};

/// Why bars can't be aggregated.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum AggregateError {
    /// The target is no multiple of the source.
    #[error(
        "bars of {from} can't be aggregated to {to}: the longer timeframe has to be a multiple of the shorter"
    )]
    NotAMultiple {
        /// Timeframe of the bars that come in.
        from: Timeframe,
        /// Timeframe asked for.
        to: Timeframe,
    },
    /// A bar came out of order.
    #[error(transparent)]
    Series(#[from] SeriesError),
}

/// Collects short bars and gives out a longer bar when its interval has ended.
#[derive(Debug, Clone)]
pub struct Aggregator {
    from: Timeframe,
    to: Timeframe,
    last: Option<Timestamp>,
    building: Option<Bar>,
}

impl Aggregator {
    /// An aggregator from bars of `from` to bars of `to`.
    pub fn new(from: Timeframe, to: Timeframe) -> Result<Self, AggregateError> {
        if !to.minutes().is_multiple_of(from.minutes()) {
            return Err(AggregateError::NotAMultiple { from, to });
        }
        Ok(Self { from, to, last: None, building: None })
    }

    /// Takes the next short bar and returns the longer bar that it completes.
    ///
    /// A longer bar is complete when its last short bar arrives, or, if that one is missing, when a short bar of a
    /// later interval does; in the second case the short bar may complete its own interval too, so up to two bars
    /// come out.
    pub fn push(&mut self, bar: Bar) -> Result<[Option<Bar>; 2], AggregateError> {
        let open_time = bar.open_time();
        if let Some(last) = self.last
            && open_time <= last
        {
            return Err(SeriesError::NotAscending { open_time, last }.into());
        }
        self.last = Some(open_time);
        let start = self.to.floor(open_time);
        let earlier = self.building.take_if(|building| building.open_time() != start);
        let merged = match self.building.take() {
            None => Bar::new(start, bar.open(), bar.high(), bar.low(), bar.close(), bar.volume()),
            Some(building) => Bar::new(
                start,
                building.open(),
                building.high().max(bar.high()),
                building.low().min(bar.low()),
                bar.close(),
                building.volume() + bar.volume(),
            ),
        }
        .map_err(SeriesError::from)?;
        let is_complete = bar.close_time(self.from) >= merged.close_time(self.to);
        if is_complete {
            return Ok([earlier, Some(merged)]);
        }
        self.building = Some(merged);
        Ok([earlier, None])
    }

    /// Ends the interval that is being built at `now`, if its time has passed.
    pub fn close_at(&mut self, now: Timestamp) -> Option<Bar> {
        let to = self.to;
        self.building.take_if(|building| building.close_time(to) <= now)
    }
}

/// The bars of `series` at the longer timeframe `to`. The last interval is kept only when its time has passed at
/// the end of the series.
pub fn aggregate(series: &BarSeries, to: Timeframe) -> Result<BarSeries, AggregateError> {
    let mut aggregator = Aggregator::new(series.timeframe(), to)?;
    let mut out = BarSeries::new(to);
    for bar in series.iter() {
        for complete in aggregator.push(bar)?.into_iter().flatten() {
            out.push(complete)?;
        }
    }
    if let Some(bar) = series.last_close_time().and_then(|end| aggregator.close_at(end)) {
        out.push(bar)?;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(minute: i64, price: f64) -> Bar {
        let time = Timestamp::from_millis(minute * 60_000).unwrap();
        Bar::new(time, price, price + 1.0, price - 1.0, price + 0.5, 2.0).unwrap()
    }

    fn hours(minutes: &[i64]) -> Vec<Bar> {
        let mut series = BarSeries::new(Timeframe::MINUTE);
        for &at in minutes {
            series.push(minute(at, 100.0 + at as f64)).unwrap();
        }
        aggregate(&series, "1h".parse().unwrap()).unwrap().iter().collect()
    }

    #[test]
    fn an_hour_is_not_visible_before_it_ends() {
        assert!(hours(&(0..59).collect::<Vec<_>>()).is_empty());
        assert_eq!(hours(&(0..60).collect::<Vec<_>>()).len(), 1);
    }

    #[test]
    fn an_hour_has_the_first_open_the_last_close_and_the_extremes() {
        let bar = hours(&(0..60).collect::<Vec<_>>())[0];
        assert_eq!((bar.open(), bar.close()), (100.0, 159.5));
        assert_eq!((bar.high(), bar.low(), bar.volume()), (160.0, 99.0, 120.0));
    }

    #[test]
    fn a_missing_last_minute_ends_the_hour_when_the_next_one_begins() {
        let bars = hours(&[0, 10, 60, 119]);
        assert_eq!(bars.len(), 2);
        assert_eq!(bars[0].close(), 110.5);
    }

    #[test]
    fn a_timeframe_that_does_not_fit_is_refused() {
        let (from, to) = ("4h".parse().unwrap(), "6h".parse().unwrap());
        assert!(matches!(Aggregator::new(from, to), Err(AggregateError::NotAMultiple { .. })));
    }
}
