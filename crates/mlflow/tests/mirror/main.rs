//! A real store, mirrored to a server on this machine that refuses what MLflow refuses.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod faults;
mod shown;
mod world;
