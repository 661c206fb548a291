//! The network that learns and its optimiser.

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use walkforward_core::CancelToken;
use walkforward_kernels::{Adam, clip_grad_norm};
use walkforward_policy::{ActorCritic, OptimizerState, Tensors};

use crate::loss::{LossFigures, Minibatch, ppo_loss};
use crate::rollout::{Answers, Rollout};
use crate::{PpoConfig, TrainerError};

/// Actor, critic and optimiser.
#[derive(Debug)]
pub(crate) struct Learner {
    net: ActorCritic,
    params: Vec<f32>,
    adam: Adam,
}

/// A loss or gradient that is not finite.
struct NotFinite {
    what: &'static str,
    value: f64,
}

impl Learner {
    pub(crate) fn new(net: ActorCritic, adam: Adam) -> Result<Self, TrainerError> {
        Ok(Self { params: net.flat()?, net, adam })
    }

    /// The network as it is now, packed for a rollout.
    pub(crate) fn answers(&self) -> Result<Answers, TrainerError> {
        let (actor, critic) = self.net.pack()?;
        Ok(Answers { actor, critic })
    }

    /// One update: `update_epochs` passes over `rollout` in shuffled minibatches. Gives the mean figures.
    pub(crate) fn update(
        &mut self,
        rollout: &Rollout,
        config: &PpoConfig,
        learning_rate: f64,
        rng: &mut ChaCha8Rng,
        (iteration, cancel): (u64, &CancelToken),
    ) -> Result<LossFigures, TrainerError> {
        let mut rows: Vec<usize> = (0..rollout.actions.len()).collect();
        let mut figures = LossFigures::default();
        let mut epochs_done = 0.0;
        for _ in 0..config.update_epochs {
            if cancel.is_cancelled() {
                return Err(TrainerError::Cancelled);
            }
            rows.shuffle(rng);
            let mut epoch = LossFigures::default();
            for part in rows.chunks_exact(config.minibatch_size()) {
                let step = self.step(&Minibatch::gather(rollout, part, config)?, config, learning_rate)?;
                let step = step.map_err(|NotFinite { what, value }| TrainerError::Diverged {
                    iteration,
                    what,
                    value,
                })?;
                epoch.add(&step, 1.0 / config.num_minibatches as f64);
            }
            epochs_done += 1.0;
            figures.add(&epoch, 1.0);
            if config.target_kl.is_some_and(|target| epoch.approx_kl > target) {
                break;
            }
        }
        let mut mean = LossFigures::default();
        mean.add(&figures, 1.0 / epochs_done);
        Ok(mean)
    }

    /// One step of the optimiser; nothing moves when the loss or its gradient is not finite.
    fn step(
        &mut self,
        batch: &Minibatch,
        config: &PpoConfig,
        learning_rate: f64,
    ) -> Result<Result<LossFigures, NotFinite>, TrainerError> {
        let (loss, figures) = ppo_loss(&self.net, batch, config)?;
        if !figures.total.is_finite() {
            return Ok(Err(NotFinite { what: "loss", value: figures.total }));
        }
        let mut gradient = self.net.flat_gradients(&loss.backward()?)?;
        let norm = clip_grad_norm(&mut gradient, config.max_grad_norm as f32);
        if !norm.is_finite() {
            return Ok(Err(NotFinite { what: "gradient norm", value: norm }));
        }
        self.adam.step(&mut self.params, &gradient, learning_rate as f32)?;
        self.net.set_flat(&self.params)?;
        Ok(Ok(figures))
    }

    /// The weights by name.
    pub(crate) fn tensors(&self) -> Result<Tensors, TrainerError> {
        Ok(self.net.name_flat(&self.params)?)
    }

    /// What a warm start continues from.
    pub(crate) fn optimizer_state(&self) -> Result<OptimizerState, TrainerError> {
        let (m, v) = (self.net.name_flat(self.adam.m())?, self.net.name_flat(self.adam.v())?);
        Ok(OptimizerState { step: self.adam.step_count(), m, v })
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::rand_core::SeedableRng;
    use walkforward_core::{Activation, NetworkSpec};
    use walkforward_kernels::AdamConfig;

    use super::*;

    fn learner() -> Learner {
        let spec = NetworkSpec::Mlp { inputs: 1, hidden: vec![4], outputs: 2, activation: Activation::Tanh };
        let net = ActorCritic::new(spec, &mut ChaCha8Rng::seed_from_u64(1)).unwrap();
        let adam = Adam::new(net.parameter_count(), AdamConfig::default());
        Learner::new(net, adam).unwrap()
    }

    fn rollout(rows: usize, reward: f32) -> Rollout {
        Rollout {
            observations: (0..rows).map(|row| if row % 2 == 0 { 1.0 } else { -1.0 }).collect(),
            actions: (0..rows).map(|row| (row / 2 % 2) as u32).collect(),
            log_probs: vec![-std::f32::consts::LN_2; rows],
            // Action 1 is right after an observation of 1, action 0 after -1.
            advantages: (0..rows).map(|row| if row % 2 != row / 2 % 2 { reward } else { -reward }).collect(),
            returns: vec![reward; rows],
            values: vec![0.0; rows],
            rewards: vec![reward; rows],
        }
    }

    fn update(
        learner: &mut Learner,
        rollout: &Rollout,
        config: &PpoConfig,
    ) -> Result<LossFigures, TrainerError> {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        learner.update(rollout, config, 1e-2, &mut rng, (3, &CancelToken::default()))
    }

    fn small() -> PpoConfig {
        PpoConfig { num_envs: 4, num_steps: 8, num_minibatches: 4, update_epochs: 40, ..PpoConfig::default() }
    }

    #[test]
    fn updates_make_the_better_action_likelier() {
        let mut learner = learner();
        update(&mut learner, &rollout(32, 1.0), &small()).unwrap();
        let answers = learner.answers().unwrap();
        let mut logits = [0.0; 4];
        answers.actor.forward(&[1.0, -1.0], &mut logits, &mut answers.actor.scratch()).unwrap();
        assert!(logits[1] > logits[0] && logits[2] > logits[3], "{logits:?}");
    }

    #[test]
    fn a_loss_that_is_not_finite_stops_the_training_and_moves_nothing() {
        let mut learner = learner();
        let before = learner.params.clone();
        let error = update(&mut learner, &rollout(32, f32::INFINITY), &small()).unwrap_err();
        assert!(matches!(error, TrainerError::Diverged { iteration: 3, .. }), "{error}");
        assert_eq!(learner.params, before);
    }

    #[test]
    fn a_large_divergence_ends_the_passes_early() {
        let config = PpoConfig { target_kl: Some(1e-9), ..small() };
        let mut learner = learner();
        update(&mut learner, &rollout(32, 1.0), &config).unwrap();
        assert!(learner.adam.step_count() <= 8, "{}", learner.adam.step_count());
    }

    #[test]
    fn a_cancelled_update_stops() {
        let cancel = CancelToken::default();
        cancel.cancel();
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let result = learner().update(&rollout(32, 1.0), &small(), 1e-2, &mut rng, (1, &cancel));
        assert!(matches!(result, Err(TrainerError::Cancelled)));
    }
}
