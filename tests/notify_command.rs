//! Who is told what happens: through the real binaries, to sinks that take, refuse and hang.

use std::os::unix::net::UnixStream;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use walkforward_testing::{FakeSink, SinkAnswer, SinkRequest};

use crate::live_control::tell;
use crate::live_trader::wait_until;
use crate::serve::add;
use crate::support::{SMALL, World};

const WEBHOOK: &str = "WALKFORWARD_NOTIFY_WEBHOOK_URL";
/// Twenty bars a second, on and on.
const PACED: [&str; 7] = ["--speed", "72000", "--bars", "100000", "--journal", "journal", "--quiet"];
/// Two schedules run side by side.
const SERVE: [&str; 6] = ["serve", "--quiet", "--listen", "0", "--max-concurrent-trainings", "2"];
/// A hanging sink may hold up an end by three seconds; the process ends itself by force after ten.
const END_BOUND: Duration = Duration::from_secs(60);

/// A process that is killed when the test is over.
struct Process(Child);

impl Process {
    fn start(world: &World, binary: &str, args: &[&str], env: &[(&str, &str)]) -> Self {
        let mut command = world.command(binary);
        command.args(args).envs(env.iter().copied()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().unwrap())
    }

    fn server(world: &World, sink: &FakeSink) -> Self {
        let url = sink.url("/hook");
        let process = Self::start(world, "orchestrate", &SERVE, &[(WEBHOOK, &url)]);
        // One that was killed leaves a socket on which nobody listens.
        let socket = world.path("data/orchestrate.sock");
        wait_until("the server listens", || UnixStream::connect(&socket).is_ok());
        process
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(i32::try_from(self.0.id()).unwrap()).unwrap(), signal).unwrap();
    }

    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn texts(seen: &[SinkRequest], kind: &str) -> Vec<String> {
    let bodies = seen.iter().map(SinkRequest::json).filter(|body| body["kind"] == kind);
    bodies.map(|body| body["text"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_test_notice_says_for_each_place_whether_it_arrived() {
    let world = World::new();
    world.orchestrate(&["notify", "test"], &[]).expect_refusal(&["nowhere", "WALKFORWARD_NOTIFY_SLACK_URL"]);
    let (fine, gone) = (FakeSink::new(), FakeSink::new());
    gone.answer(SinkAnswer::Status(404, None, "no such webhook".to_owned()));
    let (slack, discord) = (fine.url("/hidden-slack"), gone.url("/hidden-discord"));
    let taken = world.path("taken").display().to_string();
    let script = format!("[\"sh\", \"-c\", \"cat > {taken}; env > {taken}.env\"]");
    let env = [
        ("WALKFORWARD_NOTIFY_SLACK_URL", slack.as_str()),
        ("WALKFORWARD_NOTIFY_DISCORD_URL", discord.as_str()),
        ("WALKFORWARD_NOTIFY_COMMAND", script.as_str()),
    ];
    let ran = world.orchestrate(&["notify", "test", "--json"], &env).expect_code(1);
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(!said.contains("hidden-") && said.contains("1 of 3 places"), "{said}");
    let lines: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let arrived: Vec<_> =
        lines.iter().map(|line| (line["sink"].as_str().unwrap(), &line["arrived"])).collect();
    assert_eq!(arrived, [("slack", &true.into()), ("discord", &false.into()), ("command", &true.into())]);
    assert_eq!(lines[1]["reason"], "it answers 404, 'no such webhook'");
    assert!(lines[1]["advice"].as_str().unwrap().contains("make a new webhook"));
    assert!(fine.seen()[0].json()["text"].as_str().unwrap().contains("notices arrive here"));
    assert_eq!(world.read_json("taken")["kind"], "test");
    let given = std::fs::read_to_string(world.path("taken.env")).unwrap();
    assert!(given.contains("PATH=") && !given.contains("hidden-"), "{given}");
    gone.answer(SinkAnswer::status(204));
    world.orchestrate(&["notify", "test"], &env).expect_code(0);
    let listed = world.orchestrate(&["config", "show", "--json"], &env).expect_code(0);
    assert!(!listed.stdout.contains("hidden-"));
}

#[test]
fn settings_and_addresses_that_can_t_be_used_are_refused_before_anything_runs() {
    let world = World::new();
    let check = |env: &[(&str, &str)], parts: &[&str]| {
        for binary in ["orchestrate", "live-trader"] {
            let args: &[&str] = if binary == "orchestrate" { &["notify", "test"] } else { &["--bars", "1"] };
            let ran = world.command(binary).args(args).envs(env.iter().copied()).output().unwrap();
            crate::support::Ran::from(ran).expect_refusal(parts);
        }
    };
    check(
        &[("WALKFORWARD_NOTIFY_SLACK_URL", "not-an-address")],
        &["WALKFORWARD_NOTIFY_SLACK_URL", "https://"],
    );
    check(&[("WALKFORWARD_NOTIFY_TELEGRAM_TOKEN", "1:a")], &["notify.telegram_chat", "which chat"]);
    check(&[("WALKFORWARD_NOTIFY_TELEGRAM_CHAT", "1")], &["WALKFORWARD_NOTIFY_TELEGRAM_TOKEN"]);
    check(&[("WALKFORWARD_NOTIFY_KINDS", "halt")], &["no kind of notice 'halt'", "halted"]);
    check(&[("WALKFORWARD_NOTIFY_QUIET_HOURS", "22-7")], &["22:00-07:00"]);
    check(&[("WALKFORWARD_NOTIFY_ZONE", "Berlin")], &["Europe/Berlin"]);
}

#[test]
fn a_promoted_cycle_and_a_failed_one_are_told_once_across_a_kill() {
    let (world, sink) = (World::new(), FakeSink::new());
    add(&world, "btc", &[SMALL, &["--every", "6h"]].concat());
    let failing = ["--every", "6h", "--line", "bad", "--launcher", "command", "--command", "false"];
    add(&world, "bad", &[SMALL, &failing].concat());
    let server = Process::server(&world, &sink);
    sink.wait_until(|seen| !texts(seen, "promoted").is_empty() && !texts(seen, "cycle_failed").is_empty());
    // What arrived is on the disk as such before the server does anything else that is seen.
    wait_until("nothing waits", || {
        world.read_json("data/notices.json")["waiting"] == Value::from(Vec::<Value>::new())
    });
    server.kill();
    let server = Process::server(&world, &sink);
    world.orchestrate(&["schedules", "trigger", "btc", "--quiet"], &[]).expect_code(0);
    let seen = sink.wait_until(|seen| texts(seen, "promoted").len() > 1);
    let (promoted, failed) = (texts(&seen, "promoted"), texts(&seen, "cycle_failed"));
    assert!(promoted.len() == 2 && promoted[0] != promoted[1], "{promoted:#?}");
    assert!(failed.len() == 1 && failed[0].starts_with("cycle 1 failed"), "{failed:#?}");
    server.signal(Signal::TERM);
}

#[test]
fn what_a_killed_server_could_not_send_the_next_one_sends() {
    let (world, sink) = (World::new(), FakeSink::new());
    sink.answer(SinkAnswer::status(503));
    add(&world, "btc", &[SMALL, &["--every", "6h"]].concat());
    let server = Process::server(&world, &sink);
    sink.wait_until(|seen| !texts(seen, "promoted").is_empty());
    server.kill();
    let before = texts(&sink.seen(), "promoted").len();
    sink.answer(SinkAnswer::status(200));
    let _server = Process::server(&world, &sink);
    let seen = sink.wait_until(|seen| texts(seen, "promoted").len() > before);
    wait_until("nothing waits", || {
        world.read_json("data/notices.json")["waiting"] == Value::from(Vec::<Value>::new())
    });
    let told = texts(&seen, "promoted");
    assert!(told.len() == before + 1 && told.iter().all(|text| *text == told[0]), "{told:#?}");
}

#[test]
fn a_halted_trader_is_told_though_it_is_quiet_and_it_shows_that_it_lives() {
    let (world, sink, watcher) = (World::new(), FakeSink::new(), FakeSink::new());
    world.promote();
    let (url, heartbeat) = (sink.url("/hook"), watcher.url("/trader"));
    let env = [
        (WEBHOOK, url.as_str()),
        ("WALKFORWARD_HEARTBEAT_URL", "http://127.0.0.1:9/nobody"),
        ("WALKFORWARD_TRADER_HEARTBEAT_URL", heartbeat.as_str()),
        ("WALKFORWARD_NOTIFY_QUIET_HOURS", "00:00-23:59"),
    ];
    let trader = Process::start(&world, "live-trader", &PACED, &env);
    watcher.wait_until(|seen| seen.len() > 1);
    assert!(watcher.seen().iter().all(|seen| seen.method == "GET" && seen.path == "/trader"));
    tell(&world, &["kill", "--reason", "a test"]);
    let seen = sink.wait_until(|seen| !seen.is_empty());
    let body = seen[0].json();
    assert_eq!((&body["kind"], &body["severity"]), (&"halted".into(), &"critical".into()));
    assert_eq!(body["subject"], "default BTC/USD");
    assert!(body["text"].as_str().unwrap().contains("a test"), "{body}");
    trader.signal(Signal::TERM);
}

#[test]
fn a_sink_that_hangs_holds_up_neither_bars_nor_the_end_and_hears_of_it_later() {
    let (world, sink) = (World::new(), FakeSink::new());
    world.promote();
    sink.answer(SinkAnswer::Hang);
    let url = sink.url("/hook");
    let mut trader = Process::start(&world, "live-trader", &PACED, &[(WEBHOOK, &url)]);
    let bars = || {
        let ran = world.live_trader(&["status", "--journal", "journal", "--json"]);
        let told = if ran.code == Some(0) { ran.json() } else { Value::Null };
        if told["through"] == "socket" { told["status"]["bars"].as_u64().unwrap_or(0) } else { 0 }
    };
    wait_until("a bar", || bars() > 0);
    tell(&world, &["kill", "--reason", "a test"]);
    sink.wait_until(|seen| !seen.is_empty());
    let before = bars();
    wait_until("more bars", || bars() > before + 20);
    let asked = Instant::now();
    trader.signal(Signal::TERM);
    let status = trader.0.wait().unwrap();
    assert!(status.success() && asked.elapsed() < END_BOUND, "{status:?} {:?}", asked.elapsed());
    let left = world.read_json("journal/notices.json");
    assert_eq!(left["waiting"][0]["notice"]["kind"], "halted");
    sink.answer(SinkAnswer::status(200));
    let hung = sink.seen().len();
    let _again = Process::start(&world, "live-trader", &PACED, &[(WEBHOOK, &url)]);
    let seen = sink.wait_until(|seen| seen.len() > hung);
    assert_eq!(texts(&seen[hung..], "halted").len(), 1);
    wait_until("nothing waits", || {
        world.read_json("journal/notices.json")["waiting"] == Value::from(Vec::<Value>::new())
    });
}
