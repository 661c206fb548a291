//! The watchman's file: how far it is, and all that it has come to.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use walkforward_core::{ArmId, ModelId, SessionId};
use walkforward_durable::{Files, read_bounded};
use walkforward_engine::SessionConfig;
use walkforward_store::JournalPosition;

use super::beside::Beside;
use super::pending::Pending;
use crate::follow::FollowError;
use crate::journal::ModelStamp;
use crate::{GuardCheckpoint, LiveError, ShadowCheckpoint};

/// Name of the watchman's file in a journal's folder.
pub const WATCH_FILE: &str = "watch.json";
/// Longest file that is read.
const MAX_BYTES: u64 = 4 << 20;

/// A champion in the watch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WatchedChampion {
    /// Which model, as the journal names it.
    pub(super) stamp: ModelStamp,
    /// Its arm; none of a model that was promoted without one.
    pub(super) arm: Option<ArmId>,
    /// Whether its bundle could be loaded.
    pub(super) is_run: bool,
}

/// What stands in the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WatchState {
    pub(super) schema: u32,
    pub(super) session: SessionId,
    /// The last record that it has taken.
    pub(super) at: JournalPosition,
    /// The costs of the ledgers.
    pub(super) config: SessionConfig,
    pub(super) champion: Option<WatchedChampion>,
    /// The champion that was taken back, until another one trades.
    pub(super) taken_back: Option<ModelId>,
    pub(super) challengers: BTreeMap<ArmId, ModelId>,
    /// How each challenger has done beside whoever traded; none of them in the file of a version that did not count it.
    #[serde(default)]
    pub(super) beside: BTreeMap<ArmId, Beside>,
    /// The UTC day of the last bar, in days after 1970.
    pub(super) day: Option<i64>,
    pub(super) shadow: ShadowCheckpoint,
    pub(super) guard: Option<GuardCheckpoint>,
    pub(super) pending: Option<Pending>,
}

impl WatchState {
    pub(super) const SCHEMA: u32 = 1;
}

/// The state in `folder`; none where there is none, and why where it can't be used.
pub(super) fn read(folder: &Path) -> Result<Option<WatchState>, String> {
    let path = folder.join(WATCH_FILE);
    let refuse = |reason: String| format!("{}: {reason}", path.display());
    let bytes = match read_bounded(&path, MAX_BYTES) {
        Err(error) if error.is_not_found() => return Ok(None),
        bytes => bytes.map_err(|error| error.to_string())?,
    };
    let state: WatchState = serde_json::from_slice(&bytes).map_err(|error| refuse(error.to_string()))?;
    match state.schema {
        WatchState::SCHEMA => Ok(Some(state)),
        found => Err(refuse(format!("its version is {found}, this program knows {}", WatchState::SCHEMA))),
    }
}

/// Replaces the state in `folder`.
pub(super) fn write(files: &Files, folder: &Path, state: &WatchState) -> Result<(), FollowError> {
    let written = files.write_json_atomic(&folder.join(WATCH_FILE), state);
    written.map_err(|error| LiveError::from(error).into())
}
