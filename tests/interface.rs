//! What the page does, over HTTP, with the real server, its workers and its traders.

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::{Value, json};

use crate::support::World;
use crate::support::http::Api;
use crate::support::server::{Server, eventually};

/// A schedule whose cycles are small and all promoted; due by itself once in the test at most.
fn schedule(base: &str) -> Value {
    json!({
        "id": "btc",
        "base_experiment_id": base,
        "interval_hours": 24,
        "window_candles": 1500,
        "iterations_per_cycle": 2,
        "preset": "thresholds",
        "settings": lenient(),
    })
}

fn lenient() -> Value {
    json!({
        "data.holdout_bars": "300",
        "gate.min_win_rate": "0",
        "gate.max_drawdown": "1",
        "gate.min_pnl_per_trade": "-1",
    })
}

/// A server that trains on the same bars again, because an hour is longer than a test.
fn serve(world: &World) -> (Server, Api) {
    let file = world.file("own.toml", "[schedule]\non_no_new_bars = \"run\"\n");
    let mut server = Server::start(world, &["--listen", "127.0.0.1:0", "--config", &file]);
    let api = Api::of(world, &mut server);
    (server, api)
}

fn training() -> Value {
    json!({ "id": "first", "settings": {
        "data.window_bars": "1500", "data.holdout_bars": "300", "training.iterations": "2", "training.seed": "7",
    }})
}

/// A trader that outlives a failed test is ended with it.
struct Trader(Pid);

impl Trader {
    /// The one that works in the folder of `world`.
    fn of(world: &World) -> Self {
        let folder = world.path("").canonicalize().unwrap();
        let is_it = |entry: &std::fs::DirEntry| {
            let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let works_there = std::fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd == folder);
            works_there && String::from_utf8_lossy(&line).contains("live-trader")
        };
        let mut found = std::fs::read_dir("/proc").unwrap().flatten().filter(is_it);
        let pid = found.find_map(|entry| entry.file_name().to_str()?.parse().ok());
        Self(pid.and_then(Pid::from_raw).expect("a trader in this folder"))
    }

    fn is_there(&self) -> bool {
        test_kill_process(self.0).is_ok()
    }
}

impl Drop for Trader {
    fn drop(&mut self) {
        let _ = kill_process(self.0, Signal::KILL);
    }
}

fn status(api: &Api, session: &str) -> Value {
    api.get(&format!("/api/live/sessions/{session}"))["status"].clone()
}

fn model_of(api: &Api, session: &str) -> Value {
    status(api, session)["model"]["model_id"].clone()
}

#[test]
fn a_training_a_schedule_from_it_and_a_trader_that_changes_its_model_and_outlives_the_server() {
    let world = World::new();
    let (mut server, api) = serve(&world);
    api.post("/api/training/launch", &training());
    let experiment = |id: &str| api.get(&format!("/api/experiments/{id}"));
    server.wait_for("experiment_finished", |it| it["experiment_id"] == "first");
    assert_eq!(experiment("first")["status"], "completed", "{}", experiment("first"));
    api.refused("/api/training/launch", &training(), 409);

    api.post("/api/continuous/start", &schedule("first"));
    api.refused("/api/continuous/start", &schedule("first"), 409);
    server.wait_for("continuous_cycle_complete", |data| data["cycle_number"] == 1);
    let cycle = api.get("/api/continuous/history")["cycles"][0].clone();
    assert!(cycle["status"] == "promoted" && cycle["deployed"] == true, "{cycle}");

    let wanted = json!({ "source": "synthetic", "speed": "36000" });
    let session = api.post("/api/live/start", &wanted)["session_id"].as_str().unwrap().to_owned();
    let trader = Trader::of(&world);
    api.refused("/api/live/start", &wanted, 409);
    eventually("ten bars", || status(&api, &session)["bars"].as_u64() > Some(10));
    let first = model_of(&api, &session);
    assert_eq!(first, cycle["model_id"]);
    api.post("/api/schedules/btc/trigger", &json!({}));
    eventually("another model", || model_of(&api, &session) != first);

    kill_process(Pid::from_raw(server.pid()).unwrap(), Signal::KILL).unwrap();
    drop(server);
    let bars = |record: &&Value| record["record"] == "bar";
    let before = world.journal("data/live/paper-default").iter().filter(bars).count() as u64;
    let (mut server, api) = serve(&world);
    eventually("more bars", || status(&api, &session)["bars"].as_u64() > Some(before));
    let verb = |verb: &str, body: Value| api.post(&format!("/api/live/sessions/{session}/{verb}"), &body);
    assert_eq!(verb("kill", json!({ "reason": "enough" }))["mode"], "halted");
    assert_eq!(verb("resume", json!({ "acknowledge": "it was a test" }))["mode"], "active");
    verb("stop", json!({}));
    eventually("the trader's end", || !trader.is_there());
    // The session's journal is carried over, and what came over the interface is there already.
    let acts = api.get("/api/audit?limit=1000")["acts"].as_array().unwrap().clone();
    assert_eq!(acts.iter().filter(|act| act["reason"] == "enough").count(), 1, "{acts:?}");
    assert!(acts.iter().all(|act| act["actor"] == "interface:trade"), "{acts:?}");
    server.stop_well();
}
