//! PPO's loss over one block of rows: its figures, and its gradient with respect to logits and values.

use crate::actor_critic::BLOCK_ROWS;
use crate::gemm::padded;
use crate::math::exp;
use crate::sample::{Column, Partition, column, partition};

/// What the loss of PPO is made of (Schulman et al. 2017), each term a mean over the rows of a minibatch:
/// `-min(A ratio, A clip(ratio)) + vf_coef (V - return)^2 / 2 - ent_coef entropy`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PpoLoss {
    /// Largest relative change of an action's probability that is rewarded.
    pub clip_coef: f32,
    /// Weight of the entropy.
    pub ent_coef: f32,
    /// Weight of the value loss.
    pub vf_coef: f32,
    /// Whether a value that moved further than `clip_coef` from the rollout's counts as if it had stopped there,
    /// where that makes the loss larger.
    pub clip_vloss: bool,
    /// Whether advantages are normalised in the minibatch: `(A - mean) / (sample deviation + 1e-8)`.
    pub norm_adv: bool,
}

/// Figures of one minibatch, each a mean over its rows.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct PpoFigures {
    /// `-min(A ratio, A clip(ratio))`.
    pub policy_loss: f64,
    /// `(V - return)^2 / 2`, clipped where that was asked for.
    pub value_loss: f64,
    /// `-sum(p ln p)`.
    pub entropy: f64,
    /// `ratio - 1 - ln ratio`, an estimate of the KL divergence from the old policy that is never negative.
    pub approx_kl: f64,
    /// Share of rows whose ratio lies beyond the clip.
    pub clipfrac: f64,
}

impl PpoFigures {
    /// Adds `other` times `weight`.
    pub fn add(&mut self, other: &Self, weight: f64) {
        self.policy_loss += weight * other.policy_loss;
        self.value_loss += weight * other.value_loss;
        self.entropy += weight * other.entropy;
        self.approx_kl += weight * other.approx_kl;
        self.clipfrac += weight * other.clipfrac;
    }

    /// The loss that these figures make.
    pub fn total(&self, loss: &PpoLoss) -> f64 {
        self.policy_loss + f64::from(loss.vf_coef) * self.value_loss - f64::from(loss.ent_coef) * self.entropy
    }
}

/// What the loss has to know about the rows of a block; numbers of rows that are not there are zero.
pub(crate) struct Targets {
    pub(crate) rows: usize,
    pub(crate) actions: [u32; BLOCK_ROWS],
    pub(crate) log_probs: Column,
    pub(crate) advantages: Column,
    pub(crate) returns: Column,
    pub(crate) old_values: Column,
    /// `1 / rows` of the minibatch.
    pub(crate) weight: f32,
}

/// Sums over the rows of one block, one number for each row until [`add_to`](Self::add_to).
struct Terms {
    policy: Column,
    value: Column,
    entropy: Column,
    kl: Column,
    clipped: Column,
}

impl Terms {
    fn add_to(&self, figures: &mut PpoFigures, rows: usize) {
        let sum = |terms: &Column| terms[..rows].iter().map(|&x| f64::from(x)).sum::<f64>();
        figures.policy_loss += sum(&self.policy);
        figures.value_loss += sum(&self.value);
        figures.entropy += sum(&self.entropy);
        figures.approx_kl += sum(&self.kl);
        figures.clipfrac += sum(&self.clipped);
    }
}

/// What the action of each row says: its gradient towards a larger log-probability, and the row's entropy.
struct Choice {
    slope: Column,
    entropy: Column,
}

/// Adds the block's sums to `figures` and writes the gradient of the minibatch's loss with respect to `logits`
/// `[rows, padded actions]` and `values` `[rows, padded 1]` into `d_logits` and `d_values` of the same shapes.
#[inline(always)]
pub(crate) fn loss_block(
    loss: &PpoLoss,
    targets: &Targets,
    (logits, actions): (&[f32], usize),
    values: &[f32],
    d_logits: &mut [f32],
    d_values: &mut [f32],
    figures: &mut PpoFigures,
) {
    let zeros = [0.0; BLOCK_ROWS];
    let mut terms = Terms { policy: zeros, value: zeros, entropy: zeros, kl: zeros, clipped: zeros };
    let softmax = partition(logits, actions);
    let choice = policy_terms(loss, targets, (logits, actions), &softmax, &mut terms);
    write_logit_gradient(loss, targets, (logits, actions), &softmax, &choice, d_logits);
    value_terms(loss, targets, values, d_values, &mut terms);
    terms.add_to(figures, targets.rows);
}

#[inline(always)]
fn policy_terms(
    loss: &PpoLoss,
    targets: &Targets,
    (logits, actions): (&[f32], usize),
    softmax: &Partition,
    terms: &mut Terms,
) -> Choice {
    let (mut log_prob, mut entropy) = ([0.0; BLOCK_ROWS], [0.0; BLOCK_ROWS]);
    for action in 0..actions {
        let logit = column(logits, actions, action);
        for row in 0..BLOCK_ROWS {
            let shifted = logit[row] - softmax.largest[row];
            let this = shifted - softmax.log_sum[row];
            entropy[row] -= exp(shifted) * softmax.inverse_sum[row] * this;
            log_prob[row] = if targets.actions[row] == action as u32 { this } else { log_prob[row] };
        }
    }
    let mut slope = [0.0; BLOCK_ROWS];
    let (least, most) = (1.0 - loss.clip_coef, 1.0 + loss.clip_coef);
    for row in 0..BLOCK_ROWS {
        let log_ratio = log_prob[row] - targets.log_probs[row];
        let ratio = exp(log_ratio);
        let advantage = targets.advantages[row];
        let free = ratio * advantage;
        let clipped = ratio.clamp(least, most) * advantage;
        // A ratio that is not a number has to reach loss and gradient, not to be left out of a minimum.
        let is_held = clipped < free;
        terms.policy[row] = -(if is_held { clipped } else { free });
        slope[row] = if is_held { 0.0 } else { -free * targets.weight };
        terms.kl[row] = (ratio - 1.0) - log_ratio;
        terms.clipped[row] = if (ratio - 1.0).abs() > loss.clip_coef { 1.0 } else { 0.0 };
    }
    terms.entropy = entropy;
    Choice { slope, entropy }
}

/// `dL/d logit = slope (chosen - p) + ent_coef weight p (ln p + entropy)`.
#[inline(always)]
fn write_logit_gradient(
    loss: &PpoLoss,
    targets: &Targets,
    (logits, actions): (&[f32], usize),
    softmax: &Partition,
    choice: &Choice,
    d_logits: &mut [f32],
) {
    let pull = loss.ent_coef * targets.weight;
    for action in 0..actions {
        let logit = column(logits, actions, action);
        let mut gradient = [0.0; BLOCK_ROWS];
        for row in 0..BLOCK_ROWS {
            let shifted = logit[row] - softmax.largest[row];
            let p = exp(shifted) * softmax.inverse_sum[row];
            let is_chosen = if targets.actions[row] == action as u32 { 1.0 } else { 0.0 };
            let spread = p * (shifted - softmax.log_sum[row] + choice.entropy[row]);
            gradient[row] = choice.slope[row] * (is_chosen - p) + pull * spread;
        }
        for (row, &value) in d_logits.chunks_exact_mut(padded(actions)).zip(&gradient[..targets.rows]) {
            row[action] = value;
        }
    }
}

#[inline(always)]
fn value_terms(loss: &PpoLoss, targets: &Targets, values: &[f32], d_values: &mut [f32], terms: &mut Terms) {
    let value = column(values, 1, 0);
    let mut gradient = [0.0; BLOCK_ROWS];
    let weight = loss.vf_coef * targets.weight;
    for row in 0..BLOCK_ROWS {
        let error = value[row] - targets.returns[row];
        let (mut square, mut slope) = (error * error, error);
        if loss.clip_vloss {
            let moved = value[row] - targets.old_values[row];
            let held = moved.clamp(-loss.clip_coef, loss.clip_coef);
            let held_error = targets.old_values[row] + held - targets.returns[row];
            let is_held = held != moved && held_error * held_error > square;
            square = if is_held { held_error * held_error } else { square };
            slope = if is_held { 0.0 } else { slope };
        }
        terms.value[row] = 0.5 * square;
        gradient[row] = weight * slope;
    }
    for (row, &value) in d_values.chunks_exact_mut(padded(1)).zip(&gradient[..targets.rows]) {
        row[0] = value;
    }
}
