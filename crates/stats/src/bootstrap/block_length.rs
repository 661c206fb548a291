//! How long the blocks have to be for the series' own dependence.

use crate::numeric::{all_equal, finite, mean, sum};

/// Shortest mean block of a paired test, in bars: what the automatic choice is raised to.
pub const MIN_MEAN_BLOCK: f64 = 6.0;
/// Mean block of hourly bars where the automatic choice is undefined: one day.
pub const DEFAULT_HOURLY_BLOCK: f64 = 24.0;

/// Least number of insignificant autocorrelations in a row that end the dependence.
const MIN_QUIET_LAGS: usize = 5;

/// Block lengths with the least mean squared error of the bootstrap's variance (Politis and White 2004, corrected by
/// Patton, Politis and White 2009), in bars; they may lie below 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BlockLength {
    /// Mean length of geometric blocks.
    pub stationary: f64,
    /// Length of blocks of one size.
    pub circular: f64,
}

impl BlockLength {
    /// The block lengths for `values`, at most `ceil(min(3 sqrt(n), n / 3))`.
    ///
    /// With the autocovariances `R_k`, the flat-top weights `w_k = min(1, 2 (1 - k/M))` and `M` twice the lag after
    /// which `max(5, log10 n)` autocorrelations in a row stay below `2 sqrt(log10(n) / n)`:
    /// `b = (2 G^2 / D)^(1/3) n^(1/3)`, `G = 2 sum w_k k R_k`, `D = 2 (R_0 + 2 sum w_k R_k)^2` for the stationary and
    /// two thirds of that for the circular bootstrap.
    ///
    /// `None` of fewer than 11 values, when all are equal and when one is no number.
    pub fn of(values: &[f64]) -> Option<Self> {
        let n = values.len();
        let quiet_lags = MIN_QUIET_LAGS.max((n as f64).log10() as usize);
        let max_lag = (n as f64).sqrt().ceil() as usize + quiet_lags;
        if n <= max_lag + 1 || all_equal(values) {
            return None;
        }
        let mean = mean(values)?;
        let centred: Vec<f64> = values.iter().map(|value| value - mean).collect();
        let window = match last_dependent_lag(&centred, quiet_lags, max_lag) {
            Some(lag) => (2 * lag.max(1)).min(max_lag),
            None => max_lag,
        };
        let (slope, variance) = flat_top_sums(&centred, window);
        let longest = (3.0 * (n as f64).sqrt()).min(n as f64 / 3.0).ceil();
        let length = |factor: f64| {
            let spread = factor * variance * variance;
            let length = (2.0 * slope * slope / spread).cbrt() * (n as f64).cbrt();
            if length.is_nan() { None } else { finite(length.min(longest)) }
        };
        Some(Self { stationary: length(2.0)?, circular: length(4.0 / 3.0)? })
    }

    /// The mean block of a paired test: the stationary length, at least [`MIN_MEAN_BLOCK`].
    pub fn for_paired_test(&self) -> f64 {
        self.stationary.max(MIN_MEAN_BLOCK)
    }
}

/// The lag after which `quiet_lags` autocorrelations in a row are insignificant.
fn last_dependent_lag(centred: &[f64], quiet_lags: usize, max_lag: usize) -> Option<usize> {
    let n = centred.len();
    let significant = 2.0 * ((n as f64).log10() / n as f64).sqrt();
    let is_quiet: Vec<bool> = (0..=max_lag).map(|lag| correlation(centred, lag) < significant).collect();
    (quiet_lags..=max_lag)
        .find(|lag| is_quiet[lag - quiet_lags..*lag].iter().all(|quiet| *quiet))
        .map(|lag| lag - quiet_lags)
}

/// Absolute autocorrelation at `lag`, each side with its own variance (one value shorter than the covariance, as in
/// the authors' code); NaN of a side without variance, which is never quiet.
fn correlation(centred: &[f64], lag: usize) -> f64 {
    let n = centred.len();
    let late = sum(centred[lag + 1..].iter().map(|value| value * value));
    let early = sum(centred[..n - lag - 1].iter().map(|value| value * value));
    products(centred, lag).abs() / (late * early).sqrt()
}

/// `2 sum w_k k R_k` and `R_0 + 2 sum w_k R_k` over the lags up to `window`.
fn flat_top_sums(centred: &[f64], window: usize) -> (f64, f64) {
    let covariance = |lag: usize| products(centred, lag) / centred.len() as f64;
    let (mut slope, mut variance) = (0.0, covariance(0));
    for lag in 1..=window {
        let weight = (2.0 * (1.0 - lag as f64 / window as f64)).min(1.0);
        let term = 2.0 * weight * covariance(lag);
        slope += term * lag as f64;
        variance += term;
    }
    (slope, variance)
}

fn products(centred: &[f64], lag: usize) -> f64 {
    sum(centred[lag..].iter().zip(centred).map(|(late, early)| late * early))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SplitMix64;

    /// `x_t = phi x_{t-1} + u_t` with uniform shocks.
    fn autoregression(n: usize, phi: f64) -> Vec<f64> {
        let mut random = SplitMix64::stream(11, 0);
        let mut last = 0.0;
        let mut next = || {
            last = phi * last + random.above_zero() - 0.5;
            last
        };
        (0..n).map(|_| next()).collect()
    }

    #[test]
    fn more_dependence_asks_for_longer_blocks() {
        let length = |phi| BlockLength::of(&autoregression(2_000, phi)).unwrap().stationary;
        let (independent, moderate, strong) = (length(0.0), length(0.5), length(0.9));
        assert!(independent < moderate && moderate < strong, "{independent} {moderate} {strong}");
        assert!(independent < 5.0);
    }

    #[test]
    fn a_block_is_never_longer_than_a_third_of_the_series() {
        let walk = autoregression(60, 1.0);
        assert!(BlockLength::of(&walk).unwrap().circular <= 20.0);
    }

    #[test]
    fn a_paired_test_has_a_floor() {
        let short = BlockLength { stationary: 0.4, circular: 0.5 };
        assert_eq!(short.for_paired_test(), MIN_MEAN_BLOCK);
        assert_eq!(BlockLength { stationary: 40.0, ..short }.for_paired_test(), 40.0);
    }

    #[test]
    fn a_series_that_says_nothing_has_no_block_length() {
        assert_eq!(BlockLength::of(&[]), None);
        assert_eq!(BlockLength::of(&autoregression(10, 0.0)), None);
        assert!(BlockLength::of(&autoregression(11, 0.0)).is_some());
        assert_eq!(BlockLength::of(&[0.25; 500]), None);
        assert_eq!(BlockLength::of(&[f64::NAN; 500]), None);
    }
}
