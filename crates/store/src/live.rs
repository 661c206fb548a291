//! Sessions of traders, as their journals tell them.
//!
//! A journal is the truth about a session; these tables are what lists and pages read. A task of the trader's own carries
//! the journal over, record by record and in order, and may die anywhere: the position that it has come to is written in
//! the same transaction as the rows, so that each record counts once, however the journal is cut into batches. Only
//! records that are on the disk should be carried over: what a power failure takes from the journal would stay here.

mod check;
mod project;
mod read;
mod thin;
mod watch;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use walkforward_core::{
    Action, Cash, Fill, LineName, ModelId, Price, Quantity, SessionId, Symbol, Timeframe, Timestamp,
    TradingMode,
};

use crate::NewAct;
use crate::rows::Table;

pub use thin::MAX_LIVE_BARS;
pub use watch::{LiveChallenger, LiveRule, LiveWatch};

/// Most records of one batch.
pub const MAX_LIVE_BATCH: usize = 1_000;
/// Most fills of one record.
pub const MAX_RECORD_FILLS: usize = 64;
/// Fills that are kept of a session, the newest.
pub const MAX_LIVE_FILLS: u64 = 100_000;
/// Swaps and events that are kept of a session, the newest of each.
pub const MAX_LIVE_EVENTS: u64 = 10_000;

/// What a session tells when records of its journal are gone before they were carried over.
pub const JOURNAL_GAP: &str = "journal_gap";
/// What is published when a session lets another model decide.
pub(crate) const MODEL_UPDATED: &str = "live_model_updated";

pub(crate) const SESSIONS: Table = Table { what: "session", name: "live_sessions", command: "live" };

/// A session that begins.
#[derive(Debug, Clone, PartialEq)]
pub struct NewLiveSession {
    /// Its name.
    pub id: SessionId,
    /// Whose models it trades.
    pub line: LineName,
    /// What it trades.
    pub symbol: Symbol,
    /// Length of its bars.
    pub timeframe: Timeframe,
    /// Where its orders go: `paper`, or the venue's name.
    pub venue: String,
    /// Quote currency at its start.
    pub initial_cash: Cash,
    /// When it began.
    pub started_at: Timestamp,
    /// The journal's segment that it begins with, from 1: a folder may hold the journals of several.
    pub first_segment: u64,
}

/// The place of a record in a session's journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct JournalPosition {
    /// Number of the segment, from 1.
    pub segment: u64,
    /// Number of the record in it, from 1; the segment's head is a record too.
    pub record: u64,
}

impl JournalPosition {
    /// Before the first record of a session that begins with this segment.
    pub fn before(first_segment: u64) -> Self {
        Self { segment: first_segment.saturating_sub(1), record: 0 }
    }

    /// Whether `next` comes right after this: the record after, or the first one of a later segment.
    pub fn leads_to(self, next: Self) -> bool {
        match next.segment == self.segment {
            true => self.record > 0 && next.record.checked_sub(1) == Some(self.record),
            false => next.segment > self.segment && next.record == 1,
        }
    }
}

/// What a record of the journal is in the tables.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveRecord {
    /// Its place.
    pub at: JournalPosition,
    /// What it says.
    pub row: LiveRow,
}

/// What a record says.
#[derive(Debug, Clone, PartialEq)]
pub enum LiveRow {
    /// A bar closed, with the fills that it brought.
    Bar {
        /// The bar.
        bar: LiveBar,
        /// Its fills, at most [`MAX_RECORD_FILLS`].
        fills: Vec<LiveFill>,
    },
    /// An order was filled between two bars.
    Fill(LiveFill),
    /// Another model decides.
    Swap(LiveSwap),
    /// Something else that people should see.
    Event(LiveEvent),
    /// Somebody did something to the session: an event, and a row among the acts.
    Act {
        /// The event.
        event: LiveEvent,
        /// The act, which nobody has written down yet.
        act: Box<NewAct>,
    },
    /// The session went on after an end.
    Resumed,
    /// The session ended.
    Ended {
        /// When.
        at: Timestamp,
        /// Why; cut after 4 KiB.
        reason: String,
    },
    /// Nothing of this.
    Nothing,
}

/// A bar of a session.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LiveBar {
    /// Start of the bar.
    pub open_time: Timestamp,
    /// Close price.
    pub close: Price,
    /// The rest of the bar; none where it was carried over by a version that kept closes alone.
    pub candle: Option<LiveCandle>,
    /// Whether it was too late to be decided.
    pub missed: bool,
    /// What the model decided; none where it did not.
    pub action: Option<Action>,
    /// The number of the model that decided.
    pub model_version: Option<u64>,
    /// Cash and position at the close.
    pub equity: Cash,
    /// Quote currency at hand.
    pub cash: Cash,
    /// Amount of the asset held; below zero when short.
    pub position: Quantity,
    /// What the session may do from then on.
    pub mode: TradingMode,
}

/// What a bar was besides its close.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LiveCandle {
    /// First price.
    pub open: Price,
    /// Highest price.
    pub high: Price,
    /// Lowest price.
    pub low: Price,
    /// Traded amount of the asset, zero or more.
    pub volume: f64,
}

/// A fill of a session.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveFill {
    /// The fill.
    pub fill: Fill,
    /// The price that the cost model expected.
    pub expected_price: Option<Price>,
    /// The order's name at the venue; none on paper. At most 128 bytes.
    pub order_id: Option<String>,
    /// The number of the model that wanted it.
    pub model_version: Option<u64>,
}

/// From the next bar on another model decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveSwap {
    /// When.
    pub at: Timestamp,
    /// The model before; none for the first.
    pub from: Option<ModelId>,
    /// The model from now on.
    pub model: LiveModel,
    /// The position at that moment.
    pub position: Quantity,
}

/// A model in a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveModel {
    /// Its name.
    pub model_id: ModelId,
    /// SHA-256 of its weights, lower-case hex.
    pub sha256: String,
    /// Its number in the session, from 1.
    pub model_version: u64,
}

/// Something that happened in a session.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveEvent {
    /// When.
    pub at: Timestamp,
    /// A word for it: lower-case letters, digits and `_`, at most 64.
    pub kind: String,
    /// More about it, an object of at most [`MAX_JSON_BYTES`](crate::MAX_JSON_BYTES).
    pub details: Value,
    /// What the session may do from then on, where that changed.
    pub mode: Option<TradingMode>,
}

/// A session as its journal has come to, as far as it is carried over.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveSession {
    /// Its place among all sessions of the database, from 1.
    pub number: u64,
    /// How it began.
    pub began: NewLiveSession,
    /// When it ended; none while it runs, or when nobody saw its end.
    pub ended_at: Option<Timestamp>,
    /// Why it ended.
    pub end_reason: Option<String>,
    /// The last record that is in the tables.
    pub position_in_journal: JournalPosition,
    /// What it may do.
    pub mode: TradingMode,
    /// Its bars.
    pub bars: u64,
    /// How many of them were too late to be decided.
    pub missed: u64,
    /// Its fills, those that are not kept too.
    pub fills: u64,
    /// How often another model came.
    pub swaps: u64,
    /// Its events.
    pub events: u64,
    /// Start of its last bar.
    pub last_bar: Option<Timestamp>,
    /// Cash and position at the last close.
    pub equity: Cash,
    /// Quote currency at hand then.
    pub cash: Cash,
    /// Amount of the asset held then.
    pub position: Quantity,
    /// Fees so far, in quote currency.
    pub fees: Cash,
    /// Highest equity at a close.
    pub peak_equity: Cash,
    /// Largest fall from it, a positive fraction.
    pub max_drawdown: f64,
    /// The model that decides.
    pub model: Option<LiveModel>,
}

/// A row of a session with its number, which counts from 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Numbered<T> {
    /// Its number.
    pub number: u64,
    /// The row.
    pub row: T,
}
