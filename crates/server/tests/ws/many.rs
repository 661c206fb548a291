//! Clients that are slow, or do not read at all, and those beside them.

use std::time::Duration;

use serde_json::json;
use walkforward_server::HubOptions;

use crate::listener::{Listener, numbers};
use crate::world;
use crate::world::KIND;

/// Ticks that do not fit into the buffers between server and client.
const TICKS: usize = 3_000;
const TICK_BYTES: usize = 8 << 10;
const CHANGES: i64 = 300;

fn narrow() -> HubOptions {
    HubOptions { kept_batches: 64, lag_batches: 4, ..HubOptions::default() }
}

/// Publishes all ticks with the changes among them; the number of the last change.
async fn publish(world: &crate::World) -> i64 {
    let padding = "x".repeat(TICK_BYTES);
    let mut last = 0;
    for place in 0..TICKS {
        world.hub.publish_volatile("live_bar", json!({ "place": place, "padding": padding }));
        if place % (TICKS / CHANGES as usize) == 0 {
            last = world.record(KIND, &json!({ "place": place }));
            // Lets the batches go out.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    last
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_loses_ticks_and_never_a_state_change() {
    let world = world(narrow()).await;
    let (mut slow, mut fast) =
        (Listener::welcomed(world.address).await, Listener::welcomed(world.address).await);
    let reading = tokio::spawn(async move { fast.until(CHANGES).await });
    let last = publish(&world).await;
    assert_eq!(last, CHANGES);
    let expected: Vec<i64> = (1..=CHANGES).collect();
    assert_eq!(numbers(&reading.await.unwrap()), expected);
    let told = slow.until(CHANGES).await;
    assert_eq!(numbers(&told), expected);
    let ticks = told.iter().filter(|message| message["volatile"] == true).count();
    assert!(ticks < TICKS / 2, "{ticks}");
    // It is not behind any more, and gets everything again.
    world.hub.publish_volatile("live_bar", json!({ "place": "end" }));
    while slow.next_of("live_bar").await["place"] != "end" {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_does_not_read_is_closed_and_costs_the_others_nothing() {
    let options = HubOptions { write_wait: Duration::from_secs(3), max_clients: 2, ..narrow() };
    let world = world(options).await;
    let _stalled = Listener::welcomed(world.address).await;
    let mut other = Listener::welcomed(world.address).await;
    let reading = tokio::spawn(async move { (other.until(CHANGES).await, other) });
    publish(&world).await;
    let (told, _other) = reading.await.unwrap();
    assert_eq!(numbers(&told), (1..=CHANGES).collect::<Vec<_>>());
    // Its place is free at some time.
    while Listener::try_connect(world.address, &[]).await.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn whoever_misses_more_than_the_table_keeps_gets_a_snapshot_in_the_midst() {
    let world = world(narrow()).await;
    let mut listener = Listener::welcomed(world.address).await;
    let first = world.record(KIND, &json!({}));
    listener.until(first).await;
    // All in one transaction: the oldest are gone before anybody can read them.
    world.record_many(10_500);
    let snapshot = listener.next_of("snapshot").await;
    let seq = snapshot["seq"].as_i64().unwrap();
    let last = world.record(KIND, &json!({}));
    assert_eq!(last, first + 10_501);
    assert_eq!(numbers(&listener.until(last).await), (seq + 1..=last).collect::<Vec<_>>());
}
