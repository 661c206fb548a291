//! What a page says, and that it is a page whatever it is given.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod any_report;
#[path = "../../examples/sample/data.rs"]
mod data;
mod pages;
mod replays;
mod well_formed;
