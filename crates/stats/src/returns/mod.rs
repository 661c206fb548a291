//! Statistics of per-period simple returns, starting from an equity of 1.

mod bars;
mod drawdown;
mod growth;
mod moments;
mod passes;
mod ratios;
mod series;
mod summary;
mod tail;
mod volatility;

pub use drawdown::DrawdownStats;
pub use series::{ReturnSeries, returns_from_equity};
pub use summary::ReturnSummary;
pub use tail::TailStats;
