//! Where notices go.

mod command;
mod format;
mod http;
mod telegram;
mod webhook;

use std::time::Duration;

use async_trait::async_trait;

use crate::Notice;

pub use command::{CommandSink, MAX_COMMAND_OUTPUT_BYTES};
pub use format::Format;
pub(crate) use format::Written;
pub use http::HttpOptions;
pub(crate) use http::{HttpTarget, Method};
pub use telegram::TelegramSink;
pub use webhook::WebhookSink;

/// Somewhere notices go. It takes one at a time.
#[async_trait]
pub trait Sink: Send + Sync {
    /// What it is called in logs and answers: a word that holds no secret and that no other sink has.
    fn name(&self) -> &str;

    /// Hands `notice` over. Takes a bounded time. Dropping the future ends what it does.
    ///
    /// # Errors
    /// It did not arrive, as far as is known.
    async fn deliver(&self, notice: &Notice) -> Result<(), SinkFailure>;
}

/// Why a notice did not arrive. Nothing of it shows an address or a token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct SinkFailure {
    /// What happened, in one line.
    pub reason: String,
    /// What somebody can do about it.
    pub advice: String,
    /// Whether it makes sense to try again.
    pub retry: Retry,
}

/// Whether the same notice may arrive another time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// It may, not before the time that the other side asks for, if it does.
    After(Option<Duration>),
    /// The other side has understood it and does not take it.
    Never,
}
