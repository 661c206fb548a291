//! How long a page waits for what it asks, beside many schedules with a long history, while cycles are recorded.
//!
//! ```text
//! cargo bench -p walkforward-server --bench status -- [--schedules 500] [--cycles 100000] [--writes 20] [--requests 4000]
//! ```
//!
//! The tables are real, in a file; requests go over loopback, each client on a connection of its own that stays, all of
//! them together `RATE` a second, which the server's own limit lets through. Meanwhile `writes` cycles a second are
//! queued, run and ended in the same tables. Prints a line of JSON for each question: milliseconds from before a request
//! is sent until its answer has been read.
#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]
#![expect(clippy::disallowed_methods, reason = "a bench measures wall time")]

mod asking;
#[path = "../shared/clock.rs"]
mod clock;
mod filled;
#[path = "../../tests/api/made.rs"]
#[allow(dead_code, clippy::unwrap_used, reason = "the tests' own; the bench uses a part")]
mod made;
#[path = "../../../../benches/shared/process.rs"]
mod process;
#[path = "../../tests/ws/world.rs"]
mod world;
mod writing;

use std::sync::Arc;

use serde_json::json;
use walkforward_core::Clock;
use walkforward_orchestrator::{NoAnnouncements, SchedulerOptions, SchedulerParts, SchedulerService};
use walkforward_server::HubOptions;
use walkforward_store::Store;

use crate::asking::Question;
use crate::clock::WallClock;
use crate::filled::{Size, fill};
use crate::process::load1;
use crate::world::{Ground, Nobody, World};
use crate::writing::Writer;

/// Requests a second of all clients together: below what the server admits in the long run.
const RATE: f64 = 400.0;
/// Clients that ask at once, where there are several.
const CLIENTS: usize = 8;

fn main() {
    let number = |name: &str, default: usize| {
        let mut args = std::env::args().skip_while(|argument| argument != name);
        args.nth(1).and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let size = Size { schedules: number("--schedules", 500), cycles: number("--cycles", 100_000) };
    let (writes, requests) = (number("--writes", 20), number("--requests", 4_000));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(measure(size, writes, requests));
}

async fn measure(size: Size, writes: usize, requests: usize) {
    let dir = tempfile::tempdir().expect("a folder");
    let clock: Arc<dyn Clock> = Arc::new(WallClock::start());
    let store = Store::open(&dir.path().join("data"), &dir.path().join("models"), Arc::clone(&clock));
    let store = Arc::new(store.expect("a store"));
    let mib = fill(&store, &dir.path().join("data/walkforward.db"), size, clock.now());
    let parts = SchedulerParts {
        ledger: Arc::<Store>::clone(&store),
        runner: Arc::new(Nobody),
        clock: Arc::clone(&clock),
        announcer: Arc::new(NoAnnouncements),
    };
    let (service, scheduler) = SchedulerService::new(parts, SchedulerOptions::default());
    let service = tokio::spawn(async move { drop(service.run(std::future::pending()).await) });
    let ground = Ground { dir, store: Arc::clone(&store), scheduler };
    let world = World::over(ground, HubOptions::default(), false, clock).await;
    let about = json!({
        "bench": "status", "schedules": size.schedules, "cycles": size.cycles, "database_mib": mib,
        "writes_per_second": writes, "rate": RATE, "load1": load1(),
    });
    println!("{about}");
    for question in Question::all(size, requests) {
        let (address, writer) = (world.address, Writer::start(&store, size.schedules, writes));
        let asked = tokio::task::spawn_blocking(move || question.ask(address, RATE)).await;
        let mut line = asked.expect("no panic");
        line["cycles_written"] = json!(writer.stop());
        println!("{line}");
    }
    service.abort();
    world.stop().await;
}
