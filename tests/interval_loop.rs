//! `orchestrate` without `--once`.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::{GOOD_METRICS, SMALL, World};

fn start(world: &World, args: &[&str]) -> Child {
    world
        .command("orchestrate")
        .args(["--json"])
        .args(args)
        .envs(GOOD_METRICS.iter().copied())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Sends `signal` and gives the exit code; fails when the process is still there after 5 s.
fn stop(child: &mut Child, signal: Signal) -> Option<i32> {
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
    let asked = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        assert!(asked.elapsed() < Duration::from_secs(5), "still running 5 s after {signal:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The first two results of a loop with this policy, on a short interval.
fn first_two(on_no_new_bars: &str) -> [Value; 2] {
    let world = World::new();
    let mut child = world
        .command("orchestrate")
        .args([SMALL, &["--json", "--interval-minutes", "0.02"]].concat())
        .envs(GOOD_METRICS.iter().copied())
        .env("WALKFORWARD_ON_NO_NEW_BARS", on_no_new_bars)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let results = [(); 2].map(|()| serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap());
    assert_eq!(stop(&mut child, Signal::TERM), Some(0));
    results
}

#[test]
fn the_first_run_starts_at_once_and_the_next_at_the_interval() {
    let [first, second] = first_two("run");
    assert_eq!((&first["outcome"], &second["outcome"]), (&"promoted".into(), &"promoted".into()));
    assert_ne!(first["runId"], second["runId"]);
}

#[test]
fn a_cycle_without_a_new_bar_is_skipped() {
    let [first, second] = first_two("skip");
    assert_eq!((&first["outcome"], &second["outcome"]), (&"promoted".into(), &"skipped".into()));
    let reason = second["reason"].as_str().unwrap();
    assert!(reason.contains("no new bar") && reason.contains(first["modelId"].as_str().unwrap()), "{reason}");
}

/// A folder with a file of bars, and arguments for runs on it.
fn with_bars() -> (World, [String; 2]) {
    let world = World::new();
    let bars: String = (0..2_000).fold("time,open,high,low,close,volume\n".to_owned(), |text, hour| {
        let price = 100.0 + 10.0 * (f64::from(hour) / 9.0).sin();
        let time = 1_577_836_800_000_i64 + i64::from(hour) * 3_600_000;
        text + &format!("{time},{price},{},{},{price},5\n", price + 1.0, price - 1.0)
    });
    let file = world.file("bars.csv", bars);
    (world, ["--path".to_owned(), file])
}

/// How the first run of a loop on these bars ends.
fn first_outcome(world: &World, bars: &[String; 2]) -> String {
    let mut child = start(world, &[SMALL, &bars.each_ref().map(String::as_str)].concat());
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!(stop(&mut child, Signal::TERM), Some(0));
    first["outcome"].as_str().unwrap().to_owned()
}

/// A run on bars that is then made to look as if its process had been killed, by `edit` of its model's record. A loop
/// leaves it alone before, and makes up for it after, once.
fn check_restart(args: &[&str], env: &[(&str, &str)], outcome: &str, edit: impl Fn(&mut Value)) {
    let (world, bars) = with_bars();
    let args = [&bars.each_ref().map(String::as_str)[..], args].concat();
    let report = world.once(&args, env).expect_code(0).json();
    assert_eq!(report["outcome"], outcome);
    assert_eq!(first_outcome(&world, &bars), "skipped");
    let name = format!("models/{}/metadata.json", report["modelId"].as_str().unwrap());
    let mut metadata = world.read_json(&name);
    edit(&mut metadata);
    world.file(&name, metadata.to_string());
    assert_eq!(first_outcome(&world, &bars), "promoted");
    assert_eq!(first_outcome(&world, &bars), "skipped");
}

#[test]
fn a_restart_leaves_alone_what_came_to_its_end_and_makes_up_for_what_did_not() {
    check_restart(&[], &[("EVAL_WIN_RATE", "0.1")], "rejected", |killed_before_its_verdict| {
        killed_before_its_verdict["status"] = "trained".into();
        for key in ["verdict", "promotionGate", "evaluatedAt", "metrics"] {
            killed_before_its_verdict[key] = Value::Null;
        }
    });
    check_restart(&["--auto-deploy=false"], GOOD_METRICS, "held", |killed_before_its_promotion| {
        killed_before_its_promotion["promotionGate"]["held"] = false.into();
    });
}

#[test]
fn synthetic_bars_go_on_with_the_clock_in_the_loop() {
    let [first, _] = first_two("skip");
    let year = first["asOf"].as_str().unwrap()[..4].parse::<u32>().unwrap();
    assert!(year > 2024, "{}", first["asOf"]);
}

#[test]
fn a_signal_stops_a_training_cleanly_and_the_next_run_works() {
    for signal in [Signal::INT, Signal::TERM] {
        let world = World::new();
        let mut child = start(&world, &["--iterations", "1000000"]);
        while std::fs::read_dir(world.path("models/.staging")).map_or(0, Iterator::count) == 0 {
            assert_eq!(child.try_wait().unwrap(), None);
            std::thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(stop(&mut child, signal), Some(0));
        let mut stderr = String::new();
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        assert!(!stderr.contains("panicked"), "{stderr}");
        assert!(!world.path("models/latest.json").exists());
        world.promote();
    }
}

#[test]
fn a_cycle_that_fails_is_reported_and_the_loop_goes_on() {
    let world = World::new();
    let file = world.file("bars.csv", "time,open,high,low,close,volume\n");
    let mut child = start(&world, &["--path", &file, "--interval-minutes", "0.02"]);
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let outcomes: Vec<Value> =
        lines.take(2).map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
    assert_eq!(stop(&mut child, Signal::TERM), Some(0));
    for outcome in outcomes {
        assert_eq!(outcome["outcome"], "failed");
        assert!(outcome["reason"].as_str().unwrap().contains("bars.csv"), "{outcome}");
    }
}

#[test]
fn a_file_that_is_not_there_is_refused_before_the_loop_starts() {
    let world = World::new();
    world.orchestrate(&["--path", "absent.csv"], &[]).expect_refusal(&["--path", "absent.csv"]);
    world.expect_untouched();
}
