//! Questions over HTTP, and how long the answers took.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::CLIENTS;
use crate::filled::{LINES, Size, experiment_id, line_name, schedule_id};

/// Something that is asked again and again.
pub(crate) struct Question {
    name: &'static str,
    clients: usize,
    requests: usize,
    /// What has to be answered.
    status: u16,
    /// The address for the n-th request.
    path: Box<dyn Fn(usize) -> String + Send + Sync>,
}

impl Question {
    fn new(
        name: &'static str,
        requests: usize,
        path: impl Fn(usize) -> String + Send + Sync + 'static,
    ) -> Self {
        Self { name, clients: 1, requests: requests.max(1), status: 200, path: Box::new(path) }
    }

    /// All of them, one after the other.
    pub(crate) fn all(size: Size, requests: usize) -> Vec<Self> {
        let few = requests / 4;
        let id = move |n: usize| schedule_id(n % size.schedules);
        let history =
            move |n: usize, rest: &str| format!("/api/continuous/history?schedule_id={}{rest}", id(n));
        let longest = move |rest: &str| format!("/api/schedules/{}/cycles?{rest}", schedule_id(0));
        let status = move |n: usize| format!("/api/continuous/status?schedule_id={}", id(n));
        let deep = size.of_the_longest() / 2;
        let middle = experiment_id(schedule_id(0).as_str(), deep);
        vec![
            Self::new("status", requests, status),
            Self { clients: CLIENTS, ..Self::new("status_many_clients", requests, status) },
            Self { status: 409, ..Self::new("status_unnamed", few, |_| "/api/continuous/status".to_owned()) },
            Self::new("history_newest_50", few, move |n| history(n, "")),
            Self { clients: CLIENTS, ..Self::new("history_many_clients", few, move |n| history(n, "")) },
            Self::new("history_deep_50", few, move |n| longest(&format!("before={}", deep + n % 100))),
            Self::new("history_1000", few / 4, move |_| longest("limit=1000")),
            Self::new("cycle", few, move |n| {
                format!("/api/schedules/{}/cycles/{}", schedule_id(0), 1 + n % deep)
            }),
            Self::new("schedules", few / 4, |_| "/api/schedules".to_owned()),
            Self::new("experiments_newest_50", few, |_| "/api/experiments".to_owned()),
            Self::new("experiments_failed", few, |_| "/api/experiments?status=failed".to_owned()),
            Self::new("experiments_deep_of_a_line", few, move |_| {
                format!("/api/experiments?line={}&before={middle}", line_name(0))
            }),
            Self::new("models_newest_50", few, |_| "/api/models".to_owned()),
            Self::new("models_of_a_line", few, |n| format!("/api/models?line={}", line_name(n % LINES))),
            Self::new("lines", few / 4, |_| "/api/lines".to_owned()),
        ]
    }

    /// Asks, `rate` times a second in all, and tells how long it took.
    pub(crate) fn ask(&self, address: SocketAddr, rate: f64) -> Value {
        let every = Duration::from_secs_f64(self.clients as f64 / rate);
        let each = self.requests.div_ceil(self.clients);
        let (mut took_ms, mut bytes) = (Vec::new(), 0);
        thread::scope(|scope| {
            let client = |number: usize| {
                let offset = every.mul_f64(number as f64 / self.clients as f64);
                scope.spawn(move || self.follow(address, number * each..(number + 1) * each, offset, every))
            };
            let clients: Vec<_> = (0..self.clients).map(client).collect();
            for client in clients {
                let (took, longest) = client.join().expect("no panic");
                took_ms.extend(took);
                bytes = longest.max(bytes);
            }
        });
        json!({
            "question": self.name, "clients": self.clients, "requests": took_ms.len(), "longest_bytes": bytes,
            "ms": percentiles(took_ms),
        })
    }

    /// One client: milliseconds of each answer, and the bytes of the longest.
    fn follow(
        &self,
        address: SocketAddr,
        requests: std::ops::Range<usize>,
        offset: Duration,
        every: Duration,
    ) -> (Vec<f64>, usize) {
        let mut connection = Connection::open(address);
        let (mut took_ms, mut longest) = (Vec::with_capacity(requests.len()), 0);
        let mut due = Instant::now() + offset;
        for number in requests {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            // Whoever waited for an answer does not ask faster afterwards.
            due = due.max(Instant::now() - every) + every;
            let path = (self.path)(number);
            let asked = Instant::now();
            let (status, length) = connection.get(&path);
            took_ms.push(asked.elapsed().as_secs_f64() * 1e3);
            assert_eq!(status, self.status, "{path}");
            longest = longest.max(length);
        }
        (took_ms, longest)
    }
}

/// A connection that stays.
struct Connection {
    stream: BufReader<TcpStream>,
    address: SocketAddr,
}

impl Connection {
    fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("a connection");
        stream.set_nodelay(true).expect("an option");
        Self { stream: BufReader::with_capacity(64 << 10, stream), address }
    }

    /// The status of the answer, and how long its body is.
    fn get(&mut self, path: &str) -> (u16, usize) {
        let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", self.address);
        self.stream.get_mut().write_all(request.as_bytes()).expect("it is sent");
        let (mut line, mut status, mut length) = (String::new(), 0, 0);
        while line != "\r\n" {
            line.clear();
            self.stream.read_line(&mut line).expect("a line");
            match line.trim_end().split_once(' ') {
                Some(("HTTP/1.1", rest)) => status = rest[..3].parse().expect("a status"),
                Some((name, value)) if name.eq_ignore_ascii_case("content-length:") => {
                    length = value.parse().expect("a length");
                }
                _ => {}
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).expect("a body");
        (status, length)
    }
}

fn percentiles(mut values: Vec<f64>) -> Value {
    values.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let index = (values.len().saturating_sub(1) as f64 * share).round() as usize;
        values.get(index).copied().unwrap_or(f64::NAN)
    };
    json!({ "p50": at(0.5), "p99": at(0.99), "max": at(1.0) })
}
