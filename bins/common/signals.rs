//! Signals that end a process in order, and the one that halts a trader.

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};

/// Resolves at the first SIGINT, SIGTERM or SIGHUP: a terminal that is closed asks for an end too. The handlers are in place when this returns.
pub fn stop_requested() -> anyhow::Result<impl Future<Output = ()> + Send> {
    let mut interrupt = signal(SignalKind::interrupt()).context("can't listen for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("can't listen for SIGTERM")?;
    let mut hangup = signal(SignalKind::hangup()).context("can't listen for SIGHUP")?;
    Ok(async move {
        tokio::select! {
            _ = hangup.recv() => {}
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Resolves at the next SIGUSR1 each time it is asked: the kill switch of a trader.
pub struct HaltRequests(tokio::signal::unix::Signal);

impl HaltRequests {
    /// The handler is in place when this returns.
    pub fn listen() -> anyhow::Result<Self> {
        Ok(Self(signal(SignalKind::user_defined1()).context("can't listen for SIGUSR1")?))
    }

    /// Waits for one. Cancel safe.
    pub async fn next(&mut self) {
        if self.0.recv().await.is_none() {
            std::future::pending().await
        }
    }
}
