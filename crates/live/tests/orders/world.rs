//! A trader of the property tests: desk, journal and ledger, beside the venue.

use std::collections::BTreeSet;

use walkforward_core::{
    ApprovedOrder, Cash, ClientOrderId, Instrument, Order, OrderSize, Price, Quantity, RiskLimits, Side,
    Timestamp,
};
use walkforward_engine::Ledger;
use walkforward_live::{
    BookingKind, DecisionFate, DisasterStop, OrderAct, OrderDecision, OrderDesk, OrderOutcome, OrderRecord,
    OrderRules, OrderTimes, OrderWarning, Restriction, StartRefusal, VenueTask,
};

use crate::sim::Sim;

pub(crate) const BAR_MS: i64 = 60_000;

pub(crate) fn begin() -> Timestamp {
    "2024-01-01T00:00:00Z".parse().unwrap()
}

/// What the venues of the tests take of BTC/USD.
pub(crate) fn grid() -> Instrument {
    Instrument {
        quantity_step: Quantity::from_nanos(1),
        minimum: Quantity::from_nanos(12_000),
        price_step: Price::new(0.01).unwrap(),
        minimum_notional: Cash::new(10.0).ok(),
        maximum_notional: None,
        tradable: true,
    }
}

pub(crate) fn rules() -> OrderRules {
    OrderRules {
        deployment: "test-deployment".to_owned(),
        line: "default".to_owned(),
        instrument: grid(),
        risk: RiskLimits::default(),
        fee_bps: 25.0,
        slippage_bps: 5.0,
        external: Default::default(),
        disaster_stop: None,
        times: OrderTimes::default(),
    }
}

pub(crate) fn with_stop() -> OrderRules {
    OrderRules { disaster_stop: Some(DisasterStop { stop_pct: 10.0, limit_pct: 5.0 }), ..rules() }
}

/// An order that the risk checks have passed.
pub(crate) fn approve(
    side: Side,
    size: OrderSize,
    at: Timestamp,
    cash: f64,
    held: Quantity,
) -> ApprovedOrder {
    let order = Order { side, size, decided_at: at };
    RiskLimits::default().approve(order, Cash::new(cash).unwrap(), held).unwrap()
}

pub(crate) struct World {
    pub(crate) sim: Sim,
    pub(crate) desk: OrderDesk,
    pub(crate) ledger: Ledger,
    pub(crate) journal: Vec<OrderRecord>,
    /// Records that are on the disk.
    pub(crate) synced: usize,
    pub(crate) bar: Timestamp,
    pub(crate) warnings: Vec<OrderWarning>,
    pub(crate) restrictions: Vec<Restriction>,
    rules: OrderRules,
    /// Whether decisions of the present bar go for a position.
    wants_long: bool,
    /// When the trader wakes by itself.
    due: Option<Timestamp>,
}

impl World {
    pub(crate) fn new(rules: OrderRules) -> Self {
        let desk = OrderDesk::new(rules.clone(), Quantity::ZERO).unwrap();
        Self {
            sim: Sim::new(begin()),
            desk,
            ledger: Ledger::new(10_000.0),
            journal: Vec::new(),
            synced: 0,
            bar: begin(),
            warnings: Vec::new(),
            restrictions: Vec::new(),
            rules,
            wants_long: false,
            due: None,
        }
    }

    /// Carries out what the desk wants, and checks that nothing leaves before its record.
    pub(crate) fn carry(&mut self, acts: Vec<OrderAct>) {
        assert!(acts.len() < 64, "{} acts at once", acts.len());
        let mut again = None;
        for act in acts {
            match act {
                OrderAct::Journal(record) => self.journal.push(record),
                OrderAct::Submit(order) => {
                    self.synced = self.journal.len();
                    self.assert_is_written(order.id());
                    self.sim.ask(VenueTask::Submit(order));
                }
                OrderAct::Cancel(id) => {
                    self.synced = self.journal.len();
                    let is_asked =
                        |it: &OrderRecord| matches!(it, OrderRecord::CancelAsked { id: of, .. } if *of == id);
                    assert!(self.journal.iter().any(is_asked), "{id} ends without a record");
                    self.sim.ask(VenueTask::Cancel(id));
                }
                OrderAct::LookUp(id) => self.sim.ask(VenueTask::LookUp(id)),
                OrderAct::AskPosition => self.sim.ask(VenueTask::Position),
                OrderAct::AskAccount => self.sim.ask(VenueTask::Account),
                OrderAct::Book(booking) => {
                    let last = self.journal.iter().rev().find(|it| matches!(it, OrderRecord::Booked(_)));
                    assert_eq!(
                        last,
                        Some(&OrderRecord::Booked(Box::new(booking.clone()))),
                        "booked without a record"
                    );
                    self.ledger.apply_fill(&booking.fill).unwrap();
                }
                OrderAct::DecideAgain { bar_open } => again = Some(bar_open),
                OrderAct::Restrict(restriction) => self.restrictions.push(restriction),
                OrderAct::Warn(warning) => self.warnings.push(warning),
            }
        }
        assert_eq!(self.desk.position(), self.ledger.position());
        self.due = self.desk.deadline(self.sim.now);
        if again == Some(self.bar) {
            self.decide(self.wants_long);
        }
    }

    fn assert_is_written(&self, id: &ClientOrderId) {
        let has = |wanted: fn(&OrderRecord) -> Option<&ClientOrderId>| {
            self.journal[..self.synced].iter().any(|record| wanted(record) == Some(id))
        };
        let intent = |record: &OrderRecord| match record {
            OrderRecord::Intent(intent) => Some(intent.id.clone()),
            _ => None,
        };
        assert!(
            self.journal.iter().any(|record| intent(record).as_ref() == Some(id)),
            "{id} leaves without an intent"
        );
        assert!(has(|record| match record {
            OrderRecord::Sent { id, .. } => Some(id),
            _ => None,
        }));
    }

    /// Decides the present bar: all in, or all out. None when there is nothing to do.
    pub(crate) fn decide(&mut self, wants_long: bool) -> Option<DecisionFate> {
        self.wants_long = wants_long;
        let (held, cash) = (self.ledger.position(), self.ledger.cash());
        let is_long = held > Quantity::from_nanos(100_000);
        let (side, size) = match (wants_long, is_long) {
            (true, false) => (Side::Buy, OrderSize::Notional(Cash::new(cash.min(4_000.0)).ok()?)),
            (false, _) if held > Quantity::ZERO => (Side::Sell, OrderSize::Quantity(held)),
            _ => return None,
        };
        let approved = approve(side, size, self.bar.plus_millis(BAR_MS), cash, held);
        let price = Price::new(self.sim.price).unwrap();
        let mut acts = Vec::new();
        let decision = OrderDecision { approved, bar_open: self.bar, price, is_urgent: false };
        let fate = self.desk.decide(decision, self.sim.now, &mut acts);
        self.carry(acts);
        Some(fate)
    }

    /// Ends the present bar. Its order has its time until the next one.
    pub(crate) fn next_bar(&mut self) {
        self.bar = self.bar.plus_millis(BAR_MS);
        let mut acts = Vec::new();
        self.desk.cancel(self.sim.now, &mut acts);
        self.carry(acts);
    }

    /// Lets time pass in steps of `step_ms`.
    pub(crate) fn pass(&mut self, ms: i64, step_ms: i64) {
        let until = self.sim.now.plus_millis(ms);
        while self.sim.now < until {
            self.sim.now = self.sim.now.plus_millis(step_ms);
            self.deliver();
        }
    }

    /// What has come is taken, and what is due is done.
    pub(crate) fn deliver(&mut self) {
        for answer in self.sim.deliver() {
            let mut acts = Vec::new();
            self.desk.answer(answer, self.sim.now, &mut acts);
            self.carry(acts);
        }
        if self.due.is_some_and(|due| due <= self.sim.now) {
            let mut acts = Vec::new();
            self.desk.tick(self.sim.now, &mut acts);
            self.carry(acts);
        }
        self.due = self.desk.deadline(self.sim.now);
    }

    /// The trader dies and starts again: from its state, or from so many of its records that are not on the disk for
    /// sure.
    pub(crate) fn restart(&mut self, kept: Option<usize>) -> Result<(), Vec<StartRefusal>> {
        self.sim.forget_trader();
        match kept {
            None => {
                let text = serde_json::to_string(&self.desk).unwrap();
                self.desk = serde_json::from_str(&text).unwrap();
            }
            Some(kept) => {
                let unsure = self.journal.len() - self.synced;
                self.journal.truncate(self.synced + kept % (unsure + 1));
                self.desk = self.replayed();
            }
        }
        self.ledger = Ledger::new(10_000.0);
        for record in &self.journal {
            if let OrderRecord::Booked(booking) = record {
                self.ledger.apply_fill(&booking.fill).unwrap();
            }
        }
        self.desk.mark(Price::new(self.sim.price).unwrap(), self.sim.now);
        let stock = self.sim.stock(&self.desk.unfinished());
        let mut acts = Vec::new();
        let verdict = self.desk.reconcile(&stock, self.sim.now, &mut acts);
        self.carry(acts);
        verdict
    }

    /// The desk that the records make, read back from text.
    pub(crate) fn replayed(&self) -> OrderDesk {
        let mut desk = OrderDesk::new(self.rules.clone(), Quantity::ZERO).unwrap();
        for record in &self.journal {
            let text = serde_json::to_string(record).unwrap();
            desk.replay(&serde_json::from_str(&text).unwrap()).unwrap();
        }
        desk
    }

    pub(crate) fn has_closed(&self, wanted: &OrderOutcome) -> bool {
        let is_it = |it: &OrderRecord| matches!(it, OrderRecord::Closed { outcome, .. } if outcome == wanted);
        self.journal.iter().any(is_it)
    }

    pub(crate) fn has_booked(&self, kind: BookingKind) -> bool {
        let is_it = |it: &OrderRecord| matches!(it, OrderRecord::Booked(booking) if booking.kind == kind);
        self.journal.iter().any(is_it)
    }

    /// Everything heals, and comes to rest.
    pub(crate) fn settle(&mut self) {
        self.sim.faults.clear();
        (self.sim.failing, self.sim.lag_ms, self.sim.ends_slowly) = (0, 0, false);
        self.sim.hides = false;
        self.sim.finish_ends();
        self.next_bar();
        if !self.sim.is_up {
            self.sim.is_up = true;
            self.sim.updates.push_back(walkforward_core::VenueUpdate::Up);
        }
        self.pass(400_000, 500);
    }

    /// What must hold when everything has come to rest: ledger and venue agree, and so do the records.
    pub(crate) fn assert_agrees(&self) {
        assert!(self.desk.is_settled(), "{:#?}\n{:#?}", self.desk, self.warnings);
        assert_eq!(self.desk.position(), self.sim.position, "{:#?}", self.warnings);
        assert_eq!(self.ledger.position(), self.sim.position);
        let replayed = serde_json::to_value(self.replayed()).unwrap();
        assert_eq!(replayed, serde_json::to_value(&self.desk).unwrap());
        for order in &self.sim.orders {
            if let Some(entry) = self.desk.order(order.order.id()) {
                assert_eq!(entry.filled(), order.filled, "{entry:?}");
            }
        }
    }

    /// As [`assert_agrees`](Self::assert_agrees), where each bar is traded by one order.
    pub(crate) fn assert_sound(&self) {
        self.assert_agrees();
        let intents: BTreeSet<_> = self.journal.iter().filter_map(intent_id).collect();
        let mut filled_bars = BTreeSet::new();
        for order in &self.sim.orders {
            let id = order.order.id();
            assert!(intents.contains(id), "{id} is nobody's");
            let stop = matches!(order.order.kind(), walkforward_core::OrderKind::StopLimit { .. });
            if !stop && order.filled > Quantity::ZERO {
                let bar = self.desk.order(id).map(|entry| entry.intent().bar_open);
                assert!(bar.is_none_or(|bar| filled_bars.insert(bar)), "two orders of one bar filled");
            }
        }
    }
}

fn intent_id(record: &OrderRecord) -> Option<ClientOrderId> {
    match record {
        OrderRecord::Intent(intent) => Some(intent.id.clone()),
        _ => None,
    }
}
