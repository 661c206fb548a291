//! What a child has from its parent.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod common;

use std::path::Path;

use common::{context, dataset, job, parent_in, small_dataset, tiny, with_sessions, zigzag};
use serde_json::{Value, json};
use walkforward_core::{
    Dataset, ErrorKind, FeatureKind, FeatureSpec, ModelRef, Normaliser, StageError, Trainer, TrainingOutcome,
};
use walkforward_engine::SessionConfig;
use walkforward_policy::{OPTIMIZER_FILE, Policy, WEIGHTS_FILE, load_bundle, load_optimizer};
use walkforward_trainer::{PpoTrainer, SupervisedTrainer};

/// Bars that are not the parent's, so that a fitted normaliser differs.
fn other_bars() -> Dataset {
    dataset(zigzag(240, 20, 0.02), 40)
}

/// The tiny pack with more settings.
fn pack(more: Value) -> Value {
    let mut pack = tiny();
    pack.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    pack
}

fn train(
    dataset: Dataset,
    pack: Value,
    parent: Option<ModelRef>,
    dir: &Path,
) -> Result<TrainingOutcome, StageError> {
    let job = walkforward_core::TrainingJob { parent, ..job(dataset, pack, 2, dir) };
    PpoTrainer::new(SessionConfig::default()).train(&job, &context())
}

/// A trained model in a folder of its own.
fn parent(more: Value) -> (tempfile::TempDir, ModelRef) {
    let dir = tempfile::tempdir().unwrap();
    train(small_dataset(), pack(more), None, dir.path()).unwrap();
    let parent = parent_in(dir.path());
    (dir, parent)
}

fn normaliser(model: &ModelRef) -> Normaliser {
    load_bundle(&model.dir, &model.sha256).unwrap().policy.spec().normaliser.clone()
}

fn bytes(dir: &Path) -> Vec<u8> {
    std::fs::read(dir.join(WEIGHTS_FILE)).unwrap()
}

#[test]
fn a_warm_start_continues_from_its_parent_with_a_smaller_step() {
    let ((_kept, parent), child_dir) = (parent(json!({})), tempfile::tempdir().unwrap());
    let outcome = train(other_bars(), tiny(), Some(parent.clone()), child_dir.path()).unwrap();
    assert_eq!(outcome.cold_start, None);
    // The second of two annealed iterations: half of 1e-3, times 0.2.
    assert!((outcome.metrics["learning_rate"] - 1e-4).abs() < 1e-12);
    let before = load_bundle(&parent.dir, &parent.sha256).unwrap();
    let after = parent_in(child_dir.path());
    let steps = |model: &ModelRef| load_optimizer(&model.dir, &model.sha256).unwrap().step;
    assert_eq!(steps(&after), 2 * steps(&parent));
    let after = load_bundle(&after.dir, &after.sha256).unwrap();
    let largest_move = before
        .tensors
        .iter()
        .flat_map(|(name, (_, old))| old.iter().zip(&after.tensors[name].1).map(|(a, b)| (a - b).abs()));
    assert!(largest_move.fold(0.0, f32::max) < 0.02, "16 steps of at most 2e-4 from the parent");
}

/// Both ways to the same step size make the same bytes: what is recorded is what the optimiser was given.
#[test]
fn the_step_size_of_a_warm_start_is_the_packs_times_the_multiplier_in_every_generation() {
    let rate = |rate: f64, multiplier: f64| {
        let schedule = "constant";
        pack(json!({ "learning_rate": rate, "fine_tune_lr_multiplier": multiplier, "lr_schedule": schedule }))
    };
    let dir = |_| tempfile::tempdir().unwrap();
    let (folders, twins) = ([0, 1, 2].map(dir), [0, 1, 2].map(dir));
    let mut parent = None;
    for (generation, (folder, twin)) in folders.iter().zip(&twins).enumerate() {
        let outcome = train(small_dataset(), rate(1e-3, 0.2), parent.clone(), folder.path()).unwrap();
        let expected = if generation == 0 { 1e-3 } else { 2e-4 };
        assert!((outcome.metrics["learning_rate"] - expected).abs() < 1e-15, "{generation}: {outcome:?}");
        train(small_dataset(), rate(expected, 1.0), parent, twin.path()).unwrap();
        assert!(bytes(folder.path()) == bytes(twin.path()), "generation {generation}");
        parent = Some(parent_in(folder.path()));
    }
}

#[test]
fn a_frozen_normaliser_is_the_parents_bit_for_bit_and_a_refitted_one_that_of_the_childs_own_rows() {
    let (_kept, parent) = parent(json!({}));
    let child = |more: Value, parent: Option<ModelRef>| {
        let dir = tempfile::tempdir().unwrap();
        train(other_bars(), pack(more), parent, dir.path()).unwrap();
        normaliser(&parent_in(dir.path()))
    };
    let bits = |normaliser: &Normaliser| -> Vec<u32> {
        normaliser.mean.iter().chain(&normaliser.std).map(|x| x.to_bits()).collect()
    };
    let (own, inherited) = (child(json!({}), None), normaliser(&parent));
    assert_ne!(bits(&own), bits(&inherited));
    for (more, expected) in [
        (json!({}), &inherited),
        (json!({ "normaliser": "frozen" }), &inherited),
        (json!({ "normaliser": "refit" }), &own),
    ] {
        assert_eq!(bits(&child(more.clone(), Some(parent.clone()))), bits(expected), "{more}");
    }
}

#[test]
fn a_parent_without_optimizer_file_is_enough() {
    let (_kept, parent) = parent(json!({}));
    std::fs::remove_file(parent.dir.join(OPTIMIZER_FILE)).unwrap();
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(train(small_dataset(), tiny(), Some(parent), dir.path()).unwrap().cold_start, None);
}

/// A training with `parent` starts from fresh weights and says why with `expected`.
fn check_cold_start(dataset: Dataset, pack: Value, parent: &ModelRef, expected: &str) {
    let (asked, plain) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let outcome = train(dataset.clone(), pack.clone(), Some(parent.clone()), asked.path()).unwrap();
    let reason = outcome.cold_start.unwrap();
    assert!(reason.contains(expected), "{reason}");
    let outcome = train(dataset, pack, None, plain.path()).unwrap();
    assert_eq!(outcome.cold_start, None);
    assert!(bytes(asked.path()) == bytes(plain.path()), "{reason}");
}

#[test]
fn a_parent_that_was_made_for_something_else_leaves_nothing_and_the_outcome_says_why() {
    let (_kept, parent) = parent(json!({}));
    let other_symbol = Dataset { symbol: "ETH/USD".parse().unwrap(), ..small_dataset() };
    check_cold_start(other_symbol, tiny(), &parent, "it trades BTC/USD 1h");
    let sessions = "its market never closes, this one has sessions";
    check_cold_start(with_sessions(small_dataset()), tiny(), &parent, sessions);
    let kinds = vec![FeatureKind::Returns { periods: vec![1, 4, 8] }];
    let other_features = Dataset { feature_spec: FeatureSpec::new(kinds).unwrap(), ..small_dataset() };
    check_cold_start(other_features, tiny(), &parent, "other features");
    for more in [json!({ "hidden": [9] }), json!({ "lookback": 3 }), json!({ "network": "layer_norm_mlp" })] {
        check_cold_start(small_dataset(), pack(more), &parent, "another network");
    }
    check_cold_start(small_dataset(), pack(json!({ "actions": "buy_sell_hold" })), &parent, "actions mean");
}

#[test]
fn a_parent_without_what_training_needs_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut fitted = job(dataset(zigzag(400, 20, 0.01), 40), json!({ "model": "ridge" }), 1, dir.path());
    let supervised = SupervisedTrainer::new(SessionConfig::default());
    assert_eq!(supervised.train(&fitted, &context()).unwrap().cold_start, None);
    let parent = parent_in(dir.path());
    check_cold_start(small_dataset(), tiny(), &parent, "another network");
    fitted.parent = Some(parent);
    let reason = supervised.train(&fitted, &context()).unwrap().cold_start.unwrap();
    assert!(reason.contains("afresh"), "{reason}");
}

#[test]
fn a_parent_that_is_not_the_recorded_one_is_refused() {
    let (_kept, parent) = parent(json!({}));
    let dir = tempfile::tempdir().unwrap();
    let other = ModelRef { sha256: "00".to_owned(), ..parent };
    let error = train(small_dataset(), tiny(), Some(other), dir.path()).unwrap_err();
    assert!(error.kind == ErrorKind::BadInput && error.to_string().contains("SHA-256"), "{error}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}
