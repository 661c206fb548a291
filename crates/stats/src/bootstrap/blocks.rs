//! Which blocks of the series a resample is made of.

use crate::Error;
use crate::error::in_range;
use crate::random::SplitMix64;

/// Fewer resamples can't show a small probability.
pub const MIN_RESAMPLES: usize = 999;
/// More resamples change no decision and take seconds.
pub const MAX_RESAMPLES: usize = 1_000_000;
/// Longest series, in bars: 19 years of minutes.
const MAX_BARS: usize = 10_000_000;

/// How long the blocks are. Both wrap around the end of the series, so that every bar is as likely as another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockScheme {
    /// Geometric lengths (Politis and Romano 1994).
    Stationary,
    /// One length (Politis and Romano 1992).
    Circular,
}

/// A block bootstrap: what is drawn depends on this value and the length of the series alone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BlockBootstrap {
    /// How long the blocks are.
    pub scheme: BlockScheme,
    /// Mean length of a block in bars, from 1 to the length of the series; rounded for [`BlockScheme::Circular`].
    pub mean_block: f64,
    /// Number of resamples, [`MIN_RESAMPLES`] to [`MAX_RESAMPLES`].
    pub resamples: usize,
    /// Source of the draws.
    pub seed: u64,
}

impl BlockBootstrap {
    /// The number of bars as `f64`, after a check that this bootstrap can resample so many.
    pub(crate) fn check(&self, n_bars: usize) -> Result<f64, Error> {
        if !(2..=MAX_BARS).contains(&n_bars) {
            let expected = format!("2 to {MAX_BARS}");
            return Err(Error::Length { name: "the series to resample", found: n_bars, expected });
        }
        let allowed = (MIN_RESAMPLES..=MAX_RESAMPLES).contains(&self.resamples);
        in_range("the number of resamples", self.resamples as f64, allowed, "999 to 1000000")?;
        let allowed = self.mean_block >= 1.0 && self.mean_block <= n_bars as f64;
        in_range("the mean block", self.mean_block, allowed, "1 to the number of bars")?;
        Ok(n_bars as f64)
    }

    /// Calls `visit(start, length)` for each block of a resample of `n_bars`: the bars `start..start + length` of the
    /// series laid twice end to end. The lengths add up to `n_bars`; the last block is cut.
    pub(crate) fn visit_blocks(&self, n_bars: usize, resample: usize, mut visit: impl FnMut(usize, usize)) {
        let mut random = SplitMix64::stream(self.seed, resample as u64);
        let fixed = self.mean_block.round() as usize;
        let log_of_staying = (-1.0 / self.mean_block).ln_1p();
        let mut left = n_bars;
        while left > 0 {
            let length = match self.scheme {
                BlockScheme::Circular => fixed,
                // Beyond 2^64 the cast saturates.
                BlockScheme::Stationary => {
                    ((random.above_zero().ln() / log_of_staying) as usize).saturating_add(1)
                }
            };
            let length = length.min(left);
            visit(random.below(n_bars), length);
            left -= length;
        }
    }
}

/// `[2n + 1]`: sums of the first values of the series laid twice end to end. The sum of a block is the difference of
/// two of them.
pub(crate) fn sums_of_two_rounds(values: impl Iterator<Item = f64> + Clone) -> Vec<f64> {
    let running = values.clone().chain(values).scan(0.0, |total, value| {
        *total += value;
        Some(*total)
    });
    std::iter::once(0.0).chain(running).collect()
}

/// The p-value `(1 + #{resamples that reach the observed statistic}) / (resamples + 1)`.
pub(crate) fn share_of(resamples: usize, reaches: impl Fn(usize) -> bool) -> f64 {
    let count = (0..resamples).filter(|index| reaches(*index)).count();
    (1 + count) as f64 / (resamples + 1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bootstrap(scheme: BlockScheme, mean_block: f64) -> BlockBootstrap {
        BlockBootstrap { scheme, mean_block, resamples: 999, seed: 3 }
    }

    fn blocks(bootstrap: &BlockBootstrap, n_bars: usize, resample: usize) -> Vec<(usize, usize)> {
        let mut found = Vec::new();
        bootstrap.visit_blocks(n_bars, resample, |start, length| found.push((start, length)));
        found
    }

    #[test]
    fn a_resample_is_as_long_as_the_series() {
        for scheme in [BlockScheme::Stationary, BlockScheme::Circular] {
            for mean_block in [1.0, 6.0, 100.0] {
                let drawn = blocks(&bootstrap(scheme, mean_block), 100, 5);
                assert_eq!(drawn.iter().map(|(_, length)| length).sum::<usize>(), 100);
                assert!(drawn.iter().all(|(start, length)| *start < 100 && *length > 0));
            }
        }
    }

    #[test]
    fn geometric_blocks_have_their_mean_and_circular_ones_their_length() {
        let drawn = blocks(&bootstrap(BlockScheme::Stationary, 24.0), 1_000_000, 0);
        let mean = 1_000_000.0 / drawn.len() as f64;
        assert!((mean - 24.0).abs() < 0.5, "{mean}");
        let single = drawn.iter().filter(|(_, length)| *length == 1).count() as f64 / drawn.len() as f64;
        assert!((single - 1.0 / 24.0).abs() < 0.004, "{single}");
        let drawn = blocks(&bootstrap(BlockScheme::Circular, 23.6), 100, 0);
        assert_eq!(drawn.iter().map(|(_, length)| *length).collect::<Vec<_>>(), [24, 24, 24, 24, 4]);
    }

    #[test]
    fn blocks_of_one_bar_are_independent_draws() {
        let drawn = blocks(&bootstrap(BlockScheme::Stationary, 1.0), 500, 0);
        assert_eq!(drawn.len(), 500);
    }

    #[test]
    fn every_bar_is_drawn_as_often_as_another() {
        let mut counts = vec![0_u32; 50];
        for resample in 0..4_000 {
            bootstrap(BlockScheme::Stationary, 8.0).visit_blocks(50, resample, |start, length| {
                (start..start + length).for_each(|bar| counts[bar % 50] += 1);
            });
        }
        assert!(counts.iter().all(|count| (3_600..4_400).contains(count)), "{counts:?}");
    }

    #[test]
    fn a_resample_is_a_function_of_its_seed_and_number() {
        let one = bootstrap(BlockScheme::Stationary, 10.0);
        assert_eq!(blocks(&one, 100, 7), blocks(&one, 100, 7));
        assert_ne!(blocks(&one, 100, 7), blocks(&one, 100, 8));
        assert_ne!(blocks(&one, 100, 7), blocks(&BlockBootstrap { seed: 4, ..one }, 100, 7));
    }

    #[test]
    fn settings_out_of_range_are_refused_by_name() {
        let good = bootstrap(BlockScheme::Stationary, 10.0);
        assert_eq!(good.check(100), Ok(100.0));
        for mean_block in [0.5, 101.0, f64::NAN, f64::INFINITY] {
            let error = BlockBootstrap { mean_block, ..good }.check(100).unwrap_err().to_string();
            assert!(error.starts_with("the mean block is"), "{error}");
        }
        assert!(BlockBootstrap { resamples: 998, ..good }.check(100).is_err());
        assert!(good.check(1).is_err());
    }
}
