//! The memory of walkforward: models on disk, the pointer that says which one trades, and the record of how it came
//! to that, in SQLite.
//!
//! The principal type is [`Store`]. The models folder is the truth about models and champions; the database keeps the
//! history and is brought in line with the folder when the store is opened, which is also how a crash is recovered
//! from. A champion changes in [`Store::promote`] alone. [`PointerReader`] is for those who only want to know which
//! model trades; it does not touch the database.
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

mod database;
mod error;
mod events;
mod hash;
mod history;
mod layout;
mod models;
mod pointer;
mod promotion;
mod records;
mod recovery;
mod runs;
mod staging;
mod store;

pub use error::{PointerProblem, RunLockHeld, StoreError};
pub use events::{Event, MAX_EVENTS};
pub use hash::sha256_file;
pub use history::PromotionRow;
pub use layout::{EVALUATION_FILE, METADATA_FILE, OPTIMIZER_FILE, POINTER_FILE, POLICY_FILE, pointer_path};
pub use models::{read_evaluation, read_model};
pub use pointer::PointerReader;
pub use promotion::{Promotion, PromotionKind, PromotionRequest, PromotionState};
pub use records::{
    Champion, EtlRecord, EvaluationRecord, ModelRecord, ModelStatus, ParentChoice, Pointer, PromotionGate,
};
pub use recovery::RecoveryReport;
pub use runs::{RunLock, RunOutcome, RunRow};
pub use store::Store;
