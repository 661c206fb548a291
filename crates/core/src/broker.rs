//! Who executes orders.

use async_trait::async_trait;

use crate::{ApprovedOrder, Bar, ErrorKind, Fill};

/// Why a broker did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct BrokerError {
    /// What to do about it.
    pub kind: ErrorKind,
    /// What went wrong.
    pub message: String,
}

/// Executes orders that passed the risk checks.
#[async_trait]
pub trait Broker: Send {
    /// Hands in an order. It replaces nothing: an order that has not filled on the next bar lapses.
    async fn submit(&mut self, order: ApprovedOrder) -> Result<(), BrokerError>;

    /// Fills since the last call. `bar` has just closed; a broker that simulates fills from it.
    async fn fills(&mut self, bar: &Bar) -> Result<Vec<Fill>, BrokerError>;
}
