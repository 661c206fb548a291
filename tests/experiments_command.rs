//! `orchestrate experiments`, `packs` and `datasets`.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::server::{Server, eventually};
use crate::support::{GOOD_METRICS, SMALL, World};

const ENDLESS: &[&str] = &["--window-bars", "1500", "--holdout-bars", "300", "--iterations", "1000000"];

fn show(world: &World, id: &str) -> Value {
    world.orchestrate(&["experiments", "show", id, "--json"], &[]).expect_code(0).json()
}

fn status(world: &World, id: &str) -> Option<String> {
    let ran = world.orchestrate(&["experiments", "show", id, "--json"], &[]);
    (ran.code == Some(0)).then(|| ran.json()["status"].as_str().unwrap().to_owned())
}

#[test]
fn a_training_without_a_schedule_is_judged_promoted_and_recorded() {
    let world = World::new();
    let args = [&["experiments", "run", "--id", "first", "--json"], SMALL].concat();
    let report = world.orchestrate(&args, GOOD_METRICS).expect_code(0).json();
    assert_eq!(report["outcome"], "promoted");
    let shown = show(&world, "first");
    assert_eq!((&shown["status"], &shown["script"]), (&json!("completed"), &json!("run")));
    assert_eq!((&shown["model_id"], &shown["run_id"]), (&report["modelId"], &report["runId"]));
    assert_eq!(shown["config"]["settings"]["training.seed"], "7");
    assert_eq!(shown["config"]["training_config"]["iterations"], 2);
    assert_eq!(world.read_json("models/latest.json")["modelId"], report["modelId"]);
    world.orchestrate(&args, GOOD_METRICS).expect_refusal(&["'first'", "exists already"]);
    let listed = world.orchestrate(&["experiments", "list", "--line", "other", "--json"], &[]);
    assert_eq!(listed.expect_code(0).json(), json!([]));
    let words = world.orchestrate(&["experiments", "list"], &[]).expect_code(0).stdout;
    assert!(words.contains("first") && words.lines().all(|line| line.chars().count() <= 80), "{words}");
}

#[test]
fn a_training_in_another_process_can_be_cancelled() {
    let world = World::new();
    let mut command = world.command("orchestrate");
    command.args(["experiments", "run", "--id", "long", "--quiet"]).args(ENDLESS);
    let mut run = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    eventually("the training starts", || status(&world, "long").as_deref() == Some("running"));
    let cancelled =
        world.orchestrate(&["experiments", "cancel", "long", "--json"], &[]).expect_code(0).json();
    assert_eq!(cancelled["status"], "cancelled");
    assert_ne!(run.wait().unwrap().code(), Some(0));
    world.orchestrate(&["experiments", "cancel", "long"], &[]).expect_refusal(&["cancelled already"]);
    for command in ["cancel", "show"] {
        let ran = world.orchestrate(&["experiments", command, "nobody"], &[]);
        ran.expect_refusal(&["'nobody'", "orchestrate experiments list"]);
    }
}

#[test]
fn a_server_trains_in_turn_what_is_left_to_it() {
    let world = World::new();
    let detached = ["experiments", "run", "--id", "long", "--detach", "--json"];
    let alone = world.orchestrate(&[&detached[..], ENDLESS].concat(), &[]);
    alone.expect_refusal(&["--detach", "orchestrate serve"]);
    let mut server = Server::start(&world, &[]);
    world.orchestrate(&[&detached[..], ENDLESS].concat(), &[]).expect_code(0);
    eventually("the training starts", || status(&world, "long").as_deref() == Some("running"));
    for (line, part) in
        [("default", "busy with experiment 'long'"), ("other", "experiment 'long' is running")]
    {
        let run = [&["experiments", "run", "--line", line], SMALL].concat();
        let busy = world.orchestrate(&run, &[]).expect_code(1);
        assert!(busy.stderr.contains(part), "{}", busy.stderr);
    }
    world.orchestrate(&["experiments", "cancel", "long"], &[]).expect_code(0);
    server.wait_for("experiment_finished", |data| data["outcome"] == "cancelled");
    let args = [&["experiments", "run", "--id", "short", "--json"], SMALL].concat();
    let ended = world.orchestrate(&args, GOOD_METRICS).expect_code(0).json();
    assert_eq!(
        (&ended["status"], &ended["final_metrics"]["outcome"]),
        (&json!("completed"), &json!("promoted"))
    );
    server.wait_for("experiment_finished", |data| data["outcome"] == "promoted");
    // The result of a training is not the answer to another one.
    world.orchestrate(&args, GOOD_METRICS).expect_refusal(&["'short'", "choose another id"]);
    server.stop_well();
}

#[test]
fn a_pack_is_checked_by_its_trainer_and_used_by_its_id() {
    let world = World::new();
    let pack = |name: &str, config: Value| {
        world.file(name, json!({ "id": "tiny", "name": "Tiny", "config": config }).to_string())
    };
    let add = |file: &str, more: &[&str]| world.orchestrate(&[&["packs", "add", file], more].concat(), &[]);
    let bad = pack("bad.json", json!({ "learning_rate": -1 }));
    add(&bad, &[]).expect_refusal(&["pack 'tiny'", "learning_rate is -1"]);
    add(&world.file("torn.json", "{\"id\": \"t"), &[]).expect_refusal(&["torn.json"]);
    add("absent.json", &[]).expect_refusal(&["absent.json"]);
    world.expect_untouched();
    let good = pack("good.json", json!({ "iterations": 2, "hidden": [8] }));
    add(&good, &["--quiet"]).expect_code(0);
    add(&good, &[]).expect_refusal(&["'tiny'", "exists already"]);
    let used = ["--pack", "tiny", "--window-bars", "1500", "--holdout-bars", "300"];
    world.orchestrate(&[&["schedules", "add", "btc", "--quiet"], &used[..]].concat(), &[]).expect_code(0);
    world.orchestrate(&["packs", "remove", "tiny"], &[]).expect_refusal(&["'tiny'", "schedule 'btc'"]);
    let run = [&["experiments", "run", "--id", "e", "--quiet"], &used[..]].concat();
    world.orchestrate(&run, &[]).expect_code(0);
    assert_eq!(show(&world, "e")["config"]["training_config"]["hidden"], json!([8]));
    world.orchestrate(&["schedules", "remove", "btc"], &[]).expect_code(0);
    world.orchestrate(&["packs", "remove", "tiny"], &[]).expect_code(0);
    world.orchestrate(&["packs", "show", "tiny"], &[]).expect_refusal(&["'tiny'", "packs list"]);
    let listed = world.orchestrate(&["packs", "list", "--json"], &[]).expect_code(0).json();
    assert_eq!(listed.as_array().unwrap().len(), 6);
}

#[test]
fn a_dataset_configuration_gives_what_the_settings_do_not_say() {
    let world = World::new();
    let dataset = |name: &str, config: Value| {
        let record = json!({
            "id": "mine", "name": "Mine", "source_type": "synthetic", "source_config": config,
            "split_config": { "window_bars": 1500, "holdout_bars": 300 },
        });
        world.file(name, record.to_string())
    };
    let add = |file: &str| world.orchestrate(&["datasets", "add", file], &[]);
    for (config, part) in [
        (json!({ "data": { "windows": 1 } }), "data.windows"),
        (json!({ "paths": { "data_dir": "x" } }), "'paths'"),
        (json!({ "data": { "embargo_bars": 1400 } }), "data.embargo_bars"),
    ] {
        add(&dataset("bad.json", config)).expect_refusal(&["dataset configuration 'mine'", part]);
        world.expect_untouched();
    }
    add(&dataset("good.json", json!({ "data": { "symbol": "ETH/USD" } }))).expect_code(0);
    let run = ["experiments", "run", "--dataset", "mine", "--iterations", "2", "--line", "eth", "--json"];
    let report = world.orchestrate(&run, GOOD_METRICS).expect_code(0).json();
    assert_eq!((&report["symbol"], &report["windowBars"]), (&json!("ETH/USD"), &json!(1500)));
    world.orchestrate(&["datasets", "remove", "mine"], &[]).expect_code(0);
    world.orchestrate(&run, &[]).expect_refusal(&["'mine'", "datasets list"]);
}
