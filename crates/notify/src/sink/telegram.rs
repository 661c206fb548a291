//! A bot of Telegram that writes to a chat.

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::format::telegram;
use super::http::{HttpTarget, Method, Refused, text_of, told};
use super::{HttpOptions, Retry, Sink, SinkFailure};
use crate::{Notice, NotifyError};

const NAME: &str = "telegram";

/// A chat that a bot writes to.
pub struct TelegramSink {
    target: HttpTarget,
    chat: String,
}

impl TelegramSink {
    /// Where Telegram's bots are.
    pub const SERVICE: &'static str = "https://api.telegram.org";

    /// The chat `chat` (a number, or the `@name` of a channel) of the bot with `token`, at `service`.
    ///
    /// # Errors
    /// The token or the service's address can't be used.
    pub fn new(
        service: &str,
        token: &SecretString,
        chat: &str,
        options: &HttpOptions,
    ) -> Result<Self, NotifyError> {
        let text = token.expose_secret();
        // It becomes a part of the path.
        if text.is_empty() || !text.chars().all(|it| it.is_ascii_alphanumeric() || "_:-".contains(it)) {
            return Err(NotifyError::Token { what: NAME.to_owned() });
        }
        let service = service.trim_end_matches('/');
        let url = SecretString::from(format!("{service}/bot{text}/sendMessage"));
        Ok(Self { target: HttpTarget::new(NAME, &url, None, options)?, chat: chat.to_owned() })
    }
}

#[async_trait]
impl Sink for TelegramSink {
    fn name(&self) -> &str {
        self.target.name()
    }

    async fn deliver(&self, notice: &Notice) -> Result<(), SinkFailure> {
        let sent = self.target.send(Method::Post, telegram(notice, &self.chat)).await;
        sent.map(drop).map_err(|refused| {
            let wait = match &refused {
                Refused::Answered { body, .. } => told_in(body),
                Refused::Unreached(_) => None,
            };
            let mut failure = self.target.failure(refused, description);
            if let (Retry::After(after @ None), Some(seconds)) = (&mut failure.retry, wait) {
                *after = Some(told(seconds));
            }
            failure
        })
    }
}

/// Seconds that an answer asks to wait: it says so in its body.
fn told_in(body: &[u8]) -> Option<u64> {
    serde_json::from_slice::<Value>(body).ok()?["parameters"]["retry_after"].as_u64()
}

/// What an answer says of itself.
fn description(body: &[u8]) -> String {
    let answer = serde_json::from_slice::<Value>(body).ok();
    let said = answer.and_then(|answer| Some(answer["description"].as_str()?.to_owned()));
    said.unwrap_or_else(|| text_of(body))
}
