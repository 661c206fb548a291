//! A webhook: one POST a notice.

use async_trait::async_trait;
use secrecy::SecretString;

use super::format::{Format, write};
use super::http::{HttpTarget, Method, text_of};
use super::{HttpOptions, Sink, SinkFailure};
use crate::{Notice, NotifyError};

/// A webhook of a service.
pub struct WebhookSink {
    format: Format,
    target: HttpTarget,
}

impl WebhookSink {
    /// A webhook at `url`, which is a secret: whoever has it can write there. `token` goes into the header
    /// `Authorization`, where the service asks for one.
    ///
    /// # Errors
    /// The address or the token can't be used.
    pub fn new(
        format: Format,
        url: &SecretString,
        token: Option<SecretString>,
        options: &HttpOptions,
    ) -> Result<Self, NotifyError> {
        Ok(Self { format, target: HttpTarget::new(format.as_str(), url, token, options)? })
    }
}

#[async_trait]
impl Sink for WebhookSink {
    fn name(&self) -> &str {
        self.target.name()
    }

    async fn deliver(&self, notice: &Notice) -> Result<(), SinkFailure> {
        let sent = self.target.send(Method::Post, write(self.format, notice)).await;
        sent.map(drop).map_err(|refused| self.target.failure(refused, text_of))
    }
}
