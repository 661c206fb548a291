//! What the desk writes down and what it wants done.

use serde::{Deserialize, Serialize};
use walkforward_core::{
    ClientOrderId, Fill, Order, OrderOrigin, OrderSize, OrderStatus, Price, Quantity, Rejection, Side,
    Timestamp, VenueOrder,
};

use super::FillCost;
use crate::Restriction;

/// What an order is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderPurpose {
    /// It follows a decision on a bar.
    Decision,
    /// It waits at the venue behind a position.
    Stop,
}

/// An order as it was decided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrderIntent {
    /// Its name.
    pub id: ClientOrderId,
    /// What it is for.
    pub purpose: OrderPurpose,
    /// Start of the bar that its name comes from.
    pub bar_open: Timestamp,
    /// Its number among the orders of that bar and purpose, from 0.
    pub attempt: u32,
    /// Side and size.
    pub order: Order,
    /// What earlier orders of the same decision have sold of it: a venue has a bound on what one order may be worth.
    #[serde(default)]
    pub sold: Quantity,
    /// Stop and limit of a stop order; none for a market order.
    pub stop: Option<(Price, Price)>,
    /// The price that it was decided at.
    pub price: Price,
    /// When it was written down.
    pub at: Timestamp,
    /// It is not handed in after this.
    pub expires_at: Timestamp,
}

/// Where a booking comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BookingKind {
    /// The venue told the execution.
    Execution,
    /// The venue told how much has filled and at what mean price: the difference to what was booked.
    Derived,
    /// A fee that was estimated was another one. The fill moves the position and no cash: a sale whose proceeds are the
    /// fee, or a purchase whose fee gives back what it costs.
    FeeCorrection,
    /// A part of the position that no order of ours explains, taken over at the last price.
    External,
    /// What was taken over is taken back, at the price of then: the order that explains it has turned up.
    Reversal,
}

/// What goes into the ledger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Booking {
    /// The order that filled; none for what no order explains.
    pub order: Option<ClientOrderId>,
    /// The venue's name of the execution; none for what was derived.
    pub execution_id: Option<String>,
    /// Where it comes from.
    pub kind: BookingKind,
    /// Whether the fee is the declared one, because the venue did not tell it.
    pub is_fee_estimated: bool,
    /// What the ledger takes.
    pub fill: Fill,
}

/// Why an order was never handed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VoidReason {
    /// The position moved while it waited: it was decided for another one.
    PositionMoved,
    /// Its time was over before it could leave.
    Expired,
    /// It was asked to end, or another decision took its place.
    Withdrawn,
    /// The venue would not take the size.
    TooSmall,
}

/// How an order ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderOutcome {
    /// All of it filled.
    Filled,
    /// The venue ended it; some of it may have filled.
    Ended {
        /// The venue's word.
        status: OrderStatus,
        /// More of it.
        reason: Option<String>,
    },
    /// The venue refused it: it is not there.
    Refused(Rejection),
    /// It never reached the venue.
    NotPlaced {
        /// Why.
        reason: String,
    },
    /// It was looked for in vain until its quiet time was over. Should it turn up after all, it is taken up again.
    GivenUp,
    /// It was never handed in.
    Void(VoidReason),
    /// It would have been handed in; this trader only watches.
    Observed,
}

/// Everything that the desk has to remember. What it knows besides, it asks the venue again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum OrderRecord {
    /// An order was decided and may leave.
    Intent(Box<OrderIntent>),
    /// It is about to be handed in, or once more with another size. On the disk before the order leaves.
    Sent {
        /// Which.
        id: ClientOrderId,
        /// When.
        at: Timestamp,
        /// The size that it leaves with: at most what was decided. Earlier versions did not keep it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        size: Option<OrderSize>,
    },
    /// The venue has it.
    Placed {
        /// Which.
        id: ClientOrderId,
        /// When that was known.
        at: Timestamp,
    },
    /// The venue is asked to end it.
    CancelAsked {
        /// Which.
        id: ClientOrderId,
        /// When.
        at: Timestamp,
    },
    /// The ledger took this.
    Booked(Box<Booking>),
    /// It is over.
    Closed {
        /// Which.
        id: ClientOrderId,
        /// How it ended.
        outcome: OrderOutcome,
        /// What it cost, where it filled.
        cost: Option<Box<FillCost>>,
        /// When that was known.
        at: Timestamp,
    },
    /// Ledger and venue agree on the position.
    Confirmed {
        /// The position.
        position: Quantity,
        /// When.
        at: Timestamp,
    },
    /// They don't, and nothing explains it: no order leaves until they do.
    Blocked {
        /// Why, and what to do.
        reason: String,
        /// When.
        at: Timestamp,
    },
    /// The venue does not take orders as small as this, so they are not tried again.
    TooSmall {
        /// Side.
        side: Side,
        /// Of the asset for a sale, of quote currency for a purchase.
        amount: f64,
        /// When.
        at: Timestamp,
    },
    /// What the account's cash was while nothing was under way: from here on what moves it beside the ledger is told.
    CashSeen {
        /// By the venue.
        account: f64,
        /// When.
        at: Timestamp,
    },
}

/// What a person may want to know.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum OrderWarning {
    /// The venue refused an order.
    #[error("order {id} was refused: {rejection}")]
    Refused {
        /// Which.
        id: ClientOrderId,
        /// Why.
        rejection: Rejection,
    },
    /// An order ended before it was filled.
    #[error("order {id} came to nothing or not to all of it: {outcome:?}")]
    Unfilled {
        /// Which.
        id: ClientOrderId,
        /// How it ended.
        outcome: OrderOutcome,
    },
    /// Nobody knows whether the venue has an order.
    #[error("it is not known whether the venue has order {id}: {reason}; it is looked up")]
    InDoubt {
        /// Which.
        id: ClientOrderId,
        /// What happened.
        reason: String,
    },
    /// An answer about an order that makes no sense.
    #[error("order {id}: {what}")]
    Odd {
        /// Which.
        id: ClientOrderId,
        /// What is odd.
        what: String,
    },
    /// Somebody else trades the symbol in the account.
    #[error("an order that is not of this trader trades the symbol in the account: {origin:?}")]
    Foreign {
        /// Its name.
        origin: OrderOrigin,
    },
    /// A position that no order explains.
    #[error("the venue holds {venue}, the ledger {ledger}: {}", if *.is_adopted { "taken over" } else { "refused" })]
    External {
        /// By the ledger.
        ledger: Quantity,
        /// By the venue.
        venue: Quantity,
        /// Whether the ledger takes it over.
        is_adopted: bool,
    },
    /// The stop at the venue sold.
    #[error("the protective stop {id} sold {quantity}")]
    StopFilled {
        /// Which.
        id: ClientOrderId,
        /// How much.
        quantity: Quantity,
    },
    /// There is no stop behind the position.
    #[error("the position has no protective stop: {reason}")]
    Unprotected {
        /// Why.
        reason: String,
    },
    /// The last orders cost much more than the model says.
    #[error("the last {orders} filled orders cost {ratio:.1} times what the cost model says")]
    CostsBeyondModel {
        /// How many.
        orders: usize,
        /// Mean cost over mean modelled cost.
        ratio: f64,
    },
    /// The venue had less cash than an order wanted.
    #[error(
        "the account may spend {spendable:.2}, less than the ledger counts with: purchases are cut to that until it has \
         more; deposit the difference"
    )]
    CashShort {
        /// What it may spend.
        spendable: f64,
    },
    /// A purchase was cut to what the account may spend, and that was too little for the venue.
    #[error(
        "order {id} was for {wanted:.2}, the account may spend {spendable:.2}, and the venue takes no order as small as \
         that: deposit the difference"
    )]
    CutShort {
        /// Which.
        id: ClientOrderId,
        /// What was decided.
        wanted: f64,
        /// What could be spent.
        spendable: f64,
    },
    /// The account's cash is not what it was and what the ledger has booked since.
    #[error(
        "the account's cash has moved by {difference:+.2} beside the ledger since {since}; sales of that time booked {fees:.2} \
         of expected fees: the venue takes others or takes them later, or there was a deposit, a withdrawal or a trade that \
         is not this trader's"
    )]
    CashMoved {
        /// Account less ledger, of what has moved since; quote currency.
        difference: f64,
        /// Expected fees that the ledger booked since, in quote currency.
        fees: f64,
        /// When they were compared last.
        since: Timestamp,
    },
    /// An order that an earlier process left, and that the session may not place any more.
    #[error("order {id}, which an earlier process left, does not leave, or ends: {reason}")]
    NotAllowed {
        /// Which.
        id: ClientOrderId,
        /// Why.
        reason: String,
    },
    /// The venue takes no order that is worth more.
    #[error("the venue takes orders up to {maximum}: what is larger is bought to that, and sold in parts")]
    Capped {
        /// The most that one order may be worth.
        maximum: f64,
    },
    /// Updates don't come.
    #[error("order updates don't come, orders are asked for instead: {reason}")]
    UpdatesDown {
        /// Why.
        reason: String,
    },
}

/// What is to be done, in this order.
#[derive(Debug, Clone, PartialEq)]
pub enum OrderAct {
    /// Append this to the journal.
    Journal(OrderRecord),
    /// Hand this order in; all records so far are on the disk by then.
    Submit(VenueOrder),
    /// Look this order up.
    LookUp(ClientOrderId),
    /// Ask the venue to end this order; all records so far are on the disk by then.
    Cancel(ClientOrderId),
    /// Ask what the account holds of the symbol.
    AskPosition,
    /// Ask for the account.
    AskAccount,
    /// Put this into the session's ledger. Its record came before.
    Book(Booking),
    /// The position moved before the order of this bar could leave: decide the bar's order again, if there is time.
    DecideAgain {
        /// Start of the bar.
        bar_open: Timestamp,
    },
    /// Restrict the session.
    Restrict(Restriction),
    /// Tell a person.
    Warn(OrderWarning),
}
