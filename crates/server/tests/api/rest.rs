//! Events, metrics, health, and what the whole server refuses.

use serde_json::json;

use crate::client::{Ask, description};
use crate::world::{JSON, READ, TRADE, World};

#[tokio::test(flavor = "multi_thread")]
async fn events_are_read_on_from_the_last_known_one() {
    let world = World::new().await;
    for number in 1..=5 {
        world.store.record_event("test", &json!({ "number": number })).unwrap();
    }
    let first = world.json("/api/events?limit=3");
    let last = first["next_after"].as_i64().unwrap();
    assert_eq!((&first["events"][2]["seq"], &first["events"][2]["type"]), (&json!(last), &json!("test")));
    let rest = world.json(&format!("/api/events?after={last}"));
    assert_eq!((&rest["events"][1]["data"], &rest["next_after"]), (&json!({ "number": 5 }), &json!(null)));
    assert_eq!(world.get("/api/events?after=-1").status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metrics_count_what_the_server_does() {
    let world = World::new().await;
    let figure = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(&format!("{name} "))).map(str::to_owned);
        line.unwrap_or_else(|| panic!("no {name} in {text}"))
    };
    let empty = world.get("/metrics");
    assert_eq!(empty.status, 200);
    assert!(empty.header("content-type").unwrap().starts_with("text/plain; version=0.0.4"));
    assert_eq!(figure(&empty.text, "walkforward_last_event"), "walkforward_last_event 0");
    assert_eq!(world.post("/api/schedules", &json!({ "interval_hours": 6 })).status, 201);
    assert_eq!(world.post("/api/training/launch", &json!({ "id": "one" })).status, 202);
    for _ in 0..40 {
        world.store.record_event("test", &json!({})).unwrap();
    }
    while world.json("/api/schedules/btc")["running_cycle"] != 1 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let newest = world.store.events_after(0, 1_000).unwrap().last().unwrap().seq;
    let text = world.get("/metrics").text;
    assert_eq!(figure(&text, "walkforward_last_event"), format!("walkforward_last_event {newest}"));
    for line in [
        "walkforward_schedules{status=\"active\"} 1",
        "walkforward_newest_cycles{status=\"running\"} 1",
        "walkforward_cycles_running 1",
        "walkforward_experiments_running 1",
        "walkforward_can_record 1",
    ] {
        assert!(text.lines().any(|it| it == line), "no {line} in {text}");
    }
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(name.starts_with("walkforward_") && value.parse::<f64>().is_ok(), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_readiness_are_told_to_everybody_and_the_description_is_served() {
    let world = World::new().await;
    let open = |path| world.ask(&Ask { method: "GET", path, token: None, headers: "", body: None }).json();
    assert_eq!(open("/api/health")["status"], "ok");
    assert_eq!(open("/api/ready")["status"], "ok");
    assert_eq!(&open("/api/openapi.json"), description());
}

#[tokio::test(flavor = "multi_thread")]
async fn another_site_s_page_and_another_host_s_request_are_refused_whatever_they_show() {
    let world = World::new().await;
    let ask = |headers: &str, method, path| {
        world.ask(&Ask { method, path, token: Some(TRADE), headers, body: Some("{}") }).status
    };
    let foreign = format!("{JSON}origin: http://evil.example\r\n");
    assert_eq!(ask(&foreign, "GET", "/api/lines"), 403);
    assert_eq!(ask(&foreign, "POST", "/api/live/sessions/btc/kill"), 403);
    let own = format!("origin: http://{}\r\n", world.address);
    assert_eq!(ask(&own, "GET", "/api/lines"), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_guesses_tokens_is_held_up_and_who_has_one_is_not() {
    let world = World::new().await;
    let guess = || {
        let token = Some("guess-guess-guess-guess");
        world.ask(&Ask { method: "GET", path: "/api/lines", token, headers: "", body: None }).status
    };
    let mut guesses = 0;
    while guess() == 401 {
        guesses += 1;
        assert!(guesses < 10_000);
    }
    assert!(guesses >= 100, "{guesses}");
    let ask = Ask { method: "GET", path: "/api/lines", token: Some(READ), headers: "", body: None };
    assert_eq!(world.ask(&ask).status, 200);
}
