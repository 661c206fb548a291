//! Experience: what the sessions did under the present policy.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use walkforward_core::CancelToken;
use walkforward_kernels::PackedMlp;

use crate::environment::{End, Environments};
use crate::gae::{Trajectories, advantages};
use crate::{PpoConfig, TrainerError};

/// One rollout, `[num_steps, num_envs]` each, row-major.
#[derive(Debug, Default)]
pub(crate) struct Rollout {
    /// `[num_steps, num_envs, obs_dim]`.
    pub(crate) observations: Vec<f32>,
    pub(crate) actions: Vec<u32>,
    pub(crate) log_probs: Vec<f32>,
    pub(crate) rewards: Vec<f32>,
    pub(crate) values: Vec<f32>,
    pub(crate) advantages: Vec<f32>,
    pub(crate) returns: Vec<f32>,
}

/// Actor and critic as they answer during a rollout.
pub(crate) struct Answers {
    pub(crate) actor: PackedMlp,
    pub(crate) critic: PackedMlp,
}

impl Rollout {
    /// Plays `num_steps` steps in every session, sampling actions with `rng`.
    pub(crate) fn collect(
        environments: &mut Environments<'_>,
        answers: &Answers,
        config: &PpoConfig,
        rng: &mut ChaCha8Rng,
        cancel: &CancelToken,
    ) -> Result<Self, TrainerError> {
        let (envs, obs_dim) = (config.num_envs, answers.actor.inputs());
        let mut rollout = Self::default();
        let mut ends = Vec::with_capacity(envs * config.num_steps);
        let mut observations = vec![0.0; envs * obs_dim];
        let mut logits = vec![0.0; envs * answers.actor.outputs()];
        let mut values = vec![0.0; envs];
        let mut scratch = answers.actor.scratch();
        for _ in 0..config.num_steps {
            if cancel.is_cancelled() {
                return Err(TrainerError::Cancelled);
            }
            for (env, observation) in observations.chunks_exact_mut(obs_dim).enumerate() {
                environments.observe(env, observation)?;
            }
            answers.actor.forward(&observations, &mut logits, &mut scratch)?;
            answers.critic.forward(&observations, &mut values, &mut scratch)?;
            for (env, logits) in logits.chunks_exact(answers.actor.outputs()).enumerate() {
                let (action, log_prob) = sample(logits, rng.random());
                ends.push(rollout.step(environments, answers, env, action)?);
                rollout.log_probs.push(log_prob);
            }
            rollout.observations.extend_from_slice(&observations);
            rollout.values.extend_from_slice(&values);
        }
        for (env, observation) in observations.chunks_exact_mut(obs_dim).enumerate() {
            environments.observe(env, observation)?;
        }
        answers.critic.forward(&observations, &mut values, &mut scratch)?;
        rollout.estimate(&ends, &values, config);
        Ok(rollout)
    }

    /// Takes one session one step on. The answer is the value after an episode's end, `None` within one.
    fn step(
        &mut self,
        environments: &mut Environments<'_>,
        answers: &Answers,
        env: usize,
        action: usize,
    ) -> Result<Option<f32>, TrainerError> {
        let step = environments.step(env, action);
        self.actions.push(action as u32);
        self.rewards.push(step.reward);
        let value = match step.end {
            None => return Ok(None),
            Some(End::Terminated) => 0.0,
            Some(End::Truncated) => {
                let mut observation = vec![0.0; answers.critic.inputs()];
                let mut value = [0.0];
                environments.observe(env, &mut observation)?;
                answers.critic.forward(&observation, &mut value, &mut answers.critic.scratch())?;
                value[0]
            }
        };
        environments.restart(env);
        Ok(Some(value))
    }

    fn estimate(&mut self, ends: &[Option<f32>], last_values: &[f32], config: &PpoConfig) {
        let trajectories = Trajectories { rewards: &self.rewards, values: &self.values, ends, last_values };
        (self.advantages, self.returns) = advantages(trajectories, config.gamma, config.gae_lambda);
    }

    /// Share of the returns' variance that the values explain: `1 - Var(return - value) / Var(return)`; NaN when
    /// all returns are equal.
    pub(crate) fn explained_variance(&self) -> f64 {
        let errors: Vec<f32> = self.returns.iter().zip(&self.values).map(|(r, v)| r - v).collect();
        1.0 - variance(&errors) / variance(&self.returns)
    }

    /// Mean reward of a step.
    pub(crate) fn mean_reward(&self) -> f64 {
        self.rewards.iter().map(|&reward| f64::from(reward)).sum::<f64>() / self.rewards.len() as f64
    }
}

fn variance(numbers: &[f32]) -> f64 {
    let count = numbers.len() as f64;
    let mean = numbers.iter().map(|&x| f64::from(x)).sum::<f64>() / count;
    numbers.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / count
}

/// The action at which the cumulative probability passes `uniform` (in [0, 1)), and its log-probability.
fn sample(logits: &[f32], uniform: f64) -> (usize, f32) {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let weights = logits.iter().map(|&logit| f64::from(logit - largest).exp());
    let total: f64 = weights.clone().sum();
    let mut rest = uniform * total;
    let mut action = logits.len() - 1;
    for (index, weight) in weights.enumerate() {
        rest -= weight;
        if rest < 0.0 {
            action = index;
            break;
        }
    }
    (action, (f64::from(logits[action] - largest) - total.ln()) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_sampled_by_their_softmax() {
        // Probabilities 0.25 and 0.75.
        let logits = [0.0, 3.0_f32.ln()];
        assert_eq!(sample(&logits, 0.0).0, 0);
        assert_eq!(sample(&logits, 0.249).0, 0);
        assert_eq!(sample(&logits, 0.251).0, 1);
        assert_eq!(sample(&logits, 0.999_999_999).0, 1);
        assert!((sample(&logits, 0.9).1 - 0.75_f32.ln()).abs() < 1e-6);
        assert!((sample(&logits, 0.1).1 - 0.25_f32.ln()).abs() < 1e-6);
    }

    #[test]
    fn explained_variance_is_one_for_a_perfect_critic_and_zero_for_a_constant_one() {
        let returns = vec![1.0, 2.0, 3.0];
        let perfect = Rollout { values: returns.clone(), returns: returns.clone(), ..Rollout::default() };
        assert_eq!(perfect.explained_variance(), 1.0);
        let constant = Rollout { values: vec![5.0; 3], returns, ..Rollout::default() };
        assert!(constant.explained_variance().abs() < 1e-12);
    }
}
