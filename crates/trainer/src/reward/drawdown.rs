//! How far equity lies below its peak.

use serde::{Deserialize, Serialize};

/// Equity and its peak, both as multiples of the equity at the episode's start.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fall {
    equity: f64,
    peak: f64,
}

impl Default for Fall {
    fn default() -> Self {
        Self { equity: 1.0, peak: 1.0 }
    }
}

impl Fall {
    /// By how much the drawdown (`1 - equity / peak`) grows with the next return; 0 when it shrinks.
    pub(super) fn push(&mut self, net_return: f64) -> f64 {
        let before = self.drawdown();
        self.equity *= 1.0 + net_return;
        self.peak = self.peak.max(self.equity);
        (self.drawdown() - before).max(0.0)
    }

    fn drawdown(&self) -> f64 {
        1.0 - self.equity / self.peak
    }
}
