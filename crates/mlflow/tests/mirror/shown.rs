//! What is shown of trainings, models and champions.

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde_json::json;
use walkforward_core::Outcome;
use walkforward_mlflow::{CHAMPION_ALIAS, Credentials};
use walkforward_store::ExperimentStatus;
use walkforward_testing::{FakeMlflow, FakeRun};

use crate::world::{World, btc};

const MODEL: &str = "wf-btc";

fn run(server: &FakeMlflow, id: &str) -> FakeRun {
    let id = format!("experiment:{id}");
    let of_it: Vec<FakeRun> =
        server.runs().into_iter().filter(|run| run.tags["walkforward.id"] == id).collect();
    assert_eq!(of_it.len(), 1, "{id}");
    of_it.into_iter().next().unwrap()
}

fn has(run: &FakeRun, key: &str, points: usize) -> bool {
    run.metric(key).len() == points
}

fn ended(server: &FakeMlflow, runs: usize) -> bool {
    server.runs().iter().filter(|run| run.end_time.is_some()).count() == runs
}

#[test]
fn a_training_is_a_run_that_grows_and_ends_with_a_version_of_its_line_s_model() {
    let world = World::new();
    let id = world.training("first");
    world.learn(&id, 0..3);
    let _mirror = world.mirror();
    world.server.wait_until(|server| server.runs().first().is_some_and(|run| has(run, "loss", 3)));
    assert_eq!(run(&world.server, "first").status, "RUNNING");
    world.learn(&id, 3..5);
    world.server.wait_until(|server| has(&run(server, "first"), "loss", 5));
    let model = world.finish(&id, Outcome::Reject);
    world.server.wait_until(|server| ended(server, 1));

    let shown = run(&world.server, "first");
    assert_eq!((shown.experiment.as_str(), shown.name.as_str()), ("wf/btc", "training first"));
    assert_eq!((shown.status.as_str(), shown.end_time > Some(shown.start_time)), ("FINISHED", true));
    let losses: Vec<(i64, f64)> = (0..5).map(|step| (step, 1.0 / (step + 1) as f64)).collect();
    assert_eq!(shown.metric("loss"), losses);
    assert_eq!((shown.metric("note"), shown.metric("none")), (vec![], vec![]));
    let last = ["final.approx_kl", "holdout.winRate", "champion.winRate", "final.total_iterations"];
    assert_eq!(last.map(|key| shown.metric(key)[0]), [(4, 0.01), (4, 0.6), (4, 0.5), (4, 4.0)]);
    let params =
        ["config.seed", "config.training.iterations", "pack.clip_coef", "pack.network.hidden", "seed"];
    assert_eq!(params.map(|key| shown.params[key].as_str()), ["7", "4", "0.2", "[64,64]", "7"]);
    let tags = ["model_id", "code_version", "verdict", "reason", "status", "schedule_id", "cycle", "tags"];
    let tags = tags.map(|name| shown.tags[&format!("walkforward.{name}")].as_str());
    let expected = ["0.1.0", "reject", "thresholds_failed", "completed", "sch", "3", "continuous cycle:3"];
    assert_eq!((tags[0], &tags[1..]), (model.as_str(), &expected[..]));
    assert_eq!(shown.tags["mlflow.note.content"], "what the thresholds say\na short hold-out");

    let versions = world.server.versions(MODEL);
    assert_eq!((versions.len(), &versions[0].run_id), (1, &shown.run_id));
    assert_eq!(versions[0].tags["walkforward.model_id"], model.as_str());
    assert_eq!(world.server.alias(MODEL, CHAMPION_ALIAS), None);
    assert_eq!(world.server.refused(), Vec::<String>::new());
}

#[test]
fn the_alias_is_where_the_pointer_is_after_promotions_and_a_rollback() {
    let world = World::new();
    let made = |id: &str| {
        let model = world.finish(&world.training(id), Outcome::Promote);
        world.promote(&model);
        model
    };
    let first = made("first");
    let _mirror = world.mirror();
    let champion = |server: &FakeMlflow| {
        let version = server.alias(MODEL, CHAMPION_ALIAS)?;
        let versions = server.versions(MODEL);
        let of_it = versions.into_iter().find(|it| it.version == version)?;
        Some(of_it.tags["walkforward.model_id"].clone())
    };
    world.server.wait_until(|server| champion(server).as_deref() == Some(first.as_str()));
    let second = made("second");
    world.server.wait_until(|server| champion(server).as_deref() == Some(second.as_str()));
    world.store.rollback(&btc(), None, "it looks odd").unwrap();
    world.server.wait_until(|server| champion(server).as_deref() == Some(first.as_str()));
    assert_eq!(world.server.versions(MODEL).len(), 2);
    assert_eq!(world.server.refused(), Vec::<String>::new());
}

#[test]
fn how_a_training_ended_is_told_in_mlflow_s_words() {
    use ExperimentStatus::{Cancelled, Failed, Interrupted, Pruned};
    let world = World::new();
    for status in [Cancelled, Failed, Interrupted, Pruned] {
        world.break_off(&world.training(status.as_str()), status);
    }
    let _mirror = world.mirror();
    world.server.wait_until(|server| ended(server, 4));
    let told: BTreeMap<String, String> =
        world.server.runs().into_iter().map(|run| (run.name, run.status)).collect();
    let told: Vec<&str> = told.values().map(String::as_str).collect();
    assert_eq!(told, ["KILLED", "FAILED", "FAILED", "KILLED"]);
    assert_eq!(run(&world.server, "failed").tags["walkforward.error"], "it was too much");
    assert_eq!(world.server.refused(), Vec::<String>::new());
}

#[test]
fn a_model_that_no_experiment_made_is_a_run_of_its_own() {
    let world = World::new();
    let model = world.model(None, Outcome::Promote);
    world.promote(&model.model_id);
    let _mirror = world.mirror();
    world.server.wait_until(|server| server.alias(MODEL, CHAMPION_ALIAS) == Some(1) && ended(server, 1));
    let runs = world.server.runs();
    assert_eq!((runs.len(), &runs[0].tags["walkforward.id"]), (1, &format!("run:{}", model.run_id)));
    assert_eq!(runs[0].metric("holdout.winRate"), [(4, 0.6)]);
}

#[test]
fn long_trainings_and_large_configurations_come_in_requests_that_are_small_enough() {
    let world = World::new();
    let mut config: serde_json::Map<String, serde_json::Value> =
        (0..249).map(|number| (format!("key {number}"), json!("x".repeat(200)))).collect();
    config.insert("long".to_owned(), json!("ä".repeat(700)));
    let id = world.training_with("long", config.into());
    world.learn(&id, 0..2_500);
    world.break_off(&id, ExperimentStatus::Cancelled);
    let _mirror = world.mirror();
    world.server.wait_until(|server| ended(server, 1));
    let shown = run(&world.server, "long");
    assert_eq!((shown.metric("loss").len(), shown.metric("steps").len()), (2_500, 2_500));
    assert_eq!((shown.params.len(), shown.params["config.long"].chars().count()), (250, 500));
    assert_eq!(world.server.refused(), Vec::<String>::new());
}

#[test]
fn credentials_are_shown_as_mlflow_s_own_clients_do() {
    let secret = |text: &str| SecretString::from(text);
    let token = Credentials::Token(secret("t0ken"));
    let password = Credentials::Password { username: "ann".to_owned(), password: secret("pw") };
    for (credentials, expected) in [(token, "Bearer t0ken"), (password, "Basic YW5uOnB3")] {
        let world = World::new();
        world.server.wants(expected);
        world.break_off(&world.training("one"), ExperimentStatus::Failed);
        let _mirror = world.mirror_with(credentials);
        world.server.wait_until(|server| ended(server, 1));
    }
}
