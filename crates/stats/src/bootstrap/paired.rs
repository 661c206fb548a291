//! Is the challenger better than the champion on the same bars?

use super::blocks::{BlockBootstrap, share_of, sums_of_two_rounds};
use crate::Error;
use crate::error::{all_usable, in_range};
use crate::numeric::{all_equal, finite, quantile, sum};

/// Each side of the confidence interval leaves out this much.
const INTERVAL_TAIL: f64 = 0.025;

/// A paired test of `H0: the mean difference is at most 0`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairedTest {
    /// Number of bars.
    pub n: usize,
    /// Mean of challenger minus champion, per bar.
    pub mean_difference: f64,
    /// Standard deviation of the resampled means. It is too small when the series holds few blocks.
    pub standard_error: f64,
    /// `(1 + #{mean* - mean >= mean}) / (resamples + 1)`, in (0, 1]; 1 when both decided alike on every bar. It says
    /// nothing below `1 / (resamples + 1)`.
    pub p_value: f64,
    /// The same with each resample divided by its own standard error (bootstrap-t): the one to read at a small level.
    /// `None` when the difference never varies.
    pub p_value_studentised: Option<f64>,
    /// Lower end of the basic 95 % confidence interval of the mean difference, per bar.
    pub lower_95: f64,
    /// Upper end.
    pub upper_95: f64,
}

/// Block bootstrap of the differences `challenger - champion` of net returns per bar, `[n]` each.
///
/// A resample takes the same bars of both, in blocks, so what moved both at once cancels. The standard error of a
/// resample is that of its block sums (Goetze and Kuensch 1996), the one of the series the deviation of all resampled
/// means. Takes time proportional to `resamples * n / mean_block`.
///
/// # Errors
/// When the series differ in length or hold fewer than two bars, a difference is NaN, infinite or beyond 1e100,
/// or `bootstrap` is out of range.
pub fn paired_bootstrap(
    challenger: &[f64],
    champion: &[f64],
    bootstrap: &BlockBootstrap,
) -> Result<PairedTest, Error> {
    if challenger.len() != champion.len() {
        let expected = format!("as many as the challenger's, {}", challenger.len());
        return Err(Error::Length { name: "the champion's returns", found: champion.len(), expected });
    }
    let differences: Vec<f64> = challenger.iter().zip(champion).map(|(new, old)| new - old).collect();
    let mean = checked_mean(&differences, bootstrap)?;
    let resampled = Resampled::of(&differences, mean, bootstrap);
    Ok(resampled.test(&differences, mean))
}

/// Whether the [`PairedTest::p_value`] of these differences is at most `level`: the same answer as that of
/// [`paired_bootstrap`], from as few resamples as decide it. A clear answer takes a hundredth of the time.
///
/// # Errors
/// As for [`paired_bootstrap`], and when `level` is no number.
pub fn paired_p_value_is_at_most(
    differences: &[f64],
    level: f64,
    bootstrap: &BlockBootstrap,
) -> Result<bool, Error> {
    in_range("the level", level, level.is_finite(), "a number")?;
    let mean = checked_mean(differences, bootstrap)?;
    let (n, resamples) = (differences.len(), bootstrap.resamples);
    let sums = sums_of_two_rounds(differences.iter().map(|difference| difference - mean));
    let allows = |reaching: usize| (1 + reaching) as f64 / (resamples + 1) as f64 <= level;
    let mut reaching = 0;
    for resample in 0..resamples {
        if !allows(reaching) || allows(reaching + resamples - resample) {
            break;
        }
        let mut total = 0.0;
        bootstrap.visit_blocks(n, resample, |start, length| total += sums[start + length] - sums[start]);
        reaching += usize::from(total / n as f64 >= mean);
    }
    Ok(allows(reaching))
}

/// The mean of `differences`, after a check that they can be resampled.
fn checked_mean(differences: &[f64], bootstrap: &BlockBootstrap) -> Result<f64, Error> {
    all_usable("difference", differences)?;
    let n = bootstrap.check(differences.len())?;
    Ok(sum(differences.iter().copied()) / n)
}

/// What the resamples gave, one value each.
struct Resampled {
    /// `mean* - mean`.
    deviations: Vec<f64>,
    /// Standard error of `mean*` from its own blocks; 0 of a single block.
    errors: Vec<f64>,
}

impl Resampled {
    fn of(differences: &[f64], mean: f64, bootstrap: &BlockBootstrap) -> Self {
        let n = differences.len();
        let sums = sums_of_two_rounds(differences.iter().map(|difference| difference - mean));
        let mut blocks: Vec<(f64, f64)> = Vec::with_capacity(n);
        let mut resample = |index| {
            blocks.clear();
            bootstrap.visit_blocks(n, index, |start, length| {
                blocks.push((sums[start + length] - sums[start], length as f64));
            });
            let deviation = blocks.iter().map(|(sum, _)| sum).sum::<f64>() / n as f64;
            let squares = blocks.iter().map(|(sum, length)| (sum - length * deviation).powi(2)).sum::<f64>();
            // The error of one block against itself would be rounding.
            (deviation, if blocks.len() < 2 { 0.0 } else { squares.sqrt() / n as f64 })
        };
        let (deviations, errors) = (0..bootstrap.resamples).map(&mut resample).unzip();
        Self { deviations, errors }
    }

    fn test(mut self, differences: &[f64], mean: f64) -> PairedTest {
        let standard_error = self.standard_error();
        let p_value = share_of(self.deviations.len(), |index| self.deviations[index] >= mean);
        let p_value_studentised = self.studentised(differences, mean, standard_error);
        self.deviations.sort_by(f64::total_cmp);
        PairedTest {
            n: differences.len(),
            mean_difference: mean,
            standard_error,
            p_value,
            p_value_studentised,
            lower_95: mean - quantile(&self.deviations, 1.0 - INTERVAL_TAIL),
            upper_95: mean - quantile(&self.deviations, INTERVAL_TAIL),
        }
    }

    fn standard_error(&self) -> f64 {
        let squares = sum(self.deviations.iter().map(|deviation| deviation * deviation));
        (squares / self.deviations.len() as f64).sqrt()
    }

    fn studentised(&self, differences: &[f64], mean: f64, standard_error: f64) -> Option<f64> {
        if all_equal(differences) {
            return None;
        }
        let observed = finite(mean / standard_error)?;
        // A resample of one block has no error of its own: it counts against the challenger.
        let reaches = |index: usize| {
            finite(self.deviations[index] / self.errors[index]).is_none_or(|statistic| statistic >= observed)
        };
        Some(share_of(self.deviations.len(), reaches))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bootstrap::{BlockScheme, long_run_variance};
    use crate::random::SplitMix64;

    fn settings(scheme: BlockScheme, mean_block: f64) -> BlockBootstrap {
        BlockBootstrap { scheme, mean_block, resamples: 999, seed: 42 }
    }

    /// Uniform noise around `mean` with a deviation of about 0.01, each value half the one before.
    fn noise(n: usize, mean: f64, seed: u64) -> Vec<f64> {
        let mut random = SplitMix64::stream(seed, 0);
        let mut last = 0.0;
        let mut next = || {
            last = 0.5 * last + 0.03 * (random.above_zero() - 0.5);
            mean + last
        };
        (0..n).map(|_| next()).collect()
    }

    fn test_of(differences: &[f64], bootstrap: &BlockBootstrap) -> PairedTest {
        paired_bootstrap(differences, &vec![0.0; differences.len()], bootstrap).unwrap()
    }

    #[test]
    fn models_that_decide_alike_are_no_improvement() {
        let returns = noise(300, 0.001, 1);
        let test = paired_bootstrap(&returns, &returns, &settings(BlockScheme::Stationary, 24.0)).unwrap();
        assert_eq!((test.p_value, test.p_value_studentised), (1.0, None));
        assert_eq!((test.mean_difference, test.lower_95, test.upper_95), (0.0, 0.0, 0.0));
    }

    #[test]
    fn a_clear_lead_has_the_least_p_value_and_a_clear_lag_the_largest() {
        for scheme in [BlockScheme::Stationary, BlockScheme::Circular] {
            let lead = test_of(&noise(500, 0.02, 2), &settings(scheme, 12.0));
            assert_eq!((lead.p_value, lead.p_value_studentised), (0.001, Some(0.001)));
            assert!(lead.lower_95 > 0.0 && lead.lower_95 < 0.02 && lead.upper_95 > 0.02);
            let lag = test_of(&noise(500, -0.02, 2), &settings(scheme, 12.0));
            assert_eq!((lag.p_value, lag.p_value_studentised), (1.0, Some(1.0)));
        }
    }

    #[test]
    fn the_standard_error_is_the_one_of_the_closed_form() {
        let differences = noise(1_000, 0.0, 3);
        let bootstrap = BlockBootstrap { resamples: 20_000, ..settings(BlockScheme::Stationary, 20.0) };
        let mean = sum(differences.iter().copied()) / 1_000.0;
        let centred: Vec<f64> = differences.iter().map(|difference| difference - mean).collect();
        let closed = (long_run_variance(&centred, 20.0) / 1_000.0).sqrt();
        let resampled = test_of(&differences, &bootstrap).standard_error;
        assert!((resampled / closed - 1.0).abs() < 0.02, "{resampled} {closed}");
    }

    #[test]
    fn a_block_as_long_as_the_series_leaves_nothing_to_chance() {
        let differences = noise(64, 0.001, 4);
        let test = test_of(&differences, &settings(BlockScheme::Circular, 64.0));
        assert!(test.standard_error < 1e-15);
        assert_eq!(test.p_value_studentised, Some(1.0));
    }

    #[test]
    fn a_difference_that_never_varies_has_no_studentised_value() {
        let test = test_of(&[0.001; 100], &settings(BlockScheme::Stationary, 6.0));
        assert_eq!((test.p_value, test.p_value_studentised), (0.001, None));
    }

    /// Share of series without a lead that are rejected at 5 %, plain and studentised.
    fn rejected_at_five_percent(worlds: u64) -> [f64; 2] {
        let mut counts = [0_u32; 2];
        for world in 0..worlds {
            let bootstrap = BlockBootstrap { seed: world, ..settings(BlockScheme::Stationary, 10.0) };
            let test = test_of(&noise(500, 0.0, 1_000 + world), &bootstrap);
            counts[0] += u32::from(test.p_value <= 0.05);
            counts[1] += u32::from(test.p_value_studentised.is_some_and(|p| p <= 0.05));
        }
        counts.map(|count| f64::from(count) / worlds as f64)
    }

    #[test]
    fn without_a_lead_about_one_in_twenty_passes_at_five_percent() {
        let shares = rejected_at_five_percent(400);
        assert!(shares.iter().all(|share| (0.02..0.10).contains(share)), "{shares:?}");
    }

    #[test]
    fn a_decision_from_few_resamples_is_that_of_all_of_them() {
        for seed in 0..60 {
            let differences = noise(120, [-0.001, 0.0, 0.001, 0.003][seed as usize % 4], 500 + seed);
            let bootstrap = BlockBootstrap { seed, ..settings(BlockScheme::Stationary, 8.0) };
            let p = test_of(&differences, &bootstrap).p_value;
            for level in [0.0, 0.001, 0.01, 0.2, 0.5, 1.0, p, p - 1e-9, p + 1e-9] {
                let decided = paired_p_value_is_at_most(&differences, level, &bootstrap).unwrap();
                assert_eq!(decided, p <= level, "p = {p}, level {level}");
            }
        }
        let same = [0.0; 50];
        let bootstrap = settings(BlockScheme::Stationary, 8.0);
        assert!(!paired_p_value_is_at_most(&same, 0.99, &bootstrap).unwrap());
        assert!(paired_p_value_is_at_most(&same, f64::NAN, &bootstrap).is_err());
    }

    #[test]
    fn series_that_can_not_be_compared_are_refused() {
        let bootstrap = settings(BlockScheme::Stationary, 2.0);
        let error = paired_bootstrap(&[0.0; 5], &[0.0; 4], &bootstrap).unwrap_err();
        assert!(error.to_string().starts_with("the champion's returns has 4 values"), "{error}");
        assert!(paired_bootstrap(&[0.0], &[0.0], &bootstrap).is_err());
        assert!(paired_bootstrap(&[0.0, f64::NAN], &[0.0; 2], &bootstrap).is_err());
        assert!(paired_bootstrap(&[1e101; 9], &[0.0; 9], &bootstrap).is_err());
    }

    #[test]
    fn differences_of_any_allowed_size_give_numbers() {
        let wild: Vec<f64> =
            (0..50_u32).map(|bar| if bar.is_multiple_of(3) { 1e100 } else { -1e-100 }).collect();
        let test = test_of(&wild, &settings(BlockScheme::Stationary, 5.0));
        assert!([test.standard_error, test.lower_95, test.upper_95].iter().all(|value| value.is_finite()));
    }
}
