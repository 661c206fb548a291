//! `orchestrate evidence`: how far the evidence for each arm has come, wherever it is shown.

use serde_json::Value;

use crate::replay_command::{EAGER, SETTINGS, world};
use crate::support::{Ran, World};

/// Columns of a wide terminal.
const COLUMNS: usize = 110;

/// A line with two weeks of daily cycles behind it, and a page about them.
fn replayed() -> World {
    let world = world(1_600, &format!("{SETTINGS}{EAGER}"));
    let replay =
        ["replay", "--config", "settings.toml", "--days", "14", "--report", "replay.html", "--quiet"];
    world.orchestrate(&replay, &[]).expect_code(0);
    world
}

fn evidence(world: &World, more: &[&str]) -> Ran {
    world.orchestrate(&[&["evidence"], more].concat(), &[])
}

fn page(world: &World, name: &str) -> String {
    std::fs::read_to_string(world.path(name)).unwrap()
}

#[test]
fn an_arm_is_shown_with_its_grade_its_meter_and_what_the_grade_is_worth() {
    let world = replayed();
    let json = evidence(&world, &["--json"]).expect_code(0).json();
    let arm = &json["arms"][0];
    let id = arm["arm"].as_str().unwrap();
    assert_eq!((&arm["line"], &arm["snapshots"]), (&Value::from("trial"), &Value::from(14)), "{arm}");
    let standing = &arm["judged"]["grading"]["meter"]["standing"];
    let counted = standing["countedBars"].as_u64().unwrap();
    assert!(counted > 200, "{standing}");

    let listed = evidence(&world, &[]).expect_code(0).stdout;
    let row = listed.lines().find(|line| line.starts_with(id)).unwrap();
    assert!(row.contains("trial") && row.contains("flat") && row.contains(&counted.to_string()), "{row}");
    assert!(listed.contains(&format!("{id}: {}", arm["sentence"].as_str().unwrap())), "{listed}");

    let shown = evidence(&world, &["--arm", &id[..6], "--to", "arms.html"]).expect_code(0).stdout;
    for part in [
        "Counted bars",
        "Next look",
        "Luck does as well",
        "E-process",
        "Error spent",
        "there is no lead",
        "page",
    ] {
        assert!(shown.contains(part), "no '{part}' in:\n{shown}");
    }
    let in_table = |line: &&str| line.contains('[') || line.starts_with(' ') || line.starts_with("the lead");
    for line in shown.lines().filter(in_table) {
        assert!(line.chars().count() <= COLUMNS, "{line}");
    }
    let arms = page(&world, "arms.html");
    assert!(arms.contains(&format!("id=\"arm-{id}\"")) && arms.contains("class=\"gauges\""));
    assert!(
        page(&world, "replay.html").contains("<section id=\"evidence\""),
        "the replay's page has the meter"
    );

    let newest = arm["judged"]["model"].as_str().unwrap();
    let model = world.orchestrate(&["models", "show", newest], &[]).expect_code(0).stdout;
    assert!(model.contains(&format!("arm       {id}")) && model.contains("evidence  the arm"), "{model}");
    assert_eq!(model.contains("worth     an arm without any skill"), !arm["grade"].is_null(), "{model}");
    world.orchestrate(&["report", newest, "--to", "model.html"], &[]).expect_code(0);
    assert!(
        page(&world, "model.html").contains("<section id=\"evidence\""),
        "the model's page has the meter"
    );
}

#[test]
fn lines_and_arms_that_are_not_there_are_refused_with_those_that_are() {
    let world = replayed();
    let id = evidence(&world, &["--json"]).json()["arms"][0]["arm"].as_str().unwrap().to_owned();
    evidence(&world, &["--line", "other"]).expect_refusal(&["line 'other' has no arm", "trial has"]);
    evidence(&world, &["--arm", "zzzz"]).expect_refusal(&["no arm 'zzzz'", &id]);
}

#[test]
fn folders_without_an_arm_say_what_makes_one() {
    let world = World::new();
    world.promote();
    let shown = evidence(&world, &[]).expect_code(0).stdout;
    assert!(shown.contains("no arm is known") && shown.contains("orchestrate replay"), "{shown}");
    evidence(&world, &["--line", "default"]).expect_refusal(&["line 'default' has no arm", "no line has"]);
}
