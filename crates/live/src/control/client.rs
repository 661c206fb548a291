//! The port from another process.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use walkforward_core::{
    Asker, ControlCommand, ControlError, ControlReply, ControlRequest, MAX_CONTROL_LINE_BYTES, NumberedEvent,
    SessionControl, SessionEvent, SessionEvents, SessionStatus,
};

use super::line::{Line, Lines, write_within};

/// How long a connection may take: the socket is on this machine.
const CONNECT_WAIT: Duration = Duration::from_secs(2);
/// How long a request may take to be written.
const WRITE_WAIT: Duration = Duration::from_secs(5);
/// How long an answer may take: longer than a session waits for its own bar loop, twice.
const ANSWER_WAIT: Duration = Duration::from_secs(70);
/// The number of every request: a connection asks one thing.
const ID: u64 = 1;

/// Talks to a session through its socket, each time anew: it may have been started again meanwhile.
#[derive(Debug, Clone)]
pub struct ControlClient {
    path: PathBuf,
}

impl ControlClient {
    /// A client of the session that listens at `path`. Nothing is connected yet.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    fn gone(&self, problem: &dyn std::fmt::Display) -> ControlError {
        ControlError::Gone { reason: format!("{problem} ({})", self.path.display()) }
    }

    async fn connect(&self) -> Result<Conversation, ControlError> {
        let connected = tokio::time::timeout(CONNECT_WAIT, UnixStream::connect(&self.path)).await;
        let stream = connected
            .map_err(|_| self.gone(&"nobody takes the connection"))?
            .map_err(|error| self.gone(&said(&error)))?;
        let (read, write) = stream.into_split();
        Ok(Conversation { lines: Lines::new(read), write })
    }

    async fn request(
        &self,
        by: Asker,
        command: ControlCommand,
    ) -> Result<(SessionStatus, Conversation), ControlError> {
        let line = ControlRequest { id: ID, by, command }.to_line()?;
        let mut with = self.connect().await?;
        write_within(&mut with.write, &line, WRITE_WAIT).await.map_err(|error| self.gone(&error))?;
        let answer = tokio::time::timeout(ANSWER_WAIT, with.reply()).await;
        let answer =
            answer.map_err(|_| self.gone(&"no answer came in time; it may or may not be done"))??;
        match answer {
            Some(ControlReply::Status { id: ID, status }) => Ok((*status, with)),
            Some(ControlReply::Refused { kind, reason, .. }) => Err(ControlError::Refused { kind, reason }),
            Some(_) => Err(self.gone(&"it answered something else than was asked")),
            None => Err(self.gone(&"it went away before it answered")),
        }
    }
}

/// Why there is no connection, in words for those who did not open it.
fn said(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "it has no socket".to_owned(),
        io::ErrorKind::ConnectionRefused => "nobody listens on its socket".to_owned(),
        _ => error.to_string(),
    }
}

#[async_trait]
impl SessionControl for ControlClient {
    async fn ask(&self, command: ControlCommand) -> Result<SessionStatus, ControlError> {
        self.ask_as(Asker::Program, command).await
    }

    async fn ask_as(&self, by: Asker, command: ControlCommand) -> Result<SessionStatus, ControlError> {
        Ok(self.request(by, command).await?.0)
    }

    async fn subscribe(
        &self,
        after: Option<u64>,
    ) -> Result<(SessionStatus, Box<dyn SessionEvents>), ControlError> {
        let (status, with) = self.request(Asker::Program, ControlCommand::Subscribe { after }).await?;
        Ok((status, Box::new(SocketEvents { with, has_ended: false })))
    }
}

/// A connection that has asked.
struct Conversation {
    lines: Lines<OwnedReadHalf>,
    /// Its end would end the connection.
    write: OwnedWriteHalf,
}

impl Conversation {
    async fn reply(&mut self) -> Result<Option<ControlReply>, ControlError> {
        match self.lines.next().await {
            Ok(Line::Whole(line)) => ControlReply::from_line(&line).map(Some),
            Ok(Line::End) => Ok(None),
            Ok(Line::TooLong) => Err(ControlError::TooLong { bytes: MAX_CONTROL_LINE_BYTES + 1 }),
            Err(error) => Err(ControlError::Gone { reason: error.to_string() }),
        }
    }
}

/// Events over the socket.
struct SocketEvents {
    with: Conversation,
    has_ended: bool,
}

#[async_trait]
impl SessionEvents for SocketEvents {
    async fn next(&mut self) -> Result<Option<NumberedEvent>, ControlError> {
        match self.with.reply().await? {
            Some(ControlReply::Event(event)) => {
                self.has_ended = matches!(event.event, SessionEvent::Ended { .. });
                Ok(Some(*event))
            }
            Some(ControlReply::Refused { kind, reason, .. }) => Err(ControlError::Refused { kind, reason }),
            Some(ControlReply::Status { .. }) => {
                Err(ControlError::Gone { reason: "it answered what was not asked".to_owned() })
            }
            None if self.has_ended => Ok(None),
            None => Err(ControlError::Gone { reason: "it went away without an end".to_owned() }),
        }
    }
}
