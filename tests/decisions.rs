//! `orchestrate models approve|reject`: models that a gate let through and that were held.

use serde_json::{Value, json};

use crate::serve::{add, history};
use crate::support::server::Server;
use crate::support::{GOOD_METRICS, Ran, SMALL, World};

fn models(world: &World, args: &[&str]) -> Ran {
    world.orchestrate(&[&["models"], args].concat(), &[])
}

/// A run whose model is held.
fn hold(world: &World, seed: &str) -> String {
    let report = world.once(&["--seed", seed, "--auto-deploy=false"], GOOD_METRICS).expect_code(0).json();
    assert_eq!(report["outcome"], "held", "{report}");
    report["modelId"].as_str().unwrap().to_owned()
}

fn champion(world: &World) -> Value {
    world.read_json("models/latest.json")["modelId"].clone()
}

/// Status as people see it, by model.
fn listed(world: &World, model: &str) -> String {
    let table = models(world, &["list"]).expect_code(0).stdout;
    let row = table.lines().find(|line| line.starts_with(model)).unwrap_or_else(|| panic!("{table}"));
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    row.split_whitespace().nth(2).unwrap().to_owned()
}

#[test]
fn a_held_model_is_approved_with_a_reason_and_trades() {
    let world = World::new();
    let held = hold(&world, "1");
    assert!(!world.path("models/latest.json").exists());
    assert_eq!(listed(&world, &held), "held");
    let all = models(&world, &["list", "--json"]).expect_code(0).json();
    assert_eq!((&all["models"][0]["held"], &all["models"][0]["approvable"]), (&json!(true), &json!(true)));
    let shown = models(&world, &["show", &held]).expect_code(0).stdout;
    assert!(shown.contains("held: it waits for `orchestrate models approve`"), "{shown}");
    models(&world, &["approve", &held, "--reason", "  "]).expect_refusal(&["needs a reason"]);
    let done = models(&world, &["approve", &held, "--reason", "checked by hand", "--json"]);
    let done = done.expect_code(0).json();
    assert_eq!((&done["done"], &done["to"], &done["from"]), (&json!("approved"), &json!(held), &Value::Null));
    assert_eq!(champion(&world), *held);
    assert_eq!(listed(&world, &held), "promoted");
    let shown = models(&world, &["show", &held]).expect_code(0).stdout;
    assert!(shown.contains("promote: approved: checked by hand"), "{shown}");
    models(&world, &["approve", &held, "--reason", "x"]).expect_refusal(&["does not wait for approval"]);
    world.live_trader(&["--bars", "5"]).expect_code(0);
}

#[test]
fn a_rejected_model_trades_when_a_person_overrules_its_verdict() {
    let world = World::new();
    let rejected = world.once(&["--seed", "1"], &[("EVAL_WIN_RATE", "0.1")]).expect_code(0).json();
    let model = rejected["modelId"].as_str().unwrap();
    assert_eq!(rejected["outcome"], "rejected", "{rejected}");
    models(&world, &["approve", model, "--reason", "x"]).expect_refusal(&["does not wait for approval"]);
    let args = ["approve", model, "--overrule", "--reason", "a trial on paper"];
    models(&world, &args).expect_code(0);
    assert_eq!(champion(&world), *model);
    let shown = models(&world, &["show", model]).expect_code(0).stdout;
    assert!(shown.contains("promote: by hand: a trial on paper"), "{shown}");
    models(&world, &args).expect_refusal(&["champion already"]);
}

#[test]
fn an_approval_is_refused_once_another_champion_trades() {
    let world = World::new();
    let first = world.promote()["modelId"].clone();
    let held = hold(&world, "1");
    let second = world.once(&["--seed", "2"], GOOD_METRICS).expect_code(0).json()["modelId"].clone();
    let names = [&first, &second].map(|id| id.as_str().unwrap());
    models(&world, &["approve", &held, "--reason", "x"]).expect_refusal(&[
        "was compared with",
        names[0],
        names[1],
        "let a new cycle",
    ]);
    assert_eq!((champion(&world), listed(&world, &held).as_str()), (second, "outdated"));
    models(&world, &["rollback", "--reason", "it loses money"]).expect_code(0);
    assert_eq!(listed(&world, &held), "held");
    models(&world, &["approve", &held, "--reason", "x"]).expect_code(0);
}

#[test]
fn a_rejected_model_waits_no_longer() {
    let world = World::new();
    let held = hold(&world, "1");
    let done = models(&world, &["reject", &held, "--reason", "too few trades"]).expect_code(0).stdout;
    assert_eq!(done, format!("{held} is rejected: too few trades\n"));
    assert_eq!(listed(&world, &held), "rejected");
    let record = world.read_json(&format!("models/{held}/metadata.json"));
    assert_eq!(
        (&record["status"], &record["declined"]["reason"]),
        (&json!("rejected"), &json!("too few trades"))
    );
    let shown = models(&world, &["show", &held]).expect_code(0).stdout;
    assert!(shown.contains("rejected: it was declined on") && shown.contains("too few trades"), "{shown}");
    models(&world, &["approve", &held, "--reason", "x"]).expect_refusal(&["was declined", "too few trades"]);
    models(&world, &["reject", &held, "--reason", "x"]).expect_refusal(&["does not wait for approval"]);
    let trained = world.once(&["--seed", "2"], &[("EVAL_WIN_RATE", "0.1")]).expect_code(0).json();
    models(&world, &["reject", trained["modelId"].as_str().unwrap(), "--reason", "x"])
        .expect_refusal(&["does not wait for approval", "it is rejected"]);
    let unknown = "model-2020-01-01T00-00-00-000Z";
    models(&world, &["approve", unknown, "--reason", "x"]).expect_refusal(&["models list"]);
}

#[test]
fn a_metrics_file_that_has_promoted_since_holds_an_approval_up() {
    let world = World::new();
    let first = world.promote()["modelId"].clone();
    world.file("metrics.json", r#"{"winRate": 0.62, "maxDrawdown": 0.12, "pnlPerTrade": 0.04}"#);
    let file = [("EVAL_METRICS_PATH", "metrics.json")];
    let run = |seed: &str| {
        let report = world.once(&["--seed", seed, "--auto-deploy=false"], &file).expect_code(0).json();
        report["modelId"].as_str().unwrap().to_owned()
    };
    let (one, two) = (run("2"), run("3"));
    models(&world, &["approve", &one, "--reason", "x"]).expect_code(0);
    models(&world, &["rollback", "--to", first.as_str().unwrap(), "--reason", "x"]).expect_code(0);
    models(&world, &["approve", &two, "--reason", "x"]).expect_refusal(&["has promoted a model since"]);
    let allowed = ["approve", &two, "--reason", "x", "--allow-reused-metrics"];
    models(&world, &allowed).expect_code(0);
}

#[test]
fn both_work_beside_a_running_server_and_the_cycles_show_it() {
    let world = World::new();
    add(&world, "btc", &[SMALL, &["--every", "1h", "--auto-deploy=false"]].concat());
    let mut server = Server::start(&world, &[]);
    let ended = server.wait_for("continuous_cycle_complete", |data| data["cycle_number"] == 1);
    assert_eq!(ended["status"], "held", "{ended}");
    let first = ended["model_id"].as_str().unwrap();
    models(&world, &["reject", first, "--reason", "not yet"]).expect_code(0);
    server.wait_for("model_declined", |data| data["model"] == first);
    world.orchestrate(&["schedules", "trigger", "btc"], &[]).expect_code(0);
    let ended = server.wait_for("continuous_cycle_complete", |data| data["cycle_number"] == 2);
    let second = ended["model_id"].as_str().unwrap();
    models(&world, &["approve", second, "--reason", "now"]).expect_code(0);
    server.wait_for("model_promoted", |data| data["reason"] == "approved: now");
    let cycles = history(&world, "btc");
    assert_eq!((&cycles[0]["status"], &cycles[0]["deployed_model_id"]), (&json!("held"), &Value::Null));
    assert_eq!(cycles[0]["reason"], "declined: not yet");
    assert_eq!((&cycles[1]["status"], &cycles[1]["deployed_model_id"]), (&json!("held"), &json!(second)));
    let id = cycles[1]["experiment_id"].as_str().unwrap();
    let experiment = world.orchestrate(&["experiments", "show", id, "--json"], &[]).expect_code(0).json();
    let metrics = &experiment["final_metrics"];
    assert_eq!((&metrics["decision"], &metrics["deployed_model_id"]), (&json!("approved"), &json!(second)));
    // The next cycle continues from it.
    world.orchestrate(&["schedules", "trigger", "btc"], &[]).expect_code(0);
    server.wait_for("continuous_cycle_complete", |data| data["cycle_number"] == 3);
    server.stop_well();
    assert_eq!(history(&world, "btc")[2]["parent_id"], *second);
}
