//! What looks at a session from outside, through the binary: costs, explain, doctor, metrics.

use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use walkforward_core::{Bar, Clock, Side, Timeframe, Timestamp};
use walkforward_durable::FileLock;
use walkforward_testing::{FakeAlpaca, FillMode};

use crate::live_trader::wait_until;
use crate::support::scrape::{free_port, metric, scrape};
use crate::support::{Ran, World};

fn now() -> Timestamp {
    walkforward::clock::SystemClock::start().now()
}

/// A time as HTTP writes it.
fn http_date(time: Timestamp) -> String {
    let time = chrono::DateTime::from_timestamp_millis(time.as_millis()).unwrap();
    time.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// Runs the doctor; what it said of each check.
fn doctor(world: &World, args: &[&str]) -> (Ran, Value) {
    let ran = world.live_trader(&[&["doctor", "--journal", "journal", "--json"], args].concat());
    let report = ran.json();
    (ran, report)
}

/// The verdicts of the checks of this name.
fn verdicts(report: &Value, name: &str) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let checks = report["checks"].as_array().unwrap().iter().filter(|check| check["name"] == name);
    checks.map(|check| (text(&check["verdict"]), text(&check["found"]))).collect()
}

/// Asserts that a check came out like that and says `part`; a failure has something to do.
fn expect(report: &Value, name: &str, verdict: &str, part: &str) {
    let found = verdicts(report, name);
    let is_it = |(is, says): &(String, String)| is == verdict && says.contains(part);
    assert!(found.iter().any(is_it), "no {verdict} '{part}' of {name} in {report:#}");
    for check in report["checks"].as_array().unwrap() {
        assert_eq!(check["to_do"].is_null(), check["verdict"] == "ok", "{check}");
    }
}

#[test]
fn a_doctor_finds_what_a_start_would_find_on_this_machine() {
    let world = World::new();
    let (ran, report) = doctor(&world, &[]);
    assert_eq!(ran.code, Some(0), "{report:#}");
    expect(&report, "pointer", "warn", "no_model");
    expect(&report, "journal", "ok", "a new session begins");
    expect(&report, "database", "warn", "there is none");
    expect(&report, "disk of the journal", "ok", "MiB free");
    assert!(!world.path("journal").exists() && !world.path("data").exists(), "it writes nothing");

    let promoted = world.promote();
    world.live_trader(&["--bars", "30", "--journal", "journal"]).expect_code(0);
    let (ran, report) = doctor(&world, &["--continue"]);
    assert_eq!(ran.code, Some(0), "{report:#}");
    expect(&report, "pointer", "ok", promoted["modelId"].as_str().unwrap());
    for name in ["model", "model's market", "grade", "model's age", "database", "mode", "journal's lock"] {
        expect(&report, name, "ok", "");
    }
    expect(&report, "journal", "ok", "30 bars");

    let (ran, report) = doctor(&world, &["--continue", "--timeframe", "2h"]);
    assert_eq!(ran.code, Some(1));
    expect(&report, "model's market", "fail", "2h");
    expect(&report, "journal", "fail", "timeframe");
}

#[test]
fn a_doctor_names_each_thing_that_is_wrong_with_journal_and_model() {
    let world = World::new();
    world.promote();
    world.live_trader(&["--bars", "10", "--journal", "journal"]).expect_code(0);
    let segment = world.path("journal/00000001.journal");
    let whole = std::fs::read(&segment).unwrap();

    std::fs::write(&segment, [&whole[..], b"{\"record\":\"ba"].concat()).unwrap();
    expect(&doctor(&world, &["--continue"]).1, "journal", "ok", "torn record");
    let mut damaged = whole.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    std::fs::write(&segment, damaged).unwrap();
    let (ran, report) = doctor(&world, &["--continue"]);
    expect(&report, "journal", "fail", "00000001.journal");
    assert_eq!((ran.code, ran.stderr.contains("a check failed")), (Some(1), true), "{ran:?}");
    std::fs::write(&segment, whole).unwrap();

    world.file("journal/halt", "news");
    expect(&doctor(&world, &["--continue"]).1, "mode", "warn", "halts the session");
    let mut pointer = world.read_json("models/latest.json");
    pointer["sha256"] = "0".repeat(64).into();
    std::fs::write(world.path("models/latest.json"), pointer.to_string()).unwrap();
    let (ran, report) = doctor(&world, &[]);
    expect(&report, "pointer", "fail", "latest.json");
    assert_eq!(ran.code, Some(1));
    expect(&doctor(&world, &["--symbol", "AAPL"]).1, "configuration", "fail", "is a stock");
    let people = world.live_trader(&["doctor", "--journal", "journal"]);
    assert!(people.stdout.contains("FAIL  pointer") && people.stdout.contains("->"), "{}", people.stdout);
}

#[test]
fn a_stock_is_refused_with_its_reason() {
    let world = World::new();
    world.live_trader(&["--symbol", "AAPL"]).expect_refusal(&["--symbol", "AAPL is a stock", "BTC/USD"]);
    world.expect_untouched();
}

/// The fake with half an hour of minutes and the right date.
fn fake() -> FakeAlpaca {
    let fake = FakeAlpaca::in_background("BTC/USD");
    let end = Timeframe::MINUTE.floor(now());
    for minute in -30..0 {
        let open_time = end.plus_millis(minute * Timeframe::MINUTE.millis());
        fake.lose_bar(Bar::flat(open_time, 40_000.0).unwrap());
    }
    fake.set_date(Some(&http_date(now())));
    fake
}

/// The doctor on the fake's account, with keys.
fn doctor_on(fake: &FakeAlpaca, world: &World, secret: &str) -> (Ran, Value) {
    let args = ["--source", "alpaca", "--symbol", "BTC/USD", "--timeframe", "1m", "--venue", "alpaca-paper"];
    let output = world
        .command("live-trader")
        .args([&["doctor", "--journal", "journal", "--json"], &args[..]].concat())
        .env("APCA_API_DATA_URL", fake.rest_url())
        .env("APCA_API_BASE_URL", fake.rest_url())
        .env("APCA_API_STREAM_URL", fake.market_url())
        .env("APCA_API_KEY_ID", FakeAlpaca::KEY_ID)
        .env("APCA_API_SECRET_KEY", secret)
        .output()
        .unwrap();
    let ran = Ran::from(output);
    assert!(!ran.stdout.contains(FakeAlpaca::SECRET) && !ran.stderr.contains(FakeAlpaca::SECRET));
    let report = ran.json();
    (ran, report)
}

/// The lock that a trader of the fake's account holds.
fn hold_account(world: &World) -> FileLock {
    let folder = world.path("data/live");
    std::fs::create_dir_all(&folder).unwrap();
    let key = &walkforward_policy::sha256_hex(FakeAlpaca::KEY_ID.as_bytes())[..12];
    FileLock::try_exclusive(&folder.join(format!("alpaca-paper-{key}-BTC-USD.lock")), 0).unwrap()
}

#[test]
fn a_doctor_names_each_thing_that_is_wrong_with_an_account() {
    let (world, fake) = (World::new(), fake());
    let look = || doctor_on(&fake, &world, FakeAlpaca::SECRET);
    let (ran, report) = look();
    assert_eq!((ran.code, &report["failed"]), (Some(0), &0.into()), "{report:#}");
    for name in [
        "history of bars",
        "stream of bars",
        "account",
        "account's state",
        "account's lock",
        "cash",
        "symbol",
        "order updates",
    ] {
        expect(&report, name, "ok", "");
    }
    expect(&report, "history of bars", "ok", "30 bars");
    expect(&report, "increments", "ok", "prices in steps of 0.01");
    expect(&report, "clock", "ok", "from the service's");
    expect(&report, "position", "ok", "0.000000000, the ledger 0.000000000");

    let held = hold_account(&world);
    expect(&look().1, "account's lock", "fail", &format!("process {}", std::process::id()));
    drop(held);
    fake.set_date(Some(&http_date(now().plus_millis(3_600_000))));
    expect(&look().1, "clock", "fail", "from the service's");
    fake.set_date(None);
    expect(&look().1, "clock", "warn", "no date");
    fake.block_account(true);
    expect(&look().1, "account's state", "fail", "trading_blocked");
    fake.block_account(false);
    fake.halt_symbol(true);
    expect(&look().1, "symbol", "fail", "does not take orders");
    fake.halt_symbol(false);
    fake.deposit("-4000");
    expect(&look().1, "cash", "fail", "may spend 6000.00, the ledger counts with 10000.00");
    fake.set_fill_mode(FillMode::Manual);
    fake.place_external(Side::Buy, "0.01", "somebody-else");
    expect(&look().1, "open orders", "fail", "somebody-else");
    fake.fill("somebody-else", None, 40_000.0);
    expect(&look().1, "position", "fail", "no order explains");
    assert!(fake.orders().iter().all(|order| order.client_id == "somebody-else"), "it hands nothing in");

    let (ran, report) = doctor_on(&fake, &world, "wrong");
    assert_eq!(ran.code, Some(1));
    expect(&report, "account", "fail", "401");
    expect(&report, "stream of bars", "fail", "");
}

#[test]
fn a_doctor_without_keys_or_without_the_service_says_so() {
    let world = World::new();
    let (ran, report) = doctor(&world, &["--source", "alpaca", "--symbol", "BTC/USD"]);
    assert_eq!(ran.code, Some(1));
    expect(&report, "keys", "fail", "there are none");
}

#[test]
fn costs_and_reasons_of_a_session_are_told_by_name() {
    let world = World::new();
    let promoted = world.promote();
    let summary =
        world.live_trader(&["--bars", "300", "--journal", "journal", "--json"]).expect_code(0).json();
    let costs =
        world.live_trader(&["costs", "--last", "3", "--journal", "journal", "--json"]).expect_code(0).json();
    assert!(summary["fills"].as_u64().unwrap() > 3, "{summary}");
    assert_eq!((&costs["orders"], costs["listed"].as_array().unwrap().len()), (&summary["fills"], 3));
    let fees = |value: &Value, key: &str| value[key].as_f64().unwrap();
    assert!((fees(&costs, "fees") - fees(&summary, "fees_quote")).abs() < 1e-6, "{costs}");
    assert_eq!((&costs["fee_quantity_asset"], &costs["fee_cash_asset"]), (&"BTC".into(), &"USD".into()));
    let people = world.live_trader(&["costs", "--journal", "journal"]).expect_code(0).stdout;
    assert!(people.contains("shortfall") && people.contains("bps"), "{people}");

    let order = &costs["listed"][0];
    let bar = order["bar_open"].as_str().unwrap();
    let reason = world.live_trader(&["explain", bar, "--journal", "journal", "--json"]).expect_code(0).json();
    assert_eq!((&reason["record"]["open_time"], &reason["difference"]), (&order["bar_open"], &Value::Null));
    assert_eq!(reason["model"]["model_id"], promoted["modelId"]);
    assert_eq!(reason["features"].as_array().unwrap().len(), 5, "{reason:#}");
    let odds = reason["model"]["probabilities"].as_array().unwrap().iter();
    let sum: f64 = odds.map(|it| it["probability"].as_f64().unwrap()).sum();
    assert!((sum - 1.0).abs() < 1e-9, "{sum}");
    assert_eq!(reason["fills"].as_array().unwrap().len(), 1);
    for choice in ["last", "-3"] {
        let people = world.live_trader(&["explain", choice, "--journal", "journal"]).expect_code(0).stdout;
        for word in ["bar  ", "ledger", "model", "decision", "limits", "drawdown", "before"] {
            assert!(people.contains(word), "no {word} in {people}");
        }
    }
    world.live_trader(&["explain", "yesterday", "--journal", "journal"]).expect_refusal(&["last, or -3"]);
    world.live_trader(&["explain", "-9999", "--journal", "journal"]).expect_refusal(&["has no bar -9999"]);
    world.live_trader(&["costs", "--journal", "absent"]).expect_refusal(&["holds no journal"]);
}

fn start_measured(world: &World, port: u16) -> Child {
    world
        .command("live-trader")
        .args(["--speed", "72000", "--bars", "100000", "--journal", "journal", "--quiet"])
        .args(["--metrics", &port.to_string()])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn metrics_are_read_over_http_while_a_session_runs() {
    let (world, port) = (World::new(), free_port());
    world.promote();
    let child = start_measured(&world, port);
    let read = |name: &str| scrape(port).as_deref().and_then(|text| metric(text, name));
    wait_until("twenty bars", || read("walkforward_bars_total").is_some_and(|bars| bars >= 20.0));
    wait_until("an age", || read("walkforward_model_training_age_seconds").is_some_and(|age| age > 0.0));
    let text = scrape(port).unwrap();
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    let value = |name: &str| metric(&text, name).unwrap_or_else(|| panic!("no {name} in {text}"));
    assert!(value("walkforward_decisions_total") > 0.0 && value("walkforward_equity_quote") > 1_000.0);
    assert_eq!((value("walkforward_mode"), value("walkforward_model_version")), (0.0, 1.0));
    assert!(value("walkforward_decision_compute_seconds_count") > 0.0);
    assert_eq!(value("walkforward_feed_up"), 1.0, "bars come");
    for part in [
        "# TYPE walkforward_bars_total counter",
        "# TYPE walkforward_decision_delay_seconds histogram",
        "# HELP walkforward_mode 0 active, 1 reduce_only, 2 halted",
        "walkforward_decision_compute_seconds_bucket{",
        "walkforward_journal_sync_seconds",
        "walkforward_order_rejections_total{",
        "by=\"venue\"",
        "line=\"default\"",
        "symbol=\"BTC/USD\"",
        "follower=\"projection\"",
    ] {
        assert!(text.contains(part), "no {part} in {text}");
    }
    let (_, report) = doctor(&world, &["--continue"]);
    expect(&report, "journal's lock", "fail", &format!("process {}", child.id()));
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/watching.md")).unwrap();
    for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let name = line.split(' ').next().unwrap();
        assert!(page.contains(&format!("`{name}")), "docs/watching.md does not speak of {name}");
    }
    let other = world.live_trader(&["--bars", "5", "--journal", "other", "--metrics", &port.to_string()]);
    other.expect_refusal(&[&format!("127.0.0.1:{port}"), "--metrics"]);
    kill_process(Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap(), Signal::TERM).unwrap();
    assert!(child.wait_with_output().unwrap().status.success());
    assert!(scrape(port).is_none(), "nobody listens any more");
    world.live_trader(&["--metrics", "here"]).expect_refusal(&["--metrics", "127.0.0.1:9184"]);
}
