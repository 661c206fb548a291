//! The client as a source of bars.

use walkforward_alpaca::{AlpacaSource, DataSource};
use walkforward_core::{
    AbsentMeans, BarRequest, BarSeries, Clock, ErrorKind, MarketCalendar, SessionCalendar, SourceBars,
    Timestamp, Window,
};

use crate::server::{Reply, Request, Server};
use crate::support::{Rig, at, bar, body, keys, price};

/// A service that has a bar at each full `step` minutes between `first` and `last`, and gives those asked for, at most
/// `page` at a time.
fn service(symbol: &'static str, step: i64, first: i64, last: i64, page: usize) -> Server {
    Server::new(move |request| {
        let time = |name: &str| request.query(name).unwrap().parse::<Timestamp>().unwrap();
        let (start, end) = (time("start"), time("end"));
        let from = request.query("page_token").map_or(first, |token| token.parse().unwrap());
        let minutes = (from..=last).filter(|minute| minute % step == 0);
        let mut minutes = minutes.filter(|&minute| at(minute) >= start && at(minute) <= end);
        let bars: Vec<String> = minutes.by_ref().take(page).map(bar).collect();
        let token = minutes.next().map(|minute| minute.to_string());
        Reply::ok(body(&[(symbol, &bars)], token.as_deref()))
    })
}

fn request(symbol: &str, timeframe: &str, bars: usize, as_of: Option<Timestamp>) -> BarRequest {
    BarRequest {
        timeframe: Some(timeframe.parse().unwrap()),
        as_of,
        ..BarRequest::new(symbol.parse().unwrap(), bars)
    }
}

fn source(server: Server) -> (AlpacaSource, std::sync::Arc<walkforward_core::ManualClock>, Server) {
    let Rig { server, client, clock } = Rig::with(server, |config| config.keys = Some(keys()));
    (AlpacaSource::new(client), clock, server)
}

fn minutes(bars: &BarSeries) -> Vec<i64> {
    bars.open_times().iter().map(|time| time.millis_since(at(0)) / 60_000).collect()
}

fn asked(request: &Request) -> (String, String, String) {
    let value = |name: &str| request.query(name).unwrap();
    (value("timeframe"), value("start"), value("end"))
}

#[tokio::test]
async fn the_last_closed_bars_are_given_and_the_one_in_progress_is_not() {
    // Hours up to the one that begins at 10:00; now is 10:30.
    let (source, _, server) = source(service("BTC/USD", 60, -100_000, 600, 10_000));
    let answer = source.bars(&request("BTCUSD", "1h", 3, Some(at(630)))).await.unwrap();
    let given = minutes(&answer.bars);
    assert_eq!(given[given.len() - 3..], [420, 480, 540], "09:00 is the last that has closed");
    assert_eq!((answer.as_of, answer.absent), (at(630), AbsentMeans::Missing));
    assert_eq!(given.len(), 63, "some bars come from before the first one");
    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    let expected = ("1Hour", "2023-12-29T19:00:00.000Z", "2024-01-01T09:00:00.000Z");
    assert_eq!(asked(&requests[0]), (expected.0.to_owned(), expected.1.to_owned(), expected.2.to_owned()));
    assert_eq!(answer.origin, "BTC/USD of alpaca-crypto-us at 127.0.0.1");
}

#[tokio::test]
async fn a_bar_in_progress_that_comes_uncalled_is_dropped_and_counted() {
    let bars: Vec<String> = [0, 60, 120].map(bar).to_vec();
    let (source, _, _server) = source(Server::playing(vec![Reply::ok(body(&[("BTC/USD", &bars)], None))]));
    let answer = source.bars(&request("BTC/USD", "1h", 3, Some(at(179)))).await.unwrap();
    assert_eq!(minutes(&answer.bars), [0, 60]);
    assert_eq!(answer.file.unwrap().unfinished_dropped, 1);
}

#[tokio::test]
async fn a_now_ahead_of_the_clock_closes_no_bar() {
    for (timeframe, step, last_closed) in [("1h", 60, 540), ("90m", 30, 450)] {
        let (source, clock, server) = source(service("BTC/USD", step, -100_000, 630, 10_000));
        clock.set(at(629));
        let answer = source.bars(&request("BTC/USD", timeframe, 3, Some(at(10_000)))).await.unwrap();
        assert_eq!(minutes(&answer.bars).last(), Some(&last_closed), "{timeframe}: it is 10:29");
        assert_eq!(answer.as_of, at(10_000), "the answer is to what was asked");
        assert!(asked(&server.requests()[0]).2.as_str() < "2024-01-01T10:01", "{:?}", server.requests());
    }
}

#[tokio::test]
async fn without_a_now_the_clock_says_it() {
    let (source, clock, _server) = source(service("BTC/USD", 1, 0, 10_000, 10_000));
    let answer = source.bars(&request("BTC/USD", "1m", 5, None)).await.unwrap();
    assert_eq!(answer.as_of, clock.now());
    assert_eq!(minutes(&answer.bars).last(), Some(&1_439));
}

#[tokio::test]
async fn long_spans_come_in_pages_and_holes_are_counted() {
    let (source, _, server) = source(service("BTC/USD", 2, 0, 5_000, 400));
    let answer = source.bars(&request("BTC/USD", "1m", 1_000, Some(at(1_001)))).await.unwrap();
    assert_eq!(minutes(&answer.bars), (0..=1_000).step_by(2).collect::<Vec<_>>());
    assert_eq!(server.requests().len(), 2);
    let figures = answer.file.unwrap();
    assert_eq!((figures.rows, figures.missing_bars, figures.longest_hole_bars), (501, 500, 1));
}

#[tokio::test]
async fn lengths_that_the_service_lacks_are_made_of_shorter_bars() {
    let (source, _, server) = source(service("BTC/USD", 30, -100_000, 100_000, 10_000));
    let answer = source.bars(&request("BTC/USD", "90m", 2, Some(at(400)))).await.unwrap();
    assert_eq!(asked(&server.requests()[0]).0, "30Min");
    let bars = &answer.bars;
    assert_eq!((bars.timeframe().minutes(), bars.last_close_time()), (90, Some(at(360))));
    let last = bars.bar(bars.len() - 1);
    assert_eq!((last.open(), last.close(), last.volume()), (price(270), price(330), 1.5));
    let base = answer.base.unwrap();
    assert_eq!((base.timeframe.minutes(), base.present.last()), (30, Some(&(at(270), 3))));
}

fn sessions(sessions: &[(i64, i64)]) -> MarketCalendar {
    let window = |&(open, close): &(i64, i64)| Window::new(at(open), at(close)).unwrap();
    MarketCalendar::Sessions(SessionCalendar::new(sessions.iter().map(window).collect()).unwrap())
}

async fn stock(server: Server, timeframe: &str, bars: usize, as_of: i64) -> (SourceBars, Vec<Request>) {
    let (source, clock, server) = source(server);
    clock.set(at(as_of));
    // Two days from 14:30 to 21:00.
    let calendar = sessions(&[(870, 1_260), (2_310, 2_700)]);
    let request = BarRequest { calendar, ..request("AAPL", timeframe, bars, Some(at(as_of))) };
    (source.bars(&request).await.unwrap(), server.requests())
}

#[tokio::test]
async fn hours_of_a_stock_are_made_of_its_sessions_alone() {
    // The service also has bars from before and after the sessions.
    let (answer, requests) = stock(service("AAPL", 30, 0, 10_000, 10_000), "1h", 7, 2_700).await;
    assert_eq!(asked(&requests[0]).0, "30Min");
    assert_eq!(asked(&requests[0]).1, "2024-01-01T14:00:00.000Z", "no earlier than the first session");
    let hours: Vec<i64> = (14..21).map(|hour| hour * 60).collect();
    let expected: Vec<i64> = hours.iter().copied().chain(hours.iter().map(|minute| minute + 1_440)).collect();
    assert_eq!(minutes(&answer.bars), expected);
    assert_eq!(answer.bars.bar(0).open(), price(870), "the first half hour lies before the session");
    assert_eq!(answer.absent, AbsentMeans::NoTrade);
}

#[tokio::test]
async fn days_of_a_stock_are_dated_from_midnight_utc() {
    // Midnight in New York is 05:00 UTC, and 04:00 in summer.
    let bars = [bar(300), bar(1_440 + 240)];
    let server = || Server::playing(vec![Reply::ok(body(&[("AAPL", &bars)], None))]);
    let (answer, requests) = stock(server(), "1d", 2, 2_880).await;
    assert_eq!(minutes(&answer.bars), [0, 1_440]);
    let (timeframe, start, end) = asked(&requests[0]);
    assert_eq!((timeframe.as_str(), start.as_str()), ("1Day", "2024-01-01T00:00:00.000Z"));
    assert_eq!(end, "2024-01-02T23:59:59.999Z");
    let (answer, _) = stock(server(), "1d", 2, 2_879).await;
    assert_eq!(minutes(&answer.bars), [0], "the second day has not closed");
}

#[tokio::test]
async fn a_stock_without_sessions_is_refused() {
    let (source, _, server) = source(Server::playing(vec![]));
    let error = source.bars(&request("AAPL", "1h", 10, Some(at(0)))).await.unwrap_err();
    assert!(error.message.contains("a calendar of its sessions"), "{error}");
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_bar_that_is_none_is_an_error_with_symbol_and_time() {
    let broken = bar(60).replace("\"h\":200061", "\"h\":1");
    let (source, _, _server) =
        source(Server::playing(vec![Reply::ok(body(&[("BTC/USD", &[bar(0), broken])], None))]));
    let error = source.bars(&request("BTC/USD", "1h", 2, Some(at(120)))).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::BadInput);
    assert!(
        error.message.contains("BTC/USD, the bar of 2024-01-01T01:00:00.000Z: high is below low"),
        "{error}"
    );
}

#[tokio::test]
async fn a_bar_off_the_clock_is_an_error() {
    let (source, _, _server) =
        source(Server::playing(vec![Reply::ok(body(&[("BTC/USD", &[bar(30)])], None))]));
    let error = source.bars(&request("BTC/USD", "1h", 2, Some(at(120)))).await.unwrap_err();
    assert!(error.message.contains("start on full 1h of the clock"), "{error}");
}

#[tokio::test]
async fn a_service_that_is_away_may_be_asked_later() {
    let (source, _, _server) = source(Server::new(|_| Reply::new(503, &[], "")));
    let error = source.bars(&request("BTC/USD", "1h", 2, Some(at(120)))).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Retry);
    assert!(error.message.starts_with("Alpaca: GET http://127.0.0.1"), "{error}");
}

#[tokio::test]
async fn more_bars_than_are_kept_are_refused_before_they_are_asked_for() {
    let (source, clock, server) = source(Server::playing(vec![]));
    let now = "2026-01-01".parse().unwrap();
    clock.set(now);
    let error = source.bars(&request("BTC/USD", "1m", usize::MAX, Some(now))).await.unwrap_err();
    assert!(error.message.contains("expected at most 5000000"), "{error}");
    let error = source.bars(&request("BTC/USD", "1h", 10, Some(Timestamp::EPOCH))).await.unwrap_err();
    assert!(error.message.contains("a time after 2015-01-01"), "{error}");
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_window_longer_than_the_service_goes_back_starts_where_it_may() {
    let (source, clock, server) = source(service("BTC/USD", 1_440, 0, 2_000, 10_000));
    clock.set(at(2_880));
    let answer = source.bars(&request("BTC/USD", "1d", 1_000_000, Some(at(2_880)))).await.unwrap();
    assert_eq!(minutes(&answer.bars), [0, 1_440]);
    assert_eq!(asked(&server.requests()[0]).1, "2015-01-01T00:00:00.000Z");
}

#[test]
fn kept_bars_are_told_apart_by_market_and_variant() {
    let (source, _, _server) = source(Server::playing(vec![]));
    assert_eq!(source.id(&"BTC/USD".parse().unwrap()), "alpaca-crypto-us");
    assert_eq!(source.id(&"AAPL".parse().unwrap()), "alpaca-stocks-sip-split");
}
