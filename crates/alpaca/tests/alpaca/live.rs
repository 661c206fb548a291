//! What tests of streams and orders need besides the fake.

use std::sync::Arc;
use std::time::Duration;

use walkforward_alpaca::{
    AlpacaBackfill, AlpacaClient, AlpacaConfig, AlpacaFeed, AlpacaVenue, FeedConfig, Keys, RetryPolicy,
    StreamSettings, Timeouts, TradingConfig,
};
use walkforward_core::{
    Bar, Cash, ClientOrderId, FeedEvent, Instrument, ManualClock, MarketFeed, Order, OrderSize, Price,
    Quantity, RiskLimits, Side, Timestamp, VenueOrder, VenueUpdate, VenueUpdates,
};
use walkforward_testing::FakeAlpaca;

use crate::support::at;

/// Longest that a test waits for one event.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Times of a stream that are short where a test waits for them and long where it does not.
pub(crate) fn quick() -> StreamSettings {
    StreamSettings {
        ready: ms(3_000),
        ping_every: ms(100),
        pong_wait: ms(4_000),
        silence: None,
        base_wait: ms(4),
        max_wait: ms(40),
        stable_after: ms(1_000),
        ..StreamSettings::default()
    }
}

pub(crate) fn keys() -> Keys {
    Keys { id: FakeAlpaca::KEY_ID.into(), secret: FakeAlpaca::SECRET.into() }
}

/// A feed of the fake's bars.
pub(crate) fn feed(fake: &FakeAlpaca, change: impl FnOnce(&mut FeedConfig)) -> AlpacaFeed {
    let mut config = FeedConfig::crypto("BTC/USD".parse().unwrap(), keys());
    (config.url, config.stream) = (fake.market_url(), quick());
    change(&mut config);
    AlpacaFeed::new(config).unwrap()
}

/// A backfill from the fake, whose clock stands at `now`.
pub(crate) fn backfill(fake: &FakeAlpaca, clock: Arc<ManualClock>) -> AlpacaBackfill {
    let retry = RetryPolicy { max_attempts: 3, ..RetryPolicy::default() };
    let config = AlpacaConfig { base_url: fake.rest_url(), retry, ..AlpacaConfig::default() };
    let client = Arc::new(AlpacaClient::new(config, clock).unwrap());
    AlpacaBackfill::new(client, "BTC/USD".parse().unwrap()).unwrap()
}

/// The fake as a venue. Its clock stands, and moves when somebody waits.
pub(crate) fn venue_with(fake: &FakeAlpaca, change: impl FnOnce(&mut TradingConfig)) -> AlpacaVenue {
    let mut config = TradingConfig::paper("BTC/USD".parse().unwrap(), keys());
    (config.rest_url, config.stream_url, config.stream) = (fake.rest_url(), fake.updates_url(), quick());
    config.timeouts = Timeouts { connect: ms(2_000), read: ms(3_000), total: ms(3_000) };
    change(&mut config);
    AlpacaVenue::new(config, Arc::new(ManualClock::at(at(0)))).unwrap()
}

pub(crate) fn venue(fake: &FakeAlpaca) -> AlpacaVenue {
    venue_with(fake, |_| {})
}

/// The minute that opens so many minutes after 2024-01-01; its close says which.
pub(crate) fn minute(number: i64) -> Bar {
    let price = 40_000.0 + number as f64;
    Bar::new(at(number), price, price + 1.0, price - 1.0, price, 0.5).unwrap()
}

/// The feed's next event, or a panic after a while.
pub(crate) async fn event(feed: &mut AlpacaFeed) -> FeedEvent {
    tokio::time::timeout(PATIENCE, feed.next()).await.expect("no event").unwrap().expect("no more events")
}

pub(crate) async fn expect_up(feed: &mut AlpacaFeed) {
    assert_eq!(event(feed).await, FeedEvent::Up);
}

/// The next event is the end of the connection, for a reason with `part` in it.
pub(crate) async fn expect_down(feed: &mut AlpacaFeed, part: &str) {
    let FeedEvent::Down { reason } = event(feed).await else { panic!("not down") };
    assert!(reason.contains(part), "{reason}");
}

pub(crate) async fn update(updates: &mut dyn VenueUpdates) -> VenueUpdate {
    let next = tokio::time::timeout(PATIENCE, updates.next()).await.expect("no update");
    next.unwrap().expect("no more updates")
}

pub(crate) fn id(text: &str) -> ClientOrderId {
    text.parse().unwrap()
}

pub(crate) fn quantity(text: &str) -> Quantity {
    text.parse().unwrap()
}

/// What the fake takes of BTC/USD.
pub(crate) fn grid() -> Instrument {
    Instrument {
        quantity_step: Quantity::from_nanos(1),
        minimum: quantity("0.000012"),
        price_step: Price::new(0.01).unwrap(),
        minimum_notional: None,
        maximum_notional: None,
        tradable: true,
    }
}

/// An order that the risk checks have passed against more than there is, so that the venue is the one who refuses.
fn order(name: &str, side: Side, size: OrderSize) -> VenueOrder {
    let order = Order { side, size, decided_at: Timestamp::EPOCH };
    let (cash, held) = (Cash::new(1e9).unwrap(), quantity("1000000"));
    let approved = RiskLimits::default().approve(order, cash, held).unwrap();
    VenueOrder::market(id(name), &approved, &grid()).unwrap()
}

pub(crate) fn buy(name: &str, dollars: f64) -> VenueOrder {
    order(name, Side::Buy, OrderSize::Notional(Cash::new(dollars).unwrap()))
}

pub(crate) fn sell(name: &str, amount: &str) -> VenueOrder {
    order(name, Side::Sell, OrderSize::Quantity(quantity(amount)))
}

pub(crate) fn stop(name: &str, held: Quantity, stop: f64, limit: f64) -> VenueOrder {
    let prices = (Price::new(stop).unwrap(), Price::new(limit).unwrap());
    VenueOrder::protective_stop(id(name), held, prices, Timestamp::EPOCH, &grid()).unwrap()
}
