//! What people did, and whether the record of it is whole.

use serde_json::json;
use walkforward_store::NewAct;

use crate::world::World;

fn act(world: &World, act: &str, reason: &str) {
    let new = NewAct {
        actor: "command".to_owned(),
        act: act.to_owned(),
        subject: "btc".to_owned(),
        reason: reason.to_owned(),
        details: json!({}),
    };
    world.store.record_act(&new).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn acts_are_read_newest_first_page_by_page_and_by_a_word_in_them() {
    let world = World::new().await;
    for number in 1..=4 {
        act(&world, if number == 2 { "model.pin" } else { "schedule.stop" }, &format!("reason {number}"));
    }
    let seqs = |path: &str| {
        let page = world.json(path);
        let acts = page["acts"].as_array().unwrap();
        (acts.iter().map(|act| act["seq"].as_i64().unwrap()).collect::<Vec<_>>(), page["next_before"].clone())
    };
    assert_eq!(seqs("/api/audit?limit=3"), (vec![4, 3, 2], json!(2)));
    assert_eq!(seqs("/api/audit?limit=3&before=2"), (vec![1], json!(null)));
    assert_eq!(seqs("/api/audit?search=PIN"), (vec![2], json!(null)));
    assert_eq!(seqs("/api/audit?search=schedule&limit=1&before=4"), (vec![3], json!(3)));
    assert_eq!(seqs("/api/audit?search=nothing%25"), (vec![], json!(null)));
    for wrong in ["search=", &format!("search={}", "x".repeat(201)), "limit=0"] {
        assert_eq!(world.get(&format!("/api/audit?{wrong}")).status, 422, "{wrong}");
    }
    assert_eq!(world.get("/api/audit?before=some").status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_act_over_the_interface_is_in_the_record_and_the_record_says_whether_it_is_whole() {
    let world = World::new().await;
    let empty = world.json("/api/audit/check");
    assert_eq!((&empty["acts"], &empty["whole"], &empty["last_hash"]), (&json!(0), &json!(true), &json!("")));
    assert_eq!(world.post("/api/schedules", &json!({ "interval_hours": 6 })).status, 201);
    act(&world, "schedule.stop", "a holiday");
    let acts = world.json("/api/audit");
    assert_eq!(
        (&acts["acts"][1]["actor"], &acts["acts"][0]["reason"]),
        (&json!("interface:trade"), &json!("a holiday"))
    );
    let check = world.json("/api/audit/check");
    assert_eq!(
        (&check["acts"], &check["whole"], &check["broken_at"]),
        (&json!(2), &json!(true), &json!(null))
    );
    assert_eq!(check["last_hash"], acts["acts"][0]["hash"]);
    assert_eq!(world.delete("/api/audit/check").status, 405);
}
