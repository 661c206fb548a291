//! Damaged lines of a control socket: no panic, no error without a text, and what is read can be said again.

#[path = "support/mutate.rs"]
mod mutate;

use walkforward_core::{ControlError, ControlReply, ControlRequest};

/// Longest text that a refusal may have: it names what was found, which is at most one word of the line.
fn check_refusal(error: &ControlError, input: &[u8]) {
    let text = error.to_string();
    assert!(!text.is_empty() && text.len() <= 1_000 + 8 * input.len(), "{text}");
}

#[test]
fn a_damaged_request_is_read_or_refused() {
    let corpus = [
        r#"{"id":1,"command":"status"}"#,
        r#"{"command":"kill","reason":"the feed lies","flatten":true}"#,
        r#"{"command":"resume","acknowledge":"the drawdown was a wrong bar \u00e4"}"#,
        r#"{"id":18446744073709551615,"command":"subscribe","after":0}"#,
    ]
    .map(|line| line.as_bytes().to_vec());
    let mut read = 0_u64;
    let tried = mutate::fuzz(&corpus, |input| match ControlRequest::from_line(input) {
        Ok(request) => {
            read += 1;
            assert_eq!(ControlRequest::from_line(&request.to_line().unwrap()).unwrap(), request);
        }
        Err(error) => check_refusal(&error, input),
    });
    eprintln!("{tried} damaged requests, {read} of them read");
}

#[test]
fn a_damaged_reply_is_read_or_refused() {
    let corpus = [
        r#"{"type":"refused","id":4,"kind":"bad_input","reason":"the session is halted"}"#,
        r#"{"type":"event","seq":3,"at":"2024-01-01T00:00:00.000Z","event":{"kind":"mode","mode":"halted","reason":"kill"}}"#,
        r#"{"type":"event","seq":4,"at":"2024-01-01T00:00:00.000Z","event":{"kind":"feed","is_up":false,"reason":null}}"#,
        r#"{"type":"status","id":1,"status":{"session":"btc-1","line":"default","symbol":"BTC/USD","timeframe":"1h",
            "venue":"paper","started_at":"2024-01-01T00:00:00.000Z","mode":"active","restriction":null,"bars":7,
            "missed":0,"last_bar":"2024-01-01T00:00:00.000Z","equity":10000.5,"cash":1e-3,"position":-5,
            "position_value":0.0,"model":null,"open_orders":0,"is_feed_up":true,"last_data_at":null,"last_event":3}}"#,
    ]
    .map(|line| line.replace('\n', " ").into_bytes());
    let mut read = 0_u64;
    let tried = mutate::fuzz(&corpus, |input| match ControlReply::from_line(input) {
        Ok(reply) => {
            read += 1;
            assert_eq!(ControlReply::from_line(&reply.to_line().unwrap()).unwrap(), reply);
        }
        Err(error) => check_refusal(&error, input),
    });
    assert!(read >= corpus.len() as u64, "the corpus itself is read");
    eprintln!("{tried} damaged replies, {read} of them read");
}
