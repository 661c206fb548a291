//! PPO's loss in candle.

use candle_core::{D, Device, Result, Tensor};
use candle_nn::ops::log_softmax;
use walkforward_policy::ActorCritic;

use crate::PpoConfig;
use crate::rollout::Rollout;

/// Added to the deviation of advantages.
const ADVANTAGE_EPS: f64 = 1e-8;

/// Rows of a rollout, gathered.
#[derive(Debug)]
pub(crate) struct Minibatch {
    /// `[rows, obs_dim]`.
    observations: Tensor,
    /// `[rows, 1]`.
    actions: Tensor,
    /// `[rows]`.
    old_log_probs: Tensor,
    /// `[rows]`.
    advantages: Tensor,
    /// `[rows]`.
    returns: Tensor,
}

impl Minibatch {
    /// The rows with indices `rows`; advantages normalised among them when the settings say so.
    pub(crate) fn gather(rollout: &Rollout, rows: &[usize], config: &PpoConfig) -> Result<Self> {
        let obs_dim = rollout.observations.len() / rollout.actions.len();
        let pick = |numbers: &[f32]| -> Vec<f32> { rows.iter().map(|&row| numbers[row]).collect() };
        let mut observations = Vec::with_capacity(rows.len() * obs_dim);
        for &row in rows {
            observations.extend_from_slice(&rollout.observations[row * obs_dim..(row + 1) * obs_dim]);
        }
        let actions: Vec<u32> = rows.iter().map(|&row| rollout.actions[row]).collect();
        let mut advantages = pick(&rollout.advantages);
        if config.norm_adv {
            normalise(&mut advantages);
        }
        let vector = |numbers| Tensor::from_vec(numbers, rows.len(), &Device::Cpu);
        Ok(Self {
            observations: Tensor::from_vec(observations, (rows.len(), obs_dim), &Device::Cpu)?,
            actions: Tensor::from_vec(actions, (rows.len(), 1), &Device::Cpu)?,
            old_log_probs: vector(pick(&rollout.log_probs))?,
            advantages: vector(advantages)?,
            returns: vector(pick(&rollout.returns))?,
        })
    }
}

/// `(x - mean) / (sample deviation + 1e-8)`, summed in `f64`.
fn normalise(numbers: &mut [f32]) {
    let count = numbers.len() as f64;
    let mean = numbers.iter().map(|&x| f64::from(x)).sum::<f64>() / count;
    let squares = numbers.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>();
    let scale = (squares / (count - 1.0)).sqrt() + ADVANTAGE_EPS;
    for x in numbers {
        *x = ((f64::from(*x) - mean) / scale) as f32;
    }
}

/// Figures of one minibatch, or their mean over several.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct LossFigures {
    pub(crate) total: f64,
    pub(crate) policy_loss: f64,
    pub(crate) value_loss: f64,
    pub(crate) entropy: f64,
    /// `mean((ratio - 1) - ln ratio)`, an estimate of the KL divergence from the old policy that is never negative.
    pub(crate) approx_kl: f64,
    /// Share of rows whose ratio lies beyond the clip.
    pub(crate) clipfrac: f64,
}

impl LossFigures {
    /// Adds `other` times `weight`.
    pub(crate) fn add(&mut self, other: &Self, weight: f64) {
        self.total += weight * other.total;
        self.policy_loss += weight * other.policy_loss;
        self.value_loss += weight * other.value_loss;
        self.entropy += weight * other.entropy;
        self.approx_kl += weight * other.approx_kl;
        self.clipfrac += weight * other.clipfrac;
    }
}

/// Loss to minimise and its figures:
/// `-min(A ratio, A clip(ratio)) + vf_coef (V - return)^2 / 2 - ent_coef entropy`, each a mean over rows.
pub(crate) fn ppo_loss(
    net: &ActorCritic,
    batch: &Minibatch,
    config: &PpoConfig,
) -> Result<(Tensor, LossFigures)> {
    let (logits, values) = net.forward(&batch.observations)?;
    let log_probs = log_softmax(&logits, D::Minus1)?;
    let log_prob = log_probs.gather(&batch.actions, 1)?.squeeze(1)?;
    let log_ratio = (log_prob - &batch.old_log_probs)?;
    let ratio = log_ratio.exp()?;
    let clipped = ratio.clamp(1.0 - config.clip_coef, 1.0 + config.clip_coef)?;
    let surrogate = (&ratio * &batch.advantages)?.minimum(&(clipped * &batch.advantages)?)?;
    let policy_loss = surrogate.mean_all()?.neg()?;
    let value_loss = ((values - &batch.returns)?.sqr()?.mean_all()? * 0.5)?;
    let entropy = (log_probs.exp()? * &log_probs)?.sum(D::Minus1)?.mean_all()?.neg()?;
    let total = ((&policy_loss + (&value_loss * config.vf_coef)?)? - (&entropy * config.ent_coef)?)?;
    let (approx_kl, clipfrac) = ratio_figures(&log_ratio.to_vec1()?, config.clip_coef);
    let number = |tensor: &Tensor| tensor.to_scalar::<f32>().map(f64::from);
    let figures = LossFigures {
        total: number(&total)?,
        policy_loss: number(&policy_loss)?,
        value_loss: number(&value_loss)?,
        entropy: number(&entropy)?,
        approx_kl,
        clipfrac,
    };
    Ok((total, figures))
}

fn ratio_figures(log_ratios: &[f32], clip_coef: f64) -> (f64, f64) {
    let (mut kl, mut clipped) = (0.0, 0_usize);
    for &log_ratio in log_ratios {
        let log_ratio = f64::from(log_ratio);
        let ratio = log_ratio.exp();
        kl += ratio - 1.0 - log_ratio;
        clipped += usize::from((ratio - 1.0).abs() > clip_coef);
    }
    let rows = log_ratios.len() as f64;
    (kl / rows, clipped as f64 / rows)
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;
    use walkforward_core::{Activation, NetworkSpec};

    use super::*;

    fn network() -> ActorCritic {
        let spec = NetworkSpec::Mlp { inputs: 2, hidden: vec![3], outputs: 2, activation: Activation::Tanh };
        let net = ActorCritic::new(spec, &mut ChaCha8Rng::seed_from_u64(5)).unwrap();
        // Away from the almost equal logits of fresh weights.
        let flat: Vec<f32> =
            net.flat().unwrap().iter().enumerate().map(|(i, x)| x + 0.1 * (i % 3) as f32).collect();
        net.set_flat(&flat).unwrap();
        net
    }

    /// Ratios on both sides of the clip, advantages of both signs.
    fn rollout() -> Rollout {
        Rollout {
            observations: vec![0.5, -1.0, 1.5, 0.3, -0.7, 0.9, 0.1, 0.2],
            actions: vec![0, 1, 1, 0],
            log_probs: vec![-0.7, -1.4, -0.2, -0.9],
            advantages: vec![1.0, -0.5, 2.0, -1.5],
            returns: vec![0.3, -0.2, 1.0, 0.6],
            ..Rollout::default()
        }
    }

    fn config() -> PpoConfig {
        PpoConfig { norm_adv: false, ent_coef: 0.05, ..PpoConfig::default() }
    }

    fn batch() -> Minibatch {
        Minibatch::gather(&rollout(), &[0, 1, 2, 3], &config()).unwrap()
    }

    #[test]
    fn the_loss_follows_its_formula() {
        let net = network();
        let (logits, values) = net.forward(&batch().observations).unwrap();
        let (logits, values): (Vec<Vec<f32>>, Vec<f32>) =
            (logits.to_vec2().unwrap(), values.to_vec1().unwrap());
        let rollout = rollout();
        let (mut policy, mut value, mut entropy, mut kl, mut clipped) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for row in 0..4 {
            let [a, b] = [f64::from(logits[row][0]), f64::from(logits[row][1])];
            let log_total = (a.exp() + b.exp()).ln();
            let log_p = [a - log_total, b - log_total];
            let log_ratio = log_p[rollout.actions[row] as usize] - f64::from(rollout.log_probs[row]);
            let (ratio, advantage) = (log_ratio.exp(), f64::from(rollout.advantages[row]));
            policy -= (ratio * advantage).min(ratio.clamp(0.8, 1.2) * advantage) / 4.0;
            value += (f64::from(values[row]) - f64::from(rollout.returns[row])).powi(2) / 8.0;
            entropy -= log_p.iter().map(|x| x * x.exp()).sum::<f64>() / 4.0;
            kl += (ratio - 1.0 - log_ratio) / 4.0;
            clipped += f64::from(u8::from((ratio - 1.0).abs() > 0.2)) / 4.0;
        }
        let (_, figures) = ppo_loss(&net, &batch(), &config()).unwrap();
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-5, "{a} {b}");
        close(figures.policy_loss, policy);
        close(figures.value_loss, value);
        close(figures.entropy, entropy);
        close(figures.approx_kl, kl);
        close(figures.clipfrac, clipped);
        close(figures.total, policy + 0.5 * value - 0.05 * entropy);
        assert!(clipped > 0.0 && clipped < 1.0, "{clipped}");
    }

    #[test]
    fn the_gradient_agrees_with_finite_differences() {
        let net = network();
        let loss = |flat: &[f32]| {
            net.set_flat(flat).unwrap();
            ppo_loss(&net, &batch(), &config()).unwrap().1.total
        };
        let flat = net.flat().unwrap();
        let (total, _) = ppo_loss(&net, &batch(), &config()).unwrap();
        let gradient = net.flat_gradients(&total.backward().unwrap()).unwrap();
        assert!(gradient.iter().any(|g| g.abs() > 0.01));
        let h = 2e-3;
        for index in 0..flat.len() {
            let (mut up, mut down) = (flat.clone(), flat.clone());
            up[index] += h;
            down[index] -= h;
            let slope = (loss(&up) - loss(&down)) / f64::from(up[index] - down[index]);
            assert!(
                (slope - f64::from(gradient[index])).abs() < 2e-3,
                "{index}: {slope} {}",
                gradient[index]
            );
        }
    }

    #[test]
    fn advantages_are_normalised_within_the_minibatch() {
        let mut numbers = [1.0, 2.0, 3.0];
        normalise(&mut numbers);
        assert_eq!(numbers, [-1.0, 0.0, 1.0]);
        let mut equal = [4.0, 4.0];
        normalise(&mut equal);
        assert_eq!(equal, [0.0, 0.0]);
    }
}
