//! Probability of backtest overfitting by combinatorially symmetric cross-validation.

use super::ReturnMatrix;
use crate::Error;
use crate::error::in_range;
use crate::numeric::{finite, mean, quantile, sum};

/// Most blocks: 184,756 splits.
pub const MAX_OVERFITTING_BLOCKS: usize = 20;
/// Of fewer trials the probability says nothing; it is computed all the same.
pub const MIN_OVERFITTING_TRIALS: usize = 10;
/// Series from this length on are cut into 16 blocks, shorter ones into 10.
const LONG_SERIES: usize = 500;

/// How often the trial that was best in sample fell to the worse half out of sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Overfitting {
    /// Share of splits whose logit is at most 0, in `[0, 1]`; about 0.5 of trials without skill.
    pub probability: f64,
    /// Number of splits `C(blocks, blocks / 2)`.
    pub n_splits: usize,
    /// Mean logit of the best trial's relative rank out of sample.
    pub logit_mean: f64,
    /// Median logit.
    pub logit_median: f64,
    /// Smallest logit.
    pub logit_min: f64,
    /// Largest logit.
    pub logit_max: f64,
}

/// Number of blocks for a series of `n_bars`: 16, or 10 when it is shorter than 500.
pub fn default_overfitting_blocks(n_bars: usize) -> usize {
    if n_bars < LONG_SERIES { 10 } else { 16 }
}

/// Probability of backtest overfitting (Bailey, Borwein, Lopez de Prado and Zhu 2017) of per-period returns of trials
/// that were really tried. It judges the procedure that chose among them, not the one that was chosen.
///
/// The bars are cut into `n_blocks` equal runs (the remainder at the end is dropped). For each half of the blocks: the
/// trial with the best Sharpe ratio on it (the first of equals), its rank among all trials on the other half (1 is the
/// worst, equals share their mean rank), `w = rank / (n_trials + 1)` and the logit `ln(w / (1 - w))`.
///
/// A trial without a Sharpe ratio on a half (all returns equal) is behind every trial that has one. `None` when no
/// trial has one on some half.
///
/// # Errors
/// When there are fewer than two trials, `n_blocks` is odd or outside 2 to [`MAX_OVERFITTING_BLOCKS`], or half of the blocks
/// holds fewer than two bars.
pub fn overfitting_probability(
    returns: &ReturnMatrix<'_>,
    n_blocks: usize,
) -> Result<Option<Overfitting>, Error> {
    check(returns, n_blocks)?;
    let trials: Vec<Vec<Block>> = (0..returns.n_candidates()).map(|t| blocks(returns, t, n_blocks)).collect();
    let all = (1_u32 << n_blocks) - 1;
    let halves = (0..=all).filter(|half| half.count_ones() as usize == n_blocks / 2);
    let logits: Option<Vec<f64>> = halves.map(|half| logit(&trials, half, all ^ half)).collect();
    Ok(logits.and_then(summary))
}

fn check(returns: &ReturnMatrix<'_>, n_blocks: usize) -> Result<(), Error> {
    let trials = returns.n_candidates();
    in_range("the number of trials", trials as f64, trials >= 2, "at least 2")?;
    let allowed = (2..=MAX_OVERFITTING_BLOCKS).contains(&n_blocks) && n_blocks.is_multiple_of(2);
    in_range("the number of blocks", n_blocks as f64, allowed, "an even number from 2 to 20")?;
    let bars = returns.n_bars();
    let allowed = bars / n_blocks * (n_blocks / 2) >= 2;
    in_range("the number of bars", bars as f64, allowed, "at least two in half of the blocks")?;
    Ok(())
}

/// What the Sharpe ratio of any set of blocks is put together from. All blocks have the same number of bars.
struct Block {
    bars: f64,
    mean: f64,
    /// Sum of squared distances from the block's own mean.
    scatter: f64,
    smallest: f64,
    largest: f64,
}

fn blocks(returns: &ReturnMatrix<'_>, trial: usize, n_blocks: usize) -> Vec<Block> {
    let column: Vec<f64> = returns.column(trial).collect();
    let bars = column.len() / n_blocks;
    column.chunks_exact(bars).take(n_blocks).map(Block::of).collect()
}

impl Block {
    fn of(values: &[f64]) -> Self {
        let bars = values.len() as f64;
        let mean = sum(values.iter().copied()) / bars;
        Self {
            bars,
            mean,
            scatter: sum(values.iter().map(|value| (value - mean).powi(2))),
            smallest: values.iter().copied().fold(f64::INFINITY, f64::min),
            largest: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        }
    }
}

/// Sharpe ratio per period (`n - 1`) of the blocks whose bits are set in `chosen`; `None` when all returns are equal.
fn sharpe(blocks: &[Block], chosen: u32) -> Option<f64> {
    let taken =
        || blocks.iter().enumerate().filter(|(bit, _)| chosen >> bit & 1 == 1).map(|(_, block)| block);
    let smallest = taken().fold(f64::INFINITY, |least, block| least.min(block.smallest));
    let largest = taken().fold(f64::NEG_INFINITY, |most, block| most.max(block.largest));
    if smallest == largest {
        return None;
    }
    let count = f64::from(chosen.count_ones());
    let mean = taken().map(|block| block.mean).sum::<f64>() / count;
    let scatter = taken().map(|block| block.scatter + block.bars * (block.mean - mean).powi(2)).sum::<f64>();
    let bars = taken().map(|block| block.bars).sum::<f64>();
    finite(mean / (scatter / (bars - 1.0)).sqrt())
}

/// The logit of the trial that is best on the blocks `inside`, by its rank on the blocks `outside`.
fn logit(trials: &[Vec<Block>], inside: u32, outside: u32) -> Option<f64> {
    let inner = trials.iter().map(|trial| sharpe(trial, inside)).enumerate();
    let scored = inner.filter_map(|(index, score)| score.map(|score| (index, score)));
    let (best, _) = scored.reduce(|best, next| if next.1 > best.1 { next } else { best })?;
    let outer: Vec<Option<f64>> = trials.iter().map(|trial| sharpe(trial, outside)).collect();
    // `None` is ordered before every number.
    let behind = outer.iter().filter(|score| **score < outer[best]).count() as f64;
    let equal = outer.iter().filter(|score| **score == outer[best]).count() as f64;
    let rank = behind + (equal + 1.0) / 2.0;
    Some((rank / ((trials.len() + 1) as f64 - rank)).ln())
}

fn summary(mut logits: Vec<f64>) -> Option<Overfitting> {
    logits.sort_by(f64::total_cmp);
    let overfitted = logits.iter().filter(|logit| **logit <= 0.0).count();
    Some(Overfitting {
        probability: overfitted as f64 / logits.len() as f64,
        n_splits: logits.len(),
        logit_mean: mean(&logits)?,
        logit_median: quantile(&logits, 0.5),
        logit_min: *logits.first()?,
        logit_max: *logits.last()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SplitMix64;

    fn noise(n_bars: usize, leads: &[f64], seed: u64) -> Vec<f64> {
        let mut random = SplitMix64::stream(seed, 0);
        (0..n_bars * leads.len()).map(|cell| random.above_zero() - 0.5 + leads[cell % leads.len()]).collect()
    }

    fn of(values: &[f64], trials: usize, n_blocks: usize) -> Option<Overfitting> {
        overfitting_probability(&ReturnMatrix::new(values, trials).unwrap(), n_blocks).unwrap()
    }

    #[test]
    fn a_trial_that_is_truly_better_is_no_overfitting() {
        let mut leads = [0.0; 12];
        leads[3] = 0.5;
        let found = of(&noise(400, &leads, 1), 12, 10).unwrap();
        assert_eq!((found.probability, found.n_splits), (0.0, 252));
        assert!((found.logit_min - 12.0_f64.ln()).abs() < 1e-12);
    }

    #[test]
    fn trials_without_skill_are_even_odds() {
        let worlds = 40;
        let total: f64 =
            (0..worlds).map(|seed| of(&noise(200, &[0.0; 20], seed), 20, 8).unwrap().probability).sum();
        assert!((total / worlds as f64 - 0.5).abs() < 0.1, "{}", total / worlds as f64);
    }

    #[test]
    fn the_best_in_sample_that_is_worst_outside_is_overfitting() {
        // Each trial earns in one block only, so whatever won inside the half loses outside of it.
        let row = |bar: usize| (0..2).map(move |trial| if (bar / 10) == trial { 1.0 } else { -1.0 });
        let wiggle = |bar: usize| if bar.is_multiple_of(2) { 0.1 } else { -0.1 };
        let values: Vec<f64> = (0..20).flat_map(|bar| row(bar).map(move |v| v + wiggle(bar))).collect();
        let found = of(&values, 2, 2).unwrap();
        assert_eq!((found.probability, found.n_splits), (1.0, 2));
        assert!((found.logit_max - (1.0_f64 / 2.0).ln()).abs() < 1e-12);
    }

    #[test]
    fn copies_share_their_rank() {
        let one = noise(100, &[0.0], 5);
        let values: Vec<f64> = one.iter().flat_map(|value| [*value; 4]).collect();
        let found = of(&values, 4, 4).unwrap();
        assert_eq!((found.logit_min, found.logit_max, found.probability), (0.0, 0.0, 1.0));
    }

    #[test]
    fn a_flat_trial_ranks_behind_every_other_and_flat_trials_alone_are_undefined() {
        let values: Vec<f64> = noise(100, &[-0.2], 6).into_iter().flat_map(|value| [0.0, value]).collect();
        let found = of(&values, 2, 4).unwrap();
        assert_eq!(found.probability, 0.0);
        assert_eq!(of(&[0.0; 200], 2, 4), None);
    }

    #[test]
    fn the_remainder_at_the_end_is_dropped() {
        let values = noise(103, &[0.0; 3], 7);
        assert_eq!(of(&values, 3, 10), of(&values[..300], 3, 10));
        assert_eq!((default_overfitting_blocks(499), default_overfitting_blocks(500)), (10, 16));
    }

    #[test]
    fn shapes_that_can_not_be_split_are_refused() {
        let values = noise(40, &[0.0; 2], 8);
        let matrix = |trials| ReturnMatrix::new(&values, trials).unwrap();
        for n_blocks in [0, 3, 22] {
            assert!(overfitting_probability(&matrix(2), n_blocks).is_err());
        }
        assert!(overfitting_probability(&matrix(1), 4).is_err());
        assert!(overfitting_probability(&matrix(20), 8).is_err());
    }
}
