//! The port on a session's handle, in its own process.

use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::oneshot;
use walkforward_core::{
    Asker, ControlCommand, ControlError, ErrorKind, SessionControl, SessionEvents, SessionStatus,
};

use crate::{Command, CommandRefused, Notice, TraderHandle};

/// How long an answer is waited for: the bar loop waits for a venue, a hole or the disk for less.
const ANSWER_WAIT: Duration = Duration::from_secs(30);

/// What the session says.
pub(crate) type Reply = Result<SessionStatus, ControlError>;

/// What somebody tells the bar loop.
#[derive(Debug)]
pub(crate) enum Told {
    /// A command that nobody waits for.
    Command(Command),
    /// What a watch did.
    Notice(Notice),
    /// One of the port's, who asks it, and where its answer goes.
    Asked(ControlCommand, Asker, oneshot::Sender<Reply>),
}

fn gone(reason: &str) -> ControlError {
    ControlError::Gone { reason: reason.to_owned() }
}

impl TraderHandle {
    /// Tells the session something for `by` and does not wait: the answer comes when the journal has the command on the disk, and
    /// never where the session ends before.
    ///
    /// # Errors
    /// As [`command`](Self::command).
    pub fn send_as(
        &self,
        by: Asker,
        command: ControlCommand,
    ) -> Result<oneshot::Receiver<Reply>, CommandRefused> {
        let (sender, answer) = oneshot::channel();
        self.tell(Told::Asked(command, by, sender)).map(|()| answer)
    }
}

#[async_trait]
impl SessionControl for TraderHandle {
    async fn ask(&self, command: ControlCommand) -> Result<SessionStatus, ControlError> {
        self.ask_as(Asker::Program, command).await
    }

    async fn ask_as(&self, by: Asker, command: ControlCommand) -> Result<SessionStatus, ControlError> {
        if command == (ControlCommand::Reload {}) {
            let looked = tokio::time::timeout(ANSWER_WAIT, self.look_now.look()).await;
            if !matches!(looked, Ok(Some(_))) {
                return Err(gone("nobody looks for models: it has ended, or loads one for long"));
            }
        }
        let answer = self.send_as(by, command).map_err(|refused| ControlError::Refused {
            kind: ErrorKind::Retry,
            reason: refused.to_string(),
        })?;
        match tokio::time::timeout(ANSWER_WAIT, answer).await {
            Ok(Ok(reply)) => reply,
            Ok(Err(_)) => Err(gone("it has ended")),
            Err(_) => Err(gone("its bar loop is busy; what was asked is done when it gets to it")),
        }
    }

    async fn subscribe(
        &self,
        after: Option<u64>,
    ) -> Result<(SessionStatus, Box<dyn SessionEvents>), ControlError> {
        let status = self.ask(ControlCommand::Subscribe { after }).await?;
        let events = self.events.read(after, status.last_event);
        Ok((status, Box::new(events)))
    }
}
