//! The indicators against values that the reference implementation of TA-Lib computed on real bars.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::path::Path;

use walkforward_core::{Bar, BarSeries, FeatureKind, FeatureSpec};
use walkforward_engine::{FeatureMatrix, feature_matrix};

const GOLDENS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/goldens/indicators");

struct Golden {
    bars: BarSeries,
    names: Vec<String>,
    rows: Vec<Vec<Option<f64>>>,
}

fn cells(line: &str) -> Vec<Option<f64>> {
    line.split(',').skip(1).map(|cell| cell.trim().parse().ok()).collect()
}

fn read(name: &str) -> String {
    std::fs::read_to_string(Path::new(GOLDENS).join(name)).unwrap()
}

fn load() -> Golden {
    let mut bars = BarSeries::new("1h".parse().unwrap());
    for line in read("btcusd_1h_2017-09.bars.csv").lines().skip(1) {
        let time = line.split(',').next().unwrap().parse().unwrap();
        let values: Vec<f64> = cells(line).into_iter().map(Option::unwrap).collect();
        let bar = Bar::new(time, values[0], values[1], values[2], values[3], values[4]).unwrap();
        bars.push(bar).unwrap();
    }
    let text = read("btcusd_1h_2017-09.talib.csv");
    let names = text.lines().next().unwrap().split(',').skip(1).map(str::to_owned).collect();
    Golden { bars, names, rows: text.lines().skip(1).map(cells).collect() }
}

impl Golden {
    fn cell(&self, name: &str, bar: usize) -> Option<f64> {
        let column = self.names.iter().position(|column| column == name).unwrap();
        self.rows[bar][column]
    }

    fn matrix(&self, kind: FeatureKind) -> FeatureMatrix {
        feature_matrix(&FeatureSpec::new(vec![kind]).unwrap(), &self.bars).unwrap()
    }

    /// Compares a column with `expected(bar)`, empty cells included, to the rounding of the f32 column.
    fn check(&self, kind: FeatureKind, column: usize, expected: impl Fn(usize) -> Option<f64>) {
        let matrix = self.matrix(kind.clone());
        let mut compared = 0;
        for bar in 0..self.bars.len() {
            let actual = matrix.row(bar).map(|row| row[column]);
            match (actual, expected(bar)) {
                (None, None) => {}
                (Some(actual), Some(expected)) => {
                    let tolerance = f64::from(f32::EPSILON) * expected.abs() + 1e-9;
                    let error = (f64::from(actual) - expected).abs();
                    assert!(error <= tolerance, "{kind:?} at {bar}: {actual}, golden {expected}");
                    compared += 1;
                }
                (actual, golden) => panic!("{kind:?} at {bar}: {actual:?}, golden {golden:?}"),
            }
        }
        assert!(compared > 500, "{kind:?} was compared at {compared} bars only");
    }
}

#[test]
fn features_agree_with_the_reference_indicators_shared_data() {
    eprintln!("shared data test: features_agree_with_the_reference_indicators_shared_data");
    if !Path::new(GOLDENS).is_dir() {
        eprintln!("skipped: {GOLDENS} is not there");
        return;
    }
    let golden = load();
    let closes = golden.bars.closes().to_vec();
    let volumes = golden.bars.volumes().to_vec();
    assert_eq!(closes.len(), 600);

    golden.check(FeatureKind::Rsi { period: 14 }, 0, |bar| {
        golden.cell("rsi_14", bar).map(|rsi| (rsi - 50.0) / 50.0)
    });
    let trend = FeatureKind::SmaTrend { fast: 20, slow: 50 };
    let both = |bar| golden.cell("sma_20", bar).zip(golden.cell("sma_50", bar));
    let distance = |bar: usize, average: f64| (10.0 * (closes[bar] / average - 1.0)).tanh();
    golden.check(trend.clone(), 0, |bar| both(bar).map(|(fast, _)| distance(bar, fast)));
    golden.check(trend, 1, |bar| both(bar).map(|(_, slow)| distance(bar, slow)));
    golden.check(FeatureKind::TrendStrength { fast: 20, slow: 50 }, 0, |bar| {
        both(bar).map(|(fast, slow)| (20.0 * (fast / slow - 1.0)).tanh())
    });
    // The golden deviation is the population's, the feature's the sample's.
    golden.check(FeatureKind::Volatility { period: 20 }, 0, |bar| {
        let population = golden.cell("stddev_close_20", bar)?;
        Some(population * (20f64 / 19.0).sqrt() / closes[bar])
    });
    golden.check(FeatureKind::VolumeRatio { period: 20 }, 0, |bar| {
        let mean = golden.cell("sma_volume_20", bar)?;
        Some(if volumes[bar] > 0.0 { (volumes[bar] / mean).ln_1p() } else { 0.0 })
    });
}
