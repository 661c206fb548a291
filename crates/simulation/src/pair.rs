//! An arm beside its reference, bar by bar.

use rand::Rng;
use rand_distr::{Distribution, StandardNormal};
use serde::Serialize;

use crate::error::{SimulationError, in_range};
use crate::family::Chain;
use crate::market::{BARS_PER_YEAR, Bars, Market, bar_deviation};
use crate::random::WorldRng;

/// Mean of `|change|` of a [`Chain`] over a bar, and of the difference of two that know nothing of each other.
const TURNOVER: f64 = 1.0 / 9.0;
const JUMP: f64 = 8.0 / 9.0;
/// Two that agree on more blocks hardly ever differ, and no edge can be earned there.
const MOST_AGREEMENT: f64 = 0.99;

/// What the snapshots of an arm have in common.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Snapshots {
    /// Each goes on with the positions of the one before, and all have one edge.
    Consistent,
    /// Each is another draw: positions of its own, and a true gap that is normal around the arm's.
    Independent {
        /// Deviation of a snapshot's true annual Sharpe gap.
        spread: f64,
    },
}

/// What an arm is measured against.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Against {
    /// Cash: a line without a champion.
    Flat,
    /// The line's frozen anchor, which takes the arm's position in this share of the blocks between two snapshots.
    Anchor {
        /// 0 to 0.99. Two that know nothing of each other still hold the same position on a third of the bars.
        agreement: f64,
    },
}

impl Against {
    /// Share of the blocks in which the arm goes its own way.
    fn own_share(self) -> f64 {
        match self {
            Self::Flat => 1.0,
            Self::Anchor { agreement } => 1.0 - agreement,
        }
    }
}

/// The world of an arm and its reference.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PairWorld {
    /// The market of both.
    pub market: Market,
    /// What the arm is measured against.
    pub against: Against,
    /// What its snapshots have in common.
    pub snapshots: Snapshots,
    /// Bars between two snapshots, at least 1.
    pub cadence_bars: usize,
    /// Fee of a fill as a fraction of its value. Gaps are net of it: it makes gains and losses lumpy, not smaller.
    pub fee: f64,
}

impl PairWorld {
    /// The world of the published figures: no fee, a snapshot every 6 hours, an anchor that agrees on `agreement`.
    pub fn reference(market: Market, agreement: f64) -> Self {
        let against = Against::Anchor { agreement };
        Self { market, against, snapshots: Snapshots::Consistent, cadence_bars: 6, fee: 0.0 }
    }

    pub(crate) fn check(&self) -> Result<(), SimulationError> {
        let agreement = 1.0 - self.against.own_share();
        in_range("the agreement", agreement, 0.0..=MOST_AGREEMENT, "a share from 0 to 0.99")?;
        in_range("the fee", self.fee, 0.0..=0.1, "a fraction of the value from 0 to 0.1")?;
        let cadence = self.cadence_bars as f64;
        in_range("the bars between snapshots", cadence, 1.0..=BARS_PER_YEAR as f64, "1 to a year of bars")?;
        if let Snapshots::Independent { spread } = self.snapshots {
            in_range("the spread of the snapshots", spread, 0.0..=100.0, "0 to 100")?;
        }
        Ok(())
    }

    /// What the costs of the arm's own turnover take from the difference, per bar.
    fn extra_cost(&self) -> f64 {
        let unmatched = if self.against == Against::Flat { 0.0 } else { TURNOVER };
        let is_redrawn = !matches!(self.snapshots, Snapshots::Consistent);
        self.fee * (turnover(self.against.own_share(), is_redrawn, self.cadence_bars) - unmatched)
    }
}

/// Mean of `|change|` a bar of a trader that goes its own way in `own_share` of the blocks and takes another's position
/// in the rest; with `is_redrawn` its own positions of two blocks know nothing of each other.
pub(crate) fn turnover(own_share: f64, is_redrawn: bool, block_bars: usize) -> f64 {
    let redrawn = if is_redrawn { own_share * own_share } else { 0.0 };
    let jumps = 2.0 * own_share * (1.0 - own_share) + redrawn;
    TURNOVER + jumps * (JUMP - TURNOVER) / block_bars as f64
}

/// Mean return per bar of a position that earns an annual Sharpe ratio of 1.
pub(crate) fn unit_edge() -> f64 {
    bar_deviation() * (2.0_f64 / 3.0).sqrt() / (BARS_PER_YEAR as f64).sqrt()
}

/// One bar of both.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct PairBar {
    pub(crate) arm_return: f64,
    pub(crate) reference_return: f64,
    pub(crate) arm_position: f64,
    pub(crate) reference_position: f64,
}

impl PairBar {
    /// Net return of the arm less that of the reference.
    pub(crate) fn difference(&self) -> f64 {
        self.arm_return - self.reference_return
    }

    /// Whether both hold the same position.
    pub(crate) fn agrees(&self) -> bool {
        self.arm_position == self.reference_position
    }
}

/// A [`PairWorld`] as it goes on.
pub(crate) struct PairStream {
    world: PairWorld,
    gap: f64,
    bars: Bars,
    arm: Chain,
    reference: Chain,
    goes_own_way: bool,
    /// Mean return on a bar on which the arm goes its own way.
    edge: f64,
    last: [f64; 2],
    bar: usize,
}

impl PairStream {
    /// The world before its first bar; the arm's true annual Sharpe ratio, net of costs, is `gap` above the reference's.
    pub(crate) fn new(world: PairWorld, gap: f64, rng: &mut WorldRng) -> Self {
        let (reference, arm) = (Chain::anywhere(rng), Chain::anywhere(rng));
        let bars = Bars::of(world.market);
        Self { world, gap, bars, arm, reference, goes_own_way: true, edge: 0.0, last: [0.0; 2], bar: 0 }
    }

    /// The next bar.
    pub(crate) fn next(&mut self, rng: &mut WorldRng) -> PairBar {
        if self.bar.is_multiple_of(self.world.cadence_bars) {
            self.take_snapshot(rng);
        }
        self.bar += 1;
        let market = self.bars.next(rng);
        let of_reference = self.reference.next(rng);
        let own = self.arm.next(rng);
        let arm_position = if self.goes_own_way { own } else { of_reference };
        let reference_position = if self.world.against == Against::Flat { 0.0 } else { of_reference };
        let earned = if self.goes_own_way { self.edge } else { 0.0 };
        let positions = [arm_position, reference_position];
        let cost = |side: usize| self.world.fee * (positions[side] - self.last[side]).abs();
        let bar = PairBar {
            arm_return: arm_position * market - cost(0) + earned,
            reference_return: reference_position * market - cost(1),
            arm_position,
            reference_position,
        };
        self.last = positions;
        bar
    }

    fn take_snapshot(&mut self, rng: &mut WorldRng) {
        let own_share = self.world.against.own_share();
        self.goes_own_way = rng.random::<f64>() < own_share;
        let mut gap = self.gap;
        if let Snapshots::Independent { spread } = self.world.snapshots {
            self.arm = Chain::anywhere(rng);
            let normal: f64 = StandardNormal.sample(rng);
            gap += spread * normal;
        }
        self.edge = (gap * unit_edge() + self.world.extra_cost()) / own_share;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::world;

    const BARS: usize = 400_000;

    fn bars_of(world_of: PairWorld, gap: f64, seed: u64) -> Vec<PairBar> {
        let mut rng = world(seed, 0);
        let mut stream = PairStream::new(world_of, gap, &mut rng);
        (0..BARS).map(|_| stream.next(&mut rng)).collect()
    }

    fn mean_and_error(differences: &[f64]) -> (f64, f64) {
        let n = differences.len() as f64;
        let mean = differences.iter().sum::<f64>() / n;
        let variance = differences.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n;
        (mean, (variance / n).sqrt())
    }

    #[test]
    fn the_mean_difference_is_the_gap_whatever_the_costs_and_snapshots() {
        let mut seed = 0;
        for against in [Against::Flat, Against::Anchor { agreement: 0.0 }, Against::Anchor { agreement: 0.8 }]
        {
            for snapshots in [Snapshots::Consistent, Snapshots::Independent { spread: 1.5 }] {
                for fee in [0.0, 0.0025] {
                    seed += 1;
                    let reference = PairWorld::reference(Market::Gauss, 0.0);
                    let world_of = PairWorld { against, snapshots, fee, ..reference };
                    let bars = bars_of(world_of, 20.0, seed);
                    let differences: Vec<f64> = bars.iter().map(PairBar::difference).collect();
                    let (mean, error) = mean_and_error(&differences);
                    let off = (mean - 20.0 * unit_edge()) / error;
                    assert!(off.abs() < 4.0, "{world_of:?}: {off} standard errors");
                }
            }
        }
    }

    #[test]
    fn an_annual_sharpe_gap_against_cash_is_the_arms_own_ratio() {
        let world_of = PairWorld { against: Against::Flat, ..PairWorld::reference(Market::Gauss, 0.0) };
        let returns: Vec<f64> = bars_of(world_of, 10.0, 99).iter().map(PairBar::difference).collect();
        let (mean, error) = mean_and_error(&returns);
        let sharpe = mean / (error * (BARS as f64).sqrt()) * (BARS_PER_YEAR as f64).sqrt();
        assert!((sharpe - 10.0).abs() < 0.6, "{sharpe}");
    }

    #[test]
    fn an_arm_takes_its_references_position_in_the_share_of_blocks_that_it_should() {
        for (agreement, expected) in [(0.0, 1.0 / 3.0), (0.8, 0.8 + 0.2 / 3.0)] {
            let bars = bars_of(PairWorld::reference(Market::GarchT, agreement), 0.0, 3);
            let share = bars.iter().filter(|bar| bar.agrees()).count() as f64 / BARS as f64;
            assert!((share - expected).abs() < 0.01, "{agreement}: {share}");
        }
    }

    #[test]
    fn a_gap_changes_no_position() {
        let world_of = PairWorld::reference(Market::GarchT, 0.8);
        let positions = |gap| -> Vec<f64> {
            bars_of(world_of, gap, 4).iter().take(5_000).map(|bar| bar.arm_position).collect()
        };
        assert_eq!(positions(0.0), positions(3.0));
    }

    #[test]
    fn a_world_that_can_not_be_is_refused() {
        let good = PairWorld::reference(Market::Gauss, 0.8);
        assert_eq!(good.check(), Ok(()));
        let bad = [
            PairWorld { against: Against::Anchor { agreement: 1.0 }, ..good },
            PairWorld { against: Against::Anchor { agreement: f64::NAN }, ..good },
            PairWorld { fee: -0.1, ..good },
            PairWorld { cadence_bars: 0, ..good },
            PairWorld { snapshots: Snapshots::Independent { spread: f64::INFINITY }, ..good },
        ];
        assert!(bad.iter().all(|world| world.check().is_err()));
    }
}
