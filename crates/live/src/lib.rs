//! The live trader as a library: one bar loop that trades the champion of a line, swaps a new one in between two
//! bars, and journals every decision.
//!
//! The principal type is [`Trader`]: handed its options and its ports (feed, broker, clock, champion), it
//! [`run`](Trader::run)s until the feed ends or its [`TraderHandle`] stops it. The loop reads the [`PolicySlot`]
//! once per bar and holds what it read for the whole bar; a [`PointerWatcher`] loads and checks new models outside
//! the loop, and a model that fails a check leaves the old one trading. [`replay_journal`] decides a recorded
//! session again.
//!
//! ```
//! # use walkforward_core::{ApprovedOrder, Bar, Order, OrderSize, Quantity, RiskLimits, Side, Cash, Timestamp};
//! use walkforward_core::Broker;
//! use walkforward_engine::{FillModel, SessionConfig};
//! use walkforward_live::PaperBroker;
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let time = Timestamp::from_millis(0).ok_or("time")?;
//! let order = Order { side: Side::Buy, size: OrderSize::Notional(Cash::new(50.0)?), decided_at: time };
//! let order = RiskLimits::default().approve(order, Cash::new(100.0)?, Quantity::ZERO)?;
//!
//! let mut broker = PaperBroker::new(FillModel::new(&SessionConfig::default()));
//! broker.submit(order).await?;
//! assert_eq!(broker.fills(&Bar::flat(time, 10.0)?).await?.len(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).map_err(|error| error.to_string())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod assembly;
mod bar_loop;
mod desk;
mod error;
mod grid;
mod journal;
mod limits;
mod market;
mod options;
mod paper;
mod replay;
mod slot;
mod summary;
mod trader;
mod watcher;

pub use assembly::{Assembly, ClosedBar, ClosingRules, Due, MAX_WAITING_BARS, Taken};
pub use desk::{Closed, Decision, Desk, NoDecision};
pub use error::LiveError;
pub use grid::{BarGrid, GridBar, GridBars, MAX_HOLE_BARS, SkippedBar};
pub use journal::{
    BarRecord, DecisionJournal, EventRecord, JOURNAL_LIMITS, JournalReader, JournalRecord, ModelStamp,
    SessionHeader, read_journal,
};
pub use limits::{Admitted, GradeCaps, HeldBack, Restriction, RiskDesk, SessionLimits, TradingMode};
pub use options::{Speed, TraderOptions, TraderPorts};
pub use paper::{MAX_PENDING_ORDERS, PaperBroker};
pub use replay::{ReplayMismatch, ReplayReport, replay_journal, replay_journal_with};
pub use slot::{DeployedPolicy, PolicySlot};
pub use summary::{SessionSummary, StopReason};
pub use trader::{Trader, TraderHandle, TraderStatus};
pub use walkforward_core::{BarFeed, Broker};
pub use watcher::{
    ChampionError, ChampionLook, ChampionSource, ModelRefused, NoChampion, PointerWatcher, WatchOutcome,
};
