//! Signals that end a process in order, and the one that halts a trader.

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Resolves at the first SIGINT, SIGTERM or SIGHUP: a terminal that is closed asks for an end too. The handlers are in place when this returns.
pub fn stop_requested() -> anyhow::Result<impl Future<Output = ()> + Send> {
    let mut requests = StopRequests::listen()?;
    Ok(async move { requests.next().await })
}

/// Whoever asks the process to end, each time.
pub struct StopRequests {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl StopRequests {
    /// The handlers are in place when this returns.
    pub fn listen() -> anyhow::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).context("can't listen for SIGINT")?,
            terminate: signal(SignalKind::terminate()).context("can't listen for SIGTERM")?,
            hangup: signal(SignalKind::hangup()).context("can't listen for SIGHUP")?,
        })
    }

    /// Waits for the next SIGINT, SIGTERM or SIGHUP. Cancel safe.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.hangup.recv() => {}
            () = next_of(&mut self.interrupt, &mut self.terminate) => {}
        }
    }

    /// Waits for the next SIGINT or SIGTERM: a terminal that is closed may say so more than once. Cancel safe.
    pub async fn next_in_earnest(&mut self) {
        next_of(&mut self.interrupt, &mut self.terminate).await;
    }
}

async fn next_of(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

/// Resolves at the next SIGUSR1 each time it is asked: the kill switch of a trader.
pub struct HaltRequests(Signal);

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
