//! One cycle: how often a candidate whose skill is known passes each gate.

use serde::Serialize;
use walkforward_stats::{Trials, deflated_sharpe, paired_p_value_is_at_most, probabilistic_sharpe};

use super::gates::bootstrap;
use super::{MOST, WARM_UP_BARS, drift_of};
use crate::error::{SimulationError, in_range};
use crate::family::Family;
use crate::market::Market;
use crate::parallel::Worlds;
use crate::random::{self, WorldRng};
use crate::returns::{TradeFigures, less, moments, net_returns, sharpe};
use crate::tally::Share;

/// Several candidates of one skill on one window, beside a champion of the same family without any.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OneCycleStudy {
    /// The market.
    pub market: Market,
    /// What all of them do.
    pub family: Family,
    /// Fee of a fill as a fraction of its value.
    pub fee: f64,
    /// Bars that they are judged on.
    pub window: usize,
    /// Candidates of the cycle, at least 1.
    pub candidates: usize,
    /// True annual Sharpe ratio of a candidate, before costs.
    pub sharpe: f64,
}

/// In how many worlds the first candidate, and the one with the best window, passed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct OneCycleOutcome {
    /// The preset `thresholds`.
    pub thresholds: Share,
    /// The same of the best.
    pub thresholds_best: Share,
    /// A higher Sharpe ratio than the champion's.
    pub higher_sharpe: Share,
    /// Probabilistic Sharpe ratio of at least 0.95.
    pub probabilistic: Share,
    /// The same of the best.
    pub probabilistic_best: Share,
    /// Paired bootstrap p of at most 0.05.
    pub paired: Share,
    /// The same of the best.
    pub paired_best: Share,
    /// Deflated Sharpe ratio of the best of at least 0.95, the cycle's candidates being the trials.
    pub deflated_best: Share,
}

struct World {
    first: Passed,
    best: Passed,
    first_is_higher: bool,
    deflated_best: bool,
}

struct Passed {
    thresholds: bool,
    probabilistic: bool,
    paired: bool,
}

impl OneCycleStudy {
    /// Runs the study.
    ///
    /// # Errors
    /// When a setting is out of range.
    pub fn run(&self, worlds: &Worlds<'_>) -> Result<OneCycleOutcome, SimulationError> {
        in_range("the window", self.window as f64, 100.0..=MOST, "100 to 100000 bars")?;
        in_range("the candidates", self.candidates as f64, 1.0..=MOST, "1 to 100000")?;
        in_range("the fee", self.fee, 0.0..=0.1, "0 to 0.1")?;
        let done = worlds.each(|number| self.world(worlds.seed, number))?;
        let share = |happened: fn(&World) -> bool| Share::of(&done, happened);
        Ok(OneCycleOutcome {
            thresholds: share(|it| it.first.thresholds),
            thresholds_best: share(|it| it.best.thresholds),
            higher_sharpe: share(|it| it.first_is_higher),
            probabilistic: share(|it| it.first.probabilistic),
            probabilistic_best: share(|it| it.best.probabilistic),
            paired: share(|it| it.first.paired),
            paired_best: share(|it| it.best.paired),
            deflated_best: share(|it| it.deflated_best),
        })
    }

    fn world(&self, seed: u64, number: u64) -> Result<World, SimulationError> {
        let rng = &mut random::world(seed, number);
        let all = self.market.returns(self.window + WARM_UP_BARS, rng);
        let champion = self.positions(&all, rng);
        let market = &all[WARM_UP_BARS..];
        let champion = net_returns(&champion, market, 0.0, self.fee);
        let drift = drift_of(self.sharpe, self.family);
        let of_candidate = |_| {
            let positions = self.positions(&all, rng);
            let net = net_returns(&positions, market, drift, self.fee);
            (sharpe(&net), positions, net)
        };
        let candidates: Vec<(f64, Vec<f64>, Vec<f64>)> = (0..self.candidates).map(of_candidate).collect();
        let ratios: Vec<f64> = candidates.iter().map(|(ratio, ..)| *ratio).collect();
        let best =
            (1..ratios.len()).fold(0, |best, index| if ratios[index] > ratios[best] { index } else { best });
        let passed = |index: usize| {
            let (_, positions, net) = &candidates[index];
            self.passed(positions, net, &champion, number)
        };
        let deflated = |net: &[f64]| {
            let trials = Trials { count: ratios.len(), sharpe_variance: sample_variance(&ratios) };
            deflated_sharpe(&moments(net)?, &trials).map(|it| it.probability)
        };
        Ok(World {
            first: passed(0)?,
            best: passed(best)?,
            first_is_higher: ratios[0] > sharpe(&champion),
            deflated_best: deflated(&candidates[best].2).is_some_and(|probability| probability > 0.95),
        })
    }

    fn positions(&self, all: &[f64], rng: &mut WorldRng) -> Vec<f64> {
        self.family.positions(all, rng).split_off(WARM_UP_BARS)
    }

    fn passed(
        &self,
        positions: &[f64],
        net: &[f64],
        champion: &[f64],
        number: u64,
    ) -> Result<Passed, SimulationError> {
        let probability = moments(net).and_then(|shape| probabilistic_sharpe(&shape, 0.0));
        Ok(Passed {
            thresholds: TradeFigures::of(positions, net, self.fee).pass_thresholds(),
            probabilistic: probability.is_some_and(|probability| probability > 0.95),
            paired: paired_p_value_is_at_most(&less(net, champion), 0.05, &bootstrap(number))?,
        })
    }
}

fn sample_variance(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(sharpe: f64, fee: f64) -> OneCycleOutcome {
        let (market, family) = (Market::GarchT, Family::Markov);
        let study = OneCycleStudy { market, family, fee, window: 500, candidates: 4, sharpe };
        study.run(&Worlds::new(400, 3)).unwrap()
    }

    #[test]
    fn fixed_thresholds_promote_a_quarter_of_those_without_skill() {
        let outcome = run(0.0, 0.0);
        // 25.3 % of 3,000 published runs; 400 worlds have a standard error of 2.2 points.
        let rate = outcome.thresholds.rate();
        assert!((0.253 - rate).abs() < 0.09, "{rate}");
        assert!(outcome.thresholds_best.rate() > rate + 0.1);
        assert!((0.4..0.6).contains(&outcome.higher_sharpe.rate()));
        assert!((0.005..0.11).contains(&outcome.paired.rate()), "{:?}", outcome.paired);
        assert!(outcome.deflated_best.rate() < 0.05);
    }

    #[test]
    fn skill_passes_more_often_and_costs_less_often() {
        let (none, some, costly) = (run(0.0, 0.0), run(5.0, 0.0), run(0.0, 0.001));
        assert!(some.paired.rate() > none.paired.rate() + 0.05);
        assert!(costly.thresholds.rate() < none.thresholds.rate() - 0.05);
    }
}
