//! What was done to a session is among the acts once, however its journal is carried over.

use serde_json::json;
use walkforward_core::Cash;
use walkforward_store::{
    Act, JournalPosition, LiveEvent, LiveRecord, LiveRow, NewAct, NewLiveSession, Store, StoreError,
};

use crate::fixture::{Fixture, line, time};

fn session() -> NewLiveSession {
    NewLiveSession {
        id: "btc-1".parse().unwrap(),
        line: line("btc"),
        symbol: "BTC/USD".parse().unwrap(),
        timeframe: "1h".parse().unwrap(),
        venue: "paper".to_owned(),
        initial_cash: Cash::new(10_000.0).unwrap(),
        started_at: time("2024-01-01T00:00:00Z"),
        first_segment: 1,
    }
}

fn act(reason: &str) -> NewAct {
    NewAct {
        actor: "trader:signal".to_owned(),
        act: "session.halt".to_owned(),
        subject: "btc-1".to_owned(),
        reason: reason.to_owned(),
        details: json!({ "flatten": false }),
    }
}

fn record(number: u64, act: NewAct) -> LiveRecord {
    let (at, details) = (time("2024-01-01T01:00:00Z"), json!({ "number": number }));
    let event = LiveEvent { at, kind: "command".to_owned(), details, mode: None };
    let row = LiveRow::Act { event, act: Box::new(act) };
    LiveRecord { at: JournalPosition { segment: 1, record: number }, row }
}

fn records(count: u64) -> Vec<LiveRecord> {
    (1..=count).map(|number| record(number, act(&format!("number {number}")))).collect()
}

fn reasons(store: &Store) -> Vec<String> {
    store.acts_after(0, 100).unwrap().into_iter().map(|act| act.reason).collect()
}

#[test]
fn however_a_journal_is_cut_each_act_is_written_down_once_and_in_one_chain() {
    let fixture = Fixture::new();
    let (store, session) = (fixture.open(), session());
    store.begin_live_session(&session).unwrap();
    let records = records(6);
    store.project(&session.id, &records[..3]).unwrap();
    let between = store.record_act(&act("over the interface")).unwrap();
    // Another process begins where it thinks that the tables are.
    store.project(&session.id, &records[..5]).unwrap();
    fixture.open().project(&session.id, &records).unwrap();
    let expected =
        ["number 1", "number 2", "number 3", "over the interface", "number 4", "number 5", "number 6"];
    assert_eq!(reasons(&store), expected);
    let acts: Vec<Act> = store.acts_after(0, 100).unwrap();
    assert_eq!((acts[3].clone(), acts[4].previous.clone()), (between.clone(), between.hash));
    let check = store.check_acts().unwrap();
    assert_eq!((check.acts, check.broken), (7, None));
    assert_eq!(store.live_session(&session.id).unwrap().events, 6);
}

#[test]
fn an_act_that_can_t_be_kept_keeps_its_whole_batch_out() {
    let fixture = Fixture::new();
    let (store, session) = (fixture.open(), session());
    store.begin_live_session(&session).unwrap();
    let unnamed = NewAct { actor: String::new(), ..act("x") };
    let refused = store.project(&session.id, &[record(1, act("fine")), record(2, unnamed)]);
    assert!(matches!(refused, Err(StoreError::RefusedRow { .. })), "{refused:?}");
    assert!(reasons(&store).is_empty());
    assert_eq!(store.live_session(&session.id).unwrap().events, 0);
}
