//! The cycle and the loop: ETL, train, evaluate, judge, promote, again and again.
//!
//! [`Pipeline`] runs one cycle over the traits of `walkforward-core`; it knows no implementation of any stage.
//! [`schedule::step`] is the pure state machine of the loop and [`drive`] the one task that moves it.
//! [`InProcessLauncher`] runs trainings on a blocking thread of this process.
//!
//! ```
//! use walkforward_core::Timestamp;
//! use walkforward_orchestrator::schedule::{Effect, Input, Schedule, step};
//!
//! let now: Timestamp = "2024-01-01T00:00:00Z".parse()?;
//! let schedule = Schedule::every_minutes(360.0)?;
//! let (_, effects) = step(schedule, Input::Start { now });
//! assert!(matches!(effects[0], Effect::Run { cycle: 1, .. }));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod driver;
mod launcher;
mod lineage;
mod pipeline;
mod records;
mod report;
pub mod schedule;

pub use driver::{CycleOutcome, drive};
pub use launcher::InProcessLauncher;
pub use pipeline::{OnNoNewBars, Parent, Pipeline, RunError, RunRequest, Stages};
pub use report::{RunReport, SubjectMetrics};
