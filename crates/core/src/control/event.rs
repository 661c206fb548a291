//! What a session tells by itself.

use serde::{Deserialize, Serialize};

use super::{LoadedModel, Reason, TradingMode};
use crate::{Action, Bar, Cash, Fill, ModelId, Order, Quantity, Timestamp};

/// An event with its place among all of a session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NumberedEvent {
    /// Its number, from 1, without holes.
    pub seq: u64,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub event: SessionEvent,
}

/// What happened in a session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum SessionEvent {
    /// A bar closed.
    Bar {
        /// The bar.
        bar: Bar,
        /// Whether it was too late to be decided.
        missed: bool,
        /// What the model decided; none where it did not.
        action: Option<Action>,
        /// The order that follows.
        order: Option<Order>,
        /// Cash and position at the close.
        equity: Cash,
        /// Amount of the asset held.
        position: Quantity,
    },
    /// An order was filled, in whole or in part.
    Fill {
        /// The fill.
        fill: Fill,
    },
    /// From the next bar on another model decides.
    ModelLoaded {
        /// The model before; none for the first.
        from: Option<ModelId>,
        /// The model from now on.
        to: LoadedModel,
    },
    /// A model was not put in place; the one before goes on.
    ModelRefused {
        /// The model, where the pointer could be read.
        model_id: Option<ModelId>,
        /// Why.
        reason: Reason,
    },
    /// The session may do more or less than before.
    Mode {
        /// What it may do now.
        mode: TradingMode,
        /// Why.
        reason: Reason,
    },
    /// Bars come, or come no more.
    Feed {
        /// Whether they come.
        is_up: bool,
        /// What ended them.
        reason: Option<Reason>,
    },
    /// Something that a person should look at.
    Warning {
        /// What.
        reason: Reason,
    },
    /// The session has ended; nothing comes after this.
    Ended {
        /// Why.
        reason: Reason,
    },
    /// An event of a newer version.
    #[serde(other)]
    Other,
}
