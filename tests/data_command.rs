//! `orchestrate data`, and runs on bars of a service.

use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use walkforward_durable::FileLock;

use crate::support::bars_service::{BarsService, parameter};
use crate::support::{Ran, World};

const WINDOW: &[&str] = &["--window-bars", "1500", "--holdout-bars", "300"];
const AS_OF: &str = "2024-03-01T00:30:00Z";

fn data(world: &World, args: &[&str], env: &[(&str, &str)]) -> Ran {
    world.orchestrate(&[&["data"], args].concat(), env)
}

#[test]
fn show_draws_the_window_and_says_whether_a_run_would_take_it() {
    let world = World::new();
    let shown = data(&world, &[&["show"], WINDOW].concat(), &[]).expect_code(0).stdout;
    for part in
        ["BTC/USD 1h", "price     ", "coverage  ", "missing", "longest holes", "A run would take this window"]
    {
        assert!(shown.contains(part), "no '{part}' in:\n{shown}");
    }
    assert!(shown.lines().all(|line| line.chars().count() <= 110), "{shown}");
    let strict = data(&world, &[&["show", "--max-missing-share", "0"], WINDOW].concat(), &[]).expect_code(0);
    assert!(strict.stdout.contains("would refuse this window"), "{}", strict.stdout);
    world.expect_untouched();
}

#[test]
fn exported_bars_are_the_same_window_in_either_format() {
    let world = World::new();
    let fingerprint = |args: &[&str]| {
        let shown = data(&world, &[&["show", "--json"], args].concat(), &[]).expect_code(0).json();
        shown["sha256"].as_str().unwrap().to_owned()
    };
    let mut fingerprints = Vec::new();
    for file in ["bars.csv", "bars.parquet"] {
        data(&world, &[&["export", "--to", file], WINDOW].concat(), &[]).expect_code(0);
        data(&world, &["verify", "--path", file], &[]).expect_code(0);
        fingerprints.push(fingerprint(&["--path", file, "--window-bars", "1400", "--holdout-bars", "300"]));
    }
    assert_eq!(fingerprints[0], fingerprints[1]);
    let again = data(&world, &[&["export", "--to", "bars.csv"], WINDOW].concat(), &[]);
    again.expect_refusal(&["bars.csv is there already", "--force"]);
    data(&world, &[&["export", "--force", "--to", "bars.csv"], WINDOW].concat(), &[]).expect_code(0);
    data(&world, &["export", "--to", "bars.xlsx"], &[]).expect_refusal(&["bars.xlsx", ".parquet"]);
}

#[test]
fn a_service_is_asked_once_and_then_for_what_is_new_alone() {
    let (world, service) = (World::new(), BarsService::start(200));
    let fetch = |as_of: &str| {
        let args = [&["fetch", "--json", "--source", "alpaca", "--as-of", as_of], WINDOW].concat();
        data(&world, &args, &[service.env()]).expect_code(0).json()
    };
    let first = fetch(AS_OF);
    let rows = first["rows"].as_u64().unwrap();
    assert!(rows >= 1_500, "{first}");
    assert_eq!(service.take_requests().len() as u64, rows.div_ceil(1_000));
    let second = fetch("2024-03-01T01:30:00Z");
    assert_eq!(second["rows"], rows + 1);
    let requests = service.take_requests();
    assert_eq!(requests.len(), 1, "{requests:?}");
    assert!(parameter(&requests[0], "start").unwrap().as_str() > "2024-02-2", "{requests:?}");
    assert_eq!(parameter(&requests[0], "end").as_deref(), Some("2024-03-01T00:00:00.000Z"));
    fetch("2024-03-01T01:30:00Z");
    assert!(service.take_requests().is_empty(), "nothing is new");
}

#[test]
fn a_run_on_bars_of_a_service_needs_it_for_new_bars_alone() {
    let (world, service) = (World::new(), BarsService::start(200));
    let run = || {
        let args = ["--source", "alpaca", "--as-of", AS_OF];
        let report = world.once(&args, &[service.env()]).expect_code(0).json();
        let etl = world.path("data/etl").join(format!("etl-{}.json", report["runId"].as_str().unwrap()));
        let etl: serde_json::Value = serde_json::from_slice(&std::fs::read(etl).unwrap()).unwrap();
        (report["metrics"].clone(), etl["quality"]["window"].clone())
    };
    let first = run();
    assert_eq!(first.1["present_bars"], 1_500, "{}", first.1);
    assert!(!service.take_requests().is_empty());
    assert_eq!(run(), first);
    assert!(service.take_requests().is_empty(), "the second run found everything in the cache");
}

#[test]
fn a_damaged_file_of_the_cache_is_named_set_aside_and_asked_for_again() {
    let (world, service) = (World::new(), BarsService::start(200));
    let run = |args: &[&str]| {
        let all = [args, &["--source", "alpaca", "--as-of", AS_OF], WINDOW].concat();
        data(&world, &all, &[service.env()])
    };
    run(&["fetch"]).expect_code(0);
    let whole = run(&["verify"]).expect_code(0);
    assert!(whole.stdout.contains("all whole"), "{}", whole.stdout);
    let cache = world.path("data/cache");
    let source = std::fs::read_dir(cache).unwrap().next().unwrap().unwrap().path();
    let folder = source.join("BTC-USD/1h");
    let segment = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|extension| extension == "parquet"))
        .unwrap();
    let mut bytes = std::fs::read(&segment).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&segment, &bytes).unwrap();
    let damaged = run(&["verify"]).expect_code(1);
    assert!(damaged.stderr.contains("damaged") && damaged.stderr.contains("--repair"), "{}", damaged.stderr);
    run(&["verify", "--repair"]).expect_code(0);
    assert!(
        std::fs::read_dir(&folder)
            .unwrap()
            .any(|entry| { entry.unwrap().file_name().to_string_lossy().contains(".damaged-") })
    );
    service.take_requests();
    run(&["show"]).expect_code(0);
    assert!(!service.take_requests().is_empty());
}

#[test]
fn keys_are_shown_nowhere_whatever_the_service_says() {
    let (world, service) = (World::new(), BarsService::start(403));
    let keys = [("APCA_API_KEY_ID", "PKHIDDEN"), ("APCA_API_SECRET_KEY", "TOPHIDDEN"), ("RUST_LOG", "trace")];
    let env = [&keys[..], &[service.env()]].concat();
    for args in [
        &["data", "fetch", "--source", "alpaca"][..],
        &["--once", "--source", "alpaca"],
        &["config", "show", "--source", "alpaca"],
    ] {
        let ran = world.orchestrate(args, &env);
        assert!(!format!("{ran:?}").contains("HIDDEN"), "{ran:?}");
        if args[0] != "config" {
            assert_eq!(ran.code, Some(2), "{ran:?}");
            assert!(ran.stderr.contains("403") && ran.stderr.contains("/v1beta3/crypto/us/bars"), "{ran:?}");
        }
    }
    assert!(!world.path("models").exists());
}

#[test]
fn stocks_without_keys_or_sessions_are_refused_with_what_to_set() {
    let world = World::new();
    let show = |args: &[&str]| {
        data(&world, &[&["show", "--source", "alpaca", "--symbol", "AAPL"], args].concat(), &[])
    };
    show(&[]).expect_refusal(&["AAPL", "calendar"]);
    show(&["--calendar", "us_equities"]).expect_refusal(&["APCA_API_KEY_ID"]);
    show(&["--calendar", "absent.csv"]).expect_refusal(&["--calendar", "us_equities"]);
}

#[test]
fn settings_of_another_source_are_refused_or_checked_not_passed_over() {
    let world = World::new();
    let show = |args: &[&str], env: &[(&str, &str)]| data(&world, &[&["show"], args].concat(), env);
    for source in ["alpaca", "synthetic"] {
        for setting in ["--absent-bars=no_trade", "--drop-last=true", "--max-rejected-rows=7"] {
            show(&["--source", source, setting], &[]).expect_refusal(&[setting.split('=').next().unwrap()]);
        }
    }
    show(&[], &[("WALKFORWARD_ALPACA_FEED", "nonsense")])
        .expect_refusal(&["WALKFORWARD_ALPACA_FEED", "nonsense"]);
    show(&[], &[("WALKFORWARD_CALENDAR_CLOCK", "mars")])
        .expect_refusal(&["WALKFORWARD_CALENDAR_CLOCK", "mars"]);
}

#[test]
fn bars_of_another_host_are_another_sources() {
    let (world, first, second) = (World::new(), BarsService::start(200), BarsService::start(200));
    let args = [&["fetch", "--json", "--source", "alpaca", "--as-of", AS_OF], WINDOW].concat();
    let key = |service: &BarsService| {
        let fetched = data(&world, &args, &[service.env()]).expect_code(0).json();
        assert!(!service.take_requests().is_empty());
        fetched["key"].as_str().unwrap().to_owned()
    };
    assert_ne!(key(&first), key(&second));
}

#[test]
fn what_was_never_fetched_is_not_called_whole() {
    let world = World::new();
    data(&world, &["verify", "--source", "alpaca"], &[]).expect_refusal(&["nothing is kept", "fetch"]);
}

/// Starts `orchestrate data ...` with one thread for all tasks, waits until `is_busy` and sends both signals in turn.
fn check_stops(world: &World, args: &[&str], env: &[(&str, &str)], is_busy: impl Fn() -> bool) {
    for signal in [Signal::INT, Signal::TERM] {
        let mut command = world.command("orchestrate");
        command.arg("data").args(args).envs(env.iter().copied()).env("TOKIO_WORKER_THREADS", "1");
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while !is_busy() {
            assert_eq!(child.try_wait().unwrap(), None);
            std::thread::sleep(Duration::from_millis(10));
        }
        // The handlers are in place before the work begins, and the work has begun.
        kill_process(Pid::from_child(&child), signal).unwrap();
        let asked = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if asked.elapsed() > Duration::from_secs(6) {
                child.kill().unwrap();
                child.wait().unwrap();
                panic!("still running 6 s after {signal:?}");
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        assert_eq!(status.code(), Some(1), "{signal:?}");
    }
}

#[test]
fn a_signal_stops_a_fetch_that_waits_for_the_cache() {
    let (world, service) = (World::new(), BarsService::start(200));
    let fetch = |as_of| [&["fetch", "--source", "alpaca", "--as-of", as_of], WINDOW].concat();
    data(&world, &fetch(AS_OF), &[service.env()]).expect_code(0);
    let source = std::fs::read_dir(world.path("data/cache")).unwrap().next().unwrap().unwrap().path();
    let _lock = FileLock::exclusive(&source.join("BTC-USD/1h/lock"), 0).unwrap();
    service.take_requests();
    // It asks before it takes the lock to write.
    let is_busy = || {
        let has_asked = !service.take_requests().is_empty();
        std::thread::sleep(Duration::from_millis(if has_asked { 300 } else { 0 }));
        has_asked
    };
    check_stops(&world, &fetch("2024-03-01T01:30:00Z"), &[service.env()], is_busy);
}

#[test]
fn bars_that_the_service_does_not_have_are_made_of_shorter_ones_that_are_kept() {
    let (world, service) = (World::new(), BarsService::start(200));
    let args =
        ["--json", "--source", "alpaca", "--as-of", AS_OF, "--timeframe", "5h", "--window-bars", "200"];
    let run = |command: &str| {
        let all = [&[command][..], &args, &["--holdout-bars", "40"]].concat();
        data(&world, &all, &[service.env()]).expect_code(0).json()
    };
    let fetched = run("fetch");
    assert!(fetched["rows"].as_u64().unwrap() >= 1_000, "{fetched}");
    service.take_requests();
    let shown = run("show");
    assert_eq!(shown["quality"]["window"]["base_bars_per_bar"], 5, "{shown}");
    assert_eq!(shown["quality"]["window"]["present_bars"], 200);
    assert!(service.take_requests().is_empty());
}
