//! Behaviour of the sources, feeds and the pipeline, from the outside.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stderr, reason = "a skipped test says so")]

mod bad_input;
mod cache;
mod cache_late;
mod cache_longer;
mod formats;
mod gaps;
mod longer;
mod parquet_files;
mod pipeline;
mod real_files;
mod support;
mod synthetic;
mod time_columns;
