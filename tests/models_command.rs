//! `orchestrate models`: lists, pins, goes back, takes weights away.

use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::live_trader::wait_until;
use crate::support::{GOOD_METRICS, Ran, World};

/// Supplied metrics that no default threshold lets through.
const BAD_METRICS: &[(&str, &str)] = &[("EVAL_WIN_RATE", "0.1")];
/// Lets everything go that nothing else keeps.
const ALL: &[&str] = &["prune", "--keep-last", "0", "--keep-days", "0"];
const UNKNOWN: &str = "model-2020-01-01T00-00-00-000Z";

fn models(world: &World, args: &[&str]) -> Ran {
    world.orchestrate(&[&["models"], args].concat(), &[])
}

fn id(report: &Value) -> String {
    report["modelId"].as_str().unwrap().to_owned()
}

fn train(world: &World, seed: &str, metrics: &[(&str, &str)]) -> String {
    id(&world.once(&["--seed", seed], metrics).expect_code(0).json())
}

fn champion(world: &World) -> String {
    id(&world.read_json("models/latest.json"))
}

fn has_weights(world: &World, model: &str) -> bool {
    world.path(&format!("models/{model}/policy.safetensors")).exists()
}

/// Asserts that every line has room on a terminal of 80 columns.
fn assert_narrow(text: &str) {
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

#[test]
fn models_are_listed_and_pruned_with_the_reason_for_each() {
    let world = World::new();
    let rejected = train(&world, "1", BAD_METRICS);
    let pinned = train(&world, "2", BAD_METRICS);
    let promoted = train(&world, "3", GOOD_METRICS);
    models(&world, &["pin", &pinned, "--reason", "to be looked at"]).expect_code(0);
    let listed = models(&world, &["list"]).expect_code(0).stdout;
    assert_narrow(&listed);
    for part in [&format!("{promoted}  default  promoted"), "champion", "rejected", "pinned"] {
        assert!(listed.contains(part), "no '{part}' in:\n{listed}");
    }
    let newest = models(&world, &["list", "--json", "--limit", "1"]).expect_code(0).json();
    assert_eq!(
        (&newest["models"][0]["model"], &newest["models"][0]["champion"]),
        (&promoted.clone().into(), &true.into())
    );
    assert_eq!(newest["models"].as_array().unwrap().len(), 1);

    let dry = models(&world, &[ALL, &["--dry-run"]].concat()).expect_code(0).stdout;
    assert_narrow(&dry);
    for part in
        ["would be removed: the weights of 1 model", "pinned: to be looked at", "champion of line 'default'"]
    {
        assert!(dry.contains(part), "no '{part}' in:\n{dry}");
    }
    assert!(has_weights(&world, &rejected));
    let kept = models(&world, &["prune", "--dry-run", "--json"]).expect_code(0).json();
    assert_eq!((kept["removed"].as_array().unwrap().len(), &kept["kept_models"]), (0, &3.into()));

    let pruned = models(&world, &[ALL, &["--json"]].concat()).expect_code(0).json();
    assert_eq!(pruned["removed"][0]["model"], rejected);
    assert!(pruned["freed_bytes"].as_u64().unwrap() > 10_000, "{pruned}");
    assert!(
        !has_weights(&world, &rejected) && has_weights(&world, &pinned) && has_weights(&world, &promoted)
    );
    let removed = world.read_json(&format!("models/{rejected}/metadata.json"));
    assert_eq!(
        (&removed["status"], &removed["weightsRemoved"]["by"]),
        (&"rejected".into(), &"retention".into())
    );
    assert!(world.path(&format!("models/{rejected}/evaluation.json")).exists());
    let shown = models(&world, &["show", &rejected]).expect_code(0).stdout;
    assert!(shown.contains("its weights were removed on") && shown.contains("by retention"), "{shown}");
    models(&world, &["pin", &rejected, "--reason", "too late"]).expect_refusal(&["its weights are gone"]);
    world.orchestrate(&["evaluate", &rejected], &[]).expect_code(2);

    models(&world, &["unpin", &pinned]).expect_code(0);
    assert_eq!(models(&world, &[ALL, &["--json"]].concat()).json()["removed"][0]["model"], pinned);
    world.promote();
}

#[test]
fn a_model_tells_what_it_was_made_from_and_what_became_of_it() {
    let world = World::new();
    let first = world.promote();
    let second =
        id(&world.once(&["--seed", "9", "--parent", "champion"], GOOD_METRICS).expect_code(0).json());
    let shown = models(&world, &["show", "champion"]).expect_code(0).stdout;
    for part in [
        &second,
        "line      default, BTC/USD 1h",
        "seed 9",
        "sha256",
        "verdict   promote (thresholds)",
        "champion  since",
    ] {
        assert!(shown.contains(part), "no '{part}' in:\n{shown}");
    }
    assert!(shown.contains(&format!("parent    {}", id(&first))), "{shown}");
    let about = models(&world, &["show", &id(&first), "--json"]).expect_code(0).json();
    assert_eq!(about["record"]["sha256"], first["sha256"]);
    assert_eq!((&about["champion"], about["promotions"].as_array().unwrap().len()), (&false.into(), 2));
    assert!(about["weights_problem"].is_null());
}

#[test]
fn a_rollback_moves_the_pointer_back_and_is_in_the_history() {
    let world = World::new();
    let first = train(&world, "1", GOOD_METRICS);
    models(&world, &["rollback", "--reason", "x"])
        .expect_refusal(&["nothing to go back to", "first champion"]);
    let second = train(&world, "2", GOOD_METRICS);
    let never = train(&world, "3", BAD_METRICS);
    let done = models(&world, &["rollback", "--reason", "it loses money"]).expect_code(0).stdout;
    assert_eq!(done, format!("line 'default': {second} -> {first}\n"));
    assert_eq!(champion(&world), first);
    assert_eq!(world.read_json("models/latest.json")["sequence"], 3);
    let shown = models(&world, &["show", &second]).expect_code(0).stdout;
    assert!(
        shown.contains(&format!("until, then {first},")) && shown.contains("rollback: it loses money"),
        "{shown}"
    );
    models(&world, &["rollback", "--reason", "x", "--to", &never]).expect_refusal(&["was never champion"]);
    models(&world, &["rollback", "--reason", "x", "--to", &first]).expect_refusal(&["champion already"]);
    models(&world, &["rollback", "--reason", " "]).expect_refusal(&["--reason"]);
    let again = models(&world, &["rollback", "--reason", "after all", "--to", &second, "--json"])
        .expect_code(0)
        .json();
    assert_eq!((&again["from"], &again["to"]), (&first.into(), &second.clone().into()));
    assert_eq!(champion(&world), second);
}

#[test]
fn unknown_models_and_lines_are_refused_with_how_to_list_them() {
    let world = World::new();
    let none = models(&world, &["list"]).expect_code(0).stdout;
    assert!(none.contains("there are no models"), "{none}");
    world.promote();
    for args in [
        &["show", UNKNOWN][..],
        &["show", "latest"],
        &["pin", UNKNOWN, "--reason", "x"],
        &["unpin", UNKNOWN],
        &["rollback", "--to", UNKNOWN, "--reason", "x"],
    ] {
        models(&world, args).expect_refusal(&["`orchestrate models list` shows all"]);
    }
    models(&world, &["unpin", "champion"]).expect_refusal(&["not pinned"]);
    models(&world, &["rollback", "--line", "other", "--reason", "x"])
        .expect_refusal(&["line 'other'", "no champion"]);
    models(&world, &["show", "champion", "--line", "other"]).expect_refusal(&["no champion"]);
}

#[test]
fn weights_that_a_trader_has_loaded_stay_until_it_has_swapped() {
    let world = World::new();
    let first = train(&world, "1", GOOD_METRICS);
    let mut trader = world
        .command("live-trader")
        .args(["--speed", "72000", "--bars", "100000", "--journal", "journal", "--quiet"])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let pid = Pid::from_raw(i32::try_from(trader.id()).unwrap()).unwrap();
    let decided = |model: &str| {
        world.journal("journal").iter().any(|it| it["record"] == "bar" && it["model"]["model_id"] == model)
    };
    wait_until("a bar of the first model", || decided(&first));
    // Held still, it does not see that others became champion.
    kill_process(pid, Signal::STOP).unwrap();
    let last = ["2", "3", "4"].map(|seed| train(&world, seed, GOOD_METRICS))[2].clone();
    let loaded = models(&world, &[ALL, &["--json"]].concat()).expect_code(0).json();
    let kept = loaded["kept"].as_array().unwrap();
    let why = kept.iter().find(|kept| kept["model"] == first.as_str()).unwrap();
    assert_eq!(why["why"], "loaded by a trader or a training");
    assert!(has_weights(&world, &first));
    kill_process(pid, Signal::CONT).unwrap();
    wait_until("the swap", || decided(&last));
    wait_until("the first model's end", || {
        models(&world, ALL).expect_code(0);
        !has_weights(&world, &first)
    });
    kill_process(pid, Signal::TERM).unwrap();
    assert!(trader.wait().unwrap().success());
}
