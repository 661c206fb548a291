//! Taking notices, keeping them, and sending them.

mod file;
mod lane;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use walkforward_core::{Clock, Timestamp};

use crate::{Notice, Outbox, Rules, Sink, SinkFailure};

use lane::Lane;

/// Batches that wait to be taken.
const MAX_BATCHES: usize = 16;
/// Longest that one attempt may take, whatever a sink does.
const MAX_ATTEMPT: Duration = Duration::from_secs(60);
/// Between two looks at the rules where nothing happens, so that a clock that was set does no harm.
const LOOK: Duration = Duration::from_secs(60);

/// How long a sink that fails is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// After the first failure; twice as long after each that follows.
    pub first: Duration,
    /// At most, where the other side does not ask for more.
    pub longest: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { first: Duration::from_secs(2), longest: Duration::from_secs(600) }
    }
}

/// What a service works with.
pub struct NotifyOptions {
    /// What is sent, and when.
    pub rules: Rules,
    /// Where to; each with a name of its own.
    pub sinks: Vec<Arc<dyn Sink>>,
    /// The file in which the outbox is kept; its folder is there.
    pub file: PathBuf,
    /// How long a sink that fails is left alone.
    pub patience: Patience,
}

/// Notices, and up to where whoever made them has come with them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Batch {
    /// The notices, in order.
    pub notices: Vec<Notice>,
    /// The new cursor, if it is another one.
    pub cursor: Option<Value>,
}

/// The service has ended and takes nothing any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("notices are not sent any more")]
pub struct Gone;

/// Hands notices to a service. Clones hand them to the same one.
#[derive(Debug, Clone)]
pub struct Notifier {
    batches: mpsc::Sender<Batch>,
}

impl Notifier {
    /// Hands `batch` over. Waits while the service writes others down, never for a sink.
    ///
    /// # Errors
    /// The service has ended.
    pub async fn offer(&self, batch: Batch) -> Result<(), Gone> {
        self.batches.send(batch).await.map_err(|_| Gone)
    }

    /// As [`offer`](Self::offer), from a thread that may block.
    ///
    /// # Errors
    /// The service has ended.
    pub fn offer_blocking(&self, batch: Batch) -> Result<(), Gone> {
        self.batches.blocking_send(batch).map_err(|_| Gone)
    }
}

/// What became of an attempt: which sink, which notice, how.
type Attempt = (usize, u64, Result<(), SinkFailure>);

/// Sends notices until all its [`Notifier`]s are dropped.
pub struct NotifyService {
    rules: Rules,
    names: Vec<String>,
    lanes: Vec<Lane>,
    clock: Arc<dyn Clock>,
    outbox: Outbox,
    file: file::OutboxFile,
    patience: Patience,
    batches: mpsc::Receiver<Batch>,
    attempts: JoinSet<Attempt>,
    has_ended: bool,
}

impl NotifyService {
    /// Reads what is left from before, and gives the service with its notifier. A file that can't be read is said in the
    /// log and begun anew: what it held is not sent, and the cursor is none. It blocks.
    pub fn open(options: NotifyOptions, clock: Arc<dyn Clock>) -> (Self, Notifier) {
        let NotifyOptions { rules, sinks, file, patience } = options;
        let (sender, batches) = mpsc::channel(MAX_BATCHES);
        let (file, outbox) = file::OutboxFile::open(file);
        let names = sinks.iter().map(|sink| sink.name().to_owned()).collect();
        let lanes = sinks.into_iter().map(Lane::new).collect();
        let attempts = JoinSet::new();
        let service =
            Self { rules, names, lanes, clock, outbox, file, patience, batches, attempts, has_ended: false };
        (service, Notifier { batches: sender })
    }

    /// Up to where whoever made the notices had come; none at first.
    pub fn cursor(&self) -> Option<&Value> {
        self.outbox.cursor()
    }

    /// Sends until all notifiers are dropped and every sink that works has what it should. What others have not taken, or
    /// what is held back, stays in the file. Dropping the future is safe at any time.
    pub async fn run(mut self) {
        loop {
            self.settle().await;
            if self.has_ended && self.attempts.is_empty() {
                return;
            }
            let wake = self.wakes_at();
            tokio::select! {
                biased;
                Some(ended) = self.attempts.join_next() => {
                    if let Ok(attempt) = ended {
                        self.note(attempt);
                    }
                }
                batch = self.batches.recv(), if !self.has_ended => match batch {
                    Some(batch) => self.take(batch),
                    None => self.has_ended = true,
                },
                () = self.clock.sleep_until(wake) => {}
            }
        }
    }

    /// Applies the rules, writes down what has changed, and only then begins attempts.
    async fn settle(&mut self) {
        let before = self.outbox.waiting();
        let given_up = self.outbox.settle(self.clock.now(), &self.rules, &self.names);
        if given_up > 0 {
            tracing::error!(given_up, before, "notices could not be sent for a day and are given up");
        }
        self.file.keep(&self.outbox).await;
        let now = self.clock.monotonic();
        for (place, lane) in self.lanes.iter_mut().enumerate().filter(|(_, lane)| lane.is_free(now)) {
            let Some((number, notice)) = self.outbox.next_for(lane.name()) else { continue };
            let (sink, notice) = (lane.begin(), notice.clone());
            self.attempts.spawn(async move {
                let attempt = tokio::time::timeout(MAX_ATTEMPT, sink.deliver(&notice)).await;
                (place, number, attempt.unwrap_or_else(|_| Err(lane::too_slow(MAX_ATTEMPT))))
            });
        }
    }

    fn take(&mut self, batch: Batch) {
        let now = self.clock.now();
        for notice in batch.notices {
            self.outbox.take(notice, now, &self.rules, &self.names);
        }
        if let Some(cursor) = batch.cursor {
            self.outbox.set_cursor(cursor);
        }
    }

    fn note(&mut self, (place, number, result): Attempt) {
        let Some(lane) = self.lanes.get_mut(place) else { return };
        if lane.ended(&result, self.clock.monotonic(), self.patience) {
            self.outbox.delivered(number, lane.name());
        }
    }

    /// When something is to be done without anybody asking.
    fn wakes_at(&self) -> Timestamp {
        let (now, monotonic) = (self.clock.now(), self.clock.monotonic());
        let plus = |time: Duration| now.plus_millis(i64::try_from(time.as_millis()).unwrap_or(i64::MAX) + 1);
        let waiting = self.lanes.iter().filter(|lane| self.outbox.next_for(lane.name()).is_some());
        let lanes = waiting.filter_map(|lane| lane.free_in(monotonic)).map(plus);
        lanes.chain(self.outbox.wakes_at(now, &self.rules)).fold(plus(LOOK), Timestamp::min)
    }
}
