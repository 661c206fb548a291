//! A CSV file of five years of minutes to checked bars, and on to a dataset with features.

use std::fmt::Write as _;
use std::hint::black_box;
use std::path::PathBuf;
use std::sync::Arc;

use walkforward_core::{
    BarRequest, CancelToken, DatasetBuilder, DatasetRequest, ManualClock, NoProgress, StageContext, Timestamp,
};
use walkforward_engine::feature_matrix;
use walkforward_etl::{CsvOptions, CsvSource, EtlConfig, EtlPipeline};

use crate::process::{peak_rss_mib, thread_cpu_seconds};
use crate::shared::{features, uniform};

/// Five years of minutes.
const ROWS: usize = 2_628_000;
/// Runs, of which the fastest counts.
const RUNS: usize = 3;
/// 2020-01-01T00:00:00Z.
const START_MS: i64 = 1_577_836_800_000;
/// Where the file lies, so that `benches/etl_peers.py` reads the same.
const FILE: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/etl-bars-2628000.csv");

/// A JSON line: rows read, checked and put in order in a second of processor time.
pub(crate) fn run() -> Vec<String> {
    let path = file();
    let source = CsvSource::new(&path, CsvOptions::default());
    let request = BarRequest::new("BTC/USD".parse().expect("a symbol"), usize::MAX);
    let (mut seconds, mut checksum) = (f64::INFINITY, 0.0);
    for _ in 0..RUNS {
        let start = thread_cpu_seconds();
        let answer = source.read(&request).expect("a file of bars");
        seconds = seconds.min(thread_cpu_seconds() - start);
        assert_eq!(answer.bars.len(), ROWS);
        checksum = answer.bars.closes().iter().sum();
    }
    vec![format!(
        "{{\"name\": \"csv\", \"rows\": {ROWS}, \"bytes\": {}, \"cpu_seconds\": {seconds:.4}, \
         \"rows_per_cpu_s\": {:.0}, \"peak_rss_mib\": {:.0}, \"checksum\": {checksum:.2}}}",
        path.metadata().map_or(0, |metadata| metadata.len()),
        ROWS as f64 / seconds,
        peak_rss_mib(),
    )]
}

/// A JSON line: the whole way from the file to feature rows, and the most memory that it took.
pub(crate) fn run_dataset() -> Vec<String> {
    let source = Arc::new(CsvSource::new(file(), CsvOptions::default()));
    let pipeline = EtlPipeline::new(source, EtlConfig::default());
    let features = features();
    let columns = features.width();
    let request = DatasetRequest {
        symbol: "BTC/USD".parse().expect("a symbol"),
        timeframe: None,
        as_of: None,
        window_bars: ROWS - features.history_bars(),
        holdout_bars: ROWS / 20,
        embargo_bars: 0,
        features,
    };
    let context = StageContext {
        clock: Arc::new(ManualClock::at(Timestamp::EPOCH)),
        progress: Arc::new(NoProgress),
        cancel: CancelToken::default(),
        work_dir: PathBuf::new(),
    };
    let start = thread_cpu_seconds();
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let dataset = runtime.block_on(pipeline.build(&request, &context)).expect("a dataset");
    let matrix = feature_matrix(&dataset.feature_spec, &dataset.bars).expect("finite features");
    let seconds = thread_cpu_seconds() - start;
    black_box(matrix);
    vec![format!(
        "{{\"name\": \"dataset\", \"rows\": {}, \"columns\": {columns}, \"cpu_seconds\": {seconds:.4}, \
         \"rows_per_cpu_s\": {:.0}, \"peak_rss_mib\": {:.0}}}",
        dataset.bars.len(),
        ROWS as f64 / seconds,
        peak_rss_mib(),
    )]
}

/// The file, made once: a random walk from 20,000 in cents, volumes with eight decimals.
fn file() -> PathBuf {
    let path = PathBuf::from(FILE);
    if path.exists() {
        return path;
    }
    let mut text = String::with_capacity(ROWS * 90);
    text.push_str("open_time,open,high,low,close,volume\n");
    let mut close = 20_000.0;
    for index in 0..ROWS {
        let time = Timestamp::EPOCH.plus_millis(START_MS + index as i64 * 60_000).to_string();
        let open = close;
        close = cents(close * (1.0 + 0.002 * (uniform(index, 0) - 0.5)));
        let high = cents(f64::max(open, close) * (1.0 + 0.0005 * uniform(index, 1)));
        let low = cents(f64::min(open, close) * (1.0 - 0.0005 * uniform(index, 2)));
        let volume = 10.0 * uniform(index, 3);
        let (high, low) = (high.max(open).max(close), low.min(open).min(close));
        let _ = writeln!(
            text,
            "{} {}+00:00,{open:.2},{high:.2},{low:.2},{close:.2},{volume:.8}",
            &time[..10],
            &time[11..19]
        );
    }
    walkforward_durable::write_atomic(&path, text.as_bytes()).expect("room for the file");
    path
}

fn cents(price: f64) -> f64 {
    (price * 100.0).round() / 100.0
}
