//! Gates that judge a snapshot by its own window.

use serde::Serialize;
use walkforward_stats::{
    BlockBootstrap, BlockScheme, SharpeMoments, Trials, deflated_sharpe, exceeded_with, paired_bootstrap,
    paired_p_value_is_at_most, probabilistic_sharpe,
};

use crate::SimulationError;
use crate::returns::{TradeFigures, less, moments, sharpe};

/// Level of the gates that have one.
const LEVEL: f64 = 0.05;
/// Mean block, and resamples: enough to read a p of 0.05.
const MEAN_BLOCK: f64 = 24.0;
const RESAMPLES: usize = 999;
/// With a lead of fewer standard errors, or so many fewer than needed, a bootstrap is not worth its time.
const HOPELESS_Z: f64 = 0.8;
const HOPELESS_BELOW: f64 = 1.5;

/// What may promote a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CycleGate {
    /// Every snapshot is promoted.
    Always,
    /// Win rate, drawdown and profit per trade: the preset `thresholds`.
    Thresholds,
    /// A higher Sharpe ratio than the champion's on the same bars.
    HigherSharpe,
    /// Both.
    ThresholdsAndHigherSharpe,
    /// A probabilistic Sharpe ratio of at least 0.95.
    Probabilistic,
    /// A deflated Sharpe ratio of at least 0.95, with all candidates so far as trials.
    Deflated,
    /// The paired bootstrap's p against the champion is at most 0.05.
    Paired,
    /// The lead over the champion is so many bootstrap standard errors that a normal number exceeds it with this
    /// probability.
    PairedNormal {
        /// One-sided.
        alpha: f64,
    },
}

/// A candidate on its window, beside the champion.
pub(super) struct Candidate<'a> {
    pub(super) positions: &'a [f64],
    pub(super) net: &'a [f64],
    pub(super) champion: &'a [f64],
    pub(super) fee: f64,
    pub(super) seed: u64,
}

/// The Sharpe ratios of everything that was tried, as sums.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tried {
    count: usize,
    sum: f64,
    squares: f64,
}

impl Tried {
    pub(super) fn add(&mut self, sharpe: f64) {
        self.count += 1;
        self.sum += sharpe;
        self.squares += sharpe * sharpe;
    }

    fn trials(&self) -> Option<Trials> {
        let count = self.count as f64;
        let variance = (self.squares - self.sum * self.sum / count) / (count - 1.0);
        (self.count >= 2).then_some(Trials { count: self.count, sharpe_variance: variance.max(0.0) })
    }
}

impl CycleGate {
    /// Whether `candidate` is promoted after `tried`, itself included.
    pub(super) fn promotes(self, candidate: &Candidate<'_>, tried: &Tried) -> Result<bool, SimulationError> {
        let thresholds =
            || TradeFigures::of(candidate.positions, candidate.net, candidate.fee).pass_thresholds();
        let is_higher = || sharpe(candidate.net) > sharpe(candidate.champion);
        let confident = |probability: Option<f64>| probability.is_some_and(|it| it > 1.0 - LEVEL);
        let shape = || moments(candidate.net);
        Ok(match self {
            Self::Always => true,
            Self::Thresholds => thresholds(),
            Self::HigherSharpe => is_higher(),
            Self::ThresholdsAndHigherSharpe => thresholds() && is_higher(),
            Self::Probabilistic => confident(shape().and_then(|it| probabilistic_sharpe(&it, 0.0))),
            Self::Deflated => {
                let deflated = |shape: SharpeMoments| deflated_sharpe(&shape, &tried.trials()?);
                confident(shape().and_then(deflated).map(|it| it.probability))
            }
            Self::Paired => candidate.leads_at(LEVEL)?,
            Self::PairedNormal { alpha } => candidate.leads_by(exceeded_with(alpha).unwrap_or(0.0))?,
        })
    }
}

impl Candidate<'_> {
    /// Whether the bootstrap's p is at most `level`.
    fn leads_at(&self, level: f64) -> Result<bool, SimulationError> {
        let differences = less(self.net, self.champion);
        Ok(independent_z(&differences) > HOPELESS_Z
            && paired_p_value_is_at_most(&differences, level, &bootstrap(self.seed))?)
    }

    /// Whether the lead is more than `z` bootstrap standard errors.
    fn leads_by(&self, z: f64) -> Result<bool, SimulationError> {
        if independent_z(&less(self.net, self.champion)) <= z - HOPELESS_BELOW {
            return Ok(false);
        }
        let test = paired_bootstrap(self.net, self.champion, &bootstrap(self.seed))?;
        Ok(test.standard_error > 0.0 && test.mean_difference / test.standard_error > z)
    }
}

/// The paired bootstrap of the published figures.
pub(super) fn bootstrap(seed: u64) -> BlockBootstrap {
    BlockBootstrap { scheme: BlockScheme::Stationary, mean_block: MEAN_BLOCK, resamples: RESAMPLES, seed }
}

fn independent_z(differences: &[f64]) -> f64 {
    sharpe(differences) * (differences.len() as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn promotes(gate: CycleGate, net: &[f64], champion: &[f64]) -> bool {
        let candidate = Candidate { positions: &vec![1.0; net.len()], net, champion, fee: 0.0, seed: 1 };
        let mut tried = Tried::default();
        [-0.02, 0.0, 0.02, sharpe(net)].into_iter().for_each(|ratio| tried.add(ratio));
        gate.promotes(&candidate, &tried).unwrap()
    }

    const GATES: [CycleGate; 8] = [
        CycleGate::Always,
        CycleGate::Thresholds,
        CycleGate::HigherSharpe,
        CycleGate::ThresholdsAndHigherSharpe,
        CycleGate::Probabilistic,
        CycleGate::Deflated,
        CycleGate::Paired,
        CycleGate::PairedNormal { alpha: 0.05 / 1_460.0 },
    ];

    #[test]
    fn a_clear_lead_passes_every_gate_and_a_clear_lag_none_that_compares() {
        let noise = |bar: usize| [0.002, -0.001, 0.001, -0.002][bar % 4];
        let good: Vec<f64> = (0..600).map(|bar| noise(bar) + 0.001).collect();
        let bad: Vec<f64> = (0..600).map(|bar| noise(bar + 1) - 0.001).collect();
        assert!(GATES.into_iter().all(|gate| promotes(gate, &good, &bad)));
        assert!(GATES[1..].iter().all(|gate| !promotes(*gate, &bad, &good)));
    }

    #[test]
    fn copies_of_the_champion_have_no_lead() {
        let returns: Vec<f64> = (0..600).map(|bar| [0.01, -0.009][bar % 2]).collect();
        let compares = [CycleGate::HigherSharpe, CycleGate::Paired, CycleGate::PairedNormal { alpha: 0.5 }];
        assert!(compares.into_iter().all(|gate| !promotes(gate, &returns, &returns)));
    }
}
