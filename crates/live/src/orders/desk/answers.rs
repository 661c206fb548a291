//! What the venue's answers mean.

use walkforward_core::{
    ApprovedOrder, ClientOrderId, Fill, OrderSize, OrderState, OrderStatus, Quantity, RejectReason,
    Rejection, Side, SubmitError, Timestamp, VenueError, VenueFill, VenueUpdate,
};

use super::pursue::{Question, Sureness};
use super::{MAX_WAIT_MS, OrderDesk, has_come, has_passed};
use crate::orders::entry::{OrderEntry, Part};
use crate::orders::fees::{fill_of, trade};
use crate::orders::{
    Booking, BookingKind, OrderAct, OrderIntent, OrderOutcome, OrderPurpose, OrderRecord, OrderWarning,
};
use crate::{Restriction, TradingMode};

/// Attempts of one decision: a venue that ends three orders in a row without a reason does so with the fourth.
const MAX_ATTEMPTS: u32 = 3;
/// Times that one decision's parts are halved and leave again at once, because the venue finds them too large. Then it takes
/// another try, which has its pause.
const MAX_HALVINGS: u32 = 3;
/// Orders that one decision may be sold in.
const MAX_PARTS: u32 = 64;

impl OrderDesk {
    /// An order was handed in.
    pub(super) fn submitted(
        &mut self,
        id: &ClientOrderId,
        result: Result<OrderState, SubmitError>,
        now: Timestamp,
        acts: &mut Vec<OrderAct>,
    ) {
        self.answered(id, Question::Submit);
        match result {
            Ok(state) => self.observe(id, &state, None, now, acts),
            // The venue has shown it by now: what an older try came to is no news.
            Err(_) if self.state.open(id).is_none_or(|entry| entry.placed_at.is_some()) => {}
            Err(SubmitError::Rejected(rejection)) => self.rejected(id, rejection, now, acts),
            Err(SubmitError::DuplicateId { .. }) => {
                let tries = self.hand.pursuits.of(id).tries;
                self.doubt(id, if tries == 0 { 0 } else { self.rules.times.wait_ms(tries) }, now);
            }
            Err(SubmitError::Unknown { reason }) => {
                let wait_ms = self.rules.times.wait_ms(self.hand.pursuits.of(id).tries);
                self.doubt(id, wait_ms, now);
                acts.push(OrderAct::Warn(OrderWarning::InDoubt { id: id.clone(), reason }));
            }
            Err(SubmitError::NotPlaced { reason, wait_ms }) => {
                let told_ms = wait_ms.and_then(|wait| i64::try_from(wait).ok()).unwrap_or(0);
                let wait_ms = self.rules.times.wait_ms(self.hand.pursuits.of(id).tries).max(told_ms);
                let pursuit = self.hand.pursuits.of(id);
                pursuit.tries += 1;
                (pursuit.due, pursuit.obstacle) = (now.plus_millis(wait_ms.min(MAX_WAIT_MS)), reason);
            }
        }
    }

    fn answered(&mut self, id: &ClientOrderId, question: Question) {
        if self.state.open(id).is_some() {
            let pursuit = self.hand.pursuits.of(id);
            pursuit.asked = pursuit.asked.filter(|(asked, _)| *asked != question);
        }
    }

    /// Nobody knows whether the venue has the order: it is looked up after `wait_ms`.
    fn doubt(&mut self, id: &ClientOrderId, wait_ms: i64, now: Timestamp) {
        let pursuit = self.hand.pursuits.of(id);
        (pursuit.sureness, pursuit.was_in_doubt) = (Sureness::InDoubt, true);
        pursuit.tries += 1;
        pursuit.due = now.plus_millis(wait_ms);
    }

    fn rejected(
        &mut self,
        id: &ClientOrderId,
        rejection: Rejection,
        now: Timestamp,
        acts: &mut Vec<OrderAct>,
    ) {
        let pursuit = self.hand.pursuits.of(id);
        if !pursuit.was_in_doubt {
            let (approved, is_too_large) = (pursuit.approved, rejection.reason == RejectReason::AboveMaximum);
            let refused = self.state.open(id).cloned();
            self.close(id, OrderOutcome::Refused(rejection), now, acts);
            if let (Some(entry), Some(approved), true) = (refused, approved, is_too_large) {
                self.sell_less_at_once(&entry, approved, now, acts);
            }
            return;
        }
        // An earlier try may have been taken, and be the very reason why this one is refused.
        pursuit.refusal = Some(rejection);
        self.doubt(id, 0, now);
    }

    /// The venue finds a part of a sale too large, at a price that nobody here knows: the next one is for half of it.
    fn sell_less_at_once(
        &mut self,
        refused: &OrderEntry,
        approved: ApprovedOrder,
        now: Timestamp,
        acts: &mut Vec<OrderAct>,
    ) {
        let intent = &refused.intent;
        let is_sale = intent.purpose == OrderPurpose::Decision && intent.order.side == Side::Sell;
        let has_time = intent.attempt + 1 < MAX_PARTS && !has_come(intent.expires_at, now);
        if is_sale
            && has_time
            && self.hand.most_sold.is_some()
            && self.hand.halvings <= MAX_HALVINGS
            && !refused.is_canceling
            && self.state.waiting().is_none()
        {
            self.try_again(intent, approved, now, acts);
        }
    }

    /// An order was looked up.
    pub(super) fn looked_up(
        &mut self,
        id: &ClientOrderId,
        result: Result<Option<OrderState>, VenueError>,
        now: Timestamp,
        acts: &mut Vec<OrderAct>,
    ) {
        self.answered(id, Question::LookUp);
        self.told(id, result, now, acts);
    }

    /// The venue was asked to end an order.
    pub(super) fn canceled(
        &mut self,
        id: &ClientOrderId,
        result: Result<Option<OrderState>, VenueError>,
        now: Timestamp,
        acts: &mut Vec<OrderAct>,
    ) {
        self.answered(id, Question::Cancel);
        self.told(id, result, now, acts);
    }

    fn told(
        &mut self,
        id: &ClientOrderId,
        result: Result<Option<OrderState>, VenueError>,
        now: Timestamp,
        acts: &mut Vec<OrderAct>,
    ) {
        match result {
            Ok(Some(state)) => self.observe(id, &state, None, now, acts),
            Ok(None) => self.not_found(id, now, acts),
            Err(_) => self.put_off(id, now),
        }
    }

    /// Tries again later.
    fn put_off(&mut self, id: &ClientOrderId, now: Timestamp) {
        if self.state.open(id).is_some() {
            let wait_ms = self.rules.times.wait_ms(self.hand.pursuits.of(id).tries);
            let pursuit = self.hand.pursuits.of(id);
            pursuit.tries = pursuit.tries.saturating_add(1);
            pursuit.due = now.plus_millis(wait_ms);
        }
    }

    /// The venue knows no such order.
    fn not_found(&mut self, id: &ClientOrderId, now: Timestamp, acts: &mut Vec<OrderAct>) {
        let Some(entry) = self.state.open(id) else { return };
        if entry.placed_at.is_some() {
            let what = "the venue does not find an order that it has had; it is looked up again".to_owned();
            acts.push(OrderAct::Warn(OrderWarning::Odd { id: id.clone(), what }));
            return self.put_off(id, now);
        }
        let pursuit = self.hand.pursuits.of(id);
        let refusal = pursuit.refusal.clone();
        let handed_in_at = *pursuit.handed_in_at.get_or_insert(now);
        // The venue takes a name once, so the same order can be handed in again even when the first is still on its way.
        if refusal.is_none() && self.may_hand_in(id, now) {
            return self.hand_in(id, now, acts);
        }
        // Nothing is handed in again: one that is on its way has its time to arrive.
        match has_passed(handed_in_at, self.rules.times.quiet_ms, now) {
            true => self.close(id, refusal.map_or(OrderOutcome::GivenUp, OrderOutcome::Refused), now, acts),
            false => self.put_off(id, now),
        }
    }

    /// What the updates tell.
    pub(super) fn update(&mut self, update: VenueUpdate, now: Timestamp, acts: &mut Vec<OrderAct>) {
        match update {
            VenueUpdate::Up => {
                // What happened before is unknown.
                self.hand.are_updates_up = true;
                self.hand.position.want();
                self.look_soon(now);
            }
            VenueUpdate::Down { reason } => {
                self.updates_down(reason, acts);
                self.look_soon(now.plus_millis(self.rules.times.poll_ms));
            }
            VenueUpdate::Order(state) => self.update_of(&state, None, now, acts),
            VenueUpdate::Fill(fill) => self.update_of(&fill.order, Some(&fill), now, acts),
        }
    }

    /// Updates don't come any more.
    pub(super) fn updates_down(&mut self, reason: String, acts: &mut Vec<OrderAct>) {
        self.hand.are_updates_up = false;
        acts.push(OrderAct::Warn(OrderWarning::UpdatesDown { reason }));
    }

    /// Looks at every open order at `due`, or before.
    fn look_soon(&mut self, due: Timestamp) {
        let sent: Vec<_> = self.state.sent().map(|entry| entry.intent.id.clone()).collect();
        for id in &sent {
            let pursuit = self.hand.pursuits.of(id);
            pursuit.due = pursuit.due.min(due);
        }
    }

    fn update_of(
        &mut self,
        state: &OrderState,
        execution: Option<&VenueFill>,
        now: Timestamp,
        acts: &mut Vec<OrderAct>,
    ) {
        match state.origin.id().cloned().filter(|id| self.state.entry(id).is_some()) {
            Some(id) => self.observe(&id, state, execution, now, acts),
            None => {
                if execution.is_some() {
                    self.hand.position.want();
                }
                if self.hand.last_foreign.as_ref() != Some(&state.venue_id) {
                    self.hand.last_foreign = Some(state.venue_id.clone());
                    acts.push(OrderAct::Warn(OrderWarning::Foreign { origin: state.origin.clone() }));
                }
            }
        }
    }

    /// Takes the venue's state of an order of ours: books what has filled, and ends it when it is final.
    pub(in crate::orders) fn observe(
        &mut self,
        id: &ClientOrderId,
        state: &OrderState,
        execution: Option<&VenueFill>,
        now: Timestamp,
        acts: &mut Vec<OrderAct>,
    ) {
        let Some(entry) = self.state.entry(id) else { return };
        if !entry.fits(state) {
            return self.odd_order(id, now, acts);
        }
        if entry.placed_at.is_none() {
            let was_over = entry.outcome.is_some();
            let is_decision = entry.intent.purpose == OrderPurpose::Decision;
            self.hand.is_part_taken |= is_decision && entry.intent.order.side == Side::Sell && !was_over;
            self.note(OrderRecord::Placed { id: id.clone(), at: now }, acts);
            // One that was thought not to be there is open again, and nobody wants it any more.
            if was_over && !state.status.is_final() {
                self.ask_end(id, now, acts);
            }
        }
        let Some(entry) = self.state.entry(id) else { return };
        let Some(parts) = entry.unbooked(state, execution) else {
            let what = "the venue does not say at what price it filled; it is looked up again".to_owned();
            acts.push(OrderAct::Warn(OrderWarning::Odd { id: id.clone(), what }));
            return self.put_off(id, now);
        };
        self.book_parts(id, parts, execution, acts);
        if self.state.open(id).is_none() {
            return;
        }
        match state.status.is_final() {
            true => self.finish(id, state, now, acts),
            false => self.watch(id, now),
        }
    }

    /// Another order has the name of ours.
    fn odd_order(&mut self, id: &ClientOrderId, now: Timestamp, acts: &mut Vec<OrderAct>) {
        let what = "the venue has another order of this name: does another trader use the deployment's id?";
        acts.push(OrderAct::Warn(OrderWarning::Odd { id: id.clone(), what: what.to_owned() }));
        if self.state.blocked.is_none() {
            self.block(format!("order {id}: {what}"), now, acts);
        }
        self.put_off(id, now);
    }

    /// No order leaves until ledger and venue agree.
    pub(super) fn block(&mut self, reason: String, now: Timestamp, acts: &mut Vec<OrderAct>) {
        acts.push(OrderAct::Restrict(Restriction::new(TradingMode::Halted, &reason, now, false)));
        self.note(OrderRecord::Blocked { reason, at: now }, acts);
    }

    fn book_parts(
        &mut self,
        id: &ClientOrderId,
        parts: Vec<Part>,
        execution: Option<&VenueFill>,
        acts: &mut Vec<OrderAct>,
    ) {
        let Some(side) = self.state.entry(id).map(|entry| entry.intent.order.side) else { return };
        // With more than the execution to be booked, the position before it is not known.
        let told = execution.filter(|_| parts.len() == 1);
        for part in &parts {
            let told = told.filter(|_| part.execution_id.is_some());
            let (fill, is_fee_estimated) = fill_of(part, side, told, self.state.position, &self.rules.fees());
            let kind = match part.execution_id {
                Some(_) => BookingKind::Execution,
                None => BookingKind::Derived,
            };
            let (order, execution_id) = (Some(id.clone()), part.execution_id.clone());
            self.book_part(id, Booking { order, execution_id, kind, is_fee_estimated, fill }, acts);
        }
    }

    /// Books what an order has filled, and takes back what was taken over because nobody knew of that. Whatever else
    /// sales lack comes back at their own price: what the venue sold was there, and the position is compared after that.
    fn book_part(&mut self, id: &ClientOrderId, booking: Booking, acts: &mut Vec<OrderAct>) {
        let (fill, held) = (booking.fill, self.state.position);
        let adopted = self.state.entry(id).and_then(|entry| entry.adopted);
        let back = |most: Quantity| {
            adopted.map(|it| (it.quantity.min(most), it.price)).filter(|(back, _)| *back > Quantity::ZERO)
        };
        if fill.side == Side::Buy {
            self.book(booking, acts);
            let back = back(fill.position_change()).and_then(|(back, price)| trade(-back, price, fill.time));
            return self.reverse(id, back, acts);
        }
        let adopted = back(fill.quantity);
        let known = adopted.map_or(Quantity::ZERO, |(back, _)| back);
        let lacking = fill.quantity - held - known;
        self.reverse(id, adopted.and_then(|(back, price)| trade(back, price, fill.time)), acts);
        if lacking > Quantity::ZERO {
            self.reverse(id, trade(lacking, fill.price, fill.time), acts);
        }
        self.book(booking, acts);
    }

    fn reverse(&mut self, id: &ClientOrderId, fill: Option<Fill>, acts: &mut Vec<OrderAct>) {
        let Some(fill) = fill else { return };
        let what = format!("it has filled after all: {} that was taken over is taken back", fill.quantity);
        acts.push(OrderAct::Warn(OrderWarning::Odd { id: id.clone(), what }));
        let (order, kind) = (Some(id.clone()), BookingKind::Reversal);
        self.book(Booking { order, execution_id: None, kind, is_fee_estimated: false, fill }, acts);
    }

    /// Puts a booking into the books, its record first; none that the position can't take.
    pub(super) fn book(&mut self, booking: Booking, acts: &mut Vec<OrderAct>) {
        if !self.state.takes(&booking.fill) {
            tracing::error!(?booking, "a sale of more than there is");
            return;
        }
        self.note(OrderRecord::Booked(Box::new(booking.clone())), acts);
        acts.push(OrderAct::Book(booking));
    }

    /// The venue says that an order is over.
    fn finish(&mut self, id: &ClientOrderId, state: &OrderState, now: Timestamp, acts: &mut Vec<OrderAct>) {
        let Some(entry) = self.state.open(id) else { return };
        let (intent, is_canceling, filled) = (entry.intent.clone(), entry.is_canceling, entry.filled);
        let approved = self.hand.pursuits.of(id).approved;
        let outcome = match state.status {
            OrderStatus::Filled => OrderOutcome::Filled,
            status => OrderOutcome::Ended { status, reason: state.reason.clone() },
        };
        self.close(id, outcome, now, acts);
        if state.status == OrderStatus::Replaced {
            // Somebody else's order took its place.
            self.hand.position.want();
        }
        let is_worth_it = intent.purpose == OrderPurpose::Decision
            && filled == Quantity::ZERO
            && !is_canceling
            && !has_come(intent.expires_at, now)
            && intent.attempt + 1 < MAX_ATTEMPTS
            && matches!(state.status, OrderStatus::Canceled | OrderStatus::Expired | OrderStatus::Rejected);
        let is_free = self.state.waiting().is_none();
        let Some(approved) = approved.filter(|_| is_free && !is_canceling) else { return };
        if is_worth_it {
            self.try_again(&intent, approved, now, acts);
        } else if state.status == OrderStatus::Filled && self.has_more_to_sell(&intent, filled) {
            let expires_at = now.plus_millis(self.rules.times.live_ms);
            let rest = OrderIntent { sold: intent.sold + filled, expires_at, ..intent };
            self.try_again(&rest, approved, now, acts);
        }
    }

    /// Whether an order was a part of what its decision sells, and a further one is to follow.
    fn has_more_to_sell(&self, intent: &OrderIntent, filled: Quantity) -> bool {
        let is_sale = intent.purpose == OrderPurpose::Decision && intent.order.side == Side::Sell;
        match intent.order.size {
            OrderSize::Quantity(wanted) if is_sale && intent.attempt + 1 < MAX_PARTS => {
                self.rules.instrument.sells(wanted - intent.sold - filled)
            }
            _ => false,
        }
    }
}
