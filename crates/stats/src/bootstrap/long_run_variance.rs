//! Variance of a mean of dependent values.

use crate::numeric::sum;

/// Weights below this change no digit of the sum.
const NEGLIGIBLE: f64 = 1e-18;

/// Variance of `sqrt(n) * mean` under the stationary bootstrap of blocks of mean length `mean_block`, in closed form
/// (Politis and Romano 1994): `R_0 + 2 sum_k ((1 - k/n) q^k + (k/n) q^(n-k)) R_k` with `q = 1 - 1/mean_block` and
/// the autocovariances `R_k` of the centred values. At least 0.
pub(crate) fn long_run_variance(centred: &[f64], mean_block: f64) -> f64 {
    let n = centred.len() as f64;
    let staying = 1.0 - 1.0 / mean_block;
    let term = |lag: usize| {
        let share = lag as f64 / n;
        let weight = (1.0 - share) * staying.powf(lag as f64) + share * staying.powf(n - lag as f64);
        let products = centred[lag..].iter().zip(centred).map(|(late, early)| late * early);
        if weight < NEGLIGIBLE { 0.0 } else { 2.0 * weight * sum(products) }
    };
    let own = sum(centred.iter().map(|value| value * value));
    ((own + sum((1..centred.len()).map(term))) / n).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_one_bar_give_the_variance_of_independent_values() {
        assert_eq!(long_run_variance(&[1.0, -1.0, 1.0, -1.0], 1.0), 1.0);
    }

    #[test]
    fn four_values_by_hand() {
        // q = 1/2, n = 4; the autocovariances (over 4) of lags 0 to 3 are written out.
        let centred = [-1.5, -0.5, 0.5, 1.5];
        let covariance = [1.25, 0.3125, -0.375, -0.5625];
        let weight = [1.0, 0.75 * 0.5 + 0.25 * 0.125, 0.5 * 0.25 + 0.5 * 0.25, 0.25 * 0.125 + 0.75 * 0.5];
        let expected = covariance[0] + 2.0 * (1..4).map(|k| weight[k] * covariance[k]).sum::<f64>();
        assert!((long_run_variance(&centred, 2.0) - expected).abs() < 1e-15);
    }

    #[test]
    fn values_that_follow_each_other_vary_more_in_the_mean() {
        let slow: Vec<f64> = (0..100).map(|i| if (i / 10) % 2 == 0 { 1.0 } else { -1.0 }).collect();
        let fast: Vec<f64> = (0..100).map(|i| if i % 2 == 0 { 1.0 } else { -1.0 }).collect();
        assert!(long_run_variance(&slow, 5.0) > 2.0 && long_run_variance(&fast, 5.0) < 0.5);
    }
}
