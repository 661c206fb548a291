//! Why the engine stops.

use std::ops::Range;

use walkforward_core::{ActionMapError, PolicyError, Quantity, RiskRejection, Timestamp};

/// Why a session, a feature or a run can't go on.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum EngineError {
    /// A setting of the session is out of range.
    #[error("session setting {name} is {value}: expected {expected}")]
    Setting {
        /// Which setting.
        name: &'static str,
        /// What it is.
        value: f64,
        /// What it may be.
        expected: &'static str,
    },
    /// The cash would buy more of the asset than a position can hold.
    #[error(
        "at a price of {price} a cash of {cash} buys more than the 9.2e9 units that a position can hold: start with \
         less cash, or quote the asset in larger units"
    )]
    PriceTooLow {
        /// The lowest price.
        price: f64,
        /// The cash at the start.
        cash: f64,
    },
    /// The action scheme does not fit the market.
    #[error(transparent)]
    Actions(#[from] ActionMapError),
    /// An indicator refused a bar or its period.
    #[error("feature '{column}' failed at the bar of {open_time}: {reason}")]
    Indicator {
        /// First column of the feature.
        column: String,
        /// Start of the bar.
        open_time: Timestamp,
        /// What the indicator said.
        reason: String,
    },
    /// A feature is NaN or infinite.
    #[error("feature '{column}' is {value} at the bar of {open_time}: expected a finite number")]
    NotFinite {
        /// Which column.
        column: String,
        /// Start of the bar.
        open_time: Timestamp,
        /// What it is.
        value: f64,
    },
    /// Two things that belong together have different lengths.
    #[error("{what} has {actual} entries: expected {expected}")]
    Length {
        /// Which thing.
        what: &'static str,
        /// How many it should have.
        expected: usize,
        /// How many it has.
        actual: usize,
    },
    /// A normaliser with a scale that is not above zero, or a number that is not finite.
    #[error("the normaliser's {part} of column {column} is {value}: expected {expected}")]
    Normaliser {
        /// `mean`, `std` or `clip`.
        part: &'static str,
        /// Index of the column.
        column: usize,
        /// What it is.
        value: f32,
        /// What it may be.
        expected: &'static str,
    },
    /// A run over bars that the series does not have.
    #[error("bars {}..{} are asked for: the series has {available}", range.start, range.end)]
    Range {
        /// What is asked for.
        range: Range<usize>,
        /// Bars in the series.
        available: usize,
    },
    /// A fill sells more than the position.
    #[error("the fill sells {wanted}: the position is {held}, and this market does not allow short ones")]
    Oversold {
        /// What it sells.
        wanted: Quantity,
        /// What there is.
        held: Quantity,
    },
    /// A fill for nothing, or with a fee larger than what was bought.
    #[error(
        "the fill is for {quantity} with a fee of {fee} in the asset: expected a quantity above 0 and above the fee"
    )]
    EmptyFill {
        /// Its quantity.
        quantity: Quantity,
        /// Its fee in the asset.
        fee: Quantity,
    },
    /// A checkpoint that no session of this configuration can have come to.
    #[error("the session's {field} was put away as {value}: expected {expected}")]
    Checkpoint {
        /// Which field.
        field: &'static str,
        /// What it is.
        value: String,
        /// What it may be.
        expected: String,
    },
    /// The risk checks refuse the order that waited when the session was put away.
    #[error("the order that waited when the session was put away is refused: {0}")]
    PendingOrder(RiskRejection),
    /// The policy gave an action that its own action map does not have.
    #[error("the policy took action {action}: its action map has {available} actions")]
    UnknownAction {
        /// The action.
        action: u8,
        /// How many there are.
        available: usize,
    },
    /// The policy did not answer.
    #[error("the policy did not answer at bar {bar}: {source}")]
    Policy {
        /// Index of the bar.
        bar: usize,
        /// Why.
        source: PolicyError,
    },
}
