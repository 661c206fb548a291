//! What is asked of a running trader, and what it tells.
//!
//! A trader is a process of its own. Whoever wants something of it, a command line or a server, uses the port
//! [`SessionControl`]; between processes it is JSON lines, [`ControlRequest`] one way and [`ControlReply`] the other. A line
//! is read or refused, whatever its bytes are.
//!
//! ```
//! use walkforward_core::{Asker, ControlCommand, ControlRequest};
//!
//! let command = ControlCommand::ReduceOnly { reason: "news".parse()? };
//! let request = ControlRequest { id: 7, by: Asker::Command, command };
//! let line = request.to_line()?;
//! assert_eq!(line, b"{\"id\":7,\"by\":\"command\",\"command\":\"reduce_only\",\"reason\":\"news\"}\n");
//! assert_eq!(ControlRequest::from_line(&line)?, request);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod asker;
mod command;
mod event;
mod line;
mod status;

use async_trait::async_trait;

use crate::ErrorKind;

pub use asker::Asker;
pub use command::{ControlCommand, Reason, ReasonError};
pub use event::{NumberedEvent, SessionEvent};
pub use line::{ControlReply, ControlRequest, MAX_CONTROL_LINE_BYTES};
pub use status::{LoadedModel, SessionRestriction, SessionStatus, TradingMode};

/// Why a session did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// It said why.
    #[error("{reason}")]
    Refused {
        /// What to do about it.
        kind: ErrorKind,
        /// Why.
        reason: String,
    },
    /// It does not answer, or has ended.
    #[error("the session does not answer: {reason}")]
    Gone {
        /// What was seen.
        reason: String,
    },
    /// A line that is too long to be sent or read.
    #[error("the line has {bytes} bytes: expected at most {MAX_CONTROL_LINE_BYTES}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// A line that is no message.
    #[error("the line is no {what}: {reason}")]
    NoMessage {
        /// What it should be.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

/// One running session, for whoever watches and steers it.
#[async_trait]
pub trait SessionControl: Send + Sync {
    /// Does what `command` says and answers with the session as it is then. What restricts or frees the session is on
    /// its disk before the answer. [`ControlCommand::Subscribe`] answers as [`ControlCommand::Status`] does.
    ///
    /// # Errors
    /// The session refuses or does not answer. Without an answer it may or may not have been done: ask for the status.
    async fn ask(&self, command: ControlCommand) -> Result<SessionStatus, ControlError>;

    /// As [`ask`](Self::ask), and the session's journal keeps who it was, where the session can be told that.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    async fn ask_as(&self, by: Asker, command: ControlCommand) -> Result<SessionStatus, ControlError> {
        let _ = by;
        self.ask(command).await
    }

    /// The session as it is, and what happens from then on: events with numbers above `after` where the session still has
    /// all of them, else those above [`SessionStatus::last_event`].
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    async fn subscribe(
        &self,
        after: Option<u64>,
    ) -> Result<(SessionStatus, Box<dyn SessionEvents>), ControlError>;
}

/// Gives a session's events as they come.
#[async_trait]
pub trait SessionEvents: Send {
    /// The next event; `None` when the session has ended.
    ///
    /// # Errors
    /// The session does not answer any more.
    async fn next(&mut self) -> Result<Option<NumberedEvent>, ControlError>;
}
