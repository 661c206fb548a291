//! Generalised advantage estimation.

/// A rollout as the estimate sees it, `[num_steps, num_envs]` each, row-major.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trajectories<'a> {
    pub(crate) rewards: &'a [f32],
    /// Value of the observation before each step.
    pub(crate) values: &'a [f32],
    /// Where an episode ended: the value of its last observation when it was truncated, 0 when it was terminated.
    pub(crate) ends: &'a [Option<f32>],
    /// Value of the observation after the last step, `[num_envs]`.
    pub(crate) last_values: &'a [f32],
}

/// Advantages and returns, `[num_steps, num_envs]` each (Schulman et al. 2016, equation 16).
///
/// `delta = r + gamma V(next) - V`, `A = delta + gamma lambda A(next)`, return = `A + V`. At the end of an episode
/// the sum stops; the value after a truncation is still counted, that after a termination is 0.
pub(crate) fn advantages(rollout: Trajectories<'_>, gamma: f64, gae_lambda: f64) -> (Vec<f32>, Vec<f32>) {
    let envs = rollout.last_values.len();
    let mut advantages = vec![0.0; rollout.rewards.len()];
    for env in 0..envs {
        let (mut next_advantage, mut next_value) = (0.0, f64::from(rollout.last_values[env]));
        for at in (env..rollout.rewards.len()).step_by(envs).rev() {
            if let Some(value) = rollout.ends[at] {
                (next_advantage, next_value) = (0.0, f64::from(value));
            }
            let value = f64::from(rollout.values[at]);
            let delta = f64::from(rollout.rewards[at]) + gamma * next_value - value;
            next_advantage = delta + gamma * gae_lambda * next_advantage;
            next_value = value;
            advantages[at] = next_advantage as f32;
        }
    }
    let returns = advantages.iter().zip(rollout.values).map(|(a, v)| a + v).collect();
    (advantages, returns)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(ends: [Option<f32>; 3], expected: [f32; 3]) {
        let rollout = Trajectories {
            rewards: &[1.0, 2.0, 3.0],
            values: &[0.5, 1.0, 1.5],
            ends: &ends,
            last_values: &[2.0],
        };
        let (actual, returns) = advantages(rollout, 0.9, 0.5);
        for (index, (a, e)) in actual.iter().zip(expected).enumerate() {
            assert!((a - e).abs() < 1e-6, "{index}: {a} {e}");
            assert!((returns[index] - (e + rollout.values[index])).abs() < 1e-6);
        }
    }

    #[test]
    fn advantages_follow_the_worked_example() {
        // By hand: delta = [1 + 0.9 - 0.5, 2 + 1.35 - 1, 3 + 1.8 - 1.5] = [1.4, 2.35, 3.3], gamma lambda = 0.45.
        check([None, None, None], [1.4 + 0.45 * 3.835, 2.35 + 0.45 * 3.3, 3.3]);
        // A truncation after step 1 counts the value 4 of its last observation and stops the sum there.
        check([None, Some(4.0), None], [1.4 + 0.45 * 4.6, 2.0 + 3.6 - 1.0, 3.3]);
        // A termination counts nothing.
        check([None, Some(0.0), None], [1.4 + 0.45, 1.0, 3.3]);
    }

    #[test]
    fn environments_do_not_mix() {
        let rollout = Trajectories {
            rewards: &[1.0, 10.0, 2.0, 20.0],
            values: &[0.0; 4],
            ends: &[None; 4],
            last_values: &[0.0, 0.0],
        };
        let (actual, _) = advantages(rollout, 1.0, 1.0);
        assert_eq!(actual, [3.0, 30.0, 2.0, 20.0]);
    }
}
