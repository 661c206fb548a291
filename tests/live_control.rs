//! A running trader, watched and steered from other processes and on a terminal.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use walkforward_live::MAX_CONTROL_CONNECTIONS;

use crate::live_trader::wait_until;
use crate::support::{GOOD_METRICS, World};

/// Twenty bars a second, on and on.
const PACED: [&str; 6] = ["--speed", "72000", "--bars", "100000", "--journal", "journal"];

pub(crate) fn start(world: &World, args: &[&str]) -> Child {
    let mut command = world.command("live-trader");
    command.args(PACED).args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    wait_until("the session's begin", || {
        let told = status(world);
        told["through"] == "socket" && told["status"]["bars"] != 0
    });
    child
}

/// What a verb says.
pub(crate) fn tell(world: &World, args: &[&str]) -> Value {
    let all = [args, &["--journal", "journal", "--json"]].concat();
    world.live_trader(&all).expect_code(0).json()
}

pub(crate) fn status(world: &World) -> Value {
    let ran = world.live_trader(&["status", "--journal", "journal", "--json"]);
    if ran.code == Some(0) { ran.json() } else { Value::Null }
}

fn mode(told: &Value) -> &str {
    told["status"]["mode"].as_str().unwrap()
}

pub(crate) fn sockets(world: &World) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(world.path("data/live")).into_iter().flatten();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "sock")).collect()
}

pub(crate) fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap(), signal).unwrap();
}

#[test]
fn every_verb_reaches_the_running_session() {
    let world = World::new();
    world.promote();
    let child = start(&world, &["--json"]);
    let socket = sockets(&world).pop().unwrap();
    let permissions = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((permissions(&socket), permissions(socket.parent().unwrap())), (0o600, 0o700));
    let told = status(&world);
    let name = told["status"]["session"].as_str().unwrap().to_owned();
    assert_eq!((told["through"].as_str(), mode(&told)), (Some("socket"), "active"));
    assert_eq!(socket.file_stem().unwrap().to_str(), Some(name.as_str()));
    let text = world.live_trader(&["status", "--journal", "journal"]).expect_code(0).stdout;
    assert!(text.starts_with("running\n") && text.contains("equity") && text.contains(&name), "{text}");

    let paused = tell(&world, &["pause", "--reason", "news"]);
    assert_eq!((mode(&paused), paused["through"].as_str()), ("halted", Some("socket")));
    assert_eq!(paused["status"]["restriction"]["reason"], "news");
    assert_eq!(mode(&tell(&world, &["reduce-only", "--reason", "news"])), "reduce_only");
    assert_eq!(mode(&tell(&world, &["resume"])), "active");
    let killed = tell(&world, &["kill", "--reason", "wrong", "--flatten"]);
    assert_eq!(killed["status"]["restriction"]["needs_acknowledgement"], true);
    world.live_trader(&["resume", "--journal", "journal"]).expect_refusal(&["acknowledgement", "wrong"]);
    wait_until("the position's end", || status(&world)["status"]["position"] == 0);
    assert_eq!(mode(&tell(&world, &["resume", "--ack", "looked into it"])), "active");
    world.live_trader(&["pause", "--reason", "", "--journal", "journal"]).expect_refusal(&["--reason"]);

    // Promoted a moment ago: whether or not the session has seen it, the answer to a reload names it.
    let second = world.once(&["--seed", "8"], GOOD_METRICS).expect_code(0).json();
    assert_eq!(second["outcome"], "promoted");
    let reloaded = tell(&world, &["reload"]);
    assert_eq!(reloaded["status"]["model"]["sha256"], second["sha256"]);

    // It decides from the next bar on, and the journal says so from there.
    let bars = |told: &Value| told["status"]["bars"].as_u64().unwrap();
    wait_until("a bar of the new model", || bars(&status(&world)) > bars(&reloaded) + 1);
    tell(&world, &["stop"]);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(serde_json::from_slice::<Value>(&output.stdout).unwrap()["stop"], "stopped");
    assert!(sockets(&world).is_empty() && !world.path("journal/.socket").exists());
    let told = status(&world);
    assert_eq!((told["running"].as_bool(), told["through"].as_str()), (Some(false), Some("journal")));
    assert_eq!(told["status"]["session"].as_str(), Some(name.as_str()));
    assert_eq!(told["status"]["model"]["sha256"], second["sha256"]);
}

#[test]
fn a_killed_process_leaves_a_socket_that_the_next_start_replaces() {
    let world = World::new();
    world.promote();
    let mut child = start(&world, &["--quiet"]);
    let before = status(&world);
    child.kill().unwrap();
    child.wait().unwrap();
    let socket = sockets(&world).pop().unwrap();

    let told = status(&world);
    assert_eq!((told["running"].as_bool(), told["through"].as_str()), (Some(false), Some("journal")));
    let text = world.live_trader(&["status", "--journal", "journal"]).expect_code(0).stdout;
    assert!(text.starts_with("nothing runs"), "{text}");
    for verb in [&["pause", "--reason", "x"][..], &["stop"], &["reload"], &["resume"], &["watch"]] {
        let ran = world.live_trader(&[verb, &["--journal", "journal"]].concat()).expect_code(1);
        assert!(ran.stderr.contains("nothing runs in journal"), "{}", ran.stderr);
    }
    let killed = tell(&world, &["kill", "--reason", "while it was down"]);
    assert_eq!((killed["running"].as_bool(), killed["through"].as_str()), (Some(false), Some("file")));

    let child = start(&world, &["--quiet", "--continue"]);
    assert_eq!(sockets(&world), [socket]);
    let after = status(&world);
    assert_eq!(after["status"]["session"], before["status"]["session"]);
    assert_eq!((mode(&after), after["through"].as_str()), ("halted", Some("socket")));
    assert_eq!(after["status"]["restriction"]["reason"], "while it was down");
    assert_eq!(mode(&tell(&world, &["resume", "--ack", "it may"])), "active");
    assert!(!world.path("journal/halt").exists());
    signal(&child, Signal::TERM);
    assert!(child.wait_with_output().unwrap().status.success());
    let verified = world.live_trader(&["verify", "--journal", "journal", "--json"]).expect_code(0).json();
    assert_eq!(verified["differences"], 0, "{verified}");
}

#[test]
fn two_who_watch_see_the_same_until_the_end() {
    let world = World::new();
    world.promote();
    let child = start(&world, &["--quiet"]);
    let watchers: Vec<Child> = (0..2)
        .map(|_| {
            let mut command = world.command("live-trader");
            command.args(["watch", "--journal", "journal", "--json"]).stdout(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let bars = status(&world)["status"]["bars"].as_u64().unwrap();
    wait_until("ten bars", || status(&world)["status"]["bars"].as_u64().unwrap() > bars + 10);
    tell(&world, &["pause", "--reason", "a look"]);
    tell(&world, &["stop"]);
    assert!(child.wait_with_output().unwrap().status.success());
    let told: Vec<Vec<Value>> = watchers
        .into_iter()
        .map(|watcher| {
            let output = watcher.wait_with_output().unwrap();
            assert!(output.status.success(), "{output:?}");
            let text = String::from_utf8(output.stdout).unwrap();
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        })
        .collect();
    for lines in &told {
        assert_eq!(lines[0]["type"], "status");
        let seqs: Vec<u64> = lines[1..].iter().map(|line| line["seq"].as_u64().unwrap()).collect();
        let first = lines[0]["status"]["last_event"].as_u64().unwrap() + 1;
        assert_eq!(seqs, (first..first + seqs.len() as u64).collect::<Vec<_>>());
        assert_eq!(lines.last().unwrap()["event"]["kind"], "ended");
        assert!(
            lines.iter().any(|line| line["event"]["kind"] == "mode" && line["event"]["reason"] == "a look")
        );
    }
    let shared = told[0].len().min(told[1].len()) - 1;
    assert!(shared >= 10);
    assert_eq!(told[0][told[0].len() - shared..], told[1][told[1].len() - shared..]);
}

#[test]
fn a_session_without_room_for_its_socket_trades_on_and_is_reached_through_its_folder() {
    let world = World::new();
    world.promote();
    let far = "x".repeat(120);
    let mut command = world.command("live-trader");
    command.args(PACED).args(["--quiet", "--data-dir", &far]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let is_halted =
        || world.journal("journal").iter().any(|it| it["record"] == "bar" && it["mode"] == "halted");
    wait_until("a bar", || world.journal("journal").iter().any(|it| it["record"] == "bar"));
    let pid = child.id().to_string();
    let ran = world.live_trader(&["stop", "--journal", "journal"]).expect_code(1);
    assert!(ran.stderr.contains(&format!("process {pid} of journal can't be reached")), "{}", ran.stderr);
    let killed = tell(&world, &["halt", "--reason", "news"]);
    assert_eq!((killed["running"].as_bool(), killed["through"].as_str()), (Some(true), Some("file")));
    wait_until("the halt", is_halted);
    signal(&child, Signal::TERM);
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("shorter path") && stderr.contains("without a socket"), "{stderr}");
}

#[test]
fn a_kill_that_the_session_does_not_acknowledge_goes_through_its_folder_too() {
    let world = World::new();
    world.promote();
    let child = start(&world, &["--quiet"]);
    let socket = sockets(&world).pop().unwrap();
    // Some places are still taken by those who have asked before.
    let mut held = Vec::new();
    wait_until("all places to be taken", || {
        let more = (0..MAX_CONTROL_CONNECTIONS).map(|_| UnixStream::connect(&socket).unwrap());
        held.extend(more);
        std::thread::sleep(Duration::from_millis(50));
        held.len() > 3 * MAX_CONTROL_CONNECTIONS
    });
    let killed = tell(&world, &["kill", "--reason", "now"]);
    assert_eq!((killed["running"].as_bool(), killed["through"].as_str()), (Some(true), Some("file")));
    assert!(killed["unanswered"].is_string(), "{killed}");
    let text = world.live_trader(&["kill", "--reason", "now", "--journal", "journal"]).expect_code(0).stdout;
    assert!(text.contains("did not acknowledge (") && text.contains("a file"), "{text}");
    wait_until("the halt", || {
        world.journal("journal").iter().any(|it| it["record"] == "bar" && it["mode"] == "halted")
    });
    drop(held);
    // The note of another session's socket is left alone.
    let note = world.path("journal/.socket");
    std::fs::write(&note, "elsewhere.sock").unwrap();
    signal(&child, Signal::TERM);
    assert!(child.wait_with_output().unwrap().status.success());
    assert_eq!(std::fs::read_to_string(&note).unwrap(), "elsewhere.sock");
}

#[test]
fn a_signal_while_a_session_ends_halts_the_next_one_through_its_folder() {
    let world = World::new();
    world.promote();
    let child = start(&world, &["--quiet"]);
    // Whoever writes the tables waits for the database, and the process for that.
    let database = rusqlite::Connection::open(world.path("data/walkforward.db")).unwrap();
    database.execute_batch("BEGIN EXCLUSIVE").unwrap();
    tell(&world, &["stop"]);
    wait_until("the end of the journal", || world.journal("journal").iter().any(|it| it["record"] == "end"));
    signal(&child, Signal::USR1);
    wait_until("the file", || world.path("journal/halt").exists());
    drop(database);
    assert!(child.wait_with_output().unwrap().status.success());
    let again = ["--continue", "--bars", "20", "--journal", "journal", "--quiet"];
    world.live_trader(&again).expect_code(0);
    let told = world.journal("journal").into_iter().rfind(|it| it["event"] == "command").unwrap();
    assert_eq!(
        (&told["command"]["command"], &told["command"]["reason"]),
        (&"halt".into(), &"SIGUSR1".into())
    );
}

/// A terminal, and what was written to it.
struct Terminal {
    ours: std::fs::File,
    theirs: std::os::fd::OwnedFd,
    seen: Arc<Mutex<String>>,
}

impl Terminal {
    fn new() -> Self {
        use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        let name = ptsname(&ours, Vec::new()).unwrap();
        let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY;
        let theirs = rustix::fs::open(name.as_c_str(), flags, rustix::fs::Mode::empty()).unwrap();
        let ours = std::fs::File::from(ours);
        let (mut reader, seen) = (ours.try_clone().unwrap(), Arc::new(Mutex::new(String::new())));
        let kept = Arc::clone(&seen);
        std::thread::spawn(move || {
            let mut bytes = [0; 4_096];
            while let Ok(count @ 1..) = reader.read(&mut bytes) {
                kept.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..count]));
            }
        });
        Self { ours, theirs, seen }
    }

    fn spawn(&self, world: &World) -> Child {
        let stream = || Stdio::from(self.theirs.try_clone().unwrap());
        world
            .command("live-trader")
            .args(PACED)
            .stdin(stream())
            .stdout(stream())
            .stderr(stream())
            .spawn()
            .unwrap()
    }

    fn shows(&self, text: &str) -> bool {
        self.seen.lock().unwrap().contains(text)
    }

    fn is_cooked(&self) -> bool {
        let modes = rustix::termios::tcgetattr(&self.theirs).unwrap().local_modes;
        modes.contains(rustix::termios::LocalModes::ICANON | rustix::termios::LocalModes::ECHO)
    }

    fn resize(&self, columns: u16, rows: u16) {
        let size = rustix::termios::Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 };
        rustix::termios::tcsetwinsize(&self.theirs, size).unwrap();
    }

    fn press(&mut self, keys: &[u8]) {
        self.ours.write_all(keys).unwrap();
    }
}

const LEAVE: &str = "\u{1b}[?25h\u{1b}[?1049l";

#[test]
fn a_terminal_shows_the_session_and_stops_it_after_asking() {
    let world = World::new();
    world.promote();
    let mut terminal = Terminal::new();
    terminal.resize(100, 30);
    let mut child = terminal.spawn(&world);
    wait_until("the view", || {
        terminal.shows("equity ") && terminal.shows("last bar   ") && terminal.shows("\u{1b}[30;1Hq: stop")
    });
    assert!(!terminal.is_cooked());
    terminal.resize(40, 12);
    wait_until("the smaller view", || terminal.shows("\u{1b}[12;1Hq: stop"));
    // Suspended, a trader would miss bars.
    terminal.press(b"\x1a\x13q");
    wait_until("the question", || terminal.shows("stop the session?"));
    terminal.press(b"n");
    std::thread::sleep(Duration::from_millis(300));
    assert!(child.try_wait().unwrap().is_none());
    terminal.press(b"qy");
    wait_until("the end", || child.try_wait().unwrap().is_some());
    assert!(child.wait().unwrap().success());
    wait_until("the summary", || terminal.shows("largest drawdown"));
    let seen = terminal.seen.lock().unwrap().clone();
    assert!(seen.find(LEAVE).unwrap() < seen.find("largest drawdown").unwrap());
    assert!(terminal.is_cooked());
}

#[test]
fn a_terminal_is_given_back_on_a_signal() {
    let world = World::new();
    world.promote();
    for end in [Signal::INT, Signal::TERM] {
        let terminal = Terminal::new();
        let mut child = terminal.spawn(&world);
        wait_until("the view", || terminal.shows("last bar   "));
        signal(&child, end);
        wait_until("the end", || child.try_wait().unwrap().is_some());
        assert!(child.wait().unwrap().success());
        wait_until("the first screen", || terminal.shows(LEAVE));
        assert!(terminal.is_cooked());
    }
}
