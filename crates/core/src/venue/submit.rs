//! Why an order was not taken, and whether that is sure.

use serde::{Deserialize, Serialize};

use super::ClientOrderId;

/// What became of an order that was handed in and not confirmed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubmitError {
    /// The venue said no. The order is not there, and the same one would be refused again.
    #[error("the venue refuses the order: {0}")]
    Rejected(Rejection),
    /// The venue has had an order of this name. Look it up: it is either this one, whose answer was lost, or another.
    #[error("the venue has had an order named {id}: look it up")]
    DuplicateId {
        /// The name.
        id: ClientOrderId,
    },
    /// Nobody knows: the order may be there. Look it up before anything else.
    #[error("it is not known whether the venue has the order: {reason}; look it up before anything else")]
    Unknown {
        /// What happened.
        reason: String,
    },
    /// The order is surely not there. The same one may be handed in later.
    #[error("the order did not reach the venue: {reason}")]
    NotPlaced {
        /// What happened.
        reason: String,
        /// How long the venue, or our own rate limit, asks to wait, in milliseconds.
        wait_ms: Option<u64>,
    },
}

/// A venue's no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{message} ({reason:?}, status {status}{})", code.map(|code| format!(", code {code}")).unwrap_or_default())]
pub struct Rejection {
    /// What kind of no.
    pub reason: RejectReason,
    /// HTTP status of the answer.
    pub status: u16,
    /// The venue's own code, where it gave one.
    pub code: Option<u64>,
    /// The venue's words, shortened.
    pub message: String,
}

/// Kinds of refusals, each with something else to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RejectReason {
    /// There is not enough of what the order would give away. The position or the cash is not what was believed.
    InsufficientBalance,
    /// The order is worth less than the venue takes.
    BelowMinimum,
    /// The order is worth more than the venue takes.
    AboveMaximum,
    /// Another order of the account stands on the other side of the market.
    WashTrade,
    /// The symbol does not take this time in force.
    TimeInForce,
    /// The keys are wrong or may not do this.
    NotAuthorised,
    /// The account may not trade.
    AccountBlocked,
    /// The venue does not trade the symbol, or not now.
    Symbol,
    /// The order is malformed.
    Malformed,
    /// None of these; the words say more.
    Other,
}
