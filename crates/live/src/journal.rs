//! The decision journal: everything that is needed to decide a session again.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use walkforward_core::{Action, Fill, ModelId, Order, Quantity, Symbol, Timeframe, Timestamp};
use walkforward_durable::{AppendLog, Files, LogLimits, LogReader};
use walkforward_engine::SessionConfig;

use crate::{DeployedPolicy, LiveError, SessionSummary};

/// Bounds of a journal: a record holds one observation, and a file a year of minutes.
pub const JOURNAL_LIMITS: LogLimits = LogLimits { max_record_bytes: 2 << 20, max_file_bytes: 64 << 30 };

/// Longest time that a record may wait for the disk.
const SYNC_INTERVAL: Duration = Duration::from_secs(1);

/// Which model decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelStamp {
    /// Its name.
    pub model_id: ModelId,
    /// SHA-256 of its weights file, lower-case hex.
    pub sha256: String,
    /// Its number in this session, from 1.
    pub model_version: u64,
}

impl From<&DeployedPolicy> for ModelStamp {
    fn from(deployed: &DeployedPolicy) -> Self {
        Self {
            model_id: deployed.model_id.clone(),
            sha256: deployed.sha256.clone(),
            model_version: deployed.model_version,
        }
    }
}

/// What a session was started with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionHeader {
    /// Version of the journal's records.
    pub schema: u32,
    /// When it started.
    pub started_at: Timestamp,
    /// What is traded.
    pub symbol: Symbol,
    /// Length of the bars.
    pub timeframe: Timeframe,
    /// Cash, costs and risk limits.
    pub config: SessionConfig,
    /// Bars before the session that warmed features up.
    pub warm_up_bars: u64,
    /// What happens to an open position when the model changes. Always `inherit`: the new model goes on with it.
    pub open_position_at_swap: String,
}

impl SessionHeader {
    /// The version that this code writes.
    pub const SCHEMA: u32 = 1;
    /// The one rule for an open position at a swap.
    pub const INHERIT: &str = "inherit";
}

/// One bar: who saw what, what it decided, what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BarRecord {
    /// Start of the bar.
    pub open_time: Timestamp,
    /// Whether the feed has the bar.
    pub present: bool,
    /// Close price.
    pub close: f64,
    /// The model that held the slot; none is `no_model`.
    pub model: Option<ModelStamp>,
    /// Start of the first bar that the features were computed from.
    pub first_history_bar: Option<Timestamp>,
    /// What the model saw, `[obs_dim]`; none while features warm up.
    pub observation: Option<Vec<f32>>,
    /// What it did.
    pub action: Option<Action>,
    /// The position that the action means, as a fraction of equity; none when it means to hold.
    pub target: Option<f64>,
    /// The order that follows, to be filled on the next bar.
    pub order: Option<Order>,
    /// Why there is no order or no decision although there should be one.
    pub problem: Option<String>,
    /// Fills of the previous order at this bar's open.
    pub fills: Vec<Fill>,
    /// Cash plus position at the close.
    pub equity: f64,
    /// Cash.
    pub cash: f64,
    /// Position.
    pub position: Quantity,
}

/// Something that happened to the models of a session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventRecord {
    /// The session starts without a model and stays flat until one comes.
    NoModel,
    /// From the next bar record on, this model decides.
    Swapped {
        /// The model before; none for the first.
        from: Option<ModelStamp>,
        /// The model from now on.
        to: ModelStamp,
        /// The position that it inherits.
        position: Quantity,
    },
    /// A model was not put in place; the old one goes on.
    Refused {
        /// The model, when the pointer could be read.
        model_id: Option<ModelId>,
        /// Why.
        reason: String,
    },
}

/// A record of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub enum JournalRecord {
    /// A session starts.
    Session(SessionHeader),
    /// A bar.
    Bar(Box<BarRecord>),
    /// Something else.
    Event(EventRecord),
    /// The session ends.
    End(Box<SessionSummary>),
}

/// Writes the journal: records reach the operating system at once and the disk within a second.
#[derive(Debug)]
pub struct DecisionJournal {
    log: AppendLog,
    last_sync: Duration,
    is_dirty: bool,
}

impl DecisionJournal {
    /// Opens or starts the journal at `path`. `now` is the clock's monotonic time.
    ///
    /// # Errors
    /// The file can't be opened, another process writes it, it is damaged before its end, or it is another kind of
    /// file. In each case it stays as it is.
    pub fn open(path: &Path, now: Duration) -> Result<Self, LiveError> {
        Self::open_with(Files::default(), path, now)
    }

    /// As [`open`](Self::open), with steps that `files` may fail.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with(files: Files, path: &Path, now: Duration) -> Result<Self, LiveError> {
        if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
            files.create_dir_all_durable(dir)?;
        }
        let (log, recovery) = AppendLog::open_with(files, path, JOURNAL_LIMITS)?;
        if recovery.torn_bytes > 0 {
            let (bytes, path) = (recovery.torn_bytes, path.display());
            tracing::warn!(bytes, %path, "cut a record off the journal that an earlier session left unfinished");
        }
        Ok(Self { log, last_sync: now, is_dirty: false })
    }

    /// Adds a record.
    ///
    /// # Errors
    /// The disk is full, or the record or the file passes [`JOURNAL_LIMITS`].
    pub fn append(&mut self, record: &JournalRecord) -> Result<(), LiveError> {
        self.log.append(record)?;
        self.is_dirty = true;
        Ok(())
    }

    /// Brings records to the disk when the last time was a second ago. `now` is the clock's monotonic time.
    ///
    /// # Errors
    /// The disk fails.
    pub fn sync_if_due(&mut self, now: Duration) -> Result<(), LiveError> {
        if self.is_dirty && now.saturating_sub(self.last_sync) >= SYNC_INTERVAL {
            self.sync()?;
            self.last_sync = now;
        }
        Ok(())
    }

    /// Brings records to the disk.
    ///
    /// # Errors
    /// The disk fails.
    pub fn sync(&mut self) -> Result<(), LiveError> {
        self.log.sync()?;
        self.is_dirty = false;
        Ok(())
    }
}

/// Reads a journal record by record, also while it is being written.
///
/// An unfinished last line, which a crash or a session at work leaves, ends the records; each item before it fails
/// when its line is damaged or no record.
///
/// # Errors
/// The file can't be opened or is no regular file.
pub fn read_journal(path: &Path) -> Result<JournalReader, LiveError> {
    let lines = LogReader::open(path, JOURNAL_LIMITS)?;
    Ok(JournalReader { lines, path: path.to_owned(), records: 0 })
}

/// The records of a journal, oldest first. See [`read_journal`].
pub struct JournalReader {
    lines: LogReader,
    path: PathBuf,
    records: u64,
}

impl JournalReader {
    /// Bytes of the unfinished record at the end; 0 before the end is reached and when there is none.
    pub fn torn_bytes(&self) -> u64 {
        self.lines.torn_bytes()
    }
}

impl Iterator for JournalReader {
    type Item = Result<JournalRecord, LiveError>;

    fn next(&mut self) -> Option<Self::Item> {
        let line = match self.lines.next()? {
            Ok(line) => line,
            Err(error) => return Some(Err(error.into())),
        };
        self.records += 1;
        Some(serde_json::from_slice(&line).map_err(|error| LiveError::Record {
            path: self.path.clone(),
            record: self.records,
            reason: error.to_string(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use proptest::prelude::*;
    use walkforward_durable::PlannedFault;

    fn record(observation: Vec<f32>, equity: f64) -> JournalRecord {
        JournalRecord::Bar(Box::new(BarRecord {
            open_time: Timestamp::from_millis(60_000).unwrap(),
            present: true,
            close: 1.5,
            model: Some(ModelStamp {
                model_id: "model-2024-01-01T00-00-00-000Z".parse().unwrap(),
                sha256: "ab".repeat(32),
                model_version: 3,
            }),
            first_history_bar: None,
            observation: Some(observation),
            action: Some(Action(1)),
            target: Some(1.0),
            order: None,
            problem: None,
            fills: Vec::new(),
            equity,
            cash: equity,
            position: Quantity::from_nanos(7),
        }))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn records_read_back_to_the_bit(
            observation in prop::collection::vec(prop::num::f32::NORMAL | prop::num::f32::SUBNORMAL, 0..40),
            equity in prop::num::f64::NORMAL,
        ) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("journal.jsonl");
            let written = [
                JournalRecord::Event(EventRecord::NoModel),
                record(observation, equity),
                JournalRecord::End(Box::new(SessionSummary::new(equity))),
            ];
            let mut journal = DecisionJournal::open(&path, Duration::ZERO).unwrap();
            for record in &written {
                journal.append(record).unwrap();
            }
            journal.sync().unwrap();
            let read: Vec<_> = read_journal(&path).unwrap().map(Result::unwrap).collect();
            prop_assert_eq!(&read[..], &written[..]);
        }
    }

    #[test]
    fn a_step_that_fails_loses_no_record_that_was_synced() {
        for step in 0..12 {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("journal.jsonl");
            let faults = Arc::new(PlannedFault::once(step, std::io::ErrorKind::StorageFull));
            let mut synced = 0;
            let written = (|| {
                let files = Files::with_faults(faults);
                let mut journal = DecisionJournal::open_with(files, &path, Duration::ZERO)?;
                for record in 1..=3 {
                    journal.append(&JournalRecord::Event(EventRecord::NoModel))?;
                    journal.sync()?;
                    synced = record;
                }
                Ok::<_, LiveError>(())
            })();
            let (_, recovery) = AppendLog::open(&path, JOURNAL_LIMITS).unwrap();
            assert!(recovery.records >= synced && recovery.records <= synced + 1, "step {step}");
            assert_eq!(written.is_ok(), synced == 3, "step {step}");
        }
    }

    #[test]
    fn records_reach_the_disk_within_a_second() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let mut journal = DecisionJournal::open(&path, Duration::ZERO).unwrap();
        journal.append(&JournalRecord::Event(EventRecord::NoModel)).unwrap();
        journal.sync_if_due(Duration::from_millis(999)).unwrap();
        assert!(journal.is_dirty);
        journal.sync_if_due(Duration::from_millis(1_000)).unwrap();
        assert!(!journal.is_dirty);
    }

    #[test]
    fn a_file_that_is_no_journal_is_neither_opened_nor_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bars.csv");
        let bars = "date,open,high,low,close,volume\n2024-01-01,1,1,1,1,1\n";
        std::fs::write(&path, bars).unwrap();
        let error = DecisionJournal::open(&path, Duration::ZERO).unwrap_err();
        assert_eq!(error.kind(), walkforward_core::ErrorKind::BadInput, "{error}");
        assert!(error.to_string().contains("bars.csv"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), bars);
        assert!(DecisionJournal::open(folder.path(), Duration::ZERO).is_err());
    }

    #[test]
    fn a_line_that_is_no_record_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let (mut log, _) = AppendLog::open(&path, JOURNAL_LIMITS).unwrap();
        log.append(&serde_json::json!({ "record": "other" })).unwrap();
        let error = read_journal(&path).unwrap().next().unwrap().unwrap_err().to_string();
        assert!(error.contains("record 1 is no journal record"), "{error}");
    }
}
