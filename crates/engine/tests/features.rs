//! What the features are: their formulas, their warm-up, and that batch and stream are one.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod common;

use common::{at, hour, walk};
use proptest::prelude::*;
use walkforward_core::{Bar, BarSeries, FeatureKind, FeatureSpec, Normaliser};
use walkforward_engine::{FeatureEngine, feature_matrix, normalise_row};

fn spec(kinds: Vec<FeatureKind>) -> FeatureSpec {
    FeatureSpec::new(kinds).unwrap()
}

fn bits(row: &[f32]) -> Vec<u32> {
    row.iter().map(|value| value.to_bits()).collect()
}

fn check_close(actual: f32, expected: f64, what: &str, bar: usize) {
    let error = (f64::from(actual) - expected).abs();
    assert!(error <= 1e-6 * expected.abs().max(1e-3), "{what} at {bar}: {actual}, expected {expected}");
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[test]
fn every_formula_is_as_documented() {
    let bars = walk(1, 300);
    let matrix = feature_matrix(&FeatureSpec::default(), &bars).unwrap();
    assert_eq!((matrix.width, matrix.first_row, matrix.rows()), (11, 49, 251));
    let (close, volume) = (bars.closes(), bars.volumes());
    for bar in matrix.first_row..bars.len() {
        let row = matrix.row(bar).unwrap();
        let ending = |series: &[f64], period: usize| series[bar + 1 - period..=bar].to_vec();
        for (column, period) in [1, 4, 12, 24, 48].into_iter().enumerate() {
            let change = close[bar] / close[bar - period] - 1.0;
            check_close(row[column], (10.0 * change).tanh(), "return", bar);
        }
        let (fast, slow) = (mean(&ending(close, 20)), mean(&ending(close, 50)));
        check_close(row[6], (10.0 * (close[bar] / fast - 1.0)).tanh(), "trend_20", bar);
        check_close(row[7], (10.0 * (close[bar] / slow - 1.0)).tanh(), "trend_50", bar);
        check_close(row[8], (20.0 * (fast / slow - 1.0)).tanh(), "trend_strength", bar);
        let window = ending(close, 24);
        let centre = mean(&window);
        let squares: f64 = window.iter().map(|value| (value - centre).powi(2)).sum();
        check_close(row[9], (squares / 23.0).sqrt() / close[bar], "vol", bar);
        check_close(row[10], (volume[bar] / mean(&ending(volume, 20)) + 1.0).ln(), "vol_ratio", bar);
    }
}

#[test]
fn a_flat_stretch_without_volume_gives_finite_neutral_rows() {
    let mut bars = BarSeries::new(hour());
    for index in 0..200 {
        bars.push(Bar::flat(at(index), 0.1).unwrap()).unwrap();
    }
    let matrix = feature_matrix(&FeatureSpec::default(), &bars).unwrap();
    assert_eq!(matrix.rows(), 151);
    assert!(matrix.data.iter().all(|value| value.abs() < 1e-6), "{:?}", matrix.row(199));
}

#[test]
fn a_burst_of_volume_leaves_no_trace_once_it_has_left_the_window() {
    let only_volume = spec(vec![FeatureKind::VolumeRatio { period: 4 }]);
    let mut bars = BarSeries::new(hour());
    let volumes = [1e9, 1e-8, 1e-8, 1e-8, 1e-8, 0.0, 0.0, 0.0, 0.0];
    for (index, volume) in volumes.into_iter().enumerate() {
        bars.push(Bar::new(at(index), 1.0, 1.0, 1.0, 1.0, volume).unwrap()).unwrap();
    }
    let matrix = feature_matrix(&only_volume, &bars).unwrap();
    assert_eq!(matrix.row(4).unwrap()[0], 2f64.ln() as f32);
    assert_eq!(matrix.row(8).unwrap()[0], 0.0);
}

#[test]
fn a_feature_that_overflows_is_an_error_and_never_a_row() {
    let huge = Bar::new(at(0), f64::MAX, f64::MAX, f64::MAX, f64::MAX, f64::MAX).unwrap();
    for (kind, expected) in [
        (FeatureKind::SmaTrend { fast: 2, slow: 3 }, "'trend_2' is NaN"),
        (FeatureKind::VolumeRatio { period: 3 }, "'vol_ratio' is NaN"),
    ] {
        let mut engine = FeatureEngine::new(&spec(vec![kind])).unwrap();
        assert_eq!(engine.push(&huge), Ok(None));
        assert_eq!(engine.push(&huge), Ok(None));
        let error = engine.push(&huge).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn too_few_bars_give_an_empty_matrix() {
    let matrix = feature_matrix(&FeatureSpec::default(), &walk(1, 49)).unwrap();
    assert_eq!((matrix.first_row, matrix.rows(), matrix.row(48)), (49, 0, None));
}

#[test]
fn a_normaliser_of_another_shape_or_scale_is_refused() {
    let matrix = feature_matrix(&FeatureSpec::default(), &walk(1, 60)).unwrap();
    let fit = |width, std, clip| Normaliser { mean: vec![0.0; width], std: vec![std; width], clip };
    assert!(matrix.normalised(&fit(11, 1.0, 5.0)).is_ok());
    for (normaliser, expected) in [
        (fit(10, 1.0, 5.0), "mean has 10 entries: expected 11"),
        (fit(11, 0.0, 5.0), "std of column 0 is 0"),
        (fit(11, f32::NAN, 5.0), "std of column 0 is NaN"),
        (fit(11, 1.0, f32::INFINITY), "clip of column 0 is inf"),
    ] {
        let error = matrix.normalised(&normaliser).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn windows_end_with_their_bar() {
    let spec = FeatureSpec::default();
    let matrix = feature_matrix(&spec, &walk(1, 60)).unwrap();
    let normaliser = Normaliser { mean: vec![0.5; 11], std: vec![2.0; 11], clip: 5.0 };
    let rows = matrix.normalised(&normaliser).unwrap();
    assert_eq!(rows.first_window(3), Some(51));
    assert_eq!(rows.window(50, 3), None);
    assert_eq!(rows.window(60, 3), None);
    let window = rows.window(51, 3).unwrap();
    assert_eq!(window.len(), 33);
    let mut newest = matrix.row(51).unwrap().to_vec();
    normalise_row(&normaliser, &mut newest).unwrap();
    assert_eq!(bits(&window[22..]), bits(&newest));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn stream_and_batch_agree_to_the_bit(seed in any::<u64>(), bars in 40usize..160) {
        let bars = walk(seed, bars);
        let matrix = feature_matrix(&FeatureSpec::default(), &bars).unwrap();
        let mut engine = FeatureEngine::new(&FeatureSpec::default()).unwrap();
        for (index, bar) in bars.iter().enumerate() {
            let streamed = engine.push(&bar).unwrap().map(bits);
            prop_assert_eq!(streamed, matrix.row(index).map(bits));
        }
    }

    #[test]
    fn a_row_depends_on_no_later_bar(seed in any::<u64>(), cut in 60usize..140) {
        let all = feature_matrix(&FeatureSpec::default(), &walk(seed, 150)).unwrap();
        let cut_short = feature_matrix(&FeatureSpec::default(), &walk(seed, 150).slice(0..cut)).unwrap();
        prop_assert_eq!(bits(&cut_short.data), bits(&all.data[..cut_short.data.len()]));
    }

    #[test]
    fn after_the_declared_history_another_start_changes_nothing(seed in any::<u64>(), skip in 1usize..50) {
        let spec = FeatureSpec::default();
        let bars = walk(seed, 400 + skip);
        let full = feature_matrix(&spec, &bars).unwrap();
        let late = feature_matrix(&spec, &bars.slice(skip..bars.len())).unwrap();
        for bar in skip + spec.history_bars()..bars.len() {
            for (a, b) in full.row(bar).unwrap().iter().zip(late.row(bar - skip).unwrap()) {
                // One step of f32 is the rounding of the column, not the feature's memory.
                prop_assert!((a - b).abs() <= 1e-9 + f32::EPSILON * a.abs(), "{} {}", a, b);
            }
        }
    }
}
