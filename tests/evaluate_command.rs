//! `orchestrate evaluate`: any model on any bars.

use serde_json::Value;

use crate::support::{SMALL, World};

const WINDOW: &[&str] = &["--window-bars", "800", "--holdout-bars", "100"];

#[test]
fn a_model_is_measured_on_other_bars_twice_to_the_same_bytes() {
    let world = World::new();
    let promoted = world.promote();
    let later = ["evaluate", "--json", "--as-of", "2024-03-01T00:00:00Z"];
    let args = [&later[..], WINDOW].concat();
    let first = world.orchestrate(&args, &[]).expect_code(0);
    assert_eq!(world.orchestrate(&args, &[]).stdout, first.stdout);
    let first = first.json();
    assert_eq!(first["modelId"], promoted["modelId"]);
    assert_eq!(first["seenBars"], 0);
    let subjects: Vec<_> =
        first["reports"].as_array().unwrap().iter().map(|r| r["subject"].as_str()).collect();
    assert_eq!(subjects, [promoted["modelId"].as_str(), Some("flat"), Some("buy_and_hold")]);
    assert_eq!(first["reports"][0]["netReturn"].as_array().unwrap().len(), 800);
    assert_eq!((&first["inSample"], &first["outOfSample"]["bars"]), (&Value::Null, &800.into()));
    assert!(first["warnings"].is_array());
    let shares = first["reports"][0]["actionShare"].as_array().unwrap();
    assert!((shares.iter().filter_map(Value::as_f64).sum::<f64>() - 1.0).abs() < 1e-12, "{shares:?}");
    assert_eq!(first["reports"][0]["actionMap"], "long_flat");
}

#[test]
fn bars_that_were_seen_and_bars_that_were_not_are_measured_apart() {
    let world = World::new();
    world.promote();
    let args = [&["evaluate", "--as-of", "2024-01-08T00:00:00Z"][..], WINDOW].concat();
    let shown = world.orchestrate(&args, &[]).expect_code(0).stdout;
    for part in ["decisions flat ", "it may have learned", "it has not seen", "annualised from 33 days"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let json = world.orchestrate(&[&args[..], &["--json"]].concat(), &[]).expect_code(0).json();
    let seen = json["seenBars"].as_u64().unwrap();
    assert!((1..800).contains(&seen), "{seen}");
    for (sample, bars) in [("inSample", seen), ("outOfSample", 800 - seen)] {
        assert_eq!(json[sample]["bars"], bars, "{sample}");
        assert!(json[sample]["reward"].is_f64() && json[sample]["netPnlQuote"].is_f64(), "{}", json[sample]);
    }
}

#[test]
fn a_run_prints_what_a_verdict_is_worth_and_both_samples() {
    let world = World::new();
    let shown = world.orchestrate(&[&["--once"], SMALL].concat(), &[]).expect_code(0).stdout;
    for part in [
        "decisions ",
        "it may have learned",
        "it has not seen",
        "annualised from ",
        "warning   the preset thresholds",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let fits =
        |line: &&str| line.chars().count() <= 80 || line.starts_with("warning") || line.contains("model-");
    let long: Vec<&str> = shown.lines().filter(|line| !fits(line)).collect();
    assert_eq!(long, Vec::<&str>::new(), "tables fit a terminal of 80 columns");
}

#[test]
fn the_page_of_a_run_shows_warnings_decisions_and_both_samples() {
    let world = World::new();
    let run = world.once(&[], &[]).expect_code(0).json();
    let model = run["modelId"].as_str().unwrap();
    assert_eq!(run["candidate"]["outOfSample"]["bars"], 300, "{}", run["candidate"]);
    world.orchestrate(&["report", model, "--to", "page.html"], &[]).expect_code(0);
    let page = std::fs::read_to_string(world.path("page.html")).unwrap();
    for part in
        ["The preset thresholds promotes", "out of sample", "Annualised from", ">Long<", "Reward a bar"]
    {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("No decisions were recorded"));
}

#[test]
fn bars_that_the_model_has_seen_are_called_in_sample() {
    let world = World::new();
    let promoted = world.promote();
    let model = promoted["modelId"].as_str().unwrap();
    let shown = world.orchestrate(&[&["evaluate", model][..], WINDOW].concat(), &[]).expect_code(0).stdout;
    assert!(shown.contains("in sample") && shown.contains("has seen 500 of these bars"), "{shown}");
    let clean = [&["evaluate", model, "--as-of", "2024-03-01T00:00:00Z"][..], WINDOW].concat();
    let shown = world.orchestrate(&clean, &[]).expect_code(0).stdout;
    assert!(shown.contains("none of these bars was seen"), "{shown}");
}

#[test]
fn a_model_that_is_not_there_or_not_whole_is_refused_by_name() {
    let world = World::new();
    world.orchestrate(&["evaluate"], &[]).expect_refusal(&["default", "no champion"]);
    world.orchestrate(&["evaluate", "nonsense"], &[]).expect_refusal(&["nonsense"]);
    let absent = "model-2024-01-01T00-00-00-000Z";
    world.orchestrate(&["evaluate", absent], &[]).expect_refusal(&[absent]);
    let promoted = world.promote();
    let model = promoted["modelId"].as_str().unwrap();
    let weights = world.path(&format!("models/{model}/policy.safetensors"));
    let mut bytes = std::fs::read(&weights).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&weights, bytes).unwrap();
    world.orchestrate(&["evaluate", model], &[]).expect_refusal(&["policy.safetensors", "SHA-256"]);
}

#[test]
fn a_model_of_another_market_is_refused() {
    let world = World::new();
    let promoted = world.promote();
    for other in [["--symbol", "ETH/USD"], ["--timeframe", "4h"]] {
        let args = [&["evaluate"][..], WINDOW, &other].concat();
        let model = promoted["modelId"].as_str().unwrap();
        world.orchestrate(&args, &[]).expect_refusal(&[
            model,
            "can't be evaluated",
            "was made for 1h bars of BTC/USD",
        ]);
    }
}
