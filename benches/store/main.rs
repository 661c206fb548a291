//! What the store costs at full size: opening ten thousand models, and asking about five million cycles.
//!
//! ```text
//! cargo bench --bench store -- open      JSON line: a store of 10,000 models, opened three times
//! cargo bench --bench store -- ask       500 schedules of 10,000 cycles each: what a page asks, and steps
//! cargo bench --bench store              both
//! ```
#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]
#![expect(clippy::disallowed_methods, reason = "a bench measures wall time")]

mod cycles;
mod models;

use std::sync::Arc;
use std::time::Instant;

use tempfile::TempDir;
use walkforward::clock::SystemClock;
use walkforward_store::Store;

/// Gives its JSON line.
type Bench = fn() -> serde_json::Value;

fn main() {
    // cargo itself adds `--bench`.
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    let wanted = wanted.as_deref().unwrap_or("all");
    let benches: [(&str, Bench); 2] = [("open", models::run), ("ask", cycles::run)];
    for (name, bench) in benches {
        if wanted == name || wanted == "all" {
            println!("{}", bench());
        }
    }
}

/// The store in a folder.
fn open(folder: &TempDir) -> Store {
    let path = |name: &str| folder.path().join(name);
    Store::open(&path("data"), &path("models"), Arc::new(SystemClock::start())).expect("a store")
}

/// What `action` gives, and the milliseconds that it took.
fn timed<T>(action: impl FnOnce() -> T) -> (T, f64) {
    let start = Instant::now();
    let value = action();
    (value, start.elapsed().as_secs_f64() * 1e3)
}
