//! What asking again doesn't change is told once, with what to do.

use walkforward_core::ErrorKind;

use crate::server::{Reply, Server};
use crate::support::{Rig, body, btc, query};

async fn check(status: u16, message: &str, parts: &[&str]) {
    let rig = Rig::playing(vec![Reply::new(status, &[], message), btc(&[0], None)]);
    let error = rig.expect_error(parts, 1).await;
    assert_eq!(error.kind(), ErrorKind::BadInput);
    assert_eq!(rig.waited(), 0);
}

#[tokio::test]
async fn a_refused_request_is_not_repeated_and_is_named() {
    let invalid = r#"{"message":"invalid symbol: BTCUSD does not match ^[A-Z]+x?/[A-Z]+$"}"#;
    let request =
        "/v1beta3/crypto/us/bars?symbols=BTC%2FUSD&timeframe=1Min&start=2024-01-01T00%3A00%3A00.000Z";
    check(
        400,
        invalid,
        &["GET http://127.0.0.1:", request, "answers 400", "'invalid symbol: BTCUSD", "correct what"],
    )
    .await;
    check(
        401,
        r#"{"code":40110000,"message":"request is not authorized"}"#,
        &["40110000", "APCA_API_KEY_ID"],
    )
    .await;
    check(403, r#"{"message":"forbidden"}"#, &["answers 403, 'forbidden'", "feed iex"]).await;
    check(404, "<html><title>Not Found</title></html>", &["'Not Found'", "base_url"]).await;
    check(422, "{}", &["answers 422"]).await;
    check(418, "", &["has to change"]).await;
    check(204, "", &["answers 204"]).await;
}

#[tokio::test]
async fn json_that_is_no_page_is_not_repeated() {
    for (body, part) in [
        (r#"{"message":"all is well"}"#, "missing field `bars`"),
        (
            r#"{"bars":{"BTC/USD":[{"t":"2024-01-01T00:00:00Z","o":null}]},"next_page_token":null}"#,
            "invalid type: null",
        ),
    ] {
        let rig = Rig::playing(vec![Reply::ok(body), btc(&[0], None)]);
        let error = rig.expect_error(&["no page of bars", part], 1).await;
        assert_eq!(error.kind(), ErrorKind::BadInput);
    }
}

#[tokio::test]
async fn bars_of_a_symbol_that_nobody_asked_for_are_an_error() {
    let rig = Rig::playing(vec![Reply::ok(body(&[("DOGE/USD", &[])], None))]);
    rig.expect_error(&["bars of \"DOGE/USD\", which was not asked for"], 1).await;
}

#[tokio::test]
async fn stocks_without_keys_are_refused_before_anything_is_asked() {
    let rig = Rig::new(Server::playing(vec![]));
    let error = rig.client.bars(&query(&["AAPL"])).await.unwrap_err().to_string();
    assert!(error.contains("APCA_API_KEY_ID and APCA_API_SECRET_KEY"), "{error}");
    assert!(rig.server.requests().is_empty());
}
