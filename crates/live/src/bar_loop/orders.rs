//! Where a bar's order goes, and what comes back from a venue between two bars.

use walkforward_core::{ApprovedOrder, Bar, Price, Quantity, Side, Timestamp, TradingMode};

use super::BarLoop;
use crate::execution::{AtVenue, Forbidden, Moved, VenueStep};
use crate::journal::{BarRecord, EventRecord, JournalRecord};
use crate::orders::Unsellable;
use crate::{
    ClosedBar, Command, DecisionFate, LiveError, OrderAct, OrderDecision, OrderDesk, RiskDesk, Stock,
    VenueAnswer,
};

/// First and longest time between two tries to close a position, milliseconds.
const FLAT_RETRY_MS: (i64, i64) = (2_000, 60_000);

/// When something is tried again.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Retry {
    due: Option<Timestamp>,
    tries: u32,
    /// The bar whose sale to close the position has been counted as an order.
    counted: Option<Timestamp>,
}

impl Retry {
    /// Whether the moment has come; also when it lies so far away that the clock must have been set back.
    fn is_due(self, now: Timestamp) -> bool {
        self.due.is_none_or(|due| !(1..=FLAT_RETRY_MS.1).contains(&due.millis_since(now)))
    }

    /// The same before the first try.
    fn anew(self) -> Self {
        Self { counted: self.counted, ..Self::default() }
    }

    fn put_off(&mut self, now: Timestamp) {
        let (first, longest) = FLAT_RETRY_MS;
        self.due = Some(now.plus_millis((first << self.tries.min(10)).min(longest)));
        self.tries = self.tries.saturating_add(1);
    }
}

/// Which orders on their way a session ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Ends {
    Nothing,
    Purchases,
    Everything,
}

/// Which orders end in this mode. Who gets out is not held up.
fn ends(mode: TradingMode, flattens: bool) -> Ends {
    match (mode, flattens) {
        (TradingMode::Active, _) => Ends::Nothing,
        (TradingMode::Halted, false) => Ends::Everything,
        _ => Ends::Purchases,
    }
}

/// Which orders end when somebody asks for this.
fn ends_by(command: &Command) -> Ends {
    match command {
        Command::Resume { .. } | Command::Acknowledge { .. } => Ends::Nothing,
        Command::ReduceOnly { .. } | Command::Flatten { .. } | Command::Halt { flatten: true, .. } => {
            Ends::Purchases
        }
        Command::Pause { .. } | Command::Halt { flatten: false, .. } => Ends::Everything,
    }
}

/// Which orders of an earlier process a session under `risk` may not go on with, and under all that was `asked` for since:
/// what ends most holds, whatever was said before and after it.
fn forbidden(risk: &RiskDesk, asked: &[Command]) -> Option<Forbidden> {
    let strictest = asked.iter().rev().max_by_key(|command| ends_by(command));
    let (asked_to_end, asked_why) = strictest.map_or((Ends::Nothing, ""), |it| (ends_by(it), it.reason()));
    let ends = ends(risk.mode(), risk.flattens()).max(asked_to_end);
    let restriction = risk.restriction().map(|it| it.reason.as_str());
    let condition = || risk.conditions().strictest().map(|it| it.reason.as_str());
    let why = match asked_to_end {
        Ends::Nothing => restriction.or_else(condition).unwrap_or_default(),
        _ => asked_why,
    };
    (ends != Ends::Nothing).then(|| Forbidden {
        only_purchases: ends == Ends::Purchases,
        reason: format!("the session may not go on with it: {why}"),
    })
}

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
        let is_purchase = approved.order().side == Side::Buy;
        if is_purchase && let Some(reason) = self.collar_reason(&bar) {
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

    /// Why the price is too far from that of the bar's close; none where it is not. Whoever gets out is not held back.
    fn collar_reason(&self, bar: &Bar) -> Option<String> {
        let collar = self.desk.risk().limits().price_collar?;
        let closed_at = bar.close_time(self.header.timeframe);
        let moved = self.execution.venue()?.price_moved(bar.close(), closed_at);
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
        if self.order_deadline(now).is_some_and(|due| due <= now) {
            self.at_venue(now, |orders, acts| orders.tick(now, acts))?;
        }
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

    /// Takes the newest price of the market, that of the moment `at`.
    pub(crate) fn mark_price(&mut self, price: f64, at: Timestamp) {
        if let Executing::Venue(venue) = &mut self.execution {
            venue.mark(price, at);
        }
    }

    /// Takes up the orders that an earlier process left, as far as the session may go on with them: `asked` is what somebody
    /// has asked for meanwhile.
    pub(crate) fn reconcile(
        &mut self,
        stock: &Stock,
        asked: &[Command],
        now: Timestamp,
    ) -> Result<(), LiveError> {
        let forbidden = forbidden(self.desk.risk(), asked);
        let Self { execution, recorder, desk, summary, .. } = self;
        let Executing::Venue(at) = execution else { return Ok(()) };
        // Nobody decides before the first bar: what the position asks for is that bar's to say.
        at.reconcile(stock, forbidden.as_ref(), VenueStep { recorder, desk, summary, now }).map(|_| ())
    }

    /// Whether a position at a venue is to be closed, whatever a model says, and can be.
    pub(crate) fn wants_flat(&self) -> bool {
        let held = self.desk.session().position();
        let sells = |at: &AtVenue| at.unsellable(held).is_none();
        self.desk.risk().flattens() && self.execution.venue().is_some_and(sells)
    }

    /// The position that is to be closed and can't be, and why.
    fn stuck(&self) -> Option<(Quantity, Unsellable)> {
        let held = self.desk.session().position();
        let is_asked_for = self.desk.risk().flattens() && held > Quantity::ZERO && self.is_settled();
        let why = self.execution.venue().filter(|_| is_asked_for)?.unsellable(held)?;
        Some((held, why))
    }

    /// Tells once why a position is not closed.
    fn tell_stuck(&mut self, now: Timestamp) -> Result<(), LiveError> {
        let stuck = self.stuck();
        let Executing::Venue(at) = &mut self.execution else { return Ok(()) };
        if !self.desk.risk().flattens() {
            at.stuck = None;
        }
        let Some((held, why)) = stuck.filter(|_| at.stuck != stuck) else { return Ok(()) };
        at.stuck = stuck;
        let reason = format!("the position of {held} is not closed: {why}");
        tracing::warn!(reason, "a position stays");
        self.event(EventRecord::Warning { reason }, now)
    }

    /// Closes a position at a venue that is to be closed: now and not with the next bar, and again until it is.
    pub(crate) fn pursue_flat(&mut self, now: Timestamp) -> Result<(), LiveError> {
        self.tell_stuck(now)?;
        let Some(closed) = self.last_closed.filter(|_| self.wants_flat()) else {
            self.flat = self.flat.anew();
            return Ok(());
        };
        if !self.is_settled() || !self.flat.is_due(now) {
            return Ok(());
        }
        self.flat.put_off(now);
        let mut record = self.record_again(&closed, now);
        record.is_retry = self.flat.counted == Some(record.open_time);
        let at = closed.bar.close_time(self.header.timeframe);
        let order = self.without_decision(at, &mut record);
        self.note_flat(&record);
        self.recorder.append(&JournalRecord::Again(Box::new(record)), now)?;
        order.map_or(Ok(()), |order| self.send_to_venue(order, true, now))
    }

    /// Notes that the order of `record` closes the position: further tries of its bar are not counted as orders.
    pub(super) fn note_flat(&mut self, record: &BarRecord) {
        if record.order.is_some() && self.desk.risk().flattens() {
            self.flat.counted = Some(record.open_time);
        }
    }

    /// Ends what was on its way under another mode than that of now.
    pub(crate) fn enforce_mode(&mut self, now: Timestamp) -> Result<(), LiveError> {
        self.has_less_to_do = false;
        let risk = self.desk.risk();
        match ends(risk.mode(), risk.flattens()) {
            Ends::Nothing => Ok(()),
            Ends::Everything => self.end_orders(now),
            Ends::Purchases => {
                self.at_venue(now, |orders, acts| orders.cancel_purchases(now, acts))?;
                self.pursue_flat(now)
            }
        }
    }

    /// The last orders of a session that stops: what is on its way ends, but for what closes a position that is to be.
    pub(crate) fn end_for_good(&mut self, now: Timestamp) -> Result<(), LiveError> {
        match self.desk.risk().flattens() {
            true => self.enforce_mode(now),
            false => self.end_orders(now),
        }
    }

    fn at_venue(
        &mut self,
        now: Timestamp,
        step: impl FnOnce(&mut OrderDesk, &mut Vec<OrderAct>),
    ) -> Result<(), LiveError> {
        let Self { execution, recorder, desk, summary, .. } = self;
        let Executing::Venue(at) = execution else { return Ok(()) };
        let before = desk.risk().mode();
        let moved = at.step(VenueStep { recorder, desk, summary, now }, step)?;
        self.has_less_to_do |= desk.risk().mode() > before;
        self.moved = moved.or(self.moved);
        Ok(())
    }

    /// Does what has come up meanwhile: a mode that allows less, a position that moved, one that is to be closed.
    pub(crate) fn settle_moves(&mut self, now: Timestamp) -> Result<(), LiveError> {
        if self.has_less_to_do {
            self.enforce_mode(now)?;
        }
        self.decide_again(now)?;
        self.pursue_flat(now)
    }

    /// Decides the last bar again where the position moved before its order could leave, while there is time.
    fn decide_again(&mut self, now: Timestamp) -> Result<(), LiveError> {
        let Some(Moved(bar_open)) = self.moved.take().filter(|_| !self.wants_flat()) else { return Ok(()) };
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
