//! A trainer that is no reinforcement learning: it fits the return of the next bars, and trades when the forecast is
//! worth its costs.
//!
//! 1. Every bar `t` before the split whose label lies before the split too is a row: the observation's features, and
//!    `ln(open[t + 1 + horizon] / open[t + 1])`, what a position decided at its close earns before costs.
//! 2. The model is fitted on the first rows. The last ones, after a gap of one horizon, are the validation slice.
//! 3. On the validation slice a session with the real costs runs for each pair of threshold and hysteresis: long when
//!    `score > threshold`, and as long as `score > threshold - hysteresis`. The pair of largest return is taken when
//!    its mean bar is `min_t` standard errors above 0; else the model never trades.
//! 4. The model is fitted again on all rows, and written with the pair built in.

mod boosting;
mod choice;
mod config;
mod error;
mod histogram;
mod linear;
mod model;
mod rows;
mod trainer;

pub use config::{SupervisedConfig, SupervisedModel};
pub use error::SupervisedError;
pub use trainer::SupervisedTrainer;
