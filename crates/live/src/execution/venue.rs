//! A session's orders at a venue: the desk that decides what leaves, and the task that talks to the venue.

use std::sync::Arc;
use std::time::Duration;

use walkforward_core::{ErrorKind, Price, Quantity, Timestamp, Venue, VenueError};

use super::VenueAccess;
use super::findings::refusals;
use crate::journal::{EventRecord, JournalRecord, SegmentHeader, StampedEvent};
use crate::orders::{Unsellable, cash_flow};
use crate::recorder::Recorder;
use crate::{
    Booking, CarryError, Desk, DriverMode, LiveError, OrderAct, OrderBooks, OrderDesk, OrderRecord,
    OrderRules, OrderWarning, Restriction, SessionSummary, Stock, VenueAnswer, VenueDriver, carry_out,
    take_stock,
};

/// Attempts to ask the venue for all that a start needs.
const STOCK_ATTEMPTS: u32 = 5;
/// Wait before the second of them; it doubles with each further one.
const STOCK_WAIT: Duration = Duration::from_secs(1);

/// Orders at a venue, at work.
pub(crate) struct AtVenue {
    pub(crate) orders: OrderDesk,
    driver: VenueDriver,
    mode: DriverMode,
    acts: Vec<OrderAct>,
    /// The bar whose order is to be decided again.
    again: Option<Timestamp>,
    /// Newest price of the market, and when it was one.
    newest: Option<(Price, Timestamp)>,
    /// The last reason why there was no order: told once.
    pub(crate) skipped: Option<String>,
    /// The position that was to be closed and could not be, and why: told once.
    pub(crate) stuck: Option<(Quantity, Unsellable)>,
}

/// Orders of an earlier process that this one may not go on with.
pub(crate) struct Forbidden {
    /// Whether it is the purchases alone.
    pub(crate) only_purchases: bool,
    pub(crate) reason: String,
}

/// What a step of the desk touches besides.
pub(crate) struct VenueStep<'a> {
    pub(crate) recorder: &'a mut Recorder,
    pub(crate) desk: &'a mut Desk,
    pub(crate) summary: &'a mut SessionSummary,
    pub(crate) now: Timestamp,
}

/// The position moved before the order of this bar could leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moved(pub(crate) Timestamp);

impl AtVenue {
    /// The orders that `recovered` left, or none, under the rules of today. `price` is the last one known.
    pub(crate) fn begin(
        access: &VenueAccess,
        header: &SegmentHeader,
        recovered: Option<OrderDesk>,
        desk: &Desk,
        stock: &Stock,
    ) -> Result<Self, LiveError> {
        let orders = orders_under(access, header, recovered, desk, stock)?;
        let driver = VenueDriver::start(Arc::clone(&access.venue), access.mode);
        let (acts, mode) = (Vec::new(), access.mode);
        Ok(Self { orders, driver, mode, acts, again: None, newest: None, skipped: None, stuck: None })
    }

    /// Refuses a start against which something stands, before anything of it is written or done.
    pub(crate) fn check(
        &self,
        header: &SegmentHeader,
        desk: &Desk,
        stock: &Stock,
        mode: DriverMode,
        now: Timestamp,
    ) -> Result<(), LiveError> {
        let refusals = refusals(&self.orders, desk, header, stock, mode, now);
        if refusals.is_empty() { Ok(()) } else { Err(LiveError::Refused { refusals }) }
    }

    /// Takes up what an earlier process left, but for what is `forbidden`; nothing goes on where something stands against it.
    pub(crate) fn reconcile(
        &mut self,
        stock: &Stock,
        forbidden: Option<&Forbidden>,
        books: VenueStep<'_>,
    ) -> Result<Option<Moved>, LiveError> {
        if let Some(Forbidden { only_purchases, reason }) = forbidden {
            self.orders.forbid(*only_purchases, reason, books.now, &mut self.acts);
        }
        let verdict = self.orders.reconcile(stock, books.now, &mut self.acts);
        let cash = books.desk.session().cash() + flow_of(&self.acts);
        if self.orders.compare_cash(stock, cash, books.desk.session().equity()).is_short() {
            self.orders.cash_is_short(stock.account.spendable, &mut self.acts);
        }
        // Whoever only watches has a ledger that is not the account's.
        if verdict.is_ok() && self.mode == DriverMode::Trade {
            self.orders.watch_cash(&stock.account, books.now, &mut self.acts);
        }
        let moved = self.carry(books)?;
        match verdict {
            Ok(()) => Ok(moved),
            Err(refusals) => Err(LiveError::Refused { refusals }),
        }
    }

    /// Lets the desk do something, and carries out what comes of it.
    pub(crate) fn step(
        &mut self,
        books: VenueStep<'_>,
        step: impl FnOnce(&mut OrderDesk, &mut Vec<OrderAct>),
    ) -> Result<Option<Moved>, LiveError> {
        step(&mut self.orders, &mut self.acts);
        self.carry(books)
    }

    fn carry(&mut self, step: VenueStep<'_>) -> Result<Option<Moved>, LiveError> {
        let mut books = Books { step, again: &mut self.again };
        match carry_out(&mut self.acts, &mut books, &self.driver) {
            Err(CarryError::Books(error)) => return Err(error),
            // The desk takes what was not asked for a lost question, and asks again.
            Err(error) => tracing::warn!(%error, "the venue could not be asked"),
            Ok(()) => {}
        }
        Ok(self.again.take().map(Moved))
    }

    /// Takes the market's newest price, that of the moment `at`.
    pub(crate) fn mark(&mut self, price: f64, at: Timestamp) {
        if let Ok(price) = Price::new(price) {
            self.newest = Some((price, at));
            self.orders.mark(price, at);
        }
    }

    /// How far a price of later than `at` is from `decided`, as a fraction of it; 0 where none is known.
    pub(crate) fn price_moved(&self, decided: f64, at: Timestamp) -> f64 {
        let later = self.newest.filter(|(_, newest_at)| *newest_at > at);
        later.map_or(0.0, |(newest, _)| (newest.get() / decided - 1.0).abs())
    }

    /// Why a position of `held` can't be sold; none where it may be.
    pub(crate) fn unsellable(&self, held: Quantity) -> Option<Unsellable> {
        let is_watching = self.mode == DriverMode::Observe;
        is_watching.then_some(Unsellable::Observed).or_else(|| self.orders.unsellable(held))
    }

    /// The next answer of the venue. Cancel safe.
    pub(crate) async fn answer(&mut self) -> Result<VenueAnswer, LiveError> {
        let ended = || LiveError::Task("the task that talks to the venue has ended".to_owned());
        self.driver.next().await.ok_or_else(ended)
    }
}

/// What the bookings among `acts` bring in cash.
pub(super) fn flow_of(acts: &[OrderAct]) -> f64 {
    let flow = |act: &OrderAct| match act {
        OrderAct::Book(Booking { fill, .. }) => cash_flow(fill),
        _ => 0.0,
    };
    acts.iter().map(flow).sum()
}

/// The orders that `recovered` left, or none, under the rules of today.
pub(super) fn orders_under(
    access: &VenueAccess,
    header: &SegmentHeader,
    recovered: Option<OrderDesk>,
    desk: &Desk,
    stock: &Stock,
) -> Result<OrderDesk, LiveError> {
    let rules = OrderRules {
        deployment: header.deployment.clone(),
        line: header.line.to_string(),
        instrument: stock.instrument,
        risk: header.config.risk,
        fee_bps: header.config.fee_bps,
        slippage_bps: header.config.slippage_bps,
        external: access.external,
        disaster_stop: access.disaster_stop,
        times: access.times,
    };
    let mut orders = match recovered {
        Some(orders) => orders.with_rules(rules)?,
        None => OrderDesk::new(rules, desk.session().position())?,
    };
    if let Some(bar) = desk.history().last()
        && let Ok(price) = Price::new(bar.close())
    {
        orders.mark(price, bar.close_time(header.timeframe));
    }
    Ok(orders)
}

/// All that a start needs to know of the venue, asked for more than once where it does not answer.
pub(crate) async fn stock(venue: &dyn Venue, orders: Option<&OrderDesk>) -> Result<Stock, VenueError> {
    let names = orders.map(OrderDesk::unfinished).unwrap_or_default();
    let mut wait = STOCK_WAIT;
    for _ in 1..STOCK_ATTEMPTS {
        match take_stock(venue, &names).await {
            Err(error) if error.kind == ErrorKind::Retry => {
                tracing::warn!(%error, "the venue is asked again");
                tokio::time::sleep(wait).await;
                wait *= 2;
            }
            stock => return stock,
        }
    }
    take_stock(venue, &names).await
}

/// The session's journal, ledger and limits, for one step.
struct Books<'a, 'b> {
    step: VenueStep<'a>,
    again: &'b mut Option<Timestamp>,
}

impl Books<'_, '_> {
    fn event(&mut self, event: EventRecord) -> Result<(), LiveError> {
        let at = self.step.now;
        let stamped = StampedEvent { at, event };
        self.step.recorder.append(&JournalRecord::Event(stamped.clone()), at)?;
        crate::conditions::apply(self.step.desk, &stamped.event, at);
        self.step.recorder.settled(self.step.desk.risk().mode(), at);
        Ok(())
    }
}

impl OrderBooks for Books<'_, '_> {
    fn append(&mut self, record: &OrderRecord) -> Result<(), LiveError> {
        let VenueStep { recorder, now, .. } = &mut self.step;
        recorder.append(&JournalRecord::Order(Box::new(record.clone())), *now)
    }

    fn sync(&mut self) -> Result<(), LiveError> {
        self.step.recorder.sync()
    }

    fn book(&mut self, booking: &Booking) -> Result<(), LiveError> {
        self.step.desk.book_between_bars(&booking.fill)?;
        self.step.summary.fills += 1;
        self.step.summary.stand(self.step.desk.session());
        Ok(())
    }

    fn decide_again(&mut self, bar_open: Timestamp) {
        *self.again = Some(bar_open);
    }

    fn restrict(&mut self, restriction: Restriction) -> Result<(), LiveError> {
        tracing::warn!(mode = %restriction.mode, reason = restriction.reason, "the venue restricts the session");
        self.event(EventRecord::Restricted { restriction })
    }

    fn warn(&mut self, warning: &OrderWarning) -> Result<(), LiveError> {
        tracing::warn!(%warning, "orders");
        self.event(EventRecord::Warning { reason: warning.to_string() })
    }
}
