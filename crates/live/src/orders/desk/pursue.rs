//! Following an order until the venue says that it is over.

use std::collections::BTreeMap;

use walkforward_core::{ApprovedOrder, ClientOrderId, OrderSize, Quantity, Rejection, Timestamp, VenueOrder};

use super::{OrderDesk, has_come, has_passed};
use crate::orders::entry::OrderEntry;
use crate::orders::{OrderAct, OrderOutcome, OrderRecord, OrderWarning};

/// What is asked about an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    Submit,
    LookUp,
    Cancel,
}

/// Whether the venue has an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sureness {
    /// Surely not: it may be handed in.
    NotThere,
    /// Nobody knows: it is looked up.
    InDoubt,
    /// Surely.
    There,
}

/// What is known of one open order at the moment.
#[derive(Debug, Clone)]
pub(in crate::orders) struct Pursuit {
    /// What a market order is made of again.
    pub(in crate::orders) approved: Option<ApprovedOrder>,
    pub(super) sureness: Sureness,
    /// Whether it was handed in and nobody knows what became of that.
    pub(super) was_in_doubt: bool,
    /// The venue refused it, though an earlier try may have been taken.
    pub(super) refusal: Option<Rejection>,
    /// The question under way, and since when.
    pub(super) asked: Option<(Question, Timestamp)>,
    /// When the next step is due.
    pub(in crate::orders) due: Timestamp,
    /// Steps without success.
    pub(super) tries: u32,
    /// When it was last handed in; after a start, when it was found to be unfinished.
    pub(super) handed_in_at: Option<Timestamp>,
    /// Why it was not placed.
    pub(super) obstacle: String,
}

impl Pursuit {
    /// An order that was never handed in.
    pub(super) fn not_there(now: Timestamp) -> Self {
        Self { sureness: Sureness::NotThere, was_in_doubt: false, due: now, ..Self::in_doubt(now) }
    }

    /// An order that an earlier desk may have handed in.
    pub(in crate::orders) fn in_doubt(now: Timestamp) -> Self {
        Self {
            approved: None,
            sureness: Sureness::InDoubt,
            was_in_doubt: true,
            refusal: None,
            asked: None,
            due: now,
            tries: 0,
            handed_in_at: Some(now),
            obstacle: "its time was over before it could be handed in".to_owned(),
        }
    }
}

/// What is known of the open orders.
#[derive(Debug, Clone, Default)]
pub(in crate::orders) struct Pursuits(BTreeMap<ClientOrderId, Pursuit>);

impl Pursuits {
    pub(in crate::orders) fn begin(&mut self, id: &ClientOrderId, pursuit: Pursuit) {
        self.0.insert(id.clone(), pursuit);
    }

    pub(in crate::orders) fn of(&mut self, id: &ClientOrderId) -> &mut Pursuit {
        // An order of an earlier desk: whatever is not known is in doubt, and its quiet time begins with the first look.
        let found = || Pursuit { handed_in_at: None, ..Pursuit::in_doubt(Timestamp::EPOCH) };
        self.0.entry(id.clone()).or_insert_with(found)
    }

    pub(super) fn forget(&mut self, id: &ClientOrderId) {
        self.0.remove(id);
    }

    pub(super) fn is_resting(&self, id: &ClientOrderId) -> bool {
        self.0.get(id).is_some_and(|pursuit| pursuit.sureness == Sureness::There)
    }

    pub(super) fn deadline(&self, id: &ClientOrderId, patience_ms: i64) -> Timestamp {
        let Some(pursuit) = self.0.get(id) else { return Timestamp::EPOCH };
        pursuit.asked.map_or(pursuit.due, |(_, since)| since.plus_millis(patience_ms))
    }
}

impl OrderDesk {
    /// Takes the next step with every order that the venue may have.
    pub(super) fn pursue(&mut self, now: Timestamp, acts: &mut Vec<OrderAct>) {
        let sent: Vec<ClientOrderId> = self.state.sent().map(|entry| entry.intent.id.clone()).collect();
        for id in &sent {
            self.lose_question(id, now);
            let pursuit = self.hand.pursuits.of(id);
            if pursuit.asked.is_none() && has_come(pursuit.due, now) {
                self.step(id, now, acts);
            }
        }
    }

    /// Gives a question up whose answer does not come.
    fn lose_question(&mut self, id: &ClientOrderId, now: Timestamp) {
        let patience_ms = self.rules.times.patience_ms;
        let pursuit = self.hand.pursuits.of(id);
        let Some((question, since)) = pursuit.asked else { return };
        if has_passed(since, patience_ms, now) {
            (pursuit.asked, pursuit.due) = (None, now);
            if question == Question::Submit && pursuit.sureness == Sureness::NotThere {
                (pursuit.sureness, pursuit.was_in_doubt) = (Sureness::InDoubt, true);
            }
        }
    }

    fn step(&mut self, id: &ClientOrderId, now: Timestamp, acts: &mut Vec<OrderAct>) {
        let is_canceling = self.state.open(id).is_some_and(|entry| entry.is_canceling);
        let may_hand_in = self.may_hand_in(id, now);
        let pursuit = self.hand.pursuits.of(id);
        match pursuit.sureness {
            Sureness::NotThere if may_hand_in => self.hand_in(id, now, acts),
            Sureness::NotThere => {
                let reason = pursuit.obstacle.clone();
                self.close(id, OrderOutcome::NotPlaced { reason }, now, acts);
            }
            Sureness::There if is_canceling => {
                pursuit.asked = Some((Question::Cancel, now));
                acts.push(OrderAct::Cancel(id.clone()));
            }
            Sureness::InDoubt | Sureness::There => {
                pursuit.asked = Some((Question::LookUp, now));
                acts.push(OrderAct::LookUp(id.clone()));
            }
        }
    }

    /// Whether the order may be handed in, for the first time or again.
    pub(super) fn may_hand_in(&mut self, id: &ClientOrderId, now: Timestamp) -> bool {
        let can_be_made = self.venue_order(id).is_some();
        let Some(entry) = self.state.open(id) else { return false };
        can_be_made && !entry.is_canceling && !has_come(entry.intent.expires_at, now)
    }

    /// Hands the order in. That it leaves, and with which size, is written down before.
    pub(super) fn hand_in(&mut self, id: &ClientOrderId, now: Timestamp, acts: &mut Vec<OrderAct>) {
        let Some(order) = self.venue_order(id) else { return };
        let size = Some(order.size());
        if self.state.open(id).is_some_and(|entry| entry.handed_in != size) {
            self.note(OrderRecord::Sent { id: id.clone(), at: now, size }, acts);
        }
        self.tell_cap(id, &order, acts);
        let pursuit = self.hand.pursuits.of(id);
        (pursuit.asked, pursuit.handed_in_at) = (Some((Question::Submit, now)), Some(now));
        acts.push(OrderAct::Submit(order));
    }

    /// The order as it leaves; none for a market order that is not approved, as after a start.
    fn venue_order(&mut self, id: &ClientOrderId) -> Option<VenueOrder> {
        let intent = &self.state.open(id)?.intent;
        let instrument = &self.rules.instrument;
        match (intent.stop, intent.order.size) {
            (Some(prices), OrderSize::Quantity(held)) => {
                VenueOrder::protective_stop(id.clone(), held, prices, intent.order.decided_at, instrument)
                    .ok()
            }
            (Some(_), OrderSize::Notional(_)) => None,
            (None, _) => {
                let approved = self.hand.pursuits.of(id).approved?;
                let order = VenueOrder::market(id.clone(), &approved, &self.bounds()).ok()?;
                let bound = self.most_to_sell(self.state.open(id)?);
                bound.map_or(Some(order.clone()), |bound| order.at_most(bound, &self.rules.instrument).ok())
            }
        }
    }

    /// The most that a sale may be for: what is left of it, as far as the venue takes that in one order.
    fn most_to_sell(&self, entry: &OrderEntry) -> Option<Quantity> {
        let intent = &entry.intent;
        let OrderSize::Quantity(wanted) = intent.order.size else { return None };
        let price = self.price().filter(|price| *price > intent.price).unwrap_or(intent.price);
        let (left, instrument) = (wanted - intent.sold, &self.rules.instrument);
        let bounds = [instrument.most_at(price), self.hand.most_sold].into_iter().flatten();
        Some(bounds.fold(left, Quantity::min))
    }

    /// Tells a person, once, that the venue's bound makes an order smaller.
    fn tell_cap(&mut self, id: &ClientOrderId, order: &VenueOrder, acts: &mut Vec<OrderAct>) {
        let instrument = &self.rules.instrument;
        let (Some(maximum), Some(entry)) = (instrument.maximum_notional, self.state.open(id)) else { return };
        let intent = &entry.intent;
        let is_cut = match (intent.order.size, order.size()) {
            (OrderSize::Notional(wanted), OrderSize::Notional(_)) => wanted > maximum,
            (OrderSize::Quantity(wanted), OrderSize::Quantity(part)) => {
                part < instrument.truncated(wanted - intent.sold)
            }
            _ => false,
        };
        if is_cut && !std::mem::replace(&mut self.hand.is_cap_told, true) {
            acts.push(OrderAct::Warn(OrderWarning::Capped { maximum: maximum.get() }));
        }
    }

    /// Puts the next look at an order that the venue has off; one that should end is looked at sooner, and then ever
    /// more slowly.
    pub(super) fn watch(&mut self, id: &ClientOrderId, now: Timestamp) {
        let times = self.rules.times;
        let Some(entry) = self.state.open(id) else { return };
        let is_canceling = entry.is_canceling;
        let pursuit = self.hand.pursuits.of(id);
        let was_there = std::mem::replace(&mut pursuit.sureness, Sureness::There) == Sureness::There;
        pursuit.refusal = None;
        let wait_ms = match (is_canceling, self.hand.are_updates_up) {
            (true, _) => times.wait_ms(pursuit.tries),
            (false, false) => times.poll_ms,
            (false, true) => times.rest_poll_ms,
        };
        pursuit.tries = if is_canceling && was_there { pursuit.tries + 1 } else { 0 };
        pursuit.due = now.plus_millis(wait_ms);
    }
}
