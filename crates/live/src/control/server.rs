//! The port on a Unix socket: JSON lines, for processes of the same user.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use walkforward_core::{
    ControlCommand, ControlError, ControlReply, ControlRequest, ErrorKind, MAX_CONTROL_LINE_BYTES,
    NumberedEvent, SessionControl, SessionEvents, SessionStatus,
};

use super::line::{Line, Lines, write_within};
use super::socket::{SocketError, listen};

/// Connections at once. A further one is told so and closed.
pub const MAX_CONTROL_CONNECTIONS: usize = 32;
/// How long a connection is waited for.
const PATIENCE: Patience = Patience { idle: Duration::from_secs(60), write: Duration::from_secs(5) };
/// Between two tries to accept while the system has no file handles left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// How long connections may go on when the session has ended: for its last events to be read.
const FAREWELL: Duration = Duration::from_secs(1);

/// A session's socket, until it is dropped.
#[derive(Debug)]
pub struct ControlServer {
    // Removed before nobody listens any more: whoever finds it dead may replace it.
    file: SocketFile,
    listener: UnixListener,
}

/// Removes the socket with whoever holds it.
#[derive(Debug)]
struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

impl ControlServer {
    /// Listens at `path`, which only its owner reaches. The socket of a dead process is replaced. Runs on a tokio runtime.
    ///
    /// # Errors
    /// The path is too long, somebody answers there, another file has the name, or the folder can't be written.
    pub async fn bind(path: &Path) -> Result<Self, SocketError> {
        let listener = listen(path).await?;
        Ok(Self { file: SocketFile(path.to_owned()), listener })
    }

    /// Where it listens.
    pub fn path(&self) -> &Path {
        &self.file.0
    }

    /// Does what is asked of `session`, until `ended` resolves; then those who read events have a second for the last of
    /// them.
    pub async fn serve(self, session: Arc<dyn SessionControl>, ended: impl Future<Output = ()>) {
        let Self { file, listener } = self;
        let places = Arc::new(Semaphore::new(MAX_CONTROL_CONNECTIONS));
        let mut connections = JoinSet::new();
        tokio::pin!(ended);
        loop {
            while connections.try_join_next().is_some() {}
            let stream = tokio::select! {
                () = &mut ended => break,
                accepted = listener.accept() => accepted.map(|(stream, _)| stream),
            };
            match (stream, Arc::clone(&places).try_acquire_owned()) {
                (Ok(stream), Ok(place)) => {
                    let session = Arc::clone(&session);
                    connections.spawn(async move {
                        let _place = place;
                        Connection::new(stream, session, PATIENCE).converse().await;
                    });
                }
                (Ok(stream), Err(_)) => turn_away(&stream),
                (Err(error), _) => {
                    tracing::warn!(%error, "nobody could connect to the session's socket");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(file);
        drop(listener);
        let _ =
            tokio::time::timeout(FAREWELL, async { while connections.join_next().await.is_some() {} }).await;
    }
}

/// Says that all places are taken. Who does not take the line at once does not get it.
fn turn_away(stream: &UnixStream) {
    let reason = format!("the session talks to {MAX_CONTROL_CONNECTIONS} already: try again");
    if let Ok(line) = (ControlReply::Refused { id: 0, kind: ErrorKind::Retry, reason }).to_line() {
        let _ = stream.try_write(&line);
    }
}

/// How long a connection is waited for before it is closed.
#[derive(Debug, Clone, Copy)]
struct Patience {
    /// For it to ask, where it reads no events.
    idle: Duration,
    /// For it to take a line.
    write: Duration,
}

/// One who asks, and perhaps reads events.
struct Connection {
    patience: Patience,
    lines: Lines<OwnedReadHalf>,
    out: OwnedWriteHalf,
    session: Arc<dyn SessionControl>,
    /// The subscription's request, and what it gives.
    events: Option<(u64, Box<dyn SessionEvents>)>,
}

/// What happens next on a connection.
enum Next {
    Line(io::Result<Line>),
    Event(Result<Option<NumberedEvent>, ControlError>),
    Idle,
}

impl Connection {
    fn new(stream: UnixStream, session: Arc<dyn SessionControl>, patience: Patience) -> Self {
        let (read, out) = stream.into_split();
        Self { patience, lines: Lines::new(read), out, session, events: None }
    }

    /// Answers and tells until the other side, or the session, has enough.
    async fn converse(mut self) {
        loop {
            let goes_on = match self.next().await {
                Next::Line(Ok(Line::Whole(line))) => self.answer(&line).await,
                Next::Line(Ok(Line::TooLong)) => {
                    let reason = ControlError::TooLong { bytes: MAX_CONTROL_LINE_BYTES + 1 }.to_string();
                    let _ =
                        self.say(&ControlReply::Refused { id: 0, kind: ErrorKind::BadInput, reason }).await;
                    false
                }
                Next::Event(Ok(Some(event))) => self.say(&ControlReply::Event(Box::new(event))).await,
                Next::Event(Err(error)) => {
                    let id = self.events.take().map_or(0, |(id, _)| id);
                    let _ = self.say(&refusal(id, &error)).await;
                    false
                }
                Next::Line(Ok(Line::End) | Err(_)) | Next::Event(Ok(None)) | Next::Idle => false,
            };
            if !goes_on {
                return;
            }
        }
    }

    async fn next(&mut self) -> Next {
        let Self { patience, lines, events, .. } = self;
        match events {
            Some((_, events)) => tokio::select! {
                line = lines.next() => Next::Line(line),
                event = events.next() => Next::Event(event),
            },
            None => match tokio::time::timeout(patience.idle, lines.next()).await {
                Ok(line) => Next::Line(line),
                Err(_) => Next::Idle,
            },
        }
    }

    async fn answer(&mut self, line: &[u8]) -> bool {
        let ControlRequest { id, by, command } = match ControlRequest::from_line(line) {
            Ok(request) => request,
            Err(error) => return self.say(&refusal(0, &error)).await,
        };
        let status = match command {
            ControlCommand::Subscribe { after } => {
                self.session.subscribe(after).await.map(|(status, events)| {
                    self.events = Some((id, events));
                    status
                })
            }
            command => self.session.ask_as(by, command).await,
        };
        let reply = match status {
            Ok(status) => status_reply(id, status),
            Err(error) => refusal(id, &error),
        };
        self.say(&reply).await
    }

    /// Writes a line; whether somebody takes it.
    async fn say(&mut self, reply: &ControlReply) -> bool {
        match reply.to_line() {
            Ok(line) => write_within(&mut self.out, &line, self.patience.write).await.is_ok(),
            Err(error) => {
                tracing::error!(%error, "the session can't say something");
                false
            }
        }
    }
}

fn status_reply(id: u64, status: SessionStatus) -> ControlReply {
    ControlReply::Status { id, status: Box::new(status) }
}

fn refusal(id: u64, error: &ControlError) -> ControlReply {
    let kind = match error {
        ControlError::Refused { kind, .. } => *kind,
        ControlError::Gone { .. } => ErrorKind::Retry,
        ControlError::TooLong { .. } | ControlError::NoMessage { .. } => ErrorKind::BadInput,
    };
    ControlReply::Refused { id, kind, reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use walkforward_core::{Reason, SessionEvent, Timestamp};

    use super::*;

    const SHORT: Patience = Patience { idle: Duration::from_millis(50), write: Duration::from_millis(50) };

    /// A session that refuses what it is asked, and whose events never end.
    struct Endless;

    fn refused() -> ControlError {
        ControlError::Refused { kind: ErrorKind::BadInput, reason: "no".to_owned() }
    }

    #[async_trait]
    impl SessionControl for Endless {
        async fn ask(&self, _command: ControlCommand) -> Result<SessionStatus, ControlError> {
            Err(refused())
        }

        async fn subscribe(
            &self,
            _after: Option<u64>,
        ) -> Result<(SessionStatus, Box<dyn SessionEvents>), ControlError> {
            Err(refused())
        }
    }

    #[async_trait]
    impl SessionEvents for Endless {
        async fn next(&mut self) -> Result<Option<NumberedEvent>, ControlError> {
            tokio::task::yield_now().await;
            let event = SessionEvent::Warning { reason: Reason::cut("again") };
            Ok(Some(NumberedEvent { seq: 1, at: Timestamp::EPOCH, event }))
        }
    }

    async fn closed(connection: Connection) {
        tokio::time::timeout(Duration::from_secs(20), connection.converse()).await.unwrap();
    }

    #[tokio::test]
    async fn who_takes_no_line_is_cut_off() {
        let (theirs, ours) = UnixStream::pair().unwrap();
        let mut connection = Connection::new(ours, Arc::new(Endless), SHORT);
        connection.events = Some((1, Box::new(Endless)));
        closed(connection).await;
        // What was written before is there, and then the end.
        let mut read = Vec::new();
        let mut theirs = theirs;
        theirs.read_to_end(&mut read).await.unwrap();
        assert!(read.starts_with(b"{\"type\":\"event\""));
    }

    #[tokio::test]
    async fn who_asks_nothing_is_closed_and_who_asks_is_answered_first() {
        let (mut theirs, ours) = UnixStream::pair().unwrap();
        theirs.write_all(b"{\"id\":4,\"command\":\"status\"}\n{\"comm").await.unwrap();
        closed(Connection::new(ours, Arc::new(Endless), SHORT)).await;
        let mut read = Vec::new();
        theirs.read_to_end(&mut read).await.unwrap();
        let reply = ControlReply::from_line(&read).unwrap();
        let expected = ControlReply::Refused { id: 4, kind: ErrorKind::BadInput, reason: "no".to_owned() };
        assert_eq!(reply, expected);
    }
}
