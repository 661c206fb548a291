//! What 500 schedules cost: processor time of an idle driver, how late cycles start, how long a question takes.
//!
//! ```text
//! cargo bench --bench scheduler -- idle      JSON lines: processor share while nothing is due, and 10,000 questions
//! cargo bench --bench scheduler -- spread    every schedule each 30 s, at times of its own
//! cargo bench --bench scheduler -- burst     all 500 at the same instant
//! cargo bench --bench scheduler              all of them
//! ```
//!
//! Schedules and cycles are kept in a real database in a temporary folder; cycles do nothing. Figures are in
//! `docs/performance.md`.
#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]
#![expect(clippy::disallowed_methods, reason = "a bench measures wall time")]

#[path = "../shared/process.rs"]
mod process;
mod world;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use walkforward_orchestrator::Scheduler;

use crate::process::{load1, peak_rss_mib, process_cpu_seconds};
use crate::world::World;

const SCHEDULES: usize = 500;
/// Longer than the longest sleep of the driver, so that it wakes in between.
const IDLE_SECONDS: u64 = 35;
const SPREAD_SECONDS: u64 = 60;
const QUESTIONS: usize = 10_000;

fn main() {
    // cargo itself adds `--bench`.
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    let wanted = wanted.as_deref().unwrap_or("all");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    for name in ["idle", "spread", "burst"] {
        if wanted == name || wanted == "all" {
            let line = runtime.block_on(async {
                match name {
                    "idle" => idle().await,
                    "spread" => spread().await,
                    _ => burst().await,
                }
            });
            println!("{line}");
        }
    }
}

/// Nothing is due until next year.
async fn idle() -> Value {
    let world = World::start(SCHEDULES, &json!({ "cron": "0 0 1 1 *" })).await;
    let (cpu, start) = (process_cpu_seconds(), Instant::now());
    tokio::time::sleep(Duration::from_secs(IDLE_SECONDS)).await;
    let (cpu, elapsed) = (process_cpu_seconds() - cpu, start.elapsed().as_secs_f64());
    let questions = ask(&world.scheduler);
    world.stop().await;
    json!({
        "bench": "scheduler/idle", "schedules": SCHEDULES, "seconds": elapsed, "cpu_seconds": cpu,
        "cpu_share": cpu / elapsed, "status": questions.0, "list": questions.1, "peak_rss_mib": peak_rss_mib(),
        "load1": load1(),
    })
}

/// Each schedule every 30 s since its own start.
async fn spread() -> Value {
    let config = json!({ "interval_minutes": 0.5, "on_busy": "queue" });
    let world = World::start(SCHEDULES, &config).await;
    let cpu = process_cpu_seconds();
    tokio::time::sleep(Duration::from_secs(SPREAD_SECONDS)).await;
    let cpu = process_cpu_seconds() - cpu;
    let questions = ask(&world.scheduler);
    let errors = world.stop().await;
    json!({
        "bench": "scheduler/spread", "schedules": SCHEDULES, "cycles": errors.len(),
        "firing_error": percentiles(errors, "ms"), "cpu_share": cpu / SPREAD_SECONDS as f64,
        "status": questions.0, "list": questions.1, "load1": load1(),
    })
}

/// All schedules at the next full minute.
async fn burst() -> Value {
    let world = World::start(SCHEDULES, &json!({ "cron": "* * * * *" })).await;
    let deadline = Instant::now() + Duration::from_secs(90);
    while world.started() < SCHEDULES && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let errors = world.stop().await;
    json!({
        "bench": "scheduler/burst", "schedules": SCHEDULES, "cycles": errors.len(),
        "firing_error": percentiles(errors, "ms"), "load1": load1(),
    })
}

/// How long one schedule's status and the list of all take.
fn ask(scheduler: &Scheduler) -> (Value, Value) {
    let ids: Vec<_> = scheduler.list().into_iter().map(|view| view.id).collect();
    let time = |work: &dyn Fn()| {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64() * 1e6
    };
    let status = ids.iter().cycle().take(QUESTIONS).map(|id| time(&|| drop(scheduler.status(id)))).collect();
    let list = (0..QUESTIONS / SCHEDULES).map(|_| time(&|| drop(scheduler.list()))).collect();
    (percentiles(status, "us"), percentiles(list, "us"))
}

fn percentiles(mut values: Vec<f64>, unit: &str) -> Value {
    values.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let index = (values.len().saturating_sub(1) as f64 * share).round() as usize;
        values.get(index).copied().unwrap_or(f64::NAN)
    };
    json!({ "unit": unit, "p50": at(0.5), "p99": at(0.99), "max": at(1.0) })
}
