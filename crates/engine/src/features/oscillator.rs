//! Features that swing between bounds.

use ta_lib::{MacdStream, RsiStream};

use super::column::{BarBlock, Workshop, unless_infinite};
use super::math::{tanh, tanh_all};
use super::tail::Tail;
use super::talib::{Handle, Refusal};
use super::window::{WindowMax, Windows};

/// Middle of the indicators that run from 0 to 100.
const MIDDLE: f64 = 50.0;
/// Scale inside `tanh` of the three MACD columns: averages 1 % of the price apart are 1.
const MACD_SCALE: f64 = 100.0;
/// Lambert's constant, by which most values of the CCI are within 100.
const CCI_CONSTANT: f64 = 0.015;
/// A CCI of so much is 1 inside `tanh`.
const CCI_SCALE: f64 = 200.0;
/// TA-Lib's bound below which a range of prices is rounding.
const LEAST_RELATIVE_RANGE: f64 = 1e-14;

/// `(RSI - 50) / 50`.
#[derive(Debug, Clone)]
pub(crate) struct Rsi(Handle<RsiStream>);

impl Rsi {
    pub(crate) fn new(period: u32) -> Self {
        Self(Handle::new([period; 3], period + 1))
    }

    pub(crate) fn extend(
        &mut self,
        workshop: &mut Workshop,
        bars: BarBlock<'_>,
        out: &mut [f64],
    ) -> Result<(), Refusal> {
        self.0.extend(&workshop.core, bars, |index, rsi| out[index] = (rsi - MIDDLE) / MIDDLE)
    }
}

/// `tanh(100 x / close)` of line, signal and histogram.
#[derive(Debug, Clone)]
pub(crate) struct Macd(Handle<MacdStream>);

impl Macd {
    pub(crate) fn new(fast: u32, slow: u32, signal: u32) -> Self {
        Self(Handle::new([fast, slow, signal], slow + signal - 1))
    }

    pub(crate) fn extend(
        &mut self,
        workshop: &mut Workshop,
        bars: BarBlock<'_>,
        out: &mut [f64],
    ) -> Result<(), Refusal> {
        let n = bars.len();
        let (line, rest) = out.split_at_mut(n);
        let (signal, histogram) = rest.split_at_mut(n);
        self.0.extend(&workshop.core, bars, |index, value| {
            (line[index], signal[index], histogram[index]) = value;
        })?;
        let [weights, ..] = workshop.scratch.slices(n);
        weights.iter_mut().zip(bars.close).for_each(|(weight, close)| *weight = MACD_SCALE / close);
        for column in out.chunks_exact_mut(n) {
            for (out, weight) in column.iter_mut().zip(&*weights) {
                *out = tanh(unless_infinite(*out * weight, *out));
            }
        }
        Ok(())
    }
}

/// Slow %K and %D; 0 where the range has no width.
#[derive(Debug, Clone)]
pub(crate) struct Stochastic {
    highest: WindowMax,
    /// Of the lows with their sign turned.
    lowest: WindowMax,
    smooth: u32,
    fast: Windows,
    slow: Windows,
}

impl Stochastic {
    pub(crate) fn new(period: u32, smooth: u32) -> Self {
        Self {
            highest: WindowMax::new(period),
            lowest: WindowMax::new(period),
            smooth,
            fast: Windows::new(smooth, 0),
            slow: Windows::new(smooth, 0),
        }
    }

    pub(crate) fn extend(&mut self, workshop: &mut Workshop, bars: BarBlock<'_>, out: &mut [f64]) {
        let [fast, highest, turned] = workshop.scratch.slices(bars.len());
        turned.iter_mut().zip(bars.low).for_each(|(turned, low)| *turned = -low);
        self.highest.maxima(bars.high, highest);
        self.lowest.maxima(turned, fast);
        for (fast, (&close, &mut highest)) in fast.iter_mut().zip(bars.close.iter().zip(highest)) {
            let lowest = -*fast;
            let range = highest - lowest;
            let is_flat = range <= LEAST_RELATIVE_RANGE * (highest + lowest);
            *fast = if is_flat { 0.0 } else { 2.0 * ((close - lowest) / range) - 1.0 };
        }
        let (k, d) = out.split_at_mut(bars.len());
        self.fast.extend(fast);
        self.fast.means(self.smooth, k);
        self.slow.extend(k);
        self.slow.means(self.smooth, d);
    }
}

/// `tanh(CCI / 200)`; 0 where the typical price does not move.
#[derive(Debug, Clone)]
pub(crate) struct Cci {
    period: u32,
    typical: Tail,
    sums: Windows,
}

impl Cci {
    pub(crate) fn new(period: u32) -> Self {
        Self { period, typical: Tail::new(period as usize - 1), sums: Windows::new(period, 0) }
    }

    pub(crate) fn extend(&mut self, workshop: &mut Workshop, bars: BarBlock<'_>, out: &mut [f64]) {
        let n = bars.len();
        let [mean, deviation, _] = workshop.scratch.slices(n);
        let prices = bars.high.iter().zip(bars.low).zip(bars.close);
        for (typical, ((&high, &low), &close)) in self.typical.grow(n).iter_mut().zip(prices) {
            *typical = (high + low + close) / 3.0;
        }
        self.sums.extend(self.typical.lagged(0, n));
        self.sums.means(self.period, mean);
        let period = self.period as usize;
        mean_distances(self.typical.lagged(0, n + period - 1), period, mean, deviation);
        let typical = self.typical.lagged(0, n).iter();
        let rest = typical.zip(mean.iter_mut().zip(deviation));
        for (out, (&typical, (&mut mean, &mut deviation))) in out.iter_mut().zip(rest) {
            *out = index(typical - mean, deviation, mean);
        }
        tanh_all(out, 1.0 / CCI_SCALE);
    }
}

/// Windows whose distances are summed side by side.
const LANES: usize = 8;

/// Writes for each window of `period` values how far they are from its `mean`, on average; `values` begins with the
/// first window and ends with the last.
fn mean_distances(values: &[f64], period: usize, mean: &[f64], out: &mut [f64]) {
    let whole = mean.len() - mean.len() % LANES;
    for first in (0..whole).step_by(LANES) {
        let (mut sums, mut means) = ([0.0; LANES], [0.0; LANES]);
        means.copy_from_slice(&mean[first..first + LANES]);
        for values in values[first..first + LANES + period - 1].windows(LANES) {
            for ((sum, value), mean) in sums.iter_mut().zip(values).zip(&means) {
                *sum += (value - mean).abs();
            }
        }
        out[first..first + LANES].copy_from_slice(&sums);
    }
    for index in whole..mean.len() {
        let distances = values[index..index + period].iter().map(|value| (value - mean[index]).abs());
        out[index] = distances.fold(0.0, |sum, distance| sum + distance);
    }
    out.iter_mut().for_each(|sum| *sum /= period as f64);
}

/// The CCI of a price `distance` away from the mean, whose mean distance is `deviation`.
#[inline(always)]
fn index(distance: f64, deviation: f64, mean: f64) -> f64 {
    let least = LEAST_RELATIVE_RANGE * mean;
    let is_flat = (distance.abs() <= least) | (deviation <= least);
    unless_infinite(if is_flat { 0.0 } else { distance / (CCI_CONSTANT * deviation) }, mean)
}
