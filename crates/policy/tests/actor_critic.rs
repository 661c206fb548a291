//! The trained network and the served one are the same function.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod common;

use candle_core::{Device, Tensor};
use common::{network, spec, weights};
use walkforward_policy::{ActorCritic, load_mlp, write_bundle};

const ROWS: usize = 9;
const INPUTS: usize = 8;

fn observations() -> Vec<f32> {
    (0..ROWS * INPUTS).map(|i| ((i * 37 % 101) as f32 - 50.0) / 20.0).collect()
}

fn assert_close(a: &[f32], b: &[f32]) {
    assert_eq!(a.len(), b.len());
    let worst = a.iter().zip(b).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max);
    assert!(worst <= 1e-5, "{worst}");
}

#[test]
fn kernels_and_candle_agree() {
    let mut net = network(3);
    // Larger weights than fresh ones, so that the tanh is used over its range.
    let scaled: Vec<f32> = net.flat().unwrap().iter().map(|x| x * 1.7 + 0.01).collect();
    net.set_flat(&scaled).unwrap();
    net = ActorCritic::from_tensors(spec().network, &net.to_tensors().unwrap()).unwrap();
    let x = observations();
    let tensor = Tensor::from_slice(&x, (ROWS, INPUTS), &Device::Cpu).unwrap();
    let (logits, values) = net.forward(&tensor).unwrap();
    let (actor, critic) = net.pack().unwrap();
    let (mut fast_logits, mut fast_values) = (vec![0.0; ROWS * 2], vec![0.0; ROWS]);
    actor.forward(&x, &mut fast_logits, &mut actor.scratch()).unwrap();
    critic.forward(&x, &mut fast_values, &mut critic.scratch()).unwrap();
    assert_close(&fast_logits, &logits.flatten_all().unwrap().to_vec1().unwrap());
    assert_close(&fast_values, &values.to_vec1().unwrap());

    let dir = tempfile::tempdir().unwrap();
    let written = write_bundle(dir.path(), &spec(), &net.to_tensors().unwrap(), None).unwrap();
    let mut served = vec![0.0; ROWS * 2];
    load_mlp(dir.path(), &written.sha256).unwrap().forward_logits(&x, &mut served).unwrap();
    assert_eq!(served, fast_logits);
}

#[test]
fn a_fresh_actor_has_no_opinion() {
    let net = network(4);
    let (actor, _) = net.pack().unwrap();
    let mut logits = vec![0.0; ROWS * 2];
    actor.forward(&observations(), &mut logits, &mut actor.scratch()).unwrap();
    assert!(logits.iter().all(|y| y.abs() < 0.1), "{logits:?}");
}

#[test]
fn flat_parameters_and_named_tensors_are_the_same_numbers() {
    let net = network(1);
    let flat = net.flat().unwrap();
    assert_eq!(flat.len(), net.parameter_count());
    let tensors = net.name_flat(&flat).unwrap();
    assert_eq!(tensors, weights(1));
    assert_eq!(net.flatten(&tensors).unwrap(), flat);
    assert!(net.set_flat(&flat[1..]).is_err());
    let mut short = tensors.clone();
    short.remove("critic.0.bias");
    assert!(net.flatten(&short).is_err());
    assert!(ActorCritic::from_tensors(spec().network, &short).is_err());
}

#[test]
fn the_seed_decides_fresh_weights() {
    assert_eq!(weights(7), weights(7));
    assert_ne!(weights(7), weights(8));
}
