//! Lines of bounded length.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Asker, ControlCommand, ControlError, NumberedEvent, SessionStatus};
use crate::ErrorKind;

/// Longest line either way, bytes with its end: a hundred times the longest message there is.
pub const MAX_CONTROL_LINE_BYTES: usize = 64 << 10;

/// What is asked, as a line: `{"id":1,"command":"status"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlRequest {
    /// A number of the asker's choice, which the answer repeats; 0 where it is left out.
    #[serde(default)]
    pub id: u64,
    /// Who asks, where they say so.
    #[serde(default, skip_serializing_if = "Asker::is_unnamed")]
    pub by: Asker,
    /// What.
    #[serde(flatten)]
    pub command: ControlCommand,
}

/// What a session says, as a line. Answers come in the order of the requests, events between them. Fields that a reader
/// does not know are those of a newer version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ControlReply {
    /// It was done, and this is how the session is now.
    Status {
        /// The request's number.
        id: u64,
        /// The session.
        status: Box<SessionStatus>,
    },
    /// It was not done.
    Refused {
        /// The request's number; 0 for a line that is no request.
        id: u64,
        /// What to do about it.
        kind: ErrorKind,
        /// Why.
        reason: String,
    },
    /// Something happened.
    Event(Box<NumberedEvent>),
}

impl ControlRequest {
    /// The line, with its end.
    ///
    /// # Errors
    /// [`ControlError::TooLong`]; no command is.
    pub fn to_line(&self) -> Result<Vec<u8>, ControlError> {
        to_line(self, REQUEST)
    }

    /// Reads a line, with its end or without.
    ///
    /// # Errors
    /// It is too long, or no request: another command, a field too many, one that is missing.
    pub fn from_line(line: &[u8]) -> Result<Self, ControlError> {
        from_line(line, REQUEST)
    }
}

impl ControlReply {
    /// The line, with its end.
    ///
    /// # Errors
    /// [`ControlError::TooLong`]: a name or a reason of its own takes more than there is room for.
    pub fn to_line(&self) -> Result<Vec<u8>, ControlError> {
        to_line(self, REPLY)
    }

    /// Reads a line, with its end or without.
    ///
    /// # Errors
    /// It is too long, or no reply.
    pub fn from_line(line: &[u8]) -> Result<Self, ControlError> {
        from_line(line, REPLY)
    }
}

const REQUEST: &str = "request to a session";
const REPLY: &str = "reply of a session";

fn to_line(message: &impl Serialize, what: &'static str) -> Result<Vec<u8>, ControlError> {
    let no_message = |error: serde_json::Error| ControlError::NoMessage { what, reason: error.to_string() };
    let mut line = serde_json::to_vec(message).map_err(no_message)?;
    line.push(b'\n');
    check_length(&line)?;
    Ok(line)
}

fn from_line<T: DeserializeOwned>(line: &[u8], what: &'static str) -> Result<T, ControlError> {
    check_length(line)?;
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    if line.contains(&b'\n') {
        return Err(ControlError::NoMessage { what, reason: "it is more than one line".to_owned() });
    }
    serde_json::from_slice(line).map_err(|error| ControlError::NoMessage { what, reason: error.to_string() })
}

fn check_length(line: &[u8]) -> Result<(), ControlError> {
    if line.len() > MAX_CONTROL_LINE_BYTES {
        return Err(ControlError::TooLong { bytes: line.len() });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
