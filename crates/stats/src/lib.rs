//! Performance metrics of a series of returns and statistics of the trades in a list of fills.
//!
//! The principal types are [`ReturnSummary`] (drawdown, Sharpe, tails of per-bar returns) and [`TradeSummary`]
//! (win rate, profit per round trip). Both work on plain numbers, so that a backtest, a live session and a notebook
//! compute the same figure in the same way. Undefined is `None`: no statistic is ever NaN or infinite.
//!
//! ```
//! use walkforward_stats::{ReturnSeries, ReturnSummary, StatFill, TradeSummary, round_trips};
//!
//! let hourly = ReturnSeries::new(&[0.01, -0.02, 0.005], 8_760.0)?;
//! let summary = ReturnSummary::of(&hourly);
//! assert!((summary.max_drawdown.unwrap_or(0.0) - 0.02).abs() < 1e-12);
//! assert_eq!(summary.win_rate, Some(2.0 / 3.0));
//!
//! let buy = StatFill::with_quote_fee(0, 1_000_000_000, 100.0, 0.1)?;
//! let sell = StatFill::with_quote_fee(3_600_000, -1_000_000_000, 103.0, 0.103)?;
//! let trades = TradeSummary::of(&round_trips(&[buy, sell])?);
//! assert_eq!((trades.n_trades, trades.win_rate), (1, Some(1.0)));
//! # Ok::<(), walkforward_stats::Error>(())
//! ```
#![forbid(unsafe_code)]

mod error;
mod numeric;
mod returns;
mod trades;

pub use error::Error;
pub use returns::{DrawdownStats, ReturnSeries, ReturnSummary, TailStats, returns_from_equity};
pub use trades::{
    OpenPosition, RoundTrips, StatFill, Trade, TradeResult, TradeSide, TradeSummary, round_trips,
};
