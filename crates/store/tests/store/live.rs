//! Sessions of traders: a journal carried over in any cut, over failures, by several at once, is carried over once.

use std::sync::Arc;

use proptest::prelude::*;
use rusqlite::Connection;
use rusqlite::types::Value as Sql;
use serde_json::json;
use walkforward_core::{Action, Cash, Fill, Price, Quantity, SessionId, Side, Timestamp, TradingMode};
use walkforward_store::{
    JOURNAL_GAP, JournalPosition, LiveBar, LiveCandle, LiveEvent, LiveFill, LiveModel, LiveRecord, LiveRow,
    LiveSwap, MAX_LIVE_BARS, MAX_LIVE_BATCH, MAX_LIVE_EVENTS, MAX_RECORD_FILLS, NewLiveSession, Store,
    StoreError,
};

use crate::fixture::{Fixture, Switch, line, time};

const TABLES: [&str; 6] = ["live_sessions", "live_bars", "live_fills", "live_swaps", "live_events", "events"];

fn id() -> SessionId {
    "btc-1".parse().unwrap()
}

fn session() -> NewLiveSession {
    NewLiveSession {
        id: id(),
        line: line("btc"),
        symbol: "BTC/USD".parse().unwrap(),
        timeframe: "1h".parse().unwrap(),
        venue: "paper".to_owned(),
        initial_cash: Cash::new(10_000.0).unwrap(),
        started_at: time("2024-01-01T00:00:00Z"),
        first_segment: 1,
    }
}

fn at(record: u64) -> Timestamp {
    time("2024-01-01T00:00:00Z").plus_millis(record as i64 * 3_600_000)
}

fn cash(value: f64) -> Cash {
    Cash::new(value).unwrap()
}

fn fill(number: u64) -> LiveFill {
    let fill = Fill {
        time: at(number),
        side: if number.is_multiple_of(2) { Side::Buy } else { Side::Sell },
        quantity: Quantity::from_nanos(1 + number as i64),
        price: Price::new(100.0 + number as f64 / 7.0).unwrap(),
        fee_quantity: Quantity::from_nanos((number % 3) as i64),
        fee_cash: cash(number as f64 / 3.0),
    };
    let expected_price = number.is_multiple_of(3).then(|| Price::new(99.5).unwrap());
    let order_id = number.is_multiple_of(5).then(|| format!("wf-{number:020}"));
    LiveFill { fill, expected_price, order_id, model_version: number.checked_sub(3) }
}

fn bar(number: u64) -> LiveBar {
    LiveBar {
        open_time: at(number),
        close: Price::new(100.0 + (number % 13) as f64).unwrap(),
        candle: (!number.is_multiple_of(7)).then(|| candle(number)),
        missed: number.is_multiple_of(11),
        action: number.is_multiple_of(2).then_some(Action((number % 3) as u8)),
        model_version: Some(number / 50),
        equity: cash(10_000.0 + 100.0 * (number as f64 * 0.37).sin()),
        cash: cash(number as f64 / 3.0),
        position: Quantity::from_nanos(number as i64 - 5),
        mode: if number.is_multiple_of(17) { TradingMode::ReduceOnly } else { TradingMode::Active },
    }
}

fn candle(number: u64) -> LiveCandle {
    let price = |value: f64| Price::new(100.0 + (number % 13) as f64 + value).unwrap();
    LiveCandle { open: price(0.25), high: price(1.0), low: price(-1.0), volume: number as f64 / 7.0 }
}

fn swap(number: u64) -> LiveSwap {
    let model_id = |number: u64| format!("model-2024-01-01T00-00-00-{:03}Z", number % 1_000).parse().unwrap();
    LiveSwap {
        at: at(number),
        from: number.checked_sub(40).map(model_id),
        model: LiveModel { model_id: model_id(number), sha256: "ab".repeat(32), model_version: number },
        position: Quantity::from_nanos(7),
    }
}

fn event(number: u64) -> LiveEvent {
    let mode = number.is_multiple_of(2).then_some(TradingMode::Halted);
    LiveEvent { at: at(number), kind: "feed_down".to_owned(), details: json!({ "n": number }), mode }
}

fn row(number: u64) -> LiveRow {
    match number % 20 {
        0 => LiveRow::Swap(swap(number)),
        1 => LiveRow::Nothing,
        2 => LiveRow::Event(event(number)),
        3 => LiveRow::Fill(fill(number)),
        4 => LiveRow::Ended { at: at(number), reason: "asked to".to_owned() },
        5 => LiveRow::Resumed,
        kind => LiveRow::Bar { bar: bar(number), fills: (10..kind).step_by(4).map(fill).collect() },
    }
}

/// A journal of segments of these lengths; the numbers of segments that are left out are skipped.
fn journal(lengths: &[u64]) -> Vec<LiveRecord> {
    let mut number = 0;
    let mut records = Vec::new();
    for (segment, &length) in lengths.iter().enumerate() {
        for record in 1..=length {
            number += 1;
            let at = JournalPosition { segment: segment as u64 + 1, record };
            records.push(LiveRecord { at, row: row(number) });
        }
    }
    records
}

/// All rows of all tables.
fn dump(fixture: &Fixture) -> Vec<(&'static str, Vec<Vec<Sql>>)> {
    let db = Connection::open(fixture.data_dir().join("walkforward.db")).unwrap();
    let rows = |table: &str| -> Vec<Vec<Sql>> {
        let mut query = db.prepare(&format!("SELECT * FROM {table} ORDER BY 1, 2")).unwrap();
        let columns = query.column_count();
        let rows = query.query_map([], |row| (0..columns).map(|column| row.get(column)).collect());
        rows.unwrap().collect::<Result<_, _>>().unwrap()
    };
    TABLES.map(|table| (table, rows(table))).to_vec()
}

fn carried_over(records: &[LiveRecord]) -> (Fixture, Store) {
    let fixture = Fixture::new();
    let store = fixture.open();
    assert_eq!(store.begin_live_session(&session()).unwrap(), JournalPosition::before(1));
    for batch in records.chunks(MAX_LIVE_BATCH) {
        store.project(&id(), batch).unwrap();
    }
    (fixture, store)
}

fn refusal(result: Result<JournalPosition, StoreError>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn rows_read_back_as_they_were_carried_over() {
    let records = journal(&[70, 50]);
    let (_fixture, store) = carried_over(&records);
    let (mut bars, mut fills, mut swaps, mut events) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for LiveRecord { row, .. } in &records {
        match row {
            LiveRow::Bar { bar, fills: of_bar } => {
                bars.push(*bar);
                fills.extend(of_bar.clone());
            }
            LiveRow::Fill(fill) => fills.push(fill.clone()),
            LiveRow::Swap(swap) => swaps.push(swap.clone()),
            LiveRow::Event(event) => events.push(event.clone()),
            _ => {}
        }
    }
    let found = store.live_session(&id()).unwrap();
    assert_eq!(found.began, session());
    assert_eq!(found.position_in_journal, JournalPosition { segment: 2, record: 50 });
    let counts = (found.bars, found.fills, found.swaps, found.events);
    assert_eq!(counts, (bars.len() as u64, fills.len() as u64, swaps.len() as u64, events.len() as u64));
    assert_eq!(found.missed, bars.iter().filter(|bar| bar.missed).count() as u64);
    assert_eq!(found.model.as_ref(), swaps.last().map(|swap| &swap.model));
    let last = bars.last().unwrap();
    assert_eq!((found.equity, found.cash, found.position), (last.equity, last.cash, last.position));
    let fees: f64 = fills.iter().map(|fill| fill.fill.fee_in_quote()).sum();
    assert!((found.fees.get() - fees).abs() < 1e-9 && found.max_drawdown > 0.0);
    let read = store.live_bars(&id(), 0, 1_000).unwrap();
    assert_eq!(read.iter().map(|bar| bar.row).collect::<Vec<_>>(), bars);
    let read = store.live_fills(&id(), 0, 1_000).unwrap();
    assert_eq!(read.into_iter().map(|fill| fill.row).collect::<Vec<_>>(), fills);
    let read = store.live_swaps(&id(), 0, 1_000).unwrap();
    assert_eq!(read.into_iter().map(|swap| swap.row).collect::<Vec<_>>(), swaps);
    let read = store.live_events(&id(), 0, 1_000).unwrap();
    assert_eq!(read.into_iter().map(|event| event.row).collect::<Vec<_>>(), events);
    let published = store.events_after(0, 1_000).unwrap();
    assert_eq!(published.len(), swaps.len());
    assert_eq!(published[0].kind, "live_model_updated");
    assert_eq!(published[0].payload["session_id"], "btc-1");
}

#[test]
fn pages_go_on_where_the_last_one_ended() {
    let (_fixture, store) = carried_over(&journal(&[100]));
    let all = store.live_bars(&id(), 0, u32::MAX).unwrap();
    let (mut paged, mut after) = (Vec::new(), 0);
    loop {
        let page = store.live_bars(&id(), after, 7).unwrap();
        let Some(last) = page.last() else { break };
        after = last.number;
        assert!(page.len() <= 7);
        paged.extend(page);
    }
    assert_eq!(paged, all);
    assert_eq!(
        all.iter().map(|bar| bar.number).collect::<Vec<_>>(),
        (1..=all.len() as u64).collect::<Vec<_>>()
    );
    for number in 2..=5 {
        let other =
            NewLiveSession { id: format!("eth-{number}").parse().unwrap(), line: line("eth"), ..session() };
        store.begin_live_session(&other).unwrap();
    }
    let numbers = |line: Option<&_>, before, limit| -> Vec<u64> {
        store.live_sessions(line, before, limit).unwrap().iter().map(|it| it.number).collect()
    };
    assert_eq!(numbers(None, None, 3), [5, 4, 3]);
    assert_eq!(numbers(None, Some(3), 10), [2, 1]);
    assert_eq!(numbers(Some(&line("eth")), None, 10), [5, 4, 3, 2]);
    assert_eq!(numbers(Some(&line("btc")), None, 10), [1]);
}

#[test]
fn a_session_is_taken_in_once_and_is_no_other() {
    let (_fixture, store) = carried_over(&journal(&[9]));
    assert_eq!(store.begin_live_session(&session()).unwrap(), JournalPosition { segment: 1, record: 9 });
    let other = NewLiveSession { line: line("eth"), ..session() };
    assert!(refusal(store.begin_live_session(&other)).contains("another session of this name"));
    let nowhere = NewLiveSession { id: "x".parse().unwrap(), venue: " ".to_owned(), ..session() };
    assert!(refusal(store.begin_live_session(&nowhere)).contains("expected 1 to 200 bytes"));
    let nothing = NewLiveSession { id: "x".parse().unwrap(), first_segment: 0, ..session() };
    assert!(refusal(store.begin_live_session(&nothing)).contains("count from 1"));
    let unknown: SessionId = "nobody".parse().unwrap();
    assert!(refusal(store.project(&unknown, &[])).contains("there is no such session"));
    assert!(store.live_bars(&unknown, 0, 1).is_err() && store.live_session(&unknown).is_err());
}

#[test]
fn what_is_missing_out_of_order_or_too_much_is_refused_and_nothing_is_written() {
    let records = journal(&[20, 5]);
    let (fixture, store) = carried_over(&records[..10]);
    let before = dump(&fixture);
    let check = |records: &[LiveRecord], expected: &str| {
        let error = refusal(store.project(&id(), records));
        assert!(error.contains(expected), "{error}");
    };
    check(&records[11..], "record 12 of segment 1 comes after record 10 of segment 1");
    check(&[records[10].clone(), records[12].clone()], "record 13 of segment 1 comes after record 11");
    check(&[records[11].clone(), records[10].clone()], "record 11 of segment 1 comes after record 12");
    check(&records[21..], "record 2 of segment 2 comes after record 10 of segment 1");
    check(&vec![records[10].clone(); MAX_LIVE_BATCH + 1], "at most 1000");
    let one = |row| [LiveRecord { at: records[10].at, row }];
    let fills = vec![fill(1); MAX_RECORD_FILLS + 1];
    check(&one(LiveRow::Bar { bar: bar(1), fills }), "at most 64");
    check(&one(LiveRow::Fill(LiveFill { order_id: Some("x".repeat(129)), ..fill(1) })), "expected 1 to 128");
    let model = LiveModel { sha256: "AB".repeat(32), ..swap(1).model };
    check(&one(LiveRow::Swap(LiveSwap { model, ..swap(1) })), "64 lower-case hex digits");
    check(&one(LiveRow::Event(LiveEvent { kind: "Feed Down".to_owned(), ..event(1) })), "lower-case letters");
    check(&one(LiveRow::Event(LiveEvent { details: json!([]), ..event(1) })), "no JSON object");
    let details = json!({ "text": "x".repeat(70_000) });
    check(&one(LiveRow::Event(LiveEvent { details, ..event(1) })), "bytes");
    // The head row of a batch that is refused is not touched either.
    check(
        &[
            records[10].clone(),
            LiveRecord {
                at: records[11].at,
                row: LiveRow::Event(LiveEvent { kind: String::new(), ..event(1) }),
            },
        ],
        "event",
    );
    assert_eq!(dump(&fixture), before);
}

#[test]
fn segments_that_are_gone_leave_a_gap_that_is_told() {
    let records = journal(&[4, 4, 4, 4]);
    let (_fixture, store) = carried_over(&records[..3]);
    // The rest of the first segment and all of the second one were removed before they were carried over.
    assert_eq!(store.project(&id(), &records[8..]).unwrap(), JournalPosition { segment: 4, record: 4 });
    let events = store.live_events(&id(), 0, 10).unwrap();
    let gaps: Vec<_> = events.iter().filter(|event| event.row.kind == JOURNAL_GAP).collect();
    assert_eq!(gaps.len(), 1);
    assert_eq!(gaps[0].row.details, json!({ "after_segment": 1, "after_record": 3 }));
    assert_eq!(gaps[0].row.at, session().started_at);
}

#[test]
fn a_session_may_begin_in_the_middle_of_a_folder() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let begun = store.begin_live_session(&NewLiveSession { first_segment: 3, ..session() }).unwrap();
    assert_eq!(begun, JournalPosition { segment: 2, record: 0 });
    let record =
        |segment, record| LiveRecord { at: JournalPosition { segment, record }, row: LiveRow::Resumed };
    assert!(refusal(store.project(&id(), &[record(2, 1)])).contains("record 1 of segment 2 comes after"));
    store.project(&id(), &[record(3, 1), record(3, 2)]).unwrap();
    assert_eq!(store.live_session(&id()).unwrap().events, 0, "no gap");
}

#[test]
fn an_end_is_taken_back_when_the_session_goes_on() {
    let records = journal(&[5]);
    let (_fixture, store) = carried_over(&records[..4]);
    let ended = store.live_session(&id()).unwrap();
    assert_eq!((ended.ended_at, ended.end_reason.as_deref()), (Some(at(4)), Some("asked to")));
    store.project(&id(), &records).unwrap();
    assert_eq!(store.live_session(&id()).unwrap().ended_at, None);
}

#[test]
fn of_many_bars_and_events_a_bounded_number_is_kept() {
    let bars = MAX_LIVE_BARS + 2;
    let events = MAX_LIVE_EVENTS + 5;
    let record = |number: u64| LiveRecord {
        at: JournalPosition { segment: 1, record: number },
        row: match number <= bars {
            true => LiveRow::Bar { bar: bar(number), fills: Vec::new() },
            false => LiveRow::Event(event(number)),
        },
    };
    let records: Vec<LiveRecord> = (1..=bars + events).map(record).collect();
    let (fixture, store) = carried_over(&records);
    let found = store.live_session(&id()).unwrap();
    assert_eq!((found.bars, found.events), (bars, events));
    let db = Connection::open(fixture.data_dir().join("walkforward.db")).unwrap();
    let count = |table: &str| -> i64 {
        db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
    };
    assert_eq!(
        (count("live_bars"), count("live_events")),
        (MAX_LIVE_BARS as i64 / 2 + 1, MAX_LIVE_EVENTS as i64)
    );
    let first: Vec<u64> = store.live_bars(&id(), 0, 3).unwrap().iter().map(|bar| bar.number).collect();
    assert_eq!(first, [1, 3, 5]);
    assert_eq!(store.live_events(&id(), 0, 1).unwrap()[0].number, 6);
}

/// Carries a journal over in batches whose first ends at `cut`, with the failure of step `step`; goes on as a task that is
/// started again would. Whether there was such a step.
fn fails_at(records: &[LiveRecord], cut: usize, step: i64, is_lasting: bool) -> (Fixture, bool) {
    let fixture = Fixture::new();
    let switch = Arc::new(Switch::default());
    let store = fixture.try_open(switch.files()).unwrap();
    switch.arm(step, is_lasting);
    let run = |store: &Store| -> Result<(), StoreError> {
        let mut position = store.begin_live_session(&session())?;
        for until in [cut, records.len()] {
            let new = records[..until].iter().filter(|record| record.at > position).cloned();
            position = store.project(&id(), &new.collect::<Vec<_>>())?;
        }
        Ok(())
    };
    let failed = run(&store).is_err();
    assert_eq!(failed, switch.has_failed());
    drop(store);
    run(&fixture.open()).unwrap();
    (fixture, failed)
}

#[test]
fn a_step_that_fails_loses_and_doubles_nothing() {
    let records = journal(&[30, 9]);
    let (whole, _store) = carried_over(&records);
    let expected = dump(&whole);
    for is_lasting in [false, true] {
        let mut steps = 0;
        for step in 0.. {
            let (fixture, failed) = fails_at(&records, 17, step, is_lasting);
            assert_eq!(dump(&fixture), expected, "step {step}");
            if !failed {
                break;
            }
            steps += 1;
        }
        assert!(steps >= 3, "{steps} steps");
    }
}

#[test]
fn two_tasks_that_carry_the_same_journal_over_carry_it_over_once() {
    let records = journal(&[60, 40]);
    let (whole, _store) = carried_over(&records);
    let fixture = Fixture::new();
    drop(fixture.open());
    std::thread::scope(|scope| {
        for size in [3, 7] {
            let (fixture, records) = (&fixture, &records);
            scope.spawn(move || {
                let store = fixture.open();
                store.begin_live_session(&session()).unwrap();
                let mut position = JournalPosition::before(1);
                while let Some(from) = records.iter().position(|record| record.at > position) {
                    let until = (from + size).min(records.len());
                    position = store.project(&id(), &records[from..until]).unwrap();
                    store.record_event("meanwhile", &json!({})).unwrap();
                }
            });
        }
    });
    let live = |fixture: &Fixture| dump(fixture)[..5].to_vec();
    assert_eq!(live(&fixture), live(&whole));
    let store = fixture.open();
    let published = store.events_after(0, 1_000).unwrap();
    assert_eq!(published.iter().filter(|event| event.kind == "live_model_updated").count(), 5);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn any_cut_of_a_journal_gives_the_same_tables(
        lengths in prop::collection::vec(1..40_u64, 1..4),
        cuts in prop::collection::vec((0..100_usize, 0..30_usize), 0..8),
    ) {
        let records = journal(&lengths);
        let (whole, _store) = carried_over(&records);
        let fixture = Fixture::new();
        let mut store = fixture.open();
        store.begin_live_session(&session()).unwrap();
        let mut reached = 0;
        for (end, again) in cuts {
            // A batch may begin with records that have been carried over, and a task may have died since.
            let until = end.clamp(reached, records.len());
            let position = store.project(&id(), &records[reached.saturating_sub(again)..until]).unwrap();
            reached = until;
            let last = reached.checked_sub(1).map_or(JournalPosition::before(1), |last| records[last].at);
            prop_assert_eq!(position, last);
            if again % 3 == 0 {
                drop(store);
                store = fixture.open();
            }
        }
        store.project(&id(), &records).unwrap();
        prop_assert_eq!(dump(&fixture), dump(&whole));
    }
}
