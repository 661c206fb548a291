//! When stock markets are open: the rules of US equities, and sessions from a file for any other market.

mod file;
mod us_equities;

pub use file::{SessionClock, read_sessions};
pub use us_equities::{US_EQUITY_YEARS, us_equities};
