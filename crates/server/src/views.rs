//! What is told, as it is written: the records of the store in the form that clients rely on. Times are UTC, RFC 3339.

mod cycle;
mod schedule;

pub(crate) use cycle::CycleView;
pub(crate) use schedule::ScheduleStatusView;
