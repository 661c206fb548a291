//! Coming back.

use serde_json::json;
use walkforward_server::HubOptions;
use walkforward_store::NewSchedule;

use crate::listener::{Listener, numbers};
use crate::world;
use crate::world::{KIND, READ};

#[tokio::test]
async fn whoever_comes_back_gets_what_it_has_missed_and_goes_on_without_a_gap() {
    let world = world(HubOptions::default()).await;
    // More than is read at once.
    world.record_many(1_200);
    let mut first = Listener::welcomed(world.address).await;
    let mut last = world.record(KIND, &json!({}));
    first.until(last).await;
    for after in [0, 5, 1_199, 1_201] {
        let mut listener = Listener::connect(world.address).await;
        listener.hello(json!({ "type": "hello", "token": READ, "after": after })).await;
        let welcome = listener.next().await;
        assert_eq!((&welcome["type"], &welcome["seq"]), (&json!("welcome"), &json!(last)));
        last = world.record(KIND, &json!({}));
        let told = listener.until(last).await;
        assert_eq!(numbers(&told), (after + 1..=last).collect::<Vec<_>>(), "after {after}");
        assert!(told.iter().all(|message| message["type"] == KIND));
        // The next to come knows of this one as well.
        first.until(last).await;
    }
}

#[tokio::test]
async fn whoever_knows_a_number_that_is_gone_or_never_was_starts_over() {
    let world = world(HubOptions::default()).await;
    let new = NewSchedule {
        id: "btc".parse().unwrap(),
        name: "Bitcoin".to_owned(),
        line: "btc".parse().unwrap(),
        base_experiment_id: None,
        dataset_id: None,
        hp_pack_id: None,
        config: json!({ "interval_hours": 6 }),
    };
    world.store.create_schedule(&new).unwrap();
    world.record_many(10_005);
    let mut first = Listener::welcomed(world.address).await;
    let last = world.record(KIND, &json!({}));
    first.until(last).await;
    for after in [0, 5, last + 1, i64::MAX] {
        let mut listener = Listener::connect(world.address).await;
        listener.hello(json!({ "type": "hello", "token": READ, "after": after })).await;
        assert_eq!(listener.next().await["type"], "welcome");
        let snapshot = listener.next().await;
        assert_eq!(
            (&snapshot["type"], &snapshot["seq"]),
            (&json!("snapshot"), &json!(last)),
            "after {after}"
        );
        assert_eq!(snapshot["schedules"][0]["schedule_id"], "btc");
        assert_eq!(snapshot["schedules"][0]["status"], "idle");
    }
    // The oldest that is kept is no reason to start over.
    let mut listener = Listener::connect(world.address).await;
    listener.hello(json!({ "type": "hello", "token": READ, "after": last - 10_000 })).await;
    assert_eq!(listener.next().await["type"], "welcome");
    assert_eq!(numbers(&listener.until(last).await).len(), 10_000);
}

#[tokio::test]
async fn events_of_another_process_are_seen_without_a_word() {
    let world = world(HubOptions::default()).await;
    let mut listener = Listener::welcomed(world.address).await;
    let seq = world.store.record_event(KIND, &json!({})).unwrap();
    assert_eq!(numbers(&listener.until(seq).await).last(), Some(&seq));
}
