//! The kernels against the reference.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use walkforward_core::Activation;

use super::candle::CandleBackend;
use super::kernels::KernelBackend;
use super::*;

fn numbers(count: usize, salt: u32, scale: f32) -> Vec<f32> {
    let mix = |i: u32| (i.wrapping_add(salt).wrapping_mul(2_654_435_761) >> 8) as f32 / (1 << 24) as f32;
    (0..count as u32).map(|i| (mix(i) - 0.5) * scale).collect()
}

/// A network away from the almost equal logits of fresh weights.
fn origin(inputs: usize, hidden: &[usize], outputs: usize) -> Origin {
    let hidden = hidden.to_vec();
    let spec = NetworkSpec::Mlp { inputs, hidden, outputs, activation: Activation::Tanh };
    let net = ActorCritic::new(spec, &mut ChaCha8Rng::seed_from_u64(5)).unwrap();
    let moved = numbers(net.parameter_count(), 77, 0.2);
    let flat: Vec<f32> = net.flat().unwrap().iter().zip(moved).map(|(x, d)| x + d).collect();
    net.set_flat(&flat).unwrap();
    Origin { net, moments: None }
}

struct Data {
    observations: Vec<f32>,
    actions: Vec<u32>,
    numbers: [Vec<f32>; 4],
    rows: Vec<u32>,
}

/// Ratios on both sides of the clip, advantages of both signs; the minibatch is every row but one.
fn data(rows: usize, inputs: usize, actions: usize) -> Data {
    Data {
        observations: numbers(rows * inputs, 1, 4.0),
        actions: (0..rows).map(|row| (row * 7 % actions) as u32).collect(),
        numbers: [
            numbers(rows, 2, 0.8).iter().map(|x| x - (actions as f32).ln()).collect(),
            numbers(rows, 3, 3.0),
            numbers(rows, 4, 2.0),
            numbers(rows, 5, 2.0),
        ],
        rows: (1..rows as u32).rev().collect(),
    }
}

impl Data {
    fn batch(&self) -> PpoBatch<'_> {
        let [log_probs, advantages, returns, values] = &self.numbers;
        let (observations, actions, rows) = (&self.observations, &self.actions, &self.rows);
        PpoBatch { observations, actions, log_probs, advantages, returns, values, rows }
    }
}

fn stride(clip_vloss: bool, norm_adv: bool) -> Stride {
    let loss = PpoLoss { clip_coef: 0.2, ent_coef: 0.05, vf_coef: 0.5, clip_vloss, norm_adv };
    Stride { loss, max_grad_norm: 0.5, learning_rate: 1e-3 }
}

fn check_gradient(inputs: usize, hidden: &[usize], actions: usize, rows: usize, stride: &Stride) {
    let data = data(rows, inputs, actions);
    let candle = CandleBackend::new(origin(inputs, hidden, actions)).unwrap();
    let mut kernels = KernelBackend::new(origin(inputs, hidden, actions), Isa::detect(), 1).unwrap();
    let (expected_figures, expected) = candle.gradient(&data.batch(), stride).unwrap();
    let (figures, gradient) = kernels.gradient(&data.batch(), stride).unwrap();
    let worst = gradient.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst <= 1e-6, "{inputs} {hidden:?} {actions}: {worst:e}");
    assert!(expected.iter().any(|g| g.abs() > 0.01));
    assert!((figures.total(&stride.loss) - expected_figures.total(&stride.loss)).abs() < 1e-5);
    assert!((figures.approx_kl - expected_figures.approx_kl).abs() < 1e-5);
    assert_eq!(figures.clipfrac, expected_figures.clipfrac);
}

#[test]
fn every_gradient_equals_that_of_automatic_differentiation() {
    check_gradient(66, &[64, 64], 3, 257, &stride(false, true));
    check_gradient(66, &[64, 64], 3, 1_300, &stride(true, true));
    check_gradient(7, &[5, 33, 20], 2, 100, &stride(true, false));
    check_gradient(20, &[], 4, 65, &stride(false, true));
}

#[test]
fn both_backends_answer_and_step_alike() {
    let data = data(200, 6, 3);
    let make = |kind| backend(kind, origin(6, &[16, 16], 3), 2).unwrap();
    let (mut kernels, mut candle) = (make(BackendKind::default()), make(BackendKind::Candle));
    for _ in 0..5 {
        kernels.step(&data.batch(), &stride(false, true)).unwrap().unwrap();
        candle.step(&data.batch(), &stride(false, true)).unwrap().unwrap();
    }
    let answers = |backend: &dyn Backend| {
        let (mut logits, mut values) = (vec![0.0; 600], vec![0.0; 200]);
        backend.logits(&data.observations, &mut logits).unwrap();
        backend.answers().unwrap().values(&data.observations, &mut values).unwrap();
        logits.extend(values);
        logits
    };
    for (a, b) in answers(kernels.as_ref()).iter().zip(answers(candle.as_ref())) {
        assert!((a - b).abs() < 1e-4, "{a} {b}");
    }
    let state = kernels.optimizer_state().unwrap();
    assert_eq!((state.step, state.m.len()), (5, candle.optimizer_state().unwrap().m.len()));
    let (mut actions, mut log_probs, mut values) = ([[9; 200]; 2], [[0.0; 200]; 2], [0.0; 200]);
    let uniforms: Vec<f32> = numbers(200, 4, 0.99).iter().map(|x| x + 0.5).collect();
    for (index, backend) in [&kernels, &candle].into_iter().enumerate() {
        let (actions, log_probs) = (&mut actions[index], &mut log_probs[index]);
        let draw = Draw { uniforms: &uniforms, actions, log_probs };
        backend.answers().unwrap().act(&data.observations, draw, &mut values).unwrap();
    }
    assert_eq!(actions[0], actions[1]);
    assert!(log_probs[0].iter().zip(&log_probs[1]).all(|(a, b)| (a - b).abs() < 1e-4));
}

#[test]
fn a_step_that_is_not_finite_moves_nothing() {
    for kind in [BackendKind::default(), BackendKind::Candle] {
        let mut backend = backend(kind, origin(6, &[8], 2), 1).unwrap();
        let before = backend.tensors().unwrap();
        for column in [0, 1, 2] {
            let mut data = data(50, 6, 2);
            data.numbers[column][7] = f32::NAN;
            assert!(backend.step(&data.batch(), &stride(false, true)).unwrap().is_err(), "{kind:?} {column}");
        }
        assert_eq!(backend.tensors().unwrap(), before);
    }
}
