//! One connection: a request and its answer, or a stream.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Duration, sleep};

use super::faults::{RestFault, Route};
use super::{MAX_SEEN, Shared, routes, streams};

/// Longest head and body that are read, in bytes.
const MAX_REQUEST_BYTES: usize = 64 * 1024;
/// Between two looks at a head that has not come whole.
const PEEK: Duration = Duration::from_millis(1);

/// A request as it came.
#[derive(Debug, Clone)]
pub struct SeenRequest {
    /// What it is for.
    pub route: Route,
    /// `GET`, `POST`, `DELETE`.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Header lines, the names in lower case.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: String,
}

impl SeenRequest {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The value of a query parameter, decoded.
    pub fn query(&self, name: &str) -> Option<String> {
        let query = self.target.split_once('?')?.1;
        let pair = query.split('&').filter_map(|it| it.split_once('=')).find(|(key, _)| *key == name)?;
        Some(pair.1.replace("%3A", ":").replace("%2F", "/").replace("%2C", ",").replace('+', " "))
    }

    /// The path without the query, decoded.
    pub fn path(&self) -> String {
        self.target.split('?').next().unwrap_or_default().replace("%2F", "/").replace("%3A", ":")
    }

    /// The JSON of the body; null when it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

/// Serves one connection to its end. Whoever is on the other side may go at any time.
pub(super) async fn connection(mut socket: TcpStream, shared: Arc<Shared>) {
    let Some(head) = peek_head(&socket).await else { return };
    let Some(mut request) = parse(&head) else { return };
    let is_stream = request.header("upgrade").is_some_and(|it| it.eq_ignore_ascii_case("websocket"));
    if !is_stream {
        let Some(body) = read_body(&mut socket, head.len(), &request).await else { return };
        request.body = body;
    }
    let fault = {
        let mut state = shared.state();
        assert!(state.seen.len() < MAX_SEEN, "more than {MAX_SEEN} requests");
        state.seen.push(request.clone());
        state.faults.take(request.route)
    };
    match (&fault, is_stream) {
        (Some(RestFault::Answer { status, headers, body }), _) => {
            let bytes = response(*status, headers, body);
            if is_stream {
                drop(socket.read_exact(&mut vec![0; head.len()]).await);
            }
            return drop(socket.write_all(&bytes).await);
        }
        (Some(RestFault::LoseRequest), _) => return,
        (Some(RestFault::Slow(wait)), true) => sleep(*wait).await,
        _ => {}
    }
    if is_stream {
        return streams::serve(socket, request.route, shared).await;
    }
    let (status, body) = routes::answer(&request, &shared);
    let mut headers = vec!["content-type: application/json".to_owned()];
    headers.extend(shared.state().date.as_ref().map(|date| format!("date: {date}")));
    let bytes = response(status, &headers, &body);
    match fault {
        Some(RestFault::LoseAnswer) => return,
        Some(RestFault::CutAnswer) => {
            let cut = bytes.len() - body.len() / 2 - 1;
            return drop(socket.write_all(&bytes[..cut]).await);
        }
        Some(RestFault::Slow(wait)) => sleep(wait).await,
        _ => {}
    }
    drop(socket.write_all(&bytes).await);
}

/// The head of a request, left where it is: a stream's handshake reads it again.
async fn peek_head(socket: &TcpStream) -> Option<String> {
    let mut bytes = vec![0; MAX_REQUEST_BYTES];
    loop {
        let read = socket.peek(&mut bytes).await.ok()?;
        if let Some(end) = bytes[..read].windows(4).position(|it| it == b"\r\n\r\n") {
            return String::from_utf8(bytes[..end + 4].to_vec()).ok();
        }
        if read == 0 || read == MAX_REQUEST_BYTES {
            return None;
        }
        sleep(PEEK).await;
    }
}

async fn read_body(socket: &mut TcpStream, head: usize, request: &SeenRequest) -> Option<String> {
    let length = request.header("content-length").map_or(Some(0), |it| it.parse::<usize>().ok())?;
    let mut bytes = vec![0; head + length.min(MAX_REQUEST_BYTES)];
    socket.read_exact(&mut bytes).await.ok()?;
    String::from_utf8(bytes.split_off(head)).ok()
}

fn parse(head: &str) -> Option<SeenRequest> {
    let mut lines = head.trim_end().split("\r\n");
    let mut words = lines.next()?.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let headers = lines.filter_map(|line| line.split_once(':'));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
    let mut request = SeenRequest { route: Route::Other, method, target, headers, body: String::new() };
    request.route = routes::route(&request);
    Some(request)
}

/// The bytes of an answer.
fn response(status: u16, headers: &[String], body: &str) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {status} Status\r\nconnection: close\r\n");
    if status != 204 {
        text.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    for header in headers {
        text.push_str(header);
        text.push_str("\r\n");
    }
    text.push_str("\r\n");
    text.push_str(body);
    text.into_bytes()
}
