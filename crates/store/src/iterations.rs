//! Iterations: what a training measured after each rollout and update, for charts.

use rusqlite::params;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use walkforward_core::Timestamp;

use crate::experiments::EXPERIMENTS;
use crate::rows::{MAX_LISTED_ROWS, count, parse, to_sql};
use crate::{ExperimentId, ExperimentStatus, Store, StoreError};

/// Iterations kept of one experiment, the newest: some megabytes.
pub const MAX_ITERATIONS: u64 = 10_000;
/// Most iterations appended at once.
pub const MAX_ITERATION_BATCH: usize = 1_000;

/// One iteration of a training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IterationRecord {
    /// Its number, as the trainer counts.
    pub iteration: u64,
    /// What was measured, an object of at most [`MAX_JSON_BYTES`](crate::MAX_JSON_BYTES).
    pub metrics: Value,
    /// When.
    pub timestamp: Timestamp,
}

impl Store {
    /// Appends iterations to a running experiment; a number that it has already is replaced, because a training that
    /// goes on from a checkpoint repeats some. Of more than [`MAX_ITERATIONS`] the oldest make room.
    ///
    /// # Errors
    /// There is no such experiment, it is not running, there are more than [`MAX_ITERATION_BATCH`], or metrics are no
    /// object or too long.
    pub fn append_iterations(
        &self,
        id: &ExperimentId,
        iterations: &[IterationRecord],
    ) -> Result<(), StoreError> {
        if iterations.len() > MAX_ITERATION_BATCH {
            let reason =
                format!("{} iterations at once: append at most {MAX_ITERATION_BATCH}", iterations.len());
            return Err(EXPERIMENTS.refuse(id.as_str(), reason));
        }
        let texts = iterations.iter().map(|one| EXPERIMENTS.object(id.as_str(), "metrics", &one.metrics));
        let texts: Vec<String> = texts.collect::<Result<_, _>>()?;
        self.database.write_checked("append iterations in", |tx| {
            let status: ExperimentStatus = EXPERIMENTS.get(tx, "status", id.as_str(), |row| parse(row, 0))?;
            if status != ExperimentStatus::Running {
                let reason = format!("it is {status}: iterations belong to a running one");
                return Err(EXPERIMENTS.refuse(id.as_str(), reason).into());
            }
            let mut insert = tx.prepare_cached(
                "INSERT OR REPLACE INTO iterations (experiment_id, iteration, metrics, timestamp) \
                 VALUES (?1, ?2, ?3, ?4)",
            )?;
            for (one, text) in iterations.iter().zip(&texts) {
                insert.execute(params![
                    id.as_str(),
                    to_sql(one.iteration),
                    text,
                    one.timestamp.to_string()
                ])?;
            }
            tx.execute(
                "DELETE FROM iterations WHERE experiment_id = ?1 AND iteration <= \
                 (SELECT max(iteration) FROM iterations WHERE experiment_id = ?1) - ?2",
                params![id.as_str(), to_sql(MAX_ITERATIONS)],
            )?;
            Ok(())
        })
    }

    /// At most `limit` iterations of an experiment after number `after`, in order; at most
    /// [`MAX_LISTED_ROWS`](crate::MAX_LISTED_ROWS).
    ///
    /// # Errors
    /// There is no such experiment.
    pub fn iterations(
        &self,
        id: &ExperimentId,
        after: Option<u64>,
        limit: u32,
    ) -> Result<Vec<IterationRecord>, StoreError> {
        self.database.read_checked(|db| {
            EXPERIMENTS.require(db, id.as_str())?;
            let mut query = db.prepare_cached(
                "SELECT iteration, metrics, timestamp FROM iterations \
                 WHERE experiment_id = ?1 AND iteration > ?2 ORDER BY iteration LIMIT ?3",
            )?;
            let after = after.map_or(-1, to_sql);
            let rows = query.query_map(params![id.as_str(), after, limit.min(MAX_LISTED_ROWS)], |row| {
                Ok(IterationRecord {
                    iteration: count(row, 0)?,
                    metrics: parse(row, 1)?,
                    timestamp: parse(row, 2)?,
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }
}
