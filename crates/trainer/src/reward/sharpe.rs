//! The differential Sharpe ratio.

use serde::{Deserialize, Serialize};

/// Least deviation of returns that is divided by: a hundredth of a per cent per bar.
const LEAST_DEVIATION: f64 = 1e-4;
/// Largest absolute value of the ratio: the first returns of an episode meet moments of next to nothing.
const LARGEST: f64 = 10.0;

/// Exponentially weighted first and second moment of returns.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Moments {
    first: f64,
    second: f64,
}

impl Moments {
    /// `D`, the derivative of the moving Sharpe ratio `S = A / sqrt(B - A^2)` by `eta` at the return `R`, at most 10
    /// in absolute value:
    ///
    /// ```text
    /// D = (B dA - A dB / 2) / (B - A^2)^(3/2),   dA = R - A,   dB = R^2 - B
    /// ```
    ///
    /// Then `A += eta dA`, `B += eta dB`. (Moody, Wu, Liao, Saffell, Journal of Forecasting 17, 1998; Moody & Saffell,
    /// IEEE Transactions on Neural Networks 12, 2001, equation 14.)
    pub(super) fn push(&mut self, net_return: f64, eta: f64) -> f64 {
        let ratio = self.differential(net_return).clamp(-LARGEST, LARGEST);
        self.first += eta * (net_return - self.first);
        self.second += eta * (net_return * net_return - self.second);
        ratio
    }

    fn differential(&self, net_return: f64) -> f64 {
        let (a, b) = (self.first, self.second);
        let (change_a, change_b) = (net_return - a, net_return * net_return - b);
        let deviation = (b - a * a).max(0.0).sqrt().max(LEAST_DEVIATION);
        (b * change_a - 0.5 * a * change_b) / (deviation * deviation * deviation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_formula_gives_the_worked_example() {
        let mut moments = Moments::default();
        assert_eq!(moments.push(0.01, 0.1), 0.0, "no moments, no ratio");
        assert!((moments.first - 0.001).abs() < 1e-15 && (moments.second - 1e-5).abs() < 1e-18);
        // dA = -0.021, dB = 0.00039, B - A^2 = 9e-6: (-2.1e-7 - 1.95e-7) / 2.7e-8.
        assert!((moments.differential(-0.02) + 15.0).abs() < 1e-9, "{}", moments.differential(-0.02));
        assert_eq!(moments.push(-0.02, 0.1), -10.0, "bounded");
        assert!((moments.first + 0.0011).abs() < 1e-15 && (moments.second - 4.9e-5).abs() < 1e-18);
    }

    #[test]
    fn it_is_the_derivative_of_the_moving_sharpe_ratio() {
        let sharpe = |m: &Moments| m.first / (m.second - m.first * m.first).sqrt();
        for net_return in [-0.03, -0.001, 0.0, 0.002, 0.02] {
            let before = Moments { first: 0.001, second: 1e-4 };
            let mut after = before;
            let eta = 1e-6;
            let expected = after.push(net_return, eta);
            let actual = (sharpe(&after) - sharpe(&before)) / eta;
            assert!((actual - expected).abs() < 1e-3, "{net_return}: {actual}, expected {expected}");
        }
    }
}
