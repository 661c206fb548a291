//! What a process that trains for a long time takes: files, threads, memory and processor time of a thousand cycles.
//!
//! ```text
//! cargo bench --bench soak                 1,000 cycles, a JSON line for each hundred and one that compares
//! cargo bench --bench soak -- 300          so many cycles
//! cargo bench --bench soak -- trader 24    a trader over 24 months of minutes, with all that runs beside it
//! ```
//!
//! Each cycle is a whole one of a schedule: window, training that continues from the champion, backtest of both, gate,
//! promotion, and all rows. Figures are in `docs/performance.md`.
#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

mod cycles;
mod months;
#[path = "../shared/process.rs"]
mod process;
#[path = "../../tests/support/scrape.rs"]
mod scrape;
mod trader;

use std::fs::read_dir;
use std::path::Path;

use serde_json::{Value, json};

use cycles::World;
use process::{process_cpu_seconds, rss_mib};

/// Cycles between two readings.
const STRETCH: usize = 100;
const CYCLES: usize = 1_000;
const MONTHS: usize = 24;

fn main() {
    // cargo itself adds `--bench`.
    let wanted = std::env::args().skip(1).find_map(|argument| argument.parse().ok());
    if std::env::args().any(|argument| argument == "trader") {
        return months::run(wanted.unwrap_or(MONTHS));
    }
    let cycles: usize = wanted.unwrap_or(CYCLES);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let world = runtime.block_on(World::new(cycles));
    let mut readings = Vec::new();
    for stretch in 0..cycles / STRETCH {
        let cpu = process_cpu_seconds();
        let numbers = stretch * STRETCH + 1..=(stretch + 1) * STRETCH;
        let promoted = runtime.block_on(world.run(numbers));
        let cpu_ms = (process_cpu_seconds() - cpu) / STRETCH as f64 * 1e3;
        let reading = Reading::now(world.folder(), cpu_ms);
        println!("{}", reading.json((stretch + 1) * STRETCH, promoted));
        readings.push(reading);
    }
    if let (Some(early), Some(late)) = (readings.get(1), readings.last()) {
        println!("{}", early.compared_with(late));
    }
}

/// What the process takes.
struct Reading {
    open_files: usize,
    threads: usize,
    rss_mib: f64,
    cpu_ms_a_cycle: f64,
    database_bytes: u64,
}

impl Reading {
    fn now(folder: &Path, cpu_ms_a_cycle: f64) -> Self {
        let entries = |path: &str| read_dir(path).map_or(0, Iterator::count);
        let database = folder.join("data/walkforward.db");
        Self {
            open_files: entries("/proc/self/fd"),
            threads: entries("/proc/self/task"),
            rss_mib: rss_mib(),
            cpu_ms_a_cycle,
            database_bytes: database.metadata().map_or(0, |file| file.len()),
        }
    }

    fn json(&self, cycles: usize, promoted: usize) -> Value {
        json!({
            "name": "cycles",
            "cycles": cycles,
            "promoted_of_the_last_100": promoted,
            "open_files": self.open_files,
            "threads": self.threads,
            "rss_mib": round(self.rss_mib),
            "cpu_ms_a_cycle": round(self.cpu_ms_a_cycle),
            "database_kib": self.database_bytes / 1024,
        })
    }

    /// The last hundred cycles against the second hundred.
    fn compared_with(&self, late: &Self) -> Value {
        json!({
            "name": "late_against_early",
            "open_files": [self.open_files, late.open_files],
            "threads": [self.threads, late.threads],
            "rss_growth_mib": round(late.rss_mib - self.rss_mib),
            "rss_ratio": round(late.rss_mib / self.rss_mib),
            "cpu_ratio": round(late.cpu_ms_a_cycle / self.cpu_ms_a_cycle),
        })
    }
}

fn round(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}
