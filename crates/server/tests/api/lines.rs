//! Lines: champions, changes, rollbacks, evidence, rules.

use serde_json::json;

use crate::made::{champion, held, line, model};
use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_line_is_told_with_its_champion_who_waits_and_what_trains_it() {
    let world = World::new().await;
    let none = world.json("/api/lines");
    assert_eq!((&none["lines"][0]["line"], &none["lines"][1]), (&json!("default"), &json!(null)));
    assert_eq!(world.post("/api/schedules", &json!({ "interval_hours": 6 })).status, 201);
    let empty = world.json("/api/lines");
    assert_eq!(empty["lines"][0]["schedules"], json!(["btc"]));
    assert_eq!(empty["lines"][0]["champion"], json!(null));
    let first = champion(&world.store, &line("btc"));
    let waits = held(&world.store, &line("btc"), Some(&first));
    let told = &world.json("/api/lines")["lines"][0];
    assert_eq!(told["champion"]["model_id"], first.as_str());
    assert_eq!((&told["champion"]["sequence"], &told["champion"]["symbol"]), (&json!(1), &json!("BTC/USD")));
    assert_eq!(told["held"], json!([{ "model_id": waits, "compared_with": first, "approvable": true }]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_goes_back_to_the_champion_before_or_to_one_that_is_named() {
    let world = World::new().await;
    let btc = line("btc");
    let ids: Vec<_> = (0..3).map(|_| champion(&world.store, &btc)).collect();
    let back = |body| world.post("/api/lines/btc/rollback", &body);
    let done = back(json!({ "reason": "the last one loses" }));
    assert_eq!((done.status, done.json()["to_model_id"].clone()), (200, json!(ids[1])));
    assert_eq!(done.json()["from_model_id"], json!(ids[2]));
    let named = back(json!({ "reason": "that one was good", "to_model_id": ids[2] }));
    assert_eq!((named.status, named.json()["sequence"].clone()), (200, json!(5)));
    let page = world.json("/api/lines/btc/promotions?limit=2");
    assert_eq!(
        (page["promotions"][0]["kind"].clone(), page["next_before"].clone()),
        (json!("rollback"), json!(4))
    );
    let rest = world.json("/api/lines/btc/promotions?limit=3&before=4");
    assert_eq!(
        (rest["promotions"][0]["sequence"].clone(), rest["next_before"].clone()),
        (json!(3), json!(null))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_can_t_go_back_says_why_and_stays_as_it_is() {
    let world = World::new().await;
    let btc = line("btc");
    let only = champion(&world.store, &btc);
    let never = model(&world.store, &btc, |_| {}).model_id;
    let back = |body| world.post("/api/lines/btc/rollback", &body);
    let nothing = back(json!({ "reason": "go back" }));
    assert_eq!(nothing.status, 409);
    assert!(nothing.detail().contains("its first champion"), "{nothing:?}");
    assert_eq!(back(json!({ "reason": "go back", "to_model_id": never })).status, 409);
    assert_eq!(back(json!({ "reason": "go back", "to_model_id": only })).status, 409);
    let unknown = json!({ "reason": "go back", "to_model_id": "model-2020-01-01T00-00-00-000Z" });
    assert_eq!(back(unknown).status, 404);
    assert_eq!(back(json!({ "reason": "" })).status, 422);
    assert_eq!(back(json!({ "reason": "x", "to_model_id": "../latest" })).status, 422);
    assert_eq!(world.json("/api/lines")["lines"][0]["champion"]["model_id"], only.as_str());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_evidence_of_a_line_and_the_rules_are_those_of_the_program() {
    let world = World::new().await;
    let arm = world.store.register_arm(&line("btc"), &json!({ "window_bars": 9096 })).unwrap();
    assert_eq!(world.json("/api/lines/btc/evidence")["arms"], json!([{ "arm": arm }]));
    let gates = world.json("/api/gates");
    assert_eq!((&gates["preset"], &gates["auto_deploy"]), (&json!("evidence"), &json!(true)));
    assert_eq!(gates["limits"]["gate.min_win_rate"], "0.55");
}
