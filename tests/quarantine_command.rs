//! A champion that a watch took back: `orchestrate evidence` shows it, promotions wait, `orchestrate models release` ends it.

use std::sync::Arc;

use serde_json::Value;
use walkforward::clock::SystemClock;
use walkforward_core::{LineName, ModelId};
use walkforward_store::{RollbackRequest, Store};

use crate::replay_command::{EAGER, SETTINGS, world};
use crate::support::{Ran, World};

const LINE: &str = "trial";

fn models(world: &World, args: &[&str]) -> Ran {
    world.orchestrate(&[&["models"], args, &["--line", LINE]].concat(), &[])
}

fn crown(world: &World, model: &ModelId) -> Ran {
    models(world, &["approve", model.as_str(), "--overrule", "--reason", "a test"])
}

/// A line with a few models of one arm, two of which were champions; the last was taken back.
fn taken_back() -> (World, Vec<ModelId>) {
    let world = world(1_400, &format!("{SETTINGS}{EAGER}"));
    let replay = ["replay", "--config", "settings.toml", "--days", "4", "--quiet"];
    world.orchestrate(&replay, &[]).expect_code(0);
    let line: LineName = LINE.parse().unwrap();
    let open = || {
        let clock = Arc::new(SystemClock::start());
        Store::open(&world.path("data"), &world.path("models"), clock).unwrap()
    };
    let known = open().models(&line).unwrap();
    known[..2].iter().for_each(|model| drop(crown(&world, model).expect_code(0)));
    let request = RollbackRequest {
        line: &line,
        expected_champion: &known[1],
        rule: "evidence",
        sentence: "E = 5.40 after 300 bars, and 5 takes a champion back",
        quarantine: RollbackRequest::DEFAULT_QUARANTINE,
    };
    open().roll_back_guarded(&request).unwrap();
    (world, known)
}

#[test]
fn an_arm_in_quarantine_is_shown_promotes_nothing_and_is_let_out_by_name() {
    let (world, known) = taken_back();
    let json = world.orchestrate(&["evidence", "--json"], &[]).expect_code(0).json();
    let arm = json["arms"][0]["arm"].as_str().unwrap().to_owned();
    let quarantine = &json["arms"][0]["quarantine"];
    assert!(quarantine["sentence"].as_str().unwrap().starts_with("evidence: E = 5.40"), "{quarantine}");
    let shown = world.orchestrate(&["evidence"], &[]).expect_code(0).stdout;
    assert!(shown.contains("in quarantine") && shown.contains("E = 5.40 after 300 bars"), "{shown}");
    let one = world.orchestrate(&["evidence", "--arm", &arm, "--to", "arms.html"], &[]).expect_code(0).stdout;
    assert!(one.contains("in quarantine until"), "{one}");
    let page = std::fs::read_to_string(world.path("arms.html")).unwrap();
    assert!(page.contains("in quarantine until"));

    crown(&world, &known[2]).expect_refusal(&["in quarantine until", "models release"]);
    models(&world, &["release", &arm, "--reason", " "]).expect_refusal(&["needs a reason"]);
    models(&world, &["release", "model-2020-01-01T00-00-00-000Z", "--reason", "x"])
        .expect_refusal(&["there is no model"]);
    let released = models(&world, &["release", known[2].as_str(), "--reason", "mended", "--json"]);
    let released: Value = released.expect_code(0).json();
    assert_eq!((&released["done"], &released["arm"]), (&"released".into(), &arm.clone().into()));
    assert!(released["by"].as_str().unwrap().starts_with("uid "), "{released}");
    let release = &released["rollbacks"][0]["quarantine"]["release"];
    assert_eq!(release["reason"], "mended", "{released}");
    models(&world, &["release", &arm, "--reason", "again"]).expect_refusal(&["not in quarantine"]);
    let json = world.orchestrate(&["evidence", "--json"], &[]).expect_code(0).json();
    assert!(json["arms"][0]["quarantine"].is_null(), "{json}");
    crown(&world, &known[2]).expect_code(0);
}
