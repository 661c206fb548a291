//! The client against a service on this machine that can do everything wrong, byte by byte.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stderr, reason = "a skipped test says so")]

mod backfill;
mod feed;
mod keys;
mod live;
mod merging;
mod once;
mod pages;
mod refusals;
mod retries;
mod samples;
mod server;
mod source;
mod support;
mod updates;
mod venue;
