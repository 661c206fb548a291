//! The shadow beside the champion: the gates' streams to the last bit, and in nobody's way.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod parity;
mod places;
mod rates;
mod worlds;
