//! A trader of the integration tests: desk, journal on disk and ledger, over the driver and the fake of Alpaca.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use walkforward_alpaca::{AlpacaVenue, Keys, RetryPolicy, Timeouts, TradingConfig};
use walkforward_core::{Cash, ManualClock, OrderSize, Price, Quantity, Side, Timestamp};
use walkforward_durable::{AppendLog, LogLimits, LogReader};
use walkforward_engine::Ledger;
use walkforward_live::{
    Booking, CarryError, DecisionFate, DriverMode, LiveError, OrderAct, OrderBooks, OrderDecision, OrderDesk,
    OrderRecord, OrderRules, OrderTimes, OrderWarning, Restriction, StartRefusal, VenueDriver, carry_out,
    take_stock,
};
use walkforward_testing::FakeAlpaca;

use crate::streams::short_times;
use crate::world::{BAR_MS, approve, begin, grid, rules};

const LIMITS: LogLimits = LogLimits { max_record_bytes: 1 << 20, max_file_bytes: 1 << 28 };
/// Longest that a test waits for something to come true.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Waits of a desk that are short where a test waits for them.
pub(crate) fn quick() -> OrderRules {
    let times = OrderTimes {
        live_ms: 4_000,
        first_wait_ms: 10,
        max_wait_ms: 80,
        poll_ms: 40,
        rest_poll_ms: 200,
        quiet_ms: 900,
        lag_ms: 100,
        patience_ms: 3_000,
    };
    OrderRules { times, ..rules() }
}

/// The fake as a venue.
pub(crate) fn venue(fake: &FakeAlpaca) -> Arc<AlpacaVenue> {
    let keys = Keys { id: FakeAlpaca::KEY_ID.into(), secret: FakeAlpaca::SECRET.into() };
    let mut config = TradingConfig::paper("BTC/USD".parse().unwrap(), keys);
    (config.rest_url, config.stream_url) = (fake.rest_url(), fake.updates_url());
    config.stream = short_times();
    config.timeouts = Timeouts { connect: ms(2_000), read: ms(500), total: ms(500) };
    config.retry = RetryPolicy { max_attempts: 3, ..config.retry };
    config.requests_per_minute = 10_000;
    Arc::new(AlpacaVenue::new(config, Arc::new(ManualClock::at(begin()))).unwrap())
}

/// Journal, ledger and what a person was told.
pub(crate) struct Books {
    log: AppendLog,
    pub(crate) ledger: Ledger,
    pub(crate) warnings: Vec<OrderWarning>,
    pub(crate) restrictions: Vec<Restriction>,
    pub(crate) again: Option<Timestamp>,
}

impl OrderBooks for Books {
    fn append(&mut self, record: &OrderRecord) -> Result<(), LiveError> {
        Ok(self.log.append(record)?)
    }

    fn sync(&mut self) -> Result<(), LiveError> {
        Ok(self.log.sync()?)
    }

    fn book(&mut self, booking: &Booking) -> Result<(), LiveError> {
        Ok(self.ledger.apply_fill(&booking.fill)?)
    }

    fn decide_again(&mut self, bar_open: Timestamp) {
        self.again = Some(bar_open);
    }

    fn restrict(&mut self, restriction: Restriction) -> Result<(), LiveError> {
        self.restrictions.push(restriction);
        Ok(())
    }

    fn warn(&mut self, warning: &OrderWarning) -> Result<(), LiveError> {
        self.warnings.push(warning.clone());
        Ok(())
    }
}

/// The records in the journal at `path`.
pub(crate) fn records(path: &Path) -> Vec<OrderRecord> {
    let Ok(lines) = LogReader::open(path, LIMITS) else { return Vec::new() };
    lines.map(|line| serde_json::from_slice(&line.unwrap()).unwrap()).collect()
}

/// Bars and time that go on over restarts.
#[derive(Clone)]
pub(crate) struct Time {
    pub(crate) bar: i64,
    started: Instant,
}

impl Time {
    pub(crate) fn new() -> Self {
        Self { bar: 0, started: Instant::now() }
    }

    pub(crate) fn now(&self) -> Timestamp {
        begin().plus_millis(self.started.elapsed().as_millis() as i64)
    }
}

pub(crate) struct Trader {
    pub(crate) desk: OrderDesk,
    pub(crate) books: Books,
    pub(crate) time: Time,
    driver: VenueDriver,
    acts: Vec<OrderAct>,
    price: f64,
    wants_long: bool,
}

impl Trader {
    /// Starts, for the first time or again, from the journal in `folder`.
    pub(crate) async fn start(
        fake: &FakeAlpaca,
        folder: &Path,
        rules: OrderRules,
        mode: DriverMode,
        time: Time,
    ) -> Result<Self, Vec<StartRefusal>> {
        let path: PathBuf = folder.join("journal.wfj");
        let (mut desk, mut ledger) = (OrderDesk::new(rules, Quantity::ZERO).unwrap(), Ledger::new(10_000.0));
        for record in records(&path) {
            desk.replay(&record).unwrap();
            if let OrderRecord::Booked(booking) = &record {
                ledger.apply_fill(&booking.fill).unwrap();
            }
        }
        let log = AppendLog::open(&path, LIMITS).unwrap().0;
        let (warnings, restrictions) = (Vec::new(), Vec::new());
        let books = Books { log, ledger, warnings, restrictions, again: None };
        let venue = venue(fake);
        desk.mark(Price::new(40_000.0).unwrap(), Timestamp::EPOCH);
        let stock = loop {
            if let Ok(stock) = take_stock(&*venue, &desk.unfinished()).await {
                break stock;
            }
        };
        let mut acts = Vec::new();
        let verdict = desk.reconcile(&stock, time.now(), &mut acts);
        let driver = VenueDriver::start(venue, mode);
        let mut trader = Self { desk, books, time, driver, acts, price: 40_000.0, wants_long: false };
        trader.carry();
        verdict.map(|()| trader)
    }

    fn carry(&mut self) {
        match carry_out(&mut self.acts, &mut self.books, &self.driver) {
            Ok(()) => {}
            Err(CarryError::Driver { what, source }) => panic!("{what}: {source}"),
            Err(error) => panic!("{error}"),
        }
        assert_eq!(self.desk.position(), self.books.ledger.position());
    }

    pub(crate) fn next_bar(&mut self) {
        self.time.bar += 1;
        self.desk.cancel(self.time.now(), &mut self.acts);
        self.carry();
    }

    /// Decides the present bar: all in, or all out.
    pub(crate) fn decide(&mut self, wants_long: bool) -> Option<DecisionFate> {
        self.wants_long = wants_long;
        let (held, cash) = (self.books.ledger.position(), self.books.ledger.cash());
        let (side, size) = match (wants_long, held > Quantity::from_nanos(100_000)) {
            (true, false) => (Side::Buy, OrderSize::Notional(Cash::new(cash.min(400.0)).unwrap())),
            (false, _) if grid().sells(held) => (Side::Sell, OrderSize::Quantity(held)),
            _ => return None,
        };
        let bar_open = begin().plus_millis(self.time.bar * BAR_MS);
        let approved = approve(side, size, bar_open.plus_millis(BAR_MS), cash, held);
        let decision =
            OrderDecision { approved, bar_open, price: Price::new(self.price).unwrap(), is_urgent: false };
        let fate = self.desk.decide(decision, self.time.now(), &mut self.acts);
        self.carry();
        Some(fate)
    }

    /// One turn of the loop: an answer, or what is due.
    pub(crate) async fn turn(&mut self) {
        let now = self.time.now();
        match tokio::time::timeout(ms(5), self.driver.next()).await {
            Ok(Some(answer)) => self.desk.answer(answer, self.time.now(), &mut self.acts),
            Ok(None) => panic!("the driver has ended"),
            Err(_) if self.desk.deadline(now).is_some_and(|due| due <= now) => {
                self.desk.tick(self.time.now(), &mut self.acts);
            }
            Err(_) => {}
        }
        self.carry();
        let bar_open = begin().plus_millis(self.time.bar * BAR_MS);
        if self.books.again.take() == Some(bar_open) {
            self.decide(self.wants_long);
        }
    }

    /// Turns for so long.
    pub(crate) async fn run_for(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.turn().await;
        }
    }

    /// Turns until `is_there` holds.
    pub(crate) async fn run_until(&mut self, what: &str, is_there: impl Fn(&Self) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !is_there(self) {
            assert!(
                Instant::now() < end,
                "waited in vain: {what}: {:#?}\n{:#?}",
                self.desk,
                self.books.warnings
            );
            self.turn().await;
        }
    }

    pub(crate) async fn settle(&mut self) {
        self.run_until("everything is settled", |it| it.desk.is_settled()).await;
    }

    /// Ledger and account hold the same, and every order was placed once.
    pub(crate) fn assert_sound(&self, fake: &FakeAlpaca) {
        let holdings = fake.holdings();
        assert_eq!(self.books.ledger.position(), holdings.position, "{:#?}", self.books.warnings);
        let cash = self.books.ledger.cash();
        assert!((cash - holdings.cash.units()).abs() < 1e-4, "{cash} {}", holdings.cash);
        for order in fake.orders() {
            assert_eq!(fake.placed(&order.client_id).1, 1, "{}", order.client_id);
        }
    }
}
