//! A small HTTP server that sends exactly the bytes it is told, once for each connection.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// Longest request that is read, in bytes.
const MAX_REQUEST_BYTES: usize = 64 * 1024;

/// What a client asked.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Method and address: `GET /v2/stocks/bars?...`.
    pub(crate) target: String,
    /// Header lines, lower case.
    headers: Vec<String>,
}

impl Request {
    /// The value of a query parameter, decoded; none when it is not there.
    pub(crate) fn query(&self, name: &str) -> Option<String> {
        let target = self.target.split(' ').nth(1)?;
        let url = reqwest::Url::parse(&format!("http://host{target}")).ok()?;
        url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|line| line.strip_prefix(&format!("{name}: ")))
    }
}

/// What is sent back.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// These bytes, and then the connection is closed.
    Bytes(Vec<u8>),
    /// These bytes after a pause.
    Late(Duration, Vec<u8>),
    /// Some bytes, then nothing more for a while.
    Stalled(Vec<u8>, Duration),
    /// The connection is cut while the request still lies unread, which resets it.
    Reset,
}

impl Reply {
    /// An answer of `status` with further header lines and a body.
    pub(crate) fn new(status: u16, headers: &[&str], body: impl AsRef<[u8]>) -> Self {
        Self::Bytes(response(status, headers, body.as_ref()))
    }

    /// A page of bars, or any other body of status 200.
    pub(crate) fn ok(body: impl AsRef<[u8]>) -> Self {
        Self::new(200, &["content-type: application/json"], body)
    }
}

/// The bytes of an answer.
pub(crate) fn response(status: u16, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let mut text =
        format!("HTTP/1.1 {status} Status\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    for header in headers {
        text.push_str(header);
        text.push_str("\r\n");
    }
    text.push_str("\r\n");
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

type Handler = Box<dyn FnMut(&Request) -> Reply + Send>;

struct Shared {
    handler: Mutex<Handler>,
    requests: Mutex<Vec<Request>>,
    is_over: AtomicBool,
}

/// A server on a port of its own; it ends when it is dropped.
pub(crate) struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Server {
    /// A server that answers as `handler` says.
    pub(crate) fn new(handler: impl FnMut(&Request) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let shared = Arc::new(Shared {
            handler: Mutex::new(Box::new(handler)),
            requests: Mutex::default(),
            is_over: AtomicBool::new(false),
        });
        let server = Self { address: listener.local_addr().unwrap(), shared: shared.clone() };
        thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.is_over.load(Ordering::SeqCst) {
                    break;
                }
                let (Ok(stream), shared) = (stream, shared.clone()) else { break };
                thread::spawn(move || serve(stream, &shared));
            }
        });
        server
    }

    /// A server that gives these replies one after the other, and 404 when there are no more.
    pub(crate) fn playing(replies: Vec<Reply>) -> Self {
        let mut replies = replies.into_iter();
        Self::new(move |_| replies.next().unwrap_or_else(|| Reply::new(404, &[], "the script is over")))
    }

    /// Another script.
    pub(crate) fn play(&self, replies: Vec<Reply>) {
        let mut replies = replies.into_iter();
        let handler =
            move |_: &Request| replies.next().unwrap_or_else(|| Reply::new(404, &[], "the script is over"));
        *self.shared.handler.lock().unwrap() = Box::new(handler);
        self.shared.requests.lock().unwrap().clear();
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What has been asked so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
    }
}

/// Reads the head of a request, leaving its last byte unread, and answers.
fn serve(mut stream: TcpStream, shared: &Shared) {
    let Some(request) = read_head(&mut stream) else { return };
    let reply = (shared.handler.lock().unwrap())(&request);
    shared.requests.lock().unwrap().push(request);
    if matches!(reply, Reply::Reset) {
        return;
    }
    let mut last = [0];
    if stream.read_exact(&mut last).is_err() {
        return;
    }
    // The client may have gone away; then there is nobody to tell.
    drop(match reply {
        Reply::Bytes(bytes) => stream.write_all(&bytes),
        Reply::Late(pause, bytes) => {
            thread::sleep(pause);
            stream.write_all(&bytes)
        }
        Reply::Stalled(bytes, pause) => {
            let sent = stream.write_all(&bytes).and_then(|()| stream.flush());
            thread::sleep(pause);
            sent
        }
        Reply::Reset => Ok(()),
    });
}

fn read_head(stream: &mut TcpStream) -> Option<Request> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r") && head.len() < MAX_REQUEST_BYTES {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let text = String::from_utf8(head).ok()?;
    let mut lines = text.trim_end().split("\r\n");
    let target = lines.next()?.trim_end_matches(" HTTP/1.1").to_owned();
    Some(Request { target, headers: lines.map(str::to_lowercase).collect() })
}
