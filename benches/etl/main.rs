//! What it costs to get from a source to feature rows.
//!
//! ```text
//! cargo bench --bench etl -- csv         JSON lines: a file of five years of minutes to checked bars
//! cargo bench --bench etl -- dataset     the same file to a dataset with 18 features; its peak memory
//! cargo bench --bench etl -- features    all 13 kinds of features over five years of minutes
//! cargo bench --bench etl -- page        a full page of the Alpaca service to bars
//! cargo bench --bench etl -- refresh     a cached year of minutes refreshed with an hour
//! cargo bench --bench etl -- all         all of them, except dataset: its memory is measured in a process of its own
//! ```
//!
//! `benches/etl_peers.py` does the same work with the libraries that people use for it in Python. Figures are in
//! `docs/performance.md`.
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench measures time and prints what it measured"
)]

mod csv;
mod features;
mod page;
#[path = "../shared/process.rs"]
mod process;
mod refresh;
mod shared;

/// The JSON lines of a part.
type Bench = fn() -> Vec<String>;

fn main() {
    // cargo itself adds `--bench`.
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    let wanted = wanted.as_deref().unwrap_or("all");
    let benches: [(&str, Bench); 5] = [
        ("csv", csv::run),
        ("dataset", csv::run_dataset),
        ("features", features::run),
        ("page", page::run),
        ("refresh", refresh::run),
    ];
    for (name, bench) in benches {
        if wanted == name || (wanted == "all" && name != "dataset") {
            bench().iter().for_each(|line| println!("{line}"));
        }
    }
}
