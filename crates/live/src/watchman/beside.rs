//! How a challenger has done beside whoever traded, on the same bars.

use serde::{Deserialize, Serialize};
use walkforward_core::Timestamp;

/// Two returns over the same bars. It goes on when the arm has a newer model, and when another champion trades.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Beside {
    /// Start of the first of the bars.
    pub(super) since: Timestamp,
    /// How many they are.
    pub(super) bars: u64,
    /// What the challenger's equity of 1 became.
    growth: f64,
    /// What that of the champions became.
    champion_growth: f64,
}

impl Beside {
    /// Before the bar that begins at `since`.
    pub(super) fn new(since: Timestamp) -> Self {
        Self { since, bars: 0, growth: 1.0, champion_growth: 1.0 }
    }

    /// Counts a bar by the net returns over it.
    pub(super) fn take(&mut self, own: f64, champion: f64) {
        self.bars += 1;
        self.growth *= 1.0 + own;
        self.champion_growth *= 1.0 + champion;
    }

    /// The challenger's return, as a fraction.
    pub(super) fn total_return(&self) -> f64 {
        self.growth - 1.0
    }

    /// That of the champions.
    pub(super) fn champion_return(&self) -> f64 {
        self.champion_growth - 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn returns_over_the_same_bars_are_compounded() {
        let mut beside = Beside::new(Timestamp::EPOCH);
        beside.take(0.1, 0.0);
        beside.take(-0.5, 0.2);
        assert_eq!(beside.bars, 2);
        assert!((beside.total_return() + 0.45).abs() < 1e-12);
        assert!((beside.champion_return() - 0.2).abs() < 1e-12);
    }
}
