//! The softmax over a block of rows, and actions drawn from it.

use crate::actor_critic::BLOCK_ROWS;
use crate::gemm::padded;
use crate::isa::multiversion;
use crate::math::{exp, ln};
use crate::simd::Simd;

/// One number for each row of a block.
pub(crate) type Column = [f32; BLOCK_ROWS];

/// Where drawn actions go.
#[derive(Debug)]
pub struct Draw<'a> {
    /// A number in [0, 1) for each row, `[rows]`.
    pub uniforms: &'a [f32],
    /// The actions drawn, `[rows]`.
    pub actions: &'a mut [u32],
    /// Their log-probabilities, `[rows]`.
    pub log_probs: &'a mut [f32],
}

/// The largest logit of each row, and the logarithm and inverse of `sum(exp(logit - largest))`.
pub(crate) struct Partition {
    pub(crate) largest: Column,
    pub(crate) log_sum: Column,
    pub(crate) inverse_sum: Column,
}

/// The logits of `action`, one for each of at most [`BLOCK_ROWS`] rows.
#[inline(always)]
pub(crate) fn column(logits: &[f32], actions: usize, action: usize) -> Column {
    let mut column = [0.0; BLOCK_ROWS];
    for (value, row) in column.iter_mut().zip(logits.chunks_exact(padded(actions))) {
        *value = row[action];
    }
    column
}

/// [`Partition`] of `logits` `[rows, padded actions]`. Numbers of rows that are not there mean nothing.
#[inline(always)]
pub(crate) fn partition(logits: &[f32], actions: usize) -> Partition {
    let mut largest = column(logits, actions, 0);
    for action in 1..actions {
        let logit = column(logits, actions, action);
        for row in 0..BLOCK_ROWS {
            largest[row] = if logit[row] > largest[row] { logit[row] } else { largest[row] };
        }
    }
    let mut sum = [0.0; BLOCK_ROWS];
    for action in 0..actions {
        let logit = column(logits, actions, action);
        for row in 0..BLOCK_ROWS {
            sum[row] += exp(logit[row] - largest[row]);
        }
    }
    let (mut log_sum, mut inverse_sum) = ([0.0; BLOCK_ROWS], [0.0; BLOCK_ROWS]);
    for row in 0..BLOCK_ROWS {
        log_sum[row] = ln(sum[row]);
        inverse_sum[row] = 1.0 / sum[row];
    }
    Partition { largest, log_sum, inverse_sum }
}

multiversion! {
    pub(crate) fn sample_block = sample(logits: &[f32], actions: usize, draw: Draw<'_>);
}

/// For each row the action at which the cumulative probability passes its uniform number.
#[inline(always)]
fn sample<S: Simd>(_simd: S, logits: &[f32], actions: usize, draw: Draw<'_>) {
    let Partition { largest, log_sum, inverse_sum } = partition(logits, actions);
    let mut uniform = [0.0; BLOCK_ROWS];
    uniform[..draw.uniforms.len()].copy_from_slice(draw.uniforms);
    let (mut passed, mut chosen, mut log_prob) = ([0.0; BLOCK_ROWS], [0_u32; BLOCK_ROWS], [0.0; BLOCK_ROWS]);
    for action in 0..actions {
        let logit = column(logits, actions, action);
        for row in 0..BLOCK_ROWS {
            // The last action whose cumulative probability began at or below the number.
            let begins_below = uniform[row] >= passed[row];
            let shifted = logit[row] - largest[row];
            chosen[row] = if begins_below { action as u32 } else { chosen[row] };
            log_prob[row] = if begins_below { shifted - log_sum[row] } else { log_prob[row] };
            passed[row] += exp(shifted) * inverse_sum[row];
        }
    }
    let rows = draw.uniforms.len();
    draw.actions.copy_from_slice(&chosen[..rows]);
    draw.log_probs.copy_from_slice(&log_prob[..rows]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::Checked;

    fn drawn(logits: [f32; 2], uniform: f32) -> (u32, f32) {
        let mut padded = [0.0; 16];
        padded[..2].copy_from_slice(&logits);
        let (mut actions, mut log_probs) = ([9], [0.0]);
        let draw = Draw { uniforms: &[uniform], actions: &mut actions, log_probs: &mut log_probs };
        sample_block(Checked::detect(), &padded, 2, draw);
        (actions[0], log_probs[0])
    }

    #[test]
    fn actions_are_sampled_by_their_softmax() {
        // Probabilities 0.25 and 0.75.
        let logits = [0.0, 3.0_f32.ln()];
        assert_eq!(drawn(logits, 0.0).0, 0);
        assert_eq!(drawn(logits, 0.249).0, 0);
        assert_eq!(drawn(logits, 0.251).0, 1);
        assert_eq!(drawn(logits, 1.0 - f32::EPSILON).0, 1);
        assert!((drawn(logits, 0.9).1 - 0.75_f32.ln()).abs() < 1e-6);
        assert!((drawn(logits, 0.1).1 - 0.25_f32.ln()).abs() < 1e-6);
    }

    #[test]
    fn an_action_without_probability_is_not_drawn() {
        assert_eq!(drawn([0.0, -1e9], 1.0 - f32::EPSILON).0, 0);
        assert_eq!(drawn([-1e9, 0.0], 1e-6).0, 1);
    }
}
