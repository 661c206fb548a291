//! `orchestrate evaluate`: any model on any bars.

use crate::support::World;

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
