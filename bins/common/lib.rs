//! What both binaries share: settings with their origins, the clock, and the choice of implementations by name.
//!
//! This is the only place that sees the whole workspace. It is a library for `bins/`, `tests/` and `examples/`;
//! services embed the `walkforward-*` crates instead.
#![forbid(unsafe_code)]

pub mod clock;
pub mod config;
pub mod evidence;
pub mod failure;
pub mod frozen;
pub mod launch;
pub mod live;
pub mod logging;
pub mod mlflow;
pub mod notify;
pub mod output;
pub mod pack;
pub mod program;
mod recipe;
pub mod retention;
pub mod scheduling;
pub mod secrets;
pub mod settings;
pub mod signals;
pub mod source;
pub mod table;
pub mod venue;
pub mod wiring;
