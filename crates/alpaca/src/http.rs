//! One request to the service, asked again while that makes sense.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Client, Response, StatusCode, Url};
use rustls::crypto::{CryptoProvider, ring};
use secrecy::{ExposeSecret, SecretString};
use walkforward_core::Clock;

use crate::limiter::RateLimiter;
use crate::page::PageError;
use crate::query::is_local;
use crate::refusal;
use crate::retry::{Backoff, told_wait};
use crate::{AlpacaConfig, AlpacaError, Keys, RetryPolicy};

/// Bytes of an error's body that are read; its message is a line.
const MAX_ERROR_BODY_BYTES: usize = 16 * 1024;
/// Characters of an address that an error shows.
const MAX_SHOWN_URL_CHARS: usize = 500;

/// What a query has cost so far, and how long it may go on.
#[derive(Debug)]
pub(crate) struct Effort {
    /// When it has to be over, by the clock's [`Clock::monotonic`].
    deadline: Duration,
    /// Requests sent.
    pub(crate) requests: u64,
    /// Waits between attempts.
    pub(crate) waited: Duration,
}

/// Sends requests with keys, limits and patience.
pub(crate) struct Http {
    client: Client,
    clock: Arc<dyn Clock>,
    limiter: RateLimiter,
    policy: RetryPolicy,
    backoff: Backoff,
    max_body_bytes: usize,
    max_query: Duration,
    /// Longest that one request may take.
    max_request: Duration,
    keys: Option<Keys>,
}

/// Why one attempt gave nothing.
enum Failure {
    /// The next one may; with the wait that the service asks for.
    Again { reason: String, told: Option<Duration> },
    /// No other will.
    Final(AlpacaError),
}

impl Failure {
    fn again(reason: impl Into<String>) -> Self {
        Self::Again { reason: reason.into(), told: None }
    }
}

impl Http {
    pub(crate) fn new(
        config: &AlpacaConfig,
        base_url: &Url,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, AlpacaError> {
        Ok(Self {
            client: client(config, base_url)?,
            limiter: RateLimiter::new(clock.clone(), config.requests_per_minute),
            clock,
            policy: config.retry,
            backoff: Backoff::new(config.retry, config.jitter_seed),
            max_body_bytes: config.limits.max_page_bytes,
            max_query: config.limits.max_query,
            max_request: config.timeouts.total,
            keys: config.keys.clone(),
        })
    }

    /// The effort of a query that begins now.
    pub(crate) fn begin(&self) -> Effort {
        let deadline = self.clock.monotonic().saturating_add(self.max_query);
        Effort { deadline, requests: 0, waited: Duration::ZERO }
    }

    /// Time that is left to the query, after a wait of `wait`.
    fn left(&self, url: &Url, effort: &Effort, wait: Duration) -> Result<Duration, AlpacaError> {
        let left = effort.deadline.checked_sub(self.clock.monotonic().saturating_add(wait));
        left.filter(|left| !left.is_zero()).ok_or_else(|| AlpacaError::TooSlow {
            request: describe(url),
            requests: effort.requests,
            limit: self.max_query,
        })
    }

    /// What `parse` makes of the body at `url`. Dropping the future ends the request and all that would follow.
    pub(crate) async fn get<T>(
        &self,
        url: &Url,
        parse: fn(&[u8]) -> Result<T, PageError>,
        effort: &mut Effort,
    ) -> Result<T, AlpacaError> {
        let mut attempts = 0;
        loop {
            let left = self.left(url, effort, Duration::ZERO)?;
            if let Err(wait) = self.limiter.take(left).await {
                self.left(url, effort, wait)?;
            }
            let left = self.left(url, effort, Duration::ZERO)?;
            attempts += 1;
            effort.requests += 1;
            let (reason, told) = match self.attempt(url, parse, left.min(self.max_request)).await {
                Ok(value) => return Ok(value),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Again { reason, told }) => (reason, told),
            };
            let wait = told.unwrap_or_else(|| self.backoff.wait(attempts));
            let is_over = attempts >= self.policy.max_attempts;
            if is_over || effort.waited.saturating_add(wait) > self.policy.max_total_wait {
                let reason = match is_over {
                    true => reason,
                    false => {
                        format!("{reason}; the next attempt would have to wait {:.1} s", wait.as_secs_f64())
                    }
                };
                let (request, waited) = (describe(url), effort.waited);
                return Err(AlpacaError::Unavailable { request, attempts, waited, reason });
            }
            self.left(url, effort, wait)?;
            tracing::warn!(
                path = url.path(),
                attempts,
                wait_ms = wait.as_millis() as u64,
                reason,
                "asking Alpaca again"
            );
            self.sleep(wait, effort).await;
        }
    }

    async fn sleep(&self, wait: Duration, effort: &mut Effort) {
        let wait_ms = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
        self.clock.sleep_until(self.clock.now().plus_millis(wait_ms)).await;
        effort.waited += wait;
    }

    async fn attempt<T>(
        &self,
        url: &Url,
        parse: fn(&[u8]) -> Result<T, PageError>,
        longest: Duration,
    ) -> Result<T, Failure> {
        let response = self.client.get(url.clone()).timeout(longest).send().await;
        let mut response = response.map_err(|error| Failure::again(self.hide(&reason(error))))?;
        let status = response.status();
        if status != StatusCode::OK {
            return Err(self.failure(url, response).await);
        }
        let body = self.body(url, &mut response).await?;
        parse(&body).map_err(|error| match error {
            PageError::NotJson { .. } => Failure::again(self.hide(&error.to_string())),
            PageError::NotAPage { .. } => Failure::Final(AlpacaError::Answer {
                request: describe(url),
                reason: self.hide(&refusal::one_line(&error.to_string())),
            }),
        })
    }

    /// The whole body, decompressed piece by piece, so that no answer takes more memory than a page may.
    async fn body(&self, url: &Url, response: &mut Response) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        loop {
            let chunk = response.chunk().await.map_err(|error| Failure::again(self.hide(&reason(error))))?;
            let Some(chunk) = chunk else { return Ok(body) };
            if body.len() + chunk.len() > self.max_body_bytes {
                return Err(Failure::Final(AlpacaError::TooLong {
                    request: describe(url),
                    what: "the body has more bytes",
                    limit: self.max_body_bytes,
                    advice: "ask for smaller pages, or set max_page_bytes",
                }));
            }
            body.extend_from_slice(&chunk);
        }
    }

    /// What an answer that isn't 200 means.
    async fn failure(&self, url: &Url, mut response: Response) -> Failure {
        let status = response.status();
        let told = told_wait(status, response.headers(), self.clock.now());
        let mut body = Vec::new();
        while let Ok(Some(chunk)) = response.chunk().await {
            body.extend_from_slice(&chunk[..chunk.len().min(MAX_ERROR_BODY_BYTES - body.len())]);
            if body.len() == MAX_ERROR_BODY_BYTES {
                break;
            }
        }
        let message = self.hide(&refusal::message(&body));
        let may_pass = status.is_server_error()
            || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
        if may_pass {
            return Failure::Again { reason: format!("the service answers {status}, '{message}'"), told };
        }
        let advice = refusal::advice(status, self.keys.is_some());
        Failure::Final(AlpacaError::Refused {
            request: describe(url),
            status: status.as_u16(),
            message,
            advice,
        })
    }

    /// `text` without keys, should the other side send them back.
    fn hide(&self, text: &str) -> String {
        let Some(Keys { id, secret }) = &self.keys else { return text.to_owned() };
        let mut text = text.to_owned();
        for key in [id.expose_secret(), secret.expose_secret()] {
            if !key.is_empty() && text.contains(key) {
                text = text.replace(key, "[key]");
            }
        }
        text
    }
}

fn client(config: &AlpacaConfig, base_url: &Url) -> Result<Client, AlpacaError> {
    // TLS asks for one provider in the process; whoever comes second finds it there.
    if CryptoProvider::get_default().is_none() {
        drop(ring::default_provider().install_default());
    }
    let mut builder = Client::builder()
        .user_agent(concat!("walkforward/", env!("CARGO_PKG_VERSION")))
        .default_headers(key_headers(config.keys.as_ref())?)
        .redirect(reqwest::redirect::Policy::none())
        // Attempts are counted here.
        .retry(reqwest::retry::never())
        .referer(false)
        .no_proxy()
        .connect_timeout(config.timeouts.connect)
        .read_timeout(config.timeouts.read);
    if base_url.scheme() == "http" {
        // Redirects are not followed, so nothing is encrypted and no certificates are needed.
        builder = builder.tls_certs_only([]);
    }
    if let Some(proxy) = config.proxy.as_ref().filter(|_| !is_local(base_url)) {
        let expected = "an address such as http://proxy:3128";
        // Not of http: the proxy would read the keys.
        let proxy = reqwest::Proxy::https(proxy.expose_secret())
            .map_err(|_| AlpacaError::setting("proxy", "no address", expected))?;
        builder = builder.proxy(proxy);
    }
    builder.build().map_err(|error| AlpacaError::Client { reason: reason(error) })
}

fn key_headers(keys: Option<&Keys>) -> Result<HeaderMap, AlpacaError> {
    let mut headers = HeaderMap::new();
    let Some(Keys { id, secret }) = keys else { return Ok(headers) };
    let value = |name, key: &SecretString| {
        let value = HeaderValue::from_str(key.expose_secret()).ok().filter(|value| !value.is_empty());
        let mut value = value.ok_or_else(|| {
            AlpacaError::setting(name, "empty or not printable", "the key as it was given out")
        })?;
        value.set_sensitive(true);
        Ok::<_, AlpacaError>(value)
    };
    headers.insert("apca-api-key-id", value("the key id", id)?);
    headers.insert("apca-api-secret-key", value("the secret key", secret)?);
    Ok(headers)
}

/// An error and its causes in one line, without the address.
fn reason(error: reqwest::Error) -> String {
    let kind = match &error {
        error if error.is_timeout() => "timed out: ",
        error if error.is_connect() => "no connection: ",
        _ => "",
    };
    let error = error.without_url();
    let mut text = format!("{kind}{error}");
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    refusal::one_line(&text)
}

/// The request as an error shows it. It holds no key: those travel in headers.
pub(crate) fn describe(url: &Url) -> String {
    let shown = format!("GET {url}");
    match shown.char_indices().nth(MAX_SHOWN_URL_CHARS) {
        Some((end, _)) => format!("{}...", &shown[..end]),
        None => shown,
    }
}
