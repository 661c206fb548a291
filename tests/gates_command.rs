//! `orchestrate gates simulate`: what the rules of promotion are worth.

use crate::support::World;

const SMALL: &[&str] =
    &["gates", "simulate", "--worlds", "12", "--line-worlds", "2", "--days", "40", "--gap", "0,20"];

fn with<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [SMALL, more].concat()
}

#[test]
fn each_gap_has_its_grades_with_errors_and_leaves_nothing_behind() {
    let world = World::new();
    let shown = world.orchestrate(SMALL, &[]).expect_code(0).stdout;
    for part in [
        "12 worlds of 40 days for each gap (market garch_t, 30 bps a fill, a snapshot every 6 h, seed 1)",
        "provisional (p <= 0.2)",
        "screened (p <= 0.01)",
        "qualified (registered test, 0.0125)",
        "as the only arm (e-process, 0.05)",
        " ± ",
        "|####",
        "2 lines of 4 arms for each gap",
        "independent",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    world.expect_untouched();
}

#[test]
fn any_number_of_threads_gives_the_same_bytes_and_another_seed_others() {
    let world = World::new();
    let run = |more: &[&str]| world.orchestrate(&with(more), &[]).expect_code(0).stdout;
    let one = run(&["--json", "--threads", "1"]);
    assert_eq!(run(&["--json", "--threads", "3"]), one);
    assert_ne!(run(&["--json", "--seed", "2"]), one);
}

#[test]
fn a_large_gap_is_found_and_none_mostly_is_not() {
    let world = World::new();
    let json = world.orchestrate(&with(&["--json"]), &[]).expect_code(0).json();
    let count = |gap: usize, grade: &str| json["arms"][gap][grade]["ever"]["count"].as_u64().unwrap();
    assert!(count(0, "screened") <= 3, "{json}");
    assert!(count(1, "screened") >= 10, "{json}");
    assert_eq!(json["arms"][1]["gap"], 20.0);
    assert_eq!(json["lines"].as_array().unwrap().len(), 4);
    assert_eq!(json["asked"]["cadenceBars"], 6);
}

#[test]
fn a_picture_has_every_grade_of_one_arm_and_both_kinds_of_snapshots_of_a_line() {
    let world = World::new();
    let drawn = |file: &str, more: &[&str]| {
        let shown = world.orchestrate(&with(&[&["--plot", file], more].concat()), &[]).expect_code(0).stdout;
        assert!(shown.contains(&format!("plot      {file}")), "{shown}");
        std::fs::read_to_string(world.path(file)).unwrap()
    };
    let picture = drawn("gates.svg", &[]);
    for part in [
        "<svg xmlns=",
        "12 worlds of 40 days for each gap",
        "One arm with consistent snapshots",
        ">provisional<",
        ">qualified, e-process alone<",
        ">screened, independent snapshots<",
        "prefers-color-scheme:dark",
    ] {
        assert!(picture.contains(part), "no '{part}' in {picture}");
    }
    // Two gaps: four curves of one arm, and two for each kind of snapshots.
    assert_eq!(picture.matches("class=\"error\"").count(), 2 * (4 + 2 * 2));
    assert_eq!(drawn("again.svg", &["--threads", "3"]), picture);
    let alone = drawn("alone.svg", &["--line-worlds", "0"]);
    assert!(alone.contains("One arm") && !alone.contains("snapshots<"), "{alone}");
    let nowhere = with(&["--plot", "missing/gates.svg"]);
    world.orchestrate(&nowhere, &[]).expect_refusal(&["--plot missing/gates.svg", "no folder missing"]);
}

#[test]
fn settings_give_the_cost_and_the_cadence() {
    let world = World::new();
    let flags = ["--json", "--line-worlds", "0", "--fee-bps", "0", "--interval-minutes", "1440"];
    let json = world.orchestrate(&with(&flags), &[]).expect_code(0).json();
    assert_eq!((&json["asked"]["cadenceBars"], &json["asked"]["cost"]), (&24.into(), &0.0005.into()));
    assert_eq!(json["lines"], serde_json::json!([]));
}

#[test]
fn a_request_that_can_not_be_is_refused_by_name() {
    let world = World::new();
    for (flags, parts) in [
        (["--agreement", "1"], ["the agreement is 1", "0 to 0.99"]),
        (["--worlds", "0"], ["worlds is 0", "1 to 1000000"]),
        (["--market", "sine"], ["no market 'sine'", "garch_t or gauss"]),
        (["--cadence", "90m"], ["--cadence 90m", "whole hours"]),
        (["--window-days", "3"], ["first_look_days is 14", "at most window_days"]),
        (["--days", "0"], ["the number of days is 0", "1 to 3650"]),
        (["--arms", "0"], ["max_arms is 0", "1 to 1000"]),
    ] {
        world.orchestrate(&with(&flags), &[]).expect_refusal(&parts);
    }
}
