//! What it costs to tell many clients what happens: latency, losses, memory, processor time.
//!
//! ```text
//! cargo bench -p walkforward-server --bench websocket -- [--clients 500] [--seconds 30] [--rate 200]
//! ```
//!
//! `rate` messages a second are published, a tenth of them state changes that are recorded in a real database first; one
//! client more reads nothing at all, until it is closed. The clients are a process of their own, so that the figures of
//! the server are its alone. Prints one line of JSON. Latency is the time from before the message was recorded or
//! published to its arrival; state changes that did not come are `lost_changes`.
#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]
#![expect(clippy::disallowed_methods, reason = "a bench measures wall time")]

mod clients;
#[path = "../shared/clock.rs"]
mod clock;
#[path = "../../../../benches/shared/process.rs"]
mod process;
#[path = "../../tests/ws/world.rs"]
mod world;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use walkforward_server::HubOptions;

use crate::clock::{WallClock, now_ns};
use crate::process::{load1, process_cpu_seconds, rss_mib};
use crate::world::{KIND, World};

/// One message in so many is a state change.
const CHANGE_EVERY: u64 = 10;
/// As long as a message of a bar.
const PADDING: usize = 200;

/// What is measured.
#[derive(Clone, Copy)]
struct Load {
    clients: usize,
    seconds: u64,
    rate: u64,
}

impl Load {
    fn from_args() -> Self {
        let args: Vec<String> = std::env::args().collect();
        let number = |name: &str, default: u64| {
            let place = args.iter().position(|argument| argument == name);
            place.and_then(|place| args.get(place + 1)?.parse().ok()).unwrap_or(default)
        };
        let clients = usize::try_from(number("--clients", 500)).unwrap_or(500);
        Self { clients, seconds: number("--seconds", 30).max(1), rate: number("--rate", 200).max(1) }
    }

    fn messages(self) -> u64 {
        self.seconds * self.rate
    }
}

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    // The second process is this program as well.
    let address = std::env::args().skip_while(|argument| argument != clients::FLAG).nth(1);
    match address.and_then(|address| address.parse().ok()) {
        Some(address) => {
            let count = Load::from_args().clients;
            println!("{}", runtime.block_on(clients::listen(address, count)));
        }
        None => println!("{}", runtime.block_on(measure(Load::from_args()))),
    }
}

async fn measure(load: Load) -> Value {
    let world = World::start(HubOptions::default(), true, Arc::new(WallClock::start())).await;
    let rss_before = rss_mib();
    let (mut child, mut lines) = spawn_clients(&world, load);
    let ready = next_line(&mut lines).await;
    assert_eq!(ready["ready"], json!(load.clients), "all clients are there");
    let (rss_joined, cpu, start) = (rss_mib(), process_cpu_seconds(), Instant::now());
    let (changes, rss_peak) = publish(&world, load).await;
    let (cpu, elapsed) = (process_cpu_seconds() - cpu, start.elapsed().as_secs_f64());
    // A state change goes before the ticks of its batch, and nobody reads behind the end.
    tokio::time::sleep(Duration::from_millis(500)).await;
    world.record(KIND, &json!({ "end": true }));
    let told = next_line(&mut lines).await;
    let _ = child.wait();
    let received = told["changes"].as_u64().unwrap_or(0);
    let line = json!({
        "bench": "websocket", "clients": load.clients, "stalled_clients": 1, "seconds": elapsed,
        "messages": load.messages(), "rate": load.messages() as f64 / elapsed, "changes": changes,
        "lost_changes": changes * load.clients as u64 - received,
        "messages_received_share": told["messages"].as_f64().unwrap_or(0.0)
            / (load.messages() as f64 * load.clients as f64),
        "out_of_order": told["out_of_order"], "stalled_was_closed": told["stalled_was_closed"],
        "latency_ms": told["latency_ms"],
        "server_rss_mib": { "before": rss_before, "joined": rss_joined, "peak": rss_peak, "after": rss_mib() },
        "server_cpu_share": cpu / elapsed, "clients_cpu_seconds": told["cpu_seconds"], "load1": load1(),
    });
    world.stop().await;
    line
}

fn spawn_clients(world: &World, load: Load) -> (Child, BufReader<std::process::ChildStdout>) {
    let program = std::env::current_exe().expect("this program");
    let mut command = Command::new(program);
    command.args([clients::FLAG, &world.address.to_string(), "--clients", &load.clients.to_string()]);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("the clients start");
    let lines = BufReader::new(child.stdout.take().expect("a pipe"));
    (child, lines)
}

/// The next line that the clients print.
async fn next_line(lines: &mut BufReader<std::process::ChildStdout>) -> Value {
    let mut line = String::new();
    // The server goes on meanwhile on the other threads.
    tokio::task::block_in_place(|| lines.read_line(&mut line)).expect("a line");
    serde_json::from_str(&line).expect("JSON")
}

/// Publishes everything at its time; how many state changes there were, and the most memory that was seen.
async fn publish(world: &World, load: Load) -> (u64, f64) {
    let (padding, every) = ("x".repeat(PADDING), Duration::from_secs_f64(1.0 / load.rate as f64));
    let mut due = tokio::time::interval(every);
    let (mut changes, mut peak) = (0, 0.0_f64);
    for number in 0..load.messages() {
        due.tick().await;
        let fields = json!({ "sent_ns": now_ns(), "padding": padding });
        if number % CHANGE_EVERY == 0 {
            changes += 1;
            tokio::task::block_in_place(|| world.record(KIND, &fields));
        } else {
            world.hub.publish_volatile("live_bar", fields);
        }
        if number % load.rate == 0 {
            peak = peak.max(rss_mib());
        }
    }
    (changes, peak)
}
