//! Gates: what decides whether a candidate may replace the champion.
//!
//! A gate is a pure function from [`Evidence`](walkforward_core::Evidence) to a
//! [`Verdict`](walkforward_core::Verdict). The principal type is [`ThresholdsGate`], the preset `thresholds`: win
//! rate, drawdown and profit per trade against fixed bounds.
//!
//! ```
//! use walkforward_promoter::ThresholdsGate;
//!
//! let gate = ThresholdsGate::default();
//! assert_eq!((gate.min_win_rate(), gate.max_drawdown(), gate.min_pnl_per_trade()), (0.55, 0.2, 0.0));
//! assert!(ThresholdsGate::new(f64::NAN, 0.2, 0.0).is_err());
//! ```
#![forbid(unsafe_code)]

mod checks;
mod thresholds;

pub use thresholds::{ThresholdError, ThresholdsGate};
pub use walkforward_core::Gate;
