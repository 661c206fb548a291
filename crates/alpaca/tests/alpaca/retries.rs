//! What may go away by itself is asked again, and not for ever.

use std::time::Duration;

use walkforward_alpaca::{AlpacaError, RetryPolicy};
use walkforward_core::ErrorKind;

use crate::server::{Reply, Server, response};
use crate::support::{Rig, btc, btc_body};

const LIMITED: &str = r#"{"code":42910000,"message":"rate limit exceeded"}"#;
const MINUTES: [i64; 3] = [0, 1, 2];

fn limited(headers: &[&str]) -> Reply {
    Reply::new(429, headers, LIMITED)
}

/// One failure and then a page: two requests, and a wait of `wait_ms`.
async fn check_wait(failure: Reply, wait_ms: std::ops::RangeInclusive<u128>) {
    let rig = Rig::playing(vec![failure, btc(&MINUTES, None)]);
    rig.expect(&MINUTES, 2).await;
    assert!(wait_ms.contains(&rig.waited()), "{}", rig.waited());
}

/// The first wait of the default policy: one second less up to half of it.
const FIRST_WAIT_MS: std::ops::RangeInclusive<u128> = 500..=1_000;

#[tokio::test]
async fn a_429_waits_as_long_as_retry_after_says() {
    check_wait(limited(&["Retry-After: 7"]), 7_000..=7_000).await;
    // The clock stands at 2024-01-02T00:00:00Z.
    check_wait(limited(&["Retry-After: Tue, 02 Jan 2024 00:00:11 GMT"]), 11_000..=11_000).await;
}

#[tokio::test]
async fn a_429_without_retry_after_waits_for_the_quota() {
    let reset = "X-RateLimit-Reset: 1704153642";
    check_wait(limited(&["X-RateLimit-Remaining: 0", reset]), 42_000..=42_000).await;
    check_wait(limited(&["Retry-After: 3", reset]), 3_000..=3_000).await;
    check_wait(limited(&[reset, "Date: Tue, 02 Jan 2024 00:00:40 GMT"]), 2_000..=2_000).await;
}

#[tokio::test]
async fn a_429_that_says_nothing_backs_off() {
    check_wait(limited(&[]), FIRST_WAIT_MS).await;
    check_wait(limited(&["X-RateLimit-Reset: 1704067200"]), FIRST_WAIT_MS).await;
}

#[tokio::test]
async fn errors_of_the_server_and_of_proxies_pass() {
    for failure in [
        Reply::new(500, &[], r#"{"message":"internal server error"}"#),
        Reply::new(502, &["content-type: text/html"], "<html><body><h1>502 Bad Gateway</h1></body></html>"),
        Reply::new(503, &[], "upstream connect error or disconnect/reset before headers"),
        Reply::new(504, &[], ""),
        Reply::new(408, &[], ""),
    ] {
        check_wait(failure, FIRST_WAIT_MS).await;
    }
    check_wait(Reply::new(503, &["Retry-After: 2"], ""), 2_000..=2_000).await;
}

#[tokio::test]
async fn bodies_that_are_cut_or_foreign_pass() {
    let whole = btc_body(&MINUTES, None);
    let cut = &whole.as_bytes()[..whole.len() / 2];
    // Cut by the service, which believes that this is all.
    check_wait(Reply::ok(cut), FIRST_WAIT_MS).await;
    // Cut by the line: fewer bytes than announced.
    let announced = response(200, &[], whole.as_bytes());
    check_wait(Reply::Bytes(announced[..announced.len() - 40].to_vec()), FIRST_WAIT_MS).await;
    check_wait(Reply::ok("<html>maintenance</html>"), FIRST_WAIT_MS).await;
    check_wait(Reply::ok(""), FIRST_WAIT_MS).await;
    check_wait(Reply::Bytes(b"not HTTP at all\r\n\r\n".to_vec()), FIRST_WAIT_MS).await;
}

#[tokio::test]
async fn cut_connections_pass() {
    check_wait(Reply::Reset, FIRST_WAIT_MS).await;
    check_wait(Reply::Bytes(Vec::new()), FIRST_WAIT_MS).await;
    let head = response(200, &[], btc_body(&MINUTES, None).as_bytes());
    check_wait(Reply::Bytes(head[..30].to_vec()), FIRST_WAIT_MS).await;
}

#[tokio::test]
async fn a_slow_answer_times_out_and_is_asked_again() {
    let late = Duration::from_millis(1_200);
    let page = response(200, &[], btc_body(&MINUTES, None).as_bytes());
    for slow in [Reply::Late(late, page.clone()), Reply::Stalled(page[..page.len() / 2].to_vec(), late)] {
        let server = Server::playing(vec![slow, btc(&MINUTES, None)]);
        let rig = Rig::with(server, |config| config.timeouts.read = Duration::from_millis(400));
        rig.expect(&MINUTES, 2).await;
        assert!(FIRST_WAIT_MS.contains(&rig.waited()));
    }
}

#[tokio::test]
async fn attempts_end_and_say_what_was_wrong() {
    let rig = Rig::new(Server::new(|_| Reply::new(500, &[], r#"{"message":"the database is away"}"#)));
    let error = rig
        .expect_error(
            &["no answer after 6 attempt(s)", "the database is away", "/v1beta3/crypto/us/bars?symbols="],
            6,
        )
        .await;
    assert_eq!(error.kind(), ErrorKind::Retry);
    // Half to all of 1 + 2 + 4 + 8 + 16 seconds.
    assert!((15_500..=31_000).contains(&rig.waited()), "{}", rig.waited());
}

#[tokio::test]
async fn a_wait_beyond_the_limit_is_an_error_at_once() {
    let rig = Rig::playing(vec![limited(&["Retry-After: 86400"]), btc(&MINUTES, None)]);
    let error = rig.expect_error(&["would have to wait 86400.0 s", "rate limit exceeded"], 1).await;
    assert_eq!(error.kind(), ErrorKind::Retry);
    assert_eq!(rig.waited(), 0);
}

#[tokio::test]
async fn waits_of_all_pages_count_together() {
    let mut number = 0;
    let server = Server::new(move |_| {
        number += 1;
        match number % 2 {
            1 => limited(&["Retry-After: 40"]),
            _ => btc(&[], Some(&format!("token{number}"))),
        }
    });
    let rig = Rig::new(server);
    let error = rig.expect_error(&["no answer after 1 attempt(s) and 280.0 s of waiting"], 15).await;
    assert!(matches!(error, AlpacaError::Unavailable { .. }));
    assert_eq!(rig.waited(), 280_000);
}

#[tokio::test]
async fn the_same_seed_waits_the_same_time() {
    let waited = async |seed| {
        let server = Server::new(|_| Reply::new(500, &[], ""));
        let rig = Rig::with(server, |config| config.jitter_seed = seed);
        rig.expect_error(&[], 6).await;
        rig.waited()
    };
    assert_eq!(waited(1).await, waited(1).await);
    assert_ne!(waited(1).await, waited(2).await);
}

#[tokio::test]
async fn one_attempt_tries_nothing_again() {
    let server = Server::new(|_| Reply::new(503, &[], ""));
    let rig = Rig::with(server, |config| config.retry = RetryPolicy { max_attempts: 1, ..config.retry });
    rig.expect_error(&["503"], 1).await;
    assert_eq!(rig.waited(), 0);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told() {
    let server = Server::playing(vec![]);
    let url = server.url();
    drop(server);
    // The port is closed once the listener's thread has seen the end.
    tokio::time::sleep(Duration::from_millis(50)).await;
    let rig = Rig::with(Server::playing(vec![]), |config| config.base_url = url);
    let error = rig.expect_error(&["no connection"], 0).await;
    assert_eq!(error.kind(), ErrorKind::Retry);
}

#[tokio::test]
async fn dropping_the_query_ends_it() {
    let rig = Rig::new(Server::new(|_| Reply::Late(Duration::from_millis(300), Vec::new())));
    let asked = async {
        while rig.server.requests().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        answer = rig.ask() => panic!("answered: {answer:?}"),
        () = asked => {}
    }
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(rig.server.requests().len(), 1, "nothing is asked after the caller has gone");
}

#[tokio::test]
async fn the_clients_own_rate_limit_spreads_its_pages() {
    let mut number = 0;
    let server = Server::new(move |_| {
        number += 1;
        btc(&[], (number < 25).then(|| format!("token{number}")).as_deref())
    });
    let rig = Rig::with(server, |config| config.requests_per_minute = 60);
    let fetched = rig.ask().await.unwrap();
    assert_eq!((rig.server.requests().len(), fetched.figures.pages), (25, 25));
    // Ten go out together, the others one a second.
    assert!((15_000..15_100).contains(&rig.waited()), "{}", rig.waited());
    assert_eq!(fetched.figures.waited, Duration::ZERO);
}

#[tokio::test]
async fn a_query_ends_when_its_time_is_over() {
    let limit = |max_query_s: u64| {
        move |config: &mut walkforward_alpaca::AlpacaConfig| {
            config.limits.max_query = Duration::from_secs(max_query_s);
        }
    };
    let pages = || {
        let mut page = 0;
        // A wait of a minute before each page.
        Server::new(move |_| {
            page += 1;
            match page % 2 {
                0 => btc(&[page / 2], (page < 8).then(|| format!("t{page}")).as_deref()),
                _ => limited(&["Retry-After: 60"]),
            }
        })
    };
    Rig::with(pages(), limit(241)).expect(&[1, 2, 3, 4], 8).await;
    let rig = Rig::with(pages(), limit(239));
    let error = rig.expect_error(&["longer than the 239 s", "7 request(s)", "raise max_query"], 7).await;
    assert_eq!(error.kind(), ErrorKind::Retry);
    assert_eq!(rig.waited(), 180_000, "a wait that would end too late is not begun");
}

#[tokio::test]
async fn waits_of_the_rate_limit_count_too() {
    let pages = |last: i64| {
        let mut page = 0;
        Server::new(move |_| {
            page += 1;
            btc(&[page % 10], (page < last).then(|| format!("t{page}")).as_deref())
        })
    };
    // Ten pages go out together, and one a minute after that.
    let slow = |config: &mut walkforward_alpaca::AlpacaConfig| {
        config.requests_per_minute = 1;
        config.limits.max_query = Duration::from_secs(150);
    };
    Rig::with(pages(12), slow).ask().await.unwrap();
    let rig = Rig::with(pages(13), slow);
    rig.expect_error(&["longer than the 150 s"], 12).await;
    assert!(rig.waited() < 150_000, "{}", rig.waited());
}

#[tokio::test]
async fn one_request_takes_no_longer_than_the_query_may() {
    let late = Reply::Late(Duration::from_secs(4), b"HTTP/1.1 200 OK\r\n\r\n".to_vec());
    let rig = Rig::with(Server::playing(vec![late]), |config| {
        config.limits.max_query = Duration::from_millis(200);
        config.retry.max_attempts = 1;
        config.timeouts.read = Duration::from_secs(30);
        config.timeouts.total = Duration::from_secs(30);
    });
    let asked = rig.expect_error(&["timed out"], 1);
    tokio::time::timeout(Duration::from_secs(3), asked).await.unwrap();
}
