//! When a line's champion was last confirmed: a small file beside its pointer, for traders that do not open the database.
//!
//! A cycle that measured the champion and kept it, or that made it, confirms it. The file names the pointer that it is
//! about, so that one which a crash left behind says nothing about the champion that came after.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use walkforward_core::{LineName, ModelId, RunId, Timestamp};
use walkforward_durable::read_bounded;

use crate::models::read_record;
use crate::pointer::parse_pointer;
use crate::{Pointer, Store, StoreError, pointer_path};

/// The file's name.
const CONFIRMATION_FILE: &str = "confirmed.json";
/// Longest file, bytes.
const MAX_BYTES: u64 = 64 << 10;

/// The confirmation of `line` in `models_dir`: `confirmed.json`, in the folder of the line's pointer.
pub fn confirmation_path(models_dir: &Path, line: &LineName) -> PathBuf {
    pointer_path(models_dir, line).with_file_name(CONFIRMATION_FILE)
}

/// What the file says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Confirmed {
    line: LineName,
    model_id: ModelId,
    /// The pointer's.
    sequence: u64,
    confirmed_at: Timestamp,
    run_id: RunId,
}

impl Confirmed {
    fn is_about(&self, pointer: &Pointer) -> bool {
        let about = (&self.line, &self.model_id, self.sequence);
        about == (&pointer.line, &pointer.model_id, pointer.sequence)
    }
}

/// How fresh a line's champion is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirmation {
    /// The champion.
    pub model_id: ModelId,
    /// When it became champion: by a verdict, by a person or by a rollback.
    pub promoted_at: Timestamp,
    /// When a cycle last measured it and kept it, or promoted it; none since its promotion.
    pub confirmed_at: Option<Timestamp>,
    /// Close of the last bar that it was trained on.
    pub trained_until: Timestamp,
}

impl Confirmation {
    /// From when on its confirmation age counts.
    pub fn since(&self) -> Timestamp {
        self.confirmed_at.map_or(self.promoted_at, |at| at.max(self.promoted_at))
    }
}

/// Reads how fresh a line's champion is, without the database. It reads three small files: away from the bar loop.
#[derive(Debug, Clone)]
pub struct ConfirmationReader {
    models_dir: PathBuf,
    line: LineName,
}

impl ConfirmationReader {
    /// A reader for `line` in `models_dir`.
    pub fn new(models_dir: impl Into<PathBuf>, line: LineName) -> Self {
        Self { models_dir: models_dir.into(), line }
    }

    /// How fresh the champion is; none when the line has no champion.
    ///
    /// # Errors
    /// A file is damaged or can't be read, or the champion's record is gone.
    pub fn read(&self) -> Result<Option<Confirmation>, StoreError> {
        let Some(pointer) = parse_pointer(&self.models_dir, &self.line)? else { return Ok(None) };
        let confirmed = read_confirmed(&self.models_dir, &self.line)?.filter(|it| it.is_about(&pointer));
        let record = read_record(&self.models_dir, &pointer.model_id)?;
        Ok(Some(Confirmation {
            confirmed_at: confirmed.map(|confirmed| confirmed.confirmed_at),
            promoted_at: pointer.promoted_at,
            trained_until: record.trained_until,
            model_id: pointer.model_id,
        }))
    }
}

impl ConfirmationReader {
    /// The champion and when it was promoted, by the pointer alone; none when the line has no champion.
    ///
    /// # Errors
    /// The pointer is damaged or can't be read.
    pub fn promoted(&self) -> Result<Option<(ModelId, Timestamp)>, StoreError> {
        let pointer = parse_pointer(&self.models_dir, &self.line)?;
        Ok(pointer.map(|pointer| (pointer.model_id, pointer.promoted_at)))
    }
}

impl Store {
    /// Records that `run` has measured `champion` and kept it, or promoted it. Tells whether that is on disk now: not when
    /// another model is champion by now, or a later confirmation is known.
    ///
    /// # Errors
    /// The pointer can't be trusted, or a disk fails.
    pub fn confirm_champion(
        &self,
        line: &LineName,
        champion: &ModelId,
        run: &RunId,
    ) -> Result<bool, StoreError> {
        let _line = self.line_lock(line)?;
        let Some(pointer) = parse_pointer(self.models_dir(), line)? else { return Ok(false) };
        if pointer.model_id != *champion {
            return Ok(false);
        }
        let confirmed = Confirmed {
            line: line.clone(),
            model_id: pointer.model_id.clone(),
            sequence: pointer.sequence,
            confirmed_at: self.now(),
            run_id: run.clone(),
        };
        // One that is damaged is replaced.
        let known = read_confirmed(self.models_dir(), line).ok().flatten();
        let is_later =
            |known: &Confirmed| known.is_about(&pointer) && known.confirmed_at > confirmed.confirmed_at;
        if known.as_ref().is_some_and(is_later) {
            return Ok(false);
        }
        self.files.write_json_atomic(&confirmation_path(self.models_dir(), line), &confirmed)?;
        Ok(true)
    }
}

fn read_confirmed(models_dir: &Path, line: &LineName) -> Result<Option<Confirmed>, StoreError> {
    let path = confirmation_path(models_dir, line);
    let bytes = match read_bounded(&path, MAX_BYTES) {
        Err(error) if error.is_not_found() => return Ok(None),
        bytes => bytes?,
    };
    let confirmed = serde_json::from_slice(&bytes);
    let damaged = |error| StoreError::bad_model(&path, format!("it is cut off or no confirmation ({error})"));
    confirmed.map(Some).map_err(damaged)
}
