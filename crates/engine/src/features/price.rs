//! Features of the close alone: how far it has come, and where it is among its averages.

use super::column::{BarBlock, Workshop};
use super::math::tanh;
use super::tail::Tail;

/// Scale inside `tanh` of returns and trends: a change of 10 % is 1.
const CHANGE_SCALE: f64 = 10.0;
/// Scale inside `tanh` of the trend's strength: two averages 5 % apart are 1.
const STRENGTH_SCALE: f64 = 20.0;

/// `tanh(10 (close / close[-p] - 1))` for each period.
#[derive(Debug, Clone)]
pub(crate) struct Changes {
    periods: Vec<usize>,
    closes: Tail,
}

impl Changes {
    pub(crate) fn new(periods: &[u32]) -> Self {
        let periods: Vec<usize> = periods.iter().map(|&period| period as usize).collect();
        let longest = periods.iter().copied().max().unwrap_or(0);
        Self { periods, closes: Tail::new(longest) }
    }

    pub(crate) fn extend(&mut self, bars: BarBlock<'_>, out: &mut [f64]) {
        let n = bars.len();
        self.closes.extend(bars.close);
        for (out, &period) in out.chunks_exact_mut(n).zip(&self.periods) {
            let past = self.closes.lagged(period, n);
            for (out, (&close, &past)) in out.iter_mut().zip(bars.close.iter().zip(past)) {
                *out = tanh(CHANGE_SCALE * ((close - past) / past));
            }
        }
    }
}

/// `tanh(10 (close / SMA - 1))` for two averages.
#[derive(Debug, Clone)]
pub(crate) struct SmaTrend([u32; 2]);

impl SmaTrend {
    pub(crate) fn new(fast: u32, slow: u32) -> Self {
        Self([fast, slow])
    }

    pub(crate) fn extend(&mut self, workshop: &Workshop, bars: BarBlock<'_>, out: &mut [f64]) {
        for (out, period) in out.chunks_exact_mut(bars.len()).zip(self.0) {
            workshop.closes.means(period, out);
            for (out, &close) in out.iter_mut().zip(bars.close) {
                *out = tanh(CHANGE_SCALE * ((close - *out) / *out));
            }
        }
    }
}

/// `tanh(20 (SMA_fast / SMA_slow - 1))`.
#[derive(Debug, Clone)]
pub(crate) struct TrendStrength {
    fast: u32,
    slow: u32,
}

impl TrendStrength {
    pub(crate) fn new(fast: u32, slow: u32) -> Self {
        Self { fast, slow }
    }

    pub(crate) fn extend(&mut self, workshop: &mut Workshop, bars: BarBlock<'_>, out: &mut [f64]) {
        let [slow, ..] = workshop.scratch.slices(bars.len());
        workshop.closes.means(self.fast, out);
        workshop.closes.means(self.slow, slow);
        for (out, &mut slow) in out.iter_mut().zip(slow) {
            *out = tanh(STRENGTH_SCALE * ((*out - slow) / slow));
        }
    }
}
