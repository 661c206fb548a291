//! `live-trader` through its binary: replay, swap, refusal, journal.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::World;

/// The journal's records of one kind.
fn records(world: &World, kind: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(world.path("journal.jsonl")).unwrap_or_default();
    let complete = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    complete.filter(|record| record["record"] == kind).collect()
}

fn bars(world: &World) -> Vec<Value> {
    records(world, "bar")
}

/// Starts a session of synthetic bars at ten a second.
fn start_paced(world: &World) -> Child {
    world
        .command("live-trader")
        .args(["--speed", "72000", "--bars", "100000", "--journal", "journal.jsonl", "--json"])
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
    let args =
        ["--source", "replay", "--path", &file, "--speed", "max", "--journal", "journal.jsonl", "--json"];
    let summary = world.live_trader(&args).expect_code(0).json();
    assert_eq!(summary["bars"], 900);
    let bars = bars(&world);
    assert_eq!(bars.len(), 900);
    let decided: Vec<_> = bars.iter().filter(|bar| !bar["action"].is_null()).collect();
    assert!(!decided.is_empty());
    for bar in decided {
        assert_eq!(hash_of(bar), &promoted["sha256"]);
    }
    let verified =
        world.live_trader(&["verify", "--journal", "journal.jsonl", "--json"]).expect_code(0).json();
    assert_eq!(verified["mismatches"], 0);
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
    std::fs::write(world.path("models/latest.json"), pointer.to_string()).unwrap();
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
    let ran = world.live_trader(&["--bars", "50", "--journal", "journal.jsonl"]).expect_code(0);
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
    world.live_trader(&["verify", "--journal", "absent.jsonl"]).expect_code(2);
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
        .args(["--speed", "72000", "--bars", "100000", "--journal", "journal.jsonl"])
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
