//! The session, message by message, without a socket.

use proptest::prelude::*;
use serde_json::Value;
use walkforward_core::Timestamp;

use super::*;

const CONNECTED: &str = r#"[{"T":"success","msg":"connected"}]"#;
const AUTHENTICATED: &str = r#"[{"T":"success","msg":"authenticated"}]"#;
const SUBSCRIBED: &str = r#"[{"T":"subscription","bars":["BTC/USD"],"updatedBars":["BTC/USD"]}]"#;
const BAR: &str =
    r#"{"T":"b","S":"BTC/USD","o":10,"h":12,"l":9,"c":11,"v":0.5,"t":"2024-01-01T00:00:00Z","n":1,"vw":10}"#;

fn session() -> MarketSession {
    let keys = Keys { id: "PKTESTKEYID".into(), secret: "verysecretvalue".into() };
    MarketSession::new("BTC/USD".parse().unwrap(), keys, Arc::default())
}

/// A session after these frames, and what the last one came to.
fn after(frames: &[&str]) -> (MarketSession, Vec<Act<FeedEvent>>) {
    let mut session = session();
    assert!(session.open().is_empty());
    let mut last = Vec::new();
    for frame in frames {
        last = session.frame(frame.as_bytes());
    }
    (session, last)
}

fn sent(acts: &[Act<FeedEvent>]) -> Value {
    let [Act::Send(text)] = acts else { panic!("{acts:?}") };
    serde_json::from_str(text).unwrap()
}

fn error(code: u64) -> String {
    format!(r#"[{{"T":"error","code":{code},"msg":"words with verysecretvalue"}}]"#)
}

#[test]
fn keys_then_subscription_then_bars() {
    let (mut session, acts) = after(&[CONNECTED]);
    assert_eq!(sent(&acts), json!({"action": "auth", "key": "PKTESTKEYID", "secret": "verysecretvalue"}));
    let acts = session.frame(AUTHENTICATED.as_bytes());
    let expected = json!({"action": "subscribe", "bars": ["BTC/USD"], "updatedBars": ["BTC/USD"]});
    assert_eq!(sent(&acts), expected);
    assert_eq!(session.frame(SUBSCRIBED.as_bytes()), [Act::Ready]);
    let bar =
        Bar::new(Timestamp::from_millis(1_704_067_200_000).unwrap(), 10.0, 12.0, 9.0, 11.0, 0.5).unwrap();
    let frame = format!("[{BAR},{}]", BAR.replace("\"b\"", "\"u\""));
    let expected = [Act::Event(FeedEvent::Bar(bar)), Act::Event(FeedEvent::Revised(bar))];
    assert_eq!(session.frame(frame.as_bytes()), expected);
    assert!(session.open().is_empty());
    assert!(
        matches!(&session.frame(CONNECTED.as_bytes())[..], [Act::Send(_)]),
        "keys again after a reconnect"
    );
}

#[test]
fn every_row_of_the_error_table_before_the_subscription_stands() {
    let frames = [CONNECTED, AUTHENTICATED];
    for (code, expected) in [
        (400, "fail"),
        (401, "send"),
        (402, "fail"),
        (403, "nothing"),
        (404, "reconnect"),
        (405, "fail"),
        (406, "back off"),
        (407, "reconnect"),
        (408, "fail"),
        (409, "fail"),
        (410, "fail"),
        (411, "fail"),
        (500, "reconnect"),
        (599, "back off"),
    ] {
        let (mut session, _) = after(&frames);
        let acts = session.frame(error(code).as_bytes());
        let (what, reason) = match &acts[..] {
            [] => ("nothing", ""),
            [Act::Send(_)] => ("send", ""),
            [Act::Reconnect(reason)] => ("reconnect", reason.as_str()),
            [Act::BackOff(reason)] => ("back off", reason.as_str()),
            [Act::Fail(reason)] => ("fail", reason.as_str()),
            other => panic!("{other:?}"),
        };
        assert_eq!(what, expected, "{code}");
        assert!(reason.is_empty() || reason.contains(&code.to_string()), "{reason}");
        assert!(!reason.contains("verysecretvalue"), "{reason}");
        assert_eq!(session.counters.figures().errors, 1);
    }
}

#[test]
fn an_error_about_a_request_leaves_bars_that_come_already() {
    for code in [400, 403, 405, 410] {
        let (_, acts) = after(&[CONNECTED, AUTHENTICATED, SUBSCRIBED, &error(code)]);
        assert!(acts.is_empty(), "{code}: {acts:?}");
    }
    for code in [402, 409] {
        let (_, acts) = after(&[CONNECTED, AUTHENTICATED, SUBSCRIBED, &error(code)]);
        assert!(matches!(&acts[..], [Act::Fail(_)]), "{code}: {acts:?}");
    }
}

#[test]
fn keys_are_handed_in_twice_and_not_for_ever() {
    let (mut session, acts) = after(&[CONNECTED, AUTHENTICATED, &error(401)]);
    assert_eq!(sent(&acts)["action"], "auth");
    assert!(matches!(&session.frame(error(401).as_bytes())[..], [Act::BackOff(_)]));
    let (_, acts) = after(&[CONNECTED, AUTHENTICATED, &error(401), AUTHENTICATED, &error(401)]);
    assert!(matches!(&acts[..], [Act::BackOff(_)]), "not even when they are taken in between");
    let (_, acts) = after(&[CONNECTED, AUTHENTICATED, SUBSCRIBED, &error(401)]);
    assert!(matches!(&acts[..], [Act::Reconnect(_)]), "bars may have been lost: {acts:?}");
    let (_, acts) = after(&[CONNECTED, &error(403)]);
    assert_eq!(sent(&acts)["action"], "subscribe", "keys that are known already are as good");
}

#[test]
fn a_subscription_without_the_symbol_is_no_subscription() {
    for list in [
        r#""bars":[],"updatedBars":[]"#,
        r#""bars":["BTC/USD"]"#,
        r#""bars":["ETH/USD"],"updatedBars":["ETH/USD"]"#,
    ] {
        let (_, acts) = after(&[CONNECTED, AUTHENTICATED, &format!(r#"[{{"T":"subscription",{list}}}]"#)]);
        assert!(matches!(&acts[..], [Act::BackOff(_)]), "{acts:?}");
    }
    let (_, acts) =
        after(&[CONNECTED, AUTHENTICATED, r#"[{"T":"subscription","bars":["*"],"updatedBars":["*"]}]"#]);
    assert_eq!(acts, [Act::Ready]);
    let (_, acts) = after(&[SUBSCRIBED]);
    assert!(acts.is_empty(), "nobody has asked yet");
}

#[test]
fn what_is_no_bar_of_ours_is_counted_and_left_out() {
    let (mut session, _) = after(&[CONNECTED, AUTHENTICATED, SUBSCRIBED]);
    for (frame, figure) in [
        (format!("[{}]", BAR.replace("BTC", "ETH")), (0, 0, 1)),
        (format!("[{}]", BAR.replace("\"l\":9", "\"l\":99")), (0, 1, 1)),
        (format!("[{}]", BAR.replace("00:00Z", "00:01Z")), (0, 2, 1)),
        (format!("[{}]", BAR.replace("\"o\":10,", "")), (0, 3, 1)),
        ("not JSON".to_owned(), (0, 4, 1)),
        (r#"[{"T":"weather"}]"#.to_owned(), (1, 4, 1)),
        (r#"[{"T":"q"}]"#.to_owned(), (1, 4, 1)),
    ] {
        assert!(session.frame(frame.as_bytes()).is_empty(), "{frame}");
        let figures = session.counters.figures();
        assert_eq!((figures.unknown, figures.garbage, figures.foreign), figure, "{frame}");
    }
    let compact = format!("[{}]", BAR.replace("BTC/USD", "BTCUSD"));
    assert_eq!(session.frame(compact.as_bytes()).len(), 1, "both spellings name the symbol");
}

proptest! {
    /// Whatever the service says in whatever order: the subscription stands once for each connection, no bar is told
    /// before, and keys are handed in twice at most.
    #[test]
    fn no_order_of_messages_confuses_the_session(
        frames in proptest::collection::vec(prop_oneof![
            Just(CONNECTED.to_owned()),
            Just(AUTHENTICATED.to_owned()),
            Just(SUBSCRIBED.to_owned()),
            Just(r#"[{"T":"subscription","bars":[],"updatedBars":[]}]"#.to_owned()),
            Just("garbage".to_owned()),
            (399_u64..415).prop_map(error),
        ], 0..40)
    ) {
        let mut session = session();
        session.open();
        let (mut ready, mut keys) = (0, 0);
        for frame in frames {
            let acts = session.frame(frame.as_bytes());
            for act in &acts {
                match act {
                    Act::Ready => ready += 1,
                    Act::Send(text) => keys += usize::from(text.contains("\"auth\"")),
                    Act::Event(event) => prop_assert!(false, "{:?}", event),
                    Act::Reconnect(_) | Act::BackOff(_) | Act::Fail(_) => {
                        session.open();
                        (ready, keys) = (0, 0);
                    }
                }
            }
            prop_assert!(ready <= 1 && keys <= 2, "{} {}", ready, keys);
        }
    }
}
