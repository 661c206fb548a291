//! The outbox on the disk.

use std::path::PathBuf;

use walkforward_durable::{read_bounded, write_json_atomic};

use crate::Outbox;

/// Largest file that is read: more than the most notices with the longest texts.
const MAX_BYTES: u64 = 16 << 20;

pub(super) struct OutboxFile {
    path: PathBuf,
    /// What is on the disk.
    kept: Outbox,
    /// Whether the log has it that it can't be written.
    has_told: bool,
}

impl OutboxFile {
    /// The file with what it holds; nothing where there is none.
    pub(super) fn open(path: PathBuf) -> (Self, Outbox) {
        let outbox = match read_bounded(&path, MAX_BYTES) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| error.to_string()),
            Err(error) if error.is_not_found() => Ok(Outbox::default()),
            Err(error) => Err(error.to_string()),
        };
        let outbox: Outbox = outbox.unwrap_or_else(|error| {
            tracing::error!(
                "notices that wait in '{}' can't be read and are not sent: {error}; it begins anew",
                path.display()
            );
            Outbox::default()
        });
        (Self { path, kept: outbox.clone(), has_told: false }, outbox)
    }

    /// Writes `outbox` where it has changed. A disk that takes nothing holds up no notice: those that are sent then may be
    /// sent again after a restart.
    pub(super) async fn keep(&mut self, outbox: &Outbox) {
        if *outbox == self.kept {
            return;
        }
        let (path, changed) = (self.path.clone(), outbox.clone());
        let written = tokio::task::spawn_blocking(move || {
            let written = write_json_atomic(&path, &changed).map_err(|error| error.to_string());
            (changed, written)
        });
        let error = match written.await {
            Ok((changed, Ok(()))) => {
                (self.kept, self.has_told) = (changed, false);
                return;
            }
            Ok((_, Err(error))) => error,
            Err(error) => error.to_string(),
        };
        if !std::mem::replace(&mut self.has_told, true) {
            tracing::error!("what waits to be sent can't be kept in '{}': {error}", self.path.display());
        }
    }
}
