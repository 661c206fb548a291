//! Past bars as a feed.

use async_trait::async_trait;
use walkforward_core::{Bar, BarFeed, BarSeries, SourceError};

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
}
