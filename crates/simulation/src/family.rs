//! Strategies whose edge is exactly what they are given: a position is set before the bar that it earns.

use rand::Rng;
use serde::Serialize;

use crate::random::{WorldRng, happens};

/// Bars that [`Family::Markov`] keeps a position, in the mean.
const MEAN_HOLD_BARS: f64 = 12.0;
/// Bars that [`Family::TakeProfit`] waits for an entry, in the mean.
const MEAN_WAIT_BARS: f64 = 6.0;
const TAKE_PROFIT: f64 = 0.01;
const STOP_LOSS: f64 = -0.03;

/// What a strategy does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// Short, flat or long at random; leaves its position with probability 1/12 a bar.
    Markov,
    /// Enters long at random, leaves at +1 % or at -3 %: many small wins.
    TakeProfit,
    /// Long while a short moving average of random length is above a long one.
    Crossover,
}

impl Family {
    /// Positions over the bars with these returns; position t uses the returns before t alone.
    pub(crate) fn positions(self, returns: &[f64], rng: &mut WorldRng) -> Vec<f64> {
        match self {
            Self::Markov => {
                let mut chain = Chain::anywhere(rng);
                returns.iter().map(|_| chain.next(rng)).collect()
            }
            Self::TakeProfit => take_profit(returns, 0.0, rng),
            Self::Crossover => crossover(returns, rng),
        }
    }

    /// Positions over the bars after a stretch that ended in position `last`.
    pub(crate) fn go_on(self, last: f64, returns: &[f64], rng: &mut WorldRng) -> Vec<f64> {
        match self {
            Self::Markov => {
                let mut chain = Chain { position: last };
                returns.iter().map(|_| chain.next(rng)).collect()
            }
            Self::TakeProfit => take_profit(returns, last, rng),
            Self::Crossover => crossover(returns, rng),
        }
    }

    /// Share of its bars on which it holds a position.
    pub(crate) fn exposure(self) -> f64 {
        match self {
            Self::Markov => 2.0 / 3.0,
            Self::TakeProfit => 0.66,
            Self::Crossover => 0.5,
        }
    }
}

/// A random position in {-1, 0, 1} that stays for a while.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chain {
    position: f64,
}

impl Chain {
    /// A chain in its long-run distribution.
    pub(crate) fn anywhere(rng: &mut WorldRng) -> Self {
        Self { position: f64::from(rng.random_range(-1_i8..=1)) }
    }

    /// The position for the next bar.
    pub(crate) fn next(&mut self, rng: &mut WorldRng) -> f64 {
        if happens(rng, 1.0 / MEAN_HOLD_BARS) {
            let others = match self.position {
                0.0 => [-1.0, 1.0],
                position if position > 0.0 => [0.0, -1.0],
                _ => [0.0, 1.0],
            };
            self.position = others[usize::from(rng.random::<bool>())];
        }
        self.position
    }
}

fn take_profit(returns: &[f64], last: f64, rng: &mut WorldRng) -> Vec<f64> {
    let (mut position, mut gain) = (last, 0.0);
    let step = |value: &f64| {
        if position == 1.0 && (gain >= TAKE_PROFIT || gain <= STOP_LOSS) {
            position = 0.0;
        } else if position == 0.0 && happens(rng, 1.0 / MEAN_WAIT_BARS) {
            (position, gain) = (1.0, 0.0);
        }
        if position == 1.0 {
            gain = (1.0 + gain) * (1.0 + value) - 1.0;
        }
        position
    };
    returns.iter().map(step).collect()
}

fn crossover(returns: &[f64], rng: &mut WorldRng) -> Vec<f64> {
    let short = rng.random_range(5..=30_usize);
    let long = short * rng.random_range(2..=6_usize);
    // Sums of the prices before each bar, the first price being 1.
    let (mut price, mut sums) = (1.0, vec![0.0]);
    for value in std::iter::once(&0.0).chain(returns) {
        price *= 1.0 + value;
        sums.push(sums[sums.len() - 1] + price);
    }
    let mean = |known: usize, length: usize| (sums[known] - sums[known - length]) / length as f64;
    let is_long = |known: usize| known >= long && mean(known, short) > mean(known, long);
    (0..returns.len()).map(|bar| f64::from(u8::from(is_long(bar + 1)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Market;
    use crate::random::world;

    const FAMILIES: [Family; 3] = [Family::Markov, Family::TakeProfit, Family::Crossover];

    #[test]
    fn no_position_knows_its_own_bar_or_a_later_one() {
        for family in FAMILIES {
            let returns = Market::GarchT.returns(2_000, &mut world(1, 0));
            let mut other = returns.clone();
            other[1_500..].iter_mut().for_each(|value| *value = 0.05 - *value);
            let of = |returns: &[f64]| family.positions(returns, &mut world(2, 0));
            assert_eq!(of(&returns)[..=1_500], of(&other)[..=1_500], "{family:?}");
        }
    }

    #[test]
    fn a_family_is_in_the_market_for_its_share_of_the_bars() {
        for family in FAMILIES {
            let returns = Market::Gauss.returns(200_000, &mut world(3, 0));
            let positions = family.positions(&returns, &mut world(4, 0));
            let share = positions.iter().filter(|position| **position != 0.0).count() as f64 / 200_000.0;
            assert!((share - family.exposure()).abs() < 0.05, "{family:?} {share}");
        }
    }

    #[test]
    fn a_chain_keeps_a_position_for_half_a_day_in_the_mean() {
        let positions = Family::Markov.positions(&vec![0.0; 120_000], &mut world(5, 0));
        let changes = positions.windows(2).filter(|pair| pair[0] != pair[1]).count();
        assert!((9_600..10_400).contains(&changes), "{changes}");
    }

    #[test]
    fn what_goes_on_begins_at_its_last_position() {
        for (family, last) in [(Family::Markov, -1.0), (Family::TakeProfit, 1.0)] {
            let kept =
                (0..200).filter(|seed| family.go_on(last, &[0.0], &mut world(*seed, 0)) == [last]).count();
            assert!(kept > 160, "{family:?} {kept}");
        }
    }
}
