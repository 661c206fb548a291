//! CartPole-v1: Euler steps of 0.02 s, a force of 10 N, at most 500 steps.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use walkforward_trainer::{End, Environment, Finished, Step, TrainerError};

/// Steps after which an episode is cut off.
const LIMIT: u32 = 500;
/// Distance and angle at which an episode is lost.
const BOUNDS: [f64; 2] = [2.4, 12.0 * std::f64::consts::PI / 180.0];

/// Carts that balance poles.
pub(crate) struct CartPole {
    states: Vec<[f64; 4]>,
    steps: Vec<u32>,
    rng: ChaCha8Rng,
    /// Lengths of the episodes that ended.
    pub(crate) lengths: Vec<u32>,
}

impl CartPole {
    pub(crate) fn new(envs: usize, seed: u64) -> Self {
        let rng = ChaCha8Rng::seed_from_u64(seed);
        let mut carts = Self { states: vec![[0.0; 4]; envs], steps: vec![0; envs], rng, lengths: vec![] };
        (0..envs).for_each(|env| carts.begin(env));
        carts
    }

    fn begin(&mut self, env: usize) {
        self.steps[env] = 0;
        self.states[env] = std::array::from_fn(|_| self.rng.random_range(-0.05..0.05));
    }
}

fn moved([x, dx, angle, spin]: [f64; 4], action: u32) -> [f64; 4] {
    let force = if action == 1 { 10.0 } else { -10.0 };
    let (sin, cos) = angle.sin_cos();
    let push = (force + 0.05 * spin * spin * sin) / 1.1;
    let turn = (9.8 * sin - cos * push) / (0.5 * (4.0 / 3.0 - 0.1 * cos * cos / 1.1));
    let pull = push - 0.05 * turn * cos / 1.1;
    [x + 0.02 * dx, dx + 0.02 * pull, angle + 0.02 * spin, spin + 0.02 * turn]
}

impl Environment for CartPole {
    fn num_envs(&self) -> usize {
        self.states.len()
    }

    fn obs_dim(&self) -> usize {
        4
    }

    fn num_actions(&self) -> usize {
        2
    }

    fn observe_one(&self, env: usize, observation: &mut [f32]) -> Result<(), TrainerError> {
        observation.iter_mut().zip(self.states[env]).for_each(|(to, from)| *to = from as f32);
        Ok(())
    }

    fn step(&mut self, actions: &[u32], steps: &mut [Step]) -> Result<(), TrainerError> {
        for (env, (&action, step)) in actions.iter().zip(steps).enumerate() {
            let state = moved(self.states[env], action);
            self.states[env] = state;
            self.steps[env] += 1;
            let is_lost = state[0].abs() > BOUNDS[0] || state[2].abs() > BOUNDS[1];
            let is_over = self.steps[env] >= LIMIT;
            let end = if is_lost { Some(End::Terminated) } else { is_over.then_some(End::Truncated) };
            *step = Step { reward: 1.0, end };
        }
        Ok(())
    }

    fn restart(&mut self, env: usize) {
        self.lengths.push(self.steps[env]);
        self.begin(env);
    }

    fn take_finished(&mut self, _env: usize) -> Finished {
        Finished::default()
    }
}
