//! Where the columns differ from those of the system whose names and scaling they have, and where they don't.

use walkforward_core::{BarSeries, FeatureKind, FeatureSpec};

use super::{columns, one, series, walk};
use crate::features::feature_matrix;

/// Columns of the catalogue that differ, and how. The others are the same to 1e-9.
const DIFFERENT: [(&str, &str); 8] = [
    ("rsi", "Wilder's average instead of a simple one"),
    ("bb_pos", "the population's deviation instead of the sample's"),
    ("macd_line", "averages begin with the mean of their first values instead of the first price"),
    ("macd_signal", "likewise"),
    ("atr", "Wilder's average instead of a simple one"),
    ("stoch_k", "the slow %K instead of the fast one"),
    ("stoch_d", "the average of the slow %K instead of the fast one's, which is our stoch_k"),
    ("obv", "change over a window as a part of its volume instead of a z-score of the running total"),
];

/// `f` of the last `n` values at each bar, NaN where there are fewer or one is NaN.
fn rolling(values: &[f64], n: usize, f: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    let at = |end: usize| if end + 1 < n { f64::NAN } else { f(&values[end + 1 - n..=end]) };
    (0..values.len()).map(at).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Sample standard deviation.
fn deviation(values: &[f64]) -> f64 {
    let centre = mean(values);
    (values.iter().map(|value| (value - centre).powi(2)).sum::<f64>() / (values.len() as f64 - 1.0)).sqrt()
}

/// `tanh` of the z-score of the last of `values` among them.
fn compared(values: &[f64]) -> f64 {
    ((values[values.len() - 1] - mean(values)) / deviation(values)).tanh()
}

/// Exponential average that begins with the first value.
fn exponential(values: &[f64], span: f64) -> Vec<f64> {
    let step = |average: &mut Option<f64>, &value: &f64| {
        let next = average.map_or(value, |average| average + 2.0 / (span + 1.0) * (value - average));
        *average = Some(next);
        *average
    };
    values.iter().scan(None, step).collect()
}

/// Column by column what `f` makes of each bar's index.
fn each(bars: &BarSeries, f: impl Fn(usize) -> f64) -> Vec<f64> {
    (0..bars.len()).map(f).collect()
}

fn true_range(bars: &BarSeries, bar: usize) -> f64 {
    let (high, low) = (bars.highs()[bar], bars.lows()[bar]);
    let Some(before) = bar.checked_sub(1) else { return high - low };
    let before = bars.closes()[before];
    (high - low).max((high - before).abs()).max((low - before).abs())
}

/// The column `name` by the other system's formula, without its fillings.
fn theirs(name: &str, bars: &BarSeries) -> Vec<f64> {
    let (close, volume) = (bars.closes(), bars.volumes());
    let change = |bar: usize, period: usize| {
        bar.checked_sub(period).map_or(f64::NAN, |past| (10.0 * (close[bar] / close[past] - 1.0)).tanh())
    };
    let average = |period: usize| rolling(close, period, mean);
    match name {
        "roc" => each(bars, |bar| change(bar, 12)),
        "rsi" => rolling(close, 15, |window| {
            let changes = window.windows(2).map(|pair| pair[1] - pair[0]);
            let (gain, loss) =
                changes.fold((0.0, 0.0), |(g, l), x| (g + f64::max(x, 0.0), l + f64::max(-x, 0.0)));
            (gain - loss) / (gain + loss)
        }),
        "trend_20" | "trend_50" => {
            let average = average(name[6..].parse().unwrap());
            each(bars, |bar| (10.0 * (close[bar] - average[bar]) / average[bar]).tanh())
        }
        "trend_strength" => {
            let (fast, slow) = (average(20), average(50));
            each(bars, |bar| (20.0 * (fast[bar] - slow[bar]) / slow[bar]).tanh())
        }
        "vol" => rolling(close, 24, |window| deviation(window) / window[23]),
        "vol_norm" => rolling(&theirs("vol", bars), 72, compared),
        "vol_ratio" => rolling(volume, 20, |window| (window[19] / mean(window)).ln_1p()),
        "bb_pos" => rolling(close, 20, |window| {
            (0.5 + (window[19] - mean(window)) / (4.0 * deviation(window))).clamp(0.0, 1.0)
        }),
        "macd_line" | "macd_signal" | "macd_hist" => macd(name, close),
        "atr" => rolling(&rolling(&each(bars, |bar| true_range(bars, bar)), 14, mean), 72, compared),
        "stoch_k" | "stoch_d" => {
            let (high, low) = (rolling(bars.highs(), 14, largest), rolling(bars.lows(), 14, smallest));
            let fast = each(bars, |bar| 2.0 * (close[bar] - low[bar]) / (high[bar] - low[bar]) - 1.0);
            if name == "stoch_k" { fast } else { rolling(&fast, 3, mean) }
        }
        "obv" => rolling(&total_volume(bars), 20, compared),
        "cci" => {
            let typical = each(bars, |bar| (bars.highs()[bar] + bars.lows()[bar] + close[bar]) / 3.0);
            rolling(&typical, 20, |window| {
                let centre = mean(window);
                let spread = window.iter().map(|value| (value - centre).abs()).sum::<f64>() / 20.0;
                ((window[19] - centre) / (0.015 * spread) / 200.0).tanh()
            })
        }
        returns => each(bars, |bar| change(bar, returns[4..].parse().unwrap())),
    }
}

fn largest(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::MIN, f64::max)
}

fn smallest(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::MAX, f64::min)
}

fn macd(name: &str, close: &[f64]) -> Vec<f64> {
    let (fast, slow) = (exponential(close, 12.0), exponential(close, 26.0));
    let line: Vec<f64> = fast.iter().zip(&slow).map(|(fast, slow)| fast - slow).collect();
    let signal = exponential(&line, 9.0);
    let of_bar = |bar: usize| match name {
        "macd_line" => line[bar],
        "macd_signal" => signal[bar],
        _ => line[bar] - signal[bar],
    };
    (0..close.len()).map(|bar| (100.0 * of_bar(bar) / close[bar]).tanh()).collect()
}

fn total_volume(bars: &BarSeries) -> Vec<f64> {
    let (close, volume) = (bars.closes(), bars.volumes());
    let step = |total: &mut f64, bar: usize| {
        let change = if bar == 0 { 0.0 } else { close[bar] - close[bar - 1] };
        *total += if change == 0.0 { 0.0 } else { volume[bar] * change.signum() };
        Some(*total)
    };
    (0..bars.len()).scan(0.0, step).collect()
}

fn worst(ours: &[f64], theirs: &[f64], from: usize) -> f64 {
    ours[from..].iter().zip(&theirs[from..]).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

#[test]
fn the_differences_from_the_system_whose_names_these_are() {
    let bars = walk(11, 900);
    let spec = FeatureSpec::catalogue();
    let ours = columns(&spec, &bars);
    let first = spec.warm_up_bars();
    for (name, ours) in spec.columns().iter().zip(&ours) {
        let theirs = theirs(name, &bars);
        let difference = worst(ours, &theirs, first);
        let is_listed = DIFFERENT.iter().any(|(different, _)| different == name);
        // What lies between is the memory of another first value, which the histogram has, too.
        let is_same = difference <= 1e-9;
        let forgets = name.starts_with("macd") && worst(ours, &theirs, 600) <= 1e-9;
        assert_eq!(
            is_same || (forgets && name == "macd_hist"),
            !is_listed,
            "{name} differs by {difference:e}"
        );
        assert!(forgets || !name.starts_with("macd"), "{name} is the same once the first price is forgotten");
    }
}

#[test]
fn the_differences_are_what_they_are_said_to_be() {
    let bars = walk(12, 900);
    let of = |kind: FeatureKind| columns(&one(kind), &bars);
    let position = &of(FeatureKind::BollingerPosition { period: 20, deviations: 2.0 })[0];
    let wider: Vec<f64> = theirs("bb_pos", &bars);
    let widened = |bar: usize| (0.5 + (wider[bar] - 0.5) * (20f64 / 19.0).sqrt()).clamp(0.0, 1.0);
    assert!(worst(position, &each(&bars, widened), 20) <= 1e-9, "bb_pos is theirs with narrower bands");
    let slow = &of(FeatureKind::Stochastic { period: 14, smooth: 3 })[0];
    assert!(worst(slow, &theirs("stoch_d", &bars), 20) <= 1e-9, "our stoch_k is their stoch_d");
    let ranges = each(&bars, |bar| true_range(&bars, bar));
    let wilder = |average: &mut f64, bar: usize| {
        *average = match bar {
            0..=13 => f64::NAN,
            14 => mean(&ranges[1..=14]),
            _ => (*average * 13.0 + ranges[bar]) / 14.0,
        };
        Some(*average)
    };
    let wilder: Vec<f64> = (0..bars.len()).scan(0.0, wilder).collect();
    let range = &of(FeatureKind::Atr { period: 14, norm: Some(72) })[0];
    assert!(worst(range, &rolling(&wilder, 72, compared), 85) <= 1e-9, "atr is theirs over Wilder's average");
}

#[test]
fn a_market_that_stands_still_is_neutral_where_theirs_has_holes() {
    let mut rows = vec![[7.25, 7.5, 7.0, 7.25, 5.0]; 100];
    rows.resize(1_000, [7.25, 7.25, 7.25, 7.25, 0.0]);
    let bars = series(rows);
    let matrix = feature_matrix(&FeatureSpec::catalogue(), &bars).unwrap();
    for (name, &value) in FeatureSpec::catalogue().columns().iter().zip(matrix.row(999).unwrap()) {
        let neutral = if name == "bb_pos" { 0.5 } else { 0.0 };
        // The true range's average goes on shrinking by a fourteenth each bar, so it is below its mean.
        let expected = if name == "atr" { -0.64..-0.62 } else { neutral - 1e-6..neutral + 1e-6 };
        assert!(expected.contains(&value), "{name} is {value}");
    }
    assert!(theirs("vol_norm", &bars)[999].is_nan() && theirs("stoch_k", &bars)[999].is_nan());
}

#[test]
fn warm_up_rows_are_left_out_where_theirs_are_filled_from_the_future() {
    let spec = FeatureSpec::catalogue();
    let matrix = feature_matrix(&spec, &walk(1, 200)).unwrap();
    assert_eq!((matrix.first_row, matrix.rows(), matrix.row(93)), (94, 106, None));
    assert!(spec.columns().iter().all(|name| !name.ends_with('h') || name == "trend_strength"));
}
