//! The training loop.

use std::collections::BTreeMap;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use walkforward_core::{
    ActionMap, NetworkSpec, Probe, Stage, StageContext, StageError, Trainer, TrainingJob, TrainingOutcome,
};
use walkforward_engine::SessionConfig;
use walkforward_kernels::{Adam, AdamConfig};
use walkforward_policy::{ActorCritic, PolicySpec, write_bundle};

use crate::environment::Environments;
use crate::learner::Learner;
use crate::loss::LossFigures;
use crate::market::Market;
use crate::rollout::Rollout;
use crate::warm_start::{Inheritance, inherit};
use crate::{PpoConfig, TrainerError};

/// Trains an MLP policy with PPO in the engine's trading session.
///
/// The result does not depend on `job.threads`: rollouts run on the calling thread, and minibatches are small enough
/// for the tensor library's bits to be the same on any number of threads.
#[derive(Debug, Clone, Copy)]
pub struct PpoTrainer {
    session: SessionConfig,
}

/// Independent streams of the job's generator.
#[derive(Debug, Clone, Copy)]
enum Stream {
    Weights,
    Episodes,
    Actions,
    Minibatches,
}

fn generator(seed: u64, stream: Stream) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream as u64);
    rng
}

impl PpoTrainer {
    /// The name in outcomes and configuration.
    pub const NAME: &'static str = "ppo";

    /// A trainer whose sessions start and cost as `session` says.
    pub fn new(session: SessionConfig) -> Self {
        Self { session }
    }

    fn run(&self, job: &TrainingJob, ctx: &StageContext) -> Result<TrainingOutcome, TrainerError> {
        let config = PpoConfig::from_pack(&job.pack)?;
        let actions = ActionMap::LongFlat;
        let network = config.network(&job.dataset.feature_spec, actions)?;
        let parent = job.parent.as_ref();
        let inherited = parent.map(|parent| inherit(parent, job, &config, &network)).transpose()?;
        let normaliser = inherited.as_ref().map(|inherited| inherited.normaliser.clone());
        let market = Market::new(&job.dataset, config.lookback, normaliser)?;
        let rng = generator(job.seed, Stream::Episodes);
        let environments = Environments::new(&market, self.session, actions, &config, rng)?;
        let rate_factor = if inherited.is_some() { config.fine_tune_lr_multiplier } else { 1.0 };
        let learner = learner(inherited, network.clone(), job.seed)?;
        let mut training = Training { environments, learner, config, seed: job.seed, ctx };
        let metrics = training.iterate(rate_factor)?;
        training.finish(job, &market, network, metrics)
    }
}

impl Trainer for PpoTrainer {
    fn train(&self, job: &TrainingJob, ctx: &StageContext) -> Result<TrainingOutcome, StageError> {
        self.run(job, ctx).map_err(StageError::from)
    }
}

fn learner(inherited: Option<Inheritance>, network: NetworkSpec, seed: u64) -> Result<Learner, TrainerError> {
    match inherited {
        Some(Inheritance { net, adam, .. }) => Learner::new(net, adam),
        None => {
            let net = ActorCritic::new(network, &mut generator(seed, Stream::Weights))?;
            let adam = Adam::new(net.parameter_count(), AdamConfig::default());
            Learner::new(net, adam)
        }
    }
}

struct Training<'a> {
    environments: Environments<'a>,
    learner: Learner,
    config: PpoConfig,
    seed: u64,
    ctx: &'a StageContext,
}

type MetricMap = BTreeMap<String, f64>;

impl Training<'_> {
    /// All iterations; gives the last value of each metric.
    fn iterate(&mut self, rate_factor: f64) -> Result<MetricMap, TrainerError> {
        let mut actions = generator(self.seed, Stream::Actions);
        let mut shuffle = generator(self.seed, Stream::Minibatches);
        let mut metrics = MetricMap::new();
        let (total, cancel) = (self.config.iterations, &self.ctx.cancel);
        for iteration in 0..total {
            let answers = self.learner.answers()?;
            let rollout =
                Rollout::collect(&mut self.environments, &answers, &self.config, &mut actions, cancel)?;
            let rate = self.learning_rate(iteration) * rate_factor;
            let step = (iteration + 1, cancel);
            let figures = self.learner.update(&rollout, &self.config, rate, &mut shuffle, step)?;
            record(&mut metrics, &rollout, &figures, rate, self.environments.take_episode_return());
            self.ctx.report(Stage::Train, iteration + 1, total, summary(&metrics));
        }
        Ok(metrics)
    }

    fn learning_rate(&self, iteration: u64) -> f64 {
        let left = 1.0 - iteration as f64 / self.config.iterations as f64;
        self.config.learning_rate * if self.config.anneal_lr { left } else { 1.0 }
    }

    /// Writes the bundle.
    fn finish(
        &self,
        job: &TrainingJob,
        market: &Market,
        network: NetworkSpec,
        metrics: MetricMap,
    ) -> Result<TrainingOutcome, TrainerError> {
        if self.ctx.cancel.is_cancelled() {
            return Err(TrainerError::Cancelled);
        }
        let used_until = market.used_until().unwrap_or(job.dataset.split);
        let spec = PolicySpec {
            schema: PolicySpec::SCHEMA,
            symbol: job.dataset.symbol.clone(),
            timeframe: job.dataset.timeframe(),
            network,
            features: job.dataset.feature_spec.clone(),
            normaliser: market.normaliser().clone(),
            lookback: self.config.lookback,
            actions: ActionMap::LongFlat,
            used_until,
            probe: Probe { observations: Vec::new(), outputs: Vec::new(), tolerance: 0.0 },
        };
        let state = self.learner.optimizer_state()?;
        write_bundle(&job.out_dir, &spec, &self.learner.tensors()?, Some(&state))?;
        let steps_per_iteration = (self.config.num_envs * self.config.num_steps) as u64;
        Ok(TrainingOutcome {
            trainer: PpoTrainer::NAME.to_owned(),
            used_until,
            iterations: self.config.iterations,
            environment_steps: self.config.iterations * steps_per_iteration,
            metrics,
        })
    }
}

/// Keeps the last finite value of each metric.
fn record(
    metrics: &mut MetricMap,
    rollout: &Rollout,
    figures: &LossFigures,
    learning_rate: f64,
    episode_return: Option<f64>,
) {
    let values = [
        ("loss", figures.total),
        ("policy_loss", figures.policy_loss),
        ("value_loss", figures.value_loss),
        ("entropy", figures.entropy),
        ("approx_kl", figures.approx_kl),
        ("clipfrac", figures.clipfrac),
        ("explained_variance", rollout.explained_variance()),
        ("mean_reward", rollout.mean_reward()),
        ("episode_return", episode_return.unwrap_or(f64::NAN)),
        ("learning_rate", learning_rate),
    ];
    for (name, value) in values {
        if value.is_finite() {
            metrics.insert(name.to_owned(), value);
        }
    }
}

fn summary(metrics: &MetricMap) -> String {
    let value = |name: &str| metrics.get(name).copied().unwrap_or(0.0);
    format!("reward {:+.3}, entropy {:.2}", value("mean_reward"), value("entropy"))
}
