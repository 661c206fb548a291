//! Every message reads back as it was written, and no line is more than refused.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::control::{LoadedModel, Reason, SessionEvent, SessionRestriction, TradingMode};
use crate::{Action, Bar, Cash, Fill, Order, OrderSize, Price, Quantity, Side, Timestamp};

fn reason() -> impl Strategy<Value = Reason> {
    "\\PC{1,40}|\\PC{500}".prop_map(|text| Reason::cut(&text))
}

fn command() -> impl Strategy<Value = ControlCommand> {
    prop_oneof![
        Just(ControlCommand::Status {}),
        reason().prop_map(|reason| ControlCommand::Pause { reason }),
        prop::option::of(reason()).prop_map(|acknowledge| ControlCommand::Resume { acknowledge }),
        Just(ControlCommand::Stop {}),
        (reason(), any::<bool>()).prop_map(|(reason, flatten)| ControlCommand::Kill { reason, flatten }),
        reason().prop_map(|reason| ControlCommand::ReduceOnly { reason }),
        Just(ControlCommand::Reload {}),
        prop::option::of(any::<u64>()).prop_map(|after| ControlCommand::Subscribe { after }),
    ]
}

fn asker() -> impl Strategy<Value = Asker> {
    prop_oneof![Just(Asker::Command), Just(Asker::Interface), Just(Asker::Program)]
}

fn time() -> impl Strategy<Value = Timestamp> {
    (0..4_000_000_000_000_i64).prop_map(|millis| Timestamp::from_millis(millis).unwrap())
}

fn cash() -> impl Strategy<Value = Cash> {
    (prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL | prop::num::f64::ZERO)
        .prop_map(|value| Cash::new(value).unwrap())
}

fn quantity() -> impl Strategy<Value = Quantity> {
    any::<i64>().prop_map(Quantity::from_nanos)
}

fn mode() -> impl Strategy<Value = TradingMode> {
    prop_oneof![Just(TradingMode::Active), Just(TradingMode::ReduceOnly), Just(TradingMode::Halted)]
}

fn model() -> impl Strategy<Value = LoadedModel> {
    (any::<u64>(), prop::option::of(time()), prop::option::of(time())).prop_map(
        |(model_version, trained_until, confirmed_at)| LoadedModel {
            model_id: "model-2024-01-01T00-00-00-000Z".parse().unwrap(),
            sha256: "ab".repeat(32),
            model_version,
            grade: (model_version % 2 == 0).then_some(crate::Grade::Screened),
            trained_until,
            confirmed_at,
        },
    )
}

fn status() -> impl Strategy<Value = SessionStatus> {
    let restriction = (reason(), time(), prop::option::of(time()), any::<bool>()).prop_map(
        |(reason, since, until, needs_acknowledgement)| SessionRestriction {
            reason,
            since,
            until,
            needs_acknowledgement,
        },
    );
    let figures = (cash(), cash(), quantity(), cash());
    let states = (mode(), prop::option::of(restriction), prop::option::of(model()), any::<bool>());
    let counts = (any::<u64>(), any::<u64>(), any::<u32>(), any::<u64>());
    let times = (time(), prop::option::of(time()), prop::option::of(time()));
    (figures, states, counts, times).prop_map(|(figures, states, counts, times)| SessionStatus {
        session: "btc-2024-01-01T00-00-00-000Z".parse().unwrap(),
        line: "btc".parse().unwrap(),
        symbol: "BTC/USD".parse().unwrap(),
        timeframe: "1h".parse().unwrap(),
        venue: "paper".to_owned(),
        started_at: times.0,
        mode: states.0,
        restriction: states.1,
        bars: counts.0,
        missed: counts.1,
        last_bar: times.1,
        equity: figures.0,
        cash: figures.1,
        position: figures.2,
        position_value: figures.3,
        model: states.2,
        open_orders: counts.2,
        is_feed_up: states.3,
        last_data_at: times.2,
        last_event: counts.3,
    })
}

fn bar_event() -> impl Strategy<Value = SessionEvent> {
    (time(), 1e-3..1e6_f64, cash(), quantity(), any::<bool>()).prop_map(
        |(at, price, equity, position, missed)| {
            let bar = Bar::new(at, price, price * 1.5, price, price * 1.25, 0.1).unwrap();
            let size = OrderSize::Quantity(position);
            let order = Order { side: Side::Sell, size, decided_at: at };
            SessionEvent::Bar { bar, missed, action: Some(Action(1)), order: Some(order), equity, position }
        },
    )
}

fn fill_event() -> impl Strategy<Value = SessionEvent> {
    (time(), 1e-3..1e6_f64, cash(), quantity()).prop_map(|(time, price, fee_cash, quantity)| {
        let price = Price::new(price).unwrap();
        let fill =
            Fill { time, side: Side::Buy, quantity, price, fee_quantity: Quantity::from_nanos(1), fee_cash };
        SessionEvent::Fill { fill }
    })
}

fn event() -> impl Strategy<Value = SessionEvent> {
    prop_oneof![
        bar_event(),
        fill_event(),
        model().prop_map(|to| SessionEvent::ModelLoaded { from: Some(to.model_id.clone()), to }),
        reason().prop_map(|reason| SessionEvent::ModelRefused { model_id: None, reason }),
        (mode(), reason()).prop_map(|(mode, reason)| SessionEvent::Mode { mode, reason }),
        prop::option::of(reason()).prop_map(|reason| SessionEvent::Feed { is_up: reason.is_none(), reason }),
        reason().prop_map(|reason| SessionEvent::Warning { reason }),
        reason().prop_map(|reason| SessionEvent::Ended { reason }),
    ]
}

fn reply() -> impl Strategy<Value = ControlReply> {
    prop_oneof![
        (any::<u64>(), status())
            .prop_map(|(id, status)| ControlReply::Status { id, status: Box::new(status) }),
        (any::<u64>(), ".{0,200}").prop_map(|(id, reason)| ControlReply::Refused {
            id,
            kind: ErrorKind::Retry,
            reason
        }),
        (any::<u64>(), time(), event())
            .prop_map(|(seq, at, event)| ControlReply::Event(Box::new(NumberedEvent { seq, at, event }))),
    ]
}

proptest! {
    #[test]
    fn a_request_reads_back_as_written(id in any::<u64>(), by in asker(), command in command()) {
        let request = ControlRequest { id, by, command };
        let line = request.to_line().unwrap();
        prop_assert!(line.ends_with(b"\n") && !line[..line.len() - 1].contains(&b'\n'));
        prop_assert_eq!(ControlRequest::from_line(&line).unwrap(), request.clone());
        prop_assert_eq!(ControlRequest::from_line(&line[..line.len() - 1]).unwrap(), request);
    }

    #[test]
    fn a_reply_reads_back_as_written(reply in reply()) {
        let line = reply.to_line().unwrap();
        prop_assert!(line.ends_with(b"\n") && !line[..line.len() - 1].contains(&b'\n'));
        prop_assert_eq!(ControlReply::from_line(&line).unwrap(), reply);
    }

    #[test]
    fn no_bytes_are_more_than_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(ControlRequest::from_line(&bytes).is_err());
        prop_assert!(ControlReply::from_line(&bytes).is_err());
    }
}

#[test]
fn every_verb_has_its_word() {
    let check = |line: &str, expected: ControlCommand| {
        let read = ControlRequest::from_line(line.as_bytes()).unwrap();
        assert_eq!(read, ControlRequest { id: 0, by: Asker::Program, command: expected }, "{line}");
    };
    let reason = || Reason::cut("news");
    check(r#"{"command":"status"}"#, ControlCommand::Status {});
    check(r#"{"command":"pause","reason":"news"}"#, ControlCommand::Pause { reason: reason() });
    check(r#"{"command":"resume"}"#, ControlCommand::Resume { acknowledge: None });
    let acknowledged = ControlCommand::Resume { acknowledge: Some(reason()) };
    check(r#"{"command":"resume","acknowledge":"news"}"#, acknowledged);
    check(r#"{"command":"stop"}"#, ControlCommand::Stop {});
    let kill = ControlCommand::Kill { reason: reason(), flatten: true };
    check(r#"{"command":"kill","reason":"news","flatten":true}"#, kill);
    check(r#"{"command":"reduce_only","reason":"news"}"#, ControlCommand::ReduceOnly { reason: reason() });
    check(r#"{"command":"reload"}"#, ControlCommand::Reload {});
    check(r#"{"command":"subscribe","after":9}"#, ControlCommand::Subscribe { after: Some(9) });
}

#[test]
fn what_is_no_request_is_refused_with_its_reason() {
    let refused = |line: &str| ControlRequest::from_line(line.as_bytes()).unwrap_err().to_string();
    assert!(refused(r#"{"command":"dance"}"#).contains("unknown variant `dance`"));
    assert!(refused(r#"{"command":"kill","reason":"x"}"#).contains("missing field `flatten`"));
    assert!(
        refused(r#"{"command":"kill","reason":"","flatten":true}"#).contains("expected a line of 1 to 500")
    );
    assert!(refused(r#"{"command":"status","now":true}"#).contains("unknown field `now`"));
    assert!(refused(r#"{"command":"stop","reason":"x"}"#).contains("unknown field `reason`"));
    assert!(refused(r#"{"id":-1,"command":"status"}"#).contains("invalid value"));
    assert!(refused("{\"command\":\n\"status\"}").contains("more than one line"));
    assert!(refused("").contains("no request to a session"));
    assert!(refused(&format!("{{\"command\":{}", "[".repeat(10_000))).contains("recursion limit"));
    let long = format!(r#"{{"command":"status"{}}}"#, " ".repeat(MAX_CONTROL_LINE_BYTES));
    assert!(matches!(ControlRequest::from_line(long.as_bytes()), Err(ControlError::TooLong { .. })));
}

#[test]
fn a_reply_that_would_not_fit_is_not_sent() {
    let reason = "x".repeat(MAX_CONTROL_LINE_BYTES);
    let reply = ControlReply::Refused { id: 1, kind: ErrorKind::BadInput, reason };
    assert!(matches!(reply.to_line(), Err(ControlError::TooLong { .. })));
}

#[test]
fn an_event_of_a_newer_version_is_read_as_another() {
    let line = json!({
        "type": "event", "seq": 3, "at": "2024-01-01T00:00:00.000Z", "more": 1,
        "event": { "kind": "teleported", "to": "mars" },
    });
    let reply = ControlReply::from_line(line.to_string().as_bytes()).unwrap();
    let ControlReply::Event(numbered) = reply else { panic!("an event") };
    assert_eq!((numbered.seq, numbered.event), (3, SessionEvent::Other));
}
