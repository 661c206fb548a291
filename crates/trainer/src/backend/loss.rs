//! PPO's loss in candle.

use candle_core::{D, Device, Result, Tensor};
use candle_nn::ops::log_softmax;
use walkforward_kernels::{PpoBatch, PpoFigures, PpoLoss};
use walkforward_policy::ActorCritic;

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
    old_values: Tensor,
    /// `[rows]`.
    advantages: Tensor,
    /// `[rows]`.
    returns: Tensor,
}

impl Minibatch {
    /// The rows of `batch`; advantages normalised among them when the loss says so.
    pub(crate) fn gather(batch: &PpoBatch<'_>, loss: &PpoLoss) -> Result<Self> {
        let (rows, obs_dim) = (batch.rows, batch.observations.len() / batch.actions.len());
        let pick = |numbers: &[f32]| -> Vec<f32> { rows.iter().map(|&row| numbers[row as usize]).collect() };
        let mut observations = Vec::with_capacity(rows.len() * obs_dim);
        for &row in rows {
            let row = row as usize;
            observations.extend_from_slice(&batch.observations[row * obs_dim..(row + 1) * obs_dim]);
        }
        let actions: Vec<u32> = rows.iter().map(|&row| batch.actions[row as usize]).collect();
        let mut advantages = pick(batch.advantages);
        if loss.norm_adv {
            normalise(&mut advantages);
        }
        let vector = |numbers| Tensor::from_vec(numbers, rows.len(), &Device::Cpu);
        Ok(Self {
            observations: Tensor::from_vec(observations, (rows.len(), obs_dim), &Device::Cpu)?,
            actions: Tensor::from_vec(actions, (rows.len(), 1), &Device::Cpu)?,
            old_log_probs: vector(pick(batch.log_probs))?,
            old_values: vector(pick(batch.values))?,
            advantages: vector(advantages)?,
            returns: vector(pick(batch.returns))?,
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

/// Loss to minimise and its figures; the formula is that of [`PpoLoss`].
pub(crate) fn ppo_loss(net: &ActorCritic, batch: &Minibatch, loss: &PpoLoss) -> Result<(Tensor, PpoFigures)> {
    let clip_coef = f64::from(loss.clip_coef);
    let (logits, values) = net.forward(&batch.observations)?;
    let log_probs = log_softmax(&logits, D::Minus1)?;
    let log_prob = log_probs.gather(&batch.actions, 1)?.squeeze(1)?;
    let log_ratio = (log_prob - &batch.old_log_probs)?;
    let ratio = log_ratio.exp()?;
    let clipped = ratio.clamp(1.0 - clip_coef, 1.0 + clip_coef)?;
    let surrogate = (&ratio * &batch.advantages)?.minimum(&(clipped * &batch.advantages)?)?;
    let policy_loss = surrogate.mean_all()?.neg()?;
    let value_loss = value_loss(&values, batch, loss)?;
    let entropy = (log_probs.exp()? * &log_probs)?.sum(D::Minus1)?.mean_all()?.neg()?;
    let (vf_coef, ent_coef) = (f64::from(loss.vf_coef), f64::from(loss.ent_coef));
    let total = ((&policy_loss + (&value_loss * vf_coef)?)? - (&entropy * ent_coef)?)?;
    let (approx_kl, clipfrac) = ratio_figures(&log_ratio.to_vec1()?, clip_coef);
    let number = |tensor: &Tensor| tensor.to_scalar::<f32>().map(f64::from);
    let (policy_loss, value_loss, entropy) = (number(&policy_loss)?, number(&value_loss)?, number(&entropy)?);
    Ok((total, PpoFigures { policy_loss, value_loss, entropy, approx_kl, clipfrac }))
}

fn value_loss(values: &Tensor, batch: &Minibatch, loss: &PpoLoss) -> Result<Tensor> {
    let mut square = (values - &batch.returns)?.sqr()?;
    if loss.clip_vloss {
        let clip = f64::from(loss.clip_coef);
        let held = (&batch.old_values + (values - &batch.old_values)?.clamp(-clip, clip)?)?;
        square = square.maximum(&(held - &batch.returns)?.sqr()?)?;
    }
    square.mean_all()? * 0.5
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
    use super::*;

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
