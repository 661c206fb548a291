//! `orchestrate evidence`: how far the evidence for each arm has come, wherever it is shown.

use serde_json::Value;

use crate::replay_command::{EAGER, SETTINGS, world};
use crate::support::{Ran, World};

/// Columns of a wide terminal.
const COLUMNS: usize = 110;

/// A line with two weeks of daily cycles behind it, a page about them, and what was printed of them.
fn replayed() -> (World, String) {
    // A level that these two weeks reach.
    let world = world(1_600, &format!("{SETTINGS}{EAGER}provisional_p = 0.5\n"));
    let replay = ["replay", "--config", "settings.toml", "--days", "14", "--report", "replay.html"];
    let told = world.orchestrate(&replay, &[]).expect_code(0).stdout;
    (world, told)
}

fn evidence(world: &World, more: &[&str]) -> Ran {
    world.orchestrate(&[&["evidence"], more].concat(), &[])
}

fn page(world: &World, name: &str) -> String {
    std::fs::read_to_string(world.path(name)).unwrap()
}

#[test]
fn an_arm_is_shown_with_its_grade_its_meter_and_what_the_grade_is_worth() {
    let (world, told) = replayed();
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
        "Closed trades",
        "Luck does as well",
        "E-process",
        "Error spent by this test",
        "tests     Line trial: tests registered within a year spend 0 % of the 5 %",
        "there is no lead",
        "live bars only",
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

    assert!(told.contains("Sharpe, annualised from 14 days"), "{told}");
    let champions: Vec<&str> = told.lines().skip_while(|line| !line.contains("champion by")).collect();
    for grade in ["provisional", "screened", "qualified"] {
        let is_shown = champions
            .iter()
            .take_while(|line| !line.is_empty())
            .any(|line| line.starts_with("2024") && line.split_whitespace().any(|word| word == grade));
        let worth = format!("worth     an arm without any skill reaches {grade}");
        assert_eq!(told.matches(&worth).count(), usize::from(is_shown), "{told}");
    }
    assert!(told.contains("worth     an arm"), "a champion has a grade: {told}");

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
    let (world, _) = replayed();
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
