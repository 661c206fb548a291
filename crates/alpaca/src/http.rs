//! Requests to the service. Questions are asked again while that makes sense; an order is sent once.

mod build;
mod post;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::{Client, Method, Response, StatusCode, Url};
use walkforward_core::Clock;

pub(crate) use post::{PostAnswer, PostFailure};

use crate::limiter::RateLimiter;
use crate::page::PageError;
use crate::refusal;
use crate::retry::{Backoff, answered_at, told_wait};
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
    /// The service's clock less ours at its last answer, milliseconds.
    skew_ms: Mutex<Option<i64>>,
}

/// Why the bytes of an answer are not what was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BodyError {
    /// They are cut or come from somebody on the way: the next attempt may give all of it.
    Cut(String),
    /// They are something else.
    Foreign(String),
}

impl From<PageError> for BodyError {
    fn from(error: PageError) -> Self {
        let text = error.to_string();
        match error {
            PageError::NotJson { .. } => Self::Cut(text),
            PageError::NotAPage { .. } => Self::Foreign(text),
        }
    }
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
            client: build::client(config, base_url)?,
            limiter: RateLimiter::new(clock.clone(), config.requests_per_minute),
            clock,
            policy: config.retry,
            backoff: Backoff::new(config.retry, config.jitter_seed),
            max_body_bytes: config.limits.max_page_bytes,
            max_query: config.limits.max_query,
            max_request: config.timeouts.total,
            keys: config.keys.clone(),
            skew_ms: Mutex::new(None),
        })
    }

    /// How far the service's clock was ahead of ours at its last answer, milliseconds; below 0 when it was behind. Its dates
    /// count seconds, and the answer was on its way. None before the first answer with a date.
    pub(crate) fn skew_ms(&self) -> Option<i64> {
        *self.skew_ms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_skew(&self, response: &Response) {
        if let Some(at) = answered_at(response.headers()) {
            let skew_ms = at.millis_since(self.clock.now());
            *self.skew_ms.lock().unwrap_or_else(PoisonError::into_inner) = Some(skew_ms);
        }
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
        parse: impl Fn(&[u8]) -> Result<T, BodyError>,
        effort: &mut Effort,
    ) -> Result<T, AlpacaError> {
        self.ask(&Method::GET, url, parse, effort).await
    }

    /// Ends what is at `url`; asked again as a question is, because once or twice is the same.
    pub(crate) async fn delete(&self, url: &Url, effort: &mut Effort) -> Result<(), AlpacaError> {
        self.ask(&Method::DELETE, url, |_| Ok(()), effort).await
    }

    async fn ask<T>(
        &self,
        method: &Method,
        url: &Url,
        parse: impl Fn(&[u8]) -> Result<T, BodyError>,
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
            let (reason, told) = match self.attempt(method, url, &parse, left.min(self.max_request)).await {
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
                let (request, waited) = (describe_as(method, url), effort.waited);
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
        method: &Method,
        url: &Url,
        parse: impl Fn(&[u8]) -> Result<T, BodyError>,
        longest: Duration,
    ) -> Result<T, Failure> {
        let response = self.client.request(method.clone(), url.clone()).timeout(longest).send().await;
        let mut response = response.map_err(|error| Failure::again(self.hide(&reason(error))))?;
        self.note_skew(&response);
        let status = response.status();
        let is_done =
            status == StatusCode::OK || *method == Method::DELETE && status == StatusCode::NO_CONTENT;
        if !is_done {
            return Err(self.failure(method, url, response).await);
        }
        let body = self.body(url, &mut response).await?;
        parse(&body).map_err(|error| match error {
            BodyError::Cut(reason) => Failure::again(self.hide(&reason)),
            BodyError::Foreign(reason) => Failure::Final(AlpacaError::Answer {
                request: describe(url),
                reason: self.hide(&refusal::one_line(&reason)),
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
    async fn failure(&self, method: &Method, url: &Url, mut response: Response) -> Failure {
        let status = response.status();
        let told = told_wait(status, response.headers(), self.clock.now());
        let (mut body, mut is_cut) = (Vec::new(), false);
        while body.len() < MAX_ERROR_BODY_BYTES {
            match response.chunk().await {
                Ok(Some(chunk)) => {
                    body.extend_from_slice(&chunk[..chunk.len().min(MAX_ERROR_BODY_BYTES - body.len())]);
                }
                Ok(None) => break,
                Err(_) => {
                    is_cut = true;
                    break;
                }
            }
        }
        let message = self.hide(&refusal::message(&body));
        // What broke off may have been the code that says what the status means.
        let may_pass = is_cut
            || status.is_server_error()
            || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
        if may_pass {
            return Failure::Again { reason: format!("the service answers {status}, '{message}'"), told };
        }
        Failure::Final(AlpacaError::Refused {
            request: describe_as(method, url),
            status: status.as_u16(),
            code: refusal::code(&body),
            message,
            advice: refusal::advice(status, self.keys.is_some()),
        })
    }

    /// `text` without keys, should the other side send them back.
    fn hide(&self, text: &str) -> String {
        self.keys.as_ref().map_or_else(|| text.to_owned(), |keys| keys.hide(text))
    }
}

/// An error and its causes in one line, without the address.
fn reason(error: reqwest::Error) -> String {
    refusal::one_line(&walkforward_http::reason(error))
}

/// The question as an error shows it. It holds no key: those travel in headers.
pub(crate) fn describe(url: &Url) -> String {
    describe_as(&Method::GET, url)
}

fn describe_as(method: &Method, url: &Url) -> String {
    let shown = format!("{method} {url}");
    match shown.char_indices().nth(MAX_SHOWN_URL_CHARS) {
        Some((end, _)) => format!("{}...", &shown[..end]),
        None => shown,
    }
}
