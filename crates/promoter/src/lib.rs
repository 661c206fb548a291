//! Gates: what decides whether a candidate may replace the champion.
//!
//! A gate is a pure function from [`Evidence`](walkforward_core::Evidence) to a
//! [`Verdict`](walkforward_core::Verdict). There are two presets:
//!
//! - [`EvidenceGate`], `evidence`: an arm earns a grade on its stream ([`Standing`], [`Meter`]), and snapshots of a graded
//!   arm pass by cheap checks. All its numbers are [`EvidenceRules`].
//! - [`ThresholdsGate`], `thresholds`: win rate, drawdown and profit per trade of one backtest against fixed bounds.
//!
//! ```
//! use walkforward_promoter::ThresholdsGate;
//!
//! let gate = ThresholdsGate::default();
//! assert_eq!((gate.min_win_rate(), gate.max_drawdown(), gate.min_pnl_per_trade()), (0.55, 0.2, 0.0));
//! assert!(ThresholdsGate::new(f64::NAN, 0.2, 0.0).is_err());
//! ```
//!
//! How far has an arm come that gained on every third bar of 20 days?
//!
//! ```
//! use walkforward_core::Grade;
//! use walkforward_promoter::{EvidenceRules, LedgerSeries, MarketPace, SequentialTest, Standing};
//!
//! let rules = EvidenceRules::default();
//! let pace = MarketPace::new(24.0, 8_760.0)?;
//! let gains: Vec<f64> = (0..480).map(|bar| if bar % 3 == 0 { 0.004 } else { -0.001 }).collect();
//!
//! let standing = Standing::of_series(&LedgerSeries::of(&gains, pace), &rules)?;
//! assert_eq!((standing.look_bars, standing.grade), (Some(480), Some(Grade::Screened)));
//!
//! // The sequential part alone, with a test registered over a year of bars at level 0.05.
//! let mut test = SequentialTest::registered(pace, rules.horizon_bars(pace), 0.05, &rules)?;
//! for gain in &gains {
//!     test.push(*gain)?;
//! }
//! assert!(test.standing().qualified_at.is_none());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod checks;
mod evidence;
mod holdout;
mod thresholds;

pub use evidence::{
    Chance, Decider, ErrorBudget, EvidenceGate, EvidenceRules, EvidenceSettings, ExplicitRails, Gap, Holding,
    LedgerError, LedgerSeries, Levels, Looks, MarketPace, Meter, NextGrade, Outlook, OwnAnchor, Recent,
    RulesError, Sequential, SequentialTest, Shortfall, Standing, TrackRecord, TrialVariance, TrialsOf,
    grade_for_takeover,
};
pub use thresholds::{ThresholdError, ThresholdsGate};
pub use walkforward_core::Gate;
