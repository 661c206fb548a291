//! A page's requests, as plain as can be.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};

use super::World;
use super::server::Server;

/// Longer than any answer takes on a slow machine.
const WAIT: Duration = Duration::from_secs(90);

/// The interface of a running server, with the token that may trade.
pub(crate) struct Api {
    address: SocketAddr,
    token: String,
}

impl Api {
    /// That of `server` in `world`.
    pub(crate) fn of(world: &World, server: &mut Server) -> Self {
        let page = server.wait_for("api_listening", |_| true)["page"].clone();
        let address = page.as_str().unwrap().trim_start_matches("http://").trim_end_matches('/');
        let token = world.read_json("data/api-tokens.json")["trade"].as_str().unwrap().to_owned();
        Self { address: address.parse().unwrap(), token }
    }

    /// What `path` is now.
    pub(crate) fn get(&self, path: &str) -> Value {
        self.expect("GET", path, None, 200..300)
    }

    /// What is at `path`, as it came.
    pub(crate) fn text(&self, path: &str) -> String {
        let (status, text) = self.exchange("GET", path, None);
        assert_eq!(status, 200, "{path}: {text}");
        text
    }

    /// Sends `body` and gives the answer of what was done.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Value {
        self.expect("POST", path, Some(body), 200..300)
    }

    /// Sends `body` and gives the problem document of a refusal with this status.
    pub(crate) fn refused(&self, path: &str, body: &Value, status: u16) -> Value {
        self.expect("POST", path, Some(body), status..status + 1)
    }

    fn expect(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
        statuses: std::ops::Range<u16>,
    ) -> Value {
        let (status, text) = self.exchange(method, path, body);
        assert!(statuses.contains(&status), "{method} {path} {body:?}: {status} {text}");
        serde_json::from_str(&text).unwrap_or(json!(null))
    }

    fn exchange(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(WAIT)).unwrap();
        let body = body.map(Value::to_string).unwrap_or_default();
        let (address, token, length) = (self.address, &self.token, body.len());
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, text) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), text.to_owned())
    }
}
