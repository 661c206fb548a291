//! A market data service on loopback: hourly crypto bars made by a formula, in pages, as Alpaca gives them.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use walkforward_core::Timestamp;

const HOUR_MS: i64 = 3_600_000;
/// Bars of a page, whatever is asked for: the service may give fewer than its limit.
const PAGE_BARS: i64 = 1_000;

/// A running service; its thread ends with the test's process.
pub(crate) struct BarsService {
    url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl BarsService {
    /// A service that answers every request with bars, or with `status` when it is not 200.
    pub(crate) fn start(status: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                // A client that goes away in the middle is its own business.
                let _ = answer(stream, status, &seen);
            }
        });
        Self { url, requests }
    }

    /// The setting that makes a binary ask this service.
    pub(crate) fn env(&self) -> (&str, &str) {
        ("APCA_API_DATA_URL", &self.url)
    }

    /// The request lines since the last call.
    pub(crate) fn take_requests(&self) -> Vec<String> {
        std::mem::take(&mut *self.requests.lock().unwrap())
    }
}

fn answer(mut stream: TcpStream, status: u16, seen: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    let body = if status == 200 { page(&request) } else { r#"{"message":"forbidden"}"#.to_owned() };
    seen.lock().unwrap().push(request);
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status} Status\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: \
         close\r\n\r\n{body}"
    )
}

/// The value of a query parameter.
pub(crate) fn parameter(request: &str, name: &str) -> Option<String> {
    let query = request.split_whitespace().nth(1)?.split_once('?')?.1;
    let pair = query.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name)?;
    Some(pair.1.replace("%3A", ":").replace("%2F", "/"))
}

fn page(request: &str) -> String {
    let hour = |name| -> i64 {
        let time: Timestamp = parameter(request, name).unwrap().parse().unwrap();
        time.as_millis().div_euclid(HOUR_MS)
    };
    let (start, end) = (hour("start"), hour("end"));
    let first = parameter(request, "page_token").map_or(start, |token| token.parse().unwrap());
    let last = end.min(first + PAGE_BARS - 1);
    let mut bars = String::new();
    for hour in first..=last {
        let separator = if hour == first { "" } else { "," };
        write!(bars, "{separator}{}", bar(hour)).unwrap();
    }
    let token = if last < end { format!("\"{}\"", last + 1) } else { "null".to_owned() };
    format!(r#"{{"bars":{{"BTC/USD":[{bars}]}},"next_page_token":{token}}}"#)
}

/// A wave that a short training can follow.
fn bar(hour: i64) -> String {
    let price = |hour: i64| 30_000.0 + 2_000.0 * (hour as f64 / 9.0).sin();
    let (open, close) = (price(hour - 1), price(hour));
    let (high, low) = (open.max(close) + 5.0, open.min(close) - 5.0);
    let time = Timestamp::from_millis(hour * HOUR_MS).unwrap();
    format!(r#"{{"t":"{time}","o":{open},"h":{high},"l":{low},"c":{close},"v":1.5,"n":7,"vw":{close}}}"#)
}
