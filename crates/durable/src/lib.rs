//! Files that survive a crash: whole-file replacement, an append-only log and file locks.
//!
//! The principal type is [`Files`], through which every durable write goes: a temporary file in the same folder,
//! fsync, rename, fsync of the folder. Tests hand it a [`FaultPlan`] that fails any one of these steps. [`AppendLog`]
//! keeps JSON lines with a checksum each and cuts a torn last line when it is opened; [`FileLock`] keeps two processes
//! apart and tells the loser who holds it.
//!
//! ```
//! let dir = tempfile::tempdir()?;
//! let path = dir.path().join("settings.json");
//! walkforward_durable::write_json_atomic(&path, &serde_json::json!({ "answer": 42 }))?;
//! let bytes = walkforward_durable::read_bounded(&path, 1024)?;
//! assert_eq!(bytes, b"{\n  \"answer\": 42\n}\n");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod append_log;
mod crc32;
mod error;
mod faults;
mod files;
mod lock;
mod log_reader;
mod record;
mod regular;
mod temporary;

use std::path::Path;

use serde::Serialize;

pub use append_log::{AppendLog, LogLimits, Recovery};
pub use error::{EnvironmentFault, Error, Step, environment_fault, is_environment_fault};
pub use faults::{FaultPlan, PlannedFault};
pub use files::{Files, read_bounded};
pub use lock::{FileLock, Holder};
pub use log_reader::{LogPlace, LogReader};
pub use regular::open_regular;
pub use temporary::TEMPORARY_SUFFIX;

/// Replaces `path` by `bytes`: after a crash the file holds either what it held before or all of `bytes`.
/// See [`Files::write_atomic`].
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    Files::default().write_atomic(path, bytes)
}

/// Replaces `path` by `value` as JSON, indented by two spaces, with a newline at the end.
/// See [`Files::write_json_atomic`].
pub fn write_json_atomic<T: Serialize + ?Sized>(path: &Path, value: &T) -> Result<(), Error> {
    Files::default().write_json_atomic(path, value)
}

/// Renames a folder and makes the new name durable. See [`Files::rename_dir_durable`].
pub fn rename_dir_durable(from: &Path, to: &Path) -> Result<(), Error> {
    Files::default().rename_dir_durable(from, to)
}

/// Makes the names in a folder durable. See [`Files::sync_dir`].
pub fn sync_dir(dir: &Path) -> Result<(), Error> {
    Files::default().sync_dir(dir)
}

/// Makes a folder and those above it, each name durable. See [`Files::create_dir_all_durable`].
pub fn create_dir_all_durable(dir: &Path) -> Result<(), Error> {
    Files::default().create_dir_all_durable(dir)
}

/// Removes temporary files that a killed writer left in `dir`. See [`Files::remove_stale_temporaries`].
pub fn remove_stale_temporaries(dir: &Path) -> Result<usize, Error> {
    Files::default().remove_stale_temporaries(dir)
}
