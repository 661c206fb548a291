//! The memory of walkforward: models on disk, the pointer that says which one trades, and the record of how it came
//! to that, in SQLite.
//!
//! The principal type is [`Store`]. The models folder is the truth about models and champions; the database keeps the
//! history and is brought in line with the folder when the store is opened, which is also how a crash is recovered
//! from. A champion changes in [`Store::promote`] alone. What continuous training needs is kept beside it: packs and
//! dataset configurations, experiments with their iterations, schedules and their cycles; the state of a schedule
//! changes in [`Store::commit_schedule_changes`] alone, one transaction a step. [`Store::prune`] takes the
//! weights of old models away, [`Store::backup`] and [`restore`] carry everything elsewhere. [`PointerReader`] is for those
//! who only want to know which model trades; it does not touch the database.
//!
//! ```
//! use std::sync::Arc;
//! use walkforward_core::{LineName, ManualClock};
//! use walkforward_store::Store;
//!
//! let dir = tempfile::tempdir()?;
//! let clock = Arc::new(ManualClock::at("2024-01-01T00:00:00Z".parse()?));
//! let store = Store::open(&dir.path().join("data"), &dir.path().join("models"), clock)?;
//! let run = store.allocate_run_id()?;
//! assert_eq!(run.as_str(), "2024-01-01T00-00-00-000Z");
//! assert_eq!(store.champion(&LineName::default())?, None);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod audit;
mod backup;
mod bundle_lock;
mod confirmation;
mod cycles;
mod database;
mod dataset_configs;
mod error;
mod etl_records;
mod events;
mod evidence;
mod experiments;
mod hash;
mod held;
mod history;
mod iterations;
mod layout;
mod listing;
mod live;
mod locks;
mod models;
mod owner;
mod packs;
mod pins;
mod pointer;
mod promotion;
mod quarantine;
mod recipe;
mod records;
mod recovery;
mod retention;
mod rollback;
mod rows;
mod runs;
mod schedules;
mod staging;
mod stamp;
mod store;
mod words;

pub use audit::{Act, AuditCheck, NewAct};
pub use backup::{
    BackupFile, BackupManifest, BackupReport, BackupScope, MANIFEST_FILE, MAX_BACKUP_FILES, RestoreReport,
    read_manifest, restore, restore_with,
};
pub use bundle_lock::BundleLock;
pub use confirmation::{Confirmation, ConfirmationReader, confirmation_path};
pub use cycles::CycleUpdate;
pub use dataset_configs::{DatasetConfigRecord, MAX_DATASET_CONFIGS, NewDatasetConfig};
pub use error::{PointerProblem, RunLockHeld, StoreError};
pub use etl_records::EtlOverview;
pub use events::{Event, MAX_EVENTS};
pub use evidence::{
    Anchor, AnytimePair, AnytimeTest, Arm, Enrolment, ErrorSpent, HorizonRequest, MAX_REPLAY_CYCLES,
    MAX_STREAM_BARS, NewReplay, Pair, Replay, ReplayCycle, ReplayStatus, ScoredBar, Snapshot, StreamHead,
    StreamKey, StreamPart, arm_id,
};
pub use experiments::{
    ExperimentEnd, ExperimentFilter, ExperimentRecord, ExperimentStatus, MAX_TAGS, NewExperiment,
};
pub use hash::sha256_file;
pub use held::{BY_HAND, Declined, HeldModel};
pub use history::PromotionRow;
pub use iterations::{IterationRecord, MAX_ITERATION_BATCH, MAX_ITERATIONS};
pub use layout::{EVALUATION_FILE, METADATA_FILE, OPTIMIZER_FILE, POINTER_FILE, POLICY_FILE, pointer_path};
pub use listing::ModelSummary;
pub use live::{
    JOURNAL_GAP, JournalPosition, LiveBar, LiveCandle, LiveChallenger, LiveEvent, LiveFill, LiveModel,
    LiveRecord, LiveRow, LiveRule, LiveSession, LiveSwap, LiveWatch, MAX_LIVE_BARS, MAX_LIVE_BATCH,
    MAX_LIVE_EVENTS, MAX_LIVE_FILLS, MAX_RECORD_FILLS, NewLiveSession, Numbered,
};
pub use models::{read_evaluation, read_model, read_trades};
pub use owner::ModelsOwner;
pub use packs::{MAX_PACKS, NewPack, PackRecord};
pub use pins::{MAX_PINS, ModelPin};
pub use pointer::PointerReader;
pub use promotion::{Promotion, PromotionKind, PromotionRequest, PromotionState};
pub use quarantine::{GuardedRollback, Quarantine, Release};
pub use recipe::{MadeFor, Recipe};
pub use records::{
    Champion, EtlRecord, EvaluationRecord, ModelRecord, ModelStatus, ParentChoice, Pointer, PromotionGate,
    RemovedBy, WeightsRemoved,
};
pub use recovery::RecoveryReport;
pub use retention::{
    KeepReason, KeptModel, MAX_LISTED_MODELS, Prunable, PruneReport, PurgedEvidence, PurgedSessions,
    PurgedWork, Retention, RetentionPolicy, WORK_DAYS,
};
pub use rollback::{RollbackRequest, TakenBack};
pub use rows::{MAX_JSON_BYTES, MAX_LISTED_ROWS};
pub use runs::{RunLock, RunOutcome, RunRow};
pub use schedules::{
    CycleRecord, CycleStatus, CycleTrigger, DatasetConfigId, ExperimentId, MAX_SCHEDULE_CHANGES,
    MAX_SCHEDULES, NewCycle, NewSchedule, PackId, RowIdError, ScheduleChange, ScheduleId, ScheduleRecord,
    ScheduleState, ScheduleStatus,
};
pub use store::Store;
pub use words::WordError;
