//! Bars as they close, from the market data stream.

mod message;
mod session;

use std::sync::Arc;

use async_trait::async_trait;
use walkforward_core::{ErrorKind, FeedEvent, MarketFeed, SourceError, Symbol, Timeframe};

use super::connection::Driver;
use super::{Connection, Signal, StreamCounters, StreamFigures, StreamSettings, stream_url};
use crate::{AlpacaError, Keys, Market};

pub use message::{MarketMessage, parse_market_frame};
use session::MarketSession;
pub use session::StreamErrorAction;
pub(crate) use session::is_symbol;

/// Settings of a feed.
#[derive(Debug, Clone)]
pub struct FeedConfig {
    /// Where the stream is: `wss`, or `ws` on this machine.
    pub url: String,
    /// Whose bars: a currency pair.
    pub symbol: Symbol,
    /// The stream takes nobody without keys, not even for crypto.
    pub keys: Keys,
    /// Times and bounds.
    pub stream: StreamSettings,
}

impl FeedConfig {
    /// The stream of crypto bars.
    pub const CRYPTO_URL: &str = "wss://stream.data.alpaca.markets/v1beta3/crypto/us";

    /// The service's own stream for `symbol`.
    pub fn crypto(symbol: Symbol, keys: Keys) -> Self {
        Self { url: Self::CRYPTO_URL.to_owned(), symbol, keys, stream: StreamSettings::default() }
    }
}

/// The minutes of one currency pair as they close, and their corrections.
///
/// It connects when it is first asked and keeps one connection, never two. Whatever was missed while it was down is not
/// sent again: after each [`FeedEvent::Up`] ask an [`AlpacaBackfill`](crate::AlpacaBackfill).
pub struct AlpacaFeed {
    connection: Connection<MarketSession>,
    counters: Arc<StreamCounters>,
}

impl AlpacaFeed {
    /// A feed that has not connected yet.
    ///
    /// # Errors
    /// When a setting is out of range or the symbol is a stock.
    pub fn new(config: FeedConfig) -> Result<Self, AlpacaError> {
        let FeedConfig { url, symbol, keys, stream: settings } = config;
        if Market::of(&symbol) == Market::Stocks {
            return Err(AlpacaError::Stock { symbol });
        }
        settings.check()?;
        let url = stream_url("the stream's url", &url)?;
        let counters = Arc::<StreamCounters>::default();
        let protocol = MarketSession::new(symbol, keys, counters.clone());
        let driver = Driver { url, settings, protocol, counters: counters.clone() };
        Ok(Self { connection: Connection::new(driver), counters })
    }

    /// What the feed has been through.
    pub fn figures(&self) -> StreamFigures {
        self.counters.figures()
    }
}

#[async_trait]
impl MarketFeed for AlpacaFeed {
    fn base(&self) -> Timeframe {
        Timeframe::MINUTE
    }

    async fn next(&mut self) -> Result<Option<FeedEvent>, SourceError> {
        Ok(match self.connection.next().await {
            Some(Signal::Up) => Some(FeedEvent::Up),
            Some(Signal::Down(reason)) => Some(FeedEvent::Down { reason }),
            Some(Signal::Event(event)) => Some(event),
            Some(Signal::Failed(reason)) => {
                let message = format!("Alpaca's bars: {reason}");
                return Err(SourceError { kind: ErrorKind::BadInput, message });
            }
            None => None,
        })
    }
}
