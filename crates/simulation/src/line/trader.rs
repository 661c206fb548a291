//! One procedure that trades in a line's market: an arm's stream, or a frozen anchor.

use rand::Rng;
use rand_distr::{Distribution, StandardNormal};

use super::LineStudy;
use crate::family::Chain;
use crate::pair::{Snapshots, turnover, unit_edge};
use crate::random::WorldRng;

/// Takes the position that all know in some blocks and goes its own way in the others, where it earns its edge.
#[derive(Debug, Clone)]
pub(super) struct Trader {
    rng: WorldRng,
    chain: Chain,
    goes_own_way: bool,
    position: f64,
    /// True annual Sharpe ratio of the snapshot that decides.
    pub(super) sharpe: f64,
    /// The ratio around which its snapshots lie.
    around: f64,
    /// Deviation of a new snapshot's ratio; none when snapshots go on with each other's positions.
    spread: Option<f64>,
}

impl Trader {
    /// An arm whose snapshots lie around the ratio `sharpe`.
    pub(super) fn arm(study: &LineStudy, sharpe: f64, mut rng: WorldRng) -> Self {
        let spread = match study.snapshots {
            Snapshots::Consistent => None,
            Snapshots::Independent { spread } => Some(spread),
        };
        let chain = Chain::anywhere(&mut rng);
        Self { rng, chain, goes_own_way: true, position: 0.0, sharpe, around: sharpe, spread }
    }

    /// The arm's snapshot of now, which goes on for itself with the numbers of `rng`.
    pub(super) fn frozen(&self, rng: WorldRng) -> Self {
        Self { rng, around: self.sharpe, spread: None, ..self.clone() }
    }

    /// Net return of the next bar. `common` is the position that all know; `is_new` begins a block.
    pub(super) fn next(&mut self, study: &LineStudy, market: f64, common: f64, is_new: bool) -> f64 {
        let own_share = 1.0 - study.common_share();
        if is_new {
            self.take_snapshot(own_share);
        }
        let own = self.chain.next(&mut self.rng);
        let before = self.position;
        self.position = if self.goes_own_way { own } else { common };
        let cost = study.fee * (self.position - before).abs();
        let of_costs = study.fee * turnover(own_share, self.spread.is_some(), study.cadence_bars);
        let edge = (self.sharpe * unit_edge() + of_costs) / own_share;
        self.position * market - cost + if self.goes_own_way { edge } else { 0.0 }
    }

    fn take_snapshot(&mut self, own_share: f64) {
        self.goes_own_way = self.rng.random::<f64>() < own_share;
        if let Some(spread) = self.spread {
            self.chain = Chain::anywhere(&mut self.rng);
            let normal: f64 = StandardNormal.sample(&mut self.rng);
            self.sharpe = self.around + spread * normal;
        }
    }
}
