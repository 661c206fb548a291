//! A client as small as can be, which believes nothing that the description does not say.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::{Value, json};

/// Longer than any answer takes on a slow machine.
const WAIT: Duration = Duration::from_secs(60);

/// What is asked.
pub(crate) struct Ask<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) token: Option<&'a str>,
    /// Header lines besides.
    pub(crate) headers: &'a str,
    pub(crate) body: Option<&'a str>,
}

/// What is answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) text: String,
}

impl Answer {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// What the problem document says, in words.
    pub(crate) fn detail(&self) -> String {
        self.json()["detail"].as_str().unwrap().to_owned()
    }
}

/// Asks, and checks that the answer is one that the description knows.
pub(crate) fn ask(address: SocketAddr, secret_path: &str, ask: &Ask<'_>) -> Answer {
    let answer = exchange(address, ask);
    let what = format!("{} {} -> {answer:?}", ask.method, ask.path);
    if answer.status >= 400 {
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{what}");
        let problem = answer.json();
        assert_eq!(problem["status"], json!(answer.status), "{what}");
        for key in ["type", "title", "detail"] {
            assert!(!problem[key].as_str().unwrap().is_empty(), "{what}");
        }
        for secret in [secret_path, "panicked", ".rs:", "RUST_BACKTRACE", "SELECT "] {
            assert!(!answer.text.contains(secret), "{what}");
        }
    }
    assert!(
        !answer.text.contains(super::world::TRADE) && !answer.text.contains(super::world::READ),
        "{what}"
    );
    if let Some(operation) = operation(ask.method, ask.path) {
        let documented = operation["responses"].as_object().unwrap();
        assert!(documented.contains_key(&answer.status.to_string()), "not documented: {what}");
    }
    answer
}

fn exchange(address: SocketAddr, ask: &Ask<'_>) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(WAIT)).unwrap();
    let token = ask.token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
    let body = ask.body.unwrap_or_default();
    let length = ask.body.map(|body| format!("content-length: {}\r\n", body.len())).unwrap_or_default();
    let head = format!(
        "{} {} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{token}{}{length}\r\n",
        ask.method, ask.path, ask.headers
    );
    stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, text) = text.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    assert!(!head.contains("transfer-encoding"), "{head}");
    Answer { status, head: head.to_owned(), text: text.to_owned() }
}

/// The description as it is served.
pub(crate) fn description() -> &'static Value {
    static DESCRIPTION: OnceLock<Value> = OnceLock::new();
    DESCRIPTION.get_or_init(|| serde_json::to_value(walkforward_server::description()).unwrap())
}

/// What the description says of a request; the place with the fewest holes that fits.
fn operation(method: &str, path: &str) -> Option<&'static Value> {
    let path = path.split('?').next()?;
    let fits = |template: &str| {
        let (one, other): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
        one.len() == other.len()
            && one.iter().zip(other).all(|(one, other)| one.starts_with('{') || *one == other)
    };
    let paths = description()["paths"].as_object().unwrap();
    let fitting = paths.iter().filter(|(template, _)| fits(template));
    let (_, place) = fitting.min_by_key(|(template, _)| template.matches('{').count())?;
    place.get(method.to_lowercase())
}
