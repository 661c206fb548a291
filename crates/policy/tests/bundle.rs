//! Bundles: what is written loads, what is not what was written does not.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod common;

use std::collections::HashMap;
use std::path::Path;

use common::{WIDTH, spec, weights};
use proptest::prelude::*;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use walkforward_core::{Action, Observation, Policy, PolicyError, PolicySpec};
use walkforward_policy::{
    BundleError, OPTIMIZER_FILE, OptimizerState, Tensors, WEIGHTS_FILE, load, load_bundle, load_mlp,
    load_optimizer, sha256_hex, write_bundle,
};

/// Writes a good bundle, replaces its header and tensors, and gives the error of loading it with the right hash.
fn load_changed(
    change_spec: impl Fn(&mut serde_json::Value),
    change_tensors: impl Fn(&mut Tensors),
) -> BundleError {
    let dir = tempfile::tempdir().unwrap();
    let written = write_bundle(dir.path(), &spec(), &weights(1), None).unwrap();
    let mut header = serde_json::to_value(&written.spec).unwrap();
    change_spec(&mut header);
    let mut tensors = weights(1);
    change_tensors(&mut tensors);
    let bytes = encode(&header.to_string(), &tensors);
    load_bytes(dir.path(), &bytes).unwrap_err()
}

fn encode(header: &str, tensors: &Tensors) -> Vec<u8> {
    let data: Vec<Vec<u8>> =
        tensors.values().map(|(_, data)| data.iter().flat_map(|x| x.to_le_bytes()).collect()).collect();
    let views = tensors.iter().zip(&data).map(|((name, (shape, _)), data)| {
        (name.clone(), TensorView::new(Dtype::F32, shape.clone(), data).unwrap())
    });
    let metadata = HashMap::from([("walkforward".to_owned(), header.to_owned())]);
    safetensors::serialize(views, Some(metadata)).unwrap()
}

fn load_bytes(dir: &Path, bytes: &[u8]) -> Result<walkforward_policy::FrozenPolicy, BundleError> {
    std::fs::write(dir.join(WEIGHTS_FILE), bytes).unwrap();
    load_mlp(dir, &sha256_hex(bytes))
}

fn check(change: impl Fn(&mut serde_json::Value), expected: &str) {
    let text = load_changed(change, |_| ()).to_string();
    assert!(text.contains(expected) && text.contains(WEIGHTS_FILE), "{text}");
}

fn check_tensors(change: impl Fn(&mut Tensors), expected: &str) {
    let text = load_changed(|_| (), change).to_string();
    assert!(text.contains(expected) && text.contains(WEIGHTS_FILE), "{text}");
}

#[test]
fn a_written_bundle_loads_with_its_specification_and_weights() {
    let dir = tempfile::tempdir().unwrap();
    let written = write_bundle(dir.path(), &spec(), &weights(1), None).unwrap();
    let bundle = load_bundle(dir.path(), &written.sha256).unwrap();
    assert_eq!(bundle.policy.spec(), &written.spec);
    assert_eq!(bundle.policy.sha256(), written.sha256);
    assert_eq!(bundle.tensors, weights(1));
    assert_eq!(written.spec.probe.observations.len(), 8);
    assert_eq!(PolicySpec { probe: spec().probe, ..written.spec }, spec());
}

#[test]
fn only_a_market_with_sessions_is_written_into_the_specification() {
    for (sessions, is_named) in [(false, false), (true, true)] {
        let dir = tempfile::tempdir().unwrap();
        let spec = PolicySpec { sessions, ..spec() };
        let written = write_bundle(dir.path(), &spec, &weights(1), None).unwrap();
        let bytes = std::fs::read(dir.path().join(WEIGHTS_FILE)).unwrap();
        assert_eq!(String::from_utf8_lossy(&bytes).contains("sessions"), is_named);
        assert_eq!(load_bundle(dir.path(), &written.sha256).unwrap().policy.spec().sessions, sessions);
    }
}

#[test]
fn the_same_contents_give_the_same_bytes_and_other_weights_others() {
    let state = OptimizerState { step: 3, m: weights(5), v: weights(6) };
    let write = |seed| {
        let dir = tempfile::tempdir().unwrap();
        let sha256 = write_bundle(dir.path(), &spec(), &weights(seed), Some(&state)).unwrap().sha256;
        let read = |name| std::fs::read(dir.path().join(name)).unwrap();
        (sha256, read(WEIGHTS_FILE), read(OPTIMIZER_FILE))
    };
    assert_eq!(write(1), write(1));
    assert_ne!(write(1).0, write(2).0);
}

#[test]
fn the_header_has_one_key_with_sorted_json() {
    let dir = tempfile::tempdir().unwrap();
    write_bundle(dir.path(), &spec(), &weights(1), None).unwrap();
    let bytes = std::fs::read(dir.path().join(WEIGHTS_FILE)).unwrap();
    let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
    let map = metadata.metadata().clone().unwrap();
    assert_eq!(map.keys().collect::<Vec<_>>(), ["walkforward"]);
    assert!(
        map["walkforward"].starts_with(r#"{"actions":"long_flat","features":"#),
        "{}",
        map["walkforward"]
    );
}

#[test]
fn nothing_is_written_that_would_not_load() {
    let dir = tempfile::tempdir().unwrap();
    let mut nan = weights(1);
    nan.get_mut("actor.0.bias").unwrap().1[0] = f32::NAN;
    assert!(matches!(write_bundle(dir.path(), &spec(), &nan, None), Err(BundleError::Tensor { .. })));
    let mut odd = spec();
    odd.normaliser.std[0] = 0.0;
    assert!(matches!(write_bundle(dir.path(), &odd, &weights(1), None), Err(BundleError::Spec { .. })));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn an_absent_folder_is_a_write_error() {
    let dir = tempfile::tempdir().unwrap();
    let error = write_bundle(&dir.path().join("no"), &spec(), &weights(1), None).unwrap_err();
    assert!(matches!(error, BundleError::Write { .. }), "{error}");
}

#[test]
fn weights_that_can_not_be_replaced_leave_no_half_file() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join(WEIGHTS_FILE).join("in the way")).unwrap();
    let error = write_bundle(dir.path(), &spec(), &weights(1), None).unwrap_err();
    assert!(matches!(error, BundleError::Write(_)), "{error}");
    let names: Vec<_> =
        std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, [WEIGHTS_FILE]);
}

#[test]
fn the_policy_takes_the_largest_logit_and_refuses_bad_observations() {
    let dir = tempfile::tempdir().unwrap();
    let written = write_bundle(dir.path(), &spec(), &weights(1), None).unwrap();
    let policy = load_mlp(dir.path(), &written.sha256).unwrap();
    for observation in &written.spec.probe.observations {
        let mut logits = [0.0; 2];
        policy.forward_logits(observation, &mut logits).unwrap();
        let expected = Action(u8::from(logits[1] > logits[0]));
        assert_eq!(policy.act(Observation(observation)), Ok(expected));
    }
    let short = policy.act(Observation(&[0.0; 3]));
    assert_eq!(short, Err(PolicyError::ObservationLength { expected: 8, actual: 3 }));
    for bad in [f32::NAN, f32::INFINITY] {
        assert!(matches!(policy.act(Observation(&[bad; 8])), Err(PolicyError::Failed(_))));
    }
}

#[test]
fn overflowing_weights_are_an_error_and_no_action() {
    let mut tensors = weights(1);
    tensors.get_mut("actor.2.weight").unwrap().1.fill(f32::MAX);
    let dir = tempfile::tempdir().unwrap();
    let error = write_bundle(dir.path(), &spec(), &tensors, None).unwrap_err().to_string();
    assert!(error.contains("not finite"), "{error}");
}

#[test]
fn an_actor_without_critic_loads() {
    let dir = tempfile::tempdir().unwrap();
    let mut tensors = weights(1);
    tensors.retain(|name, _| name.starts_with("actor."));
    let written = write_bundle(dir.path(), &spec(), &tensors, None).unwrap();
    assert!(load(dir.path(), &written.sha256).is_ok());
}

#[test]
fn an_absent_changed_or_truncated_file_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let missing = load_mlp(dir.path(), "00").unwrap_err();
    assert!(matches!(missing, BundleError::Missing { .. }), "{missing}");
    let written = write_bundle(dir.path(), &spec(), &weights(1), None).unwrap();
    assert!(matches!(load_mlp(dir.path(), "00"), Err(BundleError::Hash { .. })));
    let path = dir.path().join(WEIGHTS_FILE);
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    assert!(matches!(load_mlp(dir.path(), &written.sha256), Err(BundleError::Hash { .. })));
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    assert!(matches!(load_mlp(dir.path(), &written.sha256), Err(BundleError::Read { .. })));
}

#[test]
fn a_file_beyond_the_limit_is_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let file = std::fs::File::create(dir.path().join(WEIGHTS_FILE)).unwrap();
    file.set_len(walkforward_policy::MAX_BUNDLE_BYTES + 1).unwrap();
    assert!(matches!(load_mlp(dir.path(), "00"), Err(BundleError::TooLarge { .. })));
}

#[test]
fn a_specification_outside_its_limits_is_refused() {
    check(|spec| spec["schema"] = 2.into(), "version 2");
    check(|spec| spec["schema"] = "1".into(), "schema");
    check(|spec| spec["extra"] = 1.into(), "extra");
    check(|spec| spec["lookback"] = 0.into(), "lookback is 0");
    check(|spec| spec["lookback"] = 1.into(), "the network takes 8 numbers, an observation has 5");
    check(|spec| spec["lookback"] = 2_000.into(), "lookback is 2000");
    check(|spec| spec["network"]["outputs"] = 3.into(), "there are 2 actions");
    check(|spec| spec["actions"] = "buy_sell_hold".into(), "there are 3 actions");
    check(|spec| spec["actions"] = serde_json::json!({ "sized": [0.0, 0.5, 1.0] }), "there are 3 actions");
    check(|spec| spec["actions"] = serde_json::json!({ "sized": [0.5, 1.0] }), "no target 0");
    check(|spec| spec["actions"] = "all_in".into(), "all_in");
    check(|spec| spec["network"]["hidden"] = vec![0].into(), "a hidden layer has 0 units");
    check(|spec| spec["network"]["hidden"] = vec![1; 9].into(), "9 hidden layers");
    check(|spec| spec["normaliser"]["std"] = vec![1.0; WIDTH + 1].into(), "the normaliser has 3 means and 4");
    check(|spec| spec["normaliser"]["std"][1] = 0.0.into(), "deviation of column 1");
    check(|spec| spec["normaliser"]["mean"][2] = 1e300.into(), "mean of column 2");
    check(|spec| spec["normaliser"]["clip"] = 0.0.into(), "clip is 0");
    check(|spec| spec["probe"]["observations"] = serde_json::json!([]), "0 probes");
    check(|spec| spec["probe"]["tolerance"] = 1.0.into(), "tolerance is 1");
    check(|spec| spec["probe"]["outputs"][0] = serde_json::json!([0.0]), "a probe has the wrong length");
}

#[test]
fn a_probe_that_was_answered_otherwise_is_refused() {
    let error = load_changed(|spec| spec["probe"]["outputs"][3][0] = 0.125.into(), |_| ());
    assert!(matches!(error, BundleError::Probe { row: 3, .. }), "{error}");
}

#[test]
fn tensors_that_are_not_the_networks_are_refused_by_name() {
    check_tensors(|t| drop(t.remove("actor.1.bias")), "'actor.1.bias'");
    check_tensors(|t| drop(t.remove("critic.1.bias")), "'critic.1.bias'");
    check_tensors(|t| drop(t.insert("other".to_owned(), (vec![1], vec![0.0]))), "'other'");
    check_tensors(|t| t.get_mut("actor.0.weight").unwrap().0.swap(0, 1), "'actor.0.weight'");
    check_tensors(|t| t.get_mut("actor.0.bias").unwrap().1[2] = f32::INFINITY, "number 2 is not finite");
}

#[test]
fn tensors_of_another_type_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let view = TensorView::new(Dtype::F16, vec![2], &[0; 4]).unwrap();
    let metadata = HashMap::from([("walkforward".to_owned(), "{}".to_owned())]);
    let bytes = safetensors::serialize([("actor.0.bias", view)], Some(metadata)).unwrap();
    let error = load_bytes(dir.path(), &bytes).unwrap_err().to_string();
    assert!(error.contains("expected F32"), "{error}");
}

#[test]
fn tensors_that_lie_beyond_the_file_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    // Each size fits 64 bits, their sum does not.
    let tensor = |start: u64, end: u64| {
        format!(r#"{{"dtype":"F32","shape":[{}],"data_offsets":[{start},{end}]}}"#, (end - start) / 4)
    };
    let step = 1 << 62;
    let entries: Vec<String> =
        (0..3).map(|i| format!(r#""t{i}":{}"#, tensor(i * step, (i + 1) * step))).collect();
    let last = tensor(3 * step, u64::MAX - 3);
    let header = format!(r#"{{{},"z":{last}}}"#, entries.join(","));
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    assert!(matches!(load_bytes(dir.path(), &bytes), Err(BundleError::Format { .. })));
}

#[test]
fn an_optimizer_state_reads_back_and_belongs_to_its_weights() {
    let dir = tempfile::tempdir().unwrap();
    let state = OptimizerState { step: u64::MAX, m: weights(5), v: weights(6) };
    let written = write_bundle(dir.path(), &spec(), &weights(1), Some(&state)).unwrap();
    assert_eq!(load_optimizer(dir.path(), &written.sha256).unwrap(), state);
    let foreign = load_optimizer(dir.path(), "00");
    assert!(matches!(foreign, Err(BundleError::ForeignOptimizer { .. })));
    std::fs::write(dir.path().join(OPTIMIZER_FILE), b"\x10\0\0\0\0\0\0\0{").unwrap();
    assert!(matches!(load_optimizer(dir.path(), &written.sha256), Err(BundleError::Format { .. })));
}

#[test]
fn a_policy_is_shared_between_threads() {
    let dir = tempfile::tempdir().unwrap();
    let written = write_bundle(dir.path(), &spec(), &weights(1), None).unwrap();
    let policy = load(dir.path(), &written.sha256).unwrap();
    let observation = vec![0.25; policy.spec().network.inputs()];
    let here = policy.act(Observation(&observation)).unwrap();
    let there = std::thread::scope(|scope| {
        scope.spawn(|| policy.act(Observation(&observation)).unwrap()).join().unwrap()
    });
    assert_eq!(here, there);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_mutated_bundle_never_loads_under_its_hash_and_never_panics(
        changes in prop::collection::vec((any::<prop::sample::Index>(), 1u8..=255), 1..4),
        keep in any::<prop::sample::Index>(),
        truncate in any::<bool>(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let written = write_bundle(dir.path(), &spec(), &weights(1), None).unwrap();
        let original = std::fs::read(dir.path().join(WEIGHTS_FILE)).unwrap();
        let mut bytes = original.clone();
        for (index, flip) in changes {
            let at = index.index(bytes.len());
            bytes[at] ^= flip;
        }
        if truncate {
            bytes.truncate(keep.index(bytes.len()));
        }
        prop_assume!(bytes != original);
        // With its own hash the result may be either, but it is a result.
        let _ = load_bytes(dir.path(), &bytes);
        let is_hash_error = matches!(load_mlp(dir.path(), &written.sha256), Err(BundleError::Hash { .. }));
        prop_assert!(is_hash_error);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), length in 0u64..300) {
        let dir = tempfile::tempdir().unwrap();
        prop_assert!(load_bytes(dir.path(), &bytes).is_err());
        let mut framed = length.to_le_bytes().to_vec();
        framed.extend(bytes);
        prop_assert!(load_bytes(dir.path(), &framed).is_err());
    }
}
