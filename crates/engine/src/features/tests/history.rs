//! How long another start is remembered: the declared history, measured.

use proptest::prelude::*;
use walkforward_core::{BarSeries, FeatureKind};

use super::{columns, every_form, files, one, shared_folder_is_there, uniform, walk, wild};

/// Largest difference after the declared history, relative to the column's scale.
const TOLERANCE: f64 = 1e-9;
/// Bars that are compared after each cut.
const COMPARED: usize = 250;

/// Whether a column depends on the bars of its window alone, so that nothing at all is remembered.
fn has_window(kind: &FeatureKind) -> bool {
    !matches!(kind, FeatureKind::Rsi { .. } | FeatureKind::Macd { .. } | FeatureKind::Atr { .. })
}

/// Root mean square of a column.
fn scale(column: &[f64]) -> f64 {
    (column.iter().map(|value| value * value).sum::<f64>() / column.len() as f64).sqrt()
}

/// Largest difference, in units of each column's scale, between the columns of `bars` and those of the bars from
/// `start` on, over [`COMPARED`] bars after the history.
fn difference(kind: &FeatureKind, bars: &BarSeries, whole: &[Vec<f64>], units: &[f64], start: usize) -> f64 {
    let first = kind.history_bars() as usize;
    let end = (start + first + COMPARED).min(bars.len());
    let late = columns(&one(kind.clone()), &bars.slice(start..end));
    let mut worst = 0.0_f64;
    for ((late, whole), unit) in late.iter().zip(whole).zip(units) {
        let pairs = late.iter().zip(&whole[start..end]).skip(first);
        worst = pairs.map(|(late, whole)| (late - whole).abs() / unit).fold(worst, f64::max);
    }
    worst
}

/// Starts `bars` anew at each of `starts` and refuses what is remembered longer than declared.
fn check(what: &str, bars: &BarSeries, kinds: &[FeatureKind], starts: &[usize]) {
    for kind in kinds {
        let whole = columns(&one(kind.clone()), bars);
        let units: Vec<f64> =
            whole.iter().map(|column| scale(&column[kind.warm_up_bars() as usize..])).collect();
        let allowed = if has_window(kind) { 0.0 } else { TOLERANCE };
        for &start in starts {
            let worst = difference(kind, bars, &whole, &units, start);
            assert!(worst <= allowed, "{what}, from {start}: {kind:?} differs by {worst:e}");
        }
    }
}

/// The last bar of the longest stretch without volume.
fn end_of_longest_silence(bars: &BarSeries) -> usize {
    let (mut run, mut longest, mut end) = (0, 0, 0);
    for (index, &volume) in bars.volumes().iter().enumerate() {
        run = if volume == 0.0 { run + 1 } else { 0 };
        if run > longest {
            (longest, end) = (run, index);
        }
    }
    end
}

#[test]
fn after_the_declared_history_another_start_changes_nothing_shared_data() {
    if !shared_folder_is_there("after_the_declared_history_another_start_changes_nothing_shared_data") {
        return;
    }
    for (file, bars) in files::all() {
        let mut next = uniform(bars.len() as u64);
        let starts: Vec<usize> = (0..40).map(|_| (next() * bars.len() as f64) as usize).collect();
        check(file, &bars, &FeatureKind::catalogue(), &starts);
    }
}

#[test]
fn an_outage_of_three_hours_at_the_end_of_the_history_changes_nothing_shared_data() {
    if !shared_folder_is_there(
        "an_outage_of_three_hours_at_the_end_of_the_history_changes_nothing_shared_data",
    ) {
        return;
    }
    let bars = files::filled_minutes();
    let end = end_of_longest_silence(&bars);
    assert!(bars.volumes()[end - 196..=end].iter().all(|&volume| volume == 0.0));
    // Far more bars before it than any of the histories, far fewer than the file has.
    let bars = bars.slice(end - 8_000..end + 1_000);
    for kind in FeatureKind::catalogue() {
        let start = 8_000 - kind.history_bars() as usize;
        check("the outage", &bars, &[kind], &[start]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn after_the_declared_history_another_start_of_a_walk_changes_nothing(
        seed in any::<u64>(),
        start in 1usize..500,
    ) {
        check("a walk", &walk(seed, 2_000), &every_form(), &[start]);
    }

    #[test]
    fn features_with_a_window_forget_even_prices_that_change_a_millionfold(
        seed in any::<u64>(),
        start in 1usize..500,
    ) {
        let kinds: Vec<FeatureKind> = every_form().into_iter().filter(has_window).collect();
        check("a wild market", &wild(seed, 1_000), &kinds, &[start]);
    }
}
