//! The evidence window: what the last weeks say about a lead.

use serde::{Deserialize, Serialize};
use walkforward_stats::{
    BlockBootstrap, BlockLength, BlockScheme, ReturnSeries, ReturnSummary, paired_bootstrap,
};

use super::{EvidenceRules, LedgerError, MarketPace};

/// What an arm came to against its reference on the evidence window: the last days of bars up to a look.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Recent {
    /// Bars of the window.
    pub bars: usize,
    /// The same in days of the market.
    pub days: f64,
    /// Sum of the differences: the lead as a fraction of equity.
    pub gap: f64,
    /// Mean difference of a bar.
    pub mean: f64,
    /// Annualised Sharpe ratio of the difference; none when it never varies.
    pub sharpe: Option<f64>,
    /// How often luck alone does as well: bootstrap p of `H0: the mean difference is at most 0`.
    pub p: f64,
    /// Standard error of the mean difference.
    pub standard_error: f64,
    /// Mean length of the bootstrap's blocks in bars: a day, or more where the series depends on itself for longer.
    pub block: f64,
    /// Number of resamples.
    pub resamples: usize,
}

impl Recent {
    /// The figures of the last `window_days` of `differences`, which end at a look.
    ///
    /// # Errors
    /// When there are fewer than two bars or a difference is no finite number.
    pub fn of(
        differences: &[f64],
        pace: MarketPace,
        rules: &EvidenceRules,
        seed: u64,
    ) -> Result<Self, LedgerError> {
        let window = Self::window(differences, pace, rules);
        let bootstrap = Self::bootstrap(window, pace, rules, seed);
        let test = paired_bootstrap(window, &vec![0.0; window.len()], &bootstrap)?;
        let summary =
            ReturnSeries::new(window, pace.bars_per_year()).map(|series| ReturnSummary::of(&series));
        Ok(Self {
            bars: window.len(),
            days: pace.days(window.len()),
            gap: test.mean_difference * window.len() as f64,
            mean: test.mean_difference,
            sharpe: summary.ok().and_then(|summary| summary.sharpe),
            p: test.p_value,
            standard_error: test.standard_error,
            block: bootstrap.mean_block,
            resamples: bootstrap.resamples,
        })
    }

    /// The evidence window of a ledger whose last bar is a look's: its last `window_days`.
    pub fn window<'a>(differences: &'a [f64], pace: MarketPace, rules: &EvidenceRules) -> &'a [f64] {
        &differences[differences.len().saturating_sub(pace.bars_in(rules.window_days))..]
    }

    /// How differences on a span are resampled: in blocks of at least a day, longer where they depend on each other for
    /// longer.
    pub fn bootstrap(window: &[f64], pace: MarketPace, rules: &EvidenceRules, seed: u64) -> BlockBootstrap {
        let automatic = BlockLength::of(window).map_or(0.0, |length| length.for_paired_test());
        let most = window.len().max(1) as f64;
        let mean_block = automatic.max(pace.bars_per_day()).max(1.0).min(most);
        BlockBootstrap { scheme: BlockScheme::Stationary, mean_block, resamples: rules.resamples(), seed }
    }

    /// Standard errors that the mean lies above 0; none when it never varies.
    pub fn z(&self) -> Option<f64> {
        Some(self.mean / self.standard_error).filter(|z| z.is_finite())
    }
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn hourly() -> MarketPace {
        MarketPace::new(24.0, 8_760.0).unwrap()
    }

    fn recent(differences: &[f64]) -> Recent {
        Recent::of(differences, hourly(), &EvidenceRules::default(), 1).unwrap()
    }

    #[test]
    fn the_window_is_the_last_84_days() {
        let mut differences = vec![0.01; 100];
        differences.extend((0..2_016).map(|bar| if bar % 2 == 0 { 0.001 } else { -0.001 }));
        let figures = recent(&differences);
        assert_eq!((figures.bars, figures.days), (2_016, 84.0));
        assert!(figures.gap.abs() < 1e-12 && figures.p > 0.3, "{figures:?}");
        assert_eq!(recent(&differences[..100]).bars, 100);
    }

    #[test]
    fn blocks_are_a_day_long_or_longer() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let noise: Vec<f64> = (0..500).map(|_| rng.random_range(-0.01..0.01)).collect();
        assert_eq!(recent(&noise).block, 24.0);
        let waves: Vec<f64> = (0..2_000).map(|bar| (f64::from(bar) / 60.0).sin() / 1e3).collect();
        assert!(recent(&waves).block > 24.0);
    }

    #[test]
    fn a_difference_that_never_varies_has_no_sharpe() {
        let figures = recent(&[0.0; 400]);
        assert_eq!((figures.p, figures.sharpe, figures.z()), (1.0, None, None));
        let lead = recent(&[0.001; 400]);
        assert!(lead.p == 1.0 / 2_001.0 && lead.sharpe.is_none() && (lead.gap - 0.4).abs() < 1e-12);
    }

    #[test]
    fn too_few_bars_are_refused() {
        assert!(Recent::of(&[0.1], hourly(), &EvidenceRules::default(), 1).is_err());
        assert!(Recent::of(&[0.1, f64::NAN], hourly(), &EvidenceRules::default(), 1).is_err());
    }
}
