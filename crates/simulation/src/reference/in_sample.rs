//! What it is worth to judge a model on the bars that it was chosen on.

use serde::Serialize;

use super::MOST;
use crate::error::{SimulationError, in_range};
use crate::family::Family;
use crate::market::{BARS_PER_YEAR, Market};
use crate::parallel::Worlds;
use crate::random;
use crate::returns::{TradeFigures, net_returns, sharpe};
use crate::tally::{Mean, Share};

/// "Training" keeps the best of many strategies without skill on a window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InSampleStudy {
    /// The market.
    pub market: Market,
    /// Bars of the window, and of the one after it.
    pub window: usize,
    /// Strategies that are tried.
    pub tried: usize,
}

/// What became of the chosen ones.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct InSampleOutcome {
    /// The preset `thresholds` promotes it on the window that it was chosen on.
    pub thresholds_in_sample: Share,
    /// On the window after it.
    pub thresholds_next_window: Share,
    /// Annualised Sharpe ratio on the window that it was chosen on; the true one is 0.
    pub sharpe_in_sample: Mean,
    /// On the window after it.
    pub sharpe_next_window: Mean,
}

/// On the window of the choice, and on the one after it: whether the thresholds hold, and the annualised Sharpe ratio.
type World = [(bool, f64); 2];

impl InSampleStudy {
    /// Runs the study.
    ///
    /// # Errors
    /// When a setting is out of range.
    pub fn run(&self, worlds: &Worlds<'_>) -> Result<InSampleOutcome, SimulationError> {
        in_range("the window", self.window as f64, 100.0..=MOST, "100 to 100000 bars")?;
        in_range("the strategies", self.tried as f64, 1.0..=MOST, "1 to 100000")?;
        let done = worlds.each(|number| Ok(self.world(worlds.seed, number)))?;
        Ok(InSampleOutcome {
            thresholds_in_sample: Share::of(&done, |world| world[0].0),
            thresholds_next_window: Share::of(&done, |world| world[1].0),
            sharpe_in_sample: Mean::of(&done, |world| world[0].1),
            sharpe_next_window: Mean::of(&done, |world| world[1].1),
        })
    }

    fn world(&self, seed: u64, number: u64) -> World {
        let rng = &mut random::world(seed, number);
        let market = self.market.returns(2 * self.window, rng);
        let (seen, unseen) = market.split_at(self.window);
        let mut best = (f64::NEG_INFINITY, Vec::new());
        for _ in 0..self.tried {
            let positions = Family::Markov.positions(&market, rng);
            let ratio = sharpe(&net_returns(&positions, seen, 0.0, 0.0));
            if ratio > best.0 {
                best = (ratio, positions);
            }
        }
        let (chosen_on, after) = best.1.split_at(self.window);
        [(chosen_on, seen), (after, unseen)].map(|(positions, returns)| {
            let net = net_returns(positions, returns, 0.0, 0.0);
            let annual = sharpe(&net) * (BARS_PER_YEAR as f64).sqrt();
            (TradeFigures::of(positions, &net, 0.0).pass_thresholds(), annual)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_chosen_looks_good_only_where_it_was_chosen() {
        let study = InSampleStudy { market: Market::GarchT, window: 500, tried: 64 };
        let outcome = study.run(&Worlds::new(200, 9)).unwrap();
        // Published: 91.5 % and a Sharpe ratio of 9.6.
        assert!((0.83..=0.98).contains(&outcome.thresholds_in_sample.rate()), "{outcome:?}");
        assert!((0.12..=0.40).contains(&outcome.thresholds_next_window.rate()), "{outcome:?}");
        assert!((outcome.sharpe_in_sample.value - 9.6).abs() < 0.8, "{outcome:?}");
        assert!(outcome.sharpe_next_window.value.abs() < 5.0 * outcome.sharpe_next_window.standard_error);
    }
}
