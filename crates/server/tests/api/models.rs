//! Models, and what people decide about them.

use serde_json::json;
use walkforward_core::SuppliedBy;
use walkforward_store::ModelStatus;

use crate::made::{champion, held, line, model};
use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_model_is_told_with_its_lineage_its_verdict_and_its_changes() {
    let world = World::new().await;
    let btc = line("btc");
    let (first, second) = (champion(&world.store, &btc), champion(&world.store, &btc));
    model(&world.store, &line("eth"), |record| record.status = ModelStatus::Rejected);
    let all = world.json("/api/models");
    assert_eq!(all["models"].as_array().unwrap().len(), 3);
    let of_line = world.json("/api/models?line=btc&limit=1");
    assert_eq!(of_line["models"][0]["model_id"], second.as_str());
    assert_eq!(of_line["next_before"], second.as_str());
    let older = world.json(&format!("/api/models?line=btc&limit=2&before={second}"));
    let older_ids: Vec<_> = older["models"].as_array().unwrap().iter().map(|it| &it["model_id"]).collect();
    assert_eq!((older_ids, &older["next_before"]), (vec![&json!(first)], &json!(null)));
    assert_eq!(world.get("/api/models?before=model-2020-01-01T00-00-00-000Z").status, 404);
    assert_eq!(world.get("/api/models?before=yesterday").status, 422);
    assert_eq!(
        (&of_line["models"][0]["champion"], &of_line["models"][0]["status"]),
        (&json!(true), &json!("promoted"))
    );
    let detail = world.json(&format!("/api/models/{second}"));
    assert_eq!(detail["ancestors"], json!([first]));
    assert_eq!(detail["verdict"]["sentence"], "all thresholds hold");
    assert_eq!(detail["metrics"]["winRate"], 0.6);
    assert_eq!((&detail["weights_sound"], &detail["seed"]), (&json!(true), &json!(7)));
    assert_eq!(detail["promotions"][0]["to_model_id"], second.as_str());
    let before = world.json(&format!("/api/models/{first}"));
    assert_eq!(before["promotions"].as_array().unwrap().len(), 2, "it came and it went");
    assert_eq!(before["model"]["champion"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_weights_are_told_without_the_place_where_they_lie() {
    let world = World::new().await;
    let id = champion(&world.store, &line("btc"));
    let weights = world.store.model_dir(&id).join("policy.safetensors");
    std::fs::remove_file(&weights).unwrap();
    assert_eq!(world.json(&format!("/api/models/{id}"))["weights_sound"], false);
    assert_eq!(world.json("/api/lines")["lines"][0]["champion"]["weights_sound"], false);
    std::fs::write(world.store.model_dir(&id).join("metadata.json"), "cut off").unwrap();
    assert_eq!(world.get(&format!("/api/models/{id}")).status, 503);
    let lines = world.json("/api/lines");
    assert_eq!(
        (&lines["lines"][0]["champion"], &lines["lines"][0]["pointer_damaged"]),
        (&json!(null), &json!(true))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_waits_is_approved_once_and_trades() {
    let world = World::new().await;
    let id = held(&world.store, &line("btc"), None);
    assert_eq!(world.json(&format!("/api/models/{id}"))["model"]["held"], true);
    let approve = format!("/api/models/{id}/approve");
    for reason in ["", "  ", "two\nlines", &"x".repeat(501)] {
        assert_eq!(world.post(&approve, &json!({ "reason": reason })).status, 422);
    }
    let answer = world.post(&approve, &json!({ "reason": "looked at it" }));
    assert_eq!((answer.status, answer.json()["model"]["champion"].clone()), (200, json!(true)));
    assert_eq!(world.post(&approve, &json!({ "reason": "again" })).status, 409);
    let changes = world.json("/api/lines/btc/promotions");
    assert_eq!(changes["promotions"][0]["reason"], "approved: looked at it");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_whose_verdict_no_longer_holds_is_a_conflict_and_can_be_overruled() {
    let world = World::new().await;
    let btc = line("btc");
    let id = held(&world.store, &btc, None);
    champion(&world.store, &btc);
    assert_eq!(world.json("/api/lines")["lines"][0]["held"][0]["approvable"], false);
    let approve = format!("/api/models/{id}/approve");
    let refused = world.post(&approve, &json!({ "reason": "I like it" }));
    assert_eq!(refused.status, 409);
    assert!(refused.detail().contains("compared with no model"), "{refused:?}");
    let overruled = world.post(&approve, &json!({ "reason": "I answer for it", "overrule": true }));
    assert_eq!((overruled.status, overruled.json()["model"]["champion"].clone()), (200, json!(true)));
    let reject = format!("/api/models/{id}/reject");
    assert_eq!(world.post(&reject, &json!({ "reason": "no", "overrule": true })).status, 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_waits_is_rejected_once_with_its_reason() {
    let world = World::new().await;
    let id = held(&world.store, &line("btc"), None);
    let reject = format!("/api/models/{id}/reject");
    let answer = world.post(&reject, &json!({ "reason": "too few trades" }));
    assert_eq!((answer.status, answer.json()["declined"]["reason"].clone()), (200, json!("too few trades")));
    assert_eq!(world.post(&reject, &json!({ "reason": "again" })).status, 409);
    assert_eq!(world.json(&format!("/api/models/{id}"))["model"]["held"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_metrics_file_does_not_promote_a_second_model() {
    let world = World::new().await;
    let supplied = SuppliedBy::File { path: "metrics.json".to_owned(), sha256: "a".repeat(64) };
    let judged_by_file = |name: &str| {
        let of = line(name);
        let record = model(&world.store, &of, |record| record.supplied_by = Some(supplied.clone()));
        world.store.begin_run(&record.run_id, &of).unwrap();
        world.store.finish_run(&record.run_id, walkforward_store::RunOutcome::Held, None).unwrap();
        format!("/api/models/{}/approve", record.model_id)
    };
    let (one, other) = (judged_by_file("btc"), judged_by_file("eth"));
    assert_eq!(world.post(&one, &json!({ "reason": "first" })).status, 200);
    let refused = world.post(&other, &json!({ "reason": "second" }));
    assert_eq!(refused.status, 409);
    assert!(refused.detail().contains("has promoted a model since"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_is_pinned_and_unpinned_and_the_events_say_why() {
    let world = World::new().await;
    let id = champion(&world.store, &line("btc"));
    let (pin, unpin) = (format!("/api/models/{id}/pin"), format!("/api/models/{id}/unpin"));
    assert_eq!(world.post(&unpin, &json!({ "reason": "is it?" })).status, 409);
    let pinned = world.post(&pin, &json!({ "reason": "the best of June" }));
    assert_eq!((pinned.status, pinned.json()["pin"]["reason"].clone()), (200, json!("the best of June")));
    assert_eq!(world.post(&unpin, &json!({ "reason": "July is better" })).json()["pin"], json!(null));
    let events = world.store.events_after(0, 100).unwrap();
    let told: Vec<_> = events
        .iter()
        .filter(|event| event.kind.contains("pinned"))
        .map(|event| (event.kind.as_str(), event.payload["reason"].as_str().unwrap()))
        .collect();
    assert_eq!(told, [("model_pinned", "the best of June"), ("model_unpinned", "July is better")]);
}
