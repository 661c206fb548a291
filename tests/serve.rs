//! `orchestrate serve`: schedules that run, are told what to do, are stopped and killed.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::support::server::{Server, eventually};
use crate::support::{GOOD_METRICS, SMALL, World};

/// A training that does not end by itself in a test.
const ENDLESS: &[&str] = &["--window-bars", "1500", "--holdout-bars", "300", "--iterations", "1000000"];
/// Trains on the same bars again, because an hour is longer than a test.
pub(crate) const ALWAYS: (&str, &str) = ("WALKFORWARD_ON_NO_NEW_BARS", "run");

/// Makes a schedule whose every model passes.
pub(crate) fn add(world: &World, id: &str, args: &[&str]) {
    let env = [GOOD_METRICS, &[ALWAYS]].concat();
    world.orchestrate(&[&["schedules", "add", id, "--quiet"], args].concat(), &env).expect_code(0);
}

fn tell(world: &World, command: &str, id: &str) -> Value {
    world.orchestrate(&["schedules", command, id, "--json"], &[]).expect_code(0).json()
}

/// The cycles of a schedule, oldest first.
pub(crate) fn history(world: &World, id: &str) -> Vec<Value> {
    let all = ["schedules", "history", id, "--json", "--limit", "1000"];
    let answer = world.orchestrate(&all, &[]).expect_code(0).json();
    let mut cycles = answer["cycles"].as_array().unwrap().clone();
    cycles.reverse();
    cycles
}

/// Every cycle has an end, and their numbers have no gap.
pub(crate) fn expect_consistent(world: &World, id: &str) -> Vec<Value> {
    let cycles = history(world, id);
    for (index, cycle) in cycles.iter().enumerate() {
        assert_eq!(cycle["number"], json!(index + 1), "{cycles:#?}");
        let is_open = cycle["status"] == "running" || cycle["status"] == "queued";
        assert!(!is_open && !cycle["finished_at"].is_null(), "{cycle:#}");
    }
    let running = world.orchestrate(&["experiments", "list", "--status", "running", "--json"], &[]);
    assert_eq!(running.expect_code(0).json(), json!([]));
    cycles
}

/// Nothing of a training is left: no process, no staging folder.
pub(crate) fn expect_no_orphans(world: &World) {
    assert_eq!(walkforward_launcher::find_orphans(&world.path("data")), []);
    assert_eq!(std::fs::read_dir(world.path("models/.staging")).map_or(0, Iterator::count), 0);
}

fn is_of(id: &str) -> impl Fn(&Value) -> bool {
    move |data| data["schedule_id"] == *id
}

#[test]
fn a_schedule_that_was_made_is_served_and_promotes_cycle_after_cycle() {
    let world = World::new();
    add(&world, "btc", &[SMALL, &["--every", "1s"]].concat());
    let mut server = Server::start(&world, &[]);
    server.wait_for_many("continuous_cycle_complete", 3, |data| data["status"] == "promoted");
    server.stop_well();
    assert!(!world.path("data/orchestrate.sock").exists());
    let cycles = expect_consistent(&world, "btc");
    let promoted: Vec<&Value> = cycles.iter().filter(|cycle| cycle["status"] == "promoted").collect();
    assert!(promoted.len() >= 3, "{cycles:#?}");
    let last = promoted.last().unwrap();
    assert_eq!(last["deployed_model_id"], world.read_json("models/latest.json")["modelId"]);
    assert_eq!(promoted[1]["parent_id"], promoted[0]["model_id"]);
    let id = last["experiment_id"].as_str().unwrap();
    let experiment = world.orchestrate(&["experiments", "show", id, "--json"], &[]).expect_code(0).json();
    let tags = json!(["continuous", format!("cycle:{}", last["number"]), "schedule:btc"]);
    assert_eq!((&experiment["status"], &experiment["tags"]), (&json!("completed"), &tags));
    // A second start goes on where the first stopped.
    let before = cycles.len();
    let mut server = Server::start(&world, &[]);
    server.wait_for("continuous_cycle_complete", |data| data["cycle_number"].as_u64() > Some(before as u64));
    server.stop_well();
    expect_consistent(&world, "btc");
}

#[test]
fn a_served_schedule_obeys() {
    let world = World::new();
    let mut server = Server::start(&world, &[]);
    add(&world, "btc", &[SMALL, &["--every", "1h"]].concat());
    server.wait_for("continuous_cycle_complete", is_of("btc"));
    let active = tell(&world, "show", "btc");
    assert_eq!(active["schedule"]["status"], "active");
    let paused = tell(&world, "pause", "btc");
    assert_eq!(paused["schedule"]["next_cycle_at"], active["schedule"]["next_cycle_at"]);
    let refused = |command: &str, parts: &[&str]| {
        world.orchestrate(&["schedules", command, "btc"], &[]).expect_refusal(parts);
    };
    refused("trigger", &["'btc'", "it is paused; resume it"]);
    refused("pause", &["it is paused already"]);
    tell(&world, "resume", "btc");
    assert_eq!(tell(&world, "trigger", "btc")["schedule"]["current_cycle"], 2);
    server.wait_for("continuous_cycle_complete", |data| data["cycle_number"] == 2);
    assert_eq!(tell(&world, "stop", "btc")["schedule"]["next_cycle_at"], Value::Null);
    refused("trigger", &["it is stopped; start it"]);
    tell(&world, "start", "btc");
    tell(&world, "remove", "btc");
    refused("start", &["it was removed"]);
    let listed = world.orchestrate(&["schedules", "list", "--json"], &[]).expect_code(0).json();
    assert_eq!(listed["schedules"], json!([]));
    assert_eq!(listed["server"]["pid"], server.pid());
    world.orchestrate(&["schedules", "pause", "eth"], &[]).expect_refusal(&["'eth'", "schedules list"]);
    server.stop_well();
    assert_eq!(expect_consistent(&world, "btc").len(), 2);
}

#[test]
fn an_idle_schedule_waits_for_its_start() {
    let world = World::new();
    let mut server = Server::start(&world, &[]);
    add(&world, "btc", &[SMALL, &["--every", "1h", "--idle"]].concat());
    assert_eq!(tell(&world, "show", "btc")["live"]["schedule"]["status"], "idle");
    tell(&world, "start", "btc");
    server.wait_for("continuous_cycle_complete", is_of("btc"));
    server.stop_well();
}

#[test]
fn a_stop_cancels_the_running_cycle_and_its_worker() {
    let world = World::new();
    let mut server = Server::start(&world, &[]);
    add(&world, "btc", &[ENDLESS, &["--every", "1h"]].concat());
    server.wait_for("continuous_cycle_start", is_of("btc"));
    eventually("the training starts", || {
        tell(&world, "show", "btc")["live"]["progress"]["update"]["stage"] == "train"
    });
    let refused = world.orchestrate(&["schedules", "trigger", "btc"], &[]);
    refused.expect_refusal(&["cycle 1 of this schedule is still running"]);
    tell(&world, "stop", "btc");
    server.wait_for("continuous_cycle_failed", |data| data["status"] == "cancelled");
    eventually("the worker ends", || {
        std::fs::read_dir(world.path("models/.staging")).map_or(0, Iterator::count) == 0
    });
    assert_eq!(expect_consistent(&world, "btc")[0]["status"], "cancelled");
    server.stop_well();
    expect_no_orphans(&world);
}

/// A server in the middle of the training of the first cycle of `btc`.
fn training(world: &World) -> Server {
    add(world, "btc", &[ENDLESS, &["--every", "1h"]].concat());
    let mut server = Server::start(world, &[]);
    server.wait_for("continuous_cycle_start", is_of("btc"));
    eventually("the training starts", || {
        std::fs::read_dir(world.path("models/.staging")).map_or(0, Iterator::count) > 0
    });
    server
}

#[test]
fn a_signal_in_the_middle_of_a_training_leaves_consistent_rows() {
    for signal in [Signal::TERM, Signal::INT] {
        let world = World::new();
        let (code, stderr) = training(&world).stop(signal);
        assert!(code == Some(0) && !stderr.contains("panicked"), "{code:?} {stderr}");
        let cycles = expect_consistent(&world, "btc");
        assert!(["cancelled", "interrupted"].contains(&cycles[0]["status"].as_str().unwrap()), "{cycles:#?}");
        expect_no_orphans(&world);
        assert_eq!(tell(&world, "show", "btc")["schedule"]["status"], "active");
    }
}

#[test]
fn a_server_whose_output_nobody_reads_stops_all_the_same() {
    const PIPE_BYTES: usize = 65_536;
    let world = World::new();
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(&vec![b' '; PIPE_BYTES]).unwrap();
    let mut command = world.command("orchestrate");
    let mut child = command.args(["serve", "--json"]).stdout(writer).stderr(Stdio::null()).spawn().unwrap();
    // The command keeps its end of the pipe.
    drop(command);
    eventually("the server listens", || world.path("data/orchestrate.sock").exists());
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    eventually("the server ends", || child.try_wait().unwrap().is_some());
    drop(reader);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_killed_server_leaves_an_interrupted_cycle_and_the_next_goes_on() {
    let world = World::new();
    let mut server = training(&world);
    let (code, _) = server.stop(Signal::KILL);
    assert_eq!(code, None);
    assert!(world.path("data/orchestrate.sock").exists());
    let mut server = Server::start(&world, &[]);
    let failed = server.wait_for("continuous_cycle_failed", is_of("btc"));
    assert_eq!((&failed["status"], &failed["cycle_number"]), (&json!("interrupted"), &json!(1)));
    eventually("the worker is gone", || walkforward_launcher::find_orphans(&world.path("data")).is_empty());
    assert_eq!(tell(&world, "trigger", "btc")["schedule"]["current_cycle"], 2);
    tell(&world, "stop", "btc");
    server.wait_for("continuous_cycle_failed", |data| data["cycle_number"] == 2);
    server.stop_well();
    let cycles = expect_consistent(&world, "btc");
    let statuses: Vec<&str> = cycles.iter().map(|cycle| cycle["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["interrupted", "cancelled"]);
    expect_no_orphans(&world);
}

#[test]
fn a_killed_server_is_mended_by_a_command_too() {
    let world = World::new();
    training(&world).stop(Signal::KILL);
    tell(&world, "pause", "btc");
    let cycles = expect_consistent(&world, "btc");
    assert_eq!(cycles[0]["status"], "interrupted");
    expect_no_orphans(&world);
}

#[test]
fn a_second_server_is_skipped_with_holder_and_age() {
    let world = World::new();
    let server = Server::start(&world, &[]);
    let second = world.orchestrate(&["serve", "--json"], &[]).expect_code(0).json();
    let reason = second["reason"].as_str().unwrap();
    assert_eq!(second["outcome"], "skipped");
    assert!(reason.contains(&format!("process {} for ", server.pid())), "{reason}");
    let once = world.once(&[], &[]).expect_code(0).json();
    assert_eq!(once["outcome"], "skipped");
}

#[test]
fn a_cycle_that_fails_says_why_and_the_schedule_goes_on() {
    let world = World::new();
    let bars: String = (0..2_000).fold("time,open,high,low,close,volume\n".to_owned(), |text, hour| {
        let price = 100.0 + 10.0 * (f64::from(hour) / 9.0).sin();
        let time = 1_577_836_800_000_i64 + i64::from(hour) * 3_600_000;
        text + &format!("{time},{price},{},{},{price},5\n", price + 1.0, price - 1.0)
    });
    let file = world.file("bars.csv", bars);
    add(&world, "btc", &[SMALL, &["--every", "1s", "--path", &file]].concat());
    std::fs::remove_file(&file).unwrap();
    let mut server = Server::start(&world, &[]);
    let failed = server.wait_for_many("continuous_cycle_failed", 2, is_of("btc"));
    let reason = failed[0]["reason"].as_str().unwrap();
    assert!(reason.contains("schedule 'btc'") && reason.contains("bars.csv"), "{reason}");
    server.stop_well();
    let shown = tell(&world, "show", "btc");
    assert!(shown["schedule"]["consecutive_failures"].as_u64() >= Some(2), "{shown}");
}

/// The market of the model that a pointer names, by the model's own record.
fn champion_symbol(world: &World, pointer: &str) -> Value {
    let model = world.read_json(pointer)["modelId"].as_str().unwrap().to_owned();
    world.read_json(&format!("models/{model}/metadata.json"))["symbol"].clone()
}

#[test]
fn two_markets_on_their_own_lines_never_mix() {
    let world = World::new();
    for (id, symbol) in [("btc", "BTC/USD"), ("eth", "ETH/USD")] {
        let own = ["--every", "1s", "--on-busy", "queue", "--symbol", symbol, "--line", id];
        add(&world, id, &[SMALL, &own].concat());
    }
    let mut server = Server::start(&world, &["--max-concurrent-trainings", "2"]);
    for round in 1..=3 {
        for (id, symbol) in [("btc", "BTC/USD"), ("eth", "ETH/USD")] {
            server.wait_for_many("continuous_cycle_complete", round, |data| {
                data["schedule_id"] == *id && data["status"] == "promoted"
            });
            let pointer = format!("models/lines/{id}/latest.json");
            assert_eq!(world.read_json(&pointer)["symbol"], *symbol);
            assert_eq!(champion_symbol(&world, &pointer), *symbol);
        }
    }
    server.stop_well();
    assert!(!Path::new(&world.path("models/latest.json")).exists());
    for id in ["btc", "eth"] {
        expect_consistent(&world, id);
    }
}

#[test]
fn an_experiment_in_the_server_takes_the_slot_and_the_line_of_the_schedules() {
    let world = World::new();
    add(&world, "btc", &[SMALL, &["--every", "1h"]].concat());
    add(&world, "eth", &[SMALL, &["--every", "1h", "--on-busy", "queue", "--line", "eth"]].concat());
    let mut server = Server::start(&world, &["--max-concurrent-trainings", "2"]);
    server.wait_for("continuous_cycle_complete", is_of("btc"));
    server.wait_for("continuous_cycle_complete", is_of("eth"));
    let experiment = |id: &str, line: &str| {
        let args = ["experiments", "run", "--id", id, "--line", line, "--detach", "--quiet"];
        world.orchestrate(&[&args, ENDLESS].concat(), &[])
    };
    experiment("on-btc", "default").expect_code(0);
    let busy = "line 'default' is busy with experiment 'on-btc'";
    world.orchestrate(&["schedules", "trigger", "btc"], &[]).expect_refusal(&[busy, "try again"]);
    experiment("on-eth", "eth").expect_code(0);
    // Every slot is taken, and this schedule queues.
    tell(&world, "trigger", "eth");
    assert_eq!(tell(&world, "show", "eth")["live"]["schedule"]["queued_cycle"], 2);
    let refused = experiment("on-other", "other");
    assert!(
        refused.stderr.contains("experiment 'on-btc', experiment 'on-eth' are running"),
        "{}",
        refused.stderr
    );
    world.orchestrate(&["experiments", "cancel", "on-eth"], &[]).expect_code(0);
    server.wait_for("continuous_cycle_complete", |data| {
        data["schedule_id"] == "eth" && data["cycle_number"] == 2
    });
    server.stop_well();
    assert_eq!(expect_consistent(&world, "btc").len(), 1);
}
