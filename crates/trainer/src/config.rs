//! Settings of PPO under the literature's names.

use serde::{Deserialize, Serialize};
use walkforward_core::{ActionMap, Activation};
use walkforward_policy::{MAX_HIDDEN_LAYERS, MAX_LOOKBACK, MAX_OBSERVATION, MAX_WIDTH};

use crate::{LrSchedule, NetworkKind, NormaliserPolicy, RewardConfig, TrainerError};

/// Most environments, steps and rows of one rollout.
const MAX_BATCH: usize = 1 << 20;
/// Fewest rows of a minibatch: the deviation of one advantage is nothing to divide by.
const MIN_MINIBATCH: usize = 2;
/// Most numbers in the observations of one rollout: 1 GiB of them.
const MAX_ROLLOUT_NUMBERS: usize = 1 << 28;
const MAX_ITERATIONS: u64 = 1_000_000;
const MAX_EPOCHS: usize = 1_000;
const MAX_EPISODE_BARS: usize = 1_000_000;

/// What a job's pack may say; absent keys take these defaults, unknown ones are refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PpoConfig {
    /// Rollout and update rounds.
    pub iterations: u64,
    /// Sessions that run side by side.
    pub num_envs: usize,
    /// Bars that each session advances in one rollout.
    pub num_steps: usize,
    /// Passes over a rollout.
    pub update_epochs: usize,
    /// Parts of a rollout; each is one step of the optimiser.
    pub num_minibatches: usize,
    /// Step size of Adam.
    pub learning_rate: f64,
    /// How the step size goes over the iterations.
    pub lr_schedule: LrSchedule,
    /// Factor on the step size when training continues from a parent.
    pub fine_tune_lr_multiplier: f64,
    /// Which normaliser a training has that continues from a parent.
    pub normaliser: NormaliserPolicy,
    /// Discount per bar.
    pub gamma: f64,
    /// Decay of the generalised advantage estimate.
    pub gae_lambda: f64,
    /// Largest relative change of an action's probability that is rewarded.
    pub clip_coef: f64,
    /// Weight of the entropy bonus.
    pub ent_coef: f64,
    /// Weight of the value loss.
    pub vf_coef: f64,
    /// Largest Euclidean norm of a gradient.
    pub max_grad_norm: f64,
    /// Whether advantages are normalised in each minibatch.
    pub norm_adv: bool,
    /// Whether the value loss, too, takes no account of a move beyond `clip_coef`.
    pub clip_vloss: bool,
    /// Approximate KL divergence after which a rollout's remaining passes are left out; none never stops. With an
    /// adaptive step size what that aims at.
    pub target_kl: Option<f64>,
    /// The kind of network, of actor and critic alike.
    pub network: NetworkKind,
    /// Widths of its hidden layers.
    pub hidden: Vec<usize>,
    /// Between its layers.
    pub activation: Activation,
    /// Feature rows in an observation.
    pub lookback: usize,
    /// Bars in an episode; episodes start at random bars, flat.
    pub episode_bars: usize,
    /// Reward of a log return of 1.
    pub reward_scale: f64,
    /// What a bar is worth to the learner.
    pub reward: RewardConfig,
    /// What the actions mean. The session has to allow them.
    pub actions: ActionMap,
    /// Bars before the hold-out on which the greedy policy is measured and which nobody learns from; the best
    /// iteration's weights are kept. 0 keeps the last iteration's.
    pub validation_bars: usize,
    /// Iterations from one such measurement to the next.
    pub validate_every: u64,
    /// Measurements without improvement after which training stops; none never stops early.
    pub patience: Option<u64>,
    /// Iterations from one checkpoint to the next; 0 makes none. Episodes and random streams begin anew at a
    /// checkpoint, so that a training that was interrupted there goes on to the same bits.
    pub checkpoint_every: u64,
}

impl Default for PpoConfig {
    fn default() -> Self {
        Self {
            iterations: 40,
            num_envs: 16,
            num_steps: 128,
            update_epochs: 4,
            num_minibatches: 8,
            learning_rate: 1e-3,
            lr_schedule: LrSchedule::default(),
            fine_tune_lr_multiplier: 0.2,
            normaliser: NormaliserPolicy::default(),
            gamma: 0.95,
            gae_lambda: 0.95,
            clip_coef: 0.2,
            ent_coef: 0.01,
            vf_coef: 0.5,
            max_grad_norm: 0.5,
            norm_adv: true,
            clip_vloss: false,
            target_kl: None,
            network: NetworkKind::default(),
            hidden: vec![64, 64],
            activation: Activation::default(),
            lookback: 4,
            episode_bars: 256,
            reward_scale: 100.0,
            reward: RewardConfig::default(),
            actions: ActionMap::LongFlat,
            validation_bars: 0,
            validate_every: 1,
            patience: None,
            checkpoint_every: 0,
        }
    }
}

impl PpoConfig {
    /// The settings that `pack` asks for; null and `{}` are the defaults.
    ///
    /// # Errors
    /// An unknown key, a value of the wrong type or out of range.
    pub fn from_pack(pack: &serde_json::Value) -> Result<Self, TrainerError> {
        let config = match pack {
            serde_json::Value::Null => Self::default(),
            pack if pack.is_object() => Self::deserialize(pack).map_err(TrainerError::Pack)?,
            other => return refused("pack", other, "an object of settings"),
        };
        config.validate()?;
        Ok(config)
    }

    /// Refuses the first setting that is out of range.
    ///
    /// # Errors
    /// [`TrainerError::Setting`].
    pub fn validate(&self) -> Result<(), TrainerError> {
        self.check_counts()?;
        self.check_minibatch()?;
        self.reward.validate()?;
        self.network.validate()?;
        self.check_numbers()
    }

    fn check_counts(&self) -> Result<(), TrainerError> {
        if !(1..=MAX_ITERATIONS).contains(&self.iterations) {
            return refused("iterations", self.iterations, format!("1 to {MAX_ITERATIONS}"));
        }
        if !(1..=MAX_ITERATIONS).contains(&self.validate_every) {
            return refused("validate_every", self.validate_every, format!("1 to {MAX_ITERATIONS}"));
        }
        if self.lr_schedule == LrSchedule::AdaptiveKl && self.target_kl.is_none() {
            return refused("target_kl", "none", "a number, because lr_schedule = adaptive_kl aims at it");
        }
        if self.patience.is_some() && self.validation_bars == 0 {
            return refused("validation_bars", 0, "above 0, because patience counts validations");
        }
        let counts = [
            ("num_envs", self.num_envs, 1, MAX_BATCH),
            ("num_steps", self.num_steps, 1, MAX_BATCH),
            ("update_epochs", self.update_epochs, 1, MAX_EPOCHS),
            ("num_minibatches", self.num_minibatches, 1, MAX_BATCH),
            ("lookback", self.lookback, 1, MAX_LOOKBACK),
            ("episode_bars", self.episode_bars, 2, MAX_EPISODE_BARS),
            ("the number of hidden layers", self.hidden.len(), 0, MAX_HIDDEN_LAYERS),
        ];
        let widths = self.hidden.iter().map(|&width| ("a width in hidden", width, 1, MAX_WIDTH));
        for (name, value, least, most) in counts.into_iter().chain(widths) {
            if !(least..=most).contains(&value) {
                return refused(name, value, format!("{least} to {most}"));
            }
        }
        Ok(())
    }

    fn check_minibatch(&self) -> Result<(), TrainerError> {
        let batch = self.num_envs.saturating_mul(self.num_steps);
        if batch > MAX_BATCH {
            return refused("num_envs x num_steps", batch, format!("at most {MAX_BATCH}"));
        }
        let parts = self.num_minibatches;
        if !batch.is_multiple_of(parts) {
            return refused("num_minibatches", parts, format!("a divisor of num_envs x num_steps = {batch}"));
        }
        if batch / parts < MIN_MINIBATCH {
            let expected =
                format!("minibatches of at least {MIN_MINIBATCH} rows out of num_envs x num_steps = {batch}");
            return refused("num_minibatches", parts, expected);
        }
        Ok(())
    }

    fn check_numbers(&self) -> Result<(), TrainerError> {
        let share = |x: f64| (0.0..=1.0).contains(&x);
        let positive = |x: f64| x > 0.0 && x <= 1e6;
        let weight = |x: f64| (0.0..=1e6).contains(&x);
        const POSITIVE: &str = "above 0, at most 1e6";
        let numbers = [
            (
                "learning_rate",
                self.learning_rate,
                self.learning_rate > 0.0 && self.learning_rate <= 1.0,
                "above 0, at most 1",
            ),
            (
                "fine_tune_lr_multiplier",
                self.fine_tune_lr_multiplier,
                positive(self.fine_tune_lr_multiplier),
                POSITIVE,
            ),
            ("gamma", self.gamma, share(self.gamma), "0 to 1"),
            ("gae_lambda", self.gae_lambda, share(self.gae_lambda), "0 to 1"),
            ("clip_coef", self.clip_coef, self.clip_coef > 0.0 && self.clip_coef < 1.0, "between 0 and 1"),
            ("ent_coef", self.ent_coef, weight(self.ent_coef), "0 to 1e6"),
            ("vf_coef", self.vf_coef, weight(self.vf_coef), "0 to 1e6"),
            ("max_grad_norm", self.max_grad_norm, positive(self.max_grad_norm), POSITIVE),
            ("target_kl", self.target_kl.unwrap_or(1.0), self.target_kl.is_none_or(positive), POSITIVE),
            ("reward_scale", self.reward_scale, positive(self.reward_scale), POSITIVE),
        ];
        match numbers.into_iter().find(|(_, _, is_good, _)| !is_good) {
            Some((name, value, _, expected)) => refused(name, value, expected),
            None => Ok(()),
        }
    }

    /// Refuses observations of `inputs` numbers that are too long, or make too long a rollout.
    pub(crate) fn check_observation(&self, inputs: usize) -> Result<(), TrainerError> {
        if inputs > MAX_OBSERVATION {
            let expected = format!("at most {MAX_OBSERVATION} numbers in an observation, these are {inputs}");
            return refused("lookback", self.lookback, expected);
        }
        let numbers = inputs.saturating_mul(self.num_envs * self.num_steps);
        if numbers > MAX_ROLLOUT_NUMBERS {
            let expected = format!("at most {MAX_ROLLOUT_NUMBERS} numbers with {inputs} in an observation");
            return refused("num_envs x num_steps", self.num_envs * self.num_steps, expected);
        }
        Ok(())
    }

    /// Rows of a minibatch.
    pub(crate) fn minibatch_size(&self) -> usize {
        self.num_envs * self.num_steps / self.num_minibatches
    }
}

pub(crate) fn refused<T>(
    name: &'static str,
    value: impl ToString,
    expected: impl Into<String>,
) -> Result<T, TrainerError> {
    Err(TrainerError::Setting { name, value: value.to_string(), expected: expected.into() })
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use walkforward_core::FeatureSpec;

    use super::*;

    fn check(pack: serde_json::Value, expected: &str) {
        let error = PpoConfig::from_pack(&pack).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn an_empty_pack_is_the_default() {
        assert_eq!(PpoConfig::from_pack(&json!({})).unwrap(), PpoConfig::default());
        assert_eq!(PpoConfig::from_pack(&json!(null)).unwrap(), PpoConfig::default());
        let written = serde_json::to_value(PpoConfig::default()).unwrap();
        assert_eq!(PpoConfig::from_pack(&written).unwrap(), PpoConfig::default());
    }

    #[test]
    fn a_pack_that_makes_no_sense_is_refused_by_key() {
        check(json!([1]), "pack is [1]: expected an object");
        check(json!({ "learning_rat": 1.0 }), "learning_rat");
        check(json!({ "iterations": 0 }), "iterations is 0");
        check(json!({ "iterations": -1 }), "can't be read");
        check(json!({ "num_envs": 0 }), "num_envs is 0");
        check(json!({ "num_minibatches": 7 }), "num_minibatches is 7");
        check(json!({ "num_minibatches": 2048 }), "minibatches of at least 2 rows");
        check(json!({ "num_envs": 1024, "num_steps": 2048 }), "num_envs x num_steps is 2097152");
        check(json!({ "hidden": [64, 0] }), "a width in hidden is 0");
        check(json!({ "hidden": [1, 1, 1, 1, 1, 1, 1, 1, 1] }), "number of hidden layers is 9");
        check(json!({ "learning_rate": 0.0 }), "learning_rate is 0");
        check(json!({ "learning_rate": 2.0 }), "learning_rate is 2");
        check(json!({ "clip_coef": 1.0 }), "clip_coef is 1");
        check(json!({ "target_kl": -0.1 }), "target_kl is -0.1");
        check(json!({ "lr_schedule": "adaptive_kl" }), "target_kl is none");
        check(json!({ "gae_lambda": -0.5 }), "gae_lambda is -0.5");
        check(json!({ "reward_scale": 1e9 }), "reward_scale is 1000000000");
        check(json!({ "lookback": 5000 }), "lookback is 5000");
        check(json!({ "normaliser": "thawed" }), "thawed");
        check(json!({ "episode_bars": 1 }), "episode_bars is 1");
    }

    #[test]
    fn settings_that_are_not_numbers_are_refused() {
        let config = PpoConfig { gamma: f64::NAN, ..PpoConfig::default() };
        assert!(config.validate().is_err());
        let config = PpoConfig { learning_rate: f64::INFINITY, ..PpoConfig::default() };
        assert!(config.validate().is_err());
    }

    #[test]
    fn an_observation_that_is_too_long_is_refused() {
        let config = PpoConfig { lookback: MAX_LOOKBACK, ..PpoConfig::default() };
        let periods = (1..=200).collect();
        let features = FeatureSpec::new(vec![walkforward_core::FeatureKind::Returns { periods }]).unwrap();
        assert!(config.network(&features).is_err());
    }

    #[test]
    fn a_rollout_that_no_memory_holds_is_refused() {
        let pack = json!({ "num_envs": 1024, "num_steps": 1024, "num_minibatches": 2048, "lookback": 1000 });
        let config = PpoConfig::from_pack(&pack).unwrap();
        let error = config.network(&FeatureSpec::default()).unwrap_err();
        assert!(error.to_string().contains("num_envs x num_steps is 1048576"), "{error}");
    }
}
