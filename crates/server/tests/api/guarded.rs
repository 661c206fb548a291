//! What every route refuses, taken from the description so that none is forgotten.

use serde_json::{Value, json};

use crate::client::{Ask, description};
use crate::world::{JSON, READ, TRADE, World};

/// Asks for the token in its first message: its own tests are about that.
const SOCKET: &str = "/ws";
/// Routes that ask for no token.
const OPEN: [&str; 3] = ["/api/health", "/api/ready", "/api/openapi.json"];

/// A route of the description.
struct Route {
    method: String,
    path: String,
    needs_trade: bool,
    body: Option<&'static Value>,
}

/// Every route that asks for a token, with ids of nothing.
fn routes() -> Vec<Route> {
    let mut routes = Vec::new();
    for (template, place) in description()["paths"].as_object().unwrap() {
        if OPEN.contains(&template.as_str()) || template == SOCKET {
            continue;
        }
        for (method, operation) in place.as_object().unwrap() {
            let scope = &operation["security"][0]["token"][0];
            assert!(scope == "read" || scope == "trade", "{method} {template} says no scope");
            routes.push(Route {
                method: method.to_uppercase(),
                path: filled(template),
                needs_trade: scope == "trade",
                body: operation.get("requestBody"),
            });
        }
    }
    assert!(routes.len() > 40, "{}", routes.len());
    routes
}

/// The path with names that are well formed and that nobody has.
fn filled(template: &str) -> String {
    let id = match template {
        _ if template.starts_with("/api/models") => "model-2020-01-01T00-00-00-000Z",
        _ if template.starts_with("/api/data/") => "2020-01-01T00-00-00-000Z",
        _ => "nobody",
    };
    let verb = if template.starts_with("/api/live") { "stop" } else { "pause" };
    let fill =
        [("{id}", id), ("{line}", "nobody"), ("{number}", "1"), ("{verb}", verb), ("{decision}", "pin")];
    fill.iter().fold(template.to_owned(), |path, (hole, name)| path.replace(hole, name))
}

impl Route {
    fn ask(&self, world: &World, token: Option<&str>, headers: &str, body: Option<&str>) -> u16 {
        world.ask(&Ask { method: &self.method, path: &self.path, token, headers, body }).status
    }

    fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// Something that the route's body could be as far as its form goes.
    fn empty_body(&self) -> Option<&'static str> {
        self.body.map(|_| "{}")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_nothing_is_told_and_nothing_done() {
    let world = World::new().await;
    for route in routes() {
        assert_eq!(route.ask(&world, None, JSON, route.empty_body()), 401, "{}", route.name());
    }
    for path in OPEN {
        let answer = world.ask(&Ask { method: "GET", path, token: None, headers: "", body: None });
        assert_eq!(answer.status, 200, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_somebody_else_is_none() {
    let world = World::new().await;
    for route in routes() {
        let wrong = Some("trade_trade_trade_trada");
        assert_eq!(route.ask(&world, wrong, JSON, route.empty_body()), 401, "{}", route.name());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_read_changes_nothing() {
    let world = World::new().await;
    let changing: Vec<Route> = routes().into_iter().filter(|route| route.needs_trade).collect();
    assert!(changing.len() > 15, "{}", changing.len());
    for route in &changing {
        assert_eq!(route.ask(&world, Some(READ), JSON, route.empty_body()), 403, "{}", route.name());
    }
    for route in routes().iter().filter(|route| !route.needs_trade) {
        assert_eq!(route.method, "GET", "{} changes something", route.name());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_no_json_not_said_to_be_or_has_other_fields_is_refused() {
    let world = World::new().await;
    let with_body: Vec<Route> = routes().into_iter().filter(|route| route.body.is_some()).collect();
    assert!(with_body.len() > 12, "{}", with_body.len());
    for route in with_body {
        let ask = |headers, body| route.ask(&world, Some(TRADE), headers, Some(body));
        assert_eq!(ask(JSON, "{\"cut"), 400, "{}", route.name());
        assert_eq!(ask("content-type: text/plain\r\n", "{}"), 415, "{}", route.name());
        assert_eq!(ask(JSON, "{\"surprise\": 1}"), 422, "{}", route.name());
        let long = json!({ "reason": "x".repeat(300 << 10) }).to_string();
        assert_eq!(ask(JSON, &long), 413, "{}", route.name());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_has_made_is_not_there() {
    let world = World::new().await;
    let body = |route: &Route| match route.path.as_str() {
        path if path.starts_with("/api/packs") => Some(json!({ "name": "x", "config": {} })),
        path if path.starts_with("/api/datasets") => Some(json!({ "name": "x", "source_type": "synthetic" })),
        path if path.contains("rollback") || path.starts_with("/api/models") => {
            Some(json!({ "reason": "x" }))
        }
        _ => route.body.map(|_| json!({})),
    };
    let of_something: Vec<Route> =
        routes().into_iter().filter(|route| route.path.contains("/nobody")).collect();
    assert!(of_something.len() > 20, "{}", of_something.len());
    for route in of_something {
        let body = body(&route).map(|body| body.to_string());
        assert_eq!(route.ask(&world, Some(TRADE), JSON, body.as_deref()), 404, "{}", route.name());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_can_t_be_read_is_refused() {
    let world = World::new().await;
    for path in ["/api/experiments?limit=0", "/api/events?limit=1001", "/api/models?line=No%20Line"] {
        assert_eq!(world.get(path).status, 422, "{path}");
    }
    for path in ["/api/experiments?limit=some", "/api/models?surprise=1", "/api/events?after=x"] {
        assert_eq!(world.get(path).status, 400, "{path}");
    }
    for path in ["/api/experiments/No", "/api/models/no-model", "/api/live/sessions/%2e%2e", "/api/packs/A"] {
        assert_eq!(world.get(path).status, 422, "{path}");
    }
    assert_eq!(world.get("/api/nowhere").status, 404);
    assert_eq!(world.delete("/api/events").status, 405);
    assert_eq!(world.post("/api/models/model-2020-01-01T00-00-00-000Z/fly", &json!({})).status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_tokens_lets_everybody_on_its_machine_do_everything() {
    let world = World::with(None).await;
    let ask = |method, path, body| world.ask(&Ask { method, path, token: None, headers: JSON, body }).status;
    assert_eq!(ask("GET", "/api/lines", None), 200);
    assert_eq!(ask("POST", "/api/schedules", Some("{\"interval_hours\": 6}")), 201);
}
