//! The socket of the session that runs in this process.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use walkforward::failure::chain;
use walkforward_durable::{Files, read_bounded};
use walkforward_live::{
    ControlServer, SocketError, TraderHandle, remove_dead_socket, socket_note, socket_path,
};

use super::{MAX_NOTE_BYTES, noted_socket};

/// How often a socket is tried that the process before may be about to leave.
const ATTEMPTS: u32 = 20;
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(100);
/// How long the end of the conversations is waited for.
const END_WAIT: Duration = Duration::from_secs(2);

/// A session that can be talked to, for as long as it runs.
pub(crate) struct Listening {
    task: JoinHandle<()>,
    end: oneshot::Sender<()>,
}

impl Listening {
    /// Listens as soon as the session has begun. A session whose socket can't be made goes on without.
    pub(crate) fn start(handle: TraderHandle, data_dir: PathBuf, journal: PathBuf) -> Self {
        let (end, ended) = oneshot::channel();
        let task = tokio::spawn(async move { listen(handle, &data_dir, &journal, ended).await });
        Self { task, end }
    }

    /// The session has ended: whoever listens to it hears the last of it.
    pub(crate) async fn end(self) {
        let _ = self.end.send(());
        let _ = tokio::time::timeout(END_WAIT, self.task).await;
    }
}

async fn listen(handle: TraderHandle, data_dir: &Path, journal: &Path, ended: oneshot::Receiver<()>) {
    let Some(session) = handle.begun().await else { return };
    clear_before(journal).await;
    let bound = match std::path::absolute(socket_path(data_dir, &session)) {
        Ok(path) => bind(&path).await,
        Err(source) => Err(SocketError::Io { path: data_dir.to_owned(), source }),
    };
    let server = match bound {
        Ok(server) => server,
        Err(error) => return without_socket(&error, journal),
    };
    let (files, note) = (Files::default(), socket_note(journal));
    if let Err(error) = files.write_atomic(&note, server.path().as_os_str().as_encoded_bytes()) {
        return without_socket(&error, journal);
    }
    let ended = async {
        // An end that nobody tells is one too.
        let _ = ended.await;
    };
    let own = server.path().as_os_str().as_encoded_bytes().to_vec();
    server.serve(Arc::new(handle), ended).await;
    // Another session of the folder may have written its own by now.
    if read_bounded(&note, MAX_NOTE_BYTES).is_ok_and(|named| named == own) {
        let _ = files.remove_file(&note);
    }
}

/// Removes the socket of the journal's session before, where its process was killed. This one holds the journal's lock, so
/// that only a process that still ends can answer there.
async fn clear_before(journal: &Path) {
    let Some(before) = noted_socket(journal) else { return };
    if remove_dead_socket(&before).await {
        tracing::debug!(socket = %before.display(), "the socket of a dead session is gone");
    }
}

async fn bind(path: &Path) -> Result<ControlServer, SocketError> {
    for _ in 1..ATTEMPTS {
        match ControlServer::bind(path).await {
            Err(SocketError::Alive { .. }) => tokio::time::sleep(PAUSE).await,
            bound => return bound,
        }
    }
    ControlServer::bind(path).await
}

fn without_socket(error: &(dyn std::error::Error + 'static), journal: &Path) {
    let (error, journal) = (chain(error), journal.display());
    tracing::error!(
        "the session trades on without a socket, so that it can't be asked: {error}. `live-trader kill`, `live-trader \
         resume --ack` with --journal {journal}, and SIGUSR1 and SIGTERM reach it"
    );
}
