//! Falls of the equity from its running peak.

use super::ReturnSeries;
use crate::numeric::finite;

/// Depth and length of the falls of an equity curve that starts at 1, its first peak.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DrawdownStats {
    /// `max(1 - E_t / max_{s<=t} E_s)`, a positive fraction; 0 when the equity never fell, `None` on overflow.
    pub max_drawdown: Option<f64>,
    /// Longest run of consecutive periods with the equity strictly below the running peak; without a meaning on
    /// overflow.
    pub max_drawdown_duration: usize,
}

impl DrawdownStats {
    /// The drawdowns of `series`, taken from the product of `1 + r`.
    pub fn of(series: &ReturnSeries<'_>) -> Self {
        let mut falls = Falls::default();
        series.values().iter().for_each(|value| falls.add(*value));
        falls.stats()
    }
}

/// The equity on its way through the returns.
#[derive(Debug, Clone, Copy)]
pub(super) struct Falls {
    equity: f64,
    peak: f64,
    deepest: f64,
    /// No equity above this share of the peak lies deeper than `deepest`.
    shallow: f64,
    run: usize,
    longest: usize,
    /// Whether the equity was always a number.
    is_finite: bool,
}

impl Default for Falls {
    fn default() -> Self {
        Self { equity: 1.0, peak: 1.0, deepest: 0.0, shallow: 1.0, run: 0, longest: 0, is_finite: true }
    }
}

impl Falls {
    /// More than the rounding of one product and one division.
    const ROUNDING: f64 = 4.0 * f64::EPSILON;

    #[inline]
    pub(super) fn add(&mut self, value: f64) {
        self.equity *= 1.0 + value;
        // Infinity minus infinity would pass unseen.
        self.is_finite &= self.equity.is_finite();
        if self.equity >= self.peak {
            (self.peak, self.run) = (self.equity, 0);
            return;
        }
        if self.equity <= self.peak * self.shallow {
            self.deepest = self.deepest.max(1.0 - self.equity / self.peak);
            self.shallow = (1.0 - self.deepest) + Self::ROUNDING;
        }
        self.run += 1;
        self.longest = self.longest.max(self.run);
    }

    /// `prod(1 + r)`; not finite on overflow.
    pub(super) fn equity(&self) -> f64 {
        self.equity
    }

    pub(super) fn stats(&self) -> DrawdownStats {
        let max_drawdown = if self.is_finite { finite(self.deepest) } else { None };
        DrawdownStats { max_drawdown, max_drawdown_duration: self.longest }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(returns: &[f64], depth: Option<f64>, duration: usize) {
        let stats = DrawdownStats::of(&ReturnSeries::new(returns, 365.0).unwrap());
        let expected = DrawdownStats { max_drawdown: depth, max_drawdown_duration: duration };
        assert_eq!(stats, expected, "{returns:?}");
    }

    #[test]
    fn the_start_is_the_first_peak() {
        check(&[-0.25], Some(0.25), 1);
        check(&[-0.5, 0.5, 1.0], Some(0.5), 2);
    }

    #[test]
    fn an_equity_that_never_falls_has_no_drawdown() {
        check(&[], Some(0.0), 0);
        check(&[0.0, 0.1, 0.0], Some(0.0), 0);
    }

    #[test]
    fn a_total_loss_is_a_drawdown_of_one_for_ever() {
        check(&[0.5, -1.0, 3.0, 3.0], Some(1.0), 3);
    }

    #[test]
    fn an_overflow_is_undefined() {
        check(&[1e300, 1e300, -0.5], None, 0);
    }
}
