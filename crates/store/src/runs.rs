//! Runs: their names, their record, and the lock that lets one go on at a time.

use rusqlite::{OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};
use walkforward_core::{LineName, ModelId, RunId, Timestamp};
use walkforward_durable::{Error, FileLock};

use crate::locks::held_by;
use crate::rows::{parse, parse_optional};
use crate::words::words;
use crate::{ModelRecord, ModelStatus, Store, StoreError};

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

words!(RunOutcome, "run outcome", {
    Promoted => "promoted", Rejected => "rejected", Inconclusive => "inconclusive", Held => "held",
    Skipped => "skipped", Failed => "failed", Cancelled => "cancelled", Interrupted => "interrupted",
});

impl RunOutcome {
    /// How the run of a model ended, as far as the model's record tells: none before it was judged, and for one that
    /// should have been promoted and was not. What was decided later about a held one does not change its run.
    pub fn of_model(record: &ModelRecord) -> Option<Self> {
        if record.promotion_gate.as_ref().is_some_and(|gate| gate.held) {
            return Some(Self::Held);
        }
        match record.status {
            ModelStatus::Promoted => Some(Self::Promoted),
            ModelStatus::Rejected => Some(Self::Rejected),
            ModelStatus::Inconclusive => Some(Self::Inconclusive),
            ModelStatus::Trained | ModelStatus::Evaluated => None,
        }
    }

    /// Whether the run's model was judged, and the run went on to its end.
    pub fn is_verdict(self) -> bool {
        matches!(self, Self::Promoted | Self::Rejected | Self::Inconclusive | Self::Held)
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
    /// How it ended; none while it goes on.
    pub outcome: Option<RunOutcome>,
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
                 OR EXISTS (SELECT 1 FROM promotions WHERE to_model = ?2) \
                 OR EXISTS (SELECT 1 FROM replay_cycles WHERE run = ?1)",
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

    /// Records that a run goes on that a killed process left: it has no end again. One that never began begins.
    ///
    /// # Errors
    /// The run is another line's.
    pub fn begin_run_again(&self, id: &RunId, line: &LineName) -> Result<(), StoreError> {
        let now = self.now().to_string();
        let changed = self.database.write("record that a run goes on in", |tx| {
            tx.execute(
                "INSERT INTO runs (id, line, started_at) VALUES (?1, ?2, ?3) ON CONFLICT (id) DO UPDATE \
                 SET finished_at = NULL, outcome = NULL, reason = NULL WHERE line = excluded.line",
                params![id.as_str(), line.as_str(), now],
            )
        })?;
        if changed == 0 { Err(StoreError::RunExists(id.clone())) } else { Ok(()) }
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

    /// At most `limit` runs that have no end, oldest first.
    pub(crate) fn open_runs(&self, limit: u32) -> Result<Vec<RunId>, StoreError> {
        self.database.read(|db| {
            db.prepare_cached("SELECT id FROM runs WHERE finished_at IS NULL ORDER BY id LIMIT ?1")?
                .query_map([limit], |row| parse(row, 0))?
                .collect()
        })
    }

    /// Takes the right to run in this data folder. What its last holder left unfinished is recovered first, because that
    /// one may have died after this store was opened. Somebody else having it is [`StoreError::RunLockHeld`], with the
    /// process and for how long.
    pub fn run_lock(&self) -> Result<RunLock, StoreError> {
        // A store that is just being opened tries this lock too; it must not look like a run.
        let recovery = self.store_lock()?;
        let lock = self.try_run_lock()?;
        if self.has_dead_work()? {
            self.recover_idle(&recovery, &lock)?;
        }
        Ok(lock)
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
        outcome: parse_optional(row, 4)?,
        reason: row.get(5)?,
    })
}
