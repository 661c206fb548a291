//! Learning on a task with one right answer for each observation.

use rand::Rng;
use walkforward_core::Activation;

use super::*;
use crate::environment::{End, Step};

/// Shows 1 or -1 by turns; action 1 is right for 1, action 0 for -1. Episodes take ten steps.
struct Signs {
    at: Vec<usize>,
    reward: f32,
    finished: Vec<Finished>,
}

impl Signs {
    fn groups(envs: usize, threads: usize, reward: f32) -> Vec<Self> {
        let group = |envs: std::ops::Range<usize>| Self {
            finished: vec![Finished::default(); envs.len()],
            at: envs.collect(),
            reward,
        };
        group_ranges(envs, threads).map(group).collect()
    }

    fn shown(&self, env: usize) -> bool {
        self.at[env].is_multiple_of(2)
    }
}

impl Environment for Signs {
    fn num_envs(&self) -> usize {
        self.at.len()
    }

    fn obs_dim(&self) -> usize {
        1
    }

    fn num_actions(&self) -> usize {
        2
    }

    fn observe_one(&self, env: usize, observation: &mut [f32]) -> Result<(), TrainerError> {
        observation[0] = if self.shown(env) { 1.0 } else { -1.0 };
        Ok(())
    }

    fn step(&mut self, actions: &[u32], steps: &mut [Step]) -> Result<(), TrainerError> {
        for (env, (&action, step)) in actions.iter().zip(steps).enumerate() {
            let is_right = (action == 1) == self.shown(env);
            self.at[env] += 1;
            let end = self.at[env].is_multiple_of(10).then_some(End::Truncated);
            *step = Step { reward: if is_right { self.reward } else { -self.reward }, end };
        }
        Ok(())
    }

    fn restart(&mut self, env: usize) {
        self.finished[env].episodes += 1;
    }

    fn take_finished(&mut self, env: usize) -> Finished {
        std::mem::take(&mut self.finished[env])
    }
}

fn small() -> PpoConfig {
    PpoConfig {
        num_envs: 6,
        num_steps: 32,
        num_minibatches: 4,
        update_epochs: 10,
        gamma: 0.0,
        ..PpoConfig::default()
    }
}

fn learner(config: PpoConfig, threads: usize, reward: f32, kind: BackendKind) -> PpoLearner<Signs> {
    let network = NetworkSpec::Mlp { inputs: 1, hidden: vec![8], outputs: 2, activation: Activation::Tanh };
    let groups = Signs::groups(config.num_envs, threads, reward);
    PpoLearner::new(groups, network, config, 3, kind).unwrap()
}

#[test]
fn both_backends_learn_the_right_action() {
    for kind in [BackendKind::default(), BackendKind::Candle] {
        let mut learner = learner(small(), 1, 1.0, kind);
        for _ in 0..8 {
            learner.iterate(1e-2, &CancelToken::default()).unwrap();
        }
        let mut logits = [0.0; 4];
        learner.logits(&[1.0, -1.0], &mut logits).unwrap();
        assert!(logits[1] > logits[0] && logits[2] > logits[3], "{kind:?} {logits:?}");
    }
}

/// Shows three numbers, oldest first; the right action is the sign of the oldest. Each answer gives a new first row.
struct Recall {
    rows: Vec<[f32; 3]>,
    draws: ChaCha8Rng,
}

impl Recall {
    fn new(envs: usize) -> Self {
        let mut draws = ChaCha8Rng::seed_from_u64(11);
        Self { rows: (0..envs).map(|_| Self::row(&mut draws)).collect(), draws }
    }

    fn row(draws: &mut ChaCha8Rng) -> [f32; 3] {
        std::array::from_fn(|_| if draws.random::<bool>() { 1.0 } else { -1.0 })
    }
}

impl Environment for Recall {
    fn num_envs(&self) -> usize {
        self.rows.len()
    }

    fn obs_dim(&self) -> usize {
        5
    }

    fn num_actions(&self) -> usize {
        2
    }

    fn observe_one(&self, env: usize, observation: &mut [f32]) -> Result<(), TrainerError> {
        observation.fill(0.0);
        observation[..3].copy_from_slice(&self.rows[env]);
        Ok(())
    }

    fn step(&mut self, actions: &[u32], steps: &mut [Step]) -> Result<(), TrainerError> {
        for (row, (&action, step)) in self.rows.iter_mut().zip(actions.iter().zip(steps)) {
            let is_right = (action == 1) == (row[0] > 0.0);
            *step = Step { reward: if is_right { 1.0 } else { -1.0 }, end: None };
            *row = Self::row(&mut self.draws);
        }
        Ok(())
    }

    fn restart(&mut self, _env: usize) {}

    fn take_finished(&mut self, _env: usize) -> Finished {
        Finished::default()
    }
}

#[test]
fn networks_without_kernels_learn_what_only_the_oldest_row_tells() {
    let (inputs, rows, hidden, outputs) = (5, 3, vec![8], 2);
    let activation = Activation::Relu;
    let networks = [
        NetworkSpec::Mlp { inputs, hidden: hidden.clone(), outputs, activation },
        NetworkSpec::LayerNormMlp { inputs, hidden: hidden.clone(), outputs, activation },
        NetworkSpec::Gru { inputs, rows, units: 8, hidden: hidden.clone(), outputs, activation },
        NetworkSpec::Conv { inputs, rows, channels: vec![8], kernel: 3, hidden, outputs, activation },
    ];
    for network in networks {
        let groups = vec![Recall::new(6)];
        let mut learner =
            PpoLearner::new(groups, network.clone(), small(), 3, BackendKind::default()).unwrap();
        let mut last = 0.0;
        for _ in 0..12 {
            last = learner.iterate(1e-2, &CancelToken::default()).unwrap().mean_reward;
        }
        assert!(last > 0.8, "{network:?} {last}");
        let mut logits = [0.0; 4];
        learner.logits(&[1.0, -1.0, -1.0, 0.0, 0.0, -1.0, 1.0, 1.0, 0.0, 0.0], &mut logits).unwrap();
        assert!(logits[1] > logits[0] && logits[2] > logits[3], "{network:?} {logits:?}");
    }
}

#[test]
fn the_number_of_threads_reaches_no_bit() {
    let train = |threads| {
        let config = PpoConfig { num_envs: 40, num_minibatches: 1, ..small() };
        let mut learner = learner(config, threads, 1.0, BackendKind::default());
        let first = learner.iterate(1e-2, &CancelToken::default()).unwrap();
        let second = learner.iterate(1e-2, &CancelToken::default()).unwrap();
        (first, second, learner.tensors().unwrap(), learner.optimizer_state().unwrap())
    };
    let one = train(1);
    assert!(one.1.finished.episodes > 0);
    for threads in [2, 3, 7, 64] {
        assert_eq!(train(threads), one, "{threads}");
    }
}

#[test]
fn a_loss_that_is_not_finite_stops_the_training_and_moves_nothing() {
    let mut learner = learner(small(), 1, f32::INFINITY, BackendKind::default());
    let before = learner.tensors().unwrap();
    let error = learner.iterate(1e-2, &CancelToken::default()).unwrap_err();
    assert!(matches!(error, TrainerError::Diverged { iteration: 1, .. }), "{error}");
    assert_eq!(learner.tensors().unwrap(), before);
}

#[test]
fn a_large_divergence_ends_the_passes_early() {
    let config = PpoConfig { target_kl: Some(1e-9), ..small() };
    let iteration = learner(config, 1, 1.0, BackendKind::default()).iterate(1e-2, &CancelToken::default());
    assert!(iteration.unwrap().epochs < 10);
}

#[test]
fn a_cancelled_training_stops_in_rollout_and_update() {
    let (go, stop) = (CancelToken::default(), CancelToken::default());
    stop.cancel();
    let mut learner = learner(small(), 2, 1.0, BackendKind::default());
    assert!(matches!(learner.collect(&stop), Err(TrainerError::Cancelled)));
    learner.collect(&go).unwrap();
    assert!(matches!(learner.update(1e-2, &stop), Err(TrainerError::Cancelled)));
}

#[test]
fn groups_that_do_not_fit_are_refused() {
    let network = NetworkSpec::Mlp { inputs: 2, hidden: vec![], outputs: 2, activation: Activation::Tanh };
    let make = |envs, network: &NetworkSpec| {
        let groups = Signs::groups(envs, 1, 1.0);
        PpoLearner::new(groups, network.clone(), small(), 3, BackendKind::default())
            .err()
            .map(|e| e.to_string())
    };
    assert!(make(5, &network).is_some_and(|error| error.contains("5 environments: expected 6")));
    assert!(make(6, &network).is_some_and(|error| error.contains("1 numbers in an observation")));
}

#[test]
fn every_environment_is_in_one_group() {
    for (envs, threads) in [(1, 1), (8, 3), (3, 8), (64, 2)] {
        let ranges: Vec<_> = group_ranges(envs, threads).collect();
        assert!(ranges.iter().all(|range| !range.is_empty()) && ranges.len() <= threads);
        assert_eq!(ranges.into_iter().flatten().collect::<Vec<_>>(), (0..envs).collect::<Vec<_>>());
    }
}
