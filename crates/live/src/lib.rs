//! The live trader as a library: one bar loop that trades the champion of a line, swaps a new one in between two
//! bars, and journals every decision.
//!
//! The principal type is [`Trader`]: handed its options and its ports (feed, broker, clock, champion), it
//! [`run`](Trader::run)s until the feed ends or its [`TraderHandle`] stops it. Short bars become the session's through an
//! [`Assembly`], which closes them by the clock; a [`Desk`] takes each and decides. The loop reads the [`PolicySlot`]
//! once per bar and holds what it read for the whole bar; a [`PointerWatcher`] loads and checks new models outside
//! the loop, and a model that fails a check leaves the old one trading. All that happens is in the [`DecisionJournal`],
//! from which [`recover`] goes on after a crash and [`verify_journal`] runs the session again.
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
mod conditions;
mod control;
mod controls;
mod cost_report;
mod desk;
mod error;
mod execution;
mod explain;
mod feed;
mod follow;
mod guard;
mod intake;
mod journal;
mod limits;
mod market;
mod metrics;
mod options;
mod orders;
mod paper;
mod projection;
mod recorder;
mod shadow;
mod slot;
mod summary;
mod trader;
mod watcher;
mod watchman;

pub use assembly::{Assembly, ClosedBar, ClosingRules, Due, MAX_HOLE_BARS, MAX_WAITING_BARS, Taken};
pub use conditions::{Behaviour, BehaviourError, Command, Condition, ConditionSource, Conditions};
pub use control::{
    ControlClient, ControlServer, EventReader, MAX_CONTROL_CONNECTIONS, MAX_KEPT_EVENTS,
    MAX_SOCKET_PATH_BYTES, SocketError, events_of, remove_dead_socket, socket_note, socket_path,
};
pub use controls::{
    ACKNOWLEDGE_FILE, FLATTEN_FILE, HALT_FILE, SessionProcess, acknowledge_session, halt_session,
    session_process,
};
pub use cost_report::{CostReport, CostTotals, MAX_LISTED_ORDERS, OrderCost, cost_report};
pub use desk::{Closed, Decision, Desk, DeskCheckpoint, NoDecision};
pub use error::LiveError;
pub use execution::{Execution, VenueAccess, VenueFindings, venue_findings};
pub use explain::{
    ActionProbability, BarChoice, BarChoiceError, Explanation, FARTHEST_FEATURES, FeatureDistance,
    LimitCheck, ModelAnswer, OrderFate, PreviousAnswer, Relation, Weights, explain,
};
pub use feed::ReplayedBars;
pub use follow::{
    Advance, FollowError, FollowOptions, Follower, JournalTail, Patience, StoreAccess, Tailed, Tell, follow,
};
pub use guard::{
    BetsCheckpoint, EquityPath, FiguresBasis, Guard, GuardBar, GuardCheckpoint, GuardError, GuardRule,
    GuardSettings, GuardVerdict, ReplayFigures, RuleStanding, Watched,
};
pub use journal::{
    Asked, BarRecord, Checkpoint, DecisionJournal, Difference, EventRecord, Followed, JOURNAL_LIMITS,
    JournalBounds, JournalReader, JournalRecord, MAX_HISTORY_CHUNK, ModelStamp, PAPER, Recovered, Segment,
    SegmentHead, SegmentHeader, SegmentStart, SessionCounts, SessionOrigin, StampedEvent, VerifyReport,
    read_journal, recover, verify_journal, verify_journal_with,
};
pub use limits::{Admitted, GradeCaps, HeldBack, Restriction, RiskDesk, SessionLimits};
pub use metrics::{DECISION_COMPUTE, DECISION_DELAY, FOLLOWERS, JOURNAL_SYNC, TraderMetrics};
pub use options::{FeedTime, Speed, SwapRule, SwapRuleError, TraderOptions, TraderPorts, WatchRules};
pub use orders::{
    Booking, BookingKind, COST_WINDOW, CarryError, CostMeter, DecisionFate, DisasterStop, DriverError,
    DriverMode, ExternalPosition, FillCost, OrderAct, OrderBooks, OrderDecision, OrderDesk, OrderEntry,
    OrderIntent, OrderOutcome, OrderPurpose, OrderRecord, OrderRules, OrderTimes, OrderWarning, ReplayError,
    Skipped, StartRefusal, Stock, VenueAnswer, VenueDriver, VenueTask, VoidReason, carry_out, order_id,
    take_stock,
};
pub use paper::{MAX_PENDING_ORDERS, PaperBroker};
pub use projection::Projector;
pub use shadow::{
    Answer, LedgerCheckpoint, MAX_CHALLENGERS, Shadow, ShadowBar, ShadowCheckpoint, ShadowError, ShadowModel,
    ShadowRole, Succession,
};
pub use slot::{DeployedPolicy, PolicySlot};
pub use summary::{SessionSummary, StopReason};
pub use trader::{CommandRefused, EndRules, KeepStep, Trader, TraderHandle, TraderStatus};
pub use walkforward_core::{BarFeed, Broker, TradingMode};
pub use watcher::{
    ChampionError, ChampionLook, ChampionSource, Confirmed, LineChampion, LookNow, ModelRefused, NoChampion,
    PointerWatcher, WatchOutcome, admit_model,
};
pub use watchman::{Notice, Notify, WATCH_FILE, WatchOptions, WatchReport, Watchman};
