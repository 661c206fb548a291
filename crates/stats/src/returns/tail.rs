//! The worst and best returns.

use super::ReturnSeries;
use crate::numeric::{finite, mean, quantile_ranks};

/// Share of returns in each tail.
const TAIL: f64 = 0.05;
/// `1 / TAIL`, so that counts are exact.
const TAIL_DIVISOR: usize = 20;

/// Tails of the distribution of returns, per period. All `None` of no returns.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct TailStats {
    /// Minus the 5 % quantile (linear interpolation, type 7); positive is a loss.
    pub var_95: Option<f64>,
    /// Minus the mean of the `floor(0.05 (n - 1)) + 1` smallest returns; positive is a loss.
    pub cvar_95: Option<f64>,
    /// `|q_0.95| / |q_0.05|`; `None` when the 5 % quantile is 0.
    pub tail_ratio: Option<f64>,
}

impl TailStats {
    /// The tails of `series`.
    pub fn of(series: &ReturnSeries<'_>) -> Self {
        let (returns, n) = (series.values(), series.values().len());
        if n == 0 {
            return Self::default();
        }
        let worst = (n - 1) / TAIL_DIVISOR + 1;
        let (below, above, share) = quantile_ranks(n, TAIL);
        let mut losses = lowest(returns, worst.max(above + 1), |value| value);
        let low = between(&mut losses, [below, above], share);
        let (below, above, share) = quantile_ranks(n, 1.0 - TAIL);
        // The gains with the other sign, counted from the largest.
        let mut gains = lowest(returns, n - below, |value| -value);
        let high = -between(&mut gains, [n - 1 - below, n - 1 - above], share);
        losses.select_nth_unstable_by(worst - 1, f64::total_cmp);
        losses[..worst].sort_unstable_by(f64::total_cmp);
        Self {
            var_95: finite(0.0 - low),
            cvar_95: mean(&losses[..worst]).map(|mean| 0.0 - mean),
            tail_ratio: finite(high.abs() / low.abs()),
        }
    }
}

/// The value `share` of the way from the first of two ranks of `values` to the second.
fn between(values: &mut [f64], ranks: [usize; 2], share: f64) -> f64 {
    let [from, to] = ranks.map(|rank| *values.select_nth_unstable_by(rank, f64::total_cmp).1);
    from + (to - from) * share
}

/// Values that a bound is estimated from.
const SAMPLE: usize = 1_024;
/// Ranks of the sample that the bound lies above the wanted share: four standard deviations of a share of 5 %.
const SAMPLE_MARGIN: usize = 28;
/// Values that are looked at together.
const BLOCK: usize = 256;

/// Values of `returns` among which the `count` smallest of `sign(value)` are, in no order: of a long series only those
/// below a bound.
fn lowest(returns: &[f64], count: usize, sign: impl Fn(f64) -> f64) -> Vec<f64> {
    let n = returns.len();
    let mut sample: Vec<f64> = returns.iter().step_by(n.div_ceil(SAMPLE)).map(|value| sign(*value)).collect();
    sample.sort_unstable_by(f64::total_cmp);
    let bound = sample.get(sample.len() * count / n + SAMPLE_MARGIN).copied().unwrap_or(f64::INFINITY);
    let mut kept = Vec::with_capacity(count + n / TAIL_DIVISOR);
    for block in returns.chunks(BLOCK) {
        let (mut below, mut found) = ([0.0; BLOCK], 0);
        for value in block {
            below[found] = sign(*value);
            found += usize::from(below[found] <= bound);
        }
        kept.extend_from_slice(&below[..found]);
    }
    if kept.len() < count {
        kept = returns.iter().map(|value| sign(*value)).collect();
    }
    kept
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tails(returns: &[f64]) -> TailStats {
        TailStats::of(&ReturnSeries::new(returns, 365.0).unwrap())
    }

    #[test]
    fn twenty_one_returns_have_their_second_smallest_as_quantile() {
        let returns: Vec<f64> = (0..21).rev().map(|rank| f64::from(rank) - 1.0).collect();
        let stats = tails(&returns);
        assert_eq!(stats.var_95, Some(0.0));
        assert_eq!(stats.cvar_95, Some(0.5));
        assert_eq!(stats.tail_ratio, None);
    }

    proptest! {
        #[test]
        fn what_is_kept_begins_with_the_smallest(
            values in prop::collection::vec(-1.0..1.0_f64, 1..3_000),
            ties in 1..4_i32,
            share in 0.0..=1.0_f64,
        ) {
            let values: Vec<f64> = values.iter().map(|value| (value * 10_f64.powi(ties)).round()).collect();
            let count = (values.len() as f64 * share) as usize;
            let mut sorted = values.clone();
            sorted.sort_by(f64::total_cmp);
            let mut kept = lowest(&values, count, |value| value);
            kept.sort_by(f64::total_cmp);
            prop_assert_eq!(&kept[..count], &sorted[..count]);
        }
    }

    #[test]
    fn one_return_is_its_own_tail() {
        let expected = TailStats { var_95: Some(-0.01), cvar_95: Some(-0.01), tail_ratio: Some(1.0) };
        assert_eq!(tails(&[0.01]), expected);
        assert_eq!(tails(&[]), TailStats::default());
    }
}
