//! The trading stream, message by message, without a socket.

use proptest::prelude::*;
use walkforward_core::{OrderOrigin, OrderStatus};

use super::*;

const AUTHORIZED: &str =
    r#"{"stream":"authorization","data":{"status":"authorized","action":"authenticate"}}"#;
const UNAUTHORIZED: &str =
    r#"{"stream":"authorization","data":{"status":"unauthorized","message":"verysecretvalue failed"}}"#;
const LISTENING: &str = r#"{"stream":"listening","data":{"streams":["trade_updates"]}}"#;
const FILL: &str = r#"{"stream":"trade_updates","data":{"event":"fill","execution_id":"2f63ea93",
    "order":{"id":"d6f5","client_order_id":"wf-1","symbol":"BTC/USD","side":"buy","qty":"0.0125","status":"filled",
    "filled_qty":"0.0125","filled_avg_price":"42301.5","updated_at":"2024-01-01T00:01:01Z"},
    "position_qty":"0.01246875","price":"42301.5","qty":"0.0125","timestamp":"2024-01-01T00:01:01.184894716Z"}}"#;

fn btc() -> Symbol {
    "BTC/USD".parse().unwrap()
}

fn session() -> UpdateSession {
    let keys = Keys { id: "PKTESTKEYID".into(), secret: "verysecretvalue".into() };
    UpdateSession::new(btc(), keys, Arc::default())
}

fn sent(acts: &[Act<VenueUpdate>]) -> Value {
    let [Act::Send(text)] = acts else { panic!("{acts:?}") };
    serde_json::from_str(text).unwrap()
}

fn ready() -> UpdateSession {
    let mut session = session();
    let greeting = sent(&session.open());
    let expected =
        json!({"action": "authenticate", "data": {"key_id": "PKTESTKEYID", "secret_key": "verysecretvalue"}});
    assert_eq!(greeting, expected);
    let listen = sent(&session.frame(AUTHORIZED.as_bytes()));
    assert_eq!(listen, json!({"action": "listen", "data": {"streams": ["trade_updates"]}}));
    assert_eq!(session.frame(LISTENING.as_bytes()), [Act::Ready]);
    session
}

#[test]
fn a_fill_is_told_exactly() {
    let acts = ready().frame(FILL.as_bytes());
    let [Act::Event(VenueUpdate::Fill(fill))] = &acts[..] else { panic!("{acts:?}") };
    assert_eq!((fill.execution_id.as_str(), fill.quantity.nanos()), ("2f63ea93", 12_500_000));
    assert_eq!(fill.position_after.map(Quantity::nanos), Some(12_468_750));
    assert_eq!(fill.fee_in_asset(Quantity::ZERO).map(Quantity::nanos), Some(31_250));
    assert_eq!((fill.price.get(), fill.order.status), (42_301.5, OrderStatus::Filled));
    assert_eq!(fill.time.to_string(), "2024-01-01T00:01:01.184Z");
}

#[test]
fn an_order_that_is_not_ours_is_told_as_such() {
    let acts = ready().frame(FILL.replace("wf-1", "d6f5096f-e072").as_bytes());
    let [Act::Event(VenueUpdate::Fill(fill))] = &acts[..] else { panic!("{acts:?}") };
    assert_eq!(fill.order.origin, OrderOrigin::External("d6f5096f-e072".to_owned()));
}

#[test]
fn every_event_without_a_fill_is_the_order_after_it() {
    for event in [
        "new",
        "canceled",
        "expired",
        "done_for_day",
        "replaced",
        "accepted",
        "rejected",
        "pending_new",
        "stopped",
        "pending_cancel",
        "pending_replace",
        "calculated",
        "suspended",
        "order_replace_rejected",
        "order_cancel_rejected",
        "something_new",
    ] {
        let acts = ready().frame(FILL.replace("\"fill\"", &format!("\"{event}\"")).as_bytes());
        let [Act::Event(VenueUpdate::Order(order))] = &acts[..] else { panic!("{event}: {acts:?}") };
        assert_eq!(order.reason.is_some(), event.ends_with("rejected"), "{event}");
    }
    let partial = FILL.replace("\"fill\"", "\"partial_fill\"");
    assert!(matches!(&ready().frame(partial.as_bytes())[..], [Act::Event(VenueUpdate::Fill(_))]));
}

#[test]
fn an_update_that_can_not_be_read_makes_the_owner_ask() {
    for (from, to) in [
        ("\"execution_id\":\"2f63ea93\",", ""),
        ("\"qty\":\"0.0125\",\"timestamp\"", "\"timestamp\""),
        ("\"qty\":\"0.0125\",\"timestamp\"", "\"qty\":\"0.5\",\"timestamp\""),
        ("\"price\":\"42301.5\"", "\"price\":\"0\""),
        ("\"position_qty\":\"0.01246875\"", "\"position_qty\":\"x\""),
        ("\"buy\"", "\"lend\""),
        ("\"order\"", "\"ordre\""),
    ] {
        let text = FILL.replace(from, to);
        assert_ne!(text, FILL, "{from}");
        let acts = ready().frame(text.as_bytes());
        assert!(matches!(&acts[..], [Act::Reconnect(_)]), "{to}: {acts:?}");
    }
}

#[test]
fn keys_are_tried_in_both_spellings_and_then_it_is_over() {
    let mut session = session();
    session.open();
    let second = sent(&session.frame(UNAUTHORIZED.as_bytes()));
    assert_eq!(second, json!({"action": "auth", "key": "PKTESTKEYID", "secret": "verysecretvalue"}));
    let acts = session.frame(UNAUTHORIZED.as_bytes());
    let [Act::Fail(reason)] = &acts[..] else { panic!("{acts:?}") };
    assert!(reason.contains("[key] failed") && !reason.contains("verysecretvalue"), "{reason}");
}

#[test]
fn what_is_not_about_us_is_counted_and_left_out() {
    let mut session = ready();
    assert!(session.frame(FILL.replace("BTC/USD", "ETHUSD").as_bytes()).is_empty());
    assert!(session.frame(br#"{"stream":"weather","data":7}"#).is_empty());
    assert!(session.frame(b"[]").is_empty());
    assert!(session.frame(&[0xFF, 0x00]).is_empty());
    let figures = session.counters.figures();
    assert_eq!((figures.foreign, figures.unknown, figures.garbage), (1, 1, 2));
    assert!(session.frame(LISTENING.as_bytes()).is_empty(), "up is told once");
    let lost = session.frame(br#"{"stream":"listening","data":{"streams":[]}}"#);
    assert!(matches!(&lost[..], [Act::BackOff(_)]), "{lost:?}");
}

proptest! {
    /// Whatever the service says in whatever order, the subscription stands once for each connection, and only after the
    /// keys were taken.
    #[test]
    fn no_order_of_messages_confuses_the_session(
        frames in proptest::collection::vec(prop_oneof![
            Just(AUTHORIZED), Just(UNAUTHORIZED), Just(LISTENING), Just("garbage"),
            Just(r#"{"stream":"listening","data":{"streams":[]}}"#), Just(r#"{"stream":"weather"}"#),
        ], 0..40)
    ) {
        let mut session = session();
        session.open();
        let (mut ready, mut is_taken) = (0, false);
        for frame in frames {
            is_taken |= frame == AUTHORIZED;
            for act in session.frame(frame.as_bytes()) {
                match act {
                    Act::Ready => {
                        ready += 1;
                        prop_assert!(is_taken && ready == 1);
                    }
                    Act::Reconnect(_) | Act::BackOff(_) | Act::Fail(_) => {
                        session.open();
                        (ready, is_taken) = (0, false);
                    }
                    Act::Send(_) | Act::Event(_) => {}
                }
            }
        }
    }

    #[test]
    fn no_bytes_panic(bytes: Vec<u8>) {
        drop(parse_trade_frame(&bytes, &btc()));
    }

    #[test]
    fn no_json_panics(rest in r#"[\[\]{}:,"a-z_0-9.]{0,60}"#) {
        drop(parse_trade_frame(format!(r#"{{"stream":"trade_updates","data":{{{rest}}}}}"#).as_bytes(), &btc()));
    }
}
