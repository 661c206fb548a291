//! The fused gradient of PPO's loss against its formula, finite differences, other instruction sets and thread counts.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use proptest::prelude::*;
use walkforward_kernels::{
    ActorCriticNet, ActorCriticShape, AdamConfig, Draw, Isa, LinearWeights, PackedMlp, PpoBatch, PpoFigures,
    PpoLoss, PpoWorkspace, clip_grad_norm,
};

fn numbers(count: usize, salt: u32, scale: f32) -> Vec<f32> {
    let mix = |i: u32| (i.wrapping_add(salt).wrapping_mul(2_654_435_761) >> 8) as f32 / (1 << 24) as f32;
    (0..count as u32).map(|i| (mix(i) - 0.5) * scale).collect()
}

fn network(shape: &ActorCriticShape, salt: u32) -> ActorCriticNet {
    ActorCriticNet::new(shape.clone(), &numbers(shape.parameter_count(), salt, 0.6)).unwrap()
}

struct Rollout {
    observations: Vec<f32>,
    actions: Vec<u32>,
    log_probs: Vec<f32>,
    advantages: Vec<f32>,
    returns: Vec<f32>,
    values: Vec<f32>,
    rows: Vec<u32>,
}

/// Ratios on both sides of the clip, advantages of both signs, the rows backwards.
fn rollout(shape: &ActorCriticShape, rows: usize, salt: u32) -> Rollout {
    let even = -(shape.actions as f32).ln();
    Rollout {
        observations: numbers(rows * shape.inputs, salt ^ 1, 4.0),
        actions: (0..rows).map(|row| ((row * 7 + salt as usize % 5) % shape.actions) as u32).collect(),
        log_probs: numbers(rows, salt ^ 2, 0.8).iter().map(|x| x + even).collect(),
        advantages: numbers(rows, salt ^ 3, 3.0),
        returns: numbers(rows, salt ^ 4, 2.0),
        values: numbers(rows, salt ^ 5, 2.0),
        rows: (0..rows as u32).rev().collect(),
    }
}

impl Rollout {
    fn batch(&self) -> PpoBatch<'_> {
        PpoBatch {
            observations: &self.observations,
            actions: &self.actions,
            log_probs: &self.log_probs,
            advantages: &self.advantages,
            returns: &self.returns,
            values: &self.values,
            rows: &self.rows,
        }
    }
}

const LOSS: PpoLoss =
    PpoLoss { clip_coef: 0.2, ent_coef: 0.05, vf_coef: 0.5, clip_vloss: false, norm_adv: true };

fn gradient(
    net: &ActorCriticNet,
    rollout: &Rollout,
    loss: &PpoLoss,
    threads: usize,
) -> (PpoFigures, Vec<f32>) {
    let mut workspace = PpoWorkspace::new(net, threads);
    let figures = net.ppo_gradient(&rollout.batch(), loss, &mut workspace).unwrap();
    (figures, workspace.flat_gradient(net).unwrap())
}

/// The loss in `f64`, from the formula and the network's own outputs.
fn reference(net: &ActorCriticNet, rollout: &Rollout, loss: &PpoLoss) -> PpoFigures {
    let (rows, actions) = (rollout.actions.len(), net.shape().actions);
    let (mut logits, mut values) = (vec![0.0; rows * actions], vec![0.0; rows]);
    net.forward(&rollout.observations, &mut logits, &mut values, &mut net.scratch()).unwrap();
    let wide = |x: &f32| f64::from(*x);
    let mean = rollout.advantages.iter().map(wide).sum::<f64>() / rows as f64;
    let squares = rollout.advantages.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>();
    let deviation = (squares / (rows as f64 - 1.0)).sqrt() + 1e-8;
    let mut figures = PpoFigures::default();
    let clip = f64::from(loss.clip_coef);
    for (row, logits) in logits.chunks(actions).enumerate() {
        let total = logits.iter().map(|x| wide(x).exp()).sum::<f64>().ln();
        let log_p: Vec<f64> = logits.iter().map(|x| wide(x) - total).collect();
        let log_ratio = log_p[rollout.actions[row] as usize] - f64::from(rollout.log_probs[row]);
        let raw = f64::from(rollout.advantages[row]);
        let advantage = if loss.norm_adv { (raw - mean) / deviation } else { raw };
        let (value, target) = (f64::from(values[row]), f64::from(rollout.returns[row]));
        let old = f64::from(rollout.values[row]);
        let held = old + (value - old).clamp(-clip, clip);
        let square = (value - target).powi(2);
        let square = if loss.clip_vloss { square.max((held - target).powi(2)) } else { square };
        let ratio = log_ratio.exp();
        let one = PpoFigures {
            policy_loss: -(ratio * advantage).min(ratio.clamp(1.0 - clip, 1.0 + clip) * advantage),
            value_loss: square / 2.0,
            entropy: -log_p.iter().map(|x| x * x.exp()).sum::<f64>(),
            approx_kl: ratio - 1.0 - log_ratio,
            clipfrac: f64::from(u8::from((ratio - 1.0).abs() > clip)),
        };
        figures.add(&one, 1.0 / rows as f64);
    }
    figures
}

fn close(a: &PpoFigures, b: &PpoFigures) {
    let pairs = [
        (a.policy_loss, b.policy_loss),
        (a.value_loss, b.value_loss),
        (a.entropy, b.entropy),
        (a.approx_kl, b.approx_kl),
        (a.clipfrac, b.clipfrac),
    ];
    assert!(pairs.iter().all(|(a, b)| (a - b).abs() < 1e-5), "{a:?} {b:?}");
}

#[test]
fn the_figures_follow_their_formulas() {
    let shape = ActorCriticShape { inputs: 5, hidden: vec![9], actions: 3 };
    let (net, rollout) = (network(&shape, 3), rollout(&shape, 150, 8));
    for (clip_vloss, norm_adv) in [(false, true), (true, true), (true, false)] {
        let loss = PpoLoss { clip_vloss, norm_adv, ..LOSS };
        let (figures, _) = gradient(&net, &rollout, &loss, 1);
        close(&figures, &reference(&net, &rollout, &loss));
        assert!(figures.clipfrac > 0.1 && figures.clipfrac < 0.9, "{figures:?}");
    }
}

#[test]
fn the_gradient_agrees_with_finite_differences() {
    for (hidden, clip_vloss) in [(vec![], false), (vec![6], true), (vec![7, 5], false), (vec![18, 33], true)]
    {
        let shape = ActorCriticShape { inputs: 4, hidden, actions: 3 };
        let rollout = rollout(&shape, 70, 5);
        let loss = PpoLoss { clip_vloss, ..LOSS };
        let mut net = network(&shape, 2);
        let (_, slopes) = gradient(&net, &rollout, &loss, 1);
        let flat = net.flat();
        let h = 1e-3;
        for index in (0..flat.len()).step_by(1 + flat.len() / 150) {
            let mut at = |moved: f32| {
                let mut flat = flat.clone();
                flat[index] = moved;
                net.set_flat(&flat).unwrap();
                reference(&net, &rollout, &loss).total(&loss)
            };
            let (up, down) = (flat[index] + h, flat[index] - h);
            let slope = (at(up) - at(down)) / f64::from(up - down);
            assert!((slope - f64::from(slopes[index])).abs() < 2e-3, "{index}: {slope} {}", slopes[index]);
        }
    }
}

#[test]
fn the_number_of_threads_reaches_no_bit() {
    let shape = ActorCriticShape { inputs: 6, hidden: vec![8, 8], actions: 2 };
    let (net, rollout) = (network(&shape, 3), rollout(&shape, 2_100, 4));
    let one = gradient(&net, &rollout, &LOSS, 1);
    for threads in [2, 3, 4, 9] {
        assert_eq!(gradient(&net, &rollout, &LOSS, threads), one, "{threads}");
    }
}

#[test]
fn a_number_that_is_not_finite_reaches_the_gradient() {
    let shape = ActorCriticShape { inputs: 2, hidden: vec![3], actions: 2 };
    let net = network(&shape, 1);
    let norm = |change: fn(&mut Rollout)| {
        let mut rollout = rollout(&shape, 20, 4);
        change(&mut rollout);
        clip_grad_norm(&mut gradient(&net, &rollout, &LOSS, 1).1, 0.5)
    };
    assert!(norm(|_| ()).is_finite());
    assert!(!norm(|rollout| rollout.observations[3] = f32::NAN).is_finite());
    assert!(!norm(|rollout| rollout.advantages[3] = f32::INFINITY).is_finite());
    assert!(!norm(|rollout| rollout.returns[3] = f32::NAN).is_finite());
    assert!(!norm(|rollout| rollout.log_probs[3] = f32::NAN).is_finite());
}

#[test]
fn wrong_shapes_are_refused() {
    let shape = ActorCriticShape { inputs: 2, hidden: vec![3], actions: 2 };
    let (net, good) = (network(&shape, 1), rollout(&shape, 20, 4));
    let mut workspace = PpoWorkspace::new(&net, 1);
    let mut check = |change: fn(&mut Rollout)| {
        let mut rollout = rollout(&shape, 20, 4);
        change(&mut rollout);
        assert!(net.ppo_gradient(&rollout.batch(), &LOSS, &mut workspace).is_err());
    };
    check(|rollout| rollout.rows.clear());
    check(|rollout| rollout.rows.push(20));
    check(|rollout| rollout.observations.truncate(39));
    check(|rollout| rollout.values.truncate(1));
    let other = network(&ActorCriticShape { hidden: vec![40], ..shape.clone() }, 1);
    assert!(other.ppo_gradient(&good.batch(), &LOSS, &mut workspace).is_err());
    assert!(ActorCriticNet::new(shape, &[0.0; 3]).is_err());
}

#[test]
fn adam_moves_towards_a_lower_loss_and_continues_from_its_moments() {
    let shape = ActorCriticShape { inputs: 5, hidden: vec![9], actions: 3 };
    let rollout = rollout(&shape, 90, 8);
    let mut net = network(&shape, 3);
    let mut adam = net.fresh_adam(AdamConfig::default());
    let mut workspace = PpoWorkspace::new(&net, 1);
    let mut losses = Vec::new();
    for _ in 0..20 {
        losses.push(net.ppo_gradient(&rollout.batch(), &LOSS, &mut workspace).unwrap().total(&LOSS));
        net.adam_step(&mut adam, workspace.gradient(), 3e-3).unwrap();
    }
    assert!(losses[19] < losses[0] - 0.05, "{losses:?}");
    let (m, v) = net.moments(&adam).unwrap();
    assert_eq!(net.restore_adam(AdamConfig::default(), &m, &v, 20).unwrap(), adam);
    assert!(net.restore_adam(AdamConfig::default(), &m[1..], &v, 20).is_err());
}

fn shapes() -> impl Strategy<Value = ActorCriticShape> {
    let hidden = prop::collection::vec(prop_oneof![1usize..20, Just(64), Just(70)], 0..3);
    (1usize..70, hidden, 1usize..6).prop_map(|(inputs, hidden, actions)| ActorCriticShape {
        inputs,
        hidden,
        actions,
    })
}

/// Logits and values through the packed networks that serve.
fn packed_bits(shape: &ActorCriticShape, flat: &[f32], observations: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let mut rest = flat;
    let mut answer = |outputs: usize| {
        let widths: Vec<usize> =
            std::iter::once(shape.inputs).chain(shape.hidden.iter().copied()).chain([outputs]).collect();
        let mut layers = Vec::new();
        for pair in widths.windows(2) {
            let (weight, after) = rest.split_at(pair[0] * pair[1]);
            let (bias, after) = after.split_at(pair[1]);
            layers.push(LinearWeights { weight, bias });
            rest = after;
        }
        let net = PackedMlp::new(shape.inputs, &layers).unwrap();
        let mut answers = vec![0.0; observations.len() / shape.inputs * outputs];
        net.forward(observations, &mut answers, &mut net.scratch()).unwrap();
        answers
    };
    (answer(shape.actions), answer(1))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn the_trained_network_answers_with_the_bits_of_the_one_that_serves(
        shape in shapes(), rows in 1usize..150, salt in any::<u32>(),
    ) {
        let net = network(&shape, salt);
        let observations = numbers(rows * shape.inputs, salt ^ 9, 4.0);
        let expected = packed_bits(&shape, &net.flat(), &observations);
        for isa in [Isa::Portable, Isa::Avx2, Isa::Avx512] {
            let Some(net) = net.clone().with_isa(isa) else { continue };
            let (mut logits, mut values) = (vec![0.0; rows * shape.actions], vec![0.0; rows]);
            net.forward(&observations, &mut logits, &mut values, &mut net.scratch()).unwrap();
            prop_assert_eq!((&logits, &values), (&expected.0, &expected.1), "{:?}", isa);
            let mut only_values = vec![0.0; rows];
            net.values(&observations, &mut only_values, &mut net.scratch()).unwrap();
            prop_assert_eq!(only_values, values);
        }
    }

    #[test]
    fn every_instruction_set_gives_the_same_gradient_and_the_same_draws(
        shape in shapes(), rows in 2usize..150, salt in any::<u32>(), clip_vloss in any::<bool>(),
    ) {
        let rollout = rollout(&shape, rows, salt);
        let net = network(&shape, salt);
        let loss = PpoLoss { clip_vloss, ..LOSS };
        let uniforms: Vec<f32> = numbers(rows, salt, 0.999).iter().map(|x| x + 0.5).collect();
        let run = |isa| {
            let net = net.clone().with_isa(isa)?;
            let (mut actions, mut log_probs, mut values) = (vec![0; rows], vec![0.0; rows], vec![0.0; rows]);
            let draw = Draw { uniforms: &uniforms, actions: &mut actions, log_probs: &mut log_probs };
            net.act(&rollout.observations, draw, &mut values, &mut net.scratch()).unwrap();
            Some((gradient(&net, &rollout, &loss, 1), actions, log_probs, values))
        };
        let portable = run(Isa::Portable);
        for isa in [Isa::Avx2, Isa::Avx512] {
            if let Some(other) = run(isa) {
                prop_assert_eq!(Some(&other), portable.as_ref(), "{:?}", isa);
            }
        }
    }
}
