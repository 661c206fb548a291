//! A leak: the trainer has to learn what is given away, and the look-ahead check has to catch it.

use std::path::Path;
use std::sync::Arc;

use serde::Serialize;
use walkforward::failure::Failure;
use walkforward_core::{DataSource, DatasetRequest};
use walkforward_etl::SyntheticSource;

use super::{Bench, shared, with_seed};
use crate::rehearsal::leak::LeakingSource;
use crate::rehearsal::look_ahead::LookAhead;
use crate::rehearsal::{self, Rehearsal};

/// Trainings of this part.
pub(super) const TRAININGS: u64 = 2;
/// Costs are small: what is tried is whether the trainer learns what is there, and the next bar of this market moves less
/// than an order costs at 30 bps.
const FLAGS: [&str; 10] = [
    "--window-bars",
    "3000",
    "--holdout-bars",
    "1000",
    "--iterations",
    "40",
    "--fee-bps",
    "1",
    "--slippage-bps",
    "0",
];
/// Times at which the check looks.
const TIMES: usize = 4;
/// A policy that does not see the future has on a random walk a mean return of at most 0, so the Sharpe ratio of a
/// hold-out is at most a draw around 0 whose standard error is the root of (bars of a year / bars). Five of them are
/// exceeded by luck 3 times in 10 million.
const STANDARD_ERRORS: f64 = 5.0;

/// What the leak came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Leak {
    pub(super) settings: String,
    pub(super) holdout_bars: usize,
    /// Annual Sharpe ratio on the hold-out that nobody reaches honestly.
    pub(super) bound: f64,
    /// The same market without the leak.
    pub(super) honest: Trained,
    pub(super) leaking: Trained,
}

/// What one of the two came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Trained {
    /// On the hold-out, after costs, annualised.
    pub(super) sharpe: Option<f64>,
    /// On the hold-out, after costs.
    pub(super) total_return: Option<f64>,
    pub(super) look_ahead: LookAhead,
}

/// Trains on the market with and without the leak.
pub(super) async fn give_away(bench: &Bench, seed: u64) -> Result<Leak, Failure> {
    let honest = shared(SyntheticSource::without_edge(seed));
    let leaking = shared(LeakingSource(Arc::clone(&honest)));
    let folder = bench.folder.join("leak");
    let (honest, bars_per_year, holdout_bars) = train(bench, seed, honest, &folder.join("honest")).await?;
    let (leaking, ..) = train(bench, seed, leaking, &folder.join("leaking")).await?;
    let bound = STANDARD_ERRORS * (bars_per_year / holdout_bars.max(1) as f64).sqrt();
    Ok(Leak { settings: FLAGS.join(" "), holdout_bars, bound, honest, leaking })
}

/// What a training on `source` comes to, bars in a year, bars in the hold-out.
async fn train(
    bench: &Bench,
    seed: u64,
    source: Arc<dyn DataSource>,
    folder: &Path,
) -> Result<(Trained, f64, usize), Failure> {
    let config = rehearsal::config(&with_seed(&FLAGS, seed)?)?;
    let now = SyntheticSource::default_as_of();
    let request = DatasetRequest { as_of: Some(now), ..config.dataset.clone() };
    let rehearsal = Rehearsal::open(config, source, folder, now, bench.cancel.clone())?;
    let report = rehearsal.once().await?;
    bench.trainings.add();
    let look_ahead = LookAhead::check(&rehearsal, &request, TIMES).await?;
    let metrics = &report.candidate.metrics;
    let trained = Trained { sharpe: metrics.sharpe, total_return: metrics.total_return, look_ahead };
    Ok((trained, rehearsal.config.calendar.bars_per_year(report.timeframe), report.holdout_bars))
}

impl Leak {
    /// What does not hold.
    pub(super) fn failures(&self) -> Vec<String> {
        let Self { honest, leaking, bound, .. } = self;
        let told = |sharpe: Option<f64>| sharpe.map_or("none".to_owned(), |sharpe| format!("{sharpe:.1}"));
        let checks = [
            (
                leaking.sharpe.is_some_and(|sharpe| sharpe > *bound),
                format!(
                    "the trainer did not learn what a leak gives away: a Sharpe ratio of {}, {bound:.1} is the bound",
                    told(leaking.sharpe)
                ),
            ),
            (
                honest.sharpe.is_none_or(|sharpe| sharpe < *bound),
                format!(
                    "on a random walk a Sharpe ratio of {} after costs can't be had: something looks ahead",
                    told(honest.sharpe)
                ),
            ),
            (
                !leaking.look_ahead.is_clean(),
                "the look-ahead check did not catch a source that rewrites its past".to_owned(),
            ),
            (
                honest.look_ahead.is_clean(),
                "the look-ahead check accuses a source that stays with what it said".to_owned(),
            ),
        ];
        checks.into_iter().filter(|(holds, _)| !holds).map(|(_, sentence)| sentence).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trained(sharpe: f64, rewritten_bars: usize) -> Trained {
        let look_ahead = LookAhead { times: 1, bars: 9, rewritten_bars, ..LookAhead::default() };
        Trained { sharpe: Some(sharpe), total_return: None, look_ahead }
    }

    #[test]
    fn each_thing_that_does_not_hold_is_named() {
        let (honest, leaking) = (trained(1.0, 0), trained(40.0, 1));
        let settings = String::new();
        let leak = Leak { settings, holdout_bars: 1_000, bound: 15.0, honest, leaking };
        assert!(leak.failures().is_empty());
        let missed = Leak { leaking: trained(9.0, 0), ..leak.clone() };
        assert_eq!(missed.failures().len(), 2);
        let suspicious = Leak { honest: trained(16.0, 1), ..leak };
        assert_eq!(suspicious.failures().len(), 2);
    }
}
