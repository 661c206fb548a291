//! Winning and losing periods.

use super::passes::Passes;
use crate::numeric::finite;

/// Positive returns / non-zero returns; `None` when every return is 0.
pub(super) fn win_rate(passes: &Passes) -> Option<f64> {
    finite(passes.positive as f64 / passes.non_zero as f64)
}

/// Sum of gains / sum of losses; `None` without a loss.
pub(super) fn profit_factor(passes: &Passes) -> Option<f64> {
    finite(passes.gains / passes.losses)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ReturnSeries;

    fn check(returns: &[f64], expected: [Option<f64>; 2]) {
        let passes = Passes::of(&ReturnSeries::new(returns, 365.0).unwrap());
        assert_eq!([win_rate(&passes), profit_factor(&passes)], expected, "{returns:?}");
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
