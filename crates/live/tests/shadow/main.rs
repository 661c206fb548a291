//! The shadow beside the champion: the gates' streams to the last bit, and in nobody's way.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

#[path = "../live/common.rs"]
#[allow(dead_code, reason = "other tests use the other parts")]
mod common;
mod parity;
mod places;
mod rates;
mod worlds;
