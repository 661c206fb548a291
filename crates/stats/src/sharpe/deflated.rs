//! A Sharpe ratio against the best that luck alone would have found in so many trials.

use std::f64::consts::E;

use super::{SharpeMoments, probabilistic_sharpe};
use crate::normal;
use crate::numeric::{finite, sample_deviation};

/// Euler and Mascheroni's constant.
const EULER_GAMMA: f64 = 0.577_215_664_901_532_9;
/// Of fewer trials the variance is noise and gets a floor.
const STABLE_TRIALS: usize = 20;

/// Everything that was tried before one candidate was shown: each cycle, pack and seed counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trials {
    /// How many, the shown one included.
    pub count: usize,
    /// Sample variance (`n - 1`) of their per-period Sharpe ratios.
    pub sharpe_variance: f64,
}

impl Trials {
    /// The trials with these per-period Sharpe ratios, each over `n_periods` returns.
    ///
    /// Of fewer than 20 trials the variance is at least `1 / (n_periods - 1)`, that of an estimate without skill.
    /// `None` without a trial, of fewer than two periods and when a ratio is no number.
    pub fn of(sharpes: &[f64], n_periods: usize) -> Option<Self> {
        if sharpes.is_empty() || n_periods < 2 || sharpes.iter().any(|sharpe| !sharpe.is_finite()) {
            return None;
        }
        let variance = sample_deviation(sharpes).map_or(0.0, |deviation| deviation * deviation);
        let trials = Self { count: sharpes.len(), sharpe_variance: finite(variance)? };
        Some(if trials.count < STABLE_TRIALS { trials.with_floor(n_periods) } else { trials })
    }

    /// The same with a variance of at least `1 / (n_periods - 1)`, for trials that are near copies of each other.
    #[must_use]
    pub fn with_floor(self, n_periods: usize) -> Self {
        let floor = 1.0 / n_periods.saturating_sub(1).max(1) as f64;
        Self { sharpe_variance: self.sharpe_variance.max(floor), ..self }
    }
}

/// What the trials leave of a Sharpe ratio.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DeflatedSharpe {
    /// The Sharpe ratio per period that the best of the trials is expected to show without skill.
    pub benchmark: f64,
    /// Probability that the true Sharpe ratio lies above the benchmark, in `[0, 1]`.
    pub probability: f64,
}

/// Deflated Sharpe ratio (Bailey and Lopez de Prado 2014): [`probabilistic_sharpe`] against
/// `sqrt(variance of the trials) * expected_max_z(trials)`.
///
/// `None` where the probabilistic ratio is, and when the variance of the trials is no number of at least 0.
pub fn deflated_sharpe(moments: &SharpeMoments, trials: &Trials) -> Option<DeflatedSharpe> {
    let benchmark = finite(trials.sharpe_variance.sqrt() * expected_max_z(trials.count))?;
    let probability = probabilistic_sharpe(moments, benchmark)?;
    Some(DeflatedSharpe { benchmark, probability })
}

/// Expected maximum of `n` independent standard normal draws, approximately
/// `(1 - g) Phi^-1(1 - 1/n) + g Phi^-1(1 - 1/(n e))` with Euler's `g`; 0 of one draw or none.
pub fn expected_max_z(n: usize) -> f64 {
    if n <= 1 {
        return 0.0;
    }
    let quantile = |tail: f64| normal::exceeded_with(tail).unwrap_or(0.0);
    (1.0 - EULER_GAMMA) * quantile(1.0 / n as f64) + EULER_GAMMA * quantile(1.0 / (n as f64 * E))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: SharpeMoments = SharpeMoments { n: 250, sharpe: 0.1, skew: -0.5, kurtosis: 5.0 };

    #[test]
    fn the_example_of_the_formula_sheet() {
        let trials = Trials { count: 100, sharpe_variance: 1.0 / 250.0 };
        let deflated = deflated_sharpe(&EXAMPLE, &trials).unwrap();
        assert!((deflated.benchmark - 0.16).abs() < 5e-5);
        assert!((deflated.probability - 0.178_7).abs() < 5e-5);
    }

    #[test]
    fn one_trial_deflates_nothing() {
        let one = deflated_sharpe(&EXAMPLE, &Trials { count: 1, sharpe_variance: 0.5 }).unwrap();
        assert_eq!(Some(one.probability), probabilistic_sharpe(&EXAMPLE, 0.0));
        assert_eq!(one.benchmark, 0.0);
    }

    #[test]
    fn more_trials_raise_the_bar() {
        let bars: Vec<f64> = (0..60).map(|power| expected_max_z(1_usize << power)).collect();
        assert!(bars.windows(2).all(|pair| pair[0] < pair[1]), "{bars:?}");
    }

    #[test]
    fn the_variance_of_few_trials_has_a_floor() {
        assert_eq!(Trials::of(&[0.1; 5], 101), Some(Trials { count: 5, sharpe_variance: 0.01 }));
        assert_eq!(Trials::of(&[0.1], 101), Some(Trials { count: 1, sharpe_variance: 0.01 }));
        let many = Trials::of(&[0.1; 20], 101).unwrap();
        assert_eq!(many.sharpe_variance, 0.0);
        assert_eq!(many.with_floor(101).sharpe_variance, 0.01);
        let wide = Trials::of(&[-1.0, 1.0], 101).unwrap();
        assert!((wide.sharpe_variance - 2.0).abs() < 1e-12);
    }

    #[test]
    fn trials_that_are_no_numbers_are_undefined() {
        assert_eq!(Trials::of(&[], 101), None);
        assert_eq!(Trials::of(&[f64::NAN], 101), None);
        assert_eq!(Trials::of(&[0.1], 1), None);
        assert_eq!(deflated_sharpe(&EXAMPLE, &Trials { count: 9, sharpe_variance: -1.0 }), None);
    }
}
