//! The trader from start to stop.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod alpaca;
mod clock;
mod common;
mod cost_report;
mod explain;
mod feed;
mod follow;
mod journal;
#[path = "../../examples/swaps/line.rs"]
#[allow(dead_code, reason = "other tests use the other parts")]
mod line;
mod models;
mod overtaken;
mod parity;
mod pointer;
mod projection;
mod recovery;
mod segments;
mod swaps;
mod torn;
mod verdicts;
mod watched;
mod watchman;
