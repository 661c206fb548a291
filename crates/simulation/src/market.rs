//! Markets without a drift: hourly bars, round the clock, annual volatility 60 %.

use std::fmt;
use std::str::FromStr;

use rand_distr::{Distribution, Exp1, StandardNormal};
use serde::Serialize;

use crate::SimulationError;
use crate::random::WorldRng;

/// Bars in a day.
pub const BARS_PER_DAY: usize = 24;
/// Bars in a year.
pub const BARS_PER_YEAR: usize = 365 * BARS_PER_DAY;

const ANNUAL_VOLATILITY: f64 = 0.60;
/// Reaction of the variance to the last return, and what it keeps.
const REACTION: f64 = 0.08;
const PERSISTENCE: f64 = 0.90;
/// Degrees of freedom of the shocks.
const FREEDOM: f64 = 5.0;
/// No bar moves further, as at an exchange with limits; symmetric, so that the mean stays 0.
const LARGEST_MOVE: f64 = 0.19;

/// How the returns of the bars come about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Market {
    /// Independent normal returns.
    Gauss,
    /// GARCH(1, 1) with shocks of Student's t with 5 degrees of freedom: calm and wild weeks, fat tails.
    GarchT,
}

impl Market {
    /// The name in settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gauss => "gauss",
            Self::GarchT => "garch_t",
        }
    }

    /// `bars` returns.
    pub(crate) fn returns(self, bars: usize, rng: &mut WorldRng) -> Vec<f64> {
        let mut bars_of = Bars::of(self);
        (0..bars).map(|_| bars_of.next(rng)).collect()
    }
}

impl fmt::Display for Market {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Market {
    type Err = SimulationError;

    fn from_str(text: &str) -> Result<Self, SimulationError> {
        let found = [Self::Gauss, Self::GarchT].into_iter().find(|market| market.as_str() == text);
        found.ok_or_else(|| SimulationError::Unknown {
            what: "market",
            text: text.to_owned(),
            expected: "garch_t or gauss",
        })
    }
}

/// Deviation of a bar's return.
pub(crate) fn bar_deviation() -> f64 {
    ANNUAL_VOLATILITY / (BARS_PER_YEAR as f64).sqrt()
}

/// A market bar by bar.
pub(crate) struct Bars {
    market: Market,
    variance: f64,
}

impl Bars {
    /// A market before its first bar, at its mean variance.
    pub(crate) fn of(market: Market) -> Self {
        Self { market, variance: bar_deviation().powi(2) }
    }

    /// The return of the next bar.
    pub(crate) fn next(&mut self, rng: &mut WorldRng) -> f64 {
        let normal: f64 = StandardNormal.sample(rng);
        match self.market {
            Market::Gauss => bar_deviation() * normal,
            Market::GarchT => {
                let shock =
                    normal / (chi_square_of_five(rng) / FREEDOM).sqrt() * (1.0 - 2.0 / FREEDOM).sqrt();
                let value = (self.variance.sqrt() * shock).clamp(-LARGEST_MOVE, LARGEST_MOVE);
                let mean = bar_deviation().powi(2) * (1.0 - REACTION - PERSISTENCE);
                self.variance = mean + REACTION * value * value + PERSISTENCE * self.variance;
                value
            }
        }
    }
}

/// A chi-square number with 5 degrees of freedom: two exponentials, which are two degrees each, and a normal.
fn chi_square_of_five(rng: &mut WorldRng) -> f64 {
    let (first, second): (f64, f64) = (Exp1.sample(rng), Exp1.sample(rng));
    let normal: f64 = StandardNormal.sample(rng);
    2.0 * (first + second) + normal * normal
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::world;

    /// Mean, variance over that of the market's name, and kurtosis.
    fn moments(values: &[f64]) -> (f64, f64, f64) {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n;
        let fourth = values.iter().map(|value| (value - mean).powi(4)).sum::<f64>() / n;
        (mean, variance / bar_deviation().powi(2), fourth / variance.powi(2))
    }

    #[test]
    fn both_markets_have_no_drift_and_their_volatility() {
        for (market, kurtosis) in [(Market::Gauss, 2.9..3.1), (Market::GarchT, 6.0..300.0)] {
            let returns = market.returns(400_000, &mut world(5, 0));
            let (mean, variance, found) = moments(&returns);
            assert!(mean.abs() < 4.0 * bar_deviation() / 400_000_f64.sqrt(), "{market} {mean}");
            assert!((0.9..1.1).contains(&variance), "{market} {variance}");
            assert!(kurtosis.contains(&found), "{market} {found}");
            assert!(returns.iter().all(|value| value.abs() <= LARGEST_MOVE));
        }
    }

    #[test]
    fn calm_and_wild_stretches_take_turns_in_one_market_alone() {
        let clustering = |market: Market| {
            let returns = market.returns(200_000, &mut world(6, 0));
            let sizes: Vec<f64> = returns.iter().map(|value| value.abs()).collect();
            let mean = sizes.iter().sum::<f64>() / sizes.len() as f64;
            let products = sizes.windows(2).map(|pair| (pair[0] - mean) * (pair[1] - mean)).sum::<f64>();
            products / sizes.iter().map(|size| (size - mean).powi(2)).sum::<f64>()
        };
        assert!(clustering(Market::Gauss).abs() < 0.02);
        assert!(clustering(Market::GarchT) > 0.08);
    }

    #[test]
    fn chi_square_numbers_have_their_mean_and_variance() {
        let mut rng = world(7, 0);
        let values: Vec<f64> = (0..200_000).map(|_| chi_square_of_five(&mut rng)).collect();
        let mean = values.iter().sum::<f64>() / 200_000.0;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 200_000.0;
        assert!((mean - 5.0).abs() < 0.04 && (variance - 10.0).abs() < 0.3, "{mean} {variance}");
    }

    #[test]
    fn a_market_goes_by_its_name() {
        for market in [Market::Gauss, Market::GarchT] {
            assert_eq!(market.to_string().parse(), Ok(market));
        }
        let error = "sine".parse::<Market>().unwrap_err().to_string();
        assert_eq!(error, "there is no market 'sine': expected garch_t or gauss");
    }
}
