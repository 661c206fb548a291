//! Figures about a series: what is missing, where nothing traded.

use walkforward_core::{BarSeries, QualityFigures};

/// Figures that a sorted series alone tells: rows, ends, holes between first and last bar, zero-volume and flat
/// bars. The others are left at zero.
pub(crate) fn figures_of(bars: &BarSeries) -> QualityFigures {
    let step_ms = bars.timeframe().millis();
    let steps = bars.open_times().windows(2).map(|pair| pair[1].millis_since(pair[0]));
    let holes = steps.filter(|&step| step != step_ms).map(|step| step / step_ms - 1);
    let holes = holes.map(|hole| usize::try_from(hole).unwrap_or(0));
    let (missing_bars, longest_hole_bars) =
        holes.fold((0, 0), |(sum, longest), hole| (sum + hole, longest.max(hole)));
    QualityFigures {
        rows: bars.len(),
        first_open_time: bars.first_open_time(),
        last_open_time: bars.open_times().last().copied(),
        missing_bars,
        longest_hole_bars,
        zero_volume_bars: bars.volumes().iter().filter(|&&volume| volume == 0.0).count(),
        flat_bars: bars.highs().iter().zip(bars.lows()).filter(|(high, low)| high == low).count(),
        ..QualityFigures::default()
    }
}
