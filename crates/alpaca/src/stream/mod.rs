//! Streams: one connection at a time, kept up for weeks.
//!
//! A [`Protocol`] is what a service says over its socket, as a pure state machine: frames in, acts out. A
//! [`Connection`] is everything else, the same for each of them: connecting, timers, pings, growing waits, bounds.

mod config;
mod connection;
mod figures;
mod market;
mod protocol;
mod watch;

pub(crate) use config::stream_url;
pub use config::{StreamLimits, StreamSettings};
pub(crate) use connection::{Connection, Driver, Signal};
pub use figures::StreamFigures;
pub(crate) use figures::{StreamCounters, count};
pub(crate) use market::is_symbol;
pub use market::{AlpacaFeed, FeedConfig, MarketMessage, StreamErrorAction, parse_market_frame};
pub(crate) use protocol::{Act, Protocol};

/// Why a frame is nothing that a stream says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a frame that is no message: {reason}")]
pub struct FrameError {
    pub(crate) reason: String,
}

impl FrameError {
    pub(crate) fn new(reason: impl std::fmt::Display) -> Self {
        Self { reason: crate::refusal::one_line(&reason.to_string()) }
    }
}
