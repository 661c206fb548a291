//! Who is let in, and how clients are sent away.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use walkforward_core::ManualClock;
use walkforward_server::HubOptions;

use crate::listener::Listener;
use crate::world::{KIND, READ, TRADE, World};
use crate::{start, world};

#[tokio::test]
async fn whoever_shows_a_token_is_welcomed_and_told_what_happens() {
    let world = world(HubOptions::default()).await;
    let seq = world.record(KIND, &json!({ "to": "before" }));
    for token in [READ, TRADE] {
        let mut listener = Listener::connect(world.address).await;
        listener.hello(json!({ "type": "hello", "token": token })).await;
        let welcome = listener.next().await;
        assert_eq!(
            (&welcome["type"], &welcome["time"]),
            (&json!("welcome"), &json!("2024-03-01T00:00:00.000Z"))
        );
        let now = welcome["seq"].as_i64().unwrap();
        let told = world.record(KIND, &json!({ "to": "model-1", "line": "btc" }));
        assert!(seq <= now && now < told);
        let message = listener.until(told).await.pop().unwrap();
        let expected = json!({
            "type": KIND, "seq": told, "time": "2024-03-01T00:00:00.000Z", "to": "model-1", "line": "btc",
        });
        assert_eq!(message, expected);
    }
}

#[tokio::test]
async fn the_token_may_be_in_the_header_instead_and_a_wrong_one_there_is_refused_at_once() {
    let world = world(HubOptions::default()).await;
    let header = |token: &str| [("authorization", format!("Bearer {token}"))];
    let [(name, value)] = header(READ);
    let mut listener = Listener::try_connect(world.address, &[(name, &value)]).await.unwrap();
    listener.hello(json!({ "type": "hello" })).await;
    assert_eq!(listener.next().await["type"], "welcome");
    let [(name, value)] = header("wrong-wrong-wrong-wrong");
    assert_eq!(Listener::try_connect(world.address, &[(name, &value)]).await.err().unwrap().0, 401);
}

#[tokio::test]
async fn a_wrong_token_and_none_are_told_and_closed() {
    let world = world(HubOptions::default()).await;
    for hello in [json!({ "type": "hello", "token": "wrong-wrong-wrong-wrong" }), json!({ "type": "hello" })]
    {
        let mut listener = Listener::connect(world.address).await;
        listener.hello(hello).await;
        let error = listener.next().await;
        assert_eq!((&error["type"], &error["code"]), (&json!("error"), &json!(4401)));
        assert!(!error.to_string().contains("wrong-wrong"), "{error}");
        assert_eq!(listener.close_code().await, 4401);
    }
}

#[tokio::test]
async fn a_server_without_tokens_asks_for_none() {
    let clock = Arc::new(ManualClock::at(start()));
    let world = World::start(HubOptions::default(), false, clock).await;
    let mut listener = Listener::connect(world.address).await;
    listener.hello(json!({ "type": "hello" })).await;
    assert_eq!(listener.next().await["type"], "welcome");
}

#[tokio::test]
async fn a_client_that_says_nothing_is_sent_away() {
    let world = world(HubOptions { hello_wait: Duration::from_millis(50), ..HubOptions::default() }).await;
    let mut listener = Listener::connect(world.address).await;
    assert_eq!(listener.next().await["code"], 4408);
    assert_eq!(listener.close_code().await, 4408);
}

#[tokio::test]
async fn what_is_no_hello_is_told_and_closed() {
    let world = world(HubOptions::default()).await;
    let long = json!({ "type": "hello", "token": "x".repeat(5_000) }).to_string();
    for message in [
        Message::text("no JSON"),
        Message::text("[]"),
        Message::text(json!({ "type": "other" }).to_string()),
        Message::text(json!({ "type": "hello", "token": READ, "after": -1 }).to_string()),
        Message::text(json!({ "type": "hello", "token": READ, "more": 1 }).to_string()),
        Message::binary(b"{}".to_vec()),
        Message::text(long),
    ] {
        let mut listener = Listener::connect(world.address).await;
        listener.say(message.clone()).await;
        assert_eq!(listener.next().await["code"], 4400, "{message:?}");
        assert_eq!(listener.close_code().await, 4400);
    }
    let mut listener = Listener::welcomed(world.address).await;
    listener.hello(json!({ "type": "hello", "token": READ })).await;
    assert_eq!(listener.close_code().await, 4400);
}

#[tokio::test]
async fn a_page_of_another_origin_is_refused_before_anything_else() {
    let world = world(HubOptions::default()).await;
    let own = format!("http://{}", world.address);
    assert!(Listener::try_connect(world.address, &[("origin", &own)]).await.is_ok());
    for other in ["http://evil.example", "null", "http://127.0.0.1:1"] {
        let (status, problem) =
            Listener::try_connect(world.address, &[("origin", other)]).await.err().unwrap();
        assert_eq!(status, 403, "{other}");
        assert!(problem.contains("about:blank#forbidden"), "{problem}");
    }
    let rebound = Listener::try_connect(world.address, &[("host", "evil.example")]).await;
    assert_eq!(rebound.err().unwrap().0, 421);
}

/// The status of a plain request.
async fn status(world: &World, token: Option<&str>) -> String {
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    let token = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
    let request = format!("GET /ws HTTP/1.1\r\nhost: {}\r\n{token}connection: close\r\n\r\n", world.address);
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.split(' ').nth(1).unwrap().to_owned()
}

#[tokio::test]
async fn a_request_that_is_no_websocket_is_told_so_when_it_may_know() {
    let world = world(HubOptions::default()).await;
    assert_eq!(status(&world, None).await, "401");
    assert_eq!(status(&world, Some(READ)).await, "400");
}

#[tokio::test]
async fn when_all_places_are_taken_the_next_is_refused_until_one_is_free() {
    let world = world(HubOptions { max_clients: 2, ..HubOptions::default() }).await;
    let (first, _second) = (Listener::welcomed(world.address).await, Listener::welcomed(world.address).await);
    let (status, problem) = Listener::try_connect(world.address, &[]).await.err().unwrap();
    assert_eq!(status, 503);
    assert!(problem.contains("too many clients"), "{problem}");
    drop(first);
    while Listener::try_connect(world.address, &[]).await.is_err() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_client_that_answers_no_ping_is_let_go() {
    let options =
        HubOptions { max_clients: 1, ping_every: Duration::from_millis(20), ..HubOptions::default() };
    let world = world(options).await;
    // It does not read, so its side answers nothing.
    let _silent = Listener::welcomed(world.address).await;
    while Listener::try_connect(world.address, &[]).await.is_err() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_server_that_stops_says_that_it_goes_away() {
    let world = world(HubOptions::default()).await;
    let mut listeners = Vec::new();
    for _ in 0..5 {
        listeners.push(Listener::welcomed(world.address).await);
    }
    let mut shy = Listener::connect(world.address).await;
    let (stopped, ()) = tokio::join!(tokio::spawn(world.stop()), async {
        for listener in &mut listeners {
            assert_eq!(listener.close_code().await, 1001);
        }
        assert_eq!(shy.close_code().await, 1001);
    });
    stopped.unwrap();
}
