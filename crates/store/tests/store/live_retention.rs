//! What stays of old sessions of traders.

use walkforward_core::{Cash, SessionId};
use walkforward_store::{
    JournalPosition, LiveEvent, LiveRecord, LiveRow, NewLiveSession, PurgedSessions, Store,
};

use crate::fixture::{Fixture, line, time};

/// More than one transaction removes.
const EVENTS: u64 = 4_500;

fn id(number: usize) -> SessionId {
    format!("session-{number}").parse().unwrap()
}

/// A session of `line` with events, that ended or did not.
fn begin(store: &Store, number: usize, of: &str, events: u64, has_ended: bool) {
    let started_at = time("2024-01-01T00:00:00Z");
    let session = NewLiveSession {
        id: id(number),
        line: line(of),
        symbol: "BTC/USD".parse().unwrap(),
        timeframe: "1h".parse().unwrap(),
        venue: "paper".to_owned(),
        initial_cash: Cash::new(10_000.0).unwrap(),
        started_at,
        first_segment: 1,
    };
    store.begin_live_session(&session).unwrap();
    let row = |record| match has_ended && record > events {
        true => LiveRow::Ended { at: started_at, reason: "feed_ended".to_owned() },
        false => LiveRow::Event(LiveEvent {
            at: started_at,
            kind: "warning".to_owned(),
            details: serde_json::json!({}),
            mode: None,
        }),
    };
    let record = |record| LiveRecord { at: JournalPosition { segment: 1, record }, row: row(record) };
    let records: Vec<_> = (1..=events + u64::from(has_ended)).map(record).collect();
    for batch in records.chunks(walkforward_store::MAX_LIVE_BATCH) {
        store.project(&id(number), batch).unwrap();
    }
}

fn events(store: &Store, number: usize) -> usize {
    store.live_events(&id(number), 0, 1_000).unwrap().len()
}

#[test]
fn of_a_line_the_newest_sessions_keep_their_rows_and_the_others_what_they_came_to() {
    let store = Fixture::new().open();
    begin(&store, 1, "btc", EVENTS, true);
    begin(&store, 2, "btc", 7, false);
    begin(&store, 3, "eth", 7, true);
    for number in 4..=6 {
        begin(&store, number, "btc", 7, true);
    }
    assert_eq!(store.purge_sessions(4).unwrap(), PurgedSessions::default());
    let expected = PurgedSessions { sessions: vec![id(1), id(4)], rows: EVENTS + 7 };
    let before: Vec<_> = store.live_sessions(None, None, 10).unwrap();
    assert_eq!(store.old_sessions(2).unwrap(), expected);
    assert_eq!(events(&store, 4), 7, "it only looked");
    assert_eq!(store.purge_sessions(2).unwrap(), expected);
    // One that has not ended is not displaced by those that have, nor by another line's.
    assert_eq!([1, 2, 3, 4, 5, 6].map(|number| events(&store, number)), [0, 7, 7, 0, 7, 7]);
    assert_eq!(store.live_sessions(None, None, 10).unwrap(), before);
    assert_eq!(store.purge_sessions(2).unwrap(), PurgedSessions::default());
}

#[test]
fn a_purged_session_that_goes_on_is_carried_over_from_where_it_was() {
    let store = Fixture::new().open();
    begin(&store, 1, "btc", 7, true);
    begin(&store, 2, "btc", 7, true);
    store.purge_sessions(1).unwrap();
    let last = store.live_session(&id(1)).unwrap().position_in_journal;
    let resumed =
        LiveRecord { at: JournalPosition { record: last.record + 1, ..last }, row: LiveRow::Resumed };
    store.project(&id(1), &[resumed]).unwrap();
    begin(&store, 3, "btc", 7, true);
    // What was carried over before the purge is not taken again.
    assert_eq!((events(&store, 1), store.live_session(&id(1)).unwrap().events), (0, 7));
    assert!(store.live_session(&id(1)).unwrap().ended_at.is_none());
    assert_eq!(store.old_sessions(1).unwrap().sessions, [id(2)]);
}
