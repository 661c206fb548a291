//! Where a bar's order goes, and what comes back from a venue between two bars.

use walkforward_core::{ApprovedOrder, Price, Target, Timestamp};

use super::BarLoop;
use crate::execution::{AtVenue, Moved, VenueStep};
use crate::journal::{BarRecord, EventRecord, JournalRecord};
use crate::{ClosedBar, DecisionFate, LiveError, OrderAct, OrderDecision, OrderDesk, Stock, VenueAnswer};

/// Who executes, at work.
pub(crate) enum Executing {
    Broker(Box<dyn walkforward_core::Broker>),
    Venue(Box<AtVenue>),
}

impl Executing {
    pub(crate) fn venue(&self) -> Option<&AtVenue> {
        match self {
            Self::Broker(_) => None,
            Self::Venue(at) => Some(at),
        }
    }
}

impl BarLoop {
    /// Sends the order of the last bar on its way; its record is in the journal.
    pub(super) async fn hand_over(&mut self, order: ApprovedOrder, now: Timestamp) -> Result<(), LiveError> {
        if let Executing::Broker(broker) = &mut self.execution {
            self.summary.orders += 1;
            return Ok(broker.submit(order).await?);
        }
        self.send_to_venue(order, false, now)?;
        self.settle_moves(now)
    }

    /// `is_urgent` orders leave although their bar has had one.
    fn send_to_venue(
        &mut self,
        approved: ApprovedOrder,
        is_urgent: bool,
        now: Timestamp,
    ) -> Result<(), LiveError> {
        let Some(ClosedBar { bar, .. }) = self.last_closed else { return Ok(()) };
        let Ok(price) = Price::new(bar.close()) else { return Ok(()) };
        if !is_urgent && let Some(reason) = self.collar_reason(price) {
            return self.tell_skipped(reason, now);
        }
        let decision = OrderDecision { approved, bar_open: bar.open_time(), price, is_urgent };
        let mut fate = None;
        self.at_venue(now, |orders, acts| fate = Some(orders.decide(decision, now, acts)))?;
        match fate {
            Some(DecisionFate::Skipped(skipped)) => self.tell_skipped(skipped.to_string(), now),
            Some(DecisionFate::Sent(_) | DecisionFate::Waits(_)) => {
                self.summary.orders += 1;
                self.skipped_reason(None);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Why the price is too far from the decision's; none where it is not.
    fn collar_reason(&self, decided: Price) -> Option<String> {
        let collar = self.desk.risk().limits().price_collar?;
        let moved = self.execution.venue()?.price_moved(decided.get());
        (moved > collar).then(|| {
            let (moved, collar) = (100.0 * moved, 100.0 * collar);
            format!("no order leaves: the price has moved {moved:.2} % since the bar's close, {collar:.2} % is the limit")
        })
    }

    /// Tells why there is no order, once for each reason in a row.
    fn tell_skipped(&mut self, reason: String, now: Timestamp) -> Result<(), LiveError> {
        if self.skipped_reason(Some(&reason)) {
            return Ok(());
        }
        tracing::warn!(reason, "no order for this bar");
        self.event(EventRecord::Warning { reason }, now)
    }

    /// Notes the reason; whether it is the one before.
    fn skipped_reason(&mut self, reason: Option<&str>) -> bool {
        let Executing::Venue(at) = &mut self.execution else { return false };
        let is_same = at.skipped.as_deref() == reason;
        at.skipped = reason.map(str::to_owned);
        is_same
    }

    /// Takes what the venue answered or told.
    pub(crate) fn on_answer(&mut self, answer: VenueAnswer, now: Timestamp) -> Result<(), LiveError> {
        self.at_venue(now, |orders, acts| orders.answer(answer, now, acts))?;
        self.settle_moves(now)
    }

    /// Does what is due with the orders.
    pub(crate) fn tick_orders(&mut self, now: Timestamp) -> Result<(), LiveError> {
        if self.order_deadline(now).is_none_or(|due| due > now) {
            return Ok(());
        }
        self.at_venue(now, |orders, acts| orders.tick(now, acts))?;
        self.settle_moves(now)
    }

    /// Ends the orders of decisions that are still open.
    pub(crate) fn end_orders(&mut self, now: Timestamp) -> Result<(), LiveError> {
        self.at_venue(now, |orders, acts| orders.cancel(now, acts))?;
        self.settle_moves(now)
    }

    /// When something may be due with the orders.
    pub(crate) fn order_deadline(&self, now: Timestamp) -> Option<Timestamp> {
        self.execution.venue()?.orders.deadline(now)
    }

    /// Whether no order is under way, and ledger and venue agree.
    pub(crate) fn is_settled(&self) -> bool {
        self.execution.venue().is_none_or(|at| at.orders.is_settled())
    }

    /// The venue's next answer; never on paper. Cancel safe.
    pub(crate) async fn venue_answer(&mut self) -> Result<VenueAnswer, LiveError> {
        match &mut self.execution {
            Executing::Broker(_) => std::future::pending().await,
            Executing::Venue(at) => at.answer().await,
        }
    }

    /// Takes the newest price of the market.
    pub(crate) fn mark_price(&mut self, price: f64) {
        if let Executing::Venue(at) = &mut self.execution {
            at.mark(price);
        }
    }

    /// Takes up the orders that an earlier process left.
    pub(crate) fn reconcile(&mut self, stock: &Stock, now: Timestamp) -> Result<(), LiveError> {
        let Self { execution, recorder, desk, summary, .. } = self;
        let Executing::Venue(at) = execution else { return Ok(()) };
        // Nobody decides before the first bar: what the position asks for is that bar's to say.
        at.reconcile(stock, VenueStep { recorder, desk, summary, now }).map(|_| ())
    }

    /// Closes the position now, where a limit or a person asks for that and orders need no bar to fill.
    pub(crate) fn flatten_now(&mut self, now: Timestamp) -> Result<(), LiveError> {
        let is_held = !self.desk.session().position().is_zero();
        let Some(closed) = self.last_closed.filter(|_| is_held && self.desk.risk().flattens()) else {
            return Ok(());
        };
        if self.execution.venue().is_none() {
            return Ok(());
        }
        let mut record = self.record_again(&closed, now);
        let at = closed.bar.close_time(self.header.timeframe);
        record.followed = Some(Target::Fraction(0.0).into());
        let order = self.without_decision(at, &mut record);
        self.recorder.append(&JournalRecord::Again(Box::new(record)), now)?;
        order.map_or(Ok(()), |order| self.send_to_venue(order, true, now))
    }

    fn at_venue(
        &mut self,
        now: Timestamp,
        step: impl FnOnce(&mut OrderDesk, &mut Vec<OrderAct>),
    ) -> Result<(), LiveError> {
        let Self { execution, recorder, desk, summary, .. } = self;
        let Executing::Venue(at) = execution else { return Ok(()) };
        let moved = at.step(VenueStep { recorder, desk, summary, now }, step)?;
        self.moved = moved.or(self.moved);
        Ok(())
    }

    /// Decides the last bar again where the position moved before its order could leave, while there is time.
    fn settle_moves(&mut self, now: Timestamp) -> Result<(), LiveError> {
        let Some(Moved(bar_open)) = self.moved.take() else { return Ok(()) };
        let Some(closed) = self.last_closed.filter(|closed| closed.bar.open_time() == bar_open) else {
            return Ok(());
        };
        let at = closed.bar.close_time(self.header.timeframe);
        let late_ms = u128::try_from(now.millis_since(at)).unwrap_or(0);
        let Some(deployed) = self.current.clone() else { return Ok(()) };
        if late_ms > self.watch.max_decision_delay.as_millis() {
            return Ok(());
        }
        let mut record = self.record_again(&closed, now);
        record.model = self.model.clone();
        let order = self.decide(&deployed, Ok(()), at, &mut record);
        self.recorder.append(&JournalRecord::Again(Box::new(record)), now)?;
        order.map_or(Ok(()), |order| self.send_to_venue(order, false, now))
    }

    /// The record of the last bar as the ledger stands now.
    fn record_again(&self, closed: &ClosedBar, now: Timestamp) -> BarRecord {
        let mut record = BarRecord::of(closed, now, 0.0);
        let session = self.desk.session();
        (record.equity, record.cash, record.position) =
            (session.equity(), session.cash(), session.position());
        record.mode = self.desk.risk().mode();
        record
    }
}
