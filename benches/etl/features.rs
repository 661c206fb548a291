//! All 13 kinds of features, 18 columns, over five years of minutes, by one thread.

use std::hint::black_box;

use walkforward_core::{Bar, BarSeries, Timeframe, Timestamp};
use walkforward_engine::{FeatureEngine, feature_matrix};

use crate::process::{peak_rss_mib, thread_cpu_seconds};
use crate::shared::{features, uniform};

/// Five years of minutes.
const ROWS: usize = 2_628_000;
/// Bars of the stream that is measured beside the batch.
const STREAMED_ROWS: usize = 262_800;
/// Runs, of which the fastest counts.
const RUNS: usize = 3;

/// A JSON line for the batch and one for the stream.
///
/// `benches/etl_peers.py` makes the same bars and computes the same columns; `last_row` tells whether it did.
pub(crate) fn run() -> Vec<String> {
    let bars = bars();
    let spec = features();
    let mut seconds = f64::INFINITY;
    let mut last_row = vec![];
    for _ in 0..RUNS {
        let start = thread_cpu_seconds();
        let matrix = feature_matrix(&spec, &bars).expect("finite features");
        seconds = seconds.min(thread_cpu_seconds() - start);
        last_row = black_box(&matrix).row(ROWS - 1).unwrap_or_default().to_vec();
    }
    let batch = line("features", ROWS, &last_row, seconds);
    let start = thread_cpu_seconds();
    let mut engine = FeatureEngine::new(&spec).expect("a specification");
    for index in 0..STREAMED_ROWS {
        let row = engine.push(&bars.bar(index)).expect("finite features");
        last_row = black_box(row).unwrap_or_default().to_vec();
    }
    vec![batch, line("features_streamed", STREAMED_ROWS, &last_row, thread_cpu_seconds() - start)]
}

fn line(name: &str, rows: usize, last_row: &[f32], seconds: f64) -> String {
    format!(
        "{{\"name\": \"{name}\", \"rows\": {rows}, \"columns\": {}, \"cpu_seconds\": {seconds:.4}, \
         \"rows_per_cpu_s\": {:.0}, \"peak_rss_mib\": {:.0}, \"last_row\": {last_row:?}}}",
        last_row.len(),
        rows as f64 / seconds,
        peak_rss_mib(),
    )
}

/// A random walk from 20,000 in steps of at most 0.1 %; every fiftieth minute trades nothing.
fn bars() -> BarSeries {
    let mut bars = BarSeries::with_capacity(Timeframe::MINUTE, ROWS);
    let mut close = 20_000.0;
    for index in 0..ROWS {
        let open: f64 = close;
        close *= 1.0 + 0.002 * (uniform(index, 0) - 0.5);
        let high = open.max(close) * (1.0 + 0.0005 * uniform(index, 1));
        let low = open.min(close) * (1.0 - 0.0005 * uniform(index, 2));
        let volume = if index % 50 == 0 { 0.0 } else { 10.0 * uniform(index, 3) };
        let time = Timestamp::EPOCH.plus_millis(index as i64 * Timeframe::MINUTE.millis());
        bars.push(Bar::new(time, open, high, low, close, volume).expect("a bar")).expect("ascending bars");
    }
    bars
}
