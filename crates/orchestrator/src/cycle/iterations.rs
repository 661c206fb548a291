//! What each iteration of a training measured, on its way into the experiment.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;
use walkforward_core::{Clock, Progress, ProgressUpdate};
use walkforward_store::IterationRecord;

use super::rows::RunRows;

/// Iterations that are written at once; fewer wait for more, or for the end.
const BATCH: usize = 64;

/// Keeps the metrics of iterations and passes everything on.
pub(super) struct IterationLog {
    rows: Arc<RunRows>,
    clock: Arc<dyn Clock>,
    waiting: Mutex<Vec<IterationRecord>>,
    next: Arc<dyn Progress>,
}

impl IterationLog {
    pub(super) fn new(rows: Arc<RunRows>, clock: Arc<dyn Clock>, next: Arc<dyn Progress>) -> Self {
        Self { rows, clock, waiting: Mutex::default(), next }
    }

    /// Writes what waits.
    pub(super) fn flush(&self) {
        let batch = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        if !batch.is_empty() {
            self.rows.append(&batch);
        }
    }
}

impl Progress for IterationLog {
    fn report(&self, update: ProgressUpdate) {
        self.next.report(update);
    }

    fn metrics(&self, iteration: u64, metrics: &BTreeMap<String, f64>) {
        self.next.metrics(iteration, metrics);
        let finite: BTreeMap<_, _> = metrics.iter().filter(|(_, value)| value.is_finite()).collect();
        let record = IterationRecord { iteration, metrics: json!(finite), timestamp: self.clock.now() };
        let is_full = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.push(record);
            waiting.len() >= BATCH
        };
        if is_full {
            self.flush();
        }
    }
}
