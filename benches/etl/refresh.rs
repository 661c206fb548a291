//! A cached year of minutes, refreshed with each new hour.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use async_trait::async_trait;
use walkforward_core::{
    AbsentMeans, Bar, BarRequest, BarSeries, Clock, DataSource, ManualClock, SourceBars, SourceError,
    Timeframe, Timestamp,
};
use walkforward_etl::{BarCache, Cached, ReplaySource};

use crate::process::{peak_rss_mib, thread_cpu_seconds};
use crate::shared::uniform;

/// A year of minutes.
const YEAR: usize = 525_600;
/// Minutes that are new at a refresh.
const HOUR: usize = 60;
/// Refreshes that are measured.
const REFRESHES: usize = 24;
const FOLDER: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/etl-refresh");

/// Counts the requests that reach a source which has every bar in memory.
struct Counting {
    source: ReplaySource,
    requests: AtomicUsize,
}

#[async_trait]
impl DataSource for &Counting {
    async fn bars(&self, request: &BarRequest) -> Result<SourceBars, SourceError> {
        self.requests.fetch_add(1, Ordering::SeqCst);
        self.source.bars(request).await
    }
}

/// A JSON line: requests and time of one refresh, the window's bars in the answer.
pub(crate) fn run() -> Vec<String> {
    let folder = PathBuf::from(FOLDER);
    let _ = std::fs::remove_dir_all(&folder);
    let bars = bars(YEAR + HOUR * REFRESHES);
    let end = bars.last_close_time().expect("bars");
    let inner = Counting {
        source: ReplaySource::new(bars, AbsentMeans::Missing, end),
        requests: AtomicUsize::new(0),
    };
    let clock = Arc::new(ManualClock::at(minute(YEAR)));
    let cached = Cached::new(&inner, "bench", BarCache::new(&folder), clock.clone());
    let request = BarRequest {
        timeframe: Some(Timeframe::MINUTE),
        ..BarRequest::new("BTC/USD".parse().expect("a symbol"), YEAR)
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let ask = || runtime.block_on(cached.bars(&request)).expect("bars");
    ask();
    let first = inner.requests.swap(0, Ordering::SeqCst);
    let (mut wall_ms, mut cpu_ms) = (Vec::new(), Vec::new());
    for refresh in 1..=REFRESHES {
        clock.set(minute(YEAR + refresh * HOUR));
        let (wall, cpu) = (Instant::now(), thread_cpu_seconds());
        let answer = ask();
        wall_ms.push(wall.elapsed().as_secs_f64() * 1e3);
        cpu_ms.push((thread_cpu_seconds() - cpu) * 1e3);
        assert_eq!((answer.bars.len(), answer.bars.last_close_time()), (YEAR, Some(clock.now())));
    }
    let requests = inner.requests.load(Ordering::SeqCst);
    vec![format!(
        "{{\"name\": \"refresh\", \"bars\": {YEAR}, \"new_bars\": {HOUR}, \"refreshes\": {REFRESHES}, \
         \"requests_of_the_first\": {first}, \"requests_per_refresh\": {}, \"wall_ms_p50\": {:.1}, \
         \"wall_ms_max\": {:.1}, \"cpu_ms_p50\": {:.1}, \"cache_bytes\": {}, \"peak_rss_mib\": {:.0}}}",
        requests as f64 / REFRESHES as f64,
        middle(&mut wall_ms),
        wall_ms.iter().copied().fold(0.0, f64::max),
        middle(&mut cpu_ms),
        bytes_below(&folder),
        peak_rss_mib(),
    )]
}

fn minute(index: usize) -> Timestamp {
    Timestamp::EPOCH.plus_millis(1_577_836_800_000 + index as i64 * 60_000)
}

fn bars(count: usize) -> BarSeries {
    let mut bars = BarSeries::with_capacity(Timeframe::MINUTE, count);
    let mut close = 20_000.0_f64;
    for index in 0..count {
        let open = close;
        close = (close * (1.0 + 0.002 * (uniform(index, 0) - 0.5)) * 100.0).round() / 100.0;
        let (high, low) = (open.max(close) + 1.25, open.min(close) - 1.25);
        let bar = Bar::new(minute(index), open, high, low, close, 10.0 * uniform(index, 3));
        bars.push(bar.expect("a bar")).expect("ascending bars");
    }
    bars
}

fn middle(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn bytes_below(folder: &std::path::Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => bytes_below(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}
