//! The step size over a training.

use serde::{Deserialize, Serialize};

use crate::PpoConfig;

/// Divergence over its target, above which the step size falls and below whose inverse it grows.
const KL_BAND: f64 = 2.0;
/// Factor of one such change.
const KL_CHANGE: f64 = 1.5;
/// Least and largest factor on the step size that these changes come to.
const KL_FACTORS: (f64, f64) = (0.01, 10.0);

/// How the step size goes over the iterations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LrSchedule {
    /// The same throughout.
    Constant,
    /// Falls linearly to 0.
    #[default]
    Linear,
    /// Falls along half a cosine to 0 (Loshchilov & Hutter 2017, without restarts).
    Cosine,
    /// Follows the divergence of the policy: falls by a third after an iteration that moved it more than twice
    /// `target_kl`, grows by half after one that moved it less than half of it (Schulman's adaptive rule in the form of
    /// Rudin et al. 2022). No pass is left out then.
    AdaptiveKl,
}

impl PpoConfig {
    /// Step size of iteration `iteration`, from 0, given the factor that [`adapted`](Self::adapted) has come to.
    pub(crate) fn step_size(&self, iteration: u64, kl_factor: f64) -> f64 {
        let done = iteration as f64 / self.iterations as f64;
        let factor = match self.lr_schedule {
            LrSchedule::Constant => 1.0,
            LrSchedule::Linear => 1.0 - done,
            LrSchedule::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * done).cos()),
            LrSchedule::AdaptiveKl => kl_factor,
        };
        self.learning_rate * factor
    }

    /// The factor after an iteration whose updates diverged by `approx_kl`.
    pub(crate) fn adapted(&self, kl_factor: f64, approx_kl: f64) -> f64 {
        let Some(target) = self.target_kl.filter(|_| self.lr_schedule == LrSchedule::AdaptiveKl) else {
            return kl_factor;
        };
        let change = if approx_kl > KL_BAND * target {
            1.0 / KL_CHANGE
        } else if approx_kl < target / KL_BAND {
            KL_CHANGE
        } else {
            1.0
        };
        (kl_factor * change).clamp(KL_FACTORS.0, KL_FACTORS.1)
    }

    /// Divergence after which the remaining passes over a rollout are left out.
    pub(crate) fn pass_limit(&self) -> Option<f64> {
        self.target_kl.filter(|_| self.lr_schedule != LrSchedule::AdaptiveKl)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(lr_schedule: LrSchedule) -> PpoConfig {
        PpoConfig { lr_schedule, learning_rate: 0.01, iterations: 4, ..PpoConfig::default() }
    }

    fn sizes(lr_schedule: LrSchedule) -> Vec<f64> {
        let config = config(lr_schedule);
        (0..4).map(|iteration| config.step_size(iteration, 1.0) * 100.0).collect()
    }

    #[test]
    fn each_schedule_is_its_formula() {
        assert_eq!(sizes(LrSchedule::Constant), [1.0; 4]);
        assert_eq!(sizes(LrSchedule::Linear), [1.0, 0.75, 0.5, 0.25]);
        let cosine = sizes(LrSchedule::Cosine);
        for (actual, expected) in cosine.iter().zip([1.0, 0.853_553_390_593, 0.5, 0.146_446_609_407]) {
            assert!((actual - expected).abs() < 1e-9, "{cosine:?}");
        }
    }

    #[test]
    fn the_adaptive_step_follows_the_divergence_within_its_bounds() {
        let config = PpoConfig { target_kl: Some(0.01), ..config(LrSchedule::AdaptiveKl) };
        assert_eq!(config.adapted(1.0, 0.021), 1.0 / 1.5);
        assert_eq!(config.adapted(1.0, 0.004), 1.5);
        assert_eq!(config.adapted(1.0, 0.01), 1.0);
        assert_eq!((0..99).fold(1.0, |factor, _| config.adapted(factor, 1.0)), 0.01);
        assert_eq!((0..99).fold(1.0, |factor, _| config.adapted(factor, 0.0)), 10.0);
        assert_eq!(config.step_size(3, 0.5), 0.005);
        assert_eq!(config.pass_limit(), None);
    }

    #[test]
    fn other_schedules_do_not_adapt() {
        let config = PpoConfig { target_kl: Some(0.01), ..config(LrSchedule::Linear) };
        assert_eq!(config.adapted(1.0, 1.0), 1.0);
        assert_eq!(config.pass_limit(), Some(0.01));
    }
}
