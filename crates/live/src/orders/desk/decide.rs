//! From a decision to an order that leaves.

use walkforward_core::{
    ApprovedOrder, Cash, ClientOrderId, OrderSize, Price, Quantity, Timestamp, VenueOrder, VenueOrderError,
};

use super::pursue::Pursuit;
use super::{OrderDesk, has_come};
use crate::orders::entry::OrderEntry;
use crate::orders::state::{BarOrders, MAX_OPEN};
use crate::orders::{OrderAct, OrderIntent, OrderOutcome, OrderPurpose, OrderRecord, VoidReason, order_id};

/// An order of the bar loop.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OrderDecision {
    /// The order, after the risk checks. What it sells comes from the position.
    pub approved: ApprovedOrder,
    /// Start of the bar on which it was decided.
    pub bar_open: Timestamp,
    /// The price that it was decided at.
    pub price: Price,
    /// Whether it may follow another order of its bar: a position is to be closed without waiting for the next bar.
    pub is_urgent: bool,
}

/// What becomes of a decision.
#[derive(Debug, Clone, PartialEq)]
pub enum DecisionFate {
    /// It leaves now.
    Sent(ClientOrderId),
    /// It leaves when what is open has ended and ledger and venue agree. Should the position move before that,
    /// [`OrderAct::DecideAgain`] follows instead.
    Waits(ClientOrderId),
    /// There is no order.
    Skipped(Skipped),
}

/// Why there is no order.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Skipped {
    /// Ledger and venue don't agree.
    #[error("no order leaves: {0}")]
    Blocked(String),
    /// The bar has had its order.
    #[error("the bar has had its order")]
    AlreadyDecided,
    /// A later bar has had an order.
    #[error("a later bar has had an order")]
    Stale,
    /// The venue does not take orders this small, and has said so before.
    #[error("the venue has refused orders of this size before")]
    Dust,
    /// The venue would not take it.
    #[error(transparent)]
    Size(#[from] VenueOrderError),
    /// The account has no cash for an order.
    #[error(
        "the order is for {wanted:.2}, the account may spend {spendable:.2}: too little for an order; deposit what it lacks"
    )]
    NoCash {
        /// What was decided.
        wanted: f64,
        /// What it may spend.
        spendable: f64,
    },
    /// Too many orders have no end.
    #[error("{MAX_OPEN} orders have no end yet: is the venue there?")]
    Busy,
    /// The order can't be named.
    #[error("the order has no name: {0}")]
    Name(#[from] walkforward_core::IdError),
}

impl OrderDesk {
    /// Takes a decision. One order a bar: until it is final the venue is asked what became of it, and only when the
    /// venue ended it without a fill, not at our wish, the next attempt leaves.
    pub fn decide(
        &mut self,
        decision: OrderDecision,
        now: Timestamp,
        acts: &mut Vec<OrderAct>,
    ) -> DecisionFate {
        // What the market has done since the bar is known better.
        self.mark(decision.price, decision.approved.order().decided_at);
        let is_next_bar = self.state.bar.is_none_or(|last| last.open != decision.bar_open);
        let id = match self.admit(&decision, now, acts) {
            Ok(id) => id,
            Err(skipped) => {
                self.advance(now, acts);
                return DecisionFate::Skipped(skipped);
            }
        };
        self.withdraw(VoidReason::Withdrawn, now, acts);
        // A size that was taken was small enough at that price. One that was not is halved further by the next try.
        if is_next_bar || self.hand.is_part_taken {
            self.hand.most_sold = None;
        }
        self.hand.halvings = 0;
        let attempt = self.attempts(decision.bar_open, OrderPurpose::Decision);
        let intent = OrderIntent {
            id: id.clone(),
            purpose: OrderPurpose::Decision,
            bar_open: decision.bar_open,
            attempt,
            order: *decision.approved.order(),
            sold: Quantity::ZERO,
            stop: None,
            price: decision.price,
            at: now,
            expires_at: now.plus_millis(self.rules.times.live_ms),
        };
        self.intend(intent, Some(decision.approved), now, acts);
        self.advance(now, acts);
        match self.state.open(&id).is_some_and(OrderEntry::is_waiting) {
            true => DecisionFate::Waits(id),
            false => DecisionFate::Sent(id),
        }
    }

    /// The name of the order, when there may be one.
    fn admit(
        &mut self,
        decision: &OrderDecision,
        now: Timestamp,
        acts: &mut Vec<OrderAct>,
    ) -> Result<ClientOrderId, Skipped> {
        if let Some(reason) = &self.state.blocked {
            return Err(Skipped::Blocked(reason.clone()));
        }
        let bar = decision.bar_open;
        if self.state.bar.is_some_and(|last| last.open > bar) {
            return Err(Skipped::Stale);
        }
        let had_its_order = |entry: &OrderEntry| {
            let intent = &entry.intent;
            let is_its = intent.purpose == OrderPurpose::Decision && intent.bar_open == bar;
            is_its && entry.outcome != Some(OrderOutcome::Void(VoidReason::PositionMoved))
        };
        if !decision.is_urgent && self.state.open.iter().chain(&self.state.closed).any(had_its_order) {
            return Err(Skipped::AlreadyDecided);
        }
        if self.state.open.len() + 1 >= MAX_OPEN {
            return Err(Skipped::Busy);
        }
        self.check_size(decision, now, acts)
    }

    /// The same, where the venue takes the size. One that is too small is remembered.
    fn check_size(
        &mut self,
        decision: &OrderDecision,
        now: Timestamp,
        acts: &mut Vec<OrderAct>,
    ) -> Result<ClientOrderId, Skipped> {
        let order = decision.approved.order();
        let (amount, known) = match order.size {
            OrderSize::Notional(cash) => (cash.get(), self.state.small_purchase),
            OrderSize::Quantity(quantity) => (quantity.units(), self.state.small_sale),
        };
        if known.is_some_and(|known| amount <= known && !self.hand.are_rules_new) {
            return Err(Skipped::Dust);
        }
        let instrument = self.bounds();
        let least = instrument.minimum_notional.unwrap_or(Cash::ZERO);
        if let OrderSize::Notional(wanted) = order.size
            && let Some(spendable) = self.hand.spendable.filter(|spendable| *spendable <= least)
            && wanted > least
        {
            acts.push(OrderAct::AskAccount);
            return Err(Skipped::NoCash { wanted: wanted.get(), spendable: spendable.get() });
        }
        let id = self.next_id(decision.bar_open, OrderPurpose::Decision)?;
        let Err(error) = VenueOrder::market(id.clone(), &decision.approved, &instrument) else {
            return Ok(id);
        };
        if is_below(&error, instrument.minimum_notional.map(|cash| cash.get())) {
            self.too_small(order.side, amount, now, acts);
        }
        Err(error.into())
    }

    /// Orders of this bar and purpose so far.
    pub(super) fn attempts(&self, bar_open: Timestamp, purpose: OrderPurpose) -> u32 {
        let of = |bar: BarOrders| match purpose {
            OrderPurpose::Decision => bar.decisions,
            OrderPurpose::Stop => bar.stops,
        };
        self.state.bar.filter(|bar| bar.open == bar_open).map_or(0, of)
    }

    pub(super) fn next_id(
        &self,
        bar_open: Timestamp,
        purpose: OrderPurpose,
    ) -> Result<ClientOrderId, walkforward_core::IdError> {
        let (rules, attempt) = (&self.rules, self.attempts(bar_open, purpose));
        order_id(&rules.deployment, &rules.line, bar_open, purpose, attempt)
    }

    pub(super) fn intend(
        &mut self,
        intent: OrderIntent,
        approved: Option<ApprovedOrder>,
        now: Timestamp,
        acts: &mut Vec<OrderAct>,
    ) {
        self.hand.pursuits.begin(&intent.id, Pursuit { approved, ..Pursuit::not_there(now) });
        self.note(OrderRecord::Intent(Box::new(intent)), acts);
    }

    /// Ends the decision that waits; it was never handed in.
    pub(super) fn withdraw(&mut self, reason: VoidReason, now: Timestamp, acts: &mut Vec<OrderAct>) {
        let waiting = self.state.waiting().map(|entry| entry.intent.id.clone());
        if let Some(id) = waiting {
            self.close(&id, OrderOutcome::Void(reason), now, acts);
        }
    }

    /// Lets the decision that waits go, or ends it.
    pub(super) fn release(&mut self, now: Timestamp, acts: &mut Vec<OrderAct>) {
        let Some(entry) = self.state.waiting() else { return };
        let (id, bar_open) = (entry.intent.id.clone(), entry.intent.bar_open);
        if entry.bookings_before != self.state.bookings {
            self.withdraw(VoidReason::PositionMoved, now, acts);
            acts.push(OrderAct::DecideAgain { bar_open });
            return;
        }
        if has_come(entry.intent.expires_at, now) {
            return self.withdraw(VoidReason::Expired, now, acts);
        }
        if self.state.blocked.is_some() || self.hand.pursuits.of(&id).approved.is_none() {
            return self.withdraw(VoidReason::Withdrawn, now, acts);
        }
        let others: Vec<_> = self.state.sent().map(|other| other.intent.id.clone()).collect();
        for other in &others {
            self.ask_end(other, now, acts);
        }
        if others.is_empty() && !self.state.is_unconfirmed {
            self.hand_in(&id, now, acts);
        }
    }

    /// Hands in the next attempt of an order that the venue ended before anything of it filled, or its next part.
    pub(super) fn try_again(
        &mut self,
        before: &OrderIntent,
        approved: ApprovedOrder,
        now: Timestamp,
        acts: &mut Vec<OrderAct>,
    ) {
        let Ok(id) = self.next_id(before.bar_open, OrderPurpose::Decision) else { return };
        let attempt = self.attempts(before.bar_open, OrderPurpose::Decision);
        let intent = OrderIntent { id, attempt, at: now, ..before.clone() };
        self.intend(intent, Some(approved), now, acts);
    }
}

/// Whether `error` says that an order is too small, not too large.
fn is_below(error: &VenueOrderError, minimum_notional: Option<f64>) -> bool {
    match error {
        VenueOrderError::TooSmall { .. } => true,
        VenueOrderError::Notional { notional, .. } => {
            minimum_notional.is_some_and(|minimum| *notional < minimum)
        }
        VenueOrderError::Limit { .. } => false,
    }
}
