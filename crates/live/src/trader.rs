//! One session from start to stop.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use walkforward_core::{Bar, BarFeed, CancelToken, Clock, Timestamp};

use crate::bar_loop::BarLoop;
use crate::journal::{EventRecord, JournalRecord, ModelStamp, SessionHeader};
use crate::watcher::Accepts;
use crate::{
    BarGrid, ChampionSource, DecisionJournal, Desk, LiveError, ModelRefused, PointerWatcher, PolicySlot,
    SessionSummary, Speed, StopReason, TraderOptions, TraderPorts, WatchOutcome,
};

/// How often a waiting trader looks whether it should stop or sync.
const TICK: Duration = Duration::from_millis(50);
/// Refused models that wait to be journalled; each distinct failure comes once.
const MAX_WAITING_REFUSALS: usize = 64;

/// What a running session is at.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TraderStatus {
    /// Bars so far.
    pub bars: u64,
    /// Start of the last one.
    pub last_bar: Option<Timestamp>,
    /// Cash plus position at its close.
    pub equity: f64,
    /// Position as a fraction of equity.
    pub position_fraction: f64,
    /// The model that decided on it.
    pub model: Option<ModelStamp>,
}

/// Stops and watches a session. Clones reach the same one.
#[derive(Debug, Clone)]
pub struct TraderHandle {
    cancel: CancelToken,
    status: watch::Receiver<TraderStatus>,
    slot: Arc<PolicySlot>,
}

impl TraderHandle {
    /// Asks the session to stop after the bar that it is at. An open position stays as it is.
    pub fn stop(&self) {
        self.cancel.cancel();
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
}

impl Trader {
    /// A session. `cancel` stops it, as its handle does.
    ///
    /// # Errors
    /// An option is out of range.
    pub fn new(options: TraderOptions, ports: TraderPorts, cancel: CancelToken) -> Result<Self, LiveError> {
        options.validate()?;
        let (status, _) = watch::channel(TraderStatus::default());
        Ok(Self { options, ports, slot: Arc::new(PolicySlot::new()), cancel, status })
    }

    /// Its handle.
    pub fn handle(&self) -> TraderHandle {
        let status = self.status.subscribe();
        TraderHandle { cancel: self.cancel.clone(), status, slot: Arc::clone(&self.slot) }
    }

    /// Trades until the feed ends or somebody stops it. Runs on a tokio runtime with timers.
    ///
    /// # Errors
    /// Feed, broker, journal or session failed. The journal is synced, and ends with the figures so far.
    pub async fn run(self) -> Result<SessionSummary, LiveError> {
        let Self { options, ports, slot, cancel, status } = self;
        let TraderPorts { mut feed, broker, champion, clock } = ports;
        let mut journal = DecisionJournal::open(&options.journal, clock.monotonic())?;
        journal.append(&JournalRecord::Session(header(&options, clock.as_ref())))?;
        let (sender, refusals) = mpsc::channel(MAX_WAITING_REFUSALS);
        let mut watcher = watcher(&options, champion, &slot, sender);
        if slot.load().is_none() && !matches!(watcher.poll().await, WatchOutcome::Deployed(_)) {
            journal.append(&JournalRecord::Event(EventRecord::NoModel))?;
        }
        let mut bar_loop = BarLoop {
            slot,
            desk: Desk::new(options.session, options.limits, options.history_bars)?,
            broker,
            grid: BarGrid::new(options.timeframe),
            journal,
            refusals,
            clock,
            summary: SessionSummary::new(options.session.initial_cash),
            model: None,
        };
        let watching = AbortOnDrop(tokio::spawn(watcher.run(options.poll_interval, cancel.clone())));
        let ended = trade(&mut bar_loop, feed.as_mut(), &options, &cancel, &status).await;
        drop(watching);
        finish(bar_loop, ended)
    }
}

struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn header(options: &TraderOptions, clock: &dyn Clock) -> SessionHeader {
    SessionHeader {
        schema: SessionHeader::SCHEMA,
        started_at: clock.now(),
        symbol: options.symbol.clone(),
        timeframe: options.timeframe,
        config: options.session,
        warm_up_bars: options.warm_up.len() as u64,
        open_position_at_swap: SessionHeader::INHERIT.to_owned(),
    }
}

fn watcher(
    options: &TraderOptions,
    champion: Box<dyn ChampionSource>,
    slot: &Arc<PolicySlot>,
    refusals: mpsc::Sender<ModelRefused>,
) -> PointerWatcher {
    let accepts = Accepts {
        symbol: options.symbol.clone(),
        timeframe: options.timeframe,
        history_bars: options.history_bars,
        market: options.session.market,
    };
    PointerWatcher::new(champion, Arc::clone(slot), accepts, refusals)
}

async fn trade(
    bar_loop: &mut BarLoop,
    feed: &mut dyn BarFeed,
    options: &TraderOptions,
    cancel: &CancelToken,
    status: &watch::Sender<TraderStatus>,
) -> Result<StopReason, LiveError> {
    bar_loop.warm_up(&options.warm_up)?;
    let mut pace = Pace { speed: options.speed, anchor: None };
    loop {
        let Some(next) = unless_stopped(feed.next_bar(), bar_loop, cancel).await? else {
            return Ok(StopReason::Stopped);
        };
        let Some(bar) = next? else { return Ok(StopReason::FeedEnded) };
        if let Some(due) = pace.due(&bar, bar_loop.clock.now()) {
            let clock = Arc::clone(&bar_loop.clock);
            if unless_stopped(clock.sleep_until(due), bar_loop, cancel).await?.is_none() {
                return Ok(StopReason::Stopped);
            }
        }
        bar_loop.on_feed_bar(bar).await?;
        status.send_replace(bar_loop.status());
        // A replay at full speed never waits: let the watcher have its turn.
        tokio::task::yield_now().await;
    }
}

/// Waits for `future`; meanwhile keeps the journal on the disk. `None` when the session is to stop.
async fn unless_stopped<F: Future>(
    future: F,
    bar_loop: &mut BarLoop,
    cancel: &CancelToken,
) -> Result<Option<F::Output>, LiveError> {
    let mut future = pin!(future);
    loop {
        if cancel.is_cancelled() {
            return Ok(None);
        }
        tokio::select! {
            biased;
            value = &mut future => return Ok(Some(value)),
            () = tokio::time::sleep(TICK) => {
                bar_loop.journal_refusals()?;
                bar_loop.journal.sync_if_due(bar_loop.clock.monotonic())?;
            }
        }
    }
}

fn finish(mut bar_loop: BarLoop, ended: Result<StopReason, LiveError>) -> Result<SessionSummary, LiveError> {
    bar_loop.summary.stop = *ended.as_ref().unwrap_or(&StopReason::Failed);
    let closing = bar_loop.journal_refusals().and_then(|()| {
        bar_loop.journal.append(&JournalRecord::End(Box::new(bar_loop.summary.clone())))?;
        bar_loop.journal.sync()
    });
    // What ended the session matters more than what its end could not write.
    ended.and(closing)?;
    Ok(bar_loop.summary)
}

/// When bars are due.
struct Pace {
    speed: Speed,
    anchor: Option<(Timestamp, Timestamp)>,
}

impl Pace {
    /// When `bar` is due, counted from the first bar on; none when bars don't wait.
    fn due(&mut self, bar: &Bar, now: Timestamp) -> Option<Timestamp> {
        let Speed::Times(times) = self.speed else { return None };
        let (first_bar, started) = *self.anchor.get_or_insert((bar.open_time(), now));
        let elapsed_ms = bar.open_time().millis_since(first_bar) as f64 / times;
        Some(started.plus_millis(elapsed_ms as i64))
    }
}
