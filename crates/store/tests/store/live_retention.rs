//! What stays of old sessions of traders.

use std::time::Duration;

use walkforward_core::{Cash, Price, Quantity, SessionId, TradingMode};
use walkforward_store::{
    JournalPosition, LiveBar, LiveEvent, LiveRecord, LiveRow, NewLiveSession, PurgedSessions, Store,
};

use crate::fixture::{Fixture, line, time};

/// More than one transaction removes.
const EVENTS: u64 = 4_500;

fn id(number: usize) -> SessionId {
    format!("session-{number}").parse().unwrap()
}

/// A session of `line` with events, that ended or did not.
fn begin(store: &Store, number: usize, of: &str, events: u64, has_ended: bool) {
    begin_at("paper", store, number, of, events, has_ended);
}

/// The same, whose orders go to `venue`.
fn begin_at(venue: &str, store: &Store, number: usize, of: &str, events: u64, has_ended: bool) {
    let started_at = time("2024-01-01T00:00:00Z");
    let session = NewLiveSession {
        id: id(number),
        line: line(of),
        symbol: "BTC/USD".parse().unwrap(),
        timeframe: "1h".parse().unwrap(),
        venue: venue.to_owned(),
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

/// A bar of hour `hour` at whose end a session holds `position`, as its next record.
fn bar(store: &Store, number: usize, hour: i64, position: i64) {
    let last = store.live_session(&id(number)).unwrap().position_in_journal;
    let row = LiveRow::Bar {
        fills: Vec::new(),
        bar: LiveBar {
            open_time: time("2024-01-01T00:00:00Z").plus_millis(hour * 3_600_000),
            close: Price::new(40_000.0).unwrap(),
            candle: None,
            missed: false,
            action: None,
            model_version: None,
            equity: Cash::new(10_000.0).unwrap(),
            cash: Cash::new(10_000.0).unwrap(),
            position: Quantity::from_nanos(position),
            mode: TradingMode::Active,
        },
    };
    store
        .project(&id(number), &[LiveRecord { at: JournalPosition { record: last.record + 1, ..last }, row }])
        .unwrap();
}

#[test]
fn a_session_that_may_still_run_keeps_its_rows_however_many_came_after_it() {
    let fixture = Fixture::new();
    let store = fixture.open();
    begin_at("alpaca", &store, 1, "btc", 7, false);
    begin(&store, 2, "btc", 7, false);
    begin(&store, 3, "btc", 7, false);
    // It was stopped for a while and goes on.
    begin_at("alpaca", &store, 4, "btc", 7, true);
    for number in 5..=7 {
        begin(&store, number, "btc", 7, number == 7);
    }
    assert_eq!(store.old_sessions(1).unwrap(), PurgedSessions::default(), "all of them began lately");
    bar(&store, 1, 29 * 24, 0);
    bar(&store, 2, 5, 1_000);
    bar(&store, 3, 5, 0);
    fixture.wait(Duration::from_secs(31 * 86_400));
    // One trades, one holds a position; the others were killed, or have ended, a month ago.
    assert_eq!(store.old_sessions(1).unwrap().sessions, [id(3), id(4), id(5)]);
    fixture.wait(Duration::from_secs(29 * 86_400));
    assert_eq!(store.purge_sessions(1).unwrap().sessions, [id(1), id(3), id(4), id(5)]);
    assert_eq!([2, 6, 7].map(|number| events(&store, number)), [7; 3]);
}
