//! A venue: where orders go, and what it says about them.
//!
//! An order has two names. The trader's, [`ClientOrderId`], is decided and written down before the order leaves, so that
//! an order whose answer was lost can be looked up; a venue takes each of them once. The venue's own comes back with
//! the answer. What carries no name that a trader of ours could have given is [`OrderOrigin::External`].
//!
//! Amounts are exact: quantities are billionths read from decimal text, never from a float.

mod decimal;
mod fill;
mod instrument;
mod order;
mod state;
mod submit;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::ErrorKind;

pub use decimal::DecimalError;
pub use fill::VenueFill;
pub use instrument::Instrument;
pub use order::{ClientOrderId, OrderKind, VenueOrder, VenueOrderError};
pub use state::{OrderOrigin, OrderState, OrderStatus, VenueAccount, VenuePosition};
pub use submit::{RejectReason, Rejection, SubmitError};

/// Why a venue did not answer a question.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{message}")]
pub struct VenueError {
    /// What to do about it.
    pub kind: ErrorKind,
    /// What went wrong.
    pub message: String,
}

/// What a venue tells by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VenueUpdate {
    /// Updates come from now on. What happened before is unknown until it is asked for.
    Up,
    /// No updates come until the next [`VenueUpdate::Up`].
    Down {
        /// What ended the connection, for a person.
        reason: String,
    },
    /// An order of the symbol changed.
    Order(OrderState),
    /// An order of the symbol filled, in whole or in part. The same execution may be told twice.
    Fill(VenueFill),
}

/// Executes orders of one symbol in one account. Every question can be asked again; only [`Venue::submit`] does
/// something that can't be taken back.
#[async_trait]
pub trait Venue: Send + Sync {
    /// Hands an order in, once: nothing here tries again. The state is what the venue answers at once, usually
    /// [`OrderStatus::Pending`].
    ///
    /// # Errors
    /// [`SubmitError`] says whether the order is there. After [`SubmitError::Unknown`] ask [`Venue::order`] before
    /// anything else; handing in the same order under the same id stays safe, because the venue takes an id once.
    async fn submit(&self, order: &VenueOrder) -> Result<OrderState, SubmitError>;

    /// The order of this name; `None` when the venue knows none. A request that was lost on the way may still arrive
    /// later, so a `None` right after [`SubmitError::Unknown`] is no proof; that the id can be taken once is.
    ///
    /// # Errors
    /// When the venue does not answer.
    async fn order(&self, id: &ClientOrderId) -> Result<Option<OrderState>, VenueError>;

    /// Asks the venue to end the order of this name and gives the state after that, which need not be final yet; `None`
    /// when the venue knows no such order. An order that is final already stays as it is.
    ///
    /// # Errors
    /// When the venue does not answer.
    async fn cancel(&self, id: &ClientOrderId) -> Result<Option<OrderState>, VenueError>;

    /// All orders of the symbol that may still fill, external ones too, the oldest first.
    ///
    /// # Errors
    /// When the venue does not answer, or there are more than can be read.
    async fn open_orders(&self) -> Result<Vec<OrderState>, VenueError>;

    /// What the account holds of the symbol; nothing held is a position of zero.
    ///
    /// # Errors
    /// When the venue does not answer.
    async fn position(&self) -> Result<VenuePosition, VenueError>;

    /// The account.
    ///
    /// # Errors
    /// When the venue does not answer.
    async fn account(&self) -> Result<VenueAccount, VenueError>;

    /// What the venue takes of the symbol.
    ///
    /// # Errors
    /// When the venue does not answer or does not know the symbol.
    async fn instrument(&self) -> Result<Instrument, VenueError>;

    /// A stream of updates, which connects by itself. One is enough.
    fn updates(&self) -> Box<dyn VenueUpdates>;
}

/// Gives a venue's updates as they come.
#[async_trait]
pub trait VenueUpdates: Send {
    /// The next update; `None` when there are no more. Cancel safe, as [`crate::MarketFeed::next`] is.
    ///
    /// # Errors
    /// When no update can come any more until a person changes something. After that there are no more.
    async fn next(&mut self) -> Result<Option<VenueUpdate>, VenueError>;
}
