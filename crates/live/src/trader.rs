//! One session from start to stop.

mod commands;
mod end;
mod run;
mod silence;
mod start;
mod step;
mod waiting;

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use walkforward_core::{CancelToken, SessionId, Timestamp};
use walkforward_store::JournalPosition;

use crate::control::{Events, Told};
use crate::journal::ModelStamp;
use crate::watcher::LookRequests;
use crate::{
    Command, LiveError, LookNow, Notice, PolicySlot, SessionSummary, TraderMetrics, TraderOptions,
    TraderPorts, TradingMode,
};

pub use end::EndRules;
use start::Started;
pub use step::KeepStep;

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

/// Stops, tells and watches a session. Clones reach the same one; it is also the session's
/// [`SessionControl`](walkforward_core::SessionControl), for this process.
#[derive(Debug, Clone)]
pub struct TraderHandle {
    cancel: CancelToken,
    status: watch::Receiver<TraderStatus>,
    commands: mpsc::Sender<Told>,
    slot: Arc<PolicySlot>,
    named: watch::Receiver<Option<SessionId>>,
    pub(crate) events: Arc<Events>,
    pub(crate) look_now: LookNow,
    synced: watch::Receiver<Option<JournalPosition>>,
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
        self.tell(Told::Command(command))
    }

    /// Hands the session what a watch did; it is journalled.
    ///
    /// # Errors
    /// As [`command`](Self::command).
    pub fn notify(&self, notice: Notice) -> Result<(), CommandRefused> {
        self.tell(Told::Notice(notice))
    }

    /// The last record of the journal that is on the disk, as it grows; none before the session has begun. It is closed when
    /// the session has ended.
    pub fn synced(&self) -> watch::Receiver<Option<JournalPosition>> {
        self.synced.clone()
    }

    pub(crate) fn tell(&self, told: Told) -> Result<(), CommandRefused> {
        self.commands.try_send(told).map_err(|_| CommandRefused)
    }

    /// The session's name, as soon as it has begun; none when it has ended before.
    pub async fn begun(&self) -> Option<SessionId> {
        let mut named = self.named.clone();
        named.wait_for(Option::is_some).await.ok()?.clone()
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
    commands: (mpsc::Sender<Told>, mpsc::Receiver<Told>),
    events: Arc<Events>,
    named: watch::Sender<Option<SessionId>>,
    looks: (LookNow, LookRequests),
    metrics: TraderMetrics,
    synced: watch::Sender<Option<JournalPosition>>,
    step: Option<KeepStep>,
    end: EndRules,
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
        Ok(Self {
            options,
            ports,
            slot: Arc::new(PolicySlot::new()),
            cancel,
            status,
            commands,
            events: Arc::default(),
            named: watch::channel(None).0,
            looks: LookNow::new(),
            metrics: TraderMetrics::default(),
            synced: watch::Sender::new(None),
            step: None,
            end: EndRules::default(),
        })
    }

    /// Counts in `metrics`; without them nobody is told.
    #[must_use]
    pub fn with_metrics(self, metrics: TraderMetrics) -> Self {
        Self { metrics, ..self }
    }

    /// Lets a replay at full speed wait for a follower.
    #[must_use]
    pub fn in_step_with(self, step: KeepStep) -> Self {
        Self { step: Some(step), ..self }
    }

    /// Ends as `end` says where somebody stops it.
    #[must_use]
    pub fn ending_by(self, end: EndRules) -> Self {
        Self { end, ..self }
    }

    /// Its handle.
    pub fn handle(&self) -> TraderHandle {
        TraderHandle {
            cancel: self.cancel.clone(),
            status: self.status.subscribe(),
            commands: self.commands.0.clone(),
            slot: Arc::clone(&self.slot),
            named: self.named.subscribe(),
            events: Arc::clone(&self.events),
            look_now: self.looks.0.clone(),
            synced: self.synced.subscribe(),
        }
    }

    /// Trades until the feed ends or somebody stops it. Runs on a tokio runtime with timers.
    ///
    /// # Errors
    /// Feed, broker, journal or session failed. The journal is synced, and ends with the figures so far.
    pub async fn run(self) -> Result<SessionSummary, LiveError> {
        let (runner, mut feed, watching) = match start::start(self).await? {
            Started::Runs(runner, feed, watching) => (runner, feed, watching),
            Started::Stopped(summary) => return Ok(*summary),
        };
        let ended = runner.run(feed.as_mut()).await;
        drop(watching);
        ended
    }
}
