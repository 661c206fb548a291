//! What all statistics of a series need, each thing computed once.

use super::drawdown::Falls;
use super::{DrawdownStats, ReturnSeries};
use crate::numeric::{CompensatedSums, all_equal, finite};

/// Sums and moments of a series. A year of minutes has half a million returns: each statistic on its own would read
/// them several times.
#[derive(Debug, Clone, Copy)]
pub(super) struct Passes {
    /// Number of returns.
    pub(super) n: usize,
    /// Periods in a year.
    pub(super) periods_per_year: f64,
    /// Whether no return differs from the first.
    pub(super) all_equal: bool,
    /// `prod(1 + r)`; not finite on overflow.
    pub(super) last_equity: f64,
    /// Falls of the equity.
    pub(super) drawdown: DrawdownStats,
    /// Mean; `None` of no returns.
    pub(super) mean: Option<f64>,
    /// Population moments `mean((r - mean)^k)` for k of 2, 3 and 4; `None` of no returns and on overflow.
    pub(super) moments: [Option<f64>; 3],
    /// Sum of `max(r, 0)`.
    pub(super) gains: f64,
    /// Sum of `max(-r, 0)`.
    pub(super) losses: f64,
    /// Sum of `min(r, 0)^2`.
    pub(super) downside_squares: f64,
    /// Returns above 0.
    pub(super) positive: usize,
    /// Returns other than 0.
    pub(super) non_zero: usize,
}

impl Passes {
    /// Reads `series` a few times.
    pub(super) fn of(series: &ReturnSeries<'_>) -> Self {
        let (returns, n) = (series.values(), series.values().len());
        let mut falls = Falls::default();
        returns.iter().for_each(|value| falls.add(*value));
        let count = |keep: fn(f64) -> bool| returns.iter().filter(|value| keep(**value)).count();
        let [sum, gains, losses, downside_squares] = sums(returns);
        let mean = finite(sum / n as f64);
        Self {
            n,
            periods_per_year: series.periods_per_year(),
            all_equal: all_equal(returns),
            last_equity: falls.equity(),
            drawdown: falls.stats(),
            mean,
            moments: mean.map_or([None; 3], |mean| central_moments(returns, mean)),
            gains,
            losses,
            downside_squares,
            positive: count(|value| value > 0.0),
            non_zero: count(|value| value != 0.0),
        }
    }

    /// Standard deviation with `n - 1`; exactly 0 when all returns are equal; `None` of fewer than two.
    pub(super) fn sample_deviation(&self) -> Option<f64> {
        if self.n < 2 {
            return None;
        }
        if self.all_equal {
            return Some(0.0);
        }
        let n = self.n as f64;
        finite((self.moments[0]? * n / (n - 1.0)).sqrt())
    }

    /// `sqrt(mean(min(r, 0)^2))`, the mean over all returns, per period; `None` of no returns.
    pub(super) fn downside(&self) -> Option<f64> {
        finite((self.downside_squares / self.n as f64).sqrt())
    }
}

/// Sums of the returns, of the gains, of the losses and of the squared losses.
fn sums(returns: &[f64]) -> [f64; 4] {
    let mut sums = CompensatedSums::<4>::default();
    for &value in returns {
        let loss = (-value).max(0.0);
        sums.add_each([value, value.max(0.0), loss, loss * loss]);
    }
    sums.values()
}

fn central_moments(returns: &[f64], mean: f64) -> [Option<f64>; 3] {
    let mut sums = CompensatedSums::<3>::default();
    for value in returns {
        let deviation = value - mean;
        sums.add_each([deviation.powi(2), deviation.powi(3), deviation.powi(4)]);
    }
    sums.values().map(|sum| finite(sum / returns.len() as f64))
}
