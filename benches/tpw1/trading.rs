//! The environment of TPW-1 for the product's learner.

use std::ops::Range;

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use walkforward_trainer::{End, Environment, Finished, Step, TrainerError};

use crate::market::{EPISODE, Market, OBS_DIM, POSITIONS, cost, reward};

/// Largest absolute value of the scaled unrealised return.
const CLIP: f64 = 5.0;
const FLAT: usize = 1;

struct Episode {
    t: usize,
    steps: usize,
    action: usize,
    unrealised: f64,
    total: f64,
    rng: ChaCha8Rng,
    finished: Finished,
}

/// Episodes of 512 steps that start flat at random bars and end as terminated.
pub(crate) struct Trading<'a> {
    market: &'a Market,
    costs: [f64; 3],
    episodes: Vec<Episode>,
}

impl<'a> Trading<'a> {
    /// The environments with numbers in `envs`, each with a stream of its own.
    pub(crate) fn new(market: &'a Market, seed: u64, envs: Range<usize>) -> Self {
        let episodes = envs.map(|env| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(env as u64);
            let finished = Finished::default();
            Episode { t: 0, steps: 0, action: FLAT, unrealised: 0.0, total: 0.0, rng, finished }
        });
        let mut trading = Self { market, costs: [cost(0), cost(1), cost(2)], episodes: episodes.collect() };
        for env in 0..trading.episodes.len() {
            trading.begin(env);
        }
        trading
    }

    fn begin(&mut self, env: usize) {
        let episode = &mut self.episodes[env];
        let (first, last) = self.market.starts;
        episode.t = episode.rng.random_range(first..=last);
        (episode.steps, episode.action, episode.unrealised, episode.total) = (0, FLAT, 0.0, 0.0);
    }

    /// One environment for each of the consecutive episodes from the first bar on.
    pub(crate) fn consecutive(market: &'a Market) -> Self {
        let (first, last) = market.starts;
        let mut trading = Self::new(market, 0, 0..(last - first) / EPISODE + 1);
        for (index, episode) in trading.episodes.iter_mut().enumerate() {
            episode.t = first + index * EPISODE;
        }
        trading
    }

    /// Bar and position of environment `env`.
    pub(crate) fn state(&self, env: usize) -> (usize, f64) {
        (self.episodes[env].t, POSITIONS[self.episodes[env].action])
    }
}

impl Environment for Trading<'_> {
    fn num_envs(&self) -> usize {
        self.episodes.len()
    }

    fn obs_dim(&self) -> usize {
        OBS_DIM
    }

    fn num_actions(&self) -> usize {
        POSITIONS.len()
    }

    fn observe_one(&self, env: usize, observation: &mut [f32]) -> Result<(), TrainerError> {
        let episode = &self.episodes[env];
        let (features, tail) = observation.split_at_mut(OBS_DIM - 2);
        features.copy_from_slice(self.market.window(episode.t));
        tail[0] = POSITIONS[episode.action] as f32;
        tail[1] = (10.0 * episode.unrealised).clamp(-CLIP, CLIP) as f32;
        Ok(())
    }

    fn step(&mut self, actions: &[u32], steps: &mut [Step]) -> Result<(), TrainerError> {
        for ((episode, &action), step) in self.episodes.iter_mut().zip(actions).zip(steps) {
            let action = action as usize;
            let changed = action.abs_diff(episode.action);
            let growth = self.market.log_growth[episode.t][action];
            episode.unrealised = if changed > 0 { growth } else { episode.unrealised + growth };
            episode.action = action;
            episode.t += 1;
            episode.steps += 1;
            let reward = reward(self.costs[changed], growth);
            episode.total += reward;
            let end = (episode.steps >= EPISODE).then_some(End::Terminated);
            *step = Step { reward: reward as f32, end };
        }
        Ok(())
    }

    fn restart(&mut self, env: usize) {
        let episode = &mut self.episodes[env];
        episode.finished.total_return += episode.total;
        episode.finished.episodes += 1;
        self.begin(env);
    }

    fn take_finished(&mut self, env: usize) -> Finished {
        std::mem::take(&mut self.episodes[env].finished)
    }
}
