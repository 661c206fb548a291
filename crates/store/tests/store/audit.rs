//! What people did stays as it was written.

use std::time::Duration;

use serde_json::{Value, json};
use walkforward_store::{Act, NewAct, StoreError};

use crate::fixture::Fixture;

fn act(act: &str, reason: &str) -> NewAct {
    NewAct {
        actor: "command".to_owned(),
        act: act.to_owned(),
        subject: "btc".to_owned(),
        reason: reason.to_owned(),
        details: json!({ "b": 2, "a": [1, null, "x"] }),
    }
}

fn sql(fixture: &Fixture, text: &str) -> rusqlite::Result<()> {
    rusqlite::Connection::open(fixture.data_dir().join("walkforward.db")).unwrap().execute_batch(text)
}

#[test]
fn acts_are_a_chain_that_outlasts_a_restart() {
    let fixture = Fixture::new();
    let first = fixture.open().record_act(&act("schedule.stop", " it is a holiday ")).unwrap();
    assert_eq!((first.seq, first.previous.as_str(), first.reason.as_str()), (1, "", "it is a holiday"));
    fixture.wait(Duration::from_secs(5));
    let store = fixture.open();
    let second = store.record_act(&act("schedule.start", "")).unwrap();
    assert_eq!((second.seq, &second.previous), (2, &first.hash));
    assert_eq!(store.acts_after(0, 10).unwrap(), [first.clone(), second.clone()]);
    assert_eq!(store.acts_after(1, 10).unwrap(), std::slice::from_ref(&second));
    assert_eq!(store.acts_before(None, 1).unwrap(), std::slice::from_ref(&second));
    assert_eq!(store.acts_before(Some(2), 9).unwrap(), [first]);
    let check = store.check_acts().unwrap();
    assert_eq!((check.acts, check.broken, check.last_hash), (2, None, second.hash));
}

#[test]
fn acts_are_found_by_words_in_them_and_a_wildcard_is_a_letter() {
    let fixture = Fixture::new();
    let store = fixture.open();
    for (kind, reason) in [("schedule.stop", "a Holiday"), ("model.pin", "100 % sure"), ("model.pin", "")] {
        store.record_act(&act(kind, reason)).unwrap();
    }
    let found = |words: &str, before, limit| -> Vec<i64> {
        store.acts_with(words, before, limit).unwrap().iter().map(|act| act.seq).collect()
    };
    assert_eq!(found("holiday", None, 9), [1]);
    assert_eq!(found("model", None, 9), [3, 2]);
    assert_eq!(found("model", Some(3), 9), [2]);
    assert_eq!(found("BTC", None, 1), [3]);
    assert_eq!([found("%", None, 9), found("_", None, 9), found("\\", None, 9)], [vec![2], vec![], vec![]]);
}

#[test]
fn an_exported_act_can_be_checked_by_whoever_has_it() {
    let fixture = Fixture::new();
    let written = fixture.open().record_act(&act("model.approve", "looks fine")).unwrap();
    let read: Act = serde_json::from_str(&serde_json::to_string(&written).unwrap()).unwrap();
    assert_eq!(read.expected_hash(), written.hash);
    let changed = Act { reason: "looks bad".to_owned(), ..read };
    assert_ne!(changed.expected_hash(), written.hash);
}

#[test]
fn nobody_changes_or_removes_an_act_and_whoever_does_all_the_same_is_found_out() {
    let fixture = Fixture::new();
    let store = fixture.open();
    for number in 0..5 {
        store.record_act(&act("schedule.trigger", &format!("number {number}"))).unwrap();
    }
    assert!(sql(&fixture, "UPDATE audit SET reason = 'x' WHERE seq = 3").is_err());
    assert!(sql(&fixture, "DELETE FROM audit WHERE seq = 3").is_err());
    assert_eq!(store.check_acts().unwrap().broken, None);
    for (spoil, broken) in [
        ("UPDATE audit SET reason = 'x' WHERE seq = 3", 3),
        ("UPDATE audit SET details = '{}' WHERE seq = 2", 2),
        ("DELETE FROM audit WHERE seq = 1", 2),
    ] {
        sql(
            &fixture,
            &format!("DROP TRIGGER IF EXISTS acts_stay; DROP TRIGGER IF EXISTS acts_are_kept; {spoil}"),
        )
        .unwrap();
        assert_eq!(store.check_acts().unwrap().broken, Some(broken), "{spoil}");
    }
}

#[test]
fn an_act_without_a_name_or_with_details_that_are_no_object_is_refused() {
    let store = Fixture::new();
    let store = store.open();
    let long = "x".repeat(201);
    for wrong in [
        NewAct { actor: String::new(), ..act("a", "") },
        act("", ""),
        act(&long, ""),
        NewAct { subject: long.clone(), ..act("a", "") },
        NewAct { details: Value::Null, ..act("a", "") },
        NewAct { details: json!({ "x": "y".repeat(70_000) }), ..act("a", "") },
    ] {
        let refused = store.record_act(&wrong);
        assert!(matches!(refused, Err(StoreError::RefusedRow { what: "act", .. })), "{refused:?}");
    }
    assert_eq!(store.check_acts().unwrap().acts, 0);
}
