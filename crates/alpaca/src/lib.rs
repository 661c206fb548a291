//! Historical bars of crypto and stocks from Alpaca's market data service.
//!
//! The principal types are [`AlpacaClient`], which asks for the bars of several symbols and follows the pages of the
//! answer to their end, and [`AlpacaSource`], a [`DataSource`] made of it. Crypto needs
//! no keys, stocks do; they are handed in as [`Keys`] and appear in no log and no error.
//!
//! What the service can do to a caller is bounded: attempts, waiting, pages, bytes of a page and bars
//! ([`RetryPolicy`], [`Limits`]). What may go away by itself is asked again (429, 5xx, timeouts, cut or foreign
//! bodies); what can't is an error that names the request and what to do.
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
mod timeframes;

pub use client::{AlpacaClient, FetchedBars};
pub use config::{AlpacaConfig, Keys, Limits, RetryPolicy, Timeouts};
pub use error::AlpacaError;
pub use market::{Adjustment, Market, StockFeed};
pub use merge::FetchFigures;
pub use page::{Page, PageError, RawBar, parse_page};
pub use query::BarsQuery;
pub use source::AlpacaSource;
pub use walkforward_core::DataSource;
