//! Proximal policy optimisation over any environment.

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use walkforward_core::{CancelToken, NetworkSpec};
use walkforward_kernels::{PpoFigures, PpoLoss};
use walkforward_policy::{OptimizerState, Tensors};

use crate::backend::{Backend, BackendKind, NotFinite, Origin, Stride, backend};
use crate::environment::{Environment, Finished};
use crate::rollout::{Rollout, take_finished};
use crate::{PpoConfig, TrainerError};

/// Independent streams of a training's generator.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stream {
    Weights,
    Actions,
    Minibatches,
}

pub(crate) fn generator(seed: u64, stream: Stream) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream as u64);
    rng
}

/// What one iteration, a rollout and its update, came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Iteration {
    /// Means over the epochs that were done.
    pub figures: PpoFigures,
    /// The loss of these figures.
    pub loss: f64,
    /// Share of the returns' variance that the critic explained; NaN when all returns are equal.
    pub explained_variance: f64,
    /// Mean reward of a step.
    pub mean_reward: f64,
    /// Episodes that ended in the rollout.
    pub finished: Finished,
    /// Passes over the rollout that were done before `target_kl` ended them.
    pub epochs: usize,
}

/// A policy that learns by playing groups of environments, each group on a thread of its own.
///
/// On the kernels the result depends neither on the number of groups nor on the instruction set.
pub struct PpoLearner<E> {
    groups: Vec<E>,
    backend: Box<dyn Backend>,
    network: NetworkSpec,
    config: PpoConfig,
    rollout: Rollout,
    rows: Vec<u32>,
    actions: ChaCha8Rng,
    minibatches: ChaCha8Rng,
    iterations: u64,
}

impl<E: Environment> PpoLearner<E> {
    /// A fresh policy of `network` for `groups`, which together have `config.num_envs` environments.
    ///
    /// # Errors
    /// Settings out of range, or groups that do not fit them or the network.
    pub fn new(
        groups: Vec<E>,
        network: NetworkSpec,
        config: PpoConfig,
        seed: u64,
        kind: BackendKind,
    ) -> Result<Self, TrainerError> {
        Self::from_origin(groups, Origin::fresh(network, seed)?, config, seed, kind)
    }

    pub(crate) fn from_origin(
        groups: Vec<E>,
        origin: Origin,
        config: PpoConfig,
        seed: u64,
        kind: BackendKind,
    ) -> Result<Self, TrainerError> {
        config.validate()?;
        check_groups(&groups, origin.net.network(), &config)?;
        let rollout = Rollout::new(config.num_envs, config.num_steps, origin.net.network().inputs());
        let rows = (0..config.num_envs * config.num_steps).map(|row| row as u32).collect();
        Ok(Self {
            network: origin.net.network().clone(),
            backend: backend(kind, origin, groups.len())?,
            groups,
            config,
            rollout,
            rows,
            actions: generator(seed, Stream::Actions),
            minibatches: generator(seed, Stream::Minibatches),
            iterations: 0,
        })
    }

    /// One rollout and its update.
    ///
    /// # Errors
    /// [`TrainerError::Diverged`], or [`TrainerError::Cancelled`] when somebody asked to stop.
    pub fn iterate(&mut self, learning_rate: f64, cancel: &CancelToken) -> Result<Iteration, TrainerError> {
        self.collect(cancel)?;
        self.update(learning_rate, cancel)
    }

    /// The rollout alone; an update has to follow.
    ///
    /// # Errors
    /// [`TrainerError::Cancelled`] when somebody asked to stop.
    pub fn collect(&mut self, cancel: &CancelToken) -> Result<(), TrainerError> {
        let (groups, backend) = (&mut self.groups, self.backend.as_ref());
        self.rollout.collect(groups, backend, &self.config, &mut self.actions, cancel)
    }

    /// The update alone: `update_epochs` passes over the last rollout in shuffled minibatches.
    ///
    /// # Errors
    /// [`TrainerError::Diverged`], or [`TrainerError::Cancelled`] when somebody asked to stop.
    pub fn update(&mut self, learning_rate: f64, cancel: &CancelToken) -> Result<Iteration, TrainerError> {
        self.iterations += 1;
        let stride = self.stride(learning_rate);
        let mut sum = PpoFigures::default();
        let mut epochs = 0;
        while epochs < self.config.update_epochs {
            let epoch = self.epoch(&stride, cancel)?;
            epochs += 1;
            sum.add(&epoch, 1.0);
            if self.config.pass_limit().is_some_and(|limit| epoch.approx_kl > limit) {
                break;
            }
        }
        let mut figures = PpoFigures::default();
        figures.add(&sum, 1.0 / epochs as f64);
        Ok(Iteration {
            figures,
            loss: figures.total(&stride.loss),
            explained_variance: self.rollout.explained_variance(),
            mean_reward: self.rollout.mean_reward(),
            finished: take_finished(&mut self.groups),
            epochs,
        })
    }

    /// One pass over the rollout; gives the mean figures of its minibatches.
    fn epoch(&mut self, stride: &Stride, cancel: &CancelToken) -> Result<PpoFigures, TrainerError> {
        self.rows.shuffle(&mut self.minibatches);
        let mut figures = PpoFigures::default();
        for rows in self.rows.chunks_exact(self.config.minibatch_size()) {
            if cancel.is_cancelled() {
                return Err(TrainerError::Cancelled);
            }
            let step = self.backend.step(&self.rollout.batch(rows), stride)?;
            let step = step.map_err(|NotFinite { what, value }| TrainerError::Diverged {
                iteration: self.iterations,
                what,
                value,
            })?;
            figures.add(&step, 1.0 / self.config.num_minibatches as f64);
        }
        Ok(figures)
    }

    fn stride(&self, learning_rate: f64) -> Stride {
        let config = &self.config;
        let loss = PpoLoss {
            clip_coef: config.clip_coef as f32,
            ent_coef: config.ent_coef as f32,
            vf_coef: config.vf_coef as f32,
            clip_vloss: config.clip_vloss,
            norm_adv: config.norm_adv,
        };
        Stride { loss, max_grad_norm: config.max_grad_norm as f32, learning_rate: learning_rate as f32 }
    }

    /// What a training that continues this one starts from.
    pub(crate) fn into_origin(self) -> Result<Origin, TrainerError> {
        let network = self.network.clone();
        Origin::from_tensors(network, &self.tensors()?, Some(&self.optimizer_state()?))
    }

    /// Its settings.
    pub fn config(&self) -> &PpoConfig {
        &self.config
    }

    /// The environments, group by group.
    pub fn groups(&self) -> &[E] {
        &self.groups
    }

    /// Logits of `observations` `[rows, obs_dim]` into `logits` `[rows, actions]`.
    ///
    /// # Errors
    /// When a length does not fit.
    pub fn logits(&self, observations: &[f32], logits: &mut [f32]) -> Result<(), TrainerError> {
        self.backend.logits(observations, logits)
    }

    /// The weights by name.
    ///
    /// # Errors
    /// When a tensor can't be made.
    pub fn tensors(&self) -> Result<Tensors, TrainerError> {
        self.backend.tensors()
    }

    /// What a warm start continues from.
    ///
    /// # Errors
    /// When a tensor can't be made.
    pub fn optimizer_state(&self) -> Result<OptimizerState, TrainerError> {
        self.backend.optimizer_state()
    }
}

fn check_groups<E: Environment>(
    groups: &[E],
    network: &NetworkSpec,
    config: &PpoConfig,
) -> Result<(), TrainerError> {
    let refused = |what, expected, actual| Err(TrainerError::Environments { what, expected, actual });
    let envs = groups.iter().map(Environment::num_envs).sum::<usize>();
    if envs != config.num_envs || groups.iter().any(|group| group.num_envs() == 0) {
        return refused("environments", config.num_envs, envs);
    }
    for group in groups {
        if group.obs_dim() != network.inputs() {
            return refused("numbers in an observation", network.inputs(), group.obs_dim());
        }
        if group.num_actions() != network.outputs() {
            return refused("actions", network.outputs(), group.num_actions());
        }
    }
    Ok(())
}

/// Most threads of a training: minibatches can't be shared among more.
const MAX_THREADS: usize = 16;

/// The environments of each of at most `threads` groups (at most 16) out of `num_envs`: as equal as can be, in order,
/// none empty.
pub fn group_ranges(num_envs: usize, threads: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    let groups = threads.clamp(1, num_envs.clamp(1, MAX_THREADS));
    (0..groups).map(move |group| group * num_envs / groups..(group + 1) * num_envs / groups)
}

#[cfg(test)]
#[path = "learner_tests.rs"]
mod tests;
