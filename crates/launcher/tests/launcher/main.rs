//! Jobs on disk, and workers that are real processes: small programs of the shell that do what workers must not.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod command;
mod dataset;
mod orphans;
mod support;
mod workers;
