//! What the preset `evidence` makes of ledgers and hold-outs.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod ledgers;
mod meter;
mod properties;
mod rails;
mod refresh;
mod sentences;
mod size;
mod standing;
mod takeover;
