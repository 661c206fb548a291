//! Orders at a venue: each once, whatever is lost on the way.
//!
//! [`OrderDesk`] is a state machine without clock, network or file. It is told what was decided and what the venue
//! answers, and says what to do as [`OrderAct`]s, whose order is binding: the record of an order comes before the order,
//! and [`carry_out`] brings it to the disk in between. All that the desk has to remember is in its [`OrderRecord`]s:
//! [`OrderDesk::replay`] makes the same desk of them again. [`VenueDriver`] asks the venue and gives back its answers.
//!
//! An order has a name that follows from the bar that it was decided on, so that a trader that was killed gives it the
//! same name again, and a venue takes each name once. While nobody knows whether the venue has an order, the desk looks
//! it up; only when it is not there is the same one handed in again, within its time to live.
//!
//! What an order has filled is booked up to the venue's own figure and no further: executions that come twice, late or
//! out of order change nothing, and what the stream lost is booked as the difference at the mean price. After each order
//! the position is compared with the venue's; fees that could only be estimated are corrected by the difference, and a
//! difference that nothing explains is [`ExternalPosition`]'s to decide.

mod carry;
mod cost;
mod desk;
mod driver;
mod entry;
mod fees;
mod id;
mod record;
mod rules;
mod start;
mod state;

pub use carry::{CarryError, OrderBooks, carry_out};
pub use cost::{COST_WINDOW, CostMeter, FillCost};
pub(crate) use cost::{Executed, expected_price};
pub(crate) use desk::Unsellable;
pub use desk::{DecisionFate, OrderDecision, OrderDesk, Skipped};
pub use driver::{DriverError, DriverMode, VenueAnswer, VenueDriver, VenueTask};
pub use entry::OrderEntry;
pub use id::order_id;
pub use record::{
    Booking, BookingKind, OrderAct, OrderIntent, OrderOutcome, OrderPurpose, OrderRecord, OrderWarning,
    VoidReason,
};
pub use rules::{DisasterStop, ExternalPosition, OrderRules, OrderTimes};
pub use start::{StartRefusal, Stock, take_stock};
pub use state::ReplayError;
pub(crate) use state::cash_flow;
