//! Networks other than the mlp: what loads, what they answer, and what is refused.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod common;

use common::spec;
use proptest::prelude::*;
use walkforward_core::{Action, NetworkSpec, Observation, Policy, PolicySpec};
use walkforward_policy::{
    BundleError, FrozenPolicy, MAX_TREES, Tensors, WEIGHTS_FILE, load_mlp, load_policy, sha256_hex,
    write_bundle,
};

const INPUTS: usize = 8;
const TREES: usize = 3;
const DEPTH: usize = 2;

fn linear() -> (PolicySpec, Tensors) {
    let weight = (0..2 * INPUTS).map(|i| (i as f32 * 0.37).sin()).collect();
    let tensors = Tensors::from([
        ("linear.weight".to_owned(), (vec![2, INPUTS], weight)),
        ("linear.bias".to_owned(), (vec![2], vec![0.25, -0.5])),
    ]);
    (PolicySpec { network: NetworkSpec::Linear { inputs: INPUTS, outputs: 2 }, ..spec() }, tensors)
}

/// The first tree asks input 0 against 0.5, then inputs 1 and 2; the others are alike.
fn trees() -> (PolicySpec, Tensors) {
    let feature = vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 0.0];
    let threshold = vec![0.5, -0.25, 0.0, 0.1, 0.2, 0.3, -0.1, -0.2, -0.3];
    let leaf = (0..TREES * 4).map(|i| i as f32 * 0.125 - 0.5).collect();
    let tensors = Tensors::from([
        ("trees.feature".to_owned(), (vec![TREES, 3], feature)),
        ("trees.threshold".to_owned(), (vec![TREES, 3], threshold)),
        ("trees.leaf".to_owned(), (vec![TREES, 4], leaf)),
        ("trees.output".to_owned(), (vec![TREES], vec![1.0, 1.0, 0.0])),
        ("trees.bias".to_owned(), (vec![2], vec![0.0625, 0.5])),
    ]);
    let network = NetworkSpec::Trees { inputs: INPUTS, outputs: 2, trees: TREES, depth: DEPTH };
    (PolicySpec { network, ..spec() }, tensors)
}

fn write_and_load((spec, tensors): &(PolicySpec, Tensors)) -> FrozenPolicy {
    let dir = tempfile::tempdir().unwrap();
    let written = write_bundle(dir.path(), spec, tensors, None).unwrap();
    assert_eq!(written.spec.probe.observations.len(), 8);
    let policy = load_policy(dir.path(), &written.sha256).unwrap();
    assert_eq!((policy.spec(), policy.sha256()), (&written.spec, written.sha256.as_str()));
    policy
}

fn logits(policy: &FrozenPolicy, observations: &[f32]) -> Vec<f32> {
    let mut logits = vec![0.0; observations.len() / INPUTS * 2];
    policy.forward_logits(observations, &mut logits).unwrap();
    logits
}

fn check(model: (PolicySpec, Tensors), change: impl Fn(&mut PolicySpec, &mut Tensors), expected: &str) {
    let (mut spec, mut tensors) = model;
    change(&mut spec, &mut tensors);
    let dir = tempfile::tempdir().unwrap();
    let error = write_bundle(dir.path(), &spec, &tensors, None).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, BundleError::Spec { .. } | BundleError::Tensor { .. }), "{text}");
    assert!(text.contains(expected), "{text}");
}

fn set(name: &'static str, index: usize, value: f32) -> impl Fn(&mut PolicySpec, &mut Tensors) {
    move |_, tensors| tensors.get_mut(name).unwrap().1[index] = value
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_batch_of_decisions_is_each_on_its_own(
        rows in 0..20_usize,
        numbers in prop::collection::vec(-3.0..3.0_f32, 20 * INPUTS),
    ) {
        for model in [linear(), trees(), (spec(), common::weights(4))] {
            let policy = write_and_load(&model);
            let observations = &numbers[..rows * INPUTS];
            let mut actions = vec![Action(9); rows];
            policy.act_batch(observations, &mut actions).unwrap();
            let alone: Vec<Action> =
                observations.chunks_exact(INPUTS).map(|row| policy.act(Observation(row)).unwrap()).collect();
            prop_assert_eq!(actions, alone);
        }
    }
}

#[test]
fn a_batch_with_a_row_that_has_no_answer_has_none() {
    let policy = write_and_load(&linear());
    let mut observations = vec![0.5; 3 * INPUTS];
    assert!(policy.act_batch(&observations, &mut [Action(0); 2]).is_err());
    observations[2 * INPUTS] = f32::NAN;
    assert!(policy.act_batch(&observations, &mut [Action(0); 3]).is_err());
}

#[test]
fn a_linear_network_is_its_formula() {
    let model = linear();
    let policy = write_and_load(&model);
    let x: Vec<f32> = (0..INPUTS).map(|i| i as f32 * 0.2 - 0.7).collect();
    let expected = |output: usize| {
        let weight = &model.1["linear.weight"].1[output * INPUTS..(output + 1) * INPUTS];
        let sum: f64 = weight.iter().zip(&x).map(|(w, x)| f64::from(*w) * f64::from(*x)).sum();
        sum + f64::from(model.1["linear.bias"].1[output])
    };
    let answers = logits(&policy, &x);
    for (output, answer) in answers.iter().enumerate() {
        assert!((f64::from(*answer) - expected(output)).abs() < 1e-6);
    }
    let best = Action(u8::from(answers[1] > answers[0]));
    assert_eq!(policy.act(Observation(&x)), Ok(best));
}

#[test]
fn trees_add_the_leaves_that_an_observation_reaches() {
    let policy = write_and_load(&trees());
    // Leaves 0, 0 and 0 of the three trees: -0.5 and 0 to output 1, 0.5 to output 0.
    assert_eq!(logits(&policy, &[-1.0; INPUTS]), [0.0625 + 0.5, 0.5 - 0.5 + 0.0]);
    // All to the right: leaves 3, 3 and 3.
    assert_eq!(logits(&policy, &[1.0; INPUTS]), [0.0625 + 0.875, 0.5 - 0.125 + 0.375]);
    // A number at its threshold goes to the left: leaf 1 of the first tree, by input 1.
    let mut x = [-1.0; INPUTS];
    (x[0], x[1]) = (0.5, 0.0);
    assert_eq!(logits(&policy, &x)[1], 0.5 - 0.375 + 0.0);
}

#[test]
fn a_batch_answers_as_its_rows() {
    for model in [linear(), trees()] {
        let policy = write_and_load(&model);
        let x: Vec<f32> = (0..5 * INPUTS).map(|i| (i as f32 * 1.7).sin()).collect();
        let rows: Vec<f32> = x.chunks_exact(INPUTS).flat_map(|row| logits(&policy, row)).collect();
        assert_eq!(logits(&policy, &x), rows);
        assert!(policy.forward_logits(&x[1..], &mut [0.0; 10]).is_err());
        assert!(policy.act(Observation(&[f32::NAN; INPUTS])).is_err());
        assert!(policy.act(Observation(&[0.0; 3])).is_err());
    }
}

#[test]
fn a_network_that_is_no_mlp_is_not_loaded_as_one() {
    let dir = tempfile::tempdir().unwrap();
    let (spec, tensors) = linear();
    let written = write_bundle(dir.path(), &spec, &tensors, None).unwrap();
    let text = load_mlp(dir.path(), &written.sha256).unwrap_err().to_string();
    assert!(text.contains("of kind linear, expected mlp"), "{text}");
}

#[test]
fn shapes_and_numbers_that_are_not_the_networks_are_refused() {
    check(linear(), |_, t| drop(t.remove("linear.bias")), "'linear.bias'");
    check(linear(), |_, t| t.get_mut("linear.weight").unwrap().0.swap(0, 1), "'linear.weight'");
    check(linear(), set("linear.bias", 1, f32::NAN), "number 1 is not finite");
    check(linear(), |_, t| drop(t.insert("actor.0.bias".to_owned(), (vec![1], vec![0.0]))), "no such tensor");
    let wide = |spec: &mut PolicySpec, _: &mut Tensors| {
        spec.network = NetworkSpec::Linear { inputs: INPUTS + 1, outputs: 2 };
    };
    check(linear(), wide, "the network takes 9 numbers, an observation has 8");
    check(trees(), |_, t| drop(t.remove("trees.leaf")), "'trees.leaf'");
    check(trees(), set("trees.leaf", 3, f32::INFINITY), "number 3 is not finite");
    check(trees(), set("trees.feature", 2, 8.0), "'trees.feature'");
    check(trees(), set("trees.feature", 2, 0.5), "number 2 is no index below 8");
    check(trees(), set("trees.feature", 0, -1.0), "number 0 is no index below 8");
    check(trees(), set("trees.output", 1, 2.0), "number 1 is no index below 2");
}

#[test]
fn trees_beyond_the_limits_are_refused_before_anything_is_made() {
    let sized = |trees: usize, depth: usize| {
        move |spec: &mut PolicySpec, _: &mut Tensors| {
            spec.network = NetworkSpec::Trees { inputs: INPUTS, outputs: 2, trees, depth };
        }
    };
    check(trees(), sized(0, 2), "the network has 0 trees");
    check(trees(), sized(MAX_TREES + 1, 2), "4097 trees");
    check(trees(), sized(3, 0), "depth 0");
    check(trees(), sized(3, usize::MAX), "expected 1 to 10");
    check(trees(), sized(3, 3), "'trees.feature'");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_mutated_bundle_never_loads_under_its_hash_and_never_panics(
        changes in prop::collection::vec((any::<prop::sample::Index>(), 1u8..=255), 1..4),
        of_trees in any::<bool>(),
    ) {
        let (spec, tensors) = if of_trees { trees() } else { linear() };
        let dir = tempfile::tempdir().unwrap();
        let written = write_bundle(dir.path(), &spec, &tensors, None).unwrap();
        let path = dir.path().join(WEIGHTS_FILE);
        let original = std::fs::read(&path).unwrap();
        let mut bytes = original.clone();
        for (index, flip) in changes {
            let at = index.index(bytes.len());
            bytes[at] ^= flip;
        }
        prop_assume!(bytes != original);
        std::fs::write(&path, &bytes).unwrap();
        let is_hash_error =
            matches!(load_policy(dir.path(), &written.sha256), Err(BundleError::Hash { .. }));
        prop_assert!(is_hash_error);
        // With its own hash the result may be either; what loads answers or says why not.
        if let Ok(policy) = load_policy(dir.path(), &sha256_hex(&bytes)) {
            let _ = policy.act(Observation(&[0.5; INPUTS]));
        }
    }

    #[test]
    fn a_forest_is_a_walk_from_root_to_leaf(
        feature in prop::collection::vec(0..INPUTS, 7), threshold in prop::collection::vec(-2.0..2.0f32, 7),
        leaf in prop::collection::vec(-1.0..1.0f32, 8), x in prop::collection::vec(-3.0..3.0f32, INPUTS),
    ) {
        let (spec, _) = trees();
        let network = NetworkSpec::Trees { inputs: INPUTS, outputs: 2, trees: 1, depth: 3 };
        let tensors = Tensors::from([
            ("trees.feature".to_owned(), (vec![1, 7], feature.iter().map(|&f| f as f32).collect())),
            ("trees.threshold".to_owned(), (vec![1, 7], threshold.clone())),
            ("trees.leaf".to_owned(), (vec![1, 8], leaf.clone())),
            ("trees.output".to_owned(), (vec![1], vec![0.0])),
            ("trees.bias".to_owned(), (vec![2], vec![0.5, 0.0])),
        ]);
        let policy = write_and_load(&(PolicySpec { network, ..spec }, tensors));
        let side = |node: usize| usize::from(x[feature[node]] > threshold[node]);
        let child = 1 + side(0);
        let grandchild = 2 * child + 1 + side(child);
        let reached = 2 * grandchild + 1 + side(grandchild) - 7;
        prop_assert_eq!(logits(&policy, &x), [0.5 + leaf[reached], 0.0]);
    }
}
