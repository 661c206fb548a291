//! Pages are followed to their end and merged by symbol.

use std::io::Write;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use walkforward_core::ErrorKind;

use crate::server::{Reply, Server};
use crate::support::{Rig, at, bar, body, btc, btc_body, minutes_of, query};

#[tokio::test]
async fn pages_are_followed_by_their_tokens() {
    let rig = Rig::playing(vec![btc(&[0, 1], Some("a=")), btc(&[2], Some("b/+&")), btc(&[3, 4], None)]);
    let fetched = rig.expect(&[0, 1, 2, 3, 4], 3).await;
    assert_eq!(fetched.figures.pages, 3);
    let requests = rig.server.requests();
    let tokens: Vec<_> = requests.iter().map(|request| request.query("page_token")).collect();
    assert_eq!(tokens, [None, Some("a=".to_owned()), Some("b/+&".to_owned())]);
    for request in &requests {
        assert!(request.target.starts_with("GET /v1beta3/crypto/us/bars?"), "{}", request.target);
        assert_eq!(request.query("symbols").as_deref(), Some("BTC/USD"));
        assert_eq!(request.query("timeframe").as_deref(), Some("1Min"));
        assert_eq!(request.query("start").as_deref(), Some("2024-01-01T00:00:00.000Z"));
        assert_eq!(request.query("end").as_deref(), Some("2024-01-01T00:09:00.000Z"));
        assert_eq!(request.query("limit").as_deref(), Some("10000"));
    }
}

#[tokio::test]
async fn an_empty_page_with_a_token_is_not_the_end() {
    let rig = Rig::playing(vec![
        Reply::ok(body(&[], Some("a"))),
        btc(&[0], Some("b")),
        btc(&[], Some("c")),
        btc(&[1], None),
    ]);
    rig.expect(&[0, 1], 4).await;
}

#[tokio::test]
async fn no_data_is_an_empty_list() {
    let rig = Rig::playing(vec![Reply::ok(body(&[], None))]);
    rig.expect(&[], 1).await;
}

#[tokio::test]
async fn a_failed_page_is_asked_again_and_not_those_before_it() {
    let rig =
        Rig::playing(vec![btc(&[0], Some("a")), Reply::new(500, &[], ""), Reply::Reset, btc(&[1], None)]);
    rig.expect(&[0, 1], 4).await;
    let tokens: Vec<_> = rig.server.requests().iter().map(|request| request.query("page_token")).collect();
    assert_eq!(tokens, [None, Some("a".to_owned()), Some("a".to_owned()), Some("a".to_owned())]);
}

#[tokio::test]
async fn two_symbols_and_one_split_over_pages_are_put_together() {
    let minutes = |minutes: &[i64]| minutes.iter().map(|&minute| bar(minute)).collect::<Vec<_>>();
    let rig = Rig::playing(vec![
        Reply::ok(body(&[("BTC/USD", &minutes(&[0, 1]))], Some("a"))),
        Reply::ok(body(&[("BTC/USD", &minutes(&[2])), ("ETH/USD", &minutes(&[0, 5]))], Some("b"))),
        Reply::ok(body(&[("ETHUSD", &minutes(&[6]))], None)),
    ]);
    let fetched = rig.client.bars(&query(&["BTC/USD", "ETHUSD", "SOL/USD"])).await.unwrap();
    assert_eq!(minutes_of(&fetched, "BTC/USD"), [0, 1, 2]);
    assert_eq!(minutes_of(&fetched, "ETH/USD"), [0, 5, 6]);
    assert!(minutes_of(&fetched, "SOL/USD").is_empty());
    let requests = rig.server.requests();
    assert_eq!(requests.len(), 3);
    assert_eq!(requests[0].query("symbols").as_deref(), Some("BTC/USD,ETH/USD,SOL/USD"));
}

#[tokio::test]
async fn duplicates_and_disorder_are_merged_and_counted() {
    let revised = bar(2).replace("\"v\":0.5", "\"v\":0.75");
    let bars = [bar(3), bar(1), bar(1), bar(2), revised];
    let rig = Rig::playing(vec![Reply::ok(body(&[("BTC/USD", &bars)], Some("a"))), btc(&[0, 3], None)]);
    let fetched = rig.expect(&[0, 1, 2, 3], 2).await;
    let volumes: Vec<f64> = fetched.bars[&"BTC/USD".parse().unwrap()].iter().map(|bar| bar.volume).collect();
    assert_eq!(volumes, [0.5, 0.5, 0.75, 0.5], "of different bars the later one counts");
    let figures = fetched.figures;
    assert_eq!((figures.duplicates, figures.conflicts, figures.out_of_order), (2, 1, 2));
}

#[tokio::test]
async fn bars_outside_of_what_was_asked_are_left_out_and_counted() {
    let rig = Rig::playing(vec![btc(&[-2, -1, 0, 9, 10], None)]);
    let figures = rig.expect(&[0, 9], 1).await.figures;
    assert_eq!((figures.before_start, figures.after_end), (2, 1), "the end belongs to what was asked for");
}

#[tokio::test]
async fn a_token_that_came_before_is_an_error() {
    let rig = Rig::playing(vec![btc(&[0], Some("a")), btc(&[1], Some("b")), btc(&[2], Some("a"))]);
    let error = rig.expect_error(&["the page token came before"], 3).await;
    assert_eq!(error.kind(), ErrorKind::BadInput);
    let rig = Rig::playing(vec![btc(&[0], Some(""))]);
    rig.expect_error(&["a page token of 0 bytes"], 1).await;
}

#[tokio::test]
async fn pages_and_bars_are_bounded() {
    let endless = || {
        let mut number = 0;
        Server::new(move |_| {
            number += 1;
            btc(&[0, 1, 2], Some(&format!("token{number}")))
        })
    };
    let rig = Rig::with(endless(), |config| config.limits.max_pages = 5);
    rig.expect_error(&["more pages than the limit of 5"], 5).await;
    let rig = Rig::with(endless(), |config| config.limits.max_bars = 10);
    rig.expect_error(&["more bars than the limit of 10"], 4).await;
}

#[tokio::test]
async fn a_start_that_the_service_ignores_is_found_out() {
    let rig = Rig::playing(vec![btc(&[1_439], None)]);
    let far = walkforward_alpaca::BarsQuery { start: at(-10_000), end: at(1_439), ..query(&["BTC/USD"]) };
    let error = rig.client.bars(&far).await.unwrap_err();
    assert!(error.to_string().contains("the service has ignored the start"), "{error}");
    assert_eq!(rig.server.requests().len(), 1);
    let year_one = walkforward_alpaca::BarsQuery { start: "0001-01-01".parse().unwrap(), ..far };
    let error = rig.client.bars(&year_one).await.unwrap_err();
    assert!(error.to_string().contains("a start from 2015-01-01"), "{error}");
    assert_eq!(rig.server.requests().len(), 1, "such a start is not even sent");
}

#[tokio::test]
async fn a_compressed_page_is_read() {
    let rig = Rig::playing(vec![Reply::new(
        200,
        &["content-encoding: gzip"],
        gzip(btc_body(&[0, 1], None).as_bytes()),
    )]);
    rig.expect(&[0, 1], 1).await;
    assert_eq!(rig.server.requests()[0].header("accept-encoding"), Some("gzip"));
}

#[tokio::test]
async fn a_compressed_page_that_is_cut_is_asked_again() {
    let zipped = gzip(btc_body(&[0, 1], None).as_bytes());
    let cut = Reply::new(200, &["content-encoding: gzip"], &zipped[..zipped.len() / 2]);
    let rig = Rig::playing(vec![cut, btc(&[0, 1], None)]);
    rig.expect(&[0, 1], 2).await;
}

#[tokio::test]
async fn a_body_is_read_no_further_than_its_bound() {
    let long = btc_body(&(0..10).cycle().take(20_000).collect::<Vec<_>>(), None);
    let bomb = gzip(&vec![b' '; 64 * 1024 * 1024]);
    assert!(bomb.len() < 100_000);
    let mut chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n100000\r\n".to_vec();
    chunked.extend(vec![b' '; 0x10_0000]);
    for reply in [
        Reply::ok(&long),
        Reply::new(200, &["content-encoding: gzip"], bomb),
        Reply::Stalled(chunked, Duration::from_millis(300)),
    ] {
        let rig = Rig::with(Server::playing(vec![reply]), |config| config.limits.max_page_bytes = 500_000);
        let error = rig.expect_error(&["more bytes than the limit of 500000", "max_page_bytes"], 1).await;
        assert_eq!(error.kind(), ErrorKind::BadInput);
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
