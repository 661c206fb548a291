//! Generalised advantage estimation.

/// What one environment did in a rollout, `[num_steps]` each.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trajectory<'a> {
    pub(crate) rewards: &'a [f32],
    /// Value of the observation before each step.
    pub(crate) values: &'a [f32],
    /// Where an episode ended: the value of its last observation when it was truncated, 0 when it was terminated.
    pub(crate) ends: &'a [Option<f32>],
    /// Value of the observation after the last step.
    pub(crate) last_value: f32,
}

/// Writes advantages and returns, `[num_steps]` each (Schulman et al. 2016, equation 16).
///
/// `delta = r + gamma V(next) - V`, `A = delta + gamma lambda A(next)`, return = `A + V`. At the end of an episode
/// the sum stops; the value after a truncation is still counted, that after a termination is 0.
pub(crate) fn estimate(
    trajectory: Trajectory<'_>,
    gamma: f64,
    gae_lambda: f64,
    advantages: &mut [f32],
    returns: &mut [f32],
) {
    let Trajectory { rewards, values, ends, last_value } = trajectory;
    let (mut next_advantage, mut next_value) = (0.0, f64::from(last_value));
    let steps = rewards.iter().zip(values).zip(ends);
    let outputs = advantages.iter_mut().zip(returns);
    for (((&reward, &value), &end), (advantage, target)) in steps.zip(outputs).rev() {
        if let Some(value) = end {
            (next_advantage, next_value) = (0.0, f64::from(value));
        }
        let delta = f64::from(reward) + gamma * next_value - f64::from(value);
        next_advantage = delta + gamma * gae_lambda * next_advantage;
        next_value = f64::from(value);
        *advantage = next_advantage as f32;
        *target = *advantage + value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(ends: [Option<f32>; 3], expected: [f32; 3]) {
        let values = [0.5, 1.0, 1.5];
        let trajectory =
            Trajectory { rewards: &[1.0, 2.0, 3.0], values: &values, ends: &ends, last_value: 2.0 };
        let (mut advantages, mut returns) = ([0.0; 3], [0.0; 3]);
        estimate(trajectory, 0.9, 0.5, &mut advantages, &mut returns);
        for (index, expected) in expected.into_iter().enumerate() {
            assert!((advantages[index] - expected).abs() < 1e-6, "{advantages:?}");
            assert_eq!(returns[index], advantages[index] + values[index]);
        }
    }

    // By hand: delta_2 = 3 + 0.9*2 - 1.5 = 3.3; delta_1 = 2 + 0.9*1.5 - 1 = 2.35; delta_0 = 1 + 0.9*1 - 0.5 = 1.4.
    #[test]
    fn advantages_sum_discounted_errors() {
        let a1 = 2.35 + 0.45 * 3.3;
        check([None; 3], [1.4 + 0.45 * a1, a1, 3.3]);
    }

    #[test]
    fn a_termination_counts_nothing_after_it() {
        check([None, Some(0.0), None], [1.4 + 0.45 * 1.0, 1.0, 3.3]);
    }

    #[test]
    fn a_truncation_counts_the_value_after_it() {
        let a1 = 2.0 + 0.9 * 4.0 - 1.0;
        check([None, Some(4.0), None], [1.4 + 0.45 * a1, a1, 3.3]);
    }
}
