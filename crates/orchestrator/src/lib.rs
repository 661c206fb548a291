//! The cycle and the loop: ETL, train, evaluate, judge, promote, again and again.
//!
//! [`Pipeline`] runs one cycle over the traits of `walkforward-core`; it knows no implementation of any stage.
//! [`schedule::step`] and [`fleet::Fleet`] are the pure state machines of one schedule and of all; [`SchedulerService`] is the
//! one task that moves them and [`Scheduler`] its handle. [`recurrence`] says when cycles are due.
//! [`InProcessLauncher`] runs trainings on a blocking thread of this process.
//!
//! ```
//! use walkforward_core::Timestamp;
//! use walkforward_orchestrator::recurrence::Recurrence;
//!
//! let recurrence: Recurrence = "cron 30 9 * * 1-5 America/New_York".parse()?;
//! let friday: Timestamp = "2024-07-05T20:00:00Z".parse()?;
//! let monday: Timestamp = "2024-07-08T13:30:00Z".parse()?;
//! assert_eq!(recurrence.next_after(friday, friday), Some(monday));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod cycle;
mod driver;
mod evidence;
pub mod fleet;
mod launcher;
mod lineage;
mod market;
mod observer;
mod pipeline;
mod records;
pub mod recurrence;
pub mod replay;
mod report;
mod run_error;
pub mod schedule;

pub use cycle::{
    ContinuousParts, ContinuousTrainer, CyclePlan, CyclePlanner, CycleProgress, NoCycleProgress, base_model,
};
pub use driver::{
    Announcer, CycleRunner, CycleStart, LedgerError, LoadedSchedule, MemoryLedger, NoAnnouncements, Overview,
    ScheduleLedger, ScheduleView, Scheduler, SchedulerError, SchedulerOptions, SchedulerParts,
    SchedulerService, Slot,
};
pub use evidence::{AnytimeLevel, ArmRequest, FLAT, TestPlan};
pub use launcher::InProcessLauncher;
pub use market::{MARKET, Market};
pub use observer::{NoObserver, RunObserver, RunStep};
pub use pipeline::{OnNoNewBars, Parent, Pipeline, RunRequest, Stages};
pub use report::{RunReport, SubjectMetrics};
pub use run_error::RunError;
pub use schedule::CycleEnd;
