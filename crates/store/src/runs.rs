//! Runs: their names, their record, and the lock that lets one go on at a time.

use rusqlite::{OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};
use walkforward_core::{LineName, ModelId, RunId, Timestamp};
use walkforward_durable::{Error, FileLock};

use crate::locks::held_by;
use crate::rows::{parse, parse_optional};
use crate::{Store, StoreError};

/// How many milliseconds after the present a free run id is looked for.
const MAX_RUN_ID_TRIES: u32 = 10_000;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunOutcome {
    /// Its model became the champion.
    Promoted,
    /// The gate said no.
    Rejected,
    /// The evidence did not say.
    Inconclusive,
    /// The gate said yes, and somebody has to approve.
    Held,
    /// It did not start.
    Skipped,
    /// A stage failed.
    Failed,
    /// It was asked to stop.
    Cancelled,
    /// Its process ended without a word.
    Interrupted,
}

impl RunOutcome {
    /// The word in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Promoted => "promoted",
            Self::Rejected => "rejected",
            Self::Inconclusive => "inconclusive",
            Self::Held => "held",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
        }
    }
}

/// A run in the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRow {
    /// Its name.
    pub id: RunId,
    /// Its line.
    pub line: LineName,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended; none while it goes on.
    pub finished_at: Option<Timestamp>,
    /// How it ended, one of the words of [`RunOutcome`].
    pub outcome: Option<String>,
    /// Why.
    pub reason: Option<String>,
}

/// The right to run in a data folder, held until it is dropped or the process ends.
#[derive(Debug)]
pub struct RunLock {
    _lock: FileLock,
}

impl Store {
    /// The id of a run that starts now: the time, or the first millisecond after it that no run, model or ETL file
    /// has. The id is taken by [`begin_run`](Self::begin_run), so the caller holds the run lock in between.
    pub fn allocate_run_id(&self) -> Result<RunId, StoreError> {
        let now = self.now();
        for offset_ms in 0..MAX_RUN_ID_TRIES {
            let id = RunId::at(now.plus_millis(i64::from(offset_ms)));
            if !self.is_run_id_taken(&id)? {
                return Ok(id);
            }
        }
        Err(StoreError::NoFreeRunId { from: RunId::at(now), tried: MAX_RUN_ID_TRIES })
    }

    fn is_run_id_taken(&self, id: &RunId) -> Result<bool, StoreError> {
        let model = ModelId::of_run(id);
        let model_dir = self.layout.model_dir(&model);
        if model_dir.symlink_metadata().is_ok() || self.layout.etl(id).symlink_metadata().is_ok() {
            return Ok(true);
        }
        // A model whose folder somebody removed keeps its name, or a pointer to it would come to mean another.
        self.database.read(|db| {
            db.query_row(
                "SELECT EXISTS (SELECT 1 FROM runs WHERE id = ?1) OR EXISTS (SELECT 1 FROM models WHERE id = ?2) \
                 OR EXISTS (SELECT 1 FROM promotions WHERE to_model = ?2)",
                [id.as_str(), model.as_str()],
                |row| row.get(0),
            )
        })
    }

    /// Records that a run has begun.
    pub fn begin_run(&self, id: &RunId, line: &LineName) -> Result<(), StoreError> {
        let now = self.now().to_string();
        let added = self.database.write("record the start of a run in", |tx| {
            tx.execute(
                "INSERT INTO runs (id, line, started_at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
                params![id.as_str(), line.as_str(), now],
            )
        })?;
        if added == 0 { Err(StoreError::RunExists(id.clone())) } else { Ok(()) }
    }

    /// Records how a run has ended. A run ends once.
    pub fn finish_run(
        &self,
        id: &RunId,
        outcome: RunOutcome,
        reason: Option<&str>,
    ) -> Result<(), StoreError> {
        let now = self.now().to_string();
        let changed = self.database.write("record the end of a run in", |tx| {
            tx.execute(
                "UPDATE runs SET finished_at = ?2, outcome = ?3, reason = ?4 WHERE id = ?1 AND finished_at IS NULL",
                params![id.as_str(), now, outcome.as_str(), reason],
            )
        })?;
        if changed == 0 { Err(StoreError::NoOpenRun(id.clone())) } else { Ok(()) }
    }

    /// One run.
    pub fn run(&self, id: &RunId) -> Result<Option<RunRow>, StoreError> {
        self.database.read(|db| {
            db.query_row(&format!("{SELECT_RUN} WHERE id = ?1"), [id.as_str()], run_row).optional()
        })
    }

    /// The newest `limit` runs, newest first.
    pub fn runs(&self, limit: u32) -> Result<Vec<RunRow>, StoreError> {
        self.database.read(|db| {
            let mut query = db.prepare(&format!("{SELECT_RUN} ORDER BY id DESC LIMIT ?1"))?;
            query.query_map([limit], run_row)?.collect()
        })
    }

    /// Closes the runs that have no end, because their process is gone. The caller holds the run lock.
    pub(crate) fn interrupt_open_runs(&self) -> Result<usize, StoreError> {
        let now = self.now().to_string();
        let open: i64 = self.database.read(|db| {
            db.query_row("SELECT count(*) FROM runs WHERE finished_at IS NULL", [], |row| row.get(0))
        })?;
        if open == 0 {
            return Ok(0);
        }
        self.database.write("close interrupted runs in", |tx| {
            tx.execute(
                "UPDATE runs SET finished_at = ?1, outcome = ?2, reason = 'the process ended without a word' \
                 WHERE finished_at IS NULL",
                params![now, RunOutcome::Interrupted.as_str()],
            )
        })
    }

    /// Takes the right to run in this data folder. Somebody else having it is
    /// [`StoreError::RunLockHeld`], with the process and for how long.
    pub fn run_lock(&self) -> Result<RunLock, StoreError> {
        // A store that is just being opened tries this lock too; it must not look like a run.
        let _recovery = self.store_lock()?;
        self.try_run_lock()
    }

    pub(crate) fn try_run_lock(&self) -> Result<RunLock, StoreError> {
        let now = self.now();
        match FileLock::try_exclusive(&self.layout.run_lock(), now.as_millis()) {
            Ok(lock) => Ok(RunLock { _lock: lock }),
            Err(Error::Held { holder, .. }) => Err(StoreError::RunLockHeld(held_by(holder, now))),
            Err(error) => Err(error.into()),
        }
    }
}

const SELECT_RUN: &str = "SELECT id, line, started_at, finished_at, outcome, reason FROM runs";

fn run_row(row: &Row<'_>) -> rusqlite::Result<RunRow> {
    Ok(RunRow {
        id: parse(row, 0)?,
        line: parse(row, 1)?,
        started_at: parse(row, 2)?,
        finished_at: parse_optional(row, 3)?,
        outcome: row.get(4)?,
        reason: row.get(5)?,
    })
}
