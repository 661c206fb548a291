//! The desk: what it is told, and who in it takes that.

mod answers;
mod cash;
mod confirm;
mod decide;
mod protect;
mod pursue;

use serde::{Deserialize, Serialize};
use walkforward_core::{
    Cash, ClientOrderId, Instrument, Order, OrderSize, Price, Quantity, RejectReason, Rejection, Side,
    Timestamp,
};

use super::driver::VenueAnswer;
use super::entry::OrderEntry;
use super::rules::MAX_WAIT_MS;
use super::state::{DeskState, ReplayError};
use super::{
    Booking, CostMeter, FillCost, OrderAct, OrderIntent, OrderOutcome, OrderPurpose, OrderRecord, OrderRules,
    OrderWarning, VoidReason,
};
use crate::{LiveError, Restriction, TradingMode};

use cash::CashQuestion;
use confirm::PositionWatch;
pub use decide::{DecisionFate, OrderDecision, Skipped};
use pursue::Pursuits;

/// Decides what leaves for the venue, and books what comes of it.
///
/// Serialised, it is all that a crash must not take: questions under way are not part of it, because after a start
/// everything that is not over is asked for again ([`OrderDesk::reconcile`]).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OrderDesk {
    pub(super) rules: OrderRules,
    pub(super) state: DeskState,
    #[serde(skip)]
    pub(super) hand: AtHand,
}

/// What the desk knows of the venue at the moment.
#[derive(Debug, Clone, Default)]
pub(super) struct AtHand {
    pub(super) pursuits: Pursuits,
    pub(super) position: PositionWatch,
    /// Newest price of the market, and when it was one.
    price: Option<(Price, Timestamp)>,
    /// The most that a part of the bar's sale is for, where the venue has found one too large: half of that.
    pub(super) most_sold: Option<Quantity>,
    /// Parts of the decision that the venue has found too large.
    pub(super) halvings: u32,
    /// Whether the venue has taken a part since the last one that it found too large.
    pub(super) is_part_taken: bool,
    are_updates_up: bool,
    /// No stop is handed in before this.
    stop_due: Option<Timestamp>,
    /// The foreign order that a person was last told of, by the venue's name.
    last_foreign: Option<String>,
    /// What the account may spend, where it has less than the ledger counts with: no purchase is for more.
    pub(super) spendable: Option<Cash>,
    /// Whether a purchase was refused, or found to be too much at the start, for want of cash.
    is_cash_asked: bool,
    /// Whether a person was told of that.
    is_short_told: bool,
    /// Whether a person was told that the venue bounds orders.
    is_cap_told: bool,
    /// Whether a person was told that the stop can't be as large as the position.
    is_stop_cap_told: bool,
    /// Whether the venue may take sizes now that it has refused before: its rules have changed.
    pub(super) are_rules_new: bool,
    cash: CashQuestion,
}

/// Desks are the same when they keep to the same and remember the same.
impl PartialEq for OrderDesk {
    fn eq(&self, other: &Self) -> bool {
        self.rules == other.rules && self.state == other.state
    }
}

impl OrderDesk {
    /// A desk without orders whose ledger holds `position`.
    ///
    /// # Errors
    /// A rule is out of range.
    pub fn new(rules: OrderRules, position: Quantity) -> Result<Self, LiveError> {
        rules.validate()?;
        let state = DeskState { position, estimated_fees: Some(0.0), ..DeskState::default() };
        Ok(Self { rules, state, hand: AtHand::default() })
    }

    /// Takes a record that an earlier desk wrote, the oldest first. Before anything else is done,
    /// [`reconcile`](Self::reconcile) asks the venue.
    ///
    /// # Errors
    /// The record does not follow from those before it.
    pub fn replay(&mut self, record: &OrderRecord) -> Result<(), ReplayError> {
        self.state.apply(record)
    }

    /// The same desk under other rules. What it has come to stays.
    ///
    /// # Errors
    /// A rule is out of range.
    pub fn with_rules(mut self, rules: OrderRules) -> Result<Self, LiveError> {
        rules.validate()?;
        let are_rules_new = self.hand.are_rules_new || rules.instrument != self.rules.instrument;
        self.state.estimated_fees.get_or_insert(0.0);
        Ok(Self { rules, hand: AtHand { are_rules_new, ..self.hand }, ..self })
    }

    /// Compares what it remembers with what `recorded` does, whatever their rules are; what differs.
    pub(crate) fn same_orders(&self, recorded: &Self) -> Result<(), String> {
        let ours = self.state.as_kept_by(&recorded.state);
        match ours == recorded.state {
            true => Ok(()),
            false => Err(format!("its orders are {:?}, and the session comes to {ours:?}", recorded.state)),
        }
    }

    /// What it keeps to.
    pub fn rules(&self) -> &OrderRules {
        &self.rules
    }

    /// What the venue takes, and of a purchase no more than the account can pay where that is less than was believed.
    pub(super) fn bounds(&self) -> Instrument {
        let instrument = self.rules.instrument;
        let most = [instrument.maximum_notional, self.hand.spendable].into_iter().flatten();
        let maximum_notional = most.reduce(|a, b| if b < a { b } else { a });
        Instrument { maximum_notional, ..instrument }
    }

    /// Whether the ledger can take `booking`; one that it could not stands only in journals of earlier versions.
    pub(crate) fn takes(&self, booking: &Booking) -> bool {
        self.state.takes(&booking.fill)
    }

    /// The last order of a decision, and its bar; none when there was none or it is forgotten.
    pub(crate) fn last_decision(&self) -> Option<(Timestamp, Order)> {
        let entries = self.state.open.iter().rev().chain(self.state.closed.iter().rev());
        let decisions = entries.filter(|entry| entry.intent.purpose == OrderPurpose::Decision);
        let last = decisions.max_by_key(|entry| (entry.intent.bar_open, entry.intent.attempt))?;
        Some((last.intent.bar_open, last.intent.order))
    }

    /// The position by the bookings.
    pub fn position(&self) -> Quantity {
        self.state.position
    }

    /// Orders that are not over.
    pub fn open_orders(&self) -> &[OrderEntry] {
        &self.state.open
    }

    /// The order of this name, as long as it is remembered.
    pub fn order(&self, id: &ClientOrderId) -> Option<&OrderEntry> {
        self.state.entry(id)
    }

    /// Whether no order of the bar loop is under way or waits, and ledger and venue agree.
    pub fn is_settled(&self) -> bool {
        let has_order = self.state.open.iter().any(|entry| entry.intent.purpose == OrderPurpose::Decision);
        !has_order && !self.state.is_unconfirmed && self.state.blocked.is_none()
    }

    /// Why no order leaves; none when orders may.
    pub fn blocked(&self) -> Option<&str> {
        self.state.blocked.as_deref()
    }

    /// What the last orders cost.
    pub fn costs(&self) -> &CostMeter {
        &self.state.costs
    }

    /// Takes a price of the market, that of the moment `at`; none that is older than the one that is known. Positions are
    /// taken over at it, and parts of a sale are as large as it allows.
    pub fn mark(&mut self, price: Price, at: Timestamp) {
        if self.hand.price.is_none_or(|(_, known_at)| known_at <= at) {
            self.hand.price = Some((price, at));
        }
    }

    /// The newest price of the market.
    pub(super) fn price(&self) -> Option<Price> {
        self.hand.price.map(|(price, _)| price)
    }

    /// Takes what the venue answered or told.
    pub fn answer(&mut self, answer: VenueAnswer, now: Timestamp, acts: &mut Vec<OrderAct>) {
        match answer {
            VenueAnswer::Submitted { id, result } => self.submitted(&id, result, now, acts),
            VenueAnswer::LookedUp { id, result } => self.looked_up(&id, result, now, acts),
            VenueAnswer::Canceled { id, result } => self.canceled(&id, result, now, acts),
            VenueAnswer::Position(result) => self.position_told(result, now, acts),
            VenueAnswer::Account(result) => self.account_told(result, now, acts),
            VenueAnswer::Update(update) => self.update(update, now, acts),
            VenueAnswer::UpdatesOver { reason } => self.updates_down(reason, acts),
            VenueAnswer::Observed { id } => self.close(&id, OrderOutcome::Observed, now, acts),
        }
        self.advance(now, acts);
    }

    /// Does what is due. Call it at [`deadline`](Self::deadline), or more often.
    pub fn tick(&mut self, now: Timestamp, acts: &mut Vec<OrderAct>) {
        self.advance(now, acts);
    }

    /// Ends the bar loop's orders: one that waits does not leave, one that is open is ended at the venue. The position is
    /// compared with the venue's once more: called at every bar, it finds what others did while updates did not come.
    pub fn cancel(&mut self, now: Timestamp, acts: &mut Vec<OrderAct>) {
        self.end_decisions(false, now, acts);
        self.hand.position.want();
        self.advance(now, acts);
    }

    /// As [`cancel`](Self::cancel), of purchases alone: what gets out of a position goes on.
    pub fn cancel_purchases(&mut self, now: Timestamp, acts: &mut Vec<OrderAct>) {
        self.end_decisions(true, now, acts);
        self.advance(now, acts);
    }

    /// As these two, before [`reconcile`](Self::reconcile): what an earlier process left and this one may not go on with
    /// ends before anything leaves. `reason` is told.
    pub fn forbid(&mut self, only_purchases: bool, reason: &str, now: Timestamp, acts: &mut Vec<OrderAct>) {
        for id in self.end_decisions(only_purchases, now, acts) {
            acts.push(OrderAct::Warn(OrderWarning::NotAllowed { id, reason: reason.to_owned() }));
        }
    }

    /// Ends the bar loop's orders, or its purchases; which.
    fn end_decisions(
        &mut self,
        only_purchases: bool,
        now: Timestamp,
        acts: &mut Vec<OrderAct>,
    ) -> Vec<ClientOrderId> {
        let is_meant = |entry: &&OrderEntry| {
            let OrderIntent { purpose, order, .. } = &entry.intent;
            *purpose == OrderPurpose::Decision && (!only_purchases || order.side == Side::Buy)
        };
        let ended = self.state.open.iter().filter(is_meant);
        let ended: Vec<_> = ended.map(|entry| entry.intent.id.clone()).collect();
        for id in &ended {
            match self.state.open(id).is_some_and(OrderEntry::is_waiting) {
                true => self.close(id, OrderOutcome::Void(VoidReason::Withdrawn), now, acts),
                false => self.ask_end(id, now, acts),
            }
        }
        ended
    }

    /// When [`tick`](Self::tick) may have something to do; none while nothing is open.
    pub fn deadline(&self, now: Timestamp) -> Option<Timestamp> {
        let patience = self.rules.times.patience_ms;
        let pursued = self.state.sent().map(|entry| self.hand.pursuits.deadline(&entry.intent.id, patience));
        let waits = self.state.waiting().map(|entry| entry.intent.expires_at);
        let wants_position = self.wants_position() && self.is_quiet();
        let position = wants_position.then(|| self.hand.position.deadline(patience));
        let stop = self.hand.stop_due.filter(|_| self.wants_stop());
        let cash = self.wants_cash(now).then_some(now);
        let due = pursued.chain(waits).chain(position).chain(stop).chain(cash).min();
        due.map(|due| if has_come(due, now) { now } else { due })
    }

    fn advance(&mut self, now: Timestamp, acts: &mut Vec<OrderAct>) {
        self.pursue(now, acts);
        self.confirm(now, acts);
        self.release(now, acts);
        self.protect(now, acts);
        self.ask_cash(now, acts);
        // What the two before have ended.
        self.pursue(now, acts);
    }

    /// Remembers `record`, and has it written down.
    pub(super) fn note(&mut self, record: OrderRecord, acts: &mut Vec<OrderAct>) {
        let applied = self.state.apply(&record);
        debug_assert_eq!(applied, Ok(()), "{record:?}");
        if applied.is_ok() {
            acts.push(OrderAct::Journal(record));
        }
    }

    /// Asks the venue to end an order, once.
    pub(super) fn ask_end(&mut self, id: &ClientOrderId, now: Timestamp, acts: &mut Vec<OrderAct>) {
        if self.state.open(id).is_some_and(|entry| !entry.is_canceling) {
            self.note(OrderRecord::CancelAsked { id: id.clone(), at: now }, acts);
            self.hand.pursuits.of(id).due = now;
        }
    }

    /// Ends an order in the books.
    fn close(&mut self, id: &ClientOrderId, outcome: OrderOutcome, now: Timestamp, acts: &mut Vec<OrderAct>) {
        let Some(entry) = self.state.open(id).cloned() else { return };
        let is_stop = entry.intent.purpose == OrderPurpose::Stop;
        // One that the venue has not shown may turn up: its cost is told and counted then.
        let has_cost = !is_stop && entry.placed_at.is_some();
        let cost = FillCost::of(&entry, &self.rules).filter(|_| has_cost).map(Box::new);
        let was_beyond = self.state.costs.is_beyond();
        let record = OrderRecord::Closed { id: id.clone(), outcome: outcome.clone(), cost, at: now };
        self.note(record, acts);
        self.hand.pursuits.forget(id);
        if !entry.filled.is_zero() && self.hand.spendable.take().is_some() {
            // What the account may spend has changed.
            acts.push(OrderAct::AskAccount);
        }
        if self.state.costs.is_beyond() && !was_beyond {
            let ratio = self.state.costs.ratio().unwrap_or_default();
            acts.push(OrderAct::Warn(OrderWarning::CostsBeyondModel { orders: super::COST_WINDOW, ratio }));
        }
        if is_stop {
            // A stop that came to nothing by itself is not replaced at once.
            let came_to_nothing = entry.filled.is_zero() && !entry.is_canceling;
            self.hand.stop_due = came_to_nothing.then(|| now.plus_millis(MAX_WAIT_MS));
        }
        self.tell_end(&entry, outcome, now, acts);
    }

    /// Tells a person of an end that is not the usual one.
    fn tell_end(
        &mut self,
        entry: &OrderEntry,
        outcome: OrderOutcome,
        now: Timestamp,
        acts: &mut Vec<OrderAct>,
    ) {
        let (id, is_stop) = (&entry.intent.id, entry.intent.purpose == OrderPurpose::Stop);
        match outcome {
            OrderOutcome::Refused(rejection) => self.refused(entry, &rejection, now, acts),
            _ if is_stop && !entry.filled.is_zero() => {
                acts.push(OrderAct::Warn(OrderWarning::StopFilled {
                    id: id.clone(),
                    quantity: entry.filled,
                }));
            }
            OrderOutcome::Ended { .. } if is_stop && entry.is_canceling => {}
            OrderOutcome::Ended { .. }
            | OrderOutcome::NotPlaced { .. }
            | OrderOutcome::GivenUp
            | OrderOutcome::Void(VoidReason::Expired) => {
                acts.push(OrderAct::Warn(OrderWarning::Unfilled { id: id.clone(), outcome }));
            }
            OrderOutcome::Filled | OrderOutcome::Void(_) | OrderOutcome::Observed => {}
        }
    }

    /// What follows from the venue's no.
    fn refused(
        &mut self,
        entry: &OrderEntry,
        rejection: &Rejection,
        now: Timestamp,
        acts: &mut Vec<OrderAct>,
    ) {
        let intent = &entry.intent;
        let is_stop = intent.purpose == OrderPurpose::Stop;
        let warning = OrderWarning::Refused { id: intent.id.clone(), rejection: rejection.clone() };
        let mode = match rejection.reason {
            RejectReason::InsufficientBalance => {
                self.hand.position.want();
                self.hand.is_cash_asked |= intent.order.side == Side::Buy;
                acts.push(OrderAct::AskAccount);
                None
            }
            RejectReason::BelowMinimum => {
                self.below_minimum(entry, now, acts);
                None
            }
            RejectReason::AboveMaximum if intent.order.side == Side::Sell && !is_stop => {
                self.above_maximum(entry);
                None
            }
            // To get out is still worth a try.
            RejectReason::WashTrade => Some(TradingMode::ReduceOnly),
            RejectReason::NotAuthorised | RejectReason::AccountBlocked | RejectReason::Symbol => {
                Some(TradingMode::Halted)
            }
            _ => None,
        };
        if let Some(mode) = mode {
            acts.push(OrderAct::Restrict(Restriction::new(mode, &warning.to_string(), now, false)));
        }
        acts.push(OrderAct::Warn(warning));
    }

    /// The venue takes no sale as large as this one was: the price has moved by more than is known here.
    fn above_maximum(&mut self, entry: &OrderEntry) {
        self.hand.halvings += 1;
        self.hand.is_part_taken = false;
        if let Some(OrderSize::Quantity(part)) = entry.handed_in {
            let half = Quantity::from_nanos(part.nanos() / 2);
            self.hand.most_sold = Some(half).filter(|half| self.rules.instrument.sells(*half));
        }
    }

    /// The venue takes no order as small as this one was.
    fn below_minimum(&mut self, entry: &OrderEntry, now: Timestamp, acts: &mut Vec<OrderAct>) {
        if entry.intent.order.side == Side::Sell && entry.intent.purpose == OrderPurpose::Decision {
            // Halved until it is too small, a part helps nobody: the next try is for all of it.
            self.hand.most_sold = None;
        }
        let (intent, instrument) = (&entry.intent, &self.rules.instrument);
        let amount = match (intent.order.size, entry.handed_in) {
            (OrderSize::Notional(wanted), Some(OrderSize::Notional(left))) => {
                let is_capped = instrument.maximum_notional.is_some_and(|most| left >= most);
                if left < wanted && !is_capped {
                    let (id, wanted, spendable) = (intent.id.clone(), wanted.get(), left.get());
                    acts.push(OrderAct::Warn(OrderWarning::CutShort { id, wanted, spendable }));
                    acts.push(OrderAct::AskAccount);
                    return;
                }
                left.get()
            }
            (OrderSize::Notional(wanted), _) => wanted.get(),
            // A sale may leave in parts: what was too small is such a part, or all that was left of it.
            (OrderSize::Quantity(wanted), part) => match (part, wanted - intent.sold) {
                (Some(OrderSize::Quantity(part)), rest) if part < instrument.truncated(rest) => part.units(),
                (_, rest) => rest.units(),
            },
        };
        self.too_small(intent.order.side, amount, now, acts);
    }

    /// Remembers that the venue takes no order as small as `amount`.
    pub(super) fn too_small(&mut self, side: Side, amount: f64, now: Timestamp, acts: &mut Vec<OrderAct>) {
        self.hand.are_rules_new = false;
        self.note(OrderRecord::TooSmall { side, amount, at: now }, acts);
    }

    /// Why the venue would not take a sale of `held`, as far as it has said so; none where it may.
    pub(crate) fn unsellable(&self, held: Quantity) -> Option<Unsellable> {
        let small = self.state.small_sale.filter(|_| !self.hand.are_rules_new);
        match self.rules.instrument.sells(held) {
            false => Some(Unsellable::BelowMinimum),
            true if small.is_some_and(|small| held.units() <= small) => Some(Unsellable::Refused),
            true => None,
        }
    }
}

/// Why a position can't be sold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unsellable {
    /// The venue's own minimum.
    #[error("it is less than the venue sells")]
    BelowMinimum,
    /// It has refused a sale of that much.
    #[error("the venue has refused a sale as small as that")]
    Refused,
    /// Nothing is handed in.
    #[error("this trader only watches")]
    Observed,
}

/// Whether the moment `due` has come, or lies so far away that the clock must have been set back.
fn has_come(due: Timestamp, now: Timestamp) -> bool {
    !(1..=MAX_WAIT_MS).contains(&due.millis_since(now))
}

/// Whether `wait_ms` have passed since `since`; they have, too, when the clock was set back to before it.
fn has_passed(since: Timestamp, wait_ms: i64, now: Timestamp) -> bool {
    !(0..wait_ms).contains(&now.millis_since(since))
}
