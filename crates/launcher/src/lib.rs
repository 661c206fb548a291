//! Trainings in processes of their own.
//!
//! The principal type is [`SubprocessLauncher`]: it writes a job folder ([`JobFile`], the dataset as files that any
//! language reads), starts a worker in its own process group, reads the JSON lines that it says ([`Message`]), and ends
//! the whole group however the training ends. [`run_worker`] is the other side: it limits its own process, dies with
//! the process that started it, and runs a [`walkforward_core::Trainer`]. [`CommandTrainer`] is a trainer that runs
//! somebody's own program over the same job folder. `docs/jobs.md` describes the protocol.
//!
//! What is trusted of a worker is what came through this attempt's own pipe. An attempt that was lost has neither the
//! pipe nor a process left: [`end_orphans`] ends what a killed orchestrator may have left behind.
//!
//! ```
//! use walkforward_launcher::{Line, Message, parse_line};
//!
//! let line = br#"{"type":"progress","done":3,"total":40,"message":"loss 0.61"}"#;
//! assert!(matches!(parse_line(line), Line::Message(Message::Progress(progress)) if progress.done == 3));
//! assert!(matches!(parse_line(b"Epoch 3/40"), Line::Garbage));
//! ```
#![forbid(unsafe_code)]

mod attempt;
mod command;
mod environment;
mod error;
mod exec;
mod job;
mod limits;
mod lines;
mod log;
mod orphans;
mod output;
mod process;
mod protocol;
mod speak;
mod subprocess;
mod supervise;
mod watchdog;
mod worker;

pub use attempt::AttemptError;
pub use command::{CommandConfig, CommandTrainer};
pub use environment::{MARKER, Marker, is_passed_on};
pub use error::Error;
pub use exec::{NOT_RUN, exec_with_parent};
pub use job::{
    BARS_FILE, DATASET_DIR, DATASET_FILE, FEATURES_FILE, FeatureShape, JOB_FILE, JobFile, ParentFile,
    read_dataset, read_features, tidy_jobs, write_dataset,
};
pub use limits::WorkerLimits;
pub use orphans::{Orphan, end_orphans, find_orphans};
pub use protocol::{
    FailureMessage, Line, MAX_LINE_BYTES, Message, MetricsMessage, OutcomeMessage, PROTOCOL, ProgressMessage,
    parse_line,
};
pub use subprocess::{SubprocessConfig, SubprocessLauncher, check_program};
pub use worker::run_worker;
