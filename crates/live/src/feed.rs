//! Bars of a file or a formula as a market feed.

use async_trait::async_trait;
use walkforward_core::{BarFeed, FeedEvent, MarketFeed, SourceError, Timeframe};

/// A feed of closed bars that is neither up nor down.
pub struct ReplayedBars {
    bars: Box<dyn BarFeed>,
    base: Timeframe,
}

impl ReplayedBars {
    /// The bars of `bars`, which have the length `base`.
    pub fn new(bars: Box<dyn BarFeed>, base: Timeframe) -> Self {
        Self { bars, base }
    }
}

#[async_trait]
impl MarketFeed for ReplayedBars {
    fn base(&self) -> Timeframe {
        self.base
    }

    async fn next(&mut self) -> Result<Option<FeedEvent>, SourceError> {
        Ok(self.bars.next_bar().await?.map(FeedEvent::Bar))
    }
}
