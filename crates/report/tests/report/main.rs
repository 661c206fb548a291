//! What a page says, and that it is a page whatever it is given.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod any_report;
#[path = "../../examples/sample/arms.rs"]
mod arms;
#[path = "../../examples/sample/data.rs"]
mod data;
mod demos;
mod evidence;
mod pages;
mod plots;
mod replays;
mod well_formed;
