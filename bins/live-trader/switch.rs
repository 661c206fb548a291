//! The kill switch: SIGUSR1 halts the session.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::oneshot::Receiver;
use walkforward::failure::chain;
use walkforward::signals::HaltRequests;
use walkforward_core::{Asker, ControlCommand, ControlError, Reason, SessionStatus};
use walkforward_durable::Files;
use walkforward_live::{LiveError, TraderHandle, halt_session};

/// The reason of a halt by the kill switch.
const SIGNAL: &str = "SIGUSR1";

/// Halts the session on SIGUSR1, as long as its process lives.
pub(crate) struct KillSwitch {
    requests: HaltRequests,
    journal: PathBuf,
    /// None before there is a session.
    handle: Option<TraderHandle>,
    /// Whether a session is to be halted that there is not yet.
    is_early: bool,
    /// The answer to the last halt, which comes when the journal has it. Those before it were taken earlier.
    answer: Option<Receiver<Result<SessionStatus, ControlError>>>,
    has_ended: bool,
}

impl KillSwitch {
    /// The switch of the session in `journal`, which does not exist yet.
    pub(crate) fn new(requests: HaltRequests, journal: &Path) -> Self {
        let journal = journal.to_owned();
        Self { requests, journal, handle: None, is_early: false, answer: None, has_ended: false }
    }

    /// The session exists: what was asked before holds for it.
    pub(crate) fn reaches(&mut self, handle: TraderHandle) {
        self.handle = Some(handle);
        if std::mem::take(&mut self.is_early) {
            self.halt();
        }
    }

    /// Halts it each time, and never ends. Cancel safe.
    pub(crate) async fn watch(&mut self) -> Infallible {
        loop {
            self.requests.next().await;
            self.halt();
        }
    }

    fn halt(&mut self) {
        let command = || ControlCommand::Kill { reason: Reason::cut(SIGNAL), flatten: false };
        match &self.handle {
            _ if self.has_ended => self.halt_by_file(),
            None => self.is_early = true,
            Some(handle) => match handle.send_as(Asker::Signal, command()) {
                Ok(answer) => self.answer = Some(answer),
                Err(_) => self.halt_by_file(),
            },
        }
    }

    /// What the session does not take, its folder says: it is read as soon as it can be, or by the next start.
    fn halt_by_file(&self) {
        let halted = Files::default()
            .create_dir_all_durable(&self.journal)
            .map_err(LiveError::from)
            .and_then(|()| halt_session(&self.journal, SIGNAL, false));
        match halted {
            Ok(()) => {
                tracing::warn!("SIGUSR1: a file in the journal's folder halts the session, or its next start")
            }
            Err(error) => tracing::error!(error = chain(&error), "SIGUSR1 did not halt the session"),
        }
    }

    /// The session has ended, or there never was one. A halt that it could not journal any more, because it failed or had
    /// not begun, its folder says; one that it has journalled may have been acknowledged since.
    pub(crate) async fn end(&mut self) {
        while tokio::time::timeout(Duration::ZERO, self.requests.next()).await.is_ok() {
            self.halt();
        }
        if std::mem::replace(&mut self.has_ended, true) {
            return;
        }
        // Whatever else halts the session now: a pause ends without an acknowledgement, and a new session knows of nothing.
        let is_open = |mut answer: Receiver<_>| !matches!(answer.try_recv(), Ok(Ok(_)));
        if self.is_early || self.answer.take().is_some_and(is_open) {
            self.halt_by_file();
        }
    }
}
