//! Synthetic bars one by one.

use async_trait::async_trait;
use walkforward_core::{Bar, BarFeed, SourceError, Timeframe, Timestamp};

use super::source::{SyntheticSource, check_index};
use super::walk::Walk;
use crate::Error;

/// The bars of a [`SyntheticSource`] one by one, without end unless one is given. Missing bars don't come.
#[derive(Debug, Clone)]
pub struct SyntheticFeed {
    source: SyntheticSource,
    timeframe: Timeframe,
    first: u64,
    end: Option<Timestamp>,
    walk: Walk,
}

impl SyntheticFeed {
    /// The bars that start at or after `start` and close at or before `end`. A start before bar 0 begins there.
    pub fn new(
        source: &SyntheticSource,
        timeframe: Timeframe,
        start: Timestamp,
        end: Option<Timestamp>,
    ) -> Self {
        let first = SyntheticSource::bars_until(timeframe, start.plus_millis(timeframe.millis() - 1));
        Self { source: *source, timeframe, first, end, walk: source.walk(timeframe) }
    }

    /// The next bar; `None` past the end.
    ///
    /// # Errors
    /// When the feed has come to bar [`MAX_SYNTHETIC_BARS`](crate::MAX_SYNTHETIC_BARS).
    pub fn read_next(&mut self) -> Result<Option<Bar>, Error> {
        check_index(self.first)?;
        loop {
            let index = self.walk.index();
            check_index(index)?;
            let open_time = SyntheticSource::open_time(self.timeframe, index);
            let close_time = open_time.plus_millis(self.timeframe.millis());
            if self.end.is_some_and(|end| close_time > end) {
                return Ok(None);
            }
            if index >= self.first && !self.source.is_missing(index) {
                let bar = self.walk.next_bar(open_time).map_err(|error| self.source.broken(&error))?;
                return Ok(Some(bar));
            }
            self.walk.skip();
        }
    }
}

#[async_trait]
impl BarFeed for SyntheticFeed {
    async fn next_bar(&mut self) -> Result<Option<Bar>, SourceError> {
        Ok(self.read_next()?)
    }
}
