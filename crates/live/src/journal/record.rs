//! What stands in a journal.

use serde::{Deserialize, Serialize};
use walkforward_core::{
    Action, Asker, Bar, BarError, Fill, Grade, IdError, LineName, ModelId, Order, Quantity, RunId, SessionId,
    Symbol, Target, Timeframe, Timestamp, Window,
};
use walkforward_engine::SessionConfig;

use crate::{
    Behaviour, ClosedBar, ClosingRules, Command, ConditionSource, DeployedPolicy, DeskCheckpoint, HeldBack,
    OrderDesk, OrderRecord, Restriction, SessionLimits, SessionSummary, SwapRule, TraderOptions, TradingMode,
};

/// Where orders go that the engine fills from the bars.
pub const PAPER: &str = "paper";

/// Which model decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelStamp {
    /// Its name.
    pub model_id: ModelId,
    /// SHA-256 of its weights file, lower-case hex.
    pub sha256: String,
    /// Its number in this session, from 1.
    pub model_version: u64,
    /// The grade that its arm had come to.
    pub grade: Option<Grade>,
}

impl From<&DeployedPolicy> for ModelStamp {
    fn from(deployed: &DeployedPolicy) -> Self {
        Self {
            model_id: deployed.model_id.clone(),
            sha256: deployed.sha256.clone(),
            model_version: deployed.model_version,
            grade: deployed.grade,
        }
    }
}

/// Why a segment begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SegmentStart {
    /// A session starts with its cash and nothing else.
    New,
    /// A session goes on in another process, from what the segment before had come to.
    Resumed,
    /// The same process goes on: the segment before was long, or a day old.
    Continued,
}

/// How a session began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionOrigin {
    /// Number of its first segment, from 1: a folder may hold the journals of several sessions.
    pub first_segment: u64,
    /// When that began.
    pub began_at: Timestamp,
}

/// What a session has counted over all its processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SessionCounts {
    /// Bars that were too late to be decided.
    pub missed: u64,
    /// Events that it has told: see [`events_of`](crate::events_of).
    pub events: u64,
}

/// What a session runs under, at the head of each segment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SegmentHeader {
    /// Version of the journal's records.
    pub schema: u32,
    /// The segment's number, from 1.
    pub segment: u64,
    /// Why it begins.
    pub start: SegmentStart,
    /// When it began.
    pub started_at: Timestamp,
    /// Name of the trader's deployment: made with the folder's first segment, kept by all that follow.
    pub deployment: String,
    /// How the session began: kept by all its segments.
    pub session: SessionOrigin,
    /// The line that is traded.
    pub line: LineName,
    /// What is traded.
    pub symbol: Symbol,
    /// Length of the bars.
    pub timeframe: Timeframe,
    /// Length of the feed's bars.
    pub base: Timeframe,
    /// Cash, costs and risk limits.
    pub config: SessionConfig,
    /// What the session may hold and lose.
    pub limits: SessionLimits,
    /// What happens to an open position when the model changes.
    pub swap: SwapRule,
    /// When bars close.
    pub closing: ClosingRules,
    /// Where orders go: [`PAPER`], or the venue's name. Fills on paper are the engine's own, so that they can be made again.
    pub venue: String,
    /// Which of the venue's accounts, as a hash of its id; none on paper and where the venue tells none.
    #[serde(default)]
    pub account: Option<String>,
    /// Bars that are kept to warm up a model that comes later.
    pub kept_bars: usize,
    /// Bars that follow before the first record.
    pub history_bars: u64,
}

impl SegmentHeader {
    /// The version that this code writes and reads.
    pub const SCHEMA: u32 = 3;

    /// The session's name: its deployment and the number of its first segment. It is the same after a restart, and another
    /// where a folder's journal begins a new session.
    ///
    /// # Errors
    /// The deployment's name holds what no session's may, or is too long: never one that a trader has begun with.
    pub fn session_id(&self) -> Result<SessionId, IdError> {
        format!("{}-{}", self.deployment, self.session.first_segment).parse()
    }

    /// Whether fills are the engine's own.
    pub fn is_paper(&self) -> bool {
        self.venue == PAPER
    }

    /// The header of the first segment of a session with `options` over bars of `base` at `venue`, begun at `now`.
    pub fn new(options: &TraderOptions, base: Timeframe, venue: &str, now: Timestamp) -> Self {
        let deployment = options.deployment.clone().unwrap_or_else(|| RunId::at(now).to_string());
        Self {
            schema: Self::SCHEMA,
            segment: 0,
            start: SegmentStart::New,
            started_at: now,
            deployment,
            session: SessionOrigin { first_segment: 0, began_at: now },
            line: options.line.clone(),
            symbol: options.symbol.clone(),
            timeframe: options.timeframe,
            base,
            config: options.session,
            limits: options.limits,
            swap: options.swap,
            closing: options.closing,
            venue: venue.to_owned(),
            account: None,
            kept_bars: options.history_bars,
            history_bars: 0,
        }
    }
}

/// What a session had come to where a segment begins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Ledger, order in flight, limits.
    pub desk: DeskCheckpoint,
    /// The model that decided last.
    pub model: Option<ModelStamp>,
    /// Start of the last bar.
    pub last_bar: Option<Timestamp>,
    /// Bars of the session so far.
    pub bars: u64,
    /// Bars for which a newer model has waited for the position to end.
    #[serde(default)]
    pub waited: u32,
    /// Its orders at the venue; none on paper.
    pub orders: Option<Box<OrderDesk>>,
    /// What it has counted.
    #[serde(default)]
    pub counts: SessionCounts,
}

impl Checkpoint {
    /// A session that begins with `desk`.
    pub fn new(desk: DeskCheckpoint) -> Self {
        let counts = SessionCounts::default();
        Self { desk, model: None, last_bar: None, bars: 0, waited: 0, orders: None, counts }
    }
}

/// What was followed at a bar.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Followed {
    /// The position stays.
    Hold,
    /// A position of this fraction of equity.
    Fraction(f64),
}

impl From<Target> for Followed {
    fn from(target: Target) -> Self {
        match target {
            Target::Hold => Self::Hold,
            Target::Fraction(fraction) => Self::Fraction(fraction),
        }
    }
}

impl From<Followed> for Target {
    fn from(followed: Followed) -> Self {
        match followed {
            Followed::Hold => Self::Hold,
            Followed::Fraction(fraction) => Self::Fraction(fraction),
        }
    }
}

fn is_false(value: &bool) -> bool {
    !value
}

fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// One bar: who saw what, what it decided, what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BarRecord {
    /// Start of the bar.
    pub open_time: Timestamp,
    /// First price.
    pub open: f64,
    /// Highest price.
    pub high: f64,
    /// Lowest price.
    pub low: f64,
    /// Last price.
    pub close: f64,
    /// Traded amount of the base asset.
    pub volume: f64,
    /// Whether the feed has the bar.
    pub present: bool,
    /// The feed's bars that it was made of.
    pub base_bars: usize,
    /// When it was decided.
    pub decided_at: Timestamp,
    /// Whether that was too late: features and ledger took the bar, and nobody decided.
    pub missed: bool,
    /// What the session might do.
    pub mode: TradingMode,
    /// The model that held the slot; none is `no_model`.
    pub model: Option<ModelStamp>,
    /// Bars for which a newer model has waited for the position to end, this one included.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub waited: u32,
    /// Start of the first bar that the features were computed from.
    pub first_history_bar: Option<Timestamp>,
    /// What the model saw, `[obs_dim]`; none while features warm up.
    pub observation: Option<Vec<f32>>,
    /// What it did.
    pub action: Option<Action>,
    /// What limits left of that, or what a limit asked for without a model; none where nothing was followed.
    pub followed: Option<Followed>,
    /// What held the decision back.
    pub held_back: Option<HeldBack>,
    /// The order that follows, to be filled on the next bar.
    pub order: Option<Order>,
    /// Whether it tries again to close a position that its bar was to close already: the limit of orders within an hour has
    /// counted that.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_retry: bool,
    /// Why there is no order or no decision although there should be one.
    pub problem: Option<String>,
    /// Fills of the previous order at this bar's open.
    pub fills: Vec<Fill>,
    /// The purchase that closed a short position which owed all that there was.
    pub liquidation: Option<Fill>,
    /// Cash plus position at the close.
    pub equity: f64,
    /// Cash.
    pub cash: f64,
    /// Position.
    pub position: Quantity,
}

impl BarRecord {
    /// The record of a bar that nobody has decided yet, of a session with `initial_cash` and nothing else.
    pub fn of(closed: &ClosedBar, decided_at: Timestamp, initial_cash: f64) -> Self {
        let ClosedBar { bar, present, base_bars, .. } = *closed;
        Self {
            open_time: bar.open_time(),
            open: bar.open(),
            high: bar.high(),
            low: bar.low(),
            close: bar.close(),
            volume: bar.volume(),
            present,
            base_bars,
            decided_at,
            missed: false,
            mode: TradingMode::Active,
            model: None,
            waited: 0,
            first_history_bar: None,
            observation: None,
            action: None,
            followed: None,
            held_back: None,
            order: None,
            is_retry: false,
            problem: None,
            fills: Vec::new(),
            liquidation: None,
            equity: initial_cash,
            cash: initial_cash,
            position: Quantity::ZERO,
        }
    }

    /// The bar.
    ///
    /// # Errors
    /// The numbers are no bar.
    pub fn bar(&self) -> Result<Bar, BarError> {
        Bar::new(self.open_time, self.open, self.high, self.low, self.close, self.volume)
    }

    /// All fills of the bar, the one that closed a lost position too.
    pub fn all_fills(&self) -> impl Iterator<Item = &Fill> {
        self.fills.iter().chain(&self.liquidation)
    }
}

/// What somebody asked for besides what the session is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Asked {
    /// The session's end.
    Stop,
    /// A look for a new model.
    Reload,
}

/// Something that happened besides the bars.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventRecord {
    /// The session starts without a model and stays flat until one comes.
    NoModel,
    /// From the next bar record on, this model decides.
    Swapped {
        /// The model before; none for the first.
        from: Option<ModelStamp>,
        /// The model from now on.
        to: ModelStamp,
        /// The position that it finds.
        position: Quantity,
        /// Whether that is closed before it decides.
        flatten: bool,
    },
    /// A model was not put in place; the old one goes on.
    Refused {
        /// The model, when the pointer could be read.
        model_id: Option<ModelId>,
        /// Why.
        reason: String,
    },
    /// Somebody said what the session is to do.
    Command {
        /// What.
        command: Command,
        /// Who, where they said so.
        #[serde(default, skip_serializing_if = "Asker::is_unnamed")]
        by: Asker,
    },
    /// Somebody asked for something that changes nothing of what the session is to do.
    Asked {
        /// What.
        what: Asked,
        /// Who, where they said so.
        #[serde(default, skip_serializing_if = "Asker::is_unnamed")]
        by: Asker,
    },
    /// Something about data, model or swap restricts the session from now on, or does no more.
    Condition {
        /// What it is about.
        source: ConditionSource,
        /// What is done about it; none when it has passed.
        behaviour: Option<Behaviour>,
        /// Why.
        reason: String,
    },
    /// A limit was reached. What the bars say brings it about again, so that this is for people.
    Limit {
        /// What the session may do from now on.
        restriction: Restriction,
    },
    /// The venue brought a restriction about: it refused orders, or holds something else than the ledger.
    Restricted {
        /// What the session may do from now on.
        restriction: Restriction,
    },
    /// A champion was taken back, or could not be: what a watch has found.
    Guard {
        /// The model.
        model_id: ModelId,
        /// What, and what was done about it.
        reason: String,
    },
    /// Something that a person should look at, and that changes nothing.
    Warning {
        /// What.
        reason: String,
    },
    /// Bars come.
    FeedUp,
    /// No bars come.
    FeedDown {
        /// Why.
        reason: String,
    },
    /// A bar whose interval had closed has other numbers now; it is not decided again.
    Revised {
        /// Its new numbers.
        bar: Bar,
    },
    /// Bars that were missing could not be asked for.
    NotFetched {
        /// The span.
        span: Window,
        /// Why.
        reason: String,
    },
}

/// An event and when it was noticed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StampedEvent {
    /// When.
    pub at: Timestamp,
    /// What.
    #[serde(flatten)]
    pub event: EventRecord,
}

/// A record of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub enum JournalRecord {
    /// A segment begins.
    Header(Box<SegmentHeader>),
    /// What the session had come to before it.
    Checkpoint(Box<Checkpoint>),
    /// Bars before it, oldest first, which warm features up.
    History {
        /// At most [`crate::MAX_HISTORY_CHUNK`].
        bars: Vec<Bar>,
    },
    /// A bar.
    Bar(Box<BarRecord>),
    /// The last bar again, decided anew because the position moved before its order could leave. What is not about the
    /// decision, and the ledger, stands as it is now.
    Again(Box<BarRecord>),
    /// Something about the orders at a venue.
    Order(Box<OrderRecord>),
    /// Something else.
    Event(StampedEvent),
    /// The process ends the session in order.
    End(Box<SessionSummary>),
}
