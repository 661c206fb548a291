//! Packs and dataset configurations.

use serde_json::{Value, json};

use crate::world::World;

/// Walks the life of a record: made, read, changed, refused, used, deleted.
fn life(world: &World, place: &str, content: &dyn Fn(&str) -> Value, wrong: &Value, key: &str) {
    let known = world.json(place)[key].as_array().unwrap().len();
    let mut first = content("Mine");
    first["id"] = json!("mine");
    let made = world.post(place, &first);
    assert_eq!((made.status, made.json()["name"].clone()), (201, json!("Mine")));
    let one = format!("{place}/mine");
    assert_eq!(world.json(&one), made.json());
    assert_eq!(world.json(place)[key].as_array().unwrap().len(), known + 1);
    assert_eq!(world.post(place, &first).status, 409, "its id is taken");
    let mut namesake = content("Mine");
    namesake["id"] = json!("other");
    assert_eq!(world.post(place, &namesake).status, 409, "its name is taken");
    assert_eq!(world.send("PUT", &one, &content("Better")).json()["name"], "Better");
    let mut other = content("Other");
    other["id"] = json!("other");
    assert_eq!(world.post(place, &other).status, 201);
    assert_eq!(world.send("PUT", &one, &content("Other")).status, 409, "another has the name");
    for name in ["", &"x".repeat(10_000)] {
        assert_eq!(world.send("PUT", &one, &content(name)).status, 422);
    }
    assert_eq!(world.send("PUT", &one, wrong).status, 422);
    let mut wrong = wrong.clone();
    wrong["id"] = json!("wrong");
    let refused = world.post(place, &wrong);
    assert_eq!(refused.status, 422);
    assert_eq!(world.get(&format!("{place}/wrong")).status, 404);
    wrong["id"] = json!("No id");
    assert_eq!(world.post(place, &wrong).status, 422);
    assert_eq!(world.delete(&one).status, 204);
    assert_eq!(world.delete(&one).status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pack_is_made_read_changed_and_deleted_and_a_wrong_one_is_not() {
    let world = World::new().await;
    let content = |name: &str| json!({ "name": name, "config": { "iterations": 40 } });
    let wrong = json!({ "name": "wrong", "config": { "no_such_key": 1 } });
    life(&world, "/api/packs", &content, &wrong, "packs");
    let no_object = json!({ "id": "list", "name": "list", "config": [] });
    assert_eq!(world.post("/api/packs", &no_object).status, 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dataset_configuration_is_made_read_changed_and_deleted_and_a_wrong_one_is_not() {
    let world = World::new().await;
    let content = |name: &str| json!({ "name": name, "source_type": "synthetic", "source_config": { "data": { "symbol": "BTC/USD" } } });
    let wrong = json!({ "name": "wrong", "source_type": "nowhere" });
    life(&world, "/api/datasets", &content, &wrong, "datasets");
    let mut no_list = content("list");
    no_list["features"] = json!({});
    no_list["id"] = json!("list");
    assert_eq!(world.post("/api/datasets", &no_list).status, 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pack_that_a_schedule_uses_stays() {
    let world = World::new().await;
    let pack = json!({ "id": "mine", "name": "Mine", "config": {} });
    assert_eq!(world.post("/api/packs", &pack).status, 201);
    let schedule = json!({ "interval_hours": 6, "hp_pack_id": "mine" });
    assert_eq!(world.post("/api/schedules", &schedule).status, 201);
    let refused = world.delete("/api/packs/mine");
    assert_eq!(refused.status, 409);
    assert!(refused.detail().contains("btc"), "{refused:?}");
}
