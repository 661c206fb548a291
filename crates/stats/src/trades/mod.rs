//! Round trips from fills, and their statistics.

mod fill;
mod round_trip;
mod summary;

pub use fill::StatFill;
pub use round_trip::{OpenPosition, RoundTrips, Trade, TradeResult, TradeSide, round_trips};
pub use summary::TradeSummary;
