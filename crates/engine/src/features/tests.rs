//! Features before they are rounded to `f32`: on real files, on wild series, and beside TA-Lib.

mod cuts;
mod differences;
mod files;
mod goldens;
mod history;
mod windows;

use walkforward_core::{Bar, BarSeries, FeatureKind, FeatureSpec, Timeframe, Timestamp};

use super::column::BarBlock;
use super::{BLOCK, FeatureEngine};

/// Folder of the data that all parts of the project share.
const SHARED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared");

/// Says that a test reads the shared folder; false where there is none.
fn shared_folder_is_there(test: &str) -> bool {
    eprintln!("shared data test: {test}");
    let found = std::path::Path::new(SHARED).is_dir();
    if !found {
        eprintln!("skipped: {SHARED} is not there");
    }
    found
}

fn at(index: usize) -> Timestamp {
    Timestamp::EPOCH.plus_millis(index as i64 * Timeframe::MINUTE.millis())
}

/// Bars of `[open, high, low, close, volume]`, a minute each.
fn series(rows: impl IntoIterator<Item = [f64; 5]>) -> BarSeries {
    let mut bars = BarSeries::new(Timeframe::MINUTE);
    for (index, [open, high, low, close, volume]) in rows.into_iter().enumerate() {
        bars.push(Bar::new(at(index), open, high, low, close, volume).unwrap()).unwrap();
    }
    bars
}

/// Uniform numbers in 0..1.
fn uniform(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed;
    move || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// A walk in steps of up to 1.5 %, every seventh bar without volume.
fn walk(seed: u64, bars: usize) -> BarSeries {
    let mut next = uniform(seed);
    let mut close = 100.0;
    series((0..bars).map(|index| {
        let open: f64 = close;
        close *= 1.0 + 0.03 * (next() - 0.5);
        let (high, low) = (open.max(close) * (1.0 + 0.01 * next()), open.min(close) * (1.0 - 0.01 * next()));
        [open, high, low, close, if index % 7 == 3 { 0.0 } else { 1_000.0 * next() }]
    }))
}

/// Stretches of flat bars without volume, of ordinary ones, of bursts of volume, and of prices that change by factors
/// of up to a million.
fn wild(seed: u64, bars: usize) -> BarSeries {
    let mut next = uniform(seed);
    let (mut close, mut left, mut mood) = (1_000.0_f64, 0, 0);
    series((0..bars).map(|_| {
        if left == 0 {
            (left, mood) = (1 + (80.0 * next()) as usize, (4.0 * next()) as usize);
        }
        left -= 1;
        let open = close;
        match mood {
            0 => return [open, open, open, open, 0.0],
            1 => close *= 10f64.powf(12.0 * next() - 6.0),
            _ => close *= 1.0 + 0.01 * (next() - 0.5),
        }
        close = close.clamp(1e-9, 1e12);
        let volume = if mood == 2 { 10f64.powf(20.0 * next() - 10.0) } else { next() };
        [open, open.max(close), open.min(close), close, volume]
    }))
}

/// The columns of `bars`, `[width][bars]`, computed in blocks of the given lengths, over and over.
fn columns_in_blocks(spec: &FeatureSpec, bars: &BarSeries, lengths: &[usize]) -> Vec<Vec<f64>> {
    let mut engine = FeatureEngine::new(spec).unwrap();
    let mut columns = vec![Vec::with_capacity(bars.len()); spec.width()];
    let (mut start, mut lengths) = (0, lengths.iter().cycle());
    while start < bars.len() {
        let end = (start + lengths.next().unwrap()).min(bars.len());
        engine.compute(BarBlock::of(bars, start..end), &bars.open_times()[start..end]).unwrap();
        for (column, values) in columns.iter_mut().zip(engine.values.chunks_exact(end - start)) {
            column.extend_from_slice(values);
        }
        start = end;
    }
    columns
}

fn columns(spec: &FeatureSpec, bars: &BarSeries) -> Vec<Vec<f64>> {
    columns_in_blocks(spec, bars, &[BLOCK])
}

fn one(kind: FeatureKind) -> FeatureSpec {
    FeatureSpec::new(vec![kind]).unwrap()
}

/// The catalogue, and beside it the kinds in their other forms and with other periods.
fn every_form() -> Vec<FeatureKind> {
    let mut kinds = FeatureKind::catalogue();
    kinds.extend([
        FeatureKind::Returns { periods: vec![7, 1] },
        FeatureKind::Rsi { period: 2 },
        FeatureKind::SmaTrend { fast: 64, slow: 3 },
        FeatureKind::TrendStrength { fast: 2, slow: 127 },
        FeatureKind::Volatility { period: 2, norm: None },
        FeatureKind::Volatility { period: 31, norm: Some(2) },
        FeatureKind::VolumeRatio { period: 33 },
        FeatureKind::BollingerPosition { period: 7, deviations: 0.5 },
        FeatureKind::Macd { fast: 2, slow: 3, signal: 2 },
        FeatureKind::Atr { period: 5, norm: None },
        FeatureKind::Atr { period: 2, norm: Some(16) },
        FeatureKind::Stochastic { period: 2, smooth: 5 },
        FeatureKind::Obv { norm: 1 },
        FeatureKind::Roc { period: 1 },
        FeatureKind::Cci { period: 2 },
    ]);
    kinds
}
