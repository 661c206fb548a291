//! What a series of returns and a list of fills say, and how far it can be trusted.
//!
//! - [`ReturnSummary`]: drawdown, Sharpe, tails of per-bar returns. [`TradeSummary`]: win rate, profit per round trip.
//! - One Sharpe ratio: [`probabilistic_sharpe`], [`deflated_sharpe`], [`min_track_record_length`].
//! - Two models on the same bars: [`paired_bootstrap`], with blocks as long as [`BlockLength`] says.
//! - The best of many: [`superior_ability`], [`overfitting_probability`].
//! - Looking while the bars come in: [`EProcess`], [`CurtailedObrienFleming`], [`ELond`].
//!
//! All of them work on plain numbers, so that a backtest, a live session and a notebook compute the same figure in the
//! same way. Undefined is `None`: no statistic is ever NaN or infinite. What is random takes a seed.
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
//!
//! Is a challenger that earns a little more on every other bar better than its champion?
//!
//! ```
//! use walkforward_stats::{BlockBootstrap, BlockScheme, paired_bootstrap};
//!
//! let champion = [0.001; 200];
//! let challenger: Vec<f64> = (0..200).map(|bar| if bar % 2 == 0 { 0.002 } else { 0.001 }).collect();
//! let bootstrap = BlockBootstrap { scheme: BlockScheme::Stationary, mean_block: 6.0, resamples: 999, seed: 1 };
//! let test = paired_bootstrap(&challenger, &champion, &bootstrap)?;
//! assert_eq!(test.p_value, 0.001);
//! assert!(test.lower_95 > 0.0);
//! # Ok::<(), walkforward_stats::Error>(())
//! ```
#![forbid(unsafe_code)]

mod bootstrap;
mod error;
mod normal;
mod numeric;
mod random;
mod returns;
mod selection;
mod sequential;
mod sharpe;
mod trades;

pub use bootstrap::{
    BlockBootstrap, BlockLength, BlockScheme, DEFAULT_HOURLY_BLOCK, MAX_RESAMPLES, MIN_MEAN_BLOCK,
    MIN_RESAMPLES, PairedTest, paired_bootstrap, paired_p_value_is_at_most,
};
pub use error::Error;
pub use normal::exceeded_with;
pub use returns::{DrawdownStats, ReturnSeries, ReturnSummary, TailStats, returns_from_equity};
pub use selection::{
    MAX_OVERFITTING_BLOCKS, MIN_OVERFITTING_TRIALS, Overfitting, ReturnMatrix, SuperiorAbility,
    default_overfitting_blocks, overfitting_probability, superior_ability,
};
pub use sequential::{
    CurtailedObrienFleming, ELond, EProcess, EProcessSettings, EProcessState, MAX_TARGET_SHARPES,
    Qualification,
};
pub use sharpe::{
    DeflatedSharpe, SharpeMoments, Trials, deflated_sharpe, expected_max_z, min_track_record_length,
    probabilistic_sharpe,
};
pub use trades::{
    OpenPosition, RoundTrips, StatFill, Trade, TradeResult, TradeSide, TradeSummary, round_trips,
};
