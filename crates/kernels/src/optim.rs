//! The optimiser step on flat parameters.

use crate::error::{Error, check_len};
use crate::gemm::LANES;
use crate::isa::{Checked, multiversion};
use crate::simd::Simd;

/// Settings of [`Adam`] that stay the same over a training.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamConfig {
    /// Decay of the mean of gradients.
    pub beta1: f32,
    /// Decay of the mean of squared gradients.
    pub beta2: f32,
    /// Added to the denominator.
    pub eps: f32,
}

impl Default for AdamConfig {
    /// 0.9, 0.999 and the 1e-5 that PPO implementations use.
    fn default() -> Self {
        Self { beta1: 0.9, beta2: 0.999, eps: 1e-5 }
    }
}

/// Adam (Kingma and Ba 2015, algorithm 1) in the form in which PyTorch computes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Adam {
    config: AdamConfig,
    m: Vec<f32>,
    v: Vec<f32>,
    step: u64,
}

impl Adam {
    /// An optimiser of `parameters` numbers that has seen no gradient.
    pub fn new(parameters: usize, config: AdamConfig) -> Self {
        Self { config, m: vec![0.0; parameters], v: vec![0.0; parameters], step: 0 }
    }

    /// An optimiser that continues after `step` steps with the moments `m` and `v`, `[parameters]` each.
    ///
    /// # Errors
    /// When the moments differ in length.
    pub fn restore(config: AdamConfig, m: Vec<f32>, v: Vec<f32>, step: u64) -> Result<Self, Error> {
        check_len("the second moment", v.len(), m.len())?;
        Ok(Self { config, m, v, step })
    }

    /// Mean of gradients, `[parameters]`.
    pub fn m(&self) -> &[f32] {
        &self.m
    }

    /// Mean of squared gradients, `[parameters]`.
    pub fn v(&self) -> &[f32] {
        &self.v
    }

    /// Steps taken.
    pub fn step_count(&self) -> u64 {
        self.step
    }

    /// Moves `params` against `grads`, `[parameters]` each.
    ///
    /// # Errors
    /// When a slice has another length; nothing has changed then.
    pub fn step(&mut self, params: &mut [f32], grads: &[f32], learning_rate: f32) -> Result<(), Error> {
        check_len("the parameters", params.len(), self.m.len())?;
        check_len("the gradient", grads.len(), self.m.len())?;
        self.step = self.step.saturating_add(1);
        let AdamConfig { beta1, beta2, eps } = self.config;
        let exponent = i32::try_from(self.step).unwrap_or(i32::MAX);
        let correction1 = 1.0 - f64::from(beta1).powi(exponent);
        let correction2 = 1.0 - f64::from(beta2).powi(exponent);
        let step_size = (f64::from(learning_rate) / correction1) as f32;
        let root_correction2 = correction2.sqrt() as f32;
        let rule = Rule { beta1, beta2, eps, step_size, inverse_root: 1.0 / root_correction2 };
        move_all(Checked::detect(), rule, params, grads, (&mut self.m, &mut self.v));
        Ok(())
    }
}

/// What one step does to every parameter.
#[derive(Clone, Copy)]
struct Rule {
    beta1: f32,
    beta2: f32,
    eps: f32,
    step_size: f32,
    inverse_root: f32,
}

multiversion! {
    fn move_all = move_each(rule: Rule, params: &mut [f32], grads: &[f32], moments: (&mut [f32], &mut [f32]));
    fn sum_squares = square_lanes(numbers: &[f32], sums: &mut [f64; LANES]);
    fn scale_all = scale_each(numbers: &mut [f32], factor: f64);
}

#[inline(always)]
fn move_each<S: Simd>(
    _simd: S,
    rule: Rule,
    params: &mut [f32],
    grads: &[f32],
    moments: (&mut [f32], &mut [f32]),
) {
    let Rule { beta1, beta2, eps, step_size, inverse_root } = rule;
    let moments = moments.0.iter_mut().zip(moments.1);
    for ((p, &g), (m, v)) in params.iter_mut().zip(grads).zip(moments) {
        *m = beta1 * *m + (1.0 - beta1) * g;
        *v = beta2 * *v + (1.0 - beta2) * g * g;
        *p -= step_size * *m / (v.sqrt() * inverse_root + eps);
    }
}

#[inline(always)]
fn square_lanes<S: Simd>(_simd: S, numbers: &[f32], sums: &mut [f64; LANES]) {
    let (whole, rest) = numbers.as_chunks::<LANES>();
    for values in whole {
        for lane in 0..LANES {
            sums[lane] += f64::from(values[lane]) * f64::from(values[lane]);
        }
    }
    for (sum, &value) in sums.iter_mut().zip(rest) {
        *sum += f64::from(value) * f64::from(value);
    }
}

#[inline(always)]
fn scale_each<S: Simd>(_simd: S, numbers: &mut [f32], factor: f64) {
    for x in numbers {
        *x = (f64::from(*x) * factor) as f32;
    }
}

/// Scales `grads` down so that their Euclidean norm is at most `max_norm`; returns the norm before.
///
/// The norm is summed in `f64`, every sixteenth number into one of sixteen sums. A norm that is not finite leaves the gradient as it is.
pub fn clip_grad_norm(grads: &mut [f32], max_norm: f32) -> f64 {
    let isa = Checked::detect();
    let mut sums = [0.0; LANES];
    sum_squares(isa, grads, &mut sums);
    let norm = sums.iter().sum::<f64>().sqrt();
    let scale = f64::from(max_norm) / (norm + 1e-6);
    if norm.is_finite() && scale < 1.0 {
        scale_all(isa, grads, scale);
    }
    norm
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adam_takes_the_steps_of_the_worked_example() {
        // By hand: the first step is lr * g / (|g| + eps); the second from the decayed moments.
        let mut adam = Adam::new(2, AdamConfig { eps: 1e-8, ..AdamConfig::default() });
        let mut params = [1.0, -1.0];
        adam.step(&mut params, &[0.5, -2.0], 0.1).unwrap();
        assert!((params[0] - 0.9).abs() < 1e-6 && (params[1] + 0.9).abs() < 1e-6, "{params:?}");
        adam.step(&mut params, &[-0.5, -2.0], 0.1).unwrap();
        let m = (0.9 * 0.05 - 0.05) / (1.0 - 0.81);
        let v = (0.999 * 0.00025 + 0.00025) / (1.0 - 0.998_001_f64);
        assert!((f64::from(params[0]) - (0.9 - 0.1 * m / v.sqrt())).abs() < 1e-5, "{params:?}");
        assert!((params[1] + 0.8).abs() < 1e-5, "{params:?}");
        assert_eq!(adam.step_count(), 2);
    }

    #[test]
    fn a_restored_adam_continues_to_the_same_bits() {
        let grads = [[0.3, -0.1], [0.2, 0.4], [-0.5, 0.0]];
        let mut straight = Adam::new(2, AdamConfig::default());
        let mut params = [0.1, 0.2];
        for g in &grads {
            straight.step(&mut params, g, 1e-2).unwrap();
        }
        let mut first = Adam::new(2, AdamConfig::default());
        let mut again = [0.1, 0.2];
        first.step(&mut again, &grads[0], 1e-2).unwrap();
        let mut second =
            Adam::restore(AdamConfig::default(), first.m().to_vec(), first.v().to_vec(), 1).unwrap();
        second.step(&mut again, &grads[1], 1e-2).unwrap();
        second.step(&mut again, &grads[2], 1e-2).unwrap();
        assert_eq!(again, params);
        assert_eq!(second, straight);
    }

    #[test]
    fn wrong_lengths_change_nothing() {
        let mut adam = Adam::new(2, AdamConfig::default());
        assert!(adam.step(&mut [0.0], &[0.0, 0.0], 0.1).is_err());
        assert!(adam.step(&mut [0.0, 0.0], &[0.0], 0.1).is_err());
        assert_eq!(adam.step_count(), 0);
        assert!(Adam::restore(AdamConfig::default(), vec![0.0], vec![], 1).is_err());
    }

    #[test]
    fn a_long_gradient_is_shortened_and_a_short_one_kept() {
        let mut long = [3.0, 4.0];
        assert_eq!(clip_grad_norm(&mut long, 0.5), 5.0);
        assert!((long[0] - 0.3).abs() < 1e-6 && (long[1] - 0.4).abs() < 1e-6);
        let mut short = [0.1, 0.1];
        clip_grad_norm(&mut short, 0.5);
        assert_eq!(short, [0.1, 0.1]);
        assert!(clip_grad_norm(&mut [f32::NAN], 0.5).is_nan());
    }
}
