//! One trading session, used unchanged by training, backtest and the live trader: bar -> features -> observation
//! -> action -> order -> fill -> ledger.
//!
//! The principal type is [`TradingSession`]: it fills the order that was decided on the previous bar at the open of
//! the next one, marks the position at the close, and turns a target position into an order that passed the risk
//! checks. [`SessionBatch`] does the same to many sessions at once, to the bit. [`FeatureEngine`] computes what a policy sees, bar by bar; [`run_policy`] is the backtest's bar loop.
//! Nothing here does I/O, reads a clock or draws a random number.
//!
//! ```
//! use walkforward_core::{Bar, Timestamp};
//! use walkforward_engine::{SessionConfig, TradingSession};
//!
//! let at = |hour: i64| Timestamp::from_millis(hour * 3_600_000).ok_or("time");
//! let mut session = TradingSession::new(SessionConfig { fee_bps: 0.0, slippage_bps: 0.0, ..Default::default() })?;
//!
//! session.on_bar(&Bar::flat(at(0)?, 100.0)?, true);
//! session.decide(1.0, at(1)?)?;
//! let outcome = session.on_bar(&Bar::new(at(1)?, 100.0, 110.0, 100.0, 110.0, 1.0)?, true);
//! assert!(outcome.fill.is_some());
//! assert_eq!(outcome.equity, 11_000.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod batch;
mod checkpoint;
mod config;
mod error;
mod features;
mod fill;
mod ledger;
mod observation;
mod run;
mod session;
mod state;

pub use batch::{SessionBatch, SessionStep};
pub use checkpoint::SessionCheckpoint;
pub use config::SessionConfig;
pub use error::EngineError;
pub use features::{FeatureEngine, FeatureMatrix, NormalisedRows, feature_matrix, normalise_row};
pub use fill::FillModel;
pub use ledger::Ledger;
pub use observation::{FeatureWindow, ObservationBuilder, PortfolioView, write_observation};
pub use run::{SessionRecord, continue_policy, continue_target, run_policy, run_target};
pub use session::{BarOutcome, TradingSession};
