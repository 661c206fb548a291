//! Trainings without a schedule, and the record of all.

use serde_json::json;
use walkforward_core::ModelId;
use walkforward_store::{ExperimentEnd, ExperimentId, ExperimentStatus, IterationRecord, Store};

use crate::made::{evaluated, experiment, line, model, time};
use crate::world::World;

fn id(text: &str) -> ExperimentId {
    text.parse().unwrap()
}

fn finish(store: &Store, id: &ExperimentId, model_id: Option<ModelId>) {
    let (status, final_metrics) = (ExperimentStatus::Completed, json!({ "outcome": "held" }));
    store.finish_experiment(id, &ExperimentEnd { status, final_metrics, model_id, error: None }).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_training_is_launched_seen_and_cancelled_once() {
    let world = World::new().await;
    let launch = json!({ "id": "one", "tags": ["mine"], "settings": { "training.iterations": "2" } });
    let answer = world.post("/api/training/launch", &launch);
    assert_eq!((answer.status, answer.json()), (202, json!({ "experiment_id": "one" })));
    assert_eq!(world.post("/api/training/launch", &launch).status, 409);
    assert_eq!(world.json("/api/training/running")["experiments"], json!(["one"]));
    assert_eq!(world.json("/api/experiments/one")["status"], "running");
    assert_eq!(world.delete("/api/experiments/one").status, 409, "it runs");
    assert_eq!(world.post("/api/training/one/cancel", &json!({})).status, 202);
    assert_eq!(world.post("/api/training/one/cancel", &json!({})).status, 409);
    let wrong = world.post("/api/training/launch", &json!({ "settings": { "no.setting": "1" } }));
    assert_eq!(wrong.status, 422);
    assert!(wrong.detail().contains("no.setting"), "{wrong:?}");
    assert_eq!(world.json("/api/training/running")["experiments"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn trainings_are_listed_newest_first_by_status_and_line_and_page_by_page() {
    let world = World::new().await;
    for name in ["a", "b", "c", "d", "e"] {
        world.store.create_experiment(&experiment(name)).unwrap();
    }
    for name in ["b", "d"] {
        world.store.begin_experiment(&id(name), None).unwrap();
    }
    let ids = |path: &str| {
        let page = world.json(path);
        let rows = page["experiments"].as_array().unwrap();
        let ids: Vec<String> =
            rows.iter().map(|row| row["experiment_id"].as_str().unwrap().to_owned()).collect();
        (ids.join(""), page["next_before"].as_str().map(str::to_owned))
    };
    let mut seen = String::new();
    let mut before = None;
    loop {
        let from = before.map(|before| format!("&before={before}")).unwrap_or_default();
        let (page, next) = ids(&format!("/api/experiments?limit=2{from}"));
        assert!(page.len() <= 2);
        seen += &page;
        before = next;
        if before.is_none() {
            break;
        }
    }
    assert_eq!(seen, "edcba");
    assert_eq!(ids("/api/experiments?status=running").0, "db");
    assert_eq!(ids("/api/experiments?line=other").0, "");
    assert_eq!(world.get("/api/experiments?status=asleep").status, 422);
    assert_eq!(world.get("/api/experiments?before=nobody").status, 404);
    let one = world.json("/api/experiments/a");
    assert_eq!((&one["schedule_id"], &one["cycle_number"]), (&json!("btc"), &json!(3)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_each_iteration_measured_is_read_on_from_the_last_known_one() {
    let world = World::new().await;
    world.store.create_experiment(&experiment("a")).unwrap();
    world.store.begin_experiment(&id("a"), None).unwrap();
    let iterations: Vec<IterationRecord> = (0..5)
        .map(|iteration| IterationRecord {
            iteration,
            metrics: json!({ "pnl_mean": iteration }),
            timestamp: time("2024-01-01T00:00:00Z"),
        })
        .collect();
    world.store.append_iterations(&id("a"), &iterations).unwrap();
    let first = world.json("/api/experiments/a/iterations?limit=3");
    assert_eq!(
        (first["iterations"][0]["iteration"].clone(), first["next_after"].clone()),
        (json!(0), json!(2))
    );
    let rest = world.json("/api/experiments/a/iterations?limit=3&after=2");
    assert_eq!(rest["iterations"][1]["metrics"], json!({ "pnl_mean": 4 }));
    assert_eq!(rest["next_after"], json!(null));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_trades_of_a_training_are_those_of_its_model_where_it_was_judged() {
    let world = World::new().await;
    let store = &world.store;
    store.create_experiment(&experiment("a")).unwrap();
    let none = world.json("/api/experiments/a/trades");
    assert_eq!(none, json!({ "model_id": null, "trades": [], "next_after": null, "left_out": false }));
    let model_id = model(store, &line("default"), |_| {}).model_id;
    evaluated(store, &model_id, 5);
    store.begin_experiment(&id("a"), None).unwrap();
    finish(store, &id("a"), Some(model_id.clone()));
    let page = world.json("/api/experiments/a/trades?limit=2&after=2");
    assert_eq!(page["model_id"], model_id.as_str());
    assert_eq!((page["trades"][0]["number"].clone(), page["next_after"].clone()), (json!(3), json!(4)));
    assert_eq!(page["trades"][1]["pnl"], 12.5);
    let last = world.json("/api/experiments/a/trades?limit=2&after=4");
    assert_eq!((last["trades"].as_array().unwrap().len(), last["next_after"].clone()), (1, json!(null)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_record_of_a_training_goes_when_nothing_refers_to_it() {
    let world = World::new().await;
    let store = &world.store;
    for name in ["a", "base"] {
        store.create_experiment(&experiment(name)).unwrap();
        store.begin_experiment(&id(name), None).unwrap();
        finish(store, &id(name), None);
    }
    let with_base = json!({ "interval_hours": 6, "base_experiment_id": "base" });
    assert_eq!(world.post("/api/schedules", &with_base).status, 201);
    assert_eq!(world.delete("/api/experiments/base").status, 409);
    assert_eq!(world.delete("/api/experiments/a").status, 204);
    assert_eq!(world.delete("/api/experiments/a").status, 404);
}
