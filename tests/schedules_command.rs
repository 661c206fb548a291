//! `orchestrate schedules` without a server: what it keeps, what it refuses.

use std::sync::Arc;

use serde_json::{Value, json};
use walkforward_core::{ManualClock, Timestamp};
use walkforward_store::{ScheduleChange, ScheduleState, ScheduleStatus, Store};

use crate::support::{Ran, SMALL, World};

fn schedules(world: &World, args: &[&str]) -> Ran {
    world.orchestrate(&[&["schedules", "--json"], args].concat(), &[])
}

fn add(world: &World, id: &str, args: &[&str]) -> Value {
    schedules(world, &[&["add", id], SMALL, args].concat()).expect_code(0).json()
}

fn store(world: &World) -> Store {
    let clock = Arc::new(ManualClock::at(Timestamp::EPOCH));
    Store::open(&world.path("data"), &world.path("models"), clock).unwrap()
}

fn ids(world: &World) -> Vec<String> {
    let listed = schedules(world, &["list"]).expect_code(0).json();
    let rows = listed["schedules"].as_array().unwrap().iter();
    rows.map(|row| row["schedule"]["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_schedule_without_a_server_is_made_and_waits_for_one() {
    let world = World::new();
    let made = add(&world, "btc", &["--every", "6h", "--jitter", "5m", "--name", "Bitcoin"]);
    assert!(made["note"].as_str().unwrap().contains("orchestrate serve"), "{made}");
    let schedule = &made["schedule"];
    assert_eq!((&schedule["status"], &schedule["name"]), (&json!("idle"), &json!("Bitcoin")));
    assert_eq!(made["market"], json!({ "symbol": "BTC/USD", "timeframe": "1h" }));
    let config = &schedule["config"];
    assert_eq!((&config["recurrence"], &config["jitter_seconds"]), (&json!("every 6h"), &json!(300)));
    assert_eq!(config["settings"]["data.window_bars"], "1500");
    assert_eq!(config["start_with_server"], true);
    assert_eq!(ids(&world), ["btc"]);
    let words = world.orchestrate(&["schedules", "list"], &[]).expect_code(0).stdout;
    assert!(words.contains("with a server") && words.contains("no server runs"), "{words}");
    assert!(words.lines().all(|line| line.chars().count() <= 80), "{words}");
    schedules(&world, &["trigger", "btc"]).expect_refusal(&["no server runs", "orchestrate serve"]);
}

#[test]
fn commands_without_a_server_move_a_schedule_as_a_server_would() {
    let world = World::new();
    add(&world, "btc", &["--every", "6h", "--idle"]);
    schedules(&world, &["pause", "btc"]).expect_refusal(&["it was never started; start it"]);
    let marked = schedules(&world, &["start", "btc"]).expect_code(0).json();
    assert_eq!(marked["schedule"]["config"]["start_with_server"], true);
    let unmarked = schedules(&world, &["stop", "btc"]).expect_code(0).json();
    assert_eq!(unmarked["schedule"]["config"]["start_with_server"], false);
    schedules(&world, &["stop", "btc"]).expect_refusal(&["it was never started"]);
    schedules(&world, &["remove", "btc"]).expect_code(0);
    assert!(ids(&world).is_empty());
    let again = schedules(&world, &[&["add", "btc"], SMALL].concat());
    again.expect_refusal(&["'btc'", "exists already", "another id"]);
    let history = schedules(&world, &["history", "btc"]).expect_code(0).json();
    assert_eq!(history["cycles"], json!([]));
}

#[test]
fn a_clock_that_was_ahead_is_told_of_and_a_start_counts_from_now() {
    let world = World::new();
    add(&world, "btc", &["--every", "6h"]);
    add(&world, "eth", &["--every", "6h"]);
    let time = |text: &str| text.parse::<Timestamp>().unwrap();
    let state = ScheduleState {
        id: "btc".parse().unwrap(),
        status: ScheduleStatus::Active,
        anchor_at: Some(time("2024-01-01")),
        current_cycle: 0,
        last_cycle_at: Some(time("2098-12-31T18:00:00Z")),
        next_cycle_at: Some(time("2099-01-01")),
    };
    store(&world).commit_schedule_changes(&[ScheduleChange::Schedule(state)]).unwrap();
    let words =
        |args: &[&str]| world.orchestrate(&[&["schedules"], args].concat(), &[]).expect_code(0).stdout;
    let listed = schedules(&world, &["list"]).expect_code(0).json();
    let from_now = &listed["schedules"][0]["clock_was_ahead"]["next_from_now"];
    assert!(from_now.as_str().unwrap() < "2099", "{listed}");
    assert_eq!(listed["schedules"][1]["clock_was_ahead"], Value::Null);
    let shown = schedules(&world, &["show", "btc"]).expect_code(0).json();
    assert_eq!(&shown["clock_was_ahead"]["next_from_now"], from_now);
    for told in [words(&["list"]), words(&["show", "btc"])] {
        let problem = told.lines().find(|line| line.starts_with("problem ")).unwrap();
        for part in
            ["the clock was ahead", "2099-01-01 00:00 UTC", "schedules stop btc", "schedules start btc"]
        {
            assert!(problem.contains(part), "{problem}");
        }
    }
    schedules(&world, &["stop", "btc"]).expect_code(0);
    let started = schedules(&world, &["start", "btc"]).expect_code(0).json();
    assert_eq!(&started["schedule"]["next_cycle_at"], from_now);
    assert!(!words(&["list"]).contains("problem"));
    let events = store(&world).events_after(0, 100).unwrap();
    let event = &events.iter().find(|event| event.kind == "continuous_clock_went_back").unwrap().payload;
    assert_eq!((&event["schedule_id"], &event["next_cycle_at"]), (&json!("btc"), from_now));
    assert_eq!(event["before"]["next_cycle_at"], "2099-01-01T00:00:00.000Z");
}

#[test]
fn a_schedule_keeps_the_settings_of_its_making() {
    let world = World::new();
    world.file("settings.toml", "[costs]\nfee_bps = 7\n[pack]\ngamma = 0.9\n");
    let args =
        ["add", "btc", "--every", "6h", "--config", "settings.toml", "--seed", "1", "--data-dir", "data"];
    let env = [("MIN_WIN_RATE", "0.6"), ("ORCHESTRATION_INTERVAL_MINUTES", "5")];
    let args = [&["schedules", "--json"], &args[..], &["--window-bars", "1500"]].concat();
    let made = world.orchestrate(&args, &env).expect_code(0).json();
    let config = &made["schedule"]["config"];
    let expected = json!({
        "costs.fee_bps": "7", "data.window_bars": "1500", "gate.min_win_rate": "0.6", "training.seed": "1",
    });
    assert_eq!((&config["settings"], &config["pack"]), (&expected, &json!({ "gamma": 0.9 })));
    assert_eq!(config["recurrence"], "every 6h");
}

#[test]
fn what_a_schedule_could_not_run_with_is_refused_and_nothing_is_made() {
    let world = World::new();
    let window = ["--window-bars", "100", "--holdout-bars", "100"];
    for (args, parts) in [
        (&["--every", "6x"][..], &["--every 6x", "6h"][..]),
        (&["--every", "0s"], &["--every 0s", "at least a second"]),
        (&["--cron", "30 2 * *"], &["--cron", "five fields"]),
        (&["--cron", "30 2 * * 1-5", "--zone", "Mars/Base"], &["Mars/Base"]),
        (&["--every", "6h", "--jitter", "2d"], &["jitter_seconds"]),
        (&["--every", "6h", "--misfire-grace", "0s"], &["misfire_grace_seconds"]),
        (&window, &["--holdout-bars", "shorter than the window"]),
        (&["--source", "csv", "--path", "absent.csv"], &["--path", "absent.csv"]),
        (&["--trainer", "oracle"], &["--trainer", "oracle"]),
        (&["--dataset", "nowhere"], &["'nowhere'", "orchestrate datasets list"]),
        (&["--pack", "nothing"], &["'nothing'", "orchestrate packs list"]),
        (&["--pack", "Not An Id"], &["--pack", "Not An Id"]),
        (&["--base", "exp-0"], &["'exp-0'", "orchestrate experiments list"]),
        (&["--pack", "quick", "--trainer", "supervised"], &["schedule 'btc'", "unknown field `actions`"]),
        (&["--launcher", "command", "--command", "/no/such/trainer"], &["/no/such/trainer"]),
        (&["--line", "../other"], &["--line"]),
    ] {
        world.orchestrate(&[&["schedules", "add", "btc"], args].concat(), &[]).expect_refusal(parts);
        assert!(ids(&world).is_empty(), "{args:?}");
    }
    world.orchestrate(&["schedules", "add", "Not An Id"], &[]).expect_refusal(&["Not An Id"]);
    for command in ["show", "start", "pause", "resume", "stop", "trigger", "remove", "history"] {
        let ran = world.orchestrate(&["schedules", command, "nobody"], &[]);
        ran.expect_refusal(&["'nobody'", "orchestrate schedules list"]);
    }
}

#[test]
fn settings_that_can_not_be_used_leave_not_even_a_folder() {
    let world = World::new();
    world.orchestrate(&["schedules", "add", "btc", "--fee-bps", "-1"], &[]).expect_refusal(&["--fee-bps"]);
    world.orchestrate(&["schedules", "add", "btc", "--every", "soon"], &[]).expect_refusal(&["--every soon"]);
    world.expect_untouched();
}

#[test]
fn a_window_longer_than_its_file_is_refused_when_the_schedule_is_made() {
    let world = World::new();
    let bars: String = (0..200).fold("time,open,high,low,close,volume\n".to_owned(), |text, hour| {
        text + &format!("{},100,101,99,100,5\n", 1_577_836_800_000_i64 + hour * 3_600_000)
    });
    let file = world.file("bars.csv", bars);
    let ran = world.orchestrate(&[&["schedules", "add", "btc", "--path", &file], SMALL].concat(), &[]);
    ran.expect_refusal(&["1500", "200"]);
    assert!(ids(&world).is_empty());
}

#[test]
fn a_line_has_one_market() {
    let world = World::new();
    add(&world, "btc", &["--every", "6h"]);
    add(&world, "btc-too", &["--every", "1h"]);
    let eth = ["add", "eth", "--symbol", "ETH/USD"];
    let ran = schedules(&world, &[&eth[..], SMALL].concat());
    ran.expect_refusal(&["line 'default'", "schedule 'btc'", "--line NAME"]);
    let other = World::new();
    other.promote();
    let ran = schedules(&other, &[&eth[..], SMALL].concat());
    ran.expect_refusal(&["line 'default'", "champion", "--line NAME"]);
    add(&other, "eth", &["--symbol", "ETH/USD", "--line", "eth"]);
}

#[test]
fn a_base_needs_a_checkpoint() {
    let world = World::new();
    let run = [&["experiments", "run", "--quiet", "--id", "base"], SMALL].concat();
    world.orchestrate(&run, &[]).expect_code(0);
    add(&world, "btc", &["--every", "6h", "--base", "base"]);
    let base = ["--base", "base", "--symbol", "ETH/USD", "--line", "eth"];
    let ran = schedules(&world, &[&["add", "eth"], SMALL, &base].concat());
    ran.expect_refusal(&["'base'", "trades BTC/USD 1h"]);
    let shown = world.orchestrate(&["experiments", "show", "base", "--json"], &[]).expect_code(0).json();
    let model = shown["model_id"].as_str().unwrap();
    std::fs::remove_file(world.path(&format!("models/{model}/policy.safetensors"))).unwrap();
    let ran = schedules(&world, &[&["add", "again"], SMALL, &["--base", "base"]].concat());
    ran.expect_refusal(&["'base'", "no checkpoint any more"]);
    let failing =
        ["experiments", "run", "--quiet", "--id", "broken", "--launcher", "command", "--command", "false"];
    world.orchestrate(&[&failing[..], &SMALL[..4]].concat(), &[]).expect_code(1);
    let ran = schedules(&world, &[&["add", "again"], SMALL, &["--base", "broken"]].concat());
    ran.expect_refusal(&["'broken'", "it is failed and has no checkpoint"]);
    assert_eq!(ids(&world), ["btc"]);
}

#[test]
fn a_database_that_can_not_be_used_is_named_and_left_alone() {
    let world = World::new();
    add(&world, "btc", &["--every", "6h"]);
    let path = world.path("data/walkforward.db");
    let spoilt = "this is no database".repeat(100);
    std::fs::write(&path, &spoilt).unwrap();
    for args in
        [&["schedules", "list"][..], &["schedules", "pause", "btc"], &["serve"], &["experiments", "list"]]
    {
        world.orchestrate(args, &[]).expect_refusal(&["walkforward.db", "not a sound database"]);
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), spoilt);
}
