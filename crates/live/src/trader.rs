//! One session from start to stop.

mod run;
mod start;

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use walkforward_core::{CancelToken, Timestamp};

use crate::journal::ModelStamp;
use crate::{Command, LiveError, PolicySlot, SessionSummary, TraderOptions, TraderPorts, TradingMode};

/// Commands that wait for the session.
const MAX_WAITING_COMMANDS: usize = 64;

/// What a running session is at.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TraderStatus {
    /// Bars of this process so far.
    pub bars: u64,
    /// Start of the last bar.
    pub last_bar: Option<Timestamp>,
    /// Cash plus position at its close.
    pub equity: f64,
    /// Position as a fraction of equity.
    pub position_fraction: f64,
    /// What the session may do.
    pub mode: TradingMode,
    /// The model that decided on it.
    pub model: Option<ModelStamp>,
}

/// The session did not take a command: it has ended, or more than [`TraderHandle::command`] allows wait for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the session takes no command: it has ended, or {MAX_WAITING_COMMANDS} wait already")]
pub struct CommandRefused;

/// Stops, tells and watches a session. Clones reach the same one.
#[derive(Debug, Clone)]
pub struct TraderHandle {
    cancel: CancelToken,
    status: watch::Receiver<TraderStatus>,
    commands: mpsc::Sender<Command>,
    slot: Arc<PolicySlot>,
}

impl TraderHandle {
    /// Asks the session to stop after the bar that it is at. An open position stays as it is.
    pub fn stop(&self) {
        self.cancel.cancel();
    }

    /// Tells the session something; it is journalled and holds before the next bar.
    ///
    /// # Errors
    /// The session has ended, or 64 commands wait for it.
    pub fn command(&self, command: Command) -> Result<(), CommandRefused> {
        self.commands.try_send(command).map_err(|_| CommandRefused)
    }

    /// Where the session was after its last bar.
    pub fn status(&self) -> TraderStatus {
        self.status.borrow().clone()
    }

    /// The slot of the trading policy.
    pub fn slot(&self) -> &Arc<PolicySlot> {
        &self.slot
    }
}

/// One session that has not started.
pub struct Trader {
    options: TraderOptions,
    ports: TraderPorts,
    slot: Arc<PolicySlot>,
    cancel: CancelToken,
    status: watch::Sender<TraderStatus>,
    commands: (mpsc::Sender<Command>, mpsc::Receiver<Command>),
}

impl Trader {
    /// A session. `cancel` stops it, as its handle does.
    ///
    /// # Errors
    /// An option is out of range, or the session's bars can't be made of the feed's.
    pub fn new(options: TraderOptions, ports: TraderPorts, cancel: CancelToken) -> Result<Self, LiveError> {
        options.validate()?;
        let (base, to) = (ports.feed.base(), options.timeframe);
        if !to.minutes().is_multiple_of(base.minutes()) {
            return Err(walkforward_core::AggregateError::NotAMultiple { from: base, to }.into());
        }
        let (status, _) = watch::channel(TraderStatus::default());
        let commands = mpsc::channel(MAX_WAITING_COMMANDS);
        Ok(Self { options, ports, slot: Arc::new(PolicySlot::new()), cancel, status, commands })
    }

    /// Its handle.
    pub fn handle(&self) -> TraderHandle {
        TraderHandle {
            cancel: self.cancel.clone(),
            status: self.status.subscribe(),
            commands: self.commands.0.clone(),
            slot: Arc::clone(&self.slot),
        }
    }

    /// Trades until the feed ends or somebody stops it. Runs on a tokio runtime with timers.
    ///
    /// # Errors
    /// Feed, broker, journal or session failed. The journal is synced, and ends with the figures so far.
    pub async fn run(self) -> Result<SessionSummary, LiveError> {
        let (runner, mut feed, watching) = start::start(self).await?;
        let ended = runner.run(feed.as_mut()).await;
        drop(watching);
        ended
    }
}
