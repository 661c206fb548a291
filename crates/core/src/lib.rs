//! The vocabulary of walkforward: what a bar, a window, a dataset, a policy, an order, a verdict is, and the
//! traits at which the stages of a cycle meet.
//!
//! Nothing here does I/O, reads a clock or draws a random number. The principal types are [`BarSeries`] (what
//! every stage reads), [`Dataset`] (what ETL hands to training and evaluation), [`PolicySpec`] (everything that a
//! policy needs besides its weights) and [`Verdict`] (what a gate answers).
//!
//! ```
//! use walkforward_core::{Bar, BarSeries, Timeframe, Timestamp};
//!
//! let hour: Timeframe = "1h".parse()?;
//! let start: Timestamp = "2024-01-01T00:00:00Z".parse()?;
//! let mut bars = BarSeries::new(hour);
//! bars.push(Bar::new(start, 100.0, 102.0, 99.0, 101.0, 3.5)?)?;
//! assert_eq!(bars.bar(0).close_time(hour).to_string(), "2024-01-01T01:00:00.000Z");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod actions;
mod aggregate;
mod bar;
mod broker;
mod calendar;
mod clock;
mod control;
mod coverage;
mod dataset;
mod evaluation;
mod features;
mod feed;
mod gate;
mod ids;
mod network;
mod order;
mod policy;
mod quality;
pub mod risk;
mod series;
mod source;
mod stage;
mod stream;
mod symbol;
mod time;
mod timeframe;
mod training;
mod units;
mod venue;
mod window;

pub use actions::{Action, ActionMap, ActionMapError, MarketRules, SizedTargets, Target};
pub use aggregate::{AggregateError, AggregateRule, Aggregator, LongerBar, LongerBars, aggregate};
pub use bar::{Bar, BarError};
pub use broker::{Broker, BrokerError};
pub use calendar::{CalendarError, MarketCalendar, SessionCalendar};
pub use clock::{Clock, ManualClock};
pub use control::{
    Asker, ControlCommand, ControlError, ControlReply, ControlRequest, LoadedModel, MAX_CONTROL_LINE_BYTES,
    NumberedEvent, Reason, ReasonError, SessionControl, SessionEvent, SessionEvents, SessionRestriction,
    SessionStatus, TradingMode,
};
pub use coverage::{Coverage, CoverageStretch, Hole, MAX_COVERAGE_HOLES, MAX_COVERAGE_STRETCHES};
pub use dataset::{Dataset, DatasetBuilder, DatasetRequest, GapKind};
pub use evaluation::{
    EvaluationReport, EvaluationWarning, Evaluator, Execution, FillRule, MechanicalCheck, Metrics,
    SampleFigures, SuppliedBy, TradeRecord, named_shares,
};
pub use features::{Feature, FeatureKind, FeatureSpec, FeatureSpecError, Normalisation};
pub use feed::{Backfill, FeedEvent, MarketFeed};
pub use gate::{Comparison, Evidence, Gate, GateCheck, Judgement, Outcome, Verdict};
pub use ids::{IdError, LineName, ModelId, ModelRef, RunId, SessionId};
pub use network::{Activation, NetworkSpec};
pub use order::{Fill, Order, OrderSize, Side};
pub use policy::{Normaliser, Observation, Policy, PolicyError, PolicySpec, Probe};
pub use quality::{QualityFigures, QualityReport, RejectedRow};
pub use risk::{ApprovedOrder, Holdings, RiskLimits, RiskRejection};
pub use series::{BarColumns, BarSeries, SeriesError};
pub use source::{AbsentMeans, BarFeed, BarRequest, BaseBars, DataSource, SourceBars, SourceError};
pub use stage::{
    CancelToken, ErrorKind, NoProgress, Pace, Progress, ProgressUpdate, Stage, StageContext, StageError,
};
pub use stream::{
    ArmId, Continued, Grade, Grading, Horizon, PromotionClass, StreamEvidence, StreamRequest, StreamStretch,
};
pub use symbol::{Symbol, SymbolError};
pub use time::{TimeError, Timestamp};
pub use timeframe::{Timeframe, TimeframeError};
pub use training::{Launcher, Trainer, TrainingJob, TrainingOutcome};
pub use units::{Cash, Price, Quantity, UnitError};
pub use venue::{
    ClientOrderId, DecimalError, Instrument, OrderKind, OrderOrigin, OrderState, OrderStatus, RejectReason,
    Rejection, SubmitError, Venue, VenueAccount, VenueError, VenueFill, VenueOrder, VenueOrderError,
    VenuePosition, VenueUpdate, VenueUpdates,
};
pub use window::{Window, WindowError};
