//! The stream of bars against a service that does everything wrong.

use std::sync::Arc;
use std::time::Duration;

use walkforward_alpaca::{FeedConfig, StreamSettings};
use walkforward_core::{Backfill, Bar, FeedEvent, ManualClock, MarketFeed, Timeframe, Window};
use walkforward_testing::{FakeAlpaca, RestFault, Route, StreamKind};

use crate::live::{backfill, event, expect_down, expect_up, feed, keys, minute, ms};
use crate::support::at;

const MARKET: StreamKind = StreamKind::Market;

#[tokio::test]
async fn bars_and_corrections_come_as_they_are_sent() {
    let fake = FakeAlpaca::start().await;
    let mut feed = feed(&fake, |_| {});
    assert_eq!(feed.base(), Timeframe::MINUTE);
    expect_up(&mut feed).await;
    fake.push_bar(minute(0));
    fake.push_bar(minute(2));
    fake.send_bar(minute(1));
    fake.send_bar(minute(2));
    let revised = Bar::new(at(2), 40_002.0, 40_009.0, 40_001.0, 40_008.0, 0.7).unwrap();
    fake.revise_bar(revised);
    for expected in [0, 2, 1, 2] {
        assert_eq!(event(&mut feed).await, FeedEvent::Bar(minute(expected)));
    }
    assert_eq!(event(&mut feed).await, FeedEvent::Revised(revised));
    assert!(fake.streams(MARKET).pings < 100, "pings go out at their interval");
}

#[tokio::test]
async fn what_a_stream_lost_is_in_the_history_after_it_came_up() {
    let fake = FakeAlpaca::start().await;
    let (mut feed, clock) = (feed(&fake, |_| {}), Arc::new(ManualClock::at(at(3))));
    let history = backfill(&fake, clock);
    expect_up(&mut feed).await;
    fake.push_bar(minute(0));
    assert_eq!(event(&mut feed).await, FeedEvent::Bar(minute(0)));
    fake.cut_streams(MARKET);
    expect_down(&mut feed, "the connection").await;
    fake.lose_bar(minute(1));
    fake.lose_bar(minute(2));
    expect_up(&mut feed).await;
    let missed = history.bars(Window::new(at(1), at(3)).unwrap()).await.unwrap();
    assert_eq!(missed, [minute(1), minute(2)]);
    fake.push_bar(minute(3));
    assert_eq!(event(&mut feed).await, FeedEvent::Bar(minute(3)));
    assert_eq!(feed.figures().ready, 2);
}

#[tokio::test]
async fn each_way_to_end_a_connection_is_survived() {
    let fake = FakeAlpaca::start().await;
    let mut feed = feed(&fake, |config| config.stream.pong_wait = ms(400));
    expect_up(&mut feed).await;
    fake.close_streams(MARKET);
    expect_down(&mut feed, "closes the connection").await;
    expect_up(&mut feed).await;
    fake.freeze_streams(MARKET);
    expect_down(&mut feed, "half open").await;
    expect_up(&mut feed).await;
    fake.send_market_text(&format!("[{}]", " ".repeat(2 * 1024 * 1024)));
    expect_down(&mut feed, "the connection broke").await;
    expect_up(&mut feed).await;
    fake.push_bar(minute(0));
    assert_eq!(event(&mut feed).await, FeedEvent::Bar(minute(0)));
    assert_eq!(fake.streams(MARKET).most_open, 1, "there is never a second connection");
}

#[tokio::test]
async fn answers_to_pings_do_not_make_up_for_bars() {
    let fake = FakeAlpaca::start().await;
    let mut feed = feed(&fake, |config| config.stream.silence = Some(ms(500)));
    expect_up(&mut feed).await;
    expect_down(&mut feed, "silent").await;
    expect_up(&mut feed).await;
    assert!(fake.streams(MARKET).pings > 0);
}

#[tokio::test]
async fn a_lingering_connection_is_waited_for_and_told_once() {
    let fake = FakeAlpaca::start().await;
    fake.refuse_market(406, 3);
    let mut feed = feed(&fake, |_| {});
    expect_down(&mut feed, "406").await;
    expect_up(&mut feed).await;
    let record = fake.streams(MARKET);
    assert_eq!((record.opened, record.most_open), (4, 1));
    let figures = feed.figures();
    assert_eq!((figures.attempts, figures.ready, figures.errors), (4, 1, 3));
}

#[tokio::test]
async fn a_refusal_behind_a_lost_connection_is_told_once_too() {
    let fake = FakeAlpaca::start().await;
    let mut feed = feed(&fake, |_| {});
    expect_up(&mut feed).await;
    fake.refuse_market(406, 3);
    fake.cut_streams(MARKET);
    expect_down(&mut feed, "connection").await;
    expect_down(&mut feed, "406").await;
    expect_up(&mut feed).await;
}

/// Whether the feed survives `code` as the answer to its keys or to its subscription.
async fn survives(code: u64, is_about_keys: bool) -> bool {
    let fake = FakeAlpaca::start().await;
    match is_about_keys {
        true => fake.refuse_market(code, 1),
        false => fake.refuse_subscription(code, 1),
    }
    let mut feed = feed(&fake, |_| {});
    loop {
        match tokio::time::timeout(Duration::from_secs(10), feed.next()).await.unwrap() {
            Ok(Some(FeedEvent::Up)) => return true,
            Ok(Some(FeedEvent::Down { reason })) => assert!(reason.contains(&code.to_string()), "{reason}"),
            Ok(other) => panic!("{other:?}"),
            Err(error) => {
                assert!(error.message.contains(&code.to_string()), "{}", error.message);
                assert!(!error.message.contains(FakeAlpaca::SECRET));
                assert_eq!(feed.next().await.unwrap(), None, "nothing comes after the end");
                let attempts = feed.figures().attempts;
                tokio::time::sleep(ms(60)).await;
                assert_eq!(feed.figures().attempts, attempts, "nobody tries again");
                return false;
            }
        }
    }
}

#[tokio::test]
async fn errors_of_the_service_are_survived_where_that_can_help() {
    for code in [401, 403, 404, 406, 407, 500, 599] {
        assert!(survives(code, true).await, "{code}");
    }
    for code in [400, 402, 408, 409, 411] {
        assert!(!survives(code, true).await, "{code}");
    }
    for code in [404, 406, 407, 500] {
        assert!(survives(code, false).await, "{code}");
    }
    for code in [400, 405, 409, 410, 411] {
        assert!(!survives(code, false).await, "{code}");
    }
}

#[tokio::test]
async fn garbage_is_counted_and_bars_go_on() {
    let fake = FakeAlpaca::start().await;
    let mut feed = feed(&fake, |_| {});
    expect_up(&mut feed).await;
    for text in ["", "not JSON", "{}", "[[[[[[[[", r#"[{"T":"b"}]"#, r#"[{"T":"weather"},{"T":"t"}]"#] {
        fake.send_market_text(text);
    }
    fake.push_bar(minute(0));
    assert_eq!(event(&mut feed).await, FeedEvent::Bar(minute(0)));
    let figures = feed.figures();
    assert_eq!((figures.garbage, figures.unknown, figures.ready), (5, 1, 1));
}

#[tokio::test]
async fn a_service_that_does_not_answer_the_keys_is_left() {
    let fake = FakeAlpaca::start().await;
    fake.mute_streams();
    let mut feed = feed(&fake, |config| config.stream.ready = ms(200));
    expect_down(&mut feed, "no subscription within").await;
    fake.heal();
    expect_up(&mut feed).await;
}

#[tokio::test]
async fn wrong_keys_end_it_and_are_not_shown() {
    let fake = FakeAlpaca::start().await;
    let mut feed = feed(&fake, |config| config.keys.secret = "anothersecret".into());
    let error = feed.next().await.unwrap_err().message;
    assert!(error.contains("402") && error.contains("check the keys"), "{error}");
    assert!(!error.contains("anothersecret") && !error.contains(FakeAlpaca::KEY_ID), "{error}");
}

#[tokio::test]
async fn an_upgrade_that_is_refused_is_tried_again_unless_it_is_about_keys() {
    let fake = FakeAlpaca::start().await;
    fake.fail(Route::MarketStream, RestFault::html(503), 2);
    fake.fail(Route::MarketStream, RestFault::LoseRequest, 1);
    let mut first = feed(&fake, |_| {});
    expect_down(&mut first, "503").await;
    expect_up(&mut first).await;
    assert_eq!(first.figures().attempts, 4);
    fake.fail(Route::MarketStream, RestFault::html(401), 1);
    let error = feed(&fake, |_| {}).next().await.unwrap_err().message;
    assert!(error.contains("401"), "{error}");
}

#[tokio::test]
async fn a_service_that_speaks_no_tls_is_no_end_of_the_feed() {
    let fake = FakeAlpaca::start().await;
    let encrypted = fake.market_url().replace("ws://", "wss://");
    let mut feed = feed(&fake, |config| {
        (config.url, config.stream.connect) = (encrypted, ms(300));
    });
    expect_down(&mut feed, "no connection within 300ms").await;
    assert_eq!(fake.streams(MARKET).opened, 0, "no key goes out in plain text");
}

#[tokio::test]
async fn an_answer_that_is_given_up_loses_no_event() {
    let fake = FakeAlpaca::start().await;
    let mut feed = feed(&fake, |_| {});
    let mut events = Vec::new();
    let mut pushed = 0;
    while events.len() < 41 {
        if fake.streams(MARKET).subscribed == 1 && pushed < 40 {
            fake.push_bar(minute(pushed));
            pushed += 1;
        }
        // Shorter than anything takes: most of these give up in the middle.
        if let Ok(event) = tokio::time::timeout(Duration::from_micros(300), feed.next()).await {
            events.push(event.unwrap().unwrap());
        }
    }
    let bars = (0..40).map(|number| FeedEvent::Bar(minute(number)));
    assert_eq!(events, [FeedEvent::Up].into_iter().chain(bars).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_reader_that_is_slow_loses_nothing_and_holds_no_more_than_the_bound() {
    let fake = FakeAlpaca::start().await;
    let mut feed = feed(&fake, |config| config.stream.limits.max_waiting = 2);
    expect_up(&mut feed).await;
    (0..50).for_each(|number| fake.push_bar(minute(number)));
    tokio::time::sleep(ms(50)).await;
    for number in 0..50 {
        assert_eq!(event(&mut feed).await, FeedEvent::Bar(minute(number)));
    }
}

#[tokio::test]
async fn dropping_a_feed_ends_its_connection() {
    let fake = FakeAlpaca::start().await;
    let mut feed = feed(&fake, |_| {});
    expect_up(&mut feed).await;
    assert_eq!(fake.streams(MARKET).open, 1);
    drop(feed);
    fake.wait_until("the connection ends", |fake| fake.streams(MARKET).open == 0).await;
}

#[tokio::test]
async fn a_storm_of_reconnects_leaves_no_minute_unknown() {
    const MINUTES: i64 = 60;
    let fake = FakeAlpaca::start().await;
    let clock = Arc::new(ManualClock::at(at(MINUTES)));
    let (mut feed, history) = (feed(&fake, |_| {}), backfill(&fake, clock));
    let mut known = std::collections::BTreeMap::new();
    let mut next = 0;
    while known.len() < MINUTES as usize {
        match event(&mut feed).await {
            FeedEvent::Up => {
                let from = (0..MINUTES).find(|&number| !known.contains_key(&at(number))).unwrap();
                for bar in history.bars(Window::new(at(from), at(MINUTES)).unwrap()).await.unwrap() {
                    known.insert(bar.open_time(), bar);
                }
                if next < MINUTES {
                    // One minute is sent, one is lost in between, and the connection goes in one of three ways.
                    fake.push_bar(minute(next));
                    match next % 3 {
                        0 => fake.cut_streams(MARKET),
                        1 => fake.close_streams(MARKET),
                        _ => fake.send_market_text(r#"[{"T":"error","code":500,"msg":"internal error"}]"#),
                    }
                    fake.lose_bar(minute(next + 1));
                    next += 2;
                }
            }
            FeedEvent::Bar(bar) => drop(known.insert(bar.open_time(), bar)),
            FeedEvent::Revised(_) | FeedEvent::Down { .. } => {}
        }
    }
    let expected: Vec<Bar> = (0..MINUTES).map(minute).collect();
    assert_eq!(known.into_values().collect::<Vec<_>>(), expected);
    assert_eq!(fake.streams(MARKET).most_open, 1);
    assert!(feed.figures().ready >= 30);
}

#[test]
fn what_can_not_be_is_refused_before_anything_is_opened() {
    let config = || FeedConfig::crypto("BTC/USD".parse().unwrap(), keys());
    let refused = |config: FeedConfig, part: &str| {
        let error = walkforward_alpaca::AlpacaFeed::new(config).err().unwrap().to_string();
        assert!(error.contains(part), "{error}");
    };
    refused(FeedConfig { symbol: "AAPL".parse().unwrap(), ..config() }, "AAPL is a stock");
    refused(
        FeedConfig { url: "ws://stream.data.alpaca.markets/".to_owned(), ..config() },
        "ws on this machine",
    );
    let stream = StreamSettings { pong_wait: ms(1), ..StreamSettings::default() };
    refused(FeedConfig { stream, ..config() }, "pong_wait");
    let shown = format!("{:?}", config());
    assert!(!shown.contains(FakeAlpaca::SECRET) && !shown.contains(FakeAlpaca::KEY_ID), "{shown}");
}
