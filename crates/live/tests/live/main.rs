//! The trader from start to stop.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod alpaca;
mod clock;
mod common;
mod feed;
mod journal;
mod models;
mod parity;
mod pointer;
mod recovery;
mod segments;
mod swaps;
