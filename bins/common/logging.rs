//! Logs: to standard error, filtered by `RUST_LOG`.

use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

/// Lines that wait while nobody reads standard error; later ones are dropped, because a log never holds up a bar.
const MAX_WAITING_LINES: usize = 10_000;

/// What is logged unless `RUST_LOG` says otherwise.
pub const WARNINGS: &str = "warn";
/// Nothing but errors: for a command that provokes what it would be warned of.
pub const ERRORS: &str = "error";

/// Starts logging at `RUST_LOG`, or at `default` when it is not set or not understood. What waits is written when the
/// guard is dropped.
pub fn start(default: &str) -> WorkerGuard {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let builder = NonBlockingBuilder::default().lossy(true).buffered_lines_limit(MAX_WAITING_LINES);
    let (writer, guard) = builder.finish(std::io::stderr());
    let installed = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).try_init();
    debug_assert!(installed.is_ok(), "logging is started once");
    guard
}
