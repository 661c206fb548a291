//! The worker's side of the pipe.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use walkforward_core::{CancelToken, Clock, Progress, ProgressUpdate};

use crate::protocol::{MAX_LINE_BYTES, Message, MetricsMessage, measured};

/// Least time between two lines of progress; the last one of a stage always goes out.
const PROGRESS_PAUSE: Duration = Duration::from_millis(100);
/// Longest text in a line, so that the line stays within its bound however its characters are escaped.
const MAX_TEXT_BYTES: usize = MAX_LINE_BYTES / 8;

/// Says messages to whoever started this process.
pub(crate) struct Speaker {
    clock: Arc<dyn Clock>,
    cancel: CancelToken,
    said: Mutex<Option<Duration>>,
}

impl Speaker {
    /// A speaker that asks the work to stop when nobody listens any more.
    pub(crate) fn new(clock: Arc<dyn Clock>, cancel: CancelToken) -> Self {
        Self { clock, cancel, said: Mutex::new(None) }
    }

    /// Says `message`. False when nobody listens.
    pub(crate) fn say(&self, message: &Message) -> bool {
        let line = serde_json::to_vec(message).map(|mut line| {
            line.push(b'\n');
            line
        });
        let mut stdout = std::io::stdout().lock();
        let said = line.map_err(std::io::Error::other).and_then(|line| {
            stdout.write_all(&line)?;
            stdout.flush()
        });
        if said.is_err() {
            self.cancel.cancel();
        }
        said.is_ok()
    }

    /// Whether it is time for another line of progress.
    fn is_time(&self) -> bool {
        let now = self.clock.monotonic();
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let is_time = said.is_none_or(|said| now.saturating_sub(said) >= PROGRESS_PAUSE);
        if is_time {
            *said = Some(now);
        }
        is_time
    }
}

/// The beginning of `text` that fits a line.
pub(crate) fn shortened(mut text: String) -> String {
    if text.len() > MAX_TEXT_BYTES {
        text.truncate(text.floor_char_boundary(MAX_TEXT_BYTES));
    }
    text
}

impl Progress for Speaker {
    fn report(&self, mut update: ProgressUpdate) {
        let is_last = update.total > 0 && update.done >= update.total;
        if self.is_time() || is_last {
            update.message = shortened(update.message);
            self.say(&Message::Progress(update.into()));
        }
    }

    fn metrics(&self, iteration: u64, metrics: &BTreeMap<String, f64>) {
        self.say(&Message::Metrics(MetricsMessage { iteration, metrics: measured(metrics) }));
    }
}
