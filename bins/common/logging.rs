//! Logs: to standard error, filtered by `RUST_LOG`.

use tracing_subscriber::EnvFilter;

/// Starts logging at `RUST_LOG`, or at warnings when it is not set or not understood.
pub fn start() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    let installed = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
    debug_assert!(installed.is_ok(), "logging is started once");
}
