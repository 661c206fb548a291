//! The traders of this machine, found by their sockets.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use walkforward_core::{SessionControl, SessionId};
use walkforward_live::{ControlClient, socket_path};
use walkforward_server::RunningSessions;

/// Most sockets that are looked at.
const MAX_SOCKETS: usize = 256;

/// Sessions whose sockets lie in a data folder.
pub(super) struct SocketSessions {
    data_dir: PathBuf,
}

impl SocketSessions {
    pub(super) fn new(data_dir: PathBuf) -> Self {
        Self { data_dir }
    }

    /// The names of the sockets that somebody may listen on. It blocks.
    fn names(data_dir: &std::path::Path) -> Vec<SessionId> {
        let Ok(entries) = std::fs::read_dir(data_dir.join("live")) else { return Vec::new() };
        let names = entries.flatten().filter_map(|entry| {
            let name = entry.file_name();
            name.to_str()?.strip_suffix(".sock")?.parse().ok()
        });
        names.take(MAX_SOCKETS).collect()
    }

    fn client(&self, id: &SessionId) -> Option<Arc<dyn SessionControl>> {
        let path = socket_path(&self.data_dir, id);
        // A process that was killed leaves a socket on which nobody listens.
        std::os::unix::net::UnixStream::connect(&path).ok()?;
        Some(Arc::new(ControlClient::new(&path)))
    }
}

#[async_trait]
impl RunningSessions for SocketSessions {
    async fn list(&self) -> Vec<(SessionId, Arc<dyn SessionControl>)> {
        let data_dir = self.data_dir.clone();
        let names = tokio::task::spawn_blocking(move || Self::names(&data_dir)).await.unwrap_or_default();
        let found = names.into_iter().filter_map(|id| self.client(&id).map(|client| (id, client)));
        let mut found: Vec<_> = found.collect();
        found.sort_by(|(one, _), (other, _)| one.as_str().cmp(other.as_str()));
        found
    }

    async fn find(&self, id: &SessionId) -> Option<Arc<dyn SessionControl>> {
        self.client(id)
    }
}
