//! A venue of the property tests: no clock, no network, every lie that a venue can tell.

use std::collections::VecDeque;

use walkforward_core::{
    Cash, ClientOrderId, ErrorKind, Instrument, OrderKind, OrderOrigin, OrderSize, OrderState, OrderStatus,
    Price, Quantity, RejectReason, Rejection, Side, SubmitError, Timestamp, VenueAccount, VenueError,
    VenueFill, VenueOrder, VenuePosition, VenueUpdate,
};
use walkforward_live::{Stock, VenueAnswer, VenueTask};

use crate::world::grid;

/// Fee of the venue, in billionths: not the one that is declared, which is 25 bps.
const FEE_BILLIONTHS: i64 = 2_000_000;

/// What happens to the next order that is handed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SubmitFault {
    LostBefore,
    LostAfter,
    /// It arrives so many milliseconds later.
    Delayed(i64),
    NotPlaced,
    /// It is taken and no answer ever comes.
    Silent,
    /// It is not taken and no answer ever comes.
    SilentLost,
    Refused(RejectReason),
}

#[derive(Debug, Clone)]
pub(crate) struct SimOrder {
    pub(crate) order: VenueOrder,
    pub(crate) filled: Quantity,
    cost: f64,
    pub(crate) status: OrderStatus,
    changed_at: Timestamp,
}

impl SimOrder {
    fn left(&self, price: f64) -> Quantity {
        match self.order.size() {
            OrderSize::Quantity(quantity) => quantity - self.filled,
            OrderSize::Notional(cash) => {
                Quantity::from_units_towards_zero((cash.get() - self.cost).max(0.0) / price).unwrap()
            }
        }
    }

    fn state(&self) -> OrderState {
        OrderState {
            origin: OrderOrigin::Named(self.order.id().clone()),
            venue_id: format!("v-{}", self.order.id()),
            side: self.order.side(),
            status: self.status,
            ordered: match self.order.size() {
                OrderSize::Quantity(quantity) => Some(quantity),
                OrderSize::Notional(_) => None,
            },
            filled: self.filled,
            average_price: Price::new(self.cost / self.filled.units()).ok(),
            updated_at: self.changed_at,
            reason: None,
        }
    }
}

/// The venue. Times are milliseconds of the world's clock.
pub(crate) struct Sim {
    pub(crate) now: Timestamp,
    pub(crate) price: f64,
    pub(crate) position: Quantity,
    pub(crate) cash: f64,
    pub(crate) orders: Vec<SimOrder>,
    pub(crate) faults: VecDeque<SubmitFault>,
    /// Questions that fail before one is answered.
    pub(crate) failing: u32,
    /// How far the position that is told lies behind, in milliseconds.
    pub(crate) lag_ms: i64,
    /// Whether orders that are to end do so only with the next change.
    pub(crate) ends_slowly: bool,
    /// Whether orders that are looked up are not found.
    pub(crate) hides: bool,
    /// Most that an order may be worth.
    pub(crate) maximum: Option<f64>,
    pub(crate) tells_position: bool,
    pub(crate) is_up: bool,
    /// Handed in, whatever came of it.
    pub(crate) submitted: Vec<ClientOrderId>,
    /// What the position was until when.
    past: Vec<(Timestamp, Quantity)>,
    arrivals: Vec<(Timestamp, VenueOrder)>,
    answers: Vec<(Timestamp, VenueAnswer)>,
    pub(crate) updates: VecDeque<VenueUpdate>,
    executions: u64,
}

impl Sim {
    pub(crate) fn new(now: Timestamp) -> Self {
        Self {
            now,
            price: 40_000.0,
            position: Quantity::ZERO,
            cash: 10_000.0,
            orders: Vec::new(),
            faults: VecDeque::new(),
            failing: 0,
            lag_ms: 0,
            ends_slowly: false,
            hides: false,
            maximum: None,
            tells_position: true,
            is_up: true,
            submitted: Vec::new(),
            past: Vec::new(),
            arrivals: Vec::new(),
            answers: Vec::new(),
            updates: VecDeque::from([VenueUpdate::Up]),
            executions: 0,
        }
    }

    fn find(&self, id: &ClientOrderId) -> Option<usize> {
        self.orders.iter().position(|it| it.order.id() == id)
    }

    fn tell(&mut self, update: VenueUpdate) {
        if self.is_up {
            self.updates.push_back(update);
        }
    }

    fn later(&mut self, ms: i64, answer: VenueAnswer) {
        self.answers.push((self.now.plus_millis(ms), answer));
    }

    fn refusal(&self, order: &VenueOrder) -> Option<RejectReason> {
        let worth = match order.size() {
            OrderSize::Notional(cash) => cash.get(),
            OrderSize::Quantity(quantity) => quantity.units() * self.price,
        };
        if self.maximum.is_some_and(|maximum| worth > maximum) {
            return Some(RejectReason::AboveMaximum);
        }
        let open = || self.orders.iter().filter(|it| !it.status.is_final());
        if open().any(|it| it.order.side() != order.side()) {
            return Some(RejectReason::WashTrade);
        }
        let held_back = open().fold(Quantity::ZERO, |sum, it| match it.order.side() {
            Side::Sell => sum + it.left(self.price),
            Side::Buy => sum,
        });
        let is_short = match order.size() {
            OrderSize::Notional(cash) => cash.get() > self.cash,
            OrderSize::Quantity(quantity) => quantity > self.position - held_back,
        };
        is_short.then_some(RejectReason::InsufficientBalance)
    }

    fn place(&mut self, order: &VenueOrder) -> Result<OrderState, SubmitError> {
        if self.find(order.id()).is_some() {
            return Err(SubmitError::DuplicateId { id: order.id().clone() });
        }
        if let Some(reason) = self.refusal(order) {
            return Err(refused(reason));
        }
        let (filled, cost, status) = (Quantity::ZERO, 0.0, OrderStatus::Open);
        self.orders.push(SimOrder { order: order.clone(), filled, cost, status, changed_at: self.now });
        let state = self.orders[self.orders.len() - 1].state();
        self.tell(VenueUpdate::Order(state.clone()));
        Ok(OrderState { status: OrderStatus::Pending, ..state })
    }

    pub(crate) fn ask(&mut self, task: VenueTask) {
        let failed = || VenueError { kind: ErrorKind::Retry, message: "no answer".to_owned() };
        let fails = !matches!(task, VenueTask::Submit(_)) && self.failing > 0;
        self.failing -= u32::from(fails);
        let answer = match task {
            VenueTask::Submit(order) => return self.submit(order),
            VenueTask::LookUp(id) => {
                let found = self.find(&id).filter(|_| !self.hides).map(|at| self.orders[at].state());
                let result = if fails { Err(failed()) } else { Ok(found) };
                VenueAnswer::LookedUp { id, result }
            }
            VenueTask::Cancel(id) => {
                let result = if fails { Err(failed()) } else { Ok(self.cancel(&id)) };
                VenueAnswer::Canceled { id, result }
            }
            VenueTask::Position => {
                let result = if fails { Err(failed()) } else { Ok(self.told_position()) };
                VenueAnswer::Position(result)
            }
            VenueTask::Account => VenueAnswer::Account(Ok(self.account())),
        };
        self.later(50, answer);
    }

    fn told_position(&self) -> VenuePosition {
        let seen_at = self.now.plus_millis(-self.lag_ms);
        let then = self.past.iter().find(|(until, _)| *until > seen_at);
        let quantity = then.map_or(self.position, |(_, quantity)| *quantity);
        VenuePosition { quantity, available: quantity, average_entry: None }
    }

    fn account(&self) -> VenueAccount {
        let cash = Cash::new(self.cash).unwrap();
        VenueAccount { id: Some("sim".to_owned()), cash, spendable: cash, equity: cash, blocked: None }
    }

    fn submit(&mut self, order: VenueOrder) {
        let id = order.id().clone();
        self.submitted.push(id.clone());
        let unknown = || Err(SubmitError::Unknown { reason: "no answer".to_owned() });
        let (ms, result) = match self.faults.pop_front() {
            None => (50, self.place(&order)),
            Some(SubmitFault::LostBefore) => (800, unknown()),
            Some(SubmitFault::LostAfter) => {
                drop(self.place(&order));
                (800, unknown())
            }
            Some(SubmitFault::Delayed(ms)) => {
                self.arrivals.push((self.now.plus_millis(ms), order));
                (400, unknown())
            }
            Some(SubmitFault::NotPlaced) => {
                (100, Err(SubmitError::NotPlaced { reason: "429".to_owned(), wait_ms: Some(500) }))
            }
            Some(SubmitFault::Silent) => return drop(self.place(&order)),
            Some(SubmitFault::SilentLost) => return,
            Some(SubmitFault::Refused(reason)) => (50, Err(refused(reason))),
        };
        self.later(ms, VenueAnswer::Submitted { id, result });
    }

    fn cancel(&mut self, id: &ClientOrderId) -> Option<OrderState> {
        let at = self.find(id)?;
        if !self.orders[at].status.is_final() {
            match self.ends_slowly {
                true => self.orders[at].status = OrderStatus::Canceling,
                false => self.end(at, OrderStatus::Canceled),
            }
        }
        Some(self.orders[at].state())
    }

    pub(crate) fn end(&mut self, at: usize, status: OrderStatus) {
        let order = &mut self.orders[at];
        (order.status, order.changed_at) = (status, self.now);
        let state = order.state();
        self.tell(VenueUpdate::Order(state));
    }

    /// Fills a share of an order, at the present price or the stop's limit.
    pub(crate) fn fill(&mut self, at: usize, share: f64) {
        let price = (self.price * 100.0).round() / 100.0;
        let order = &mut self.orders[at];
        let left = order.left(price);
        let part = (left.units() * share * 1e9) as i64;
        let quantity =
            if share >= 1.0 { left } else { Quantity::from_nanos(part.clamp(1, left.nanos().max(1))) };
        if left <= Quantity::ZERO {
            return self.end(at, OrderStatus::Filled);
        }
        self.past.push((self.now, self.position));
        order.filled = order.filled + quantity;
        order.cost += quantity.units() * price;
        let fee = Quantity::from_nanos((quantity.nanos() / 1_000 * FEE_BILLIONTHS).div_euclid(1_000_000) + 1);
        match order.order.side() {
            Side::Buy => {
                self.position = self.position + quantity - fee.min(quantity);
                self.cash -= quantity.units() * price;
            }
            Side::Sell => {
                self.position = self.position - quantity;
                self.cash += quantity.units() * price * 0.998;
            }
        }
        order.status = if quantity == left { OrderStatus::Filled } else { OrderStatus::PartiallyFilled };
        order.changed_at = self.now;
        let state = order.state();
        self.executions += 1;
        let fill = VenueFill {
            execution_id: format!("e-{}", self.executions),
            quantity,
            price: Price::new(price).unwrap(),
            time: self.now,
            position_after: self.tells_position.then_some(self.position),
            order: state,
        };
        self.tell(VenueUpdate::Fill(fill));
    }

    /// Orders that may fill: of stops those that the price has woken.
    pub(crate) fn fillable(&self) -> Vec<usize> {
        let is_awake = |it: &SimOrder| match it.order.kind() {
            OrderKind::Market => true,
            OrderKind::StopLimit { stop, .. } => self.price <= stop.get(),
        };
        let all = self.orders.iter().enumerate();
        all.filter(|(_, it)| !it.status.is_final() && is_awake(it)).map(|(at, _)| at).collect()
    }

    /// Ends what was asked to end.
    pub(crate) fn finish_ends(&mut self) {
        for at in 0..self.orders.len() {
            if self.orders[at].status == OrderStatus::Canceling {
                self.end(at, OrderStatus::Canceled);
            }
        }
    }

    /// Lets requests arrive that were on their way, and gives what the trader gets by now.
    pub(crate) fn deliver(&mut self) -> Vec<VenueAnswer> {
        let now = self.now;
        let (due, later) = std::mem::take(&mut self.arrivals).into_iter().partition(|(at, _)| *at <= now);
        self.arrivals = later;
        let due: Vec<(Timestamp, VenueOrder)> = due;
        for (_, order) in &due {
            drop(self.place(order));
        }
        let (due, later) = std::mem::take(&mut self.answers).into_iter().partition(|(at, _)| *at <= now);
        self.answers = later;
        let due: Vec<(Timestamp, VenueAnswer)> = due;
        let answers = due.into_iter().map(|(_, answer)| answer);
        answers.chain(self.updates.drain(..).map(VenueAnswer::Update)).collect()
    }

    /// The trader is gone: what was on its way to it is lost, what was on its way to the venue is not.
    pub(crate) fn forget_trader(&mut self) {
        self.answers.clear();
        self.updates.clear();
        if self.is_up {
            self.updates.push_back(VenueUpdate::Up);
        }
    }

    pub(crate) fn stock(&self, names: &[ClientOrderId]) -> Stock {
        let found = |id: &ClientOrderId| (id.clone(), self.find(id).map(|at| self.orders[at].state()));
        let open = self.orders.iter().filter(|it| !it.status.is_final()).map(SimOrder::state).collect();
        let position =
            VenuePosition { quantity: self.position, available: self.position, average_entry: None };
        let orders = names.iter().map(found).collect();
        let maximum_notional = self.maximum.and_then(|maximum| Cash::new(maximum).ok());
        let instrument = Instrument { maximum_notional, ..grid() };
        Stock { orders, open, position, account: self.account(), instrument }
    }
}

fn refused(reason: RejectReason) -> SubmitError {
    SubmitError::Rejected(Rejection { reason, status: 403, code: Some(40_310_000), message: "no".to_owned() })
}
