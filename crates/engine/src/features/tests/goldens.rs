//! Features and windows against values that the reference implementation of TA-Lib computed on real bars.

use std::path::Path;

use walkforward_core::{BarSeries, FeatureKind};

use super::{SHARED, columns, one, series, shared_folder_is_there};
use crate::features::tail::BLOCK;
use crate::features::window::Windows;

const FOLDER: &str = "goldens/indicators";
/// Relative tolerance of a cell.
const RELATIVE: f64 = 1e-9;
/// Absolute tolerance of a column, whose scale is 1: differences of prices are good to 1e-12 of the price, and MACD's
/// columns are a hundred times such a difference.
const ABSOLUTE: f64 = 1e-10;

type Cells = Vec<Option<f64>>;

struct Golden {
    bars: BarSeries,
    names: Vec<String>,
    rows: Vec<Cells>,
}

fn read(name: &str) -> (Vec<String>, Vec<Cells>) {
    let text = std::fs::read_to_string(Path::new(SHARED).join(FOLDER).join(name)).unwrap();
    let names = text.lines().next().unwrap().split(',').skip(1).map(str::to_owned).collect();
    let cells = |line: &str| line.split(',').skip(1).map(|cell| cell.trim().parse().ok()).collect();
    (names, text.lines().skip(1).map(cells).collect())
}

impl Golden {
    fn load() -> Self {
        let (_, bars) = read("btcusd_1h_2017-09.bars.csv");
        let row = |cells: Cells| std::array::from_fn(|index| cells[index].unwrap());
        let (names, rows) = read("btcusd_1h_2017-09.talib.csv");
        Self { bars: series(bars.into_iter().map(row)), names, rows }
    }

    fn column(&self, name: &str) -> Cells {
        let index = self.names.iter().position(|column| column == name).unwrap();
        self.rows.iter().map(|row| row[index]).collect()
    }

    /// Compares the first columns of `kind` with `expected`, empty cells included.
    fn check(&self, kind: FeatureKind, expected: &[Cells]) {
        let spec = one(kind.clone());
        for (column, expected) in columns(&spec, &self.bars).iter().zip(expected) {
            let values = column.iter().enumerate();
            let values = values.map(|(bar, &value)| (bar >= spec.warm_up_bars()).then_some(value));
            agree(&format!("{kind:?}"), &values.collect::<Cells>(), expected);
        }
    }

    /// Golden columns that `formula` turns into the feature's: it is given the bar and the cells.
    fn derived<const N: usize>(&self, names: [&str; N], formula: impl Fn(usize, [f64; N]) -> f64) -> Cells {
        let inputs = names.map(|name| self.column(name));
        let cells = |bar: usize| {
            let mut cells = [0.0; N];
            for (cell, input) in cells.iter_mut().zip(&inputs) {
                *cell = input[bar]?;
            }
            Some(formula(bar, cells))
        };
        (0..self.bars.len()).map(cells).collect()
    }
}

fn agree(what: &str, actual: &[Option<f64>], expected: &[Option<f64>]) {
    let mut compared = 0;
    for (bar, (actual, expected)) in actual.iter().zip(expected).enumerate() {
        assert_eq!(actual.is_some(), expected.is_some(), "{what} at {bar}");
        let (Some(actual), Some(expected)) = (actual, expected) else { continue };
        let error = (actual - expected).abs();
        assert!(
            error <= RELATIVE * expected.abs() + ABSOLUTE,
            "{what} at {bar}: {actual}, golden {expected}"
        );
        compared += 1;
    }
    assert!(compared > 540, "{what} was compared at {compared} bars only");
}

#[test]
fn windows_agree_with_the_reference_indicators_shared_data() {
    if !shared_folder_is_there("windows_agree_with_the_reference_indicators_shared_data") {
        return;
    }
    let golden = Golden::load();
    let check = |values: &[f64], period: usize, mean: &str, deviation: Option<&str>| {
        let (mut means, mut squares) = (vec![], vec![]);
        let mut windows = Windows::new(0, period as u32);
        for values in values.chunks(BLOCK) {
            let (mut mean, mut square) = (vec![0.0; values.len()], vec![0.0; values.len()]);
            windows.extend(values);
            windows.moments(period as u32, &mut mean, &mut square);
            means.extend(mean);
            squares.extend(square);
        }
        let defined = |values: Vec<f64>| -> Cells {
            values.into_iter().enumerate().map(|(bar, x)| (bar + 1 >= period).then_some(x)).collect()
        };
        agree(mean, &defined(means), &golden.column(mean));
        let deviations = squares.into_iter().map(|square| (square / period as f64).sqrt()).collect();
        if let Some(deviation) = deviation {
            agree(deviation, &defined(deviations), &golden.column(deviation));
        }
    };
    check(golden.bars.closes(), 20, "sma_20", Some("stddev_close_20"));
    check(golden.bars.closes(), 50, "sma_50", None);
    check(golden.bars.volumes(), 20, "sma_volume_20", Some("stddev_volume_20"));
}

#[test]
fn features_of_the_close_agree_with_the_reference_indicators_shared_data() {
    if !shared_folder_is_there("features_of_the_close_agree_with_the_reference_indicators_shared_data") {
        return;
    }
    let golden = Golden::load();
    let closes = golden.bars.closes();
    golden.check(
        FeatureKind::Rsi { period: 14 },
        &[golden.derived(["rsi_14"], |_, [rsi]| (rsi - 50.0) / 50.0)],
    );
    let distance = |bar: usize, average: f64| (10.0 * (closes[bar] / average - 1.0)).tanh();
    let fast = golden.derived(["sma_20", "sma_50"], |bar, [fast, _]| distance(bar, fast));
    let slow = golden.derived(["sma_20", "sma_50"], |bar, [_, slow]| distance(bar, slow));
    golden.check(FeatureKind::SmaTrend { fast: 20, slow: 50 }, &[fast, slow]);
    let strength = |_, [fast, slow]: [f64; 2]| (20.0 * (fast / slow - 1.0)).tanh();
    let strength = golden.derived(["sma_20", "sma_50"], strength);
    golden.check(FeatureKind::TrendStrength { fast: 20, slow: 50 }, &[strength]);
    // The golden deviation is the population's, the feature's the sample's.
    let sample = |bar: usize, [deviation]: [f64; 1]| deviation * (20f64 / 19.0).sqrt() / closes[bar];
    let volatility = golden.derived(["stddev_close_20"], sample);
    golden.check(FeatureKind::Volatility { period: 20, norm: None }, &[volatility]);
    let position =
        |bar: usize, [upper, lower]: [f64; 2]| ((closes[bar] - lower) / (upper - lower)).clamp(0.0, 1.0);
    let position = golden.derived(["bb_upper", "bb_lower"], position);
    golden.check(FeatureKind::BollingerPosition { period: 20, deviations: 2.0 }, &[position]);
    let part = |bar: usize, [x]: [f64; 1]| (100.0 * x / closes[bar]).tanh();
    let lines = ["macd", "macd_signal", "macd_hist"].map(|name| golden.derived([name], part));
    golden.check(FeatureKind::Macd { fast: 12, slow: 26, signal: 9 }, &lines);
    let change = golden.derived(["roc_10"], |_, [roc]| (roc / 10.0).tanh());
    golden.check(FeatureKind::Roc { period: 10 }, std::slice::from_ref(&change));
    golden.check(FeatureKind::Returns { periods: vec![10] }, &[change]);
}

#[test]
fn features_of_ranges_and_volumes_agree_with_the_reference_indicators_shared_data() {
    if !shared_folder_is_there(
        "features_of_ranges_and_volumes_agree_with_the_reference_indicators_shared_data",
    ) {
        return;
    }
    let golden = Golden::load();
    let (closes, volumes) = (golden.bars.closes(), golden.bars.volumes());
    let range = golden.derived(["atr_14"], |bar, [range]| range / closes[bar]);
    golden.check(FeatureKind::Atr { period: 14, norm: None }, &[range]);
    let cci = golden.derived(["cci_20"], |_, [cci]| (cci / 200.0).tanh());
    golden.check(FeatureKind::Cci { period: 20 }, &[cci]);
    let stochastic = ["stoch_k", "stoch_d"].map(|name| golden.derived([name], |_, [x]| x / 50.0 - 1.0));
    golden.check(FeatureKind::Stochastic { period: 14, smooth: 3 }, &stochastic);
    let ratio =
        |bar: usize, [mean]: [f64; 1]| if volumes[bar] > 0.0 { (volumes[bar] / mean).ln_1p() } else { 0.0 };
    let ratio = golden.derived(["sma_volume_20"], ratio);
    golden.check(FeatureKind::VolumeRatio { period: 20 }, &[ratio]);
    let obv = golden.column("obv");
    let share = |bar: usize| {
        let change = obv[bar]? - obv[bar.checked_sub(20)?]?;
        Some(change / volumes[bar - 19..=bar].iter().sum::<f64>())
    };
    let share: Cells = (0..volumes.len()).map(share).collect();
    golden.check(FeatureKind::Obv { norm: 20 }, &[share]);
}
