//! A session on Alpaca's stream and history, against a service that does everything wrong.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use walkforward_alpaca::{
    AlpacaBackfill, AlpacaClient, AlpacaConfig, AlpacaFeed, FeedConfig, Keys, StreamSettings,
};
use walkforward_core::{Backfill, Bar, CancelToken, Clock, PolicySpec, Timeframe, Timestamp};
use walkforward_live::{
    EventRecord, FeedTime, SessionSummary, Trader, TraderHandle, TraderOptions, TraderPorts, verify_journal,
};
use walkforward_testing::{FakeAlpaca, RestFault, Route, StreamKind};

use crate::clock::SteppedClock;
use crate::common::{Champion, Workplace, features, paper, spec, write_model};

const MINUTES: i64 = 48;

fn at(minute: i64) -> Timestamp {
    crate::common::at(0).plus_millis(minute * Timeframe::MINUTE.millis())
}

fn minute(number: i64) -> Bar {
    let price = 40_000.0 + 300.0 * (number as f64 / 5.0).sin();
    Bar::new(at(number), price, price + 9.0, price - 9.0, price + 1.0, 0.5 + number as f64 / 100.0).unwrap()
}

/// The stream of the fake, with times that are short where a test waits for them.
fn feed(fake: &FakeAlpaca) -> AlpacaFeed {
    let ms = Duration::from_millis;
    let keys = Keys { id: FakeAlpaca::KEY_ID.into(), secret: FakeAlpaca::SECRET.into() };
    let mut config = FeedConfig::crypto("BTC/USD".parse().unwrap(), keys);
    config.url = fake.market_url();
    config.stream = StreamSettings {
        ping_every: ms(50),
        pong_wait: ms(250),
        silence: None,
        base_wait: ms(4),
        max_wait: ms(40),
        ..StreamSettings::default()
    };
    AlpacaFeed::new(config).unwrap()
}

fn backfill(fake: &FakeAlpaca, clock: Arc<dyn Clock>) -> Arc<dyn Backfill> {
    let config =
        AlpacaConfig { base_url: fake.rest_url(), requests_per_minute: 10_000, ..AlpacaConfig::default() };
    let client = Arc::new(AlpacaClient::new(config, clock).unwrap());
    Arc::new(AlpacaBackfill::new(client, "BTC/USD".parse().unwrap()).unwrap())
}

/// A trader of minutes.
fn trader(place: &Workplace, fake: &FakeAlpaca, clock: &Arc<SteppedClock>) -> Trader {
    let minutes = PolicySpec { timeframe: Timeframe::MINUTE, ..spec(features()) };
    let model = write_model(&place.models_dir(), 1, &minutes);
    let options = TraderOptions {
        timeframe: Timeframe::MINUTE,
        time: FeedTime::Clock,
        resume: true,
        ..place.options()
    };
    let clock: Arc<dyn Clock> = Arc::<SteppedClock>::clone(clock);
    let ports = TraderPorts {
        feed: Box::new(feed(fake)),
        backfill: Some(backfill(fake, Arc::clone(&clock))),
        execution: paper().into(),
        champion: Box::new(Champion::of(&model)),
        clock,
    };
    Trader::new(options, ports, CancelToken::default()).unwrap()
}

/// A minute of the market, in one of many bad ways.
fn pass(fake: &FakeAlpaca, number: i64) {
    let bar = minute(number);
    match number % 8 {
        1 => fake.lose_bar(bar),
        2 => {
            fake.push_bar(bar);
            fake.send_bar(bar);
            fake.send_bar(minute(number - 1));
        }
        3 => {
            fake.push_bar(bar);
            fake.revise_bar(Bar::flat(at(number - 2), 39_000.0).unwrap());
        }
        4 => {
            fake.cut_streams(StreamKind::Market);
            fake.lose_bar(bar);
        }
        5 => {
            fake.fail(Route::Bars, RestFault::html(503), 1);
            fake.push_bar(bar);
            fake.send_market_text("not JSON");
        }
        6 => {
            fake.freeze_streams(StreamKind::Market);
            fake.push_bar(bar);
        }
        7 => {
            fake.close_streams(StreamKind::Market);
            fake.push_bar(bar);
        }
        _ => fake.push_bar(bar),
    }
}

/// Waits for bar number `bars`. Where the machine was so slow that a retry of the service is due only later, the clock goes
/// on second by second, by less than a decision may take.
async fn wait_for_bars(handle: &TraderHandle, clock: &SteppedClock, bars: u64) {
    const LOOKS_PER_SECOND: u32 = 200;
    const SECONDS: u32 = 40;
    for look in 0..LOOKS_PER_SECOND * SECONDS {
        if handle.status().bars >= bars {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
        if look % LOOKS_PER_SECOND == LOOKS_PER_SECOND - 1 {
            clock.0.send_modify(|now| *now = now.plus_millis(1_000));
        }
    }
    panic!("bar {bars} was not decided: {:?}", handle.status());
}

/// Lets minutes `numbers` pass and gives the session's figures.
async fn run(
    place: &Workplace,
    fake: &FakeAlpaca,
    clock: &Arc<SteppedClock>,
    numbers: std::ops::Range<i64>,
    known: u64,
) -> SessionSummary {
    let trader = trader(place, fake, clock);
    let handle = trader.handle();
    let running = tokio::spawn(trader.run());
    fake.wait_until("the stream is up", |fake| fake.streams(StreamKind::Market).subscribed > 0).await;
    wait_for_bars(&handle, clock, known).await;
    let start = numbers.start;
    for number in numbers {
        let opened = fake.streams(StreamKind::Market).opened;
        pass(fake, number);
        if matches!(number % 8, 4 | 6 | 7) {
            // However fast the machine is: the stream has been lost and is back.
            let is_back = |fake: &FakeAlpaca| {
                let now = fake.streams(StreamKind::Market);
                now.opened > opened && now.subscribed > 0
            };
            fake.wait_until("the stream is back", is_back).await;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        clock.0.send_replace(at(number + 1).plus_millis(5_000));
        // A retry of the service's waits by the clock.
        tokio::time::sleep(Duration::from_millis(20)).await;
        clock.0.send_replace(at(number + 1).plus_millis(8_000));
        wait_for_bars(&handle, clock, known + (number + 1 - start) as u64).await;
    }
    handle.stop();
    tokio::time::timeout(Duration::from_secs(10), running).await.unwrap().unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_the_service_does_each_minute_is_decided_once_and_none_is_unknown() {
    let (place, fake) = (Workplace::new(), FakeAlpaca::start().await);
    let clock = Arc::new(SteppedClock(watch::channel(at(0)).0));
    let first = run(&place, &fake, &clock, 0..MINUTES, 0).await;
    assert_eq!((first.bars, first.missed_bars, first.missing_bars), (MINUTES as u64, 0, 0));
    assert!(first.late_bars > 0 && first.orders > 0, "{first:?}");

    // Five minutes pass while it is down.
    for number in MINUTES..MINUTES + 5 {
        fake.lose_bar(minute(number));
    }
    clock.0.send_replace(at(MINUTES + 5).plus_millis(10_000));
    let second = run(&place, &fake, &clock, MINUTES + 5..MINUTES + 21, 5).await;
    assert_eq!((second.bars, second.missing_bars), (21, 0));
    // The last of those five had just closed.
    assert_eq!(second.missed_bars, 4);

    let bars = place.bars();
    for (number, bar) in bars.iter().enumerate() {
        assert_eq!(bar.open_time, at(number as i64), "each once, in order");
        assert_eq!((bar.close, bar.present), (minute(number as i64).close(), true), "{number}");
        assert!(!bar.missed || bar.order.is_none());
    }
    let events = place.events();
    let count = |is_it: fn(&EventRecord) -> bool| events.iter().filter(|event| is_it(event)).count();
    assert!(count(|event| matches!(event, EventRecord::FeedDown { .. })) >= 8);
    assert!(count(|event| matches!(event, EventRecord::Revised { .. })) >= 1);
    let report = verify_journal(&place.journal(), &place.models_dir()).unwrap();
    assert!(report.is_identical() && report.decisions > 50, "{report:?}");
}
