//! A running `orchestrate serve`, followed through its JSON lines.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::World;

/// Longer than any machine needs.
const DEADLINE: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(10);
/// Longest a server may take to stop: its cycles get 8 s.
const STOP_DEADLINE: Duration = Duration::from_secs(30);

/// Looks again and again, until it is so.
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < DEADLINE, "never: {what}");
        std::thread::sleep(LOOK);
    }
}

/// A server in a world's folder; killed when it is dropped.
pub(crate) struct Server {
    child: Child,
    events: Arc<Mutex<Vec<Value>>>,
    reader: Option<JoinHandle<()>>,
}

/// Follows what a server says without waiting for the server itself.
pub(crate) struct Follower {
    events: Arc<Mutex<Vec<Value>>>,
}

impl Follower {
    /// Whether an event of this kind has come.
    pub(crate) fn has_seen(&self, kind: &str) -> bool {
        self.events.lock().unwrap().iter().any(|event| event["event"] == kind)
    }
}

impl Server {
    /// Starts one and waits until it takes commands.
    pub(crate) fn start(world: &World, args: &[&str]) -> Self {
        let mut command = world.command("orchestrate");
        command.args(["serve", "--json"]).args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (lines, events) =
            (BufReader::new(child.stdout.take().unwrap()).lines(), Arc::new(Mutex::default()));
        let seen: Arc<Mutex<Vec<Value>>> = Arc::clone(&events);
        let reader = std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                seen.lock().unwrap().push(serde_json::from_str(&line).unwrap());
            }
        });
        let mut server = Self { child, events, reader: Some(reader) };
        server.wait_for("serve_started", |_| true);
        server
    }

    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    /// Follows it from another thread.
    pub(crate) fn follower(&self) -> Follower {
        Follower { events: Arc::clone(&self.events) }
    }

    /// Everything said so far.
    pub(crate) fn events(&self) -> Vec<Value> {
        self.events.lock().unwrap().clone()
    }

    /// The data of the events of this kind that fit, so far.
    pub(crate) fn events_of(&self, kind: &str, fits: impl Fn(&Value) -> bool) -> Vec<Value> {
        let of_kind = self.events().into_iter().filter(|event| event["event"] == kind);
        of_kind.map(|event| event["data"].clone()).filter(fits).collect()
    }

    /// Waits for an event and gives its data.
    pub(crate) fn wait_for(&mut self, kind: &str, fits: impl Fn(&Value) -> bool) -> Value {
        self.wait_for_many(kind, 1, fits).remove(0)
    }

    /// Waits for `count` such events.
    pub(crate) fn wait_for_many(
        &mut self,
        kind: &str,
        count: usize,
        fits: impl Fn(&Value) -> bool,
    ) -> Vec<Value> {
        let began = Instant::now();
        loop {
            let found = self.events_of(kind, &fits);
            if found.len() >= count {
                return found;
            }
            let ended = self.child.try_wait().unwrap();
            if ended.is_some() || began.elapsed() > DEADLINE {
                let said = self.events();
                let _ = self.child.kill();
                panic!("{count} {kind}, {} came ({ended:?}): {said:#?}\n{}", found.len(), self.stderr());
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Sends a signal, waits for the end and gives the exit code and what was written to standard error.
    pub(crate) fn stop(&mut self, signal: Signal) -> (Option<i32>, String) {
        kill_process(Pid::from_raw(self.pid()).unwrap(), signal).unwrap();
        let asked = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                self.reader.take().map(JoinHandle::join);
                return (status.code(), self.stderr());
            }
            assert!(asked.elapsed() < STOP_DEADLINE, "still running after {signal:?}");
            std::thread::sleep(LOOK);
        }
    }

    /// Stops it and asserts that it ended well.
    pub(crate) fn stop_well(&mut self) {
        let (code, stderr) = self.stop(Signal::TERM);
        assert!(code == Some(0) && !stderr.contains("panicked"), "{code:?} {stderr}");
    }

    fn stderr(&mut self) -> String {
        let mut text = String::new();
        if let Some(mut stderr) = self.child.stderr.take() {
            stderr.read_to_string(&mut text).unwrap();
        }
        text
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
