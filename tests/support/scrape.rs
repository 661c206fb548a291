//! Metrics as Prometheus reads them.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};

/// Below those that the system gives to connections, so that nobody else comes to one between the question and its use.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// A port of this machine that nobody listens on, another one each time.
pub(crate) fn free_port() -> u16 {
    static ASKED: AtomicU16 = AtomicU16::new(0);
    let (count, first) = (PORTS.end - PORTS.start, std::process::id() % u32::from(PORTS.end - PORTS.start));
    let port = || PORTS.start + (first as u16 + ASKED.fetch_add(1, Relaxed)) % count;
    let mut asked = std::iter::repeat_with(port).take(usize::from(count));
    asked.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).expect("a port")
}

/// What is served at this port.
pub(crate) fn scrape(port: u16) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    Some(text)
}

/// The value of a metric without labels of its own.
pub(crate) fn metric(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.starts_with(&format!("{name}{{")))?;
    line.rsplit(' ').next()?.parse().ok()
}
