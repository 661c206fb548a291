//! Winning and losing periods.

use super::ReturnSeries;
use crate::numeric::{finite, sum};

/// Positive returns / non-zero returns; `None` when every return is 0.
pub(super) fn win_rate(series: &ReturnSeries<'_>) -> Option<f64> {
    let count = |keep: fn(&f64) -> bool| series.values().iter().filter(|value| keep(value)).count();
    finite(count(|value| *value > 0.0) as f64 / count(|value| *value != 0.0) as f64)
}

/// Sum of gains / sum of losses; `None` without a loss.
pub(super) fn profit_factor(series: &ReturnSeries<'_>) -> Option<f64> {
    let returns = series.values();
    let gains = sum(returns.iter().map(|value| value.max(0.0)));
    let losses = sum(returns.iter().map(|value| (-value).max(0.0)));
    finite(gains / losses)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(returns: &[f64], expected: [Option<f64>; 2]) {
        let series = ReturnSeries::new(returns, 365.0).unwrap();
        assert_eq!([win_rate(&series), profit_factor(&series)], expected, "{returns:?}");
    }

    #[test]
    fn a_flat_period_neither_wins_nor_loses() {
        check(&[0.5, 0.0, -0.25, 0.0], [Some(0.5), Some(2.0)]);
    }

    #[test]
    fn without_losses_there_is_no_factor_and_without_moves_no_rate() {
        check(&[0.1, 0.2], [Some(1.0), None]);
        check(&[-0.1, -0.2], [Some(0.0), Some(0.0)]);
        check(&[0.0; 5], [None, None]);
        check(&[], [None, None]);
    }
}
