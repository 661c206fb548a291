//! Orders at venues that do everything wrong: each once, and the ledger is what the venue has.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod amounts;
mod cases;
mod costs;
mod driver;
mod faults;
mod kills;
mod properties;
mod sim;
mod stops;
#[path = "../venue/streams.rs"]
mod streams;
mod trader;
mod world;
