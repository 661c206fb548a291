//! Measures models: by a backtest over bars that they have not seen, or from metrics that somebody supplied.
//!
//! The principal type is [`BacktestEvaluator`]: it loads a bundle, runs it frozen through the same session that
//! training and the trader use, and computes the [`Metrics`](walkforward_core::Metrics) of the run; or it goes on with a
//! stream, whose session is carried over models and datasets.
//! [`SuppliedMetrics`] takes the backtest's place where a user measured the model elsewhere; the bundle has to load
//! all the same.
//!
//! ```
//! use walkforward_evaluator::SuppliedMetrics;
//!
//! let json = br#"{"winRate": 0.62, "maxDrawdown": 0.12, "pnlPerTrade": 0.04}"#;
//! let supplied = SuppliedMetrics::from_json("metrics.json", json)?;
//! assert_eq!(supplied.win_rate(), 0.62);
//!
//! let error = SuppliedMetrics::from_json("metrics.json", br#"{"winRate": "0.62"}"#).unwrap_err().to_string();
//! assert!(error.contains("metrics.json") && error.contains("winRate"));
//! # Ok::<(), walkforward_evaluator::SuppliedError>(())
//! ```
#![forbid(unsafe_code)]

mod backtest;
mod cancellable;
mod error;
mod mechanical;
mod metrics;
mod sample;
mod stream;
mod supplied;

pub use backtest::{BUY_AND_HOLD, BacktestEvaluator, FLAT};
pub use error::Error;
pub use metrics::measure;
pub use sample::{
    NO_IN_SAMPLE, ONE_TRADE_DECIDES, OPEN_LOSS_LEFT_OUT, ORDERS_CAME_TO_NOTHING, REWARD_UP_PNL_DOWN,
};
pub use supplied::{MAX_SUPPLIED_BYTES, SuppliedError, SuppliedMetrics};
pub use walkforward_core::Evaluator;
