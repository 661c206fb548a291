//! Something that must not be done twice: sent once, and said what became of it.

use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::{StatusCode, Url};

use super::{Failure, Http, reason};
use crate::retry::told_wait;

/// An answer, whatever it says.
#[derive(Debug)]
pub(crate) struct PostAnswer {
    /// HTTP status.
    pub(crate) status: StatusCode,
    /// The whole body.
    pub(crate) body: Vec<u8>,
    /// The wait that the service asks for.
    pub(crate) told: Option<Duration>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum PostFailure {
    /// Nothing was sent.
    NotSent {
        /// What happened.
        reason: String,
        /// How long our own rate limit would have to wait.
        wait: Option<Duration>,
    },
    /// It may have arrived.
    Lost {
        /// What happened.
        reason: String,
    },
}

impl Http {
    /// Sends `body` to `url`, once. Waits for the rate limit no longer than `longest_wait`.
    pub(crate) async fn post(
        &self,
        url: &Url,
        body: String,
        longest_wait: Duration,
    ) -> Result<PostAnswer, PostFailure> {
        if let Err(wait) = self.limiter.take(longest_wait).await {
            let reason = format!("our own rate limit would wait {:.1} s", wait.as_secs_f64());
            return Err(PostFailure::NotSent { reason, wait: Some(wait) });
        }
        let request = self.client.post(url.clone()).header(CONTENT_TYPE, "application/json").body(body);
        let mut response = request.timeout(self.max_request).send().await.map_err(|error| {
            // Only a connection that never stood has carried nothing.
            let was_sent = !error.is_connect();
            let reason = self.hide(&reason(error));
            match was_sent {
                true => PostFailure::Lost { reason },
                false => PostFailure::NotSent { reason, wait: None },
            }
        })?;
        let status = response.status();
        let told = told_wait(status, response.headers(), self.clock.now());
        let body = self.body(url, &mut response).await.map_err(|failure| {
            let reason = match failure {
                Failure::Again { reason, .. } => reason,
                Failure::Final(error) => error.to_string(),
            };
            PostFailure::Lost { reason: format!("the answer {status} was cut: {reason}") }
        })?;
        Ok(PostAnswer { status, body, told })
    }
}
