//! What is done, kept over restarts. Without it everything is found again on the server; it saves the questions.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use walkforward_core::LineName;
use walkforward_durable::{Files, read_bounded};

use crate::{MlflowError, TrackingServer};

/// Name of the file.
const FILE: &str = "mlflow.json";
/// Longest file that is read, bytes.
const MAX_FILE_BYTES: u64 = 4 << 20;
const SCHEMA: u32 = 1;

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Content {
    schema: u32,
    server: String,
    prefix: String,
    /// Trainings and models of which the server has all that there will be.
    done: BTreeSet<String>,
    /// The number of the last change of champion of each line that the alias shows.
    champions: BTreeMap<LineName, u64>,
}

/// What is done.
pub(crate) struct Cursor {
    path: PathBuf,
    content: Content,
}

impl Cursor {
    /// What the file in `folder` says of `server`; nothing where it is another server's, or can't be read.
    pub(crate) fn open(folder: &Path, server: &TrackingServer) -> Self {
        let path = folder.join(FILE);
        let fresh = Content {
            schema: SCHEMA,
            server: server.to_string(),
            prefix: server.prefix.clone(),
            ..Content::default()
        };
        let read = read_bounded(&path, MAX_FILE_BYTES).ok();
        let known: Option<Content> = read.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let is_ours = |it: &Content| {
            (it.schema, &it.server, &it.prefix) == (fresh.schema, &fresh.server, &fresh.prefix)
        };
        let content = known.filter(is_ours).unwrap_or(fresh);
        Self { path, content }
    }

    pub(crate) fn is_done(&self, id: &str) -> bool {
        self.content.done.contains(id)
    }

    /// Keeps that `id` is done.
    pub(crate) fn note_done(&mut self, id: &str) -> Result<(), MlflowError> {
        if self.content.done.insert(id.to_owned()) { self.save() } else { Ok(()) }
    }

    /// Forgets what is not looked at any more.
    pub(crate) fn keep(&mut self, is_listed: impl Fn(&str) -> bool) {
        self.content.done.retain(|id| is_listed(id));
    }

    pub(crate) fn champion(&self, line: &LineName) -> Option<u64> {
        self.content.champions.get(line).copied()
    }

    /// Keeps that the alias of `line` shows the change with this number.
    pub(crate) fn note_champion(&mut self, line: &LineName, sequence: u64) -> Result<(), MlflowError> {
        self.content.champions.insert(line.clone(), sequence);
        self.save()
    }

    fn save(&self) -> Result<(), MlflowError> {
        let text = serde_json::to_vec(&self.content).unwrap_or_default();
        Ok(Files::default().write_atomic(&self.path, &text)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Credentials;

    #[test]
    fn what_is_done_outlasts_a_restart_and_is_another_server_s_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let of = |uri| TrackingServer::new(uri, "w", Credentials::None).unwrap();
        let (server, line) = (of("http://one"), LineName::default());
        let mut cursor = Cursor::open(folder.path(), &server);
        assert!(!cursor.is_done("a"));
        cursor.note_done("a").unwrap();
        cursor.note_champion(&line, 7).unwrap();
        let again = Cursor::open(folder.path(), &server);
        assert!(again.is_done("a") && again.champion(&line) == Some(7));
        assert!(!Cursor::open(folder.path(), &of("http://two")).is_done("a"));
        std::fs::write(folder.path().join(FILE), "{").unwrap();
        assert!(!Cursor::open(folder.path(), &server).is_done("a"));
    }
}
