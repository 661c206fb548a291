//! Behaviour of the sources, feeds and the pipeline, from the outside.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stderr, reason = "a skipped test says so")]

mod bad_input;
mod formats;
mod longer;
mod pipeline;
mod real_files;
mod support;
mod synthetic;
mod time_columns;
