//! Many cycles: a fresh candidate every six hours, judged on its own window; whoever is promoted is the champion.

use rand_distr::{Distribution, StandardNormal};
use serde::Serialize;

use super::gates::{Candidate, CycleGate, Tried};
use super::{CADENCE_BARS, MOST, drift_of};
use crate::error::{SimulationError, in_range};
use crate::family::Family;
use crate::market::Market;
use crate::parallel::Worlds;
use crate::random::{self, WorldRng};
use crate::returns::{net_returns, sharpe};
use crate::tally::{Mean, Share};

/// A line whose gate judges each snapshot alone. The first champion has no skill.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CycleStudy {
    /// The market.
    pub market: Market,
    /// What candidates do; the first champion is of [`Family::Markov`].
    pub family: Family,
    /// Fee of a fill as a fraction of its value.
    pub fee: f64,
    /// Bars that a candidate is judged on.
    pub window: usize,
    /// Number of candidates.
    pub cycles: usize,
    /// Deviation of a candidate's true annual Sharpe ratio around 0.
    pub spread: f64,
    /// What promotes.
    pub gate: CycleGate,
}

/// What became of the lines.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CycleOutcome {
    /// Promotions over the cycles.
    pub promotions: Mean,
    /// At least one.
    pub any: Share,
    /// Mean true Sharpe ratio of the champion over the cycles.
    pub champion_sharpe: Mean,
    /// Share of all promotions after which the true ratio was lower; none without a promotion.
    pub share_to_worse: Option<f64>,
}

#[derive(Default)]
struct World {
    promotions: usize,
    to_worse: usize,
    champion_sharpe: f64,
}

impl CycleStudy {
    /// Runs the study.
    ///
    /// # Errors
    /// When a setting is out of range.
    pub fn run(&self, worlds: &Worlds<'_>) -> Result<CycleOutcome, SimulationError> {
        in_range("the window", self.window as f64, 100.0..=MOST, "100 to 100000 bars")?;
        in_range("the cycles", self.cycles as f64, 1.0..=MOST, "1 to 100000")?;
        in_range("the fee", self.fee, 0.0..=0.1, "0 to 0.1")?;
        in_range("the spread", self.spread, 0.0..=100.0, "0 to 100")?;
        let done = worlds.each(|number| self.world(worlds.seed, number))?;
        let promotions: usize = done.iter().map(|world| world.promotions).sum();
        let to_worse: usize = done.iter().map(|world| world.to_worse).sum();
        Ok(CycleOutcome {
            promotions: Mean::of(&done, |world| world.promotions as f64),
            any: Share::of(&done, |world| world.promotions > 0),
            champion_sharpe: Mean::of(&done, |world| world.champion_sharpe),
            share_to_worse: (promotions > 0).then(|| to_worse as f64 / promotions as f64),
        })
    }

    fn world(&self, seed: u64, number: u64) -> Result<World, SimulationError> {
        let rng = &mut random::world(seed, number);
        let returns = self.market.returns(self.window + CADENCE_BARS * self.cycles, rng);
        let first = Family::Markov.positions(&returns, rng);
        let mut champion = (0.0, net_returns(&first, &returns, 0.0, self.fee));
        let (mut world, mut tried) = (World::default(), Tried::default());
        for cycle in 1..=self.cycles {
            let start = CADENCE_BARS * cycle;
            let window = start..start + self.window;
            let normal: f64 = StandardNormal.sample(rng);
            let truth = self.spread * normal;
            let drift = drift_of(truth, Family::Markov);
            let positions = self.family.positions(&returns[window.clone()], rng);
            let net = net_returns(&positions, &returns[window.clone()], drift, self.fee);
            tried.add(sharpe(&net));
            let champion_net = &champion.1[window];
            let (positions, net) = (positions.as_slice(), net.as_slice());
            let candidate =
                Candidate { positions, net, champion: champion_net, fee: self.fee, seed: cycle as u64 };
            if self.gate.promotes(&candidate, &tried)? {
                world.promotions += 1;
                world.to_worse += usize::from(truth < champion.0);
                champion.0 = truth;
                self.take_over(&mut champion.1, start, positions, &returns, drift, rng);
            }
            world.champion_sharpe += champion.0 / self.cycles as f64;
        }
        Ok(world)
    }

    /// The champion's returns from `start` on become those of a candidate with `positions` there, which goes on after
    /// its window.
    fn take_over(
        &self,
        champion: &mut [f64],
        start: usize,
        positions: &[f64],
        returns: &[f64],
        drift: f64,
        rng: &mut WorldRng,
    ) {
        let last = positions.last().copied().unwrap_or(0.0);
        let mut all = positions.to_vec();
        all.extend(self.family.go_on(last, &returns[start + positions.len()..], rng));
        champion[start..].copy_from_slice(&net_returns(&all, &returns[start..], drift, self.fee));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(gate: CycleGate, spread: f64, cycles: usize, worlds: usize) -> CycleOutcome {
        let (market, family) = (Market::GarchT, Family::Markov);
        let study = CycleStudy { market, family, fee: 0.0, window: 500, cycles, spread, gate };
        study.run(&Worlds::new(worlds, 4)).unwrap()
    }

    #[test]
    fn fixed_thresholds_promote_again_and_again_what_has_no_skill() {
        let outcome = run(CycleGate::Thresholds, 0.0, 200, 12);
        // Published: 244 of 1,000.
        assert!((30.0..75.0).contains(&outcome.promotions.value), "{outcome:?}");
        assert_eq!((outcome.any.rate(), outcome.share_to_worse), (1.0, Some(0.0)));
    }

    #[test]
    fn a_paired_test_promotes_rarely_and_upwards() {
        let paired = run(CycleGate::Paired, 1.5, 200, 12);
        let always = run(CycleGate::Always, 1.5, 200, 4);
        assert_eq!(always.promotions.value, 200.0);
        assert!((0.4..0.6).contains(&always.share_to_worse.unwrap()));
        assert!(
            paired.promotions.value < 10.0 && paired.champion_sharpe.value > always.champion_sharpe.value
        );
    }
}
