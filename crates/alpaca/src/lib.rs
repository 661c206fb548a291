//! Alpaca: historical bars of crypto and stocks, and for one currency pair live bars, orders and their updates.
//!
//! The principal types are [`AlpacaClient`], which asks for the bars of several symbols and follows the pages of the
//! answer to their end, and [`AlpacaSource`], a [`DataSource`] made of it. Crypto needs
//! no keys, stocks do; they are handed in as [`Keys`] and appear in no log and no error.
//!
//! What the service can do to a caller is bounded: attempts, waiting, pages, bytes of a page and bars
//! ([`RetryPolicy`], [`Limits`]). What may go away by itself is asked again (429, 5xx, timeouts, cut or foreign
//! bodies); what can't is an error that names the request and what to do.
//!
//! For trading there are [`AlpacaFeed`] (bars as they close), [`AlpacaBackfill`] (what it missed) and [`AlpacaVenue`]
//! (orders). A paper account is all that can be had by mistake: real money asks for a [`LiveConfirmation`]. An order is
//! sent once; whether the venue has it is what its error says, and never a guess.
//!
//! ```no_run
//! use std::sync::Arc;
//! use walkforward_alpaca::{AlpacaClient, AlpacaConfig, AlpacaSource};
//! use walkforward_core::{BarRequest, Clock, DataSource};
//!
//! # async fn example(clock: Arc<dyn Clock>) -> Result<(), Box<dyn std::error::Error>> {
//! let source = AlpacaSource::new(AlpacaClient::new(AlpacaConfig::default(), clock)?);
//! let mut request = BarRequest::new("BTC/USD".parse()?, 336);
//! request.timeframe = Some("1h".parse()?);
//! let answer = source.bars(&request).await?;
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod backfill;
mod client;
mod config;
mod error;
mod http;
mod limiter;
mod market;
mod merge;
mod page;
mod query;
mod refusal;
mod retry;
mod source;
mod stream;
mod timeframes;
mod trading;

pub use backfill::AlpacaBackfill;
pub use client::{AlpacaClient, FetchedBars};
pub use config::{AlpacaConfig, Keys, Limits, RetryPolicy, Timeouts};
pub use error::AlpacaError;
pub use market::{Adjustment, Market, StockFeed};
pub use merge::FetchFigures;
pub use page::{Page, PageError, RawBar, parse_page};
pub use query::BarsQuery;
pub use source::AlpacaSource;
pub use stream::{
    AlpacaFeed, FeedConfig, FrameError, MarketMessage, StreamErrorAction, StreamFigures, StreamLimits,
    StreamSettings, parse_market_frame,
};
pub use trading::{
    AlpacaVenue, LiveConfirmation, OrderError, TimeInForce, TradeMessage, TradingAccount, TradingConfig,
    parse_order, parse_trade_frame,
};
pub use walkforward_core::DataSource;
