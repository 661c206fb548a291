//! How a session is.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Reason;
use crate::{Cash, Grade, IdError, LineName, ModelId, Quantity, SessionId, Symbol, Timeframe, Timestamp};

/// What a session may do, the more of it forbidden the larger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TradingMode {
    /// Everything.
    #[default]
    Active,
    /// Positions may shrink and not grow.
    ReduceOnly,
    /// Nothing, but for closing the position where that was asked for.
    Halted,
}

impl TradingMode {
    /// The word in journals and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::ReduceOnly => "reduce_only",
            Self::Halted => "halted",
        }
    }
}

impl FromStr for TradingMode {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let found = [Self::Active, Self::ReduceOnly, Self::Halted].into_iter().find(|it| it.as_str() == text);
        found.ok_or_else(|| IdError::new("trading mode", text, "active, reduce_only or halted"))
    }
}

impl fmt::Display for TradingMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a session may do less than everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRestriction {
    /// Why.
    pub reason: Reason,
    /// Since when.
    pub since: Timestamp,
    /// When it ends by itself; none until somebody ends it.
    pub until: Option<Timestamp>,
    /// Whether it takes an acknowledgement to end it.
    pub needs_acknowledgement: bool,
}

/// The model that decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadedModel {
    /// Its name.
    pub model_id: ModelId,
    /// SHA-256 of its weights, lower-case hex.
    pub sha256: String,
    /// Its number in this session, from 1.
    pub model_version: u64,
    /// What the line's pointer says of it.
    pub grade: Option<Grade>,
    /// Close of the last bar that it has learned from.
    pub trained_until: Option<Timestamp>,
    /// When a cycle last measured it and kept or promoted it.
    pub confirmed_at: Option<Timestamp>,
}

/// A session as it is behind its last bar.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionStatus {
    /// Which.
    pub session: SessionId,
    /// Whose models it trades.
    pub line: LineName,
    /// What it trades.
    pub symbol: Symbol,
    /// Length of its bars.
    pub timeframe: Timeframe,
    /// Where its orders go: `paper`, or the venue's name.
    pub venue: String,
    /// When it began.
    pub started_at: Timestamp,
    /// What it may do.
    pub mode: TradingMode,
    /// Why not more.
    pub restriction: Option<SessionRestriction>,
    /// Bars that it has closed.
    pub bars: u64,
    /// How many of them were too late to be decided.
    pub missed: u64,
    /// Start of the last one.
    pub last_bar: Option<Timestamp>,
    /// Cash and position at the last close.
    pub equity: Cash,
    /// Quote currency at hand.
    pub cash: Cash,
    /// Amount of the asset held; below zero when short.
    pub position: Quantity,
    /// The position at the last close.
    pub position_value: Cash,
    /// The model that decides; none while there is none.
    pub model: Option<LoadedModel>,
    /// Orders whose end is not known.
    pub open_orders: u32,
    /// Whether bars come.
    pub is_feed_up: bool,
    /// When the newest one came.
    pub last_data_at: Option<Timestamp>,
    /// Number of the last event; 0 before the first.
    pub last_event: u64,
}
