//! What an evaluation costs: a policy and a rule over a year of minutes, and the paired bootstrap.
//!
//! ```text
//! cargo bench --bench evaluate -- policy       JSON lines: a 66-64-64-3 network that changes its mind rarely, and often
//! cargo bench --bench evaluate -- rule         a crossover of two moving averages
//! cargo bench --bench evaluate -- bootstrap    two models on the same 2,000 bars, 1,999 resamples
//! cargo bench --bench evaluate -- stream       six new bars of an arm's stream, on a year of hours
//! cargo bench --bench evaluate                 all of them
//! ```
//!
//! `benches/evaluate_peers.py` runs the same rule on the same bars through vectorbt. Figures are in
//! `docs/performance.md`.
#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

mod bars;
mod bootstrap;
mod measure;
mod policy;
#[path = "../shared/process.rs"]
mod process;
mod rule;
mod stream;

/// Gives its JSON lines.
type Bench = fn() -> Vec<serde_json::Value>;

fn main() {
    // cargo itself adds `--bench`.
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    let wanted = wanted.as_deref().unwrap_or("all");
    let benches: [(&str, Bench); 4] = [
        ("policy", policy::run),
        ("rule", rule::run),
        ("bootstrap", bootstrap::run),
        ("stream", stream::run),
    ];
    for (name, bench) in benches {
        if wanted == name || wanted == "all" {
            bench().iter().for_each(|line| println!("{line}"));
        }
    }
}
