//! Falls of the equity from its running peak.

use super::ReturnSeries;
use crate::numeric::finite;

/// Depth and length of the falls of an equity curve that starts at 1, its first peak.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DrawdownStats {
    /// `max(1 - E_t / max_{s<=t} E_s)`, a positive fraction; 0 when the equity never fell, `None` on overflow.
    pub max_drawdown: Option<f64>,
    /// Longest run of consecutive periods with the equity strictly below the running peak.
    pub max_drawdown_duration: usize,
}

impl DrawdownStats {
    /// The drawdowns of `series`, taken from the product of `1 + r`.
    pub fn of(series: &ReturnSeries<'_>) -> Self {
        let (mut equity, mut peak, mut deepest) = (1.0_f64, 1.0_f64, 0.0_f64);
        let (mut run, mut longest) = (0, 0);
        for value in series.values() {
            equity *= 1.0 + value;
            // Infinity minus infinity would pass unseen through `max`.
            if !equity.is_finite() {
                return Self { max_drawdown: None, max_drawdown_duration: longest };
            }
            peak = peak.max(equity);
            deepest = deepest.max(1.0 - equity / peak);
            run = if equity < peak { run + 1 } else { 0 };
            longest = longest.max(run);
        }
        Self { max_drawdown: finite(deepest), max_drawdown_duration: longest }
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
