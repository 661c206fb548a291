//! Where Prometheus reads a session's metrics.

use std::net::SocketAddr;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder};
use tokio::task::AbortHandle;
use walkforward::failure::Failure;
use walkforward::live::LiveConfig;
use walkforward_live::{DECISION_COMPUTE, DECISION_DELAY, JOURNAL_SYNC, TraderMetrics};

/// Seconds from a bar's close to its order: the grace of five, and what comes on top.
const DELAY_BUCKETS: [f64; 12] = [0.1, 0.5, 1.0, 2.5, 5.0, 5.1, 5.5, 6.0, 7.5, 10.0, 30.0, 60.0];
/// Seconds that a decision takes: microseconds.
const COMPUTE_BUCKETS: [f64; 10] = [2e-6, 5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 5e-4, 1e-3, 1e-2, 1e-1];
/// Seconds that a disk takes.
const SYNC_BUCKETS: [f64; 9] = [1e-4, 5e-4, 1e-3, 5e-3, 1e-2, 5e-2, 0.1, 0.5, 1.0];

/// Metrics that are served until this is dropped; or that nobody reads.
#[derive(Default)]
pub(crate) struct Served {
    pub(crate) metrics: TraderMetrics,
    serving: Option<AbortHandle>,
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(serving) = &self.serving {
            serving.abort();
        }
    }
}

/// Serves the metrics of the session of `config`, where it says so. Runs on a tokio runtime.
///
/// # Errors
/// The address can't be listened on.
pub(crate) fn serve(config: &LiveConfig) -> Result<Served, Failure> {
    let Some(address) = config.metrics else { return Ok(Served::default()) };
    if !address.ip().is_loopback() {
        tracing::warn!(%address, "anybody who reaches this address reads the session's metrics");
    }
    let refused = |error: BuildError| {
        let reason = error.to_string();
        Failure::input(format!(
            "metrics can't be read at {address}: {reason}; choose another address with --metrics"
        ))
    };
    let (recorder, serving) = builder(config, address).and_then(PrometheusBuilder::build).map_err(refused)?;
    let serving = tokio::spawn(async move {
        // It ends with the session, or when its socket fails.
        if serving.await.is_err() {
            tracing::error!(%address, "metrics are not served any more");
        }
    });
    Ok(Served { metrics: TraderMetrics::register(&recorder), serving: Some(serving.abort_handle()) })
}

fn builder(config: &LiveConfig, address: SocketAddr) -> Result<PrometheusBuilder, BuildError> {
    let full = |name: &str| Matcher::Full(name.to_owned());
    PrometheusBuilder::new()
        .with_http_listener(address)
        .add_global_label("line", config.line.to_string())
        .add_global_label("symbol", config.symbol.to_string())
        .set_buckets_for_metric(full(DECISION_DELAY), &DELAY_BUCKETS)?
        .set_buckets_for_metric(full(DECISION_COMPUTE), &COMPUTE_BUCKETS)?
        .set_buckets_for_metric(full(JOURNAL_SYNC), &SYNC_BUCKETS)
}
