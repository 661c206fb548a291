//! Recorded bars as a feed, and as a source whose "now" moves.

use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use walkforward_core::{
    AbsentMeans, AggregateRule, Bar, BarFeed, BarRequest, BarSeries, DataSource, LongerBars, SourceBars,
    SourceError, Timestamp, aggregate,
};

use crate::Error;
use crate::file_bars::last_bars;

/// The bars of a series one by one, as fast as they are asked for. Holes of the series stay holes.
#[derive(Debug, Clone)]
pub struct ReplayFeed {
    bars: BarSeries,
    next: usize,
}

impl ReplayFeed {
    /// A feed of `bars`, oldest first.
    pub fn new(bars: BarSeries) -> Self {
        Self { bars, next: 0 }
    }

    /// Bars that are still to come.
    pub fn remaining(&self) -> usize {
        self.bars.len() - self.next
    }
}

#[async_trait]
impl BarFeed for ReplayFeed {
    async fn next_bar(&mut self) -> Result<Option<Bar>, SourceError> {
        if self.next == self.bars.len() {
            return Ok(None);
        }
        self.next += 1;
        Ok(Some(self.bars.bar(self.next - 1)))
    }
}

/// A recorded series, given out as far as it had closed at a "now" that a simulation moves: what a source would have
/// said on each of many days.
#[derive(Debug)]
pub struct ReplaySource {
    bars: BarSeries,
    absent: AbsentMeans,
    now_ms: AtomicI64,
}

impl ReplaySource {
    /// A source of `bars` that stands at `now`.
    pub fn new(bars: BarSeries, absent: AbsentMeans, now: Timestamp) -> Self {
        Self { bars, absent, now_ms: AtomicI64::new(now.as_millis()) }
    }

    /// The "now".
    pub fn now(&self) -> Timestamp {
        Timestamp::EPOCH.plus_millis(self.now_ms.load(Ordering::SeqCst))
    }

    /// Moves "now", also backwards.
    pub fn set_now(&self, now: Timestamp) {
        self.now_ms.store(now.as_millis(), Ordering::SeqCst);
    }

    /// The bars that `request` asks for. A request for a time after "now" is answered up to "now", as by a service
    /// that has no later bars yet.
    ///
    /// # Errors
    /// When no bar had closed, or the bars asked for can't be made of the recorded ones.
    pub fn read(&self, request: &BarRequest) -> Result<SourceBars, Error> {
        let now = self.now();
        let as_of = request.as_of.unwrap_or(now);
        let until = as_of.min(now);
        let origin = format!("replay of {} bars of {}", self.bars.len(), self.bars.timeframe());
        let step_ms = self.bars.timeframe().millis();
        let closed = self.bars.index_at_or_after(until.plus_millis(1 - step_ms));
        let (mut bars, mut base) = (self.bars.slice(0..closed), None);
        if let Some(asked) = request.timeframe.filter(|&asked| asked != bars.timeframe()) {
            let rule = AggregateRule { calendar: request.calendar.clone(), absent: self.absent };
            let made = aggregate(&bars, asked, &rule, until);
            let broken = |reason: String| Error::Source { origin: origin.clone(), reason };
            let LongerBars { bars: longer, base: of } = made.map_err(|error| broken(error.to_string()))?;
            (bars, base) = (longer, Some(of));
        }
        if bars.is_empty() {
            let first = self.bars.first_open_time().unwrap_or(until);
            let step_ms = request.timeframe.unwrap_or(self.bars.timeframe()).millis();
            return Err(Error::NothingClosed {
                origin,
                as_of: until,
                first_close: first.plus_millis(step_ms),
            });
        }
        let bars = last_bars(bars, request.bars, &request.calendar);
        Ok(SourceBars { base, absent: self.absent, ..SourceBars::new(bars, as_of, origin) })
    }
}

#[async_trait]
impl DataSource for ReplaySource {
    async fn bars(&self, request: &BarRequest) -> Result<SourceBars, SourceError> {
        Ok(self.read(request)?)
    }
}

#[cfg(test)]
mod tests {
    use walkforward_core::{Timeframe, Timestamp};

    use super::*;

    #[tokio::test]
    async fn a_replay_gives_each_bar_once_and_then_ends() {
        let mut bars = BarSeries::new(Timeframe::MINUTE);
        for minute in [0, 1, 5] {
            bars.push(Bar::flat(Timestamp::EPOCH.plus_millis(minute * 60_000), 2.0).unwrap()).unwrap();
        }
        let mut feed = ReplayFeed::new(bars.clone());
        assert_eq!(feed.remaining(), 3);
        let mut given = Vec::new();
        while let Some(bar) = feed.next_bar().await.unwrap() {
            given.push(bar);
        }
        assert_eq!(given, bars.iter().collect::<Vec<_>>());
        assert_eq!((feed.next_bar().await.unwrap(), feed.remaining()), (None, 0));
    }

    fn minutes(count: i64) -> BarSeries {
        let mut bars = BarSeries::new(Timeframe::MINUTE);
        for minute in 0..count {
            bars.push(Bar::flat(Timestamp::EPOCH.plus_millis(minute * 60_000), 1.0 + minute as f64).unwrap())
                .unwrap();
        }
        bars
    }

    #[test]
    fn a_replay_source_knows_nothing_after_its_now() {
        let at = |minute: i64| Timestamp::EPOCH.plus_millis(minute * 60_000);
        let source = ReplaySource::new(minutes(300), AbsentMeans::NoTrade, at(100));
        let request = BarRequest::new("BTC/USD".parse().unwrap(), 10);
        let answer = source.read(&request).unwrap();
        assert_eq!((answer.as_of, answer.bars.last_close_time()), (at(100), Some(at(100))));
        assert_eq!((answer.bars.len(), answer.absent), (10, AbsentMeans::NoTrade));
        let later = BarRequest { as_of: Some(at(200)), ..request.clone() };
        assert_eq!(source.read(&later).unwrap().bars.last_close_time(), Some(at(100)));
        source.set_now(at(200));
        assert_eq!(source.read(&later).unwrap().bars.last_close_time(), Some(at(200)));
        let hours = BarRequest { timeframe: Some("1h".parse().unwrap()), ..request.clone() };
        assert_eq!(source.read(&hours).unwrap().bars.len(), 3);
        source.set_now(at(0));
        assert!(source.read(&request).unwrap_err().to_string().contains("first one closes at"));
    }
}
