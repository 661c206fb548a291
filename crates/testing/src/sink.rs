//! Somewhere notices go, on this machine: it keeps what comes and answers as a test says.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Longest body that is read, in bytes.
const MAX_BODY_BYTES: usize = 1 << 20;
/// Most requests that are kept.
const MAX_KEPT: usize = 10_000;
/// Longer than any machine needs until something comes.
const DEADLINE: Duration = Duration::from_secs(120);

/// How a [`FakeSink`] treats who comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SinkAnswer {
    /// A status, the seconds of a `Retry-After`, a body.
    Status(u16, Option<u64>, String),
    /// Reads the request and says nothing until the other side gives up.
    Hang,
    /// Reads the request and closes the connection.
    Close,
}

impl SinkAnswer {
    /// A status alone.
    pub fn status(status: u16) -> Self {
        Self::Status(status, None, String::new())
    }
}

/// A request as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkRequest {
    /// `GET`, `POST`.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Header lines, the names in lower case.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: String,
}

impl SinkRequest {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The JSON of the body; null where it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

#[derive(Debug)]
struct State {
    answer: SinkAnswer,
    seen: Vec<SinkRequest>,
    /// Connections that get no answer.
    hung: Vec<TcpStream>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    came: Condvar,
    is_over: AtomicBool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An HTTP server on a free port of this machine. It ends when this is dropped.
#[derive(Debug)]
pub struct FakeSink {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

impl Default for FakeSink {
    fn default() -> Self {
        Self::new()
    }
}

impl FakeSink {
    /// One that takes everything.
    pub fn new() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let state = State { answer: SinkAnswer::status(200), seen: Vec::new(), hung: Vec::new() };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            came: Condvar::new(),
            is_over: AtomicBool::new(false),
        });
        let serving = Arc::clone(&shared);
        let accepting = Some(std::thread::spawn(move || accept(&listener, &serving)));
        Self { address, shared, accepting }
    }

    /// Its address with this path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Answers so from now on.
    pub fn answer(&self, answer: SinkAnswer) {
        self.shared.lock().answer = answer;
    }

    /// What came so far, in order.
    pub fn seen(&self) -> Vec<SinkRequest> {
        self.shared.lock().seen.clone()
    }

    /// Waits until what came is as `is_so` says, and gives it.
    ///
    /// # Panics
    /// It has not become so for two minutes.
    pub fn wait_until(&self, is_so: impl Fn(&[SinkRequest]) -> bool) -> Vec<SinkRequest> {
        let waited =
            self.shared.came.wait_timeout_while(self.shared.lock(), DEADLINE, |state| !is_so(&state.seen));
        let (state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(!timeout.timed_out(), "it never came: {:#?}", state.seen);
        state.seen.clone()
    }
}

impl Drop for FakeSink {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        self.shared.lock().hung.clear();
        // Wakes who accepts.
        drop(TcpStream::connect(self.address));
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for socket in listener.incoming() {
        if shared.is_over.load(Ordering::SeqCst) {
            return;
        }
        let (Ok(socket), serving) = (socket, Arc::clone(shared)) else { continue };
        std::thread::spawn(move || serve(socket, &serving));
    }
}

/// Serves one request. Whoever is on the other side may go at any time.
fn serve(mut socket: TcpStream, shared: &Shared) {
    let Some(request) = socket.try_clone().ok().and_then(read) else { return };
    let answer = {
        let mut state = shared.lock();
        if state.seen.len() < MAX_KEPT {
            state.seen.push(request);
        }
        let answer = state.answer.clone();
        if answer == SinkAnswer::Hang
            && let Ok(hung) = socket.try_clone()
        {
            state.hung.push(hung);
        }
        answer
    };
    shared.came.notify_all();
    if let SinkAnswer::Status(status, after, body) = answer {
        let after = after.map(|seconds| format!("retry-after: {seconds}\r\n")).unwrap_or_default();
        let length = body.len();
        let _ = write!(
            socket,
            "HTTP/1.1 {status} Status\r\n{after}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
        );
    }
}

fn read(socket: TcpStream) -> Option<SinkRequest> {
    let mut reader = BufReader::new(socket);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.and_then(|(_, value)| value.parse::<usize>().ok()).unwrap_or(0);
    let mut body = vec![0; length.min(MAX_BODY_BYTES)];
    reader.read_exact(&mut body).ok()?;
    Some(SinkRequest { method, path, headers, body: String::from_utf8_lossy(&body).into_owned() })
}
