//! How a trader starts and ends where something it needs is gone: it can always be stopped.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;
use walkforward_core::Timeframe;
use walkforward_testing::{FakeAlpaca, RestFault, Route};

use crate::live_control::{signal, sockets, start, status, tell};
use crate::live_trader::wait_until;
use crate::live_venue::{self, BEFORE, MINUTE_MS, command, go_on, minute, now, records, train};
use crate::support::World;
use crate::support::scrape::{free_port, metric, scrape};

/// A process that is asked to end has ended by then, on any machine.
const LONGEST_END: Duration = Duration::from_secs(40);
/// For ever, as tests go.
const NEVER: RestFault = RestFault::Slow(Duration::from_secs(3_600));
/// Questions that nobody answers.
const MANY: usize = 100;
const ACCOUNT: [&str; 4] = ["--venue", "alpaca-paper", "--journal", "journal"];

/// Waits for the end of a process that was asked for it.
fn ended(mut child: Child) -> Output {
    let asked = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if asked.elapsed() > LONGEST_END {
            child.kill().unwrap();
            panic!("the process did not end: {:?}", child.wait_with_output());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.wait_with_output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The summary of a session that was stopped before its first bar.
fn expect_no_bar(output: &Output) {
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&summary["stop"], &summary["bars"]), (&"stopped".into(), &0.into()), "{summary}");
}

fn is_halted(world: &World) -> bool {
    let is_it =
        |event: &Value| event["command"]["command"] == "halt" && event["command"]["reason"] == "SIGUSR1";
    records(world, "event").iter().any(is_it)
}

fn is_over(world: &World) -> bool {
    world.journal("journal").last().is_some_and(|record| record["record"] == "end")
}

/// An address at which nobody listens, or one at which nobody answers.
fn dead_address(is_half_open: bool) -> (String, Option<TcpListener>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (url, is_half_open.then_some(listener))
}

#[test]
fn a_start_that_waits_for_its_venue_is_stopped_by_whoever_asks() {
    let (world, fake) = (World::new(), FakeAlpaca::in_background("BTC/USD"));
    for is_half_open in [false, true] {
        let (url, _listener) = dead_address(is_half_open);
        for how in ["TERM", "INT", "stop"] {
            let child = command(&world, &fake, &ACCOUNT).env("APCA_API_BASE_URL", &url).spawn().unwrap();
            wait_until("the socket of the start", || status(&world)["through"] == "socket");
            let told = status(&world);
            assert_eq!(
                (&told["status"]["bars"], &told["status"]["venue"]),
                (&0.into(), &"alpaca-paper".into())
            );
            match how {
                "TERM" => signal(&child, Signal::TERM),
                "INT" => signal(&child, Signal::INT),
                _ => assert_eq!(tell(&world, &["stop"])["through"], "socket"),
            }
            expect_no_bar(&ended(child));
            assert!(world.journal("journal").is_empty(), "a session that has not begun leaves nothing");
            assert!(sockets(&world).is_empty() && !world.path("journal/.socket").exists());
        }
    }
}

/// A service that has the minutes before now.
fn service() -> FakeAlpaca {
    let (fake, begin) = (FakeAlpaca::in_background("BTC/USD"), Timeframe::MINUTE.floor(now()));
    for number in -30..0 {
        fake.lose_bar(minute(begin.plus_millis(number * MINUTE_MS)));
    }
    fake
}

/// A trader that is told to halt while it waits so long for the bars before its session, which is a new one.
fn halted_at_its_start(world: &World, fake: &FakeAlpaca, wait: Duration) -> Child {
    fake.heal();
    fake.fail(Route::Bars, RestFault::Slow(wait), MANY);
    let before = fake.count(Route::Bars);
    let mut command = command(world, fake, &["--journal", "journal"]);
    let child = command.env("WALKFORWARD_CONTINUE", "false").spawn().unwrap();
    wait_until("the question for bars", || fake.count(Route::Bars) > before);
    signal(&child, Signal::USR1);
    child
}

#[test]
fn a_signal_to_halt_that_comes_before_the_session_holds_for_it_or_for_the_next_one() {
    let (world, fake) = (World::new(), service());
    let asked = |wait: Duration| halted_at_its_start(&world, &fake, wait);
    // Nobody answers: the session never exists.
    let child = asked(Duration::from_secs(3_600));
    signal(&child, Signal::TERM);
    expect_no_bar(&ended(child));
    assert!(world.path("journal/halt").exists(), "the next start reads it");
    std::fs::remove_file(world.path("journal/halt")).unwrap();

    // The answer comes later.
    let child = asked(Duration::from_secs(2));
    wait_until("the halt", || is_halted(&world));
    signal(&child, Signal::TERM);
    let output = ended(child);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(!world.path("journal/halt").exists(), "the journal has it");

    // And so does that of the venue.
    let dead = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", dead.local_addr().unwrap());
    fake.heal();
    let mut held = command(&world, &fake, &["--venue", "alpaca-paper", "--journal", "account"]);
    let child = held.env("APCA_API_BASE_URL", &url).spawn().unwrap();
    wait_until("the socket of the start", || world.path("account/.socket").exists());
    signal(&child, Signal::USR1);
    signal(&child, Signal::TERM);
    expect_no_bar(&ended(child));
    assert!(world.path("account/halt").exists(), "the next start reads it");
}

#[test]
fn a_pause_does_not_stand_for_a_halt_that_was_not_journalled() {
    let (world, fake) = (World::new(), service());
    let child = command(&world, &fake, &["--journal", "journal"]).spawn().unwrap();
    wait_until("the session's begin", || status(&world)["through"] == "socket");
    assert_eq!(tell(&world, &["pause", "--reason", "a test"])["status"]["mode"], "halted");
    signal(&child, Signal::TERM);
    assert!(ended(child).status.success());
    let child = halted_at_its_start(&world, &fake, Duration::from_secs(3_600));
    signal(&child, Signal::TERM);
    expect_no_bar(&ended(child));
    assert!(world.path("journal/halt").exists(), "a pause ends without an acknowledgement");
}

#[test]
fn a_halt_that_was_acknowledged_does_not_come_back_when_the_session_fails() {
    let world = World::new();
    world.promote();
    let mut command: Command = world.command("live-trader");
    command.args(["--speed", "720000", "--bars", "100000", "--journal", "journal", "--json"]);
    command.env("WALKFORWARD_SEGMENT_MIB", "1").stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    wait_until("the session's begin", || status(&world)["through"] == "socket");
    signal(&child, Signal::USR1);
    wait_until("the halt", || is_halted(&world));
    tell(&world, &["resume", "--ack", "a test"]);
    // The next file of the journal has no place.
    std::fs::rename(world.path("journal"), world.path("moved")).unwrap();
    wait_until("the end", || child.try_wait().unwrap().is_some());
    let output = ended(child);
    assert!(!output.status.success(), "{output:?}");
    assert!(!world.path("journal/halt").exists(), "nobody asks for a halt any more");
}

#[test]
fn a_trader_whose_venue_falls_silent_ends_and_the_next_one_finds_its_order() {
    let (world, fake) = (World::new(), FakeAlpaca::in_background("BTC/USD"));
    let mut next = Timeframe::MINUTE.floor(now());
    train(&world, next);
    for number in -BEFORE..0 {
        fake.lose_bar(minute(next.plus_millis(number * MINUTE_MS)));
    }
    fake.deposit("90000");
    let child = live_venue::start(&world, &fake);
    for route in [Route::Submit, Route::Order, Route::Orders, Route::Cancel, Route::Positions, Route::Account]
    {
        fake.fail(route, NEVER, MANY);
    }
    go_on(&fake, &mut next, "the first order", || !fake.orders().is_empty());
    let order = fake.orders()[0].client_id.clone();
    // Who follows the journal can't get on either.
    let database = rusqlite::Connection::open(world.path("data/walkforward.db")).unwrap();
    database.execute_batch("BEGIN EXCLUSIVE").unwrap();
    signal(&child, Signal::TERM);
    let output = ended(child);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let told = stderr(&output);
    assert!(told.contains("the next start looks them up"), "{told}");
    assert!(told.contains("projection has not taken all of the journal"), "{told}");
    assert!(is_over(&world), "the session's last record is its end");
    drop(database);

    fake.heal();
    let child = live_venue::start(&world, &fake);
    let booked = || records(&world, "order").iter().any(|record| record["what"] == "booked");
    go_on(&fake, &mut next, "the fill's booking", booked);
    signal(&child, Signal::TERM);
    let output = ended(child);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(fake.placed(&order), (1, 1), "handed in once, and there once");
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["position"], serde_json::to_value(fake.holdings().position).unwrap(), "{summary}");
    let verified = world.live_trader(&["verify", "--journal", "journal", "--json"]).expect_code(0).json();
    assert_eq!(verified["differences"], 0, "{verified}");
}

#[test]
fn a_second_signal_ends_the_process_at_once_with_a_whole_journal() {
    let world = World::new();
    world.promote();
    let child = start(&world, &["--json"]);
    let database = rusqlite::Connection::open(world.path("data/walkforward.db")).unwrap();
    database.execute_batch("BEGIN EXCLUSIVE").unwrap();
    // From the terminal and from the process group: one wish.
    signal(&child, Signal::TERM);
    signal(&child, Signal::TERM);
    let asked = Instant::now();
    wait_until("the end of the journal", || is_over(&world));
    std::thread::sleep(Duration::from_millis(300));
    signal(&child, Signal::INT);
    let was_in_time = asked.elapsed() < Duration::from_secs(3);
    let output = ended(child);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["stop"], "stopped");
    let told = stderr(&output);
    assert!(told.contains("a second signal") || !was_in_time, "{told}");
    assert!(told.contains("projection has not taken all of the journal"), "{told}");
    drop(database);
    let verified = world.live_trader(&["verify", "--journal", "journal", "--json"]).expect_code(0).json();
    assert_eq!(verified["differences"], 0, "{verified}");
}

/// A pipe that takes no byte more, and its other end.
fn full_pipe() -> (std::io::PipeReader, std::io::PipeWriter) {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let flags = rustix::fs::fcntl_getfl(&writer).unwrap();
    rustix::fs::fcntl_setfl(&writer, flags | rustix::fs::OFlags::NONBLOCK).unwrap();
    for bytes in [&[0; 4_096][..], &[0; 1]] {
        while writer.write(bytes).is_ok() {}
    }
    rustix::fs::fcntl_setfl(&writer, flags).unwrap();
    (reader, writer)
}

#[test]
fn a_process_whose_reader_takes_nothing_is_ended_all_the_same() {
    let world = World::new();
    world.promote();
    let (mut reader, writer) = full_pipe();
    let mut command: Command = world.command("live-trader");
    command.args(["--speed", "72000", "--bars", "100000", "--journal", "journal", "--json"]);
    let child = command.stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
    // The command holds the other end of the pipe.
    drop(command);
    wait_until("a bar", || records(&world, "bar").len() > 2);
    signal(&child, Signal::TERM);
    let output = ended(child);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(stderr(&output).contains("did not come to its end in time"), "{output:?}");
    assert!(is_over(&world), "the session's last record is its end");
    let mut read = Vec::new();
    reader.read_to_end(&mut read).unwrap();
    assert!(read.iter().all(|byte| *byte == 0), "nothing was written over what nobody had read");
}

#[test]
fn a_replay_s_feed_is_up_while_it_has_bars() {
    let (world, port) = (World::new(), free_port());
    world.promote();
    // Who follows the journal keeps the process there for a while after the last bar.
    let database = rusqlite::Connection::open(world.path("data/walkforward.db")).unwrap();
    database.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let mut command = world.command("live-trader");
    command.args(["--speed", "72000", "--bars", "100", "--journal", "journal", "--quiet"]);
    let child = command.args(["--metrics", &port.to_string()]).spawn().unwrap();
    let is_up = || scrape(port).as_deref().and_then(|text| metric(text, "walkforward_feed_up"));
    wait_until("the first bars", || is_up() == Some(1.0));
    wait_until("the end of the bars", || is_up() == Some(0.0));
    signal(&child, Signal::TERM);
    assert!(ended(child).status.success());
    assert!(is_over(&world));
}

#[test]
fn a_new_session_removes_the_socket_of_the_one_that_was_killed_and_no_other() {
    let world = World::new();
    world.promote();
    let mut child = start(&world, &["--quiet"]);
    child.kill().unwrap();
    child.wait().unwrap();
    let dead = sockets(&world).pop().unwrap();
    let foreign = world.path("data/live/another.sock");
    let listener = std::os::unix::net::UnixListener::bind(&foreign).unwrap();
    let child = start(&world, &["--quiet"]);
    let now = sockets(&world);
    assert!(!now.contains(&dead) && now.contains(&foreign) && now.len() == 2, "{now:?}");
    signal(&child, Signal::TERM);
    assert!(ended(child).status.success());
    assert_eq!(sockets(&world), std::slice::from_ref(&foreign));

    // A note that names somebody who answers.
    let note = world.path("journal/.socket");
    std::fs::write(&note, foreign.to_str().unwrap()).unwrap();
    let mut command = world.command("live-trader");
    command.args(["--speed", "72000", "--bars", "100000", "--journal", "journal", "--quiet"]);
    let child = command.spawn().unwrap();
    wait_until("its own note", || {
        std::fs::read_to_string(&note).is_ok_and(|named| named != foreign.to_str().unwrap())
    });
    assert_eq!(sockets(&world).len(), 2);
    signal(&child, Signal::TERM);
    assert!(ended(child).status.success());
    assert_eq!(sockets(&world), [foreign]);
    drop(listener);
}
