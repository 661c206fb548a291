//! Whether ledger and venue hold the same.

use walkforward_core::{Price, Quantity, Timestamp, VenueError, VenuePosition};

use super::{MAX_WAIT_MS, OrderDesk, has_come, has_passed};
use crate::orders::fees::{correction, is_fee_error, trade};
use crate::orders::{
    Booking, BookingKind, ExternalPosition, OrderAct, OrderPurpose, OrderRecord, OrderWarning,
};

/// Looks at the position before a difference counts as one: a venue's position may lag behind its orders, half a minute
/// at most.
const MAX_LOOKS: u32 = 8;
/// Orders that were given up and are looked for once more when the position is not what it should be.
const MAX_LOOKED_FOR: usize = 4;

/// The question for the position.
#[derive(Debug, Clone, Default)]
pub(in crate::orders) struct PositionWatch {
    /// Whether there is a reason to ask besides bookings, that no question under way was asked for.
    is_wanted: bool,
    /// Bookings when it was asked, and since when.
    asked: Option<(u64, Timestamp)>,
    due: Option<Timestamp>,
    /// Looks that found a difference, in a row.
    looks: u32,
    /// The difference of the last look, and since when it has been the same.
    seen: Option<(Quantity, Timestamp)>,
}

impl PositionWatch {
    pub(super) fn want(&mut self) {
        self.is_wanted = true;
    }

    pub(super) fn deadline(&self, patience_ms: i64) -> Timestamp {
        let asked = self.asked.map(|(_, since)| since.plus_millis(patience_ms));
        asked.or(self.due).unwrap_or(Timestamp::EPOCH)
    }
}

impl OrderDesk {
    pub(super) fn wants_position(&self) -> bool {
        let watch = &self.hand.position;
        let is_wanted = watch.is_wanted || watch.asked.is_some();
        self.state.is_unconfirmed || self.state.blocked.is_some() || is_wanted
    }

    /// Whether nothing is under way that may move the position.
    pub(in crate::orders) fn is_quiet(&self) -> bool {
        self.state.sent().all(|entry| {
            let intent = &entry.intent;
            intent.purpose == OrderPurpose::Stop
                && !entry.is_canceling
                && self.hand.pursuits.is_resting(&intent.id)
        })
    }

    /// Asks for the position when it is time.
    pub(super) fn confirm(&mut self, now: Timestamp, acts: &mut Vec<OrderAct>) {
        if !self.wants_position() || !self.is_quiet() {
            return;
        }
        let patience_ms = self.rules.times.patience_ms;
        let watch = &mut self.hand.position;
        let is_free = watch.asked.is_none_or(|(_, since)| has_passed(since, patience_ms, now));
        if is_free && watch.due.is_none_or(|due| has_come(due, now)) {
            (watch.asked, watch.is_wanted) = (Some((self.state.bookings, now)), false);
            acts.push(OrderAct::AskPosition);
        }
    }

    /// Takes the venue's position.
    pub(super) fn position_told(
        &mut self,
        result: Result<VenuePosition, VenueError>,
        now: Timestamp,
        acts: &mut Vec<OrderAct>,
    ) {
        let Some((bookings, _)) = self.hand.position.asked.take() else { return };
        match result {
            // Something happened meanwhile: which of the two it has seen is not known.
            Ok(_) if bookings != self.state.bookings || !self.is_quiet() => self.hand.position.want(),
            Ok(position) => self.compare(&position, now, acts),
            Err(_) => {
                self.hand.position.want();
                self.look_later(now);
            }
        }
    }

    fn look_later(&mut self, now: Timestamp) {
        let wait_ms = self.rules.times.wait_ms(self.hand.position.looks);
        self.hand.position.looks = self.hand.position.looks.saturating_add(1);
        self.hand.position.due = Some(now.plus_millis(wait_ms));
    }

    fn compare(&mut self, venue: &VenuePosition, now: Timestamp, acts: &mut Vec<OrderAct>) {
        let difference = venue.quantity - self.state.position;
        let watch = &mut self.hand.position;
        if difference.is_zero() {
            return self.agree(now, acts);
        }
        let since = watch.seen.filter(|(seen, _)| *seen == difference).map_or(now, |(_, since)| since);
        watch.seen = Some((difference, since));
        // A position that lags by a small fill looks like a wrong fee.
        let is_fee =
            has_passed(since, self.rules.times.lag_ms, now) && is_fee_error(difference, self.state.estimated);
        if is_fee && self.correct_fee(difference, now, acts) {
            return self.agree(now, acts);
        }
        if self.state.blocked.is_some() {
            self.hand.position.due = Some(now.plus_millis(MAX_WAIT_MS));
            return;
        }
        if self.hand.position.looks + 1 < MAX_LOOKS {
            self.hand.position.is_wanted = true;
            self.look_later(now);
            return self.look_for_reasons(now, acts);
        }
        self.external(venue, now, acts);
    }

    pub(in crate::orders) fn agree(&mut self, now: Timestamp, acts: &mut Vec<OrderAct>) {
        // What came up since the question is a reason to ask again.
        let is_wanted = self.hand.position.is_wanted;
        self.hand.position = PositionWatch { is_wanted, ..PositionWatch::default() };
        if self.state.is_unconfirmed || self.state.blocked.is_some() {
            self.note(OrderRecord::Confirmed { position: self.state.position, at: now }, acts);
        }
    }

    /// Books what estimated fees were wrong by.
    pub(in crate::orders) fn correct_fee(
        &mut self,
        difference: Quantity,
        now: Timestamp,
        acts: &mut Vec<OrderAct>,
    ) -> bool {
        let price = self.state.last_price.or(self.price());
        let fill = price.and_then(|price| correction(difference, price, now));
        let Some(fill) = fill.filter(|fill| self.state.takes(fill)) else { return false };
        let (kind, is_fee_estimated) = (BookingKind::FeeCorrection, false);
        self.book(Booking { order: None, execution_id: None, kind, is_fee_estimated, fill }, acts);
        true
    }

    /// Looks again at what may explain a difference: the stop, and orders that were thought not to be there.
    fn look_for_reasons(&mut self, now: Timestamp, acts: &mut Vec<OrderAct>) {
        let open: Vec<_> = self.state.sent().map(|entry| entry.intent.id.clone()).collect();
        for id in &open {
            self.hand.pursuits.of(id).due = now;
        }
        for id in self.given_up().into_iter().take(MAX_LOOKED_FOR) {
            acts.push(OrderAct::LookUp(id));
        }
    }

    /// Orders that were handed in and never seen at the venue, the newest first.
    pub(in crate::orders) fn given_up(&self) -> Vec<walkforward_core::ClientOrderId> {
        let given_up = self.state.closed.iter().rev().filter(|entry| entry.may_turn_up());
        given_up.map(|entry| entry.intent.id.clone()).collect()
    }

    /// A difference that nothing explains.
    fn external(&mut self, venue: &VenuePosition, now: Timestamp, acts: &mut Vec<OrderAct>) {
        let is_adopted = self.adopt(venue, now, acts);
        let ledger = self.state.position;
        if is_adopted {
            return self.agree(now, acts);
        }
        acts.push(OrderAct::Warn(OrderWarning::External { ledger, venue: venue.quantity, is_adopted }));
        let reason = format!(
            "the venue holds {}, the ledger {ledger}, and no order explains the difference: trade it away by hand, or \
             start with external positions adopted",
            venue.quantity
        );
        self.hand.position.due = Some(now.plus_millis(MAX_WAIT_MS));
        self.block(reason, now, acts);
    }

    /// Takes the venue's position over where the rules say so and there is a price for it.
    pub(in crate::orders) fn adopt(
        &mut self,
        venue: &VenuePosition,
        now: Timestamp,
        acts: &mut Vec<OrderAct>,
    ) -> bool {
        let ledger = self.state.position;
        let price: Option<Price> = self.price().or(self.state.last_price).or(venue.average_entry);
        let may_adopt = self.rules.external == ExternalPosition::Adopt && venue.quantity >= Quantity::ZERO;
        let fill = price.filter(|_| may_adopt).and_then(|price| trade(venue.quantity - ledger, price, now));
        let Some(fill) = fill else { return false };
        acts.push(OrderAct::Warn(OrderWarning::External { ledger, venue: venue.quantity, is_adopted: true }));
        let (kind, is_fee_estimated) = (BookingKind::External, false);
        self.book(Booking { order: None, execution_id: None, kind, is_fee_estimated, fill }, acts);
        true
    }
}
