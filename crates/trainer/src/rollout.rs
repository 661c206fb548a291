//! Experience: what the environments did under the present policy.

use std::thread;

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use walkforward_core::CancelToken;
use walkforward_kernels::{Draw, PpoBatch};

use crate::backend::{Answers, Backend};
use crate::environment::{End, Environment, Finished, Step};
use crate::gae::{Trajectory, estimate};
use crate::{PpoConfig, TrainerError};

/// One rollout, `[num_envs, num_steps]` each, row-major: what one environment did lies together. The room is kept
/// between rollouts.
#[derive(Debug, Default)]
pub(crate) struct Rollout {
    /// `[num_envs, num_steps, obs_dim]`.
    pub(crate) observations: Vec<f32>,
    pub(crate) actions: Vec<u32>,
    pub(crate) log_probs: Vec<f32>,
    pub(crate) rewards: Vec<f32>,
    pub(crate) values: Vec<f32>,
    pub(crate) advantages: Vec<f32>,
    pub(crate) returns: Vec<f32>,
    ends: Vec<Option<f32>>,
    /// Numbers in [0, 1) that the actions are drawn with, `[num_steps, num_envs]`.
    uniforms: Vec<f32>,
}

/// The part of a rollout that one thread writes.
struct Part<'a> {
    /// Index of its first environment.
    first: usize,
    observations: &'a mut [f32],
    actions: &'a mut [u32],
    log_probs: &'a mut [f32],
    rewards: &'a mut [f32],
    values: &'a mut [f32],
    advantages: &'a mut [f32],
    returns: &'a mut [f32],
    ends: &'a mut [Option<f32>],
}

/// What all threads of a rollout read.
#[derive(Clone, Copy)]
struct Play<'a> {
    config: &'a PpoConfig,
    backend: &'a dyn Backend,
    uniforms: &'a [f32],
    cancel: &'a CancelToken,
}

impl Rollout {
    pub(crate) fn new(num_envs: usize, num_steps: usize, obs_dim: usize) -> Self {
        let rows = num_envs * num_steps;
        let numbers = || vec![0.0; rows];
        Self {
            observations: vec![0.0; rows * obs_dim],
            actions: vec![0; rows],
            log_probs: numbers(),
            rewards: numbers(),
            values: numbers(),
            advantages: numbers(),
            returns: numbers(),
            ends: vec![None; rows],
            uniforms: numbers(),
        }
    }

    /// Plays `num_steps` steps in every environment, sampling actions with `rng`. Each of `groups` has a thread of its
    /// own, which is joined once; the calling thread takes the first.
    pub(crate) fn collect<E: Environment>(
        &mut self,
        groups: &mut [E],
        backend: &dyn Backend,
        config: &PpoConfig,
        rng: &mut ChaCha8Rng,
        cancel: &CancelToken,
    ) -> Result<(), TrainerError> {
        let mut uniforms = std::mem::take(&mut self.uniforms);
        uniforms.iter_mut().for_each(|x| *x = rng.random());
        let play = Play { config, backend, uniforms: &uniforms, cancel };
        let sizes: Vec<usize> = groups.iter().map(Environment::num_envs).collect();
        let parts = self.split(&sizes, config.num_steps);
        let result = thread::scope(|scope| {
            let mut work = groups.iter_mut().zip(parts);
            let own = work.next();
            let others: Vec<_> =
                work.map(|(group, part)| scope.spawn(move || play.run(group, part))).collect();
            let mut result = own.map_or(Ok(()), |(group, part)| play.run(group, part));
            for other in others {
                let other = other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                result = result.and(other);
            }
            result
        });
        self.uniforms = uniforms;
        result
    }

    /// One part for each of `sizes` environments.
    fn split(&mut self, sizes: &[usize], num_steps: usize) -> Vec<Part<'_>> {
        let obs_len = self.observations.len() / self.actions.len().max(1);
        let mut parts = Vec::with_capacity(sizes.len());
        let mut first = 0;
        let mut rest = (
            self.observations.as_mut_slice(),
            (self.actions.as_mut_slice(), self.ends.as_mut_slice()),
            [
                &mut self.log_probs,
                &mut self.rewards,
                &mut self.values,
                &mut self.advantages,
                &mut self.returns,
            ]
            .map(Vec::as_mut_slice),
        );
        for &envs in sizes {
            let rows = envs * num_steps;
            let (observations, after) = rest.0.split_at_mut(rows * obs_len);
            rest.0 = after;
            let (actions, after) = rest.1.0.split_at_mut(rows);
            rest.1.0 = after;
            let (ends, after) = rest.1.1.split_at_mut(rows);
            rest.1.1 = after;
            let mut taken = rest.2.map(|numbers| numbers.split_at_mut(rows));
            let [log_probs, rewards, values, advantages, returns] =
                taken.each_mut().map(|(part, _)| std::mem::take(part));
            rest.2 = taken.map(|(_, after)| after);
            let part =
                Part { first, observations, actions, log_probs, rewards, values, advantages, returns, ends };
            parts.push(part);
            first += envs;
        }
        parts
    }

    /// The rows with indices `rows` as a minibatch.
    pub(crate) fn batch<'a>(&'a self, rows: &'a [u32]) -> PpoBatch<'a> {
        PpoBatch {
            observations: &self.observations,
            actions: &self.actions,
            log_probs: &self.log_probs,
            advantages: &self.advantages,
            returns: &self.returns,
            values: &self.values,
            rows,
        }
    }

    /// Share of the returns' variance that the values explain: `1 - Var(return - value) / Var(return)`; NaN when
    /// all returns are equal.
    pub(crate) fn explained_variance(&self) -> f64 {
        let returns = || self.returns.iter().map(|&x| f64::from(x));
        let errors = || self.returns.iter().zip(&self.values).map(|(&r, &v)| f64::from(r - v));
        1.0 - variance(errors) / variance(returns)
    }

    /// Mean reward of a step.
    pub(crate) fn mean_reward(&self) -> f64 {
        self.rewards.iter().map(|&reward| f64::from(reward)).sum::<f64>() / self.rewards.len() as f64
    }
}

fn variance<I: Iterator<Item = f64>>(numbers: impl Fn() -> I) -> f64 {
    let (sum, count) = numbers().fold((0.0, 0.0), |(sum, count), x| (sum + x, count + 1.0));
    let mean = sum / count;
    numbers().map(|x| (x - mean) * (x - mean)).sum::<f64>() / count
}

/// What one step of a group reads and writes, kept over the rollout.
struct Room {
    observations: Vec<f32>,
    actions: Vec<u32>,
    log_probs: Vec<f32>,
    values: Vec<f32>,
    steps: Vec<Step>,
}

impl Play<'_> {
    /// The whole rollout of one group.
    fn run<E: Environment>(self, group: &mut E, mut part: Part<'_>) -> Result<(), TrainerError> {
        let (envs, obs_dim) = (group.num_envs(), group.obs_dim());
        let mut answers = self.backend.answers()?;
        let mut room = Room {
            observations: vec![0.0; envs * obs_dim],
            actions: vec![0; envs],
            log_probs: vec![0.0; envs],
            values: vec![0.0; envs],
            steps: vec![Step::EMPTY; envs],
        };
        for step in 0..self.config.num_steps {
            if self.cancel.is_cancelled() {
                return Err(TrainerError::Cancelled);
            }
            self.step(step, group, answers.as_mut(), &mut part, &mut room)?;
        }
        group.observe(&mut room.observations)?;
        answers.values(&room.observations, &mut room.values)?;
        part.estimate(self.config, &room.values);
        Ok(())
    }

    fn step<E: Environment>(
        &self,
        step: usize,
        group: &mut E,
        answers: &mut dyn Answers,
        part: &mut Part<'_>,
        room: &mut Room,
    ) -> Result<(), TrainerError> {
        let at = step * self.config.num_envs + part.first;
        let uniforms = &self.uniforms[at..at + room.actions.len()];
        group.observe(&mut room.observations)?;
        let draw = Draw { uniforms, actions: &mut room.actions, log_probs: &mut room.log_probs };
        answers.act(&room.observations, draw, &mut room.values)?;
        group.step(&room.actions, &mut room.steps)?;
        part.store(step, self.config.num_steps, room);
        for env in 0..room.steps.len() {
            let Some(end) = room.steps[env].end else { continue };
            let value = match end {
                End::Terminated => 0.0,
                End::Truncated => value_of(group, env, answers)?,
            };
            part.ends[env * self.config.num_steps + step] = Some(value);
            group.restart(env);
        }
        Ok(())
    }
}

/// Value of what environment `env` looks at.
fn value_of<E: Environment>(group: &E, env: usize, answers: &mut dyn Answers) -> Result<f32, TrainerError> {
    let mut observation = vec![0.0; group.obs_dim()];
    let mut value = [0.0];
    group.observe_one(env, &mut observation)?;
    answers.values(&observation, &mut value)?;
    Ok(value[0])
}

impl Part<'_> {
    fn store(&mut self, step: usize, num_steps: usize, room: &Room) {
        let obs_dim = room.observations.len() / room.actions.len();
        for (env, observation) in room.observations.chunks_exact(obs_dim).enumerate() {
            let row = env * num_steps + step;
            self.observations[row * obs_dim..(row + 1) * obs_dim].copy_from_slice(observation);
            self.actions[row] = room.actions[env];
            self.log_probs[row] = room.log_probs[env];
            self.values[row] = room.values[env];
            self.rewards[row] = room.steps[env].reward;
            self.ends[row] = None;
        }
    }

    fn estimate(&mut self, config: &PpoConfig, last_values: &[f32]) {
        for (env, &last_value) in last_values.iter().enumerate() {
            let rows = env * config.num_steps..(env + 1) * config.num_steps;
            let trajectory = Trajectory {
                rewards: &self.rewards[rows.clone()],
                values: &self.values[rows.clone()],
                ends: &self.ends[rows.clone()],
                last_value,
            };
            let advantages = &mut self.advantages[rows.clone()];
            estimate(trajectory, config.gamma, config.gae_lambda, advantages, &mut self.returns[rows]);
        }
    }
}

/// Returns of all episodes that ended since the last call, summed environment by environment.
pub(crate) fn take_finished<E: Environment>(groups: &mut [E]) -> Finished {
    let mut sum = Finished::default();
    for group in groups {
        for env in 0..group.num_envs() {
            let finished = group.take_finished(env);
            sum.total_return += finished.total_return;
            sum.episodes += finished.episodes;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn explained_variance_is_one_for_a_perfect_critic_and_zero_for_a_constant_one() {
        let returns = vec![1.0, 2.0, 3.0];
        let perfect = Rollout { values: returns.clone(), returns: returns.clone(), ..Rollout::default() };
        assert_eq!(perfect.explained_variance(), 1.0);
        let constant = Rollout { values: vec![5.0; 3], returns, ..Rollout::default() };
        assert!(constant.explained_variance().abs() < 1e-12);
    }
}
