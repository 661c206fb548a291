//! A trader in a process of its own, killed with orders in flight again and again: 10 times, or as often as
//! WALKFORWARD_KILLS says. Run without the test harness, because the processes that are killed are this program too.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test and its own harness"
)]

#[path = "venue/audit.rs"]
#[allow(dead_code, reason = "its figures are for those who fail")]
mod audit;
#[path = "live/common.rs"]
#[allow(dead_code, reason = "of what the tests of the trader share, a part")]
mod common;
#[path = "venue/streams.rs"]
mod streams;
#[path = "venue/world.rs"]
#[allow(dead_code, reason = "of what the tests of the trader share, a part")]
mod world;

use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use walkforward_live::DisasterStop;
use walkforward_testing::Random;

use world::{FastClock, Place, Service};

const NAME: &str = "a_process_killed_with_orders_in_flight_doubles_and_forgets_none";
const KILLS: u64 = 10;
/// Longest life of a process, milliseconds.
const LIFE_MS: u64 = 900;
const STOP: DisasterStop = DisasterStop { stop_pct: 10.0, limit_pct: 5.0 };

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.first().is_some_and(|word| word == "--trader") {
        return trade(&words[1..]);
    }
    let filters: Vec<&String> = words.iter().filter(|word| !word.starts_with("--")).collect();
    if !filters.is_empty() && !filters.iter().any(|filter| NAME.contains(*filter)) {
        return println!("\nrunning 0 tests\n");
    }
    if words.iter().any(|word| word == "--list") {
        return println!("{NAME}: test");
    }
    println!("\nrunning 1 test");
    let kills = std::env::var("WALKFORWARD_KILLS").map_or(KILLS, |text| text.parse().unwrap());
    let in_flight = kill_again_and_again(kills);
    println!("test {NAME} ... ok");
    println!("killed {kills} times, {in_flight} times with orders in flight\n");
}

/// The trader: until its standard input ends.
fn trade(words: &[String]) {
    let [folder, rest, market, updates, begin_ms] = words else { panic!("{words:?}") };
    let place = Place {
        folder: PathBuf::from(folder),
        rest: rest.clone(),
        market: market.clone(),
        updates: updates.clone(),
    };
    let trader = place.trader(FastClock::since(begin_ms.parse().unwrap()), &place.model(), Some(STOP));
    let handle = trader.handle();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read(&mut [0]);
        handle.stop();
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(trader.run()).unwrap();
}

fn start(place: &Place, service: &Service) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--trader", place.folder.to_str().unwrap(), &place.rest, &place.market, &place.updates])
        .arg(service.clock.begin_ms.to_string())
        .stdin(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Gives how often orders were in flight.
fn kill_again_and_again(kills: u64) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let mut service = Service::new(1);
    let place = Place::new(folder.path(), &service.fake);
    place.model();
    let (mut random, mut in_flight, mut kill) = (Random::new(2), 0, 0);
    // On a machine that does much else a process may die before its first order: then it takes more of them.
    while kill < kills || in_flight == 0 {
        assert!(kill < 10 * kills, "no process died with an order in flight");
        kill += 1;
        let mut child = start(&place, &service);
        for _ in 0..random.below(LIFE_MS / 5) {
            service.go_on(true);
            std::thread::sleep(Duration::from_millis(5));
            if let Some(status) = child.try_wait().unwrap() {
                panic!("before kill {kill} the trader ended by itself: {status}");
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        in_flight += u64::from(service.has_open_orders());
    }
    service.heal();
    let mut child = start(&place, &service);
    service.pass(6, false, |_| true);
    drop(child.stdin.take());
    let status = child.wait().unwrap();
    assert!(status.success(), "{status}");
    let audit = audit::audit(&place, &service.fake);
    assert!(audit.orders > 0, "{audit:?}");
    in_flight
}
