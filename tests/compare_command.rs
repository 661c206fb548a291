//! `orchestrate models compare`: models on the same bars, and what choosing the best of them is worth.

use serde_json::Value;

use crate::support::{GOOD_METRICS, Ran, World};

/// Bars that none of the models has seen.
const LATER: &[&str] = &["--as-of", "2024-03-01T00:00:00Z", "--window-bars", "800", "--holdout-bars", "100"];

fn train(world: &World, seed: &str) -> String {
    let run = world.once(&["--seed", seed], GOOD_METRICS).expect_code(0).json();
    run["modelId"].as_str().unwrap().to_owned()
}

fn compare(world: &World, models: &[&str], more: &[&str]) -> Ran {
    world.orchestrate(&[&["models", "compare"], models, more].concat(), &[])
}

#[test]
fn models_are_compared_on_bars_that_none_has_seen_with_the_trials_of_their_line() {
    let world = World::new();
    let ids: Vec<String> = ["1", "2", "3", "4", "5"].iter().map(|seed| train(&world, seed)).collect();
    let four: Vec<&str> = ids[..4].iter().map(String::as_str).collect();
    let ran = compare(&world, &four, &[LATER, &["--json"]].concat()).expect_code(0);
    assert_eq!(compare(&world, &four, &[LATER, &["--json"]].concat()).stdout, ran.stdout);
    let json = ran.json();
    assert_eq!((&json["bars"], json["models"].as_array().unwrap().len()), (&Value::from(800), 4));
    for (model, id) in json["models"].as_array().unwrap().iter().zip(&four) {
        let alone = ["evaluate", id, "--json"];
        let alone = world.orchestrate(&[&alone[..], LATER].concat(), &[]).expect_code(0).json();
        assert_eq!((&model["modelId"], &model["seenBars"]), (&Value::from(*id), &Value::from(0)));
        assert_eq!(model["metrics"], alone["reports"][0]["metrics"], "as `evaluate` measures it");
    }
    let selection = &json["selection"];
    let best = json["models"].as_array().unwrap().iter().max_by(|one, other| {
        let sharpe = |model: &Value| model["metrics"]["sharpe"].as_f64().unwrap_or(f64::NEG_INFINITY);
        sharpe(one).total_cmp(&sharpe(other))
    });
    assert_eq!(selection["best"], best.unwrap()["modelId"]);
    assert_eq!((&selection["trials"], &selection["trialsOfLine"]), (&Value::from(5), &"default".into()));
    let (alone, deflated) =
        (selection["probabilisticSharpe"].as_f64().unwrap(), selection["deflatedSharpe"].as_f64().unwrap());
    assert!(deflated < alone, "{selection}");
    let overfitting = selection["overfitting"]["probability"].as_f64().unwrap();
    assert!((0.0..=1.0).contains(&overfitting), "{selection}");

    let shown = compare(&world, &four, LATER).expect_code(0).stdout;
    for part in [
        "none of these bars by any of the models",
        "buy and hold",
        "5 models were made on line 'default'",
        "ways to halve the bars",
        "of fewer than 10 models that is a rough figure",
        "decide nothing",
    ] {
        assert!(shown.contains(part), "no '{part}' in:\n{shown}");
    }
    let three = compare(&world, &four[..3], LATER).expect_code(0).stdout;
    assert!(!three.contains("ways to halve"), "three models are too few: {three}");
}

#[test]
fn bars_that_a_model_has_seen_are_left_out_or_told() {
    let world = World::new();
    let ids = [train(&world, "1"), train(&world, "2")];
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let partly = &["--as-of", "2024-01-08T00:00:00Z", "--window-bars", "800", "--holdout-bars", "100"];
    let unseen = compare(&world, &ids, &[&partly[..], &["--json"]].concat()).expect_code(0).json();
    let seen = unseen["models"][0]["seenBarsOfWindow"].as_u64().unwrap();
    assert!((1..800).contains(&seen), "{seen}");
    assert_eq!((&unseen["bars"], &unseen["models"][0]["seenBars"]), (&(800 - seen).into(), &0.into()));
    let all = compare(&world, &ids, &[&partly[..], &["--seen", "--json"]].concat()).expect_code(0).json();
    assert_eq!((&all["bars"], &all["models"][0]["seenBars"]), (&800.into(), &seen.into()));
    assert!(all["selection"].is_null(), "in sample the best is no finding: {all}");
    let shown = compare(&world, &ids, &[&partly[..], &["--seen"]].concat()).expect_code(0).stdout;
    assert!(shown.contains("figures in sample flatter") && shown.contains("not told"), "{shown}");
    let before = ["--as-of", "2023-12-01T00:00:00Z", "--window-bars", "800", "--holdout-bars", "100"];
    compare(&world, &ids, &before).expect_refusal(&["no bar of the window is unseen by all", "--seen"]);
}

#[test]
fn what_can_not_be_compared_is_refused_by_name() {
    let world = World::new();
    let id = train(&world, "1");
    compare(&world, &[&id, &id], LATER).expect_refusal(&["is named twice"]);
    compare(&world, &[&id, "model-2020-01-01T00-00-00-000Z"], LATER)
        .expect_refusal(&["model-2020-01-01T00-00-00-000Z"]);
    assert_eq!(compare(&world, &[&id], LATER).code, Some(2), "one model is no comparison");
}
