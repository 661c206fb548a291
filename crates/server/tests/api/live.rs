//! Sessions: told from the database and from those that run, and told what to do.

use serde_json::{Value, json};
use walkforward_core::ControlCommand;
use walkforward_store::{LiveChallenger, LiveRule, LiveWatch};

use crate::made::{line, session, time};
use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn sessions_that_run_come_first_and_each_is_told_once() {
    let world = World::new().await;
    for (id, of) in [("old-1", "btc"), ("old-2", "eth"), ("both", "btc")] {
        session(&world.store, id, of);
    }
    world.sessions.run("both", false);
    world.sessions.run("fresh", false);
    world.sessions.run("mute", true);
    let told = |path: &str| {
        let page = world.json(path);
        let rows = page["sessions"].as_array().unwrap();
        rows.iter()
            .map(|row| format!("{}:{}", row["session_id"].as_str().unwrap(), row["running"]))
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(told("/api/live/sessions"), "both:true fresh:true old-2:false old-1:false");
    assert_eq!(told("/api/live/sessions?line=eth"), "old-2:false");
    assert_eq!(told("/api/live/sessions?line=btc&limit=1"), "both:true fresh:true");
    assert_eq!(world.json("/api/live/sessions?line=btc&limit=1")["next_before"], 3);
    assert_eq!(told("/api/live/sessions?line=btc&limit=1&before=3"), "old-1:false");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_told_as_it_was_carried_over_and_as_it_answers() {
    let world = World::new().await;
    session(&world.store, "old", "btc");
    let old = world.json("/api/live/sessions/old");
    assert_eq!((&old["running"], &old["status"], &old["bars"]), (&json!(false), &json!(null), &json!(3)));
    assert_eq!((&old["end_reason"], &old["model"]["model_version"]), (&json!("asked to"), &json!(1)));
    world.sessions.run("old", false);
    let on = world.json("/api/live/sessions/old");
    assert_eq!(
        (&on["running"], &on["end_reason"], &on["status"]["bars"]),
        (&json!(true), &json!(null), &json!(7))
    );
    world.sessions.run("fresh", false);
    let fresh = world.json("/api/live/sessions/fresh");
    assert_eq!((&fresh["number"], &fresh["position"]), (&json!(null), &json!(0.5)));
    world.sessions.run("mute", true);
    assert_eq!(world.get("/api/live/sessions/mute").status, 503);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_journal_told_is_read_page_by_page() {
    let world = World::new().await;
    session(&world.store, "old", "btc");
    let first = world.json("/api/live/sessions/old/bars?limit=2");
    assert_eq!((first["bars"][0]["number"].clone(), first["next_after"].clone()), (json!(1), json!(2)));
    let rest = world.json("/api/live/sessions/old/bars?limit=2&after=2");
    assert_eq!((rest["bars"][0]["close"].clone(), rest["next_after"].clone()), (json!(100.0), json!(null)));
    let candle = |bar: &Value| ["open", "high", "low", "volume"].map(|key| bar[key].clone());
    assert_eq!(candle(&first["bars"][0]), [(); 4].map(|()| json!(null)), "its version kept closes alone");
    assert_eq!(candle(&first["bars"][1]), [99.0, 102.0, 98.5, 12.5].map(|value| json!(value)));
    let fills = world.json("/api/live/sessions/old/fills");
    assert_eq!((&fills["fills"][0]["side"], &fills["fills"][0]["quantity"]), (&json!("buy"), &json!(1.5)));
    let swaps = world.json("/api/live/sessions/old/swaps");
    assert_eq!(swaps["swaps"][0]["model"]["model_version"], 1);
    let events = world.json("/api/live/sessions/old/events");
    assert_eq!(
        (&events["events"][0]["kind"], &events["events"][0]["details"]),
        (&json!("warning"), &json!({ "n": 1 }))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_decides_beside_a_session_is_told_as_its_watch_told_it() {
    let world = World::new().await;
    session(&world.store, "old", "btc");
    let path = "/api/live/sessions/old/shadows";
    assert_eq!(world.json(path), json!({ "watch": null }));
    let model = |number: u64| format!("model-2024-01-01T00-00-00-{number:03}Z").parse().unwrap();
    let watch = LiveWatch {
        close: Some(time("2024-01-01T03:00:00Z")),
        champion: Some(model(0)),
        anchor: None,
        bars: 3,
        champion_return: 0.01,
        anchor_return: 0.0,
        rules: vec![LiveRule { rule: "evidence".to_owned(), value: 0.9, limit: Some(20.0) }],
        challengers: vec![LiveChallenger {
            arm: world.store.register_arm(&line("btc"), &json!({ "arm": 1 })).unwrap(),
            model: model(1),
            since: Some(time("2024-01-01T01:00:00Z")),
            bars: 2,
            total_return: 0.03,
            champion_return: 0.005,
            position: Some(0.5),
            problem: None,
        }],
    };
    assert!(world.store.tell_live_watch(&"old".parse().unwrap(), &watch).unwrap());
    assert!(!world.store.tell_live_watch(&"nobody".parse().unwrap(), &watch).unwrap());
    let told = world.json(path)["watch"].clone();
    assert_eq!((&told["bars"], &told["anchor_model_id"]), (&json!(3), &json!(null)));
    assert_eq!(told["rules"], json!([{ "rule": "evidence", "value": 0.9, "limit": 20.0 }]));
    let challenger = &told["challengers"][0];
    assert_eq!((&challenger["bars"], &challenger["since"]), (&json!(2), &json!("2024-01-01T01:00:00.000Z")));
    assert_eq!((&challenger["total_return"], &challenger["champion_return"]), (&json!(0.03), &json!(0.005)));
    assert_eq!(world.get("/api/live/sessions/nobody/shadows").status, 404);
    assert_eq!(world.get("/api/live/sessions/No%20name/shadows").status, 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_command_reaches_the_session_as_it_was_meant() {
    let world = World::new().await;
    let session = world.sessions.run("btc-1", false);
    let tell = |verb: &str, body| world.post(&format!("/api/live/sessions/btc-1/{verb}"), &body);
    assert_eq!(tell("pause", json!({ "reason": "news" })).status, 200);
    assert_eq!(tell("reduce_only", json!({ "reason": "news" })).status, 200);
    assert_eq!(tell("stop", json!({})).status, 200);
    let killed = tell("kill", json!({ "reason": "wrong", "flatten": true }));
    assert_eq!((killed.status, killed.json()["mode"].clone()), (200, json!("halted")));
    assert_eq!(killed.json()["restriction"]["reason"], "wrong");
    let refused = tell("resume", json!({}));
    assert_eq!(refused.status, 422);
    assert!(refused.detail().contains("say why it may go on"), "{refused:?}");
    assert_eq!(tell("resume", json!({ "acknowledge": "looked into it" })).json()["mode"], "active");
    assert_eq!(tell("reload", json!({})).status, 409, "it refuses for now");
    let told = session.told.lock().unwrap().clone();
    let reason = |text: &str| text.parse().unwrap();
    assert_eq!(
        told,
        [
            ControlCommand::Pause { reason: reason("news") },
            ControlCommand::ReduceOnly { reason: reason("news") },
            ControlCommand::Stop {},
            ControlCommand::Kill { reason: reason("wrong"), flatten: true },
            ControlCommand::Resume { acknowledge: None },
            ControlCommand::Resume { acknowledge: Some(reason("looked into it")) },
            ControlCommand::Reload {},
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_lacks_something_or_has_too_much_reaches_nobody() {
    let world = World::new().await;
    let session = world.sessions.run("btc-1", false);
    let tell = |verb: &str, body| world.post(&format!("/api/live/sessions/btc-1/{verb}"), &body).status;
    for verb in ["pause", "reduce_only", "kill"] {
        assert_eq!(tell(verb, json!({})), 422, "{verb}");
        assert_eq!(tell(verb, json!({ "reason": "two\nlines" })), 422, "{verb}");
        assert_eq!(tell(verb, json!({ "reason": "x", "acknowledge": "y" })), 422, "{verb}");
    }
    for verb in ["resume", "stop", "reload"] {
        assert_eq!(tell(verb, json!({ "flatten": true })), 422, "{verb}");
        assert_eq!(tell(verb, json!({ "reason": "x" })), 422, "{verb}");
    }
    assert_eq!(tell("status", json!({})), 404);
    assert!(session.told.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ended_or_does_not_answer_can_t_be_told_anything() {
    let world = World::new().await;
    session(&world.store, "old", "btc");
    world.sessions.run("mute", true);
    let stop = |id: &str| world.post(&format!("/api/live/sessions/{id}/stop"), &json!({}));
    assert_eq!(stop("old").status, 409);
    assert_eq!(stop("nobody").status, 404);
    let mute = stop("mute");
    assert_eq!(mute.status, 503);
    assert!(!mute.text.contains("/secret"), "{mute:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trader_on_paper_is_started_or_its_refusal_told() {
    let world = World::new().await;
    let start = |body| world.post("/api/live/start", &body);
    let started = start(json!({ "line": "btc", "speed": "3600" }));
    assert_eq!((started.status, started.json()), (201, json!({ "session_id": "btc-new" })));
    assert_eq!(world.json("/api/live/sessions/btc-new")["running"], true);
    assert_eq!(start(json!({ "source": "csv" })).status, 422);
    assert_eq!(start(json!({ "source": "busy" })).status, 409);
    assert_eq!(start(json!({ "venue": "alpaca-live" })).status, 422, "there is no such field");
}
