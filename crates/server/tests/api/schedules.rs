//! Schedules, under the plan's names and under their own.

use std::time::Duration;

use serde_json::json;
use walkforward_store::NewSchedule;

use crate::client::Ask;
use crate::world::{READ, World};

/// Waits until cycle `number` of `btc` runs.
async fn runs(world: &World, number: u64) {
    while world.json("/api/schedules/btc")["running_cycle"] != number {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_schedule_is_started_watched_paused_resumed_and_stopped_without_naming_it() {
    let world = World::new().await;
    assert_eq!(world.get("/api/continuous/status").status, 404, "there is none yet");
    let made = world.post("/api/continuous/start", &json!({ "interval_hours": 6 }));
    assert_eq!((made.status, made.json()["schedule_id"].clone()), (201, json!("btc")));
    runs(&world, 1).await;
    let status = world.json("/api/continuous/status");
    assert_eq!(status["status"], "active");
    assert_eq!(status["progress"]["iteration"], 3);
    assert!(status["next_cycle_at"].is_string() && status["now"].is_string(), "{status}");
    for (verb, then) in [("pause", "paused"), ("resume", "active"), ("stop", "stopped")] {
        let answer = world.post(&format!("/api/continuous/{verb}"), &json!({}));
        assert_eq!((answer.status, answer.json()["status"].clone()), (200, json!(then)));
    }
    let again = world.post("/api/continuous/resume", &json!({}));
    assert_eq!(again.status, 409, "a stopped one can't be resumed: {again:?}");
    while world.json("/api/continuous/history")["cycles"][0]["status"] != "cancelled" {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let history = world.json("/api/continuous/history");
    assert_eq!((&history["schedule_id"], &history["next_before"]), (&json!("btc"), &json!(null)));
    assert_eq!(history["cycles"][0]["reason"], "it was asked to stop");
}

#[tokio::test(flavor = "multi_thread")]
async fn among_several_schedules_one_has_to_be_named() {
    let world = World::new().await;
    for id in ["btc", "eth"] {
        assert_eq!(world.post("/api/schedules", &json!({ "id": id, "interval_hours": 6 })).status, 201);
    }
    let answer = world.post("/api/continuous/pause", &json!({}));
    assert_eq!(answer.status, 409);
    assert!(answer.detail().contains("name one"), "{answer:?}");
    assert_eq!(world.get("/api/continuous/status").status, 409);
    assert_eq!(world.post("/api/continuous/pause", &json!({ "schedule_id": "eth" })).status, 200);
    assert_eq!(world.json("/api/continuous/status?schedule_id=btc")["status"], "active");
    let all = world.json("/api/schedules");
    let schedules = &all["schedules"];
    assert_eq!((&schedules[0]["status"], &schedules[1]["status"]), (&json!("active"), &json!("paused")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_that_can_t_be_is_not_made() {
    let world = World::new().await;
    for body in
        [json!({}), json!({ "interval_hours": 0 }), json!({ "interval_hours": "six" }), json!({ "id": "A" })]
    {
        for path in ["/api/continuous/start", "/api/schedules"] {
            assert_eq!(world.post(path, &body).status, 422, "{body}");
        }
    }
    assert_eq!(world.post("/api/schedules", &json!({ "interval_hours": 6 })).status, 201);
    assert_eq!(world.post("/api/schedules", &json!({ "interval_hours": 6 })).status, 409);
    assert_eq!(world.json("/api/schedules")["schedules"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_is_moved_and_its_cycles_are_read_page_by_page() {
    let world = World::new().await;
    world.post("/api/schedules", &json!({ "interval_hours": 6 }));
    for number in 1..=3 {
        runs(&world, number).await;
        assert_eq!(world.post("/api/schedules/btc/trigger", &json!({})).status, 409, "one runs");
        assert_eq!(world.post("/api/schedules/btc/stop", &json!({})).status, 200);
        while world.json(&format!("/api/schedules/btc/cycles/{number}"))["status"] != "cancelled" {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        for verb in ["start", "trigger"] {
            assert_eq!(world.post(&format!("/api/schedules/btc/{verb}"), &json!({})).status, 200);
        }
    }
    let page = world.json("/api/schedules/btc/cycles?limit=2&before=4");
    assert_eq!(
        (page["cycles"][0]["cycle_number"].clone(), page["next_before"].clone()),
        (json!(3), json!(2))
    );
    let last = world.json("/api/schedules/btc/cycles?limit=2&before=2");
    assert_eq!(
        (last["cycles"][0]["cycle_number"].clone(), last["next_before"].clone()),
        (json!(1), json!(null))
    );
    assert_eq!(world.get("/api/schedules/btc/cycles/99").status, 404);
    assert_eq!(world.delete("/api/schedules/btc").status, 204);
    assert_eq!(world.post("/api/schedules/btc/start", &json!({})).status, 409, "it was removed");
    assert_eq!(world.delete("/api/schedules/btc").status, 409);
    assert_eq!(world.json("/api/schedules/btc/cycles")["cycles"].as_array().unwrap().len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_that_a_command_made_is_taken_in() {
    let world = World::new().await;
    let new = NewSchedule {
        id: "eth".parse().unwrap(),
        name: "eth".to_owned(),
        line: "eth".parse().unwrap(),
        base_experiment_id: None,
        dataset_id: None,
        hp_pack_id: None,
        config: json!({ "interval_hours": 6 }),
    };
    world.store.create_schedule(&new).unwrap();
    assert_eq!(world.json("/api/schedules/eth")["status"], "idle");
    assert_eq!(world.post("/api/schedules/eth/start", &json!({})).json()["status"], "active");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_has_not_changed_is_not_sent_again() {
    let world = World::new().await;
    world.store.record_event("test", &json!({})).unwrap();
    let first = world.get("/api/events");
    let known = format!("if-none-match: {}\r\n", first.header("etag").unwrap());
    let again = |headers| {
        let ask = Ask { method: "GET", path: "/api/events", token: Some(READ), headers, body: None };
        world.ask(&ask)
    };
    let answer = again(&known);
    assert_eq!((answer.status, answer.text.as_str()), (304, ""));
    world.store.record_event("test", &json!({})).unwrap();
    assert_eq!(again(&known).status, 200);
}
