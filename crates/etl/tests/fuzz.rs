//! Readers of files from outside survive damaged ones: an error that names the file, no panic, bounded memory.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../core/tests/support/mutate.rs"]
mod mutate;

use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mutate::fuzz;
use twox_hash::XxHash64;
use walkforward_core::{
    AbsentMeans, Bar, BarRequest, BarSeries, DataSource, ManualClock, Timeframe, Timestamp, Window,
};
use walkforward_etl::{
    BarCache, CacheKey, Cached, CsvOptions, CsvSource, Error, ParquetOptions, ParquetSource, ReplaySource,
    write_csv, write_parquet,
};

const BARS: usize = 300;

/// One target at a time: each measures the memory of the whole process. What the Parquet reader does with malformed
/// bytes is caught, and would fill the output.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    let guard = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    std::panic::set_hook(Box::new(|panic| {
        if panic
            .location()
            .is_some_and(|place| place.file().contains("walkforward") || place.file().starts_with("crates"))
        {
            let _ = writeln!(std::io::stderr(), "{panic}");
        }
    }));
    guard
}

fn bars() -> BarSeries {
    let mut bars = BarSeries::new(Timeframe::MINUTE);
    for minute in 0..BARS {
        let price = 100.0 + (minute as f64 * 0.7).sin();
        let time = Timestamp::EPOCH.plus_millis(1_704_067_200_000 + minute as i64 * 60_000);
        bars.push(Bar::new(time, price, price + 1.0, price - 1.0, price + 0.25, 0.5).unwrap()).unwrap();
    }
    bars
}

fn request() -> BarRequest {
    BarRequest { timeframe: Some(Timeframe::MINUTE), ..BarRequest::new("BTC/USD".parse().unwrap(), BARS) }
}

fn check(path: &Path, answer: Result<walkforward_core::SourceBars, Error>) {
    match answer {
        Ok(answer) => assert!(!answer.bars.is_empty() && answer.bars.last_close_time() <= Some(answer.as_of)),
        Err(error) => assert!(error.to_string().contains(path.to_str().unwrap()), "{error}"),
    }
}

#[test]
fn damaged_csv_files_are_read_or_refused() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bars.csv");
    write_csv(&bars(), &path).unwrap();
    let own = std::fs::read(&path).unwrap();
    let corpus: Vec<Vec<u8>> = [
        "Timestamps are UTC,https://x\ndate,symbol,open,high,low,close,volume_btc,volume\n2019-10-17 09-AM,BTCUSD,10,12,9,11,1.5,17\n2019-10-17 08-AM,BTCUSD,9,12,9,10,1.5,17\n",
        "1546300800000,10,11,12,9,1.5\n1546300860000,11,10,12,9,1.5\n1546300920000,11,10,13,9,1.5\n",
        "date,time,open,high,low,close,volume\n2024.01.02,15:00,10,12,9,11,1\n2024.01.02,15:01,10,12,9,11,\"2\"\n",
        "\u{feff}Date,Open,High,Low,Close,Volume\r\n2020-01-01 00:00:00+00:00,10,12,9,11,1e-8\r\n2020-01-02 00:00:00+00:00,10,12,9,11,1",
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .chain([own])
    .collect();
    let options = CsvOptions { max_rejected_rows: 3, ..CsvOptions::default() };
    let runs = fuzz(&corpus, |input| {
        std::fs::write(&path, input).unwrap();
        check(
            &path,
            CsvSource::new(&path, options.clone()).read(&BarRequest { timeframe: None, ..request() }),
        );
    });
    assert!(runs > 100, "{runs} inputs");
}

#[test]
fn damaged_parquet_files_are_read_or_refused() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bars.parquet");
    write_parquet(&bars(), &path).unwrap();
    let own = std::fs::read(&path).unwrap();
    let pandas = include_bytes!("data/pandas_hours.parquet").to_vec();
    let options = ParquetOptions { max_rejected_rows: 3, ..ParquetOptions::default() };
    let runs = fuzz(&[own, pandas], |input| {
        std::fs::write(&path, input).unwrap();
        let request = BarRequest { timeframe: None, ..request() };
        check(&path, ParquetSource::new(&path, options.clone()).read(&request));
    });
    assert!(runs > 100, "{runs} inputs");
}

/// The only file in `folder` whose name ends so.
fn file_in(folder: &Path, end: &str) -> std::path::PathBuf {
    let mut paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.find(|path| path.to_string_lossy().ends_with(end)).unwrap()
}

/// Segments whose hash is right and whose bytes are not, and manifests of any kind.
#[test]
fn damaged_caches_are_refused_by_name() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let bars = bars();
    let now = bars.last_close_time().unwrap();
    let cache = BarCache::new(dir.path());
    let source = ReplaySource::new(bars.clone(), AbsentMeans::Missing, now);
    let cached = Cached::new(source, "fuzz", cache.clone(), Arc::new(ManualClock::at(now)));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(cached.bars(&request())).unwrap();
    let folder = dir.path().join("fuzz/BTC-USD/1m");
    let (manifest, segment) = (folder.join("manifest.json"), file_in(&folder, ".parquet"));
    let (listed, bytes) = (std::fs::read_to_string(&manifest).unwrap(), std::fs::read(&segment).unwrap());
    let key = CacheKey::new("fuzz", "BTC/USD".parse().unwrap(), Timeframe::MINUTE).unwrap();
    let window = Window::new(Timestamp::EPOCH, now).unwrap();
    let hash = |bytes: &[u8]| format!("{:016x}", XxHash64::oneshot(0, bytes));
    let read = || match cache.bars_as_known_at(&key, window, now) {
        Ok(read) => assert!(read.len() <= BARS),
        Err(error) => assert!(
            error.to_string().contains(dir.path().to_str().unwrap())
                || error.to_string().contains("BTC/USD 1m"),
            "{error}"
        ),
    };
    let segments = fuzz(std::slice::from_ref(&bytes), |input| {
        let path = folder.join(format!("segment-00000001-{}.parquet", hash(input)));
        std::fs::write(&path, input).unwrap();
        std::fs::write(&manifest, listed.replace(&hash(&bytes), &hash(input))).unwrap();
        read();
        if path != segment {
            std::fs::remove_file(&path).unwrap();
        }
    });
    let manifests = fuzz(&[listed.clone().into_bytes()], |input| {
        std::fs::write(&manifest, input).unwrap();
        read();
    });
    assert!(segments > 100 && manifests > 100, "{segments} segments, {manifests} manifests");
}
