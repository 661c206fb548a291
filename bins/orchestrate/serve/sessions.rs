//! The traders of this machine, found by their sockets.

use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Mutex;
use walkforward_core::{SessionControl, SessionId};
use walkforward_live::{ControlClient, socket_path};
use walkforward_server::{Refusal, RefusalKind, RunningSessions, StartPaper};

use super::paper::{PaperTrader, Place};
use crate::home::Home;

/// Most sockets that are looked at.
const MAX_SOCKETS: usize = 256;

/// Sessions whose sockets lie in a data folder.
pub(super) struct SocketSessions {
    place: Place,
    /// One trader is started after another: the second one finds the first.
    starting: Mutex<()>,
}

impl SocketSessions {
    pub(super) fn new(home: &Home) -> Self {
        let line = home.settings.require("line.name").unwrap_or_else(|_| "default".to_owned());
        let (data_dir, models_dir) = (home.folders.data_dir.clone(), home.folders.models_dir.clone());
        let config = home.settings.file().map(Path::to_owned);
        Self { place: Place { data_dir, models_dir, line, config }, starting: Mutex::default() }
    }

    /// The names of the sockets on which somebody listens. It blocks.
    fn names(data_dir: &Path) -> Vec<SessionId> {
        let Ok(entries) = std::fs::read_dir(data_dir.join("live")) else { return Vec::new() };
        let names = entries.flatten().filter_map(|entry| {
            let name = entry.file_name();
            name.to_str()?.strip_suffix(".sock")?.parse().ok()
        });
        let mut names: Vec<SessionId> =
            names.take(MAX_SOCKETS).filter(|id| answers(&socket_path(data_dir, id))).collect();
        names.sort();
        names
    }

    fn client(&self, id: &SessionId) -> Arc<dyn SessionControl> {
        Arc::new(ControlClient::new(&socket_path(&self.place.data_dir, id)))
    }
}

/// Whether somebody listens on a socket: a process that was killed leaves one on which nobody does.
pub(super) fn answers(socket: &Path) -> bool {
    UnixStream::connect(socket).is_ok()
}

#[async_trait]
impl RunningSessions for SocketSessions {
    async fn list(&self) -> Vec<(SessionId, Arc<dyn SessionControl>)> {
        let data_dir = self.place.data_dir.clone();
        let names = tokio::task::spawn_blocking(move || Self::names(&data_dir)).await.unwrap_or_default();
        names.into_iter().map(|id| (id.clone(), self.client(&id))).collect()
    }

    async fn find(&self, id: &SessionId) -> Option<Arc<dyn SessionControl>> {
        let socket = socket_path(&self.place.data_dir, id);
        let is_there = tokio::task::spawn_blocking(move || answers(&socket)).await.unwrap_or(false);
        is_there.then(|| self.client(id))
    }

    async fn start(&self, wanted: StartPaper) -> Result<SessionId, Refusal> {
        let trader = PaperTrader::new(&self.place, &wanted)?;
        let Ok(_alone) = self.starting.try_lock() else {
            return Err(Refusal::new(RefusalKind::Conflict, "a trader is being started: wait until it runs"));
        };
        trader.start().await
    }
}
