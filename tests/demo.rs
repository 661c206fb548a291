//! `orchestrate demo`: two markets, three rules, four proofs, one page.

use std::fmt::Write as _;

use rand::{Rng, SeedableRng};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::support::World;

/// Trainings of a few milliseconds: eight on each market.
const SMALL: &[&str] = &[
    "demo",
    "--json",
    "--days",
    "4",
    "--every",
    "12h",
    "--window-bars",
    "700",
    "--holdout-bars",
    "200",
    "--iterations",
    "2",
];

fn small<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [SMALL, more].concat()
}

fn proofs(told: &Value) -> Vec<(&str, bool)> {
    let proofs = told["proofs"].as_array().unwrap();
    proofs.iter().map(|proof| (proof["name"].as_str().unwrap(), proof["held"].as_bool().unwrap())).collect()
}

const HELD: [(&str, bool); 4] = [
    ("A leak is caught", true),
    ("A torn model is refused", true),
    ("A model is swapped in between two bars", true),
    ("Live equals backtest", true),
];

/// Hourly bars from 2024 on, every fiftieth of which is missing.
fn csv(bars: i64) -> String {
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(5);
    let start = "2024-01-01T00:00:00Z".parse::<walkforward_core::Timestamp>().unwrap();
    let (mut text, mut open) = ("Date,Open,High,Low,Close,Volume\n".to_owned(), 100.0);
    for bar in 0..bars {
        let close = open * (1.0 + random.random_range(-0.01..0.01));
        let (high, low) = (f64::max(open, close) * 1.001, f64::min(open, close) * 0.999);
        let volume = random.random_range(50.0..150.0);
        let at = start.plus_millis(bar * 3_600_000);
        if bar % 50 != 25 {
            writeln!(text, "{at},{open:.6},{high:.6},{low:.6},{close:.6},{volume:.3}").unwrap();
        }
        open = close;
    }
    text
}

#[test]
fn made_up_markets_stand_side_by_side_and_all_proofs_hold() {
    let world = World::new();
    std::fs::create_dir(world.path("work")).unwrap();
    let args = small(&["--work-dir", "work", "--threads", "2"]);
    let told = world.orchestrate(&args, &[]).expect_code(0).json();
    assert_eq!(proofs(&told), HELD, "{}", told["proofs"]);
    let markets = told["markets"].as_array().unwrap();
    let names: Vec<&str> = markets.iter().map(|market| market["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["With an edge", "Without an edge"]);
    for market in markets {
        let equities = market["equities"].as_array().unwrap();
        let rules: Vec<&str> = equities.iter().map(|it| it["equity"]["name"].as_str().unwrap()).collect();
        assert_eq!(
            rules,
            ["Walkforward", "Every snapshot at once", "Preset thresholds", "Buy and hold", "Flat"]
        );
        assert_eq!((&equities[0]["promotions"], &equities[1]["promotions"]), (&0.into(), &8.into()));
        assert_eq!((&market["cycles"], &market["timeframe"]), (&8.into(), &"15m".into()));
    }
    let page = std::fs::read_to_string(world.path("demo.html")).unwrap();
    for part in
        ["<!DOCTYPE html>", "Without an edge", "A torn model is refused", "orchestrate demo --json --days 4"]
    {
        assert!(page.contains(part), "{part}");
    }
    assert_eq!(std::fs::read_dir(world.path("work")).unwrap().count(), 0);
    world.expect_untouched();

    // The command is part of the page; everything else is the same.
    let again = world.orchestrate(&small(&["--threads", "1"]), &[]).expect_code(0).json();
    for part in ["markets", "proofs", "notes"] {
        assert_eq!(again[part], told[part]);
    }
}

#[test]
fn a_file_is_shown_beside_a_copy_with_its_days_in_random_order_and_a_kept_folder_is_whole() {
    let world = World::new();
    world.file("bars.csv", csv(2_600));
    let args = ["--source", "csv", "--path", "bars.csv", "--to", "mine.html", "--keep", "kept"];
    let told = world.orchestrate(&small(&args), &[]).expect_code(0).json();
    assert_eq!(proofs(&told), HELD, "{}", told["proofs"]);
    let names: Vec<&str> =
        told["markets"].as_array().unwrap().iter().map(|market| market["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Your bars", "Your bars, days shuffled"]);
    let explanation = told["markets"][1]["explanation"].as_str().unwrap();
    assert!(
        explanation.contains("whole days in random order") && !explanation.contains("edge"),
        "{explanation}"
    );
    let page = std::fs::read_to_string(world.path("mine.html")).unwrap();
    assert!(!page.contains("ithout an edge"), "the copy keeps what happens within a day");
    assert!(world.path("mine.html").is_file() && !world.path("demo.html").exists());
    world.expect_untouched();

    let models = world.path("kept/market-1/models");
    let mut seen = 0;
    for model in std::fs::read_dir(models).unwrap().map(|entry| entry.unwrap().path()) {
        let Ok(record) = std::fs::read(model.join("metadata.json")) else { continue };
        let record: Value = serde_json::from_slice(&record).unwrap();
        let weights = Sha256::digest(std::fs::read(model.join("policy.safetensors")).unwrap());
        let weights: String = weights.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(record["sha256"], weights.as_str(), "{}", model.display());
        seen += 1;
    }
    assert_eq!(seen, 8);
}

#[test]
fn too_few_bars_are_named_with_how_many_it_takes() {
    let world = World::new();
    world.file("bars.csv", csv(900));
    let args = small(&["--source", "csv", "--path", "bars.csv"]);
    world.orchestrate(&args, &[]).expect_refusal(&[
        "has 900 bars",
        "needs",
        "a window of 700",
        "--window-bars",
    ]);
    assert!(!world.path("demo.html").exists());
    world.expect_untouched();
}

#[test]
fn what_can_not_be_shown_is_refused_before_anything_is_made() {
    let world = World::new();
    world.orchestrate(&["demo", "--every", "24h"], &[]).expect_refusal(&["--every 24h", "at most 12h"]);
    world.orchestrate(&["demo", "--preset", "thresholds"], &[]).expect_refusal(&["expected evidence"]);
    world.orchestrate(&["demo", "--calendar", "us_equities"], &[]).expect_refusal(&["expected continuous"]);
    world.orchestrate(&["demo", "--to", "."], &[]).expect_refusal(&["it is a folder"]);
    world.expect_untouched();
}
