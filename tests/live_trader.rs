//! `live-trader` through its binary: replay, swap, refusal, journal.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use walkforward_core::{Bar, Clock, Timeframe};
use walkforward_testing::{FakeAlpaca, StreamKind};

use crate::support::World;

/// The journal's records of one kind.
fn records(world: &World, kind: &str) -> Vec<Value> {
    world.journal("journal").into_iter().filter(|record| record["record"] == kind).collect()
}

fn bars(world: &World) -> Vec<Value> {
    records(world, "bar")
}

/// Starts a session of synthetic bars at ten a second.
fn start_paced(world: &World) -> Child {
    world
        .command("live-trader")
        .args(["--speed", "72000", "--bars", "100000", "--journal", "journal", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Looks every few milliseconds, for a minute.
pub(crate) fn wait_until(what: &str, mut happened: impl FnMut() -> bool) {
    let started = Instant::now();
    while !happened() {
        assert!(started.elapsed() < Duration::from_secs(60), "{what} did not happen");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Stops the session and gives its summary.
fn stop(child: Child) -> Value {
    kill_process(Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap(), Signal::TERM).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn hash_of(record: &Value) -> &Value {
    &record["model"]["sha256"]
}

#[test]
fn a_replay_is_decided_by_the_champion_and_journalled_with_its_hash() {
    let world = World::new();
    let promoted = world.promote();
    let file = {
        let mut text = "time,open,high,low,close,volume\n".to_owned();
        for hour in 0..900_i64 {
            let price = 100.0 + 10.0 * (hour as f64 / 20.0).sin();
            let time = 1_704_067_200_000 + hour * 3_600_000;
            text += &format!("{time},{price},{},{},{price},5\n", price + 1.0, price - 1.0);
        }
        world.file("bars.csv", text)
    };
    let args = ["--source", "replay", "--path", &file, "--speed", "max", "--journal", "journal", "--json"];
    let summary = world.live_trader(&args).expect_code(0).json();
    assert_eq!(summary["bars"], 900);
    let bars = bars(&world);
    assert_eq!(bars.len(), 900);
    let decided: Vec<_> = bars.iter().filter(|bar| !bar["action"].is_null()).collect();
    assert!(!decided.is_empty());
    for bar in decided {
        assert_eq!(hash_of(bar), &promoted["sha256"]);
    }
    let verified = world.live_trader(&["verify", "--journal", "journal", "--json"]).expect_code(0).json();
    assert_eq!(verified["differences"], 0, "{verified}");
    assert!(verified["decisions"].as_u64().unwrap() > 800 && verified["without_weights"] == 0, "{verified}");
}

#[test]
fn a_new_pointer_is_picked_up_between_two_bars() {
    let world = World::new();
    let first = world.promote();
    let child = start_paced(&world);
    wait_until("the first bar", || !bars(&world).is_empty());
    let second = {
        let report = world.once(&["--seed", "8"], crate::support::GOOD_METRICS).expect_code(0).json();
        assert_eq!(report["outcome"], "promoted");
        report
    };
    wait_until("the swap", || bars(&world).last().is_some_and(|bar| hash_of(bar) == &second["sha256"]));
    let summary = stop(child);
    assert_eq!(summary["swaps"], 1);

    let bars = bars(&world);
    let mut times: Vec<_> = bars.iter().map(|bar| bar["open_time"].as_str().unwrap().to_owned()).collect();
    let count = times.len();
    times.dedup();
    assert_eq!(times.len(), count, "a bar was decided twice");
    let hashes: Vec<_> = bars.iter().map(hash_of).collect();
    let switch = hashes.iter().position(|hash| **hash == second["sha256"]).unwrap();
    assert!(hashes[..switch].iter().all(|hash| **hash == first["sha256"]));
    assert!(hashes[switch..].iter().all(|hash| **hash == second["sha256"]));
}

#[test]
fn a_torn_bundle_keeps_the_old_policy_trading() {
    let world = World::new();
    let first = world.promote();
    let child = start_paced(&world);
    wait_until("the first bar", || !bars(&world).is_empty());
    let mut pointer = world.read_json("models/latest.json");
    pointer["sha256"] = "0".repeat(64).into();
    // In one piece, as every pointer is written: half of one would be refused too.
    let written = world.file("pointer.json", pointer.to_string());
    std::fs::rename(written, world.path("models/latest.json")).unwrap();
    wait_until("the refusal", || {
        records(&world, "event").iter().any(|event| event.to_string().contains("policy.safetensors"))
    });
    let seen = bars(&world).len();
    wait_until("more bars", || bars(&world).len() > seen + 3);
    let summary = stop(child);
    assert_eq!((&summary["swaps"], &summary["refused_models"]), (&0.into(), &1.into()));
    assert!(bars(&world).iter().all(|bar| hash_of(bar) == &first["sha256"]));
}

#[test]
fn a_line_without_a_champion_stays_flat() {
    let world = World::new();
    let ran = world.live_trader(&["--bars", "50", "--journal", "journal"]).expect_code(0);
    assert!(ran.stdout.contains("no_model"), "{}", ran.stdout);
    let bars = bars(&world);
    assert_eq!(bars.len(), 50);
    assert!(bars.iter().all(|bar| bar["position"] == 0));
    assert!(bars.iter().all(|bar| bar["model"].is_null()));
}

#[test]
fn a_file_that_is_no_bar_file_is_refused_by_name() {
    let world = World::new();
    let file = world.file("bars.csv", "nothing\nof use\n");
    world.live_trader(&["--path", &file]).expect_refusal(&["bars.csv"]);
    world.live_trader(&["--speed", "fast"]).expect_refusal(&["--speed"]);
    world.live_trader(&["--line", "../x"]).expect_refusal(&["--line"]);
    world.live_trader(&["verify", "--journal", "absent"]).expect_code(2);
}

#[test]
fn nobody_reading_the_status_holds_up_no_bar_and_no_signal() {
    let world = World::new();
    world.promote();
    let (reader, writer) = std::io::pipe().unwrap();
    // A pipe that is full from the start: nothing can be written to it any more.
    rustix::fs::fcntl_setfl(&writer, rustix::fs::OFlags::NONBLOCK).unwrap();
    while rustix::io::write(&writer, &[b'x'; 4_096]).is_ok() {}
    rustix::fs::fcntl_setfl(&writer, rustix::fs::OFlags::empty()).unwrap();
    let mut child = world
        .command("live-trader")
        .args(["--speed", "72000", "--bars", "100000", "--journal", "journal"])
        .stdout(writer)
        .spawn()
        .unwrap();
    wait_until("forty bars", || bars(&world).len() > 40);
    kill_process(Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap(), Signal::TERM).unwrap();
    wait_until("the end of the session", || !records(&world, "end").is_empty());
    // Only the summary waits for a reader.
    drop(reader);
    wait_until("the exit", || child.try_wait().unwrap().is_some());
}

/// A moment to kill at, milliseconds after the start.
fn moments(count: usize) -> impl Iterator<Item = u64> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    (0..count).map(move |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % 400
    })
}

fn verify(world: &World) -> Value {
    let verified = world.live_trader(&["verify", "--journal", "journal", "--json"]).expect_code(0).json();
    assert_eq!(verified["differences"], 0, "{verified}");
    verified
}

#[test]
fn a_trader_that_is_killed_at_any_moment_goes_on_with_its_position_and_decides_no_bar_twice() {
    let world = World::new();
    world.promote();
    let kills = std::env::var("WALKFORWARD_KILLS").ok().and_then(|count| count.parse().ok()).unwrap_or(10);
    let args = ["--continue", "--speed", "3600000", "--bars", "1000000", "--journal", "journal", "--quiet"];
    for moment in moments(kills) {
        let mut child = world.command("live-trader").args(args).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(moment));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let last = [&args[..3], &["--bars", "50", "--journal", "journal", "--json"]].concat();
    let summary = world.live_trader(&last).expect_code(0).json();
    let bars = bars(&world);
    let times: Vec<&str> = bars.iter().map(|bar| bar["open_time"].as_str().unwrap()).collect();
    let hours = |time: &str| time.parse::<walkforward_core::Timestamp>().unwrap().as_millis() / 3_600_000;
    assert!(
        times.windows(2).all(|pair| hours(pair[1]) == hours(pair[0]) + 1),
        "a bar came twice or not at all"
    );
    assert!(bars.len() > 100, "{}", bars.len());
    assert_eq!(summary["bars"], 50);
    let verified = verify(&world);
    assert_eq!((&verified["sessions"], &verified["bars"]), (&1.into(), &bars.len().into()));
    let headers = records(&world, "header");
    assert!(headers.iter().all(|header| header["deployment"] == headers[0]["deployment"]));
    assert!(headers[1..].iter().all(|header| header["start"] == "resumed"), "{headers:?}");
}

#[test]
fn after_a_drawdown_no_start_places_an_order_until_somebody_says_why_it_may_go_on() {
    let world = World::new();
    world.promote();
    let go_on = |bars: &str| {
        let limit =
            ["--continue", "--max-drawdown", "0.003", "--bars", bars, "--journal", "journal", "--json"];
        world.live_trader(&limit).expect_code(0).json()
    };
    let orders = || bars(&world).iter().filter(|bar| !bar["order"].is_null()).count();
    go_on("1000");
    let halted = bars(&world).last().unwrap().clone();
    assert_eq!((&halted["mode"], &halted["position"]), (&"halted".into(), &0.into()));
    let before = orders();
    assert!(before > 0);
    for _ in 0..5 {
        assert_eq!(go_on("20")["orders"], 0);
    }
    assert_eq!(orders(), before);
    world.live_trader(&["resume", "--ack", "looked into it", "--journal", "journal"]).expect_code(0);
    assert!(go_on("500")["orders"].as_u64().unwrap() > 0);
    let told = records(&world, "event").into_iter().find(|event| event["event"] == "command").unwrap();
    assert_eq!(
        (&told["command"]["command"], &told["command"]["reason"]),
        (&"acknowledge".into(), &"looked into it".into())
    );
    assert!(!world.path("journal/acknowledge").exists());
    verify(&world);
}

#[test]
fn a_trader_is_halted_by_a_command_and_by_a_signal() {
    let world = World::new();
    world.promote();
    let child = start_paced(&world);
    wait_until("the first bar", || !bars(&world).is_empty());
    kill_process(Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap(), Signal::USR1).unwrap();
    let is_halted = || bars(&world).last().is_some_and(|bar| bar["mode"] == "halted");
    wait_until("the halt", is_halted);
    world.live_trader(&["resume", "--ack", "a test", "--journal", "journal"]).expect_code(0);
    wait_until("the end of the halt", || !is_halted());
    world.live_trader(&["halt", "--reason", "news", "--journal", "journal"]).expect_code(0);
    wait_until("the halt", is_halted);
    stop(child);
    let reasons: Vec<Value> = records(&world, "event")
        .into_iter()
        .filter(|event| event["event"] == "command")
        .map(|event| event["command"]["reason"].clone())
        .collect();
    assert_eq!(reasons, ["SIGUSR1", "a test", "news"]);
    verify(&world);
}

#[test]
fn two_traders_of_one_journal_are_kept_apart() {
    let world = World::new();
    let child = start_paced(&world);
    wait_until("the first bar", || !bars(&world).is_empty());
    let ran = world.live_trader(&["--bars", "5", "--journal", "journal"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains(".lock"), "{}", ran.stderr);
    stop(child);
    let file = world.file("journal.jsonl", "{}");
    world.live_trader(&["--bars", "5", "--journal", &file]).expect_refusal(&["is no folder"]);
}

#[test]
fn minutes_of_a_file_become_the_champion_s_hours() {
    let world = World::new();
    world.promote();
    let mut text = "time,open,high,low,close,volume\n".to_owned();
    for minute in 0..6_000_i64 {
        let price = 100.0 + 10.0 * (minute as f64 / 900.0).sin();
        let time = 1_704_067_200_000 + minute * 60_000;
        text += &format!("{time},{price},{},{},{price},5\n", price + 1.0, price - 1.0);
    }
    let file = world.file("minutes.csv", text);
    let args = ["--path", &file, "--from", "2024-01-02T00:00:00Z", "--journal", "journal", "--json"];
    let summary = world.live_trader(&args).expect_code(0).json();
    assert_eq!((&summary["bars"], &summary["missing_bars"]), (&76.into(), &0.into()));
    assert!(bars(&world).iter().all(|bar| bar["base_bars"] == 60 && bar["volume"] == 300.0));
    let header = &records(&world, "header")[0];
    assert_eq!(
        (&header["timeframe"], &header["base"], &header["history_bars"]),
        (&"1h".into(), &"1m".into(), &24.into())
    );
    verify(&world);
}

/// Starts a session of minutes on the fake's stream.
fn start_on(fake: &FakeAlpaca, world: &World) -> Child {
    world
        .command("live-trader")
        .args([
            "--source",
            "alpaca",
            "--symbol",
            "BTC/USD",
            "--timeframe",
            "1m",
            "--journal",
            "journal",
            "--json",
        ])
        .env("APCA_API_DATA_URL", fake.rest_url())
        .env("APCA_API_STREAM_URL", fake.market_url())
        .env("APCA_API_KEY_ID", FakeAlpaca::KEY_ID)
        .env("APCA_API_SECRET_KEY", FakeAlpaca::SECRET)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn a_session_on_alpaca_s_stream_knows_what_came_before_and_goes_on_after_a_stop() {
    const BEFORE: i64 = 30;
    let (world, fake) = (World::new(), FakeAlpaca::in_background("BTC/USD"));
    let now = Timeframe::MINUTE.floor(walkforward::clock::SystemClock::start().now());
    for number in -BEFORE..0 {
        let open_time = now.plus_millis(number * Timeframe::MINUTE.millis());
        fake.lose_bar(Bar::flat(open_time, 40_000.0 + number as f64).unwrap());
    }
    for start in ["new", "resumed"] {
        let child = start_on(&fake, &world);
        let header = || records(&world, "header").last().cloned().unwrap_or_default();
        wait_until("the session", || header()["start"] == start);
        wait_until("the stream", || fake.streams(StreamKind::Market).open == 1);
        assert_eq!((&header()["base"], &header()["timeframe"]), (&"1m".into(), &"1m".into()));
        let known = header()["history_bars"].as_i64().unwrap();
        assert!((BEFORE - 1..=BEFORE + 1).contains(&known), "{known}");
        stop(child);
        wait_until("the end of the stream", || fake.streams(StreamKind::Market).open == 0);
    }
    let text = world.journal("journal").iter().map(Value::to_string).collect::<String>();
    assert!(!text.contains(FakeAlpaca::SECRET) && !text.contains(FakeAlpaca::KEY_ID));
    world.live_trader(&["--source", "alpaca"]).expect_refusal(&["APCA_API_KEY_ID"]);
}
