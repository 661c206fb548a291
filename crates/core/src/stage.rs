//! What every stage of a cycle is handed, and how it fails.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Clock;

/// A stage of a cycle, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Bars in, dataset out.
    Etl,
    /// Dataset in, model out.
    Train,
    /// Model in, report out.
    Evaluate,
    /// Reports in, verdict out, pointer moved.
    Promote,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Etl => "etl",
            Self::Train => "train",
            Self::Evaluate => "evaluate",
            Self::Promote => "promote",
        })
    }
}

/// What the one who runs a stage has to know about its failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// It may work next time: disk full, network gone, database locked.
    Retry,
    /// It can't work with this input: the text says what is wrong with it.
    BadInput,
    /// It was asked to stop.
    Cancelled,
    /// It should not have happened.
    Bug,
}

/// A stage that failed.
#[derive(Debug, thiserror::Error)]
#[error("{stage}: {source}")]
pub struct StageError {
    /// Which.
    pub stage: Stage,
    /// What to do about it.
    pub kind: ErrorKind,
    /// What went wrong.
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

impl StageError {
    /// A failure of `stage`.
    pub fn new(
        stage: Stage,
        kind: ErrorKind,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { stage, kind, source: source.into() }
    }

    /// `stage` was asked to stop.
    pub fn cancelled(stage: Stage) -> Self {
        Self::new(stage, ErrorKind::Cancelled, "cancelled")
    }
}

/// A flag that asks long work to stop. Clones share the flag.
#[derive(Debug, Clone, Default)]
pub struct CancelToken(Arc<AtomicBool>);

impl CancelToken {
    /// Asks to stop.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether somebody asked to stop.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// An error of kind `Cancelled` once somebody asked `stage` to stop.
    pub fn check(&self, stage: Stage) -> Result<(), StageError> {
        if self.is_cancelled() { Err(StageError::cancelled(stage)) } else { Ok(()) }
    }
}

/// How far a stage is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProgressUpdate {
    /// Which stage.
    pub stage: Stage,
    /// Units of work done.
    pub done: u64,
    /// Units of work in all; 0 while unknown.
    pub total: u64,
    /// A few words for a person.
    pub message: String,
    /// How long the rest should take, in seconds; none while unknown.
    #[serde(default)]
    pub eta_seconds: Option<f64>,
}

/// When work began and how much of it was done by then, as after a resume: tells how long the rest should take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    started: Duration,
    done_before: u64,
}

impl Pace {
    /// Seconds that the rest of `total` takes at the mean speed so far; none before anything was done.
    fn eta_seconds(&self, now: Duration, done: u64, total: u64) -> Option<f64> {
        let finished = done.checked_sub(self.done_before).filter(|&count| count > 0)?;
        let elapsed = now.saturating_sub(self.started).as_secs_f64();
        Some(elapsed / finished as f64 * total.saturating_sub(done) as f64)
    }
}

/// Who wants to know how far a stage is. Reporting never blocks or fails.
pub trait Progress: Send + Sync {
    /// Takes an update.
    fn report(&self, update: ProgressUpdate);

    /// Takes what an iteration of a training measured, under the names of
    /// [`TrainingOutcome::metrics`](crate::TrainingOutcome). Iterations count from 1. By default nobody wants to know.
    fn metrics(&self, _iteration: u64, _metrics: &BTreeMap<String, f64>) {}
}

/// Nobody wants to know.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoProgress;

impl Progress for NoProgress {
    fn report(&self, _update: ProgressUpdate) {}
}

/// What every stage is handed.
#[derive(Clone)]
pub struct StageContext {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Who wants to know how far it is.
    pub progress: Arc<dyn Progress>,
    /// The flag that asks it to stop.
    pub cancel: CancelToken,
    /// A folder of its own for files that nobody else needs.
    pub work_dir: PathBuf,
}

impl StageContext {
    /// Reports that `stage` has done `done` of `total`.
    pub fn report(&self, stage: Stage, done: u64, total: u64, message: impl Into<String>) {
        let message = message.into();
        self.progress.report(ProgressUpdate { stage, done, total, message, eta_seconds: None });
    }

    /// Work begins now, `done_before` of it already done.
    pub fn pace(&self, done_before: u64) -> Pace {
        Pace { started: self.clock.monotonic(), done_before }
    }

    /// Like [`report`](Self::report), with the time that the rest should take at `pace`.
    pub fn report_at(&self, pace: Pace, stage: Stage, done: u64, total: u64, message: impl Into<String>) {
        let eta_seconds = pace.eta_seconds(self.clock.monotonic(), done, total);
        let message = message.into();
        self.progress.report(ProgressUpdate { stage, done, total, message, eta_seconds });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_takes_as_long_as_the_work_since_the_start_says() {
        let pace = Pace { started: Duration::from_secs(10), done_before: 2 };
        assert_eq!(pace.eta_seconds(Duration::from_secs(16), 5, 11), Some(12.0));
        assert_eq!(pace.eta_seconds(Duration::from_secs(16), 2, 11), None);
        assert_eq!(pace.eta_seconds(Duration::from_secs(16), 11, 11), Some(0.0));
    }
}
