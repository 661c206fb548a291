//! Minutes of a market without surprises, as a file.

use std::fmt::Write as _;

/// 2024-01-01T00:00:00Z.
const START_MS: usize = 1_704_067_200_000;
const MINUTE_MS: usize = 60_000;
/// How far a minute's price goes, and how strongly it is pulled back to 100: little enough that no fall is deep, enough that
/// a model learns to live from it where costs are low.
const SWING: f64 = 2e-4;
const PULL: f64 = 0.05;

/// Minutes that are always the same.
pub(super) struct Walk {
    state: u64,
    close: f64,
    index: usize,
}

impl Walk {
    pub(super) fn new() -> Self {
        Self { state: 0x9E37_79B9_7F4A_7C15, close: 100.0, index: 0 }
    }

    fn uniform(&mut self) -> f64 {
        self.state =
            self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 33) as f64 / (1u64 << 31) as f64
    }

    /// The next `bars` of them, as a file.
    pub(super) fn csv(&mut self, bars: usize) -> String {
        let mut text = "time,open,high,low,close,volume\n".to_owned();
        for _ in 0..bars {
            let open = self.close * (1.0 + 0.1 * SWING * (self.uniform() - 0.5));
            let pull = PULL * (100.0 / open - 1.0);
            self.close = open * (1.0 + pull + SWING * (self.uniform() - 0.5));
            let (high, low) = (open.max(self.close) * 1.000_01, open.min(self.close) * 0.999_99);
            let (time, close, volume) =
                (START_MS + self.index * MINUTE_MS, self.close, 10.0 * self.uniform());
            let _ = writeln!(text, "{time},{open:.6},{high:.6},{low:.6},{close:.6},{volume:.3}");
            self.index += 1;
        }
        text
    }
}
