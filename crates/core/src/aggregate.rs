//! Short bars into longer ones: one definition for files, feeds and the live trader.

use crate::{
    AbsentMeans, Bar, BarSeries, BaseBars, MarketCalendar, SeriesError, Timeframe, Timestamp, Window,
};

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
    /// A bar reaches from one longer interval into the next.
    #[error(
        "the bar of {open_time} does not begin on a full {from} of the clock: bars made of it would reach beyond their end"
    )]
    OffClock {
        /// Start of the bar.
        open_time: Timestamp,
        /// Its timeframe.
        from: Timeframe,
    },
    /// A bar came out of order.
    #[error(transparent)]
    Series(#[from] SeriesError),
}

/// Which short bars a longer one should have, and what their absence means.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AggregateRule {
    /// When the market is open. Short bars outside are left out.
    pub calendar: MarketCalendar,
    /// What it means that a short bar is not there.
    pub absent: AbsentMeans,
}

/// A longer bar and what it was made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LongerBar {
    /// Opens at the first price that there is, closes at the last one.
    pub bar: Bar,
    /// Short bars that it was made of.
    pub base_bars: usize,
    /// Short bars that its interval should have.
    pub expected_base_bars: usize,
    /// Whether it counts as a bar: at least half of its short bars are there, or those that are not stand for times
    /// at which nothing traded. One that is not whole is a hole.
    pub is_whole: bool,
}

/// Collects short bars and gives out a longer bar when its interval has ended.
///
/// An interval that has begun before the first short bar came gives none: its open is not known.
#[derive(Debug, Clone)]
pub struct Aggregator {
    from: Timeframe,
    to: Timeframe,
    rule: AggregateRule,
    last: Option<Timestamp>,
    building: Option<Building>,
}

#[derive(Debug, Clone, Copy)]
struct Building {
    bar: Bar,
    base_bars: usize,
    /// Whether short bars that should be there lie before the first one that came.
    is_cut: bool,
}

impl Aggregator {
    /// An aggregator from bars of `from` to bars of `to`.
    ///
    /// # Errors
    /// When `to` is no multiple of `from`.
    pub fn new(from: Timeframe, to: Timeframe, rule: AggregateRule) -> Result<Self, AggregateError> {
        if !to.minutes().is_multiple_of(from.minutes()) {
            return Err(AggregateError::NotAMultiple { from, to });
        }
        Ok(Self { from, to, rule, last: None, building: None })
    }

    /// Takes the next short bar and returns the longer bar that it completes.
    ///
    /// A longer bar is complete when its last short bar arrives, or, if that one is missing, when a short bar of a
    /// later interval does; in the second case the short bar may complete its own interval too, so up to two bars
    /// come out.
    ///
    /// # Errors
    /// When the bar does not come after the last one or does not stand on the clock of its timeframe.
    pub fn push(&mut self, bar: Bar) -> Result<[Option<LongerBar>; 2], AggregateError> {
        let open_time = bar.open_time();
        if let Some(last) = self.last
            && open_time <= last
        {
            return Err(SeriesError::NotAscending { open_time, last }.into());
        }
        if self.from.floor(open_time) != open_time {
            return Err(AggregateError::OffClock { open_time, from: self.from });
        }
        if !self.rule.calendar.is_expected(open_time, self.from) {
            return Ok([None, None]);
        }
        let is_first = self.last.replace(open_time).is_none();
        let start = self.to.floor(open_time);
        let earlier = self.building.take_if(|building| building.bar.open_time() != start);
        let earlier = earlier.and_then(|building| self.finished(building));
        let building = match self.building.take() {
            Some(building) => building.with(bar)?,
            None => Building {
                bar: Bar::new(start, bar.open(), bar.high(), bar.low(), bar.close(), bar.volume())
                    .map_err(SeriesError::from)?,
                base_bars: 1,
                is_cut: is_first && self.expected_between(start, open_time) > 0,
            },
        };
        if bar.close_time(self.from) >= building.bar.close_time(self.to) {
            return Ok([earlier, self.finished(building)]);
        }
        self.building = Some(building);
        Ok([earlier, None])
    }

    /// Ends the interval that is being built at `now`, if its time has passed.
    pub fn close_at(&mut self, now: Timestamp) -> Option<LongerBar> {
        let to = self.to;
        let building = self.building.take_if(|building| building.bar.close_time(to) <= now)?;
        self.finished(building)
    }

    fn finished(&self, building: Building) -> Option<LongerBar> {
        let Building { bar, base_bars, is_cut } = building;
        if is_cut {
            return None;
        }
        let expected_base_bars = self.expected_between(bar.open_time(), bar.close_time(self.to));
        let is_whole = match self.rule.absent {
            AbsentMeans::Missing => base_bars * 2 >= expected_base_bars,
            AbsentMeans::NoTrade => true,
        };
        Some(LongerBar { bar, base_bars, expected_base_bars, is_whole })
    }

    fn expected_between(&self, start: Timestamp, end: Timestamp) -> usize {
        Window::new(start, end).map_or(0, |window| self.rule.calendar.expected_count(window, self.from))
    }
}

impl Building {
    fn with(self, bar: Bar) -> Result<Self, SeriesError> {
        let whole = self.bar;
        let (high, low) = (whole.high().max(bar.high()), whole.low().min(bar.low()));
        let volume = whole.volume() + bar.volume();
        let bar = Bar::new(whole.open_time(), whole.open(), high, low, bar.close(), volume)?;
        Ok(Self { bar, base_bars: self.base_bars + 1, ..self })
    }
}

/// The longer bars of a series, and the shorter ones that they were made of.
#[derive(Debug, Clone, PartialEq)]
pub struct LongerBars {
    /// Whole bars; intervals that lack too many of theirs are holes.
    pub bars: BarSeries,
    /// What each closed interval has, those without a bar too.
    pub base: BaseBars,
}

/// The bars of `series` at the longer timeframe `to` that have closed by `as_of`: what an [`Aggregator`] gives.
///
/// # Errors
/// When `to` is no multiple of the bars' timeframe or they do not stand on its clock.
pub fn aggregate(
    series: &BarSeries,
    to: Timeframe,
    rule: &AggregateRule,
    as_of: Timestamp,
) -> Result<LongerBars, AggregateError> {
    let from = series.timeframe();
    let mut aggregator = Aggregator::new(from, to, rule.clone())?;
    let mut out =
        LongerBars { bars: BarSeries::new(to), base: BaseBars { timeframe: from, present: Vec::new() } };
    let mut take = |longer: LongerBar| {
        if longer.bar.close_time(to) > as_of {
            return Ok(());
        }
        out.base.present.push((longer.bar.open_time(), longer.base_bars));
        if longer.is_whole { out.bars.push(longer.bar) } else { Ok(()) }
    };
    for bar in series.iter() {
        for longer in aggregator.push(bar)?.into_iter().flatten() {
            take(longer)?;
        }
    }
    if let Some(longer) = aggregator.close_at(as_of) {
        take(longer)?;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::SessionCalendar;

    fn at(minute: i64) -> Timestamp {
        Timestamp::EPOCH.plus_millis(minute * 60_000)
    }

    fn minute(minute: i64, price: f64) -> Bar {
        Bar::new(at(minute), price, price + 1.0, price - 1.0, price + 0.5, 2.0).unwrap()
    }

    fn hour() -> Timeframe {
        "1h".parse().unwrap()
    }

    fn minutes(minutes: impl IntoIterator<Item = i64>) -> BarSeries {
        let mut series = BarSeries::new(Timeframe::MINUTE);
        for at in minutes {
            series.push(minute(at, 100.0 + at as f64)).unwrap();
        }
        series
    }

    fn hours(series: &BarSeries, rule: &AggregateRule, as_of: i64) -> LongerBars {
        aggregate(series, hour(), rule, at(as_of)).unwrap()
    }

    #[test]
    fn an_hour_is_not_visible_before_it_ends() {
        let mut aggregator = Aggregator::new(Timeframe::MINUTE, hour(), AggregateRule::default()).unwrap();
        for at in 0..59 {
            assert_eq!(aggregator.push(minute(at, 100.0)).unwrap(), [None, None]);
        }
        assert_eq!(aggregator.close_at(at(60).plus_millis(-1)), None);
        let [None, Some(longer)] = aggregator.push(minute(59, 100.0)).unwrap() else {
            panic!("the last minute completes the hour");
        };
        assert_eq!((longer.base_bars, longer.expected_base_bars, longer.is_whole), (60, 60, true));
    }

    #[test]
    fn an_hour_has_the_first_open_the_last_close_and_the_extremes() {
        let bar = hours(&minutes(0..60), &AggregateRule::default(), 60).bars.bar(0);
        assert_eq!((bar.open(), bar.close()), (100.0, 159.5));
        assert_eq!((bar.high(), bar.low(), bar.volume()), (160.0, 99.0, 120.0));
    }

    #[test]
    fn a_missing_last_minute_ends_the_hour_when_the_next_one_begins() {
        let longer = hours(&minutes((0..50).chain(60..120)), &AggregateRule::default(), 120);
        assert_eq!((longer.bars.len(), longer.bars.closes()[0]), (2, 149.5));
        assert_eq!(longer.base.present, [(at(0), 50), (at(60), 60)]);
    }

    #[test]
    fn an_interval_with_less_than_half_of_its_bars_is_a_hole_unless_nothing_traded() {
        let series = minutes((0..60).chain(91..180));
        let longer = hours(&series, &AggregateRule::default(), 180);
        assert_eq!(longer.bars.open_times(), [at(0), at(120)]);
        assert_eq!(longer.base.present, [(at(0), 60), (at(60), 29), (at(120), 60)]);
        let rule = AggregateRule { absent: AbsentMeans::NoTrade, ..AggregateRule::default() };
        assert_eq!(hours(&series, &rule, 180).bars.len(), 3);
    }

    #[test]
    fn the_first_hour_of_a_session_has_the_minutes_of_the_session_alone() {
        let session = Window::new(at(30), at(150)).unwrap();
        let calendar = MarketCalendar::Sessions(SessionCalendar::new(vec![session]).unwrap());
        let rule = AggregateRule { calendar, absent: AbsentMeans::Missing };
        let longer = hours(&minutes(0..200), &rule, 240);
        assert_eq!(longer.base.present, [(at(0), 30), (at(60), 60), (at(120), 30)]);
        assert_eq!((longer.bars.opens()[0], longer.bars.closes()[2]), (130.0, 249.5));
    }

    #[test]
    fn a_timeframe_or_a_clock_that_does_not_fit_is_refused() {
        let (from, to) = ("4h".parse().unwrap(), "6h".parse().unwrap());
        let made = Aggregator::new(from, to, AggregateRule::default());
        assert!(matches!(made, Err(AggregateError::NotAMultiple { .. })));
        let mut series = BarSeries::new(hour());
        series.push(minute(30, 10.0)).unwrap();
        let error = aggregate(&series, from, &AggregateRule::default(), at(1_000)).unwrap_err();
        assert!(matches!(error, AggregateError::OffClock { .. }), "{error}");
    }

    proptest! {
        #[test]
        fn every_short_bar_of_a_closed_interval_is_counted_once(
            present in prop::collection::btree_set(0_i64..600, 1..400),
            as_of in 600_i64..700,
        ) {
            let first = *present.first().unwrap();
            let longer = hours(&minutes(present.iter().copied()), &AggregateRule::default(), as_of);
            let closed = present.iter().filter(|&&minute| {
                let start = minute / 60 * 60;
                start >= first && start + 60 <= as_of
            });
            prop_assert_eq!(longer.base.present.iter().map(|&(_, count)| count).sum::<usize>(), closed.count());
            let whole = longer.base.present.iter().filter(|&&(_, count)| count >= 30).map(|&(start, _)| start);
            prop_assert_eq!(longer.bars.open_times(), whole.collect::<Vec<_>>());
        }

        #[test]
        fn what_happens_after_a_time_changes_no_bar_that_closed_by_then(
            present in prop::collection::btree_set(0_i64..600, 1..400),
            later in prop::collection::vec((0_i64..600, 1.0_f64..1e4), 0..50),
            time in 0_i64..600,
        ) {
            let closed = |minute: &i64| *minute < time;
            let past: Vec<i64> = present.iter().copied().filter(closed).collect();
            let mut changed = minutes(past.iter().copied());
            let later: std::collections::BTreeMap<i64, f64> = later.into_iter().collect();
            for (&at, &price) in later.iter().filter(|(at, _)| !closed(at)) {
                changed.push(minute(at, price + 1.0)).unwrap();
            }
            let rule = AggregateRule::default();
            let known = hours(&minutes(past), &rule, time);
            let whole = hours(&changed, &rule, 700);
            let by_then: Vec<Bar> = whole.bars.iter().filter(|bar| bar.close_time(hour()) <= at(time)).collect();
            prop_assert_eq!(known.bars.iter().collect::<Vec<_>>(), by_then);
        }
    }
}
