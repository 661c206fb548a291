//! Evaluators over bundles on disk.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod backtest;
mod common;
mod holding;
mod mechanical;
mod report;
mod stream;
mod stream_refusals;
mod supplied;
mod verdicts;
