//! What a process takes while it trades for long: in a process of its own, one test at a time.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

#[path = "../live/common.rs"]
#[allow(dead_code, reason = "other tests use the other parts")]
mod common;
#[path = "../../examples/swaps/line.rs"]
#[allow(dead_code, reason = "other tests use the other parts")]
mod line;
#[path = "../../examples/swaps/process.rs"]
mod process;
mod soak;
#[path = "../../examples/swaps/storm.rs"]
#[allow(dead_code, reason = "the example's figures use the other parts")]
mod storm;
mod swaps;
#[path = "../../examples/soak/world.rs"]
mod world;

use std::sync::{Mutex, MutexGuard, PoisonError};

static ALONE: Mutex<()> = Mutex::new(());

/// Keeps other tests of this process away: they open files too.
fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}
