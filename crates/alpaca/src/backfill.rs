//! Minutes that a stream missed, from the service's history.

use std::sync::Arc;

use async_trait::async_trait;
use walkforward_core::{Backfill, Bar, SourceError, Symbol, Timeframe, Timestamp, Window};

use crate::{AlpacaClient, AlpacaError, BarsQuery, Market, RawBar};

/// Gives the closed minutes of one currency pair again, as the service has them now, late trades included.
///
/// How long it may try is the client's [`RetryPolicy`](crate::RetryPolicy); dropping the future ends the request.
pub struct AlpacaBackfill {
    client: Arc<AlpacaClient>,
    symbol: Symbol,
}

impl AlpacaBackfill {
    /// A backfill that asks through `client`, which may be shared: it keeps one rate limit.
    ///
    /// # Errors
    /// When the symbol is a stock.
    pub fn new(client: Arc<AlpacaClient>, symbol: Symbol) -> Result<Self, AlpacaError> {
        match Market::of(&symbol) {
            Market::Crypto => Ok(Self { client, symbol }),
            Market::Stocks => Err(AlpacaError::Stock { symbol }),
        }
    }

    async fn read(&self, span: Window) -> Result<Vec<Bar>, AlpacaError> {
        let Some((start, end)) = opens(span, self.client.clock().now()) else { return Ok(Vec::new()) };
        let symbols = vec![self.symbol.clone()];
        let query = BarsQuery { symbols, timeframe: Timeframe::MINUTE, start, end };
        let mut fetched = self.client.bars(&query).await?;
        let bars = fetched.bars.remove(&self.symbol).unwrap_or_default();
        bars.into_iter().map(|raw| self.checked(raw)).collect()
    }

    fn checked(&self, raw: RawBar) -> Result<Bar, AlpacaError> {
        let RawBar { open_time, open, high, low, close, volume, .. } = raw;
        let (symbol, timeframe) = (self.symbol.clone(), Timeframe::MINUTE);
        if timeframe.floor(open_time) != open_time {
            return Err(AlpacaError::OffClock { symbol, open_time, timeframe });
        }
        Bar::new(open_time, open, high, low, close, volume).map_err(|source| AlpacaError::Bar {
            symbol,
            open_time,
            source,
        })
    }
}

/// The first and the last minute that open in `span` and have closed by `now`; none when there is none. The service's
/// own spans hold their end, and it gives minutes that have not closed.
fn opens(span: Window, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
    let minute = Timeframe::MINUTE;
    let start = minute.floor(span.start().plus_millis(minute.millis() - 1)).max(BarsQuery::earliest());
    let last_in_span = minute.floor(span.end().plus_millis(-1));
    let last_closed = minute.floor(now).plus_millis(-minute.millis());
    let end = last_in_span.min(last_closed);
    (start <= end).then_some((start, end))
}

#[async_trait]
impl Backfill for AlpacaBackfill {
    async fn bars(&self, span: Window) -> Result<Vec<Bar>, SourceError> {
        Ok(self.read(span).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(start: &str, end: &str, now: &str, expected: Option<(&str, &str)>) {
        let at = |time: &str| format!("2024-01-01T{time}Z").parse::<Timestamp>().unwrap();
        let span = Window::new(at(start), at(end)).unwrap();
        let expected = expected.map(|(start, end)| (at(start), at(end)));
        assert_eq!(opens(span, at(now)), expected, "{start} to {end} at {now}");
    }

    #[test]
    fn the_end_of_a_span_and_the_minute_in_progress_are_not_asked_for() {
        check("10:00:00", "10:05:00", "11:00:00", Some(("10:00:00", "10:04:00")));
        check("10:00:30", "10:04:30", "11:00:00", Some(("10:01:00", "10:04:00")));
        check("10:00:00", "10:05:00", "10:03:59", Some(("10:00:00", "10:02:00")));
        check("10:00:00", "10:05:00", "10:01:00", Some(("10:00:00", "10:00:00")));
        check("10:00:00", "10:05:00", "10:00:59", None);
        check("10:00:01", "10:00:59", "11:00:00", None);
    }
}
