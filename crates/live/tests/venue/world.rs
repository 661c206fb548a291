//! A trader of minutes with an account at the fake of Alpaca, in time that runs fast.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use walkforward_alpaca::{
    AlpacaBackfill, AlpacaClient, AlpacaConfig, AlpacaFeed, AlpacaVenue, FeedConfig, Keys, RetryPolicy,
    Timeouts, TradingConfig,
};
use walkforward_core::{Bar, CancelToken, Clock, ModelRef, PolicySpec, Side, Timeframe, Timestamp};
use walkforward_engine::SessionConfig;
use walkforward_live::{
    DisasterStop, DriverMode, Execution, ExternalPosition, FeedTime, OrderTimes, Trader, TraderOptions,
    TraderPorts, VenueAccess,
};
use walkforward_testing::{FakeAlpaca, FillMode, Random, RestFault, Route, StreamKind};

use crate::common::{Champion, features, spec, write_inclined_model, write_model};
use crate::streams::short_times;

/// So many times as fast as the machine's clock.
const SPEED: i64 = 240;
const MINUTE_MS: i64 = 60_000;
/// Minutes before the session.
const WARM_UP: i64 = 60;

/// Time that runs fast, the same in every process that was told its begin.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FastClock {
    /// When it began by the machine's clock, milliseconds after 1970.
    pub(crate) begin_ms: i64,
    started: Instant,
    /// The moment at which it stands; none while it runs.
    stands_at: Option<Timestamp>,
}

impl FastClock {
    pub(crate) fn beginning_now() -> Self {
        Self::since(machine_ms())
    }

    pub(crate) fn since(begin_ms: i64) -> Self {
        Self { begin_ms, started: Instant::now(), stands_at: None }
    }

    /// A clock that says `now`, however slow the machine is. Waits end all the same.
    pub(crate) fn standing_at(now: Timestamp) -> Self {
        Self { stands_at: Some(now), ..Self::beginning_now() }
    }

    /// How long the machine takes for `ms` of this clock.
    fn real(ms: i64) -> Duration {
        Duration::from_micros((ms.max(0) * 1_000 / SPEED) as u64)
    }
}

fn machine_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64
}

#[async_trait]
impl Clock for FastClock {
    fn now(&self) -> Timestamp {
        self.stands_at.unwrap_or_else(|| at(0).plus_millis((machine_ms() - self.begin_ms) * SPEED))
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed() * SPEED as u32
    }

    async fn sleep_until(&self, deadline: Timestamp) {
        tokio::time::sleep(Self::real(deadline.millis_since(self.now()))).await;
    }
}

pub(crate) fn quarter() -> Timeframe {
    "15m".parse().unwrap()
}

/// Quarters before the session, flat ones.
pub(crate) fn quarters_before() -> Vec<Bar> {
    let price = 40_000.0;
    (-20..0)
        .map(|number| {
            let wave = price + 40.0 * (number as f64).sin();
            Bar::new(at(15 * number), wave, wave + 5.0, wave - 5.0, wave + 1.0, 7.0).unwrap()
        })
        .collect()
}

/// Start of minute `number` of the session.
pub(crate) fn at(number: i64) -> Timestamp {
    crate::common::at(0).plus_millis(number * MINUTE_MS)
}

pub(crate) fn minute(number: i64) -> Bar {
    let price = 40_000.0 + 300.0 * (number as f64 / 5.0).sin() + 90.0 * (number as f64 / 1.7).cos();
    Bar::new(
        at(number),
        price,
        price + 9.0,
        price - 9.0,
        price + 1.0,
        0.5 + number.rem_euclid(7) as f64 / 10.0,
    )
    .unwrap()
}

fn lifted(bar: Bar, by: f64) -> Bar {
    let (open, high, low, close) = (by * bar.open(), by * bar.high(), by * bar.low(), by * bar.close());
    Bar::new(bar.open_time(), open, high, low, close, bar.volume()).unwrap()
}

/// Where everything is.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) folder: PathBuf,
    pub(crate) rest: String,
    pub(crate) market: String,
    pub(crate) updates: String,
}

impl Place {
    pub(crate) fn new(folder: &Path, fake: &FakeAlpaca) -> Self {
        let (rest, market, updates) = (fake.rest_url(), fake.market_url(), fake.updates_url());
        Self { folder: folder.to_owned(), rest, market, updates }
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.folder.join("journal")
    }

    pub(crate) fn models_dir(&self) -> PathBuf {
        self.folder.join("models")
    }

    fn keys() -> Keys {
        Keys { id: FakeAlpaca::KEY_ID.into(), secret: FakeAlpaca::SECRET.into() }
    }

    fn feed(&self) -> AlpacaFeed {
        let mut config = FeedConfig::crypto("BTC/USD".parse().unwrap(), Self::keys());
        (config.url, config.stream) = (self.market.clone(), short_times());
        AlpacaFeed::new(config).unwrap()
    }

    fn backfill(&self, clock: &Arc<dyn Clock>) -> AlpacaBackfill {
        let defaults = AlpacaConfig::default();
        let config = AlpacaConfig { base_url: self.rest.clone(), requests_per_minute: 10_000, ..defaults };
        let client = Arc::new(AlpacaClient::new(config, Arc::clone(clock)).unwrap());
        AlpacaBackfill::new(client, "BTC/USD".parse().unwrap()).unwrap()
    }

    pub(crate) fn venue(&self, clock: &Arc<dyn Clock>) -> AlpacaVenue {
        let mut config = TradingConfig::paper("BTC/USD".parse().unwrap(), Self::keys());
        (config.rest_url, config.stream_url) = (self.rest.clone(), self.updates.clone());
        config.stream = short_times();
        let (short, long) = (Duration::from_millis(500), Duration::from_millis(2_000));
        config.timeouts = Timeouts { connect: long, read: short, total: short };
        config.retry = RetryPolicy { max_attempts: 3, ..config.retry };
        config.requests_per_minute = 10_000;
        AlpacaVenue::new(config, Arc::clone(clock)).unwrap()
    }

    /// The model that trades: it changes its mind every few minutes.
    pub(crate) fn model(&self) -> ModelRef {
        let minutes = PolicySpec { timeframe: Timeframe::MINUTE, ..spec(features()) };
        write_model(&self.models_dir(), 1, &minutes)
    }

    /// A model of quarters that buys at its first bar and holds.
    pub(crate) fn buyer(&self) -> ModelRef {
        let quarters = PolicySpec { timeframe: quarter(), ..spec(features()) };
        write_inclined_model(&self.models_dir(), 2, &quarters, 50.0)
    }

    pub(crate) fn options(&self) -> TraderOptions {
        let symbol = "BTC/USD".parse().unwrap();
        TraderOptions {
            time: FeedTime::Clock,
            resume: true,
            deployment: Some("test-deployment".to_owned()),
            session: SessionConfig { initial_cash: 9_000.0, ..SessionConfig::default() },
            warm_up: (-WARM_UP..0).map(minute).collect(),
            history_bars: 512,
            ..TraderOptions::new(symbol, Timeframe::MINUTE, self.journal())
        }
    }

    pub(crate) fn access(&self, clock: &Arc<dyn Clock>) -> VenueAccess {
        // A second at the least, by a clock that runs fast.
        let times = OrderTimes { rest_poll_ms: 30_000, lag_ms: 20_000, ..OrderTimes::default() };
        VenueAccess {
            name: "alpaca-paper".to_owned(),
            venue: Arc::new(self.venue(clock)),
            mode: DriverMode::Trade,
            external: ExternalPosition::Refuse,
            disaster_stop: None,
            times,
        }
    }

    pub(crate) fn trader(&self, clock: FastClock, model: &ModelRef, stop: Option<DisasterStop>) -> Trader {
        self.trader_with(clock, model, stop, |_| {})
    }

    /// A trader whose options `change` has changed.
    pub(crate) fn trader_with(
        &self,
        clock: FastClock,
        model: &ModelRef,
        disaster_stop: Option<DisasterStop>,
        change: impl FnOnce(&mut TraderOptions),
    ) -> Trader {
        let access = VenueAccess { disaster_stop, ..self.access(&(Arc::new(clock) as Arc<dyn Clock>)) };
        self.trader_at(clock, model, access, change)
    }

    pub(crate) fn trader_at(
        &self,
        clock: FastClock,
        model: &ModelRef,
        access: VenueAccess,
        change: impl FnOnce(&mut TraderOptions),
    ) -> Trader {
        let clock: Arc<dyn Clock> = Arc::new(clock);
        let mut options = self.options();
        change(&mut options);
        let ports = TraderPorts {
            feed: Box::new(self.feed()),
            backfill: Some(Arc::new(self.backfill(&clock))),
            execution: Execution::Venue(access),
            champion: Box::new(Champion::of(model)),
            clock,
        };
        Trader::new(options, ports, CancelToken::default()).unwrap()
    }
}

/// The market and the service, as time goes on.
pub(crate) struct Service {
    pub(crate) fake: FakeAlpaca,
    pub(crate) clock: FastClock,
    random: Random,
    pub(crate) next: i64,
    /// Whether the stream gives nothing.
    pub(crate) is_silent: bool,
    /// So many times as high as otherwise are the prices.
    pub(crate) lift: f64,
}

impl Service {
    pub(crate) fn new(seed: u64) -> Self {
        let fake = FakeAlpaca::in_background("BTC/USD");
        for number in -WARM_UP..0 {
            fake.lose_bar(minute(number));
        }
        let (clock, random) = (FastClock::beginning_now(), Random::new(seed));
        Self { fake, clock, random, next: 0, is_silent: false, lift: 1.0 }
    }

    /// Lets all minutes close that have ended by now.
    pub(crate) fn go_on(&mut self, is_rough: bool) {
        while at(self.next + 1) <= self.clock.now() {
            let bar = lifted(minute(self.next), self.lift);
            self.fake.set_now(at(self.next + 1));
            match self.is_silent || is_rough && self.random.below(5) == 0 {
                true => self.fake.lose_bar(bar),
                false => self.fake.push_bar(bar),
            }
            self.next += 1;
            if is_rough {
                self.disturb();
            }
        }
    }

    /// Lets minutes pass; at the least until `is_done` holds.
    pub(crate) fn pass(&mut self, least: i64, is_rough: bool, mut is_done: impl FnMut(&FakeAlpaca) -> bool) {
        let (end, patience) = (self.next + least, self.next + least + 200);
        while self.next < end || !is_done(&self.fake) {
            assert!(self.next < patience, "waited in vain");
            self.go_on(is_rough);
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Whether an order of the trader is open.
    pub(crate) fn has_open_orders(&self) -> bool {
        self.fake.orders().iter().any(|order| !order.is_final())
    }

    /// A fault on the way of a request; one that hands an order in may be refused, too.
    fn fault(&mut self, route: Route) -> RestFault {
        let kinds = if route == Route::Submit { 9 } else { 7 };
        match self.random.below(kinds) {
            0 => RestFault::LoseRequest,
            1 => RestFault::LoseAnswer,
            2 => RestFault::CutAnswer,
            3 => RestFault::html(502),
            4 => RestFault::Slow(Duration::from_millis(self.random.below(60))),
            5 => RestFault::error(429, 42_910_000, "too many requests"),
            6 => RestFault::error(500, 50_010_000, "internal server error"),
            7 => RestFault::error(422, 42_210_000, "a reason of the venue's"),
            _ => RestFault::error(403, 40_310_000, "insufficient balance for USD"),
        }
    }

    /// Something happens at the service.
    pub(crate) fn disturb(&mut self) {
        for route in [Route::Submit, Route::Order, Route::Cancel, Route::Positions] {
            if self.random.below(3) == 0 {
                let fault = self.fault(route);
                self.fake.fail(route, fault, 1);
            }
        }
        let is_slow = self.random.below(2) == 0;
        self.fake.set_fill_mode(if is_slow { FillMode::Manual } else { FillMode::AtOnce });
        match self.random.below(12) {
            0 => self.fake.cut_streams(StreamKind::Updates),
            1 => self.fake.cut_streams(StreamKind::Market),
            2 => self.fake.repeat_update(),
            3 => self.fake.freeze_streams(StreamKind::Updates),
            4 => self.fake.freeze_streams(StreamKind::Market),
            5 => self.fake.send_update_bytes(b"{\"stream\":\"trade_updates\",\"data\":{}}"),
            6 => self.fake.send_market_text("not JSON"),
            _ => {}
        }
        self.fill_some();
    }

    fn end_of_order(&mut self) -> &'static str {
        ["canceled", "expired", "rejected"][self.random.below(3) as usize]
    }

    /// Fills or ends some of the orders that are open, wholly or in part.
    fn fill_some(&mut self) {
        let open: Vec<_> = self.fake.orders().into_iter().filter(|order| !order.is_final()).collect();
        for order in open.iter().filter(|order| order.client_id.starts_with("wf-")) {
            let is_stop = order.kind != walkforward_testing::FakeKind::Market;
            let is_whole = order.filled.is_zero() && order.quantity.is_none_or(|it| it.nanos() > 1_000_000);
            match self.random.below(4) {
                0 if !is_stop => self.fake.fill(&order.client_id, None, 40_000.0),
                2 if !is_stop => {
                    let status = self.end_of_order();
                    self.fake.end_order(&order.client_id, status);
                }
                1 if is_whole && order.side == Side::Buy => {
                    self.fake.fill(&order.client_id, Some("0.0001"), 40_000.0)
                }
                _ => {}
            }
        }
    }

    /// Nothing goes wrong any more, and all that is open fills.
    pub(crate) fn heal(&self) {
        self.fake.heal();
        self.fake.set_fill_mode(FillMode::AtOnce);
    }
}
