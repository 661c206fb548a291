//! `live-trader` with an account at a venue: one order for a bar, however it dies and however many are started.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use walkforward::clock::SystemClock;
use walkforward_core::{Bar, Clock, Quantity, Timeframe, Timestamp};
use walkforward_testing::{FakeAlpaca, RestFault, Route, StreamKind};

use crate::live_trader::wait_until;
use crate::support::{GOOD_METRICS, World};

pub(crate) const MINUTE_MS: i64 = 60_000;
/// Minutes before the session.
pub(crate) const BEFORE: i64 = 400;

pub(crate) fn now() -> Timestamp {
    SystemClock::start().now()
}

/// A market that always rises, so that whoever learns from it buys.
pub(crate) fn minute(open_time: Timestamp) -> Bar {
    let number = open_time.as_millis() / MINUTE_MS;
    let price = 40_000.0 * (1.0 + 0.0004 * (number % 20_000) as f64) + (number % 3) as f64;
    Bar::new(open_time, price, price + 3.0, price - 3.0, price + 1.0, 1.0 + (number % 5) as f64).unwrap()
}

/// A champion that was trained on such minutes.
pub(crate) fn train(world: &World, until: Timestamp) {
    let mut text = "time,open,high,low,close,volume\n".to_owned();
    for number in -1_600..0 {
        let bar = minute(until.plus_millis(number * MINUTE_MS));
        let (time, open, high, low) = (bar.open_time().as_millis(), bar.open(), bar.high(), bar.low());
        text += &format!("{time},{open},{high},{low},{},{}\n", bar.close(), bar.volume());
    }
    let file = world.file("minutes.csv", text);
    let args = [
        "--path",
        &file,
        "--fee-bps",
        "0",
        "--slippage-bps",
        "0",
        "--window-bars",
        "1500",
        "--holdout-bars",
        "300",
        "--iterations",
        "12",
        "--seed",
        "7",
    ];
    let report = world.orchestrate(&[&["--once", "--json"][..], &args].concat(), GOOD_METRICS);
    let report = report.expect_code(0).json();
    assert_eq!(report["outcome"], "promoted", "{report}");
}

pub(crate) fn command(world: &World, fake: &FakeAlpaca, args: &[&str]) -> Command {
    let mut command = world.command("live-trader");
    command
        .args(["--source", "alpaca", "--symbol", "BTC/USD", "--timeframe", "1m", "--json"])
        .args(args)
        .env("APCA_API_DATA_URL", fake.rest_url())
        .env("APCA_API_BASE_URL", fake.rest_url())
        .env("APCA_API_STREAM_URL", fake.market_url())
        .env("APCA_API_KEY_ID", FakeAlpaca::KEY_ID)
        .env("APCA_API_SECRET_KEY", FakeAlpaca::SECRET)
        .env("WALKFORWARD_GRACE_SECONDS", "1")
        .env("TMPDIR", world.path(""))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

pub(crate) fn start(world: &World, fake: &FakeAlpaca) -> Child {
    let child = command(world, fake, &["--venue", "alpaca-paper", "--journal", "journal"]).spawn().unwrap();
    wait_until("the streams", || {
        [StreamKind::Market, StreamKind::Updates].iter().all(|kind| fake.streams(*kind).open == 1)
    });
    child
}

fn refused(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Lets the minutes go on until something has happened.
pub(crate) fn go_on(fake: &FakeAlpaca, next: &mut Timestamp, what: &str, mut is_there: impl FnMut() -> bool) {
    let end = now().plus_millis(3 * MINUTE_MS);
    while !is_there() {
        assert!(now() < end, "{what} did not happen");
        while next.plus_millis(MINUTE_MS) <= now() {
            fake.set_now(next.plus_millis(MINUTE_MS));
            fake.push_bar(minute(*next));
            *next = next.plus_millis(MINUTE_MS);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub(crate) fn records(world: &World, kind: &str) -> Vec<Value> {
    world.journal("journal").into_iter().filter(|record| record["record"] == kind).collect()
}

#[test]
fn a_trader_that_dies_behind_its_order_finds_it_again_and_no_second_one_trades() {
    let (world, fake) = (World::new(), FakeAlpaca::in_background("BTC/USD"));
    let begin = Timeframe::MINUTE.floor(now());
    train(&world, begin);
    for number in -BEFORE..0 {
        fake.lose_bar(minute(begin.plus_millis(number * MINUTE_MS)));
    }
    fake.deposit("90000");
    let mut next = begin;
    let mut child = start(&world, &fake);

    // A second trader of the account is refused, in the same folder and in another.
    for journal in ["journal", "another"] {
        let args = ["--venue", "alpaca-paper", "--journal", journal];
        let told = refused(&mut command(&world, &fake, &args));
        assert!(told.contains("another trader trades BTC/USD"), "{told}");
    }
    let args = ["--venue", "alpaca-paper", "--journal", "another", "--data-dir", "elsewhere"];
    let told = refused(&mut command(&world, &fake, &args));
    assert!(told.contains("one account and symbol have one trader"), "{told}");

    // The answer to its order is lost, and so is the trader.
    fake.fail(Route::Submit, RestFault::LoseAnswer, 1);
    go_on(&fake, &mut next, "the first order", || !fake.orders().is_empty());
    child.kill().unwrap();
    child.wait().unwrap();
    let order = fake.orders()[0].client_id.clone();
    assert!(
        records(&world, "order").iter().any(|record| record["id"] == order.as_str()),
        "{order} is written down"
    );

    let child = start(&world, &fake);
    let booked = || records(&world, "order").iter().any(|record| record["what"] == "booked");
    go_on(&fake, &mut next, "the fill's booking", booked);
    go_on(&fake, &mut next, "a bar after it", || records(&world, "bar").len() >= 2);
    kill_process(Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap(), Signal::TERM).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(fake.placed(&order), (1, 1), "handed in once, and there once");
    for order in fake.orders() {
        assert_eq!(fake.placed(&order.client_id).1, 1);
    }
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["position"], serde_json::to_value(fake.holdings().position).unwrap(), "{summary}");
    assert!(fake.holdings().position > Quantity::ZERO);
    let verified = world.live_trader(&["verify", "--journal", "journal", "--json"]).expect_code(0).json();
    assert_eq!(verified["differences"], 0, "{verified}");
    let told = refused(&mut command(&world, &fake, &["--journal", "journal"]));
    assert!(
        told.contains("orders at alpaca-paper"),
        "a session with an account does not go on on paper: {told}"
    );

    // A champion comes that an account does not trade: what is open is looked after all the same.
    let made_up = world.once(&["--timeframe", "1m"], GOOD_METRICS).expect_code(0).json();
    assert_eq!(made_up["outcome"], "promoted", "{made_up}");
    let child = start(&world, &fake);
    let is_refusal = |event: &Value| event.to_string().contains("was trained on made-up bars");
    let refused = || records(&world, "event").iter().any(is_refusal);
    go_on(&fake, &mut next, "the refusal of the champion", refused);
    kill_process(Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap(), Signal::TERM).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["position"], serde_json::to_value(fake.holdings().position).unwrap(), "{summary}");
    assert_eq!(summary["no_model_bars"], summary["bars"], "{summary}");
}

#[test]
fn a_model_of_made_up_bars_that_becomes_champion_later_on_is_refused_and_the_old_one_trades_on() {
    let (world, fake) = (World::new(), FakeAlpaca::in_background("BTC/USD"));
    let mut next = Timeframe::MINUTE.floor(now());
    train(&world, next);
    for number in -BEFORE..0 {
        fake.lose_bar(minute(next.plus_millis(number * MINUTE_MS)));
    }
    fake.deposit("90000");
    let old = world.read_json("models/latest.json");
    let child = start(&world, &fake);
    let made_up = world.once(&["--timeframe", "1m"], GOOD_METRICS).expect_code(0).json();
    assert_eq!(made_up["outcome"], "promoted", "{made_up}");
    assert_ne!(made_up["sha256"], old["sha256"]);
    let refused = || {
        let is_it = |event: &Value| event.to_string().contains("was trained on made-up bars");
        records(&world, "event").iter().any(is_it)
    };
    go_on(&fake, &mut next, "the refusal", refused);
    go_on(&fake, &mut next, "a bar after it", || !records(&world, "bar").is_empty());
    kill_process(Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap(), Signal::TERM).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["swaps"], 0, "{summary}");
    for bar in records(&world, "bar") {
        assert_eq!(bar["model"]["sha256"], old["sha256"], "{bar}");
    }
}

#[test]
fn what_an_account_can_not_do_is_refused_by_name() {
    let (world, fake) = (World::new(), FakeAlpaca::in_background("BTC/USD"));
    let expect = |args: &[&str], part: &str| {
        let told = refused(&mut command(&world, &fake, args));
        assert!(told.contains(part), "{args:?}: {told}");
    };
    expect(&["--venue", "alpaca-live"], "real_money = \"trade with real money\"");
    expect(&["--venue", "robinhood"], "alpaca-paper");
    expect(&["--venue", "alpaca-paper", "--symbol", "AAPL"], "AAPL");
    expect(&["--venue", "alpaca-paper", "--continue=false"], "forget its orders");
    expect(&["--venue", "alpaca-paper", "--source", "synthetic"], "--source alpaca");
    expect(&["--disaster-stop-pct", "10"], "choose one with --venue");
    world.expect_untouched();
    world.promote();
    let told = refused(&mut command(&world, &fake, &["--venue", "alpaca-paper", "--timeframe", "1h"]));
    assert!(told.contains("was trained on made-up bars"), "{told}");
}
