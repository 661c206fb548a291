//! The training loop.

use std::collections::BTreeMap;

use walkforward_core::{
    MarketCalendar, NetworkSpec, Pace, Probe, Stage, StageContext, StageError, Trainer, TrainingJob,
    TrainingOutcome,
};
use walkforward_engine::SessionConfig;
use walkforward_policy::{PolicySpec, write_bundle};

use crate::backend::{BackendKind, Origin};
use crate::checkpoint::{Checkpoints, Progress};
use crate::learner::{Iteration, PpoLearner, group_ranges};
use crate::market::Market;
use crate::sessions::Sessions;
use crate::validation::{self, Best};
use crate::warm_start::{Start, inherit};
use crate::{PpoConfig, TrainerError};

/// Set apart from the seeds of weights, actions and minibatches.
const EPISODE_SALT: u64 = 0x6570_6973_6f64_6573;

/// Trains a policy with PPO in the engine's trading session, on `job.threads` threads.
///
/// The kernels train an MLP with tanh; its weights depend neither on the number of threads nor on the instruction set.
/// candle trains every other network; its weights do not depend on the number of threads.
#[derive(Debug, Clone, Copy)]
pub struct PpoTrainer {
    session: SessionConfig,
    backend: BackendKind,
}

impl PpoTrainer {
    /// The name in outcomes and configuration.
    pub const NAME: &'static str = "ppo";

    /// A trainer whose sessions start and cost as `session` says.
    pub fn new(session: SessionConfig) -> Self {
        Self { session, backend: BackendKind::default() }
    }

    /// The same trainer on other arithmetic.
    pub fn with_backend(self, backend: BackendKind) -> Self {
        Self { backend, ..self }
    }

    fn run(&self, job: &TrainingJob, ctx: &StageContext) -> Result<TrainingOutcome, TrainerError> {
        let config = PpoConfig::from_pack(&job.pack)?;
        self.session.admit_prices(job.dataset.bars.lows())?;
        let network = config.network(&job.dataset.feature_spec)?;
        let (inherited, cold_start) = match inherit(job, &config, &network)? {
            Start::Warm(inherited) => (Some(inherited), None),
            Start::Cold { reason } => (None, reason),
        };
        let normaliser = inherited.as_ref().and_then(|inherited| inherited.normaliser.clone());
        let market = Market::new(&job.dataset, config.lookback, normaliser, config.validation_bars)?;
        let checkpoints = Checkpoints::of(&ctx.work_dir, job, &config, &self.session)?;
        let resumed = if config.checkpoint_every > 0 { checkpoints.load(&network) } else { None };
        let is_fine_tuned = inherited.is_some();
        let (origin, progress) = match (resumed, inherited) {
            (Some((origin, progress)), _) => (origin, progress),
            (None, Some(inherited)) => (inherited.origin, Progress::default()),
            (None, None) => (Origin::fresh(network.clone(), job.seed)?, Progress::default()),
        };
        let rate_factor = if is_fine_tuned { config.fine_tune_lr_multiplier } else { 1.0 };
        let spec = spec(job, &config, &market, network);
        let mut training = Training {
            trainer: self,
            job,
            ctx,
            config,
            market: &market,
            spec,
            checkpoints,
            rate_factor,
            cold_start,
            pace: ctx.pace(progress.iteration),
            progress,
        };
        let origin = training.all_segments(origin)?;
        training.finish(&origin)
    }
}

impl Trainer for PpoTrainer {
    fn train(&self, job: &TrainingJob, ctx: &StageContext) -> Result<TrainingOutcome, StageError> {
        self.run(job, ctx).map_err(StageError::from)
    }
}

struct Training<'a> {
    trainer: &'a PpoTrainer,
    job: &'a TrainingJob,
    ctx: &'a StageContext,
    config: PpoConfig,
    market: &'a Market,
    spec: PolicySpec,
    checkpoints: Checkpoints,
    rate_factor: f64,
    cold_start: Option<String>,
    pace: Pace,
    progress: Progress,
}

type MetricMap = BTreeMap<String, f64>;

impl<'a> Training<'a> {
    /// All iterations. From one checkpoint to the next is a segment; each begins with fresh episodes and random
    /// streams of its own, so it does not matter whether the one before ran in this process.
    fn all_segments(&mut self, mut origin: Origin) -> Result<Origin, TrainerError> {
        while !self.is_over() {
            let every = self.config.checkpoint_every;
            let segment = self.progress.iteration.checked_div(every).unwrap_or(0);
            let end = if every > 0 { (segment + 1) * every } else { self.config.iterations };
            origin = self.segment(origin, segment, end.min(self.config.iterations))?;
            if every > 0 && !self.is_over() {
                self.checkpoints.save(&self.spec, &origin, &self.progress)?;
            }
        }
        Ok(origin)
    }

    fn is_over(&self) -> bool {
        let is_stuck =
            self.config.patience.is_some_and(|patience| self.progress.without_improvement >= patience);
        is_stuck || self.progress.iteration >= self.config.iterations
    }

    fn segment(&mut self, origin: Origin, segment: u64, end: u64) -> Result<Origin, TrainerError> {
        let mut learner = self.learner(origin, segment)?;
        while self.progress.iteration < end && !self.is_over() {
            let rate =
                self.config.step_size(self.progress.iteration, self.progress.kl_factor) * self.rate_factor;
            let outcome = learner.iterate(rate, &self.ctx.cancel)?;
            self.progress.iteration += 1;
            self.progress.kl_factor = self.config.adapted(self.progress.kl_factor, outcome.figures.approx_kl);
            record(&mut self.progress.metrics, &outcome, rate);
            self.validate(&learner)?;
            self.ctx.progress.metrics(self.progress.iteration, &self.progress.metrics);
            let message = summary(&self.progress.metrics);
            self.ctx.report_at(
                self.pace,
                Stage::Train,
                self.progress.iteration,
                self.config.iterations,
                message,
            );
        }
        learner.into_origin()
    }

    fn learner(&self, origin: Origin, segment: u64) -> Result<PpoLearner<Sessions<'a>>, TrainerError> {
        let (config, trainer) = (&self.config, self.trainer);
        let seed = segment_seed(self.job.seed, segment);
        // candle has threads of its own, and its sums depend on how many rows it is given.
        let threads = match trainer.backend.serving(&self.spec.network) {
            BackendKind::Kernels(_) => self.job.threads,
            BackendKind::Candle => 1,
        };
        let sessions = group_ranges(config.num_envs, threads)
            .map(|envs| Sessions::new(self.market, trainer.session, config, seed ^ EPISODE_SALT, envs))
            .collect::<Result<Vec<_>, _>>()?;
        PpoLearner::from_origin(sessions, origin, config.clone(), seed, trainer.backend)
    }

    /// Measures the greedy policy on the validation bars, if it is time, and keeps the best weights.
    fn validate(&mut self, learner: &PpoLearner<Sessions<'_>>) -> Result<(), TrainerError> {
        let iteration = self.progress.iteration;
        let is_due =
            iteration.is_multiple_of(self.config.validate_every) || iteration == self.config.iterations;
        if self.config.validation_bars == 0 || !is_due {
            return Ok(());
        }
        let score = validation::score(learner, self.market, self.trainer.session, &self.config)?;
        self.progress.metrics.insert("validation_log_return".to_owned(), score);
        if self.progress.best.as_ref().is_some_and(|best| score <= best.score) {
            self.progress.without_improvement += 1;
            return Ok(());
        }
        let (weights, optimizer) = (learner.tensors()?, learner.optimizer_state()?);
        self.progress.best = Some(Best { iteration, score, weights, optimizer });
        self.progress.without_improvement = 0;
        Ok(())
    }

    /// Writes the bundle: the best weights where there was a validation, else the last.
    fn finish(mut self, origin: &Origin) -> Result<TrainingOutcome, TrainerError> {
        if self.ctx.cancel.is_cancelled() {
            return Err(TrainerError::Cancelled);
        }
        let (weights, optimizer) = match self.progress.best.take() {
            Some(best) => {
                self.progress.metrics.insert("best_iteration".to_owned(), best.iteration as f64);
                self.progress.metrics.insert("best_validation_log_return".to_owned(), best.score);
                (best.weights, best.optimizer)
            }
            None => origin.to_tensors()?,
        };
        let instruction_set = self.trainer.backend.serving(&self.spec.network).instruction_set()?;
        write_bundle(&self.job.out_dir, &self.spec, &weights, Some(&optimizer))?;
        self.checkpoints.clear();
        let steps_per_iteration = (self.config.num_envs * self.config.num_steps) as u64;
        Ok(TrainingOutcome {
            trainer: PpoTrainer::NAME.to_owned(),
            used_until: self.spec.used_until,
            iterations: self.progress.iteration,
            environment_steps: self.progress.iteration * steps_per_iteration,
            metrics: self.progress.metrics,
            instruction_set: Some(instruction_set),
            cold_start: self.cold_start,
        })
    }
}

/// Segments have random streams of their own; the first has the job's.
fn segment_seed(seed: u64, segment: u64) -> u64 {
    seed ^ segment.wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

fn spec(job: &TrainingJob, config: &PpoConfig, market: &Market, network: NetworkSpec) -> PolicySpec {
    PolicySpec {
        schema: PolicySpec::SCHEMA,
        symbol: job.dataset.symbol.clone(),
        timeframe: job.dataset.timeframe(),
        network,
        sessions: job.dataset.calendar != MarketCalendar::Continuous,
        features: job.dataset.feature_spec.clone(),
        normaliser: market.normaliser().clone(),
        lookback: config.lookback,
        actions: config.actions,
        used_until: market.used_until().unwrap_or(job.dataset.training_end()),
        probe: Probe { observations: Vec::new(), outputs: Vec::new(), tolerance: 0.0 },
    }
}

/// Keeps the last finite value of each metric.
fn record(metrics: &mut MetricMap, iteration: &Iteration, learning_rate: f64) {
    let (figures, finished) = (&iteration.figures, &iteration.finished);
    let values = [
        ("loss", iteration.loss),
        ("policy_loss", figures.policy_loss),
        ("value_loss", figures.value_loss),
        ("entropy", figures.entropy),
        ("approx_kl", figures.approx_kl),
        ("clipfrac", figures.clipfrac),
        ("explained_variance", iteration.explained_variance),
        ("mean_reward", iteration.mean_reward),
        // NaN, and so left out, when none ended.
        ("episode_return", finished.total_return / finished.episodes as f64),
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
