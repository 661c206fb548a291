//! One HTTP request to a secret address.

use std::time::Duration;

use chrono::DateTime;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use walkforward_http::{client_for, reason};

use super::format::Written;
use super::{Retry, SinkFailure};
use crate::NotifyError;

/// Bytes of an answer that are read: its message is a line.
const MAX_ANSWER_BYTES: usize = 4_096;
/// Characters of it that are shown.
const MAX_SHOWN_CHARS: usize = 200;
/// Shortest secret that is looked for in texts: hiding shorter ones would show what they are.
const MIN_HIDDEN_CHARS: usize = 4;
/// Longest wait that another side can ask for: an hour.
const MAX_TOLD_WAIT: Duration = Duration::from_secs(3_600);

/// How requests travel.
#[derive(Debug, Clone)]
pub struct HttpOptions {
    /// How long one request may take, with its connection and its answer.
    pub timeout: Duration,
    /// The proxy for `https` addresses of other machines.
    pub proxy: Option<SecretString>,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(10), proxy: None }
    }
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Post,
}

/// An address that is shown nowhere, and a client for it.
pub(crate) struct HttpTarget {
    name: String,
    client: Client,
    url: Url,
    token: Option<SecretString>,
    /// What no text may hold.
    hidden: Vec<SecretString>,
}

impl HttpTarget {
    /// A target called `name`. `url` and `token` are secrets; the token goes into the header `Authorization`.
    pub(crate) fn new(
        name: &str,
        url: &SecretString,
        token: Option<SecretString>,
        options: &HttpOptions,
    ) -> Result<Self, NotifyError> {
        let refuse = |reason| NotifyError::Address { what: name.to_owned(), reason };
        let parsed = Url::parse(url.expose_secret()).map_err(|_| refuse("it is no address"))?;
        if !matches!(parsed.scheme(), "http" | "https") || parsed.host_str().is_none() {
            return Err(refuse("it is not one of http or https"));
        }
        let is_header = |token: &SecretString| {
            let text = token.expose_secret();
            !text.is_empty() && text.chars().all(|it| it.is_ascii_graphic())
        };
        if token.as_ref().is_some_and(|token| !is_header(token)) {
            return Err(NotifyError::Token { what: name.to_owned() });
        }
        let client = client(name, &parsed, options)?;
        let path = parsed.path().split('/').filter(|part| part.len() >= MIN_HIDDEN_CHARS);
        let parts = path.map(str::to_owned).chain(parsed.query().map(str::to_owned));
        let hidden = std::iter::once(url.clone()).chain(parts.map(SecretString::from)).chain(token.clone());
        Ok(Self { name: name.to_owned(), client, hidden: hidden.collect(), url: parsed, token })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Sends `written` and gives the answer's body where it is a success.
    pub(crate) async fn send(&self, method: Method, written: Written) -> Result<Vec<u8>, Refused> {
        let request = match method {
            Method::Get => self.client.get(self.url.clone()),
            Method::Post => self.client.post(self.url.clone()).body(written.body),
        };
        let request =
            written.headers.into_iter().fold(request, |request, (name, value)| request.header(name, value));
        let request = match &self.token {
            Some(token) => request.bearer_auth(token.expose_secret()),
            None => request,
        };
        let response =
            request.send().await.map_err(|error| Refused::Unreached(self.hide(&one_line(&reason(error)))))?;
        let (status, told) = (response.status(), told_wait(response.headers()));
        let body = body_of(response).await;
        if status.is_success() {
            return Ok(body);
        }
        Err(Refused::Answered { status, told, body })
    }

    /// What became of a request that did not succeed; `message` is what the other side says of it.
    pub(crate) fn failure(&self, refused: Refused, message: impl FnOnce(&[u8]) -> String) -> SinkFailure {
        match refused {
            Refused::Unreached(reason) => SinkFailure {
                reason,
                advice: "check the address, the network and, behind a proxy, HTTPS_PROXY".to_owned(),
                retry: Retry::After(None),
            },
            Refused::Answered { status, told, body } => {
                let message = self.hide(&one_line(&message(&body)));
                let message = if message.is_empty() { message } else { format!(", '{message}'") };
                SinkFailure {
                    reason: format!("it answers {}{message}", status.as_u16()),
                    advice: advice(status).to_owned(),
                    retry: if may_pass(status) { Retry::After(told) } else { Retry::Never },
                }
            }
        }
    }

    /// `text` without secrets, should the other side send them back.
    fn hide(&self, text: &str) -> String {
        let secrets = self.hidden.iter().map(ExposeSecret::expose_secret);
        let secrets = secrets.filter(|secret| secret.chars().count() >= MIN_HIDDEN_CHARS);
        secrets.fold(text.to_owned(), |text, secret| text.replace(secret, "***"))
    }
}

/// Why a request was in vain.
pub(crate) enum Refused {
    /// Nobody answered.
    Unreached(String),
    /// Somebody did.
    Answered { status: StatusCode, told: Option<Duration>, body: Vec<u8> },
}

fn client(name: &str, url: &Url, options: &HttpOptions) -> Result<Client, NotifyError> {
    let builder = client_for(url, options.proxy.as_ref()).map_err(|_| NotifyError::Proxy)?;
    let built = builder.pool_max_idle_per_host(0).timeout(options.timeout).build();
    built.map_err(|error| NotifyError::Client { what: name.to_owned(), reason: reason(error) })
}

async fn body_of(mut response: Response) -> Vec<u8> {
    let mut body = Vec::new();
    while body.len() < MAX_ANSWER_BYTES {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                body.extend_from_slice(&chunk[..chunk.len().min(MAX_ANSWER_BYTES - body.len())]);
            }
            Ok(None) | Err(_) => break,
        }
    }
    body
}

/// Whether the same request may succeed later.
fn may_pass(status: StatusCode) -> bool {
    status.is_server_error()
        || matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY
        )
}

fn advice(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            "check the token, and that whoever owns it may write there"
        }
        StatusCode::NOT_FOUND | StatusCode::GONE => {
            "the address is another one now, or was withdrawn: make a new webhook"
        }
        status if status.is_redirection() => {
            "it has moved: give the address that it names, redirects are not followed"
        }
        status if may_pass(status) => "it may pass: notices are sent again for a day",
        _ => "check that the address is of the service that its setting names",
    }
}

/// The wait that the other side asks for: `Retry-After` in seconds or as a date, which is counted from the answer's own.
fn told_wait(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let after = text(RETRY_AFTER)?;
    let date = |text: &str| DateTime::parse_from_rfc2822(text).ok().map(|time| time.timestamp());
    let wait_s = match after.parse::<f64>() {
        Ok(seconds) if seconds.is_finite() && seconds >= 0.0 => seconds.ceil() as u64,
        Ok(_) => return None,
        Err(_) => u64::try_from(date(after)? - date(text(DATE)?)?).ok()?,
    };
    Some(told(wait_s))
}

/// A wait of so many seconds, as far as one is kept.
pub(crate) fn told(seconds: u64) -> Duration {
    Duration::from_secs(seconds).min(MAX_TOLD_WAIT)
}

fn one_line(text: &str) -> String {
    let printable = text.chars().map(|it| if it.is_control() { ' ' } else { it });
    printable.take(MAX_SHOWN_CHARS).collect::<String>().trim().to_owned()
}

/// An answer's body as a text.
pub(crate) fn text_of(body: &[u8]) -> String {
    String::from_utf8_lossy(body).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[(&'static str, &'static str)]) -> HeaderMap {
        values.iter().map(|&(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn check(values: &[(&'static str, &'static str)], expected_s: Option<u64>) {
        assert_eq!(told_wait(&headers(values)), expected_s.map(Duration::from_secs), "{values:?}");
    }

    #[test]
    fn the_other_side_says_how_long_to_wait() {
        check(&[("retry-after", "7")], Some(7));
        check(&[("retry-after", "0.4")], Some(1));
        check(&[("retry-after", "999999999")], Some(3_600));
        check(&[("retry-after", "-1")], None);
        check(&[("retry-after", "soon")], None);
        check(&[], None);
        let date = ("date", "Mon, 01 Jan 2024 00:00:00 GMT");
        check(&[("retry-after", "Mon, 01 Jan 2024 00:00:09 GMT"), date], Some(9));
        check(&[("retry-after", "Mon, 01 Jan 2024 00:00:09 GMT")], None);
    }

    #[test]
    fn an_address_that_is_none_is_refused_without_showing_it() {
        for url in ["hidden", "ftp://example.org/hidden", "mailto:hidden@example.org", "https:///"] {
            let error = HttpTarget::new("slack", &SecretString::from(url), None, &HttpOptions::default());
            let error = error.err().unwrap().to_string();
            assert!(
                error.contains("slack: the address can't be used") && !error.contains("hidden"),
                "{error}"
            );
        }
        let token = Some(SecretString::from("hid den"));
        let url = SecretString::from("http://127.0.0.1:1/topic");
        let error = HttpTarget::new("ntfy", &url, token, &HttpOptions::default()).err().unwrap().to_string();
        assert!(error.contains("token") && !error.contains("hid"), "{error}");
    }

    #[test]
    fn what_is_secret_is_taken_out_of_texts() {
        let url = SecretString::from("https://example.org/services/T000/B000?key=hidden");
        let target = HttpTarget::new("slack", &url, None, &HttpOptions::default()).unwrap();
        let shown = target.hide("no T000 of https://example.org/services/T000/B000?key=hidden at key=hidden");
        assert_eq!(shown, "no *** of *** at ***");
    }
}
