//! Features of the volume.

use super::column::{BarBlock, Workshop, unless_infinite};
use super::math::ln_1p;
use super::tail::Tail;
use super::window::Windows;

/// `ln(1 + volume / SMA(volume))`, 0 without volume.
#[derive(Debug, Clone)]
pub(crate) struct VolumeRatio(u32);

impl VolumeRatio {
    pub(crate) fn new(period: u32) -> Self {
        Self(period)
    }

    pub(crate) fn extend(&mut self, workshop: &Workshop, bars: BarBlock<'_>, out: &mut [f64]) {
        workshop.volumes.means(self.0, out);
        for (out, &volume) in out.iter_mut().zip(bars.volume) {
            let mean = *out;
            let ratio = if volume > 0.0 && mean > 0.0 { volume / mean } else { 0.0 };
            *out = ln_1p(unless_infinite(ratio, mean));
        }
    }
}

/// Change of the on-balance volume over `norm` bars divided by their volume; 0 without volume.
#[derive(Debug, Clone)]
pub(crate) struct Obv {
    norm: u32,
    closes: Tail,
    signed: Windows,
}

impl Obv {
    pub(crate) fn new(norm: u32) -> Self {
        Self { norm, closes: Tail::new(1), signed: Windows::new(norm, 0) }
    }

    pub(crate) fn extend(&mut self, workshop: &mut Workshop, bars: BarBlock<'_>, out: &mut [f64]) {
        let n = bars.len();
        let [signed, all, _] = workshop.scratch.slices(n);
        self.closes.extend(bars.close);
        let closes = bars.close.iter().zip(self.closes.lagged(1, n));
        for (signed, ((&close, &past), &volume)) in signed.iter_mut().zip(closes.zip(bars.volume)) {
            let up = if close > past { volume } else { 0.0 };
            let down = if close < past { volume } else { 0.0 };
            *signed = up - down;
        }
        self.signed.extend(signed);
        self.signed.sums(self.norm, out);
        workshop.volumes.sums(self.norm, all);
        for (out, &mut all) in out.iter_mut().zip(all) {
            let share = if all > 0.0 { *out / all } else { 0.0 };
            *out = unless_infinite(share, all);
        }
    }
}
