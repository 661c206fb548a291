//! Features of how far prices spread.

use ta_lib::AtrStream;

use super::column::{BarBlock, Workshop, unless_infinite};
use super::math::tanh_all;
use super::talib::{Handle, Refusal};
use super::window::Windows;

/// A deviation below this part of the mean is none: its z-scores would be those of rounding.
const LEAST_RELATIVE_DEVIATION: f64 = 1e-6;
/// Half a band below this part of the price is rounding.
const LEAST_RELATIVE_BAND: f64 = 1e-12;

/// `tanh((x - mean) / sd)` among the last values, `sd` the sample's; 0 where they do not differ.
#[derive(Debug, Clone)]
struct Comparison {
    norm: u32,
    values: Windows,
}

impl Comparison {
    fn new(norm: u32) -> Self {
        Self { norm, values: Windows::new(norm, norm) }
    }

    /// Takes the next `values` and writes how each compares; `squares` is scratch.
    fn compare(&mut self, values: &[f64], squares: &mut [f64], out: &mut [f64]) {
        self.values.extend(values);
        self.values.moments(self.norm, out, squares);
        let weight = 1.0 / f64::from(self.norm - 1);
        for (out, (&value, &mut squares)) in out.iter_mut().zip(values.iter().zip(squares)) {
            let mean = *out;
            let deviation = (squares * weight).sqrt();
            let z =
                if deviation <= LEAST_RELATIVE_DEVIATION * mean { 0.0 } else { (value - mean) / deviation };
            *out = unless_infinite(z, deviation);
        }
        tanh_all(out, 1.0);
    }
}

/// Sample deviation over the close, and how it compares.
#[derive(Debug, Clone)]
pub(crate) struct Volatility {
    period: u32,
    comparison: Option<Comparison>,
}

impl Volatility {
    pub(crate) fn new(period: u32, norm: Option<u32>) -> Self {
        Self { period, comparison: norm.map(Comparison::new) }
    }

    pub(crate) fn extend(&mut self, workshop: &mut Workshop, bars: BarBlock<'_>, out: &mut [f64]) {
        let [mean, squares, _] = workshop.scratch.slices(bars.len());
        let (volatility, compared) = out.split_at_mut(bars.len());
        workshop.closes.moments(self.period, mean, squares);
        let weight = 1.0 / f64::from(self.period - 1);
        for (out, (&close, &mut squares)) in volatility.iter_mut().zip(bars.close.iter().zip(&mut *squares)) {
            *out = (squares * weight).sqrt() / close;
        }
        if let Some(comparison) = &mut self.comparison {
            comparison.compare(volatility, squares, compared);
        }
    }
}

/// Where the close is between the bands, 0 to 1; 0.5 where they have no width.
#[derive(Debug, Clone)]
pub(crate) struct BollingerPosition {
    period: u32,
    deviations: f64,
}

impl BollingerPosition {
    pub(crate) fn new(period: u32, deviations: f64) -> Self {
        Self { period, deviations }
    }

    pub(crate) fn extend(&mut self, workshop: &mut Workshop, bars: BarBlock<'_>, out: &mut [f64]) {
        let [_, squares, _] = workshop.scratch.slices(bars.len());
        workshop.closes.moments(self.period, out, squares);
        let weight = 1.0 / f64::from(self.period);
        for (out, (&close, &mut squares)) in out.iter_mut().zip(bars.close.iter().zip(squares)) {
            let mean = *out;
            let half = self.deviations * (squares * weight).sqrt();
            let offset = if half <= LEAST_RELATIVE_BAND * mean { 0.0 } else { (close - mean) / (2.0 * half) };
            *out = unless_infinite((0.5 + offset).clamp(0.0, 1.0), half + mean);
        }
    }
}

/// How the average true range compares, or its part of the close.
#[derive(Debug, Clone)]
pub(crate) struct Atr {
    handle: Handle<AtrStream>,
    comparison: Option<Comparison>,
}

impl Atr {
    pub(crate) fn new(period: u32, norm: Option<u32>) -> Self {
        Self { handle: Handle::new([period; 3], period + 1), comparison: norm.map(Comparison::new) }
    }

    pub(crate) fn extend(
        &mut self,
        workshop: &mut Workshop,
        bars: BarBlock<'_>,
        out: &mut [f64],
    ) -> Result<(), Refusal> {
        let [ranges, squares, _] = workshop.scratch.slices(bars.len());
        self.handle.extend(&workshop.core, bars, |index, range| ranges[index] = range)?;
        match &mut self.comparison {
            Some(comparison) => comparison.compare(ranges, squares, out),
            None => {
                for (out, (&mut range, &close)) in out.iter_mut().zip(ranges.iter_mut().zip(bars.close)) {
                    *out = range / close;
                }
            }
        }
        Ok(())
    }
}
