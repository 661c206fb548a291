//! Is the best of several candidates better than the benchmark, given that it was picked as the best?

use super::ReturnMatrix;
use crate::bootstrap::{long_run_variance, share_of, sums_of_two_rounds};
use crate::numeric::{all_equal, mean};
use crate::{BlockBootstrap, Error};

/// How many ways there are to centre the resampled means.
const CENTRINGS: usize = 3;

/// P-values of `H0: no candidate beats the benchmark`, in (0, 1].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SuperiorAbility {
    /// Every losing candidate counts as hopeless: too small.
    pub lower: f64,
    /// Candidates that lose clearly do not count: the one to read.
    pub consistent: f64,
    /// Every candidate counts as if it were even with the benchmark (White's reality check, studentised).
    pub upper: f64,
}

/// Hansen's test of superior predictive ability (2005), studentised, of `differences[t, k]`: the return of candidate k
/// minus that of the benchmark on bar t.
///
/// Statistic `max_k max(0, sqrt(n) mean_k / w_k)`, with `w_k^2` the variance of `sqrt(n) mean_k` under the stationary
/// bootstrap in closed form; the resampled means are centred by `max(mean, 0)`, by the mean of those above
/// `-w_k sqrt(2 ln ln n / n)`, and by the mean. A candidate whose difference never varies is left out. Takes time
/// proportional to `n_candidates * (n^2 + resamples * n / mean_block)`.
///
/// Few blocks make the p-values too small: in 1,000 worlds of eight candidates without skill the consistent one fell
/// to 0.05 in 10.6 % at 24 blocks of mean length 5 and in 6.1 % at 80.
///
/// # Errors
/// When `bootstrap` is out of range, or there are fewer than two bars.
pub fn superior_ability(
    differences: &ReturnMatrix<'_>,
    bootstrap: &BlockBootstrap,
) -> Result<SuperiorAbility, Error> {
    let n = bootstrap.check(differences.n_bars())?;
    let columns = (0..differences.n_candidates()).map(|index| differences.column(index).collect());
    let candidates: Vec<Candidate> =
        columns.filter_map(|values: Vec<f64>| Candidate::of(&values, bootstrap.mean_block)).collect();
    let observed = candidates.iter().map(|one| one.mean * n.sqrt() / one.deviation).fold(0.0, f64::max);
    let resampled: Vec<[f64; CENTRINGS]> = (0..bootstrap.resamples)
        .map(|resample| statistics(&candidates, bootstrap, differences.n_bars(), resample))
        .collect();
    let p = |centring: usize| share_of(resampled.len(), |index| resampled[index][centring] >= observed);
    Ok(SuperiorAbility { lower: p(0), consistent: p(1), upper: p(2) })
}

struct Candidate {
    mean: f64,
    /// Deviation of `sqrt(n) * mean`, above 0.
    deviation: f64,
    /// `mean` minus the centre, by centring: lower, consistent, upper.
    offsets: [f64; CENTRINGS],
    /// `[2n + 1]`: sums of the first values of the centred series laid twice end to end.
    sums: Vec<f64>,
}

impl Candidate {
    fn of(values: &[f64], mean_block: f64) -> Option<Self> {
        if all_equal(values) {
            return None;
        }
        let mean = mean(values)?;
        let n = values.len() as f64;
        let centred: Vec<f64> = values.iter().map(|value| value - mean).collect();
        let deviation = long_run_variance(&centred, mean_block).sqrt();
        if !(deviation > 0.0 && deviation.is_finite()) {
            return None;
        }
        // Below three bars ln ln n is no number above 0, and then no candidate is clearly behind.
        let hopeless = -deviation * (2.0 * n.ln().ln().max(0.0) / n).sqrt();
        let consistent = if mean >= hopeless { 0.0 } else { mean };
        let sums = sums_of_two_rounds(centred.into_iter());
        Some(Self { mean, deviation, offsets: [mean.min(0.0), consistent, 0.0], sums })
    }
}

/// The statistic of one resample by centring, at least 0.
fn statistics(
    candidates: &[Candidate],
    bootstrap: &BlockBootstrap,
    n_bars: usize,
    resample: usize,
) -> [f64; CENTRINGS] {
    let mut totals = vec![0.0; candidates.len()];
    bootstrap.visit_blocks(n_bars, resample, |start, length| {
        for (total, candidate) in totals.iter_mut().zip(candidates) {
            *total += candidate.sums[start + length] - candidate.sums[start];
        }
    });
    let n = n_bars as f64;
    let mut largest = [0.0_f64; CENTRINGS];
    for (total, candidate) in totals.iter().zip(candidates) {
        for (largest, offset) in largest.iter_mut().zip(candidate.offsets) {
            *largest = largest.max((total / n + offset) * n.sqrt() / candidate.deviation);
        }
    }
    largest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bootstrap::BlockScheme;
    use crate::random::SplitMix64;

    const SETTINGS: BlockBootstrap =
        BlockBootstrap { scheme: BlockScheme::Stationary, mean_block: 5.0, resamples: 999, seed: 9 };

    fn noise(n_bars: usize, leads: &[f64], seed: u64) -> Vec<f64> {
        let mut random = SplitMix64::stream(seed, 0);
        (0..n_bars * leads.len()).map(|cell| random.above_zero() - 0.5 + leads[cell % leads.len()]).collect()
    }

    fn test_of(values: &[f64], candidates: usize) -> SuperiorAbility {
        superior_ability(&ReturnMatrix::new(values, candidates).unwrap(), &SETTINGS).unwrap()
    }

    #[test]
    fn one_good_candidate_is_found_among_bad_ones() {
        let p = test_of(&noise(400, &[-0.3, 0.1, -0.3], 1), 3);
        assert!(p.consistent < 0.01, "{p:?}");
    }

    #[test]
    fn the_three_p_values_are_ordered() {
        for seed in 0..20 {
            let p = test_of(&noise(200, &[-0.1, 0.02, 0.0, -0.02], seed), 4);
            assert!(p.lower <= p.consistent && p.consistent <= p.upper, "{p:?}");
        }
    }

    #[test]
    fn bad_candidates_beside_a_good_one_weaken_only_the_upper_value() {
        let leads = [0.04, -2.0, -2.0, -2.0, -2.0, -2.0, -2.0, -2.0];
        let alone: Vec<f64> = noise(300, &leads, 3).into_iter().step_by(8).collect();
        let (one, many) = (test_of(&alone, 1), test_of(&noise(300, &leads, 3), 8));
        assert_eq!(one.consistent, many.consistent);
        assert!(many.upper > one.upper);
    }

    #[test]
    fn candidates_that_all_lose_or_do_nothing_beat_nobody() {
        let none = SuperiorAbility { lower: 1.0, consistent: 1.0, upper: 1.0 };
        assert_eq!(test_of(&noise(200, &[-0.3, -0.2], 4), 2), none);
        assert_eq!(test_of(&[0.0; 100], 2), none);
    }

    #[test]
    fn the_best_of_eight_without_skill_passes_no_more_often_than_one() {
        let worlds = 200;
        let passed = (0..worlds)
            .filter(|seed| test_of(&noise(400, &[0.0; 8], 500 + seed), 8).consistent <= 0.05)
            .count() as f64;
        assert!(passed / worlds as f64 <= 0.10, "{}", passed / worlds as f64);
    }
}
