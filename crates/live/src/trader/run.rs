//! A session at work.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::Interval;
use walkforward_core::{Bar, CancelToken, Clock, FeedEvent, MarketFeed, Timestamp};

use super::silence::{Data, Silence};
use super::step::Step;
use super::{EndRules, TraderStatus};
use crate::bar_loop::{BarLoop, FeedState, Moment};
use crate::control::Told;
use crate::controls::Controls;
use crate::intake::Intake;
use crate::journal::{EventRecord, JournalRecord};
use crate::{ClosedBar, ConditionSource, FeedTime, LiveError, SessionSummary, Speed, StopReason, Taken};

/// How often a waiting trader looks whether it should stop or sync.
pub(super) const TICK: Duration = Duration::from_millis(50);

/// Least time between two looks at the orders of a venue.
const LEAST_WAIT_MS: i64 = 5;

/// A session that has started.
pub(super) struct Runner {
    pub(super) bar_loop: BarLoop,
    pub(super) intake: Intake,
    pub(super) controls: Controls,
    pub(super) speed: Speed,
    pub(super) commands: mpsc::Receiver<Told>,
    pub(super) cancel: CancelToken,
    pub(super) status: watch::Sender<TraderStatus>,
    /// However often somebody asks something, the session looks at what else there is.
    pub(super) tick: Interval,
    pub(super) feed: FeedState,
    pub(super) step: Step,
    pub(super) end: EndRules,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) silence: Silence,
}

impl Runner {
    /// Trades until the feed ends or somebody stops it, and journals how that was.
    pub(super) async fn run(mut self, feed: &mut dyn MarketFeed) -> Result<SessionSummary, LiveError> {
        let mut ended = self.trade(feed).await;
        if ended.is_ok()
            && let Err(error) = self.settle().await
        {
            ended = Err(error);
        }
        let Self { mut bar_loop, .. } = self;
        bar_loop.recorder.meter().metrics().feed_up(false);
        bar_loop.summary.stop = *ended.as_ref().unwrap_or(&StopReason::Failed);
        let now = bar_loop.clock.now();
        let closing = bar_loop.journal_refusals(now).and_then(|()| {
            bar_loop.recorder.append(&JournalRecord::End(Box::new(bar_loop.summary.clone())), now)?;
            bar_loop.recorder.sync()
        });
        // What ended the session matters more than what its end could not write.
        ended.and(closing)?;
        Ok(bar_loop.summary)
    }

    async fn trade(&mut self, feed: &mut dyn MarketFeed) -> Result<StopReason, LiveError> {
        let mut pace = Pace { speed: self.speed, anchor: None };
        self.look_at_controls()?;
        self.status.send_replace(self.bar_loop.status());
        loop {
            let Some(event) = self.meanwhile(feed.next()).await? else { return Ok(StopReason::Stopped) };
            let Some(event) = event? else { return Ok(StopReason::FeedEnded) };
            if let FeedEvent::Bar(bar) = &event
                && !self.intake.is_past(bar)
                && let Some(due) = pace.due(bar, self.clock.now())
            {
                let clock = Arc::clone(&self.clock);
                if self.meanwhile(clock.sleep_until(due)).await?.is_none() {
                    return Ok(StopReason::Stopped);
                }
            }
            self.on_event(event).await?;
            self.keep_step().await?;
            // A replay at full speed never waits: let the watcher have its turn.
            tokio::task::yield_now().await;
        }
    }

    /// Waits for `future`; meanwhile bars close, answers and commands are taken, and the journal is kept on the disk.
    /// `None` when the session is to stop.
    pub(super) async fn meanwhile<F: Future>(&mut self, future: F) -> Result<Option<F::Output>, LiveError> {
        let mut future = pin!(future);
        loop {
            self.take_commands()?;
            self.close_by_clock().await?;
            if self.cancel.is_cancelled() {
                return Ok(None);
            }
            let now = self.clock.now();
            self.bar_loop.tick_orders(now)?;
            let orders_due =
                self.bar_loop.order_deadline(now).map(|due| due.max(now.plus_millis(LEAST_WAIT_MS)));
            let deadline = [self.intake.deadline(), orders_due].into_iter().flatten().min();
            let clock = Arc::clone(&self.clock);
            let answer = tokio::select! {
                biased;
                value = &mut future => return Ok(Some(value)),
                answer = self.intake.answer() => Some(answer),
                answer = self.bar_loop.venue_answer() => {
                    self.bar_loop.on_answer(answer?, self.clock.now())?;
                    None
                }
                () = wait_for(clock, deadline) => None,
                Some(told) = self.commands.recv() => {
                    self.on_told(told)?;
                    None
                }
                _ = self.tick.tick() => {
                    self.on_tick()?;
                    None
                }
            };
            if let Some(answer) = answer {
                let (span, now) = (answer.span, self.now());
                let ends = answer.bars.iter().flatten().map(|bar| bar.close_time(self.intake.base()));
                if let Some(newest) = ends.max() {
                    self.silence.hear(newest, self.clock.monotonic());
                }
                if let Some(reason) = self.intake.take_answer(answer, now) {
                    tracing::warn!(%span, reason, "missing bars did not come");
                    self.bar_loop.event(EventRecord::NotFetched { span, reason }, now)?;
                }
            }
        }
    }

    /// Ends the orders at a venue, and waits for that as long as it may take. What is left, the next start takes up.
    async fn settle(&mut self) -> Result<(), LiveError> {
        let end = self.clock.monotonic() + self.end.orders;
        self.bar_loop.end_for_good(self.clock.now())?;
        while self.has_orders_left() && self.clock.monotonic() < end && !self.end.at_once.is_cancelled() {
            self.take_commands()?;
            self.bar_loop.tick_orders(self.clock.now())?;
            tokio::select! {
                answer = self.bar_loop.venue_answer() => self.bar_loop.on_answer(answer?, self.clock.now())?,
                () = tokio::time::sleep(TICK) => {}
            }
        }
        if self.has_orders_left() {
            let (orders, is_open) = (self.bar_loop.open_orders(), self.bar_loop.wants_flat());
            tracing::warn!(
                orders,
                position_to_be_closed = is_open,
                "the session ends before its orders do: they are in the journal, and the next start looks them up"
            );
        }
        // What somebody said until now holds for the next start.
        self.read_controls()?;
        self.commands.close();
        self.take_commands()
    }

    /// Whether something is on its way, or is to be.
    fn has_orders_left(&self) -> bool {
        !self.bar_loop.is_settled() || self.bar_loop.wants_flat()
    }

    fn on_tick(&mut self) -> Result<(), LiveError> {
        let now = self.now();
        self.bar_loop.journal_refusals(now)?;
        // A failure comes again at the bar, where it is journalled.
        let _ = self.bar_loop.prepare_ahead();
        self.look_at_controls()?;
        if self.intake.time() == FeedTime::Clock {
            self.watch_data(now)?;
        }
        self.bar_loop.show_ages(now, self.intake.newest_end(), self.intake.time() == FeedTime::Clock);
        self.bar_loop.recorder.sync_if_due(self.clock.monotonic())
    }

    async fn on_event(&mut self, event: FeedEvent) -> Result<(), LiveError> {
        match event {
            FeedEvent::Bar(bar) => self.on_feed_bar(bar, false).await,
            FeedEvent::Revised(bar) => self.on_feed_bar(bar, true).await,
            FeedEvent::Up => {
                self.feed.is_up = true;
                self.bar_loop.event(EventRecord::FeedUp, self.now())
            }
            FeedEvent::Down { reason } => {
                self.feed.is_up = false;
                tracing::warn!(reason, "the feed is down");
                self.bar_loop.event(EventRecord::FeedDown { reason }, self.now())
            }
        }
    }

    async fn on_feed_bar(&mut self, bar: Bar, is_revised: bool) -> Result<(), LiveError> {
        let by_bars = self.intake.time() == FeedTime::Bars;
        let now = if by_bars { bar.close_time(self.intake.base()) } else { self.clock.now() };
        self.feed = FeedState { is_up: true, last_data_at: Some(now) };
        if by_bars {
            // A replay has no connection that it could tell of.
            self.bar_loop.recorder.meter().metrics().feed_up(true);
        }
        let taken = self.intake.push(bar, now, &mut self.bar_loop.summary)?;
        if !matches!(taken, Taken::OffGrid | Taken::Future) {
            // Late ones too show that it speaks.
            self.silence.hear(bar.close_time(self.intake.base()), self.clock.monotonic());
        }
        if taken == Taken::New {
            self.bar_loop.mark_price(bar.close(), bar.close_time(self.intake.base()));
        }
        if !matches!(taken, Taken::New | Taken::Duplicate) {
            tracing::debug!(open_time = %bar.open_time(), ?taken, "a bar of the feed that was not expected");
        }
        if taken == Taken::Late && is_revised {
            self.bar_loop.event(EventRecord::Revised { bar }, now)?;
        }
        if !by_bars {
            return self.close_by_clock().await;
        }
        // A bar that is left out says nothing about the time either.
        if matches!(taken, Taken::Late | Taken::OffGrid | Taken::Future) {
            return Ok(());
        }
        for (closed, now) in self.intake.closed_until(self.intake.settles(&bar))? {
            self.bar_loop.on_bar(&closed, Moment { now, missed: false, by_clock: false }).await?;
        }
        self.status.send_replace(self.bar_loop.status());
        if self.controls.is_due(self.clock.monotonic()) {
            self.read_controls()?;
        }
        Ok(())
    }

    /// Runs the bars that have closed by the clock.
    async fn close_by_clock(&mut self) -> Result<(), LiveError> {
        if self.intake.time() == FeedTime::Bars {
            return Ok(());
        }
        loop {
            let now = self.clock.now();
            let Some(closed) = self.intake.next_closed(now)? else { return self.watch_clock(now) };
            self.watch_data(now)?;
            let missed = self.is_too_late(&closed, now);
            self.bar_loop.on_bar(&closed, Moment { now, missed, by_clock: true }).await?;
            self.status.send_replace(self.bar_loop.status());
        }
    }

    /// Tells when bars wait because nothing shows that the clock is right, and when they do no more.
    fn watch_clock(&mut self, now: Timestamp) -> Result<(), LiveError> {
        let (waits, is_new) = self.intake.waits(now);
        if waits {
            self.watch_data(now)?;
        }
        if !is_new {
            return Ok(());
        }
        let newest = self.intake.newest_end().map_or_else(|| "none".to_owned(), |end| end.to_string());
        let reason = match waits {
            true => format!(
                "the clock says {now}, and the newest bar of the feed ended {newest}: nothing is decided until bars \
                 come. Is the clock right?"
            ),
            false => format!("bars close by the clock again, which says {now}"),
        };
        tracing::warn!(reason, "the clock");
        self.bar_loop.event(EventRecord::Warning { reason }, now)
    }

    fn is_too_late(&self, closed: &ClosedBar, now: Timestamp) -> bool {
        let end = closed.bar.close_time(self.bar_loop.header.timeframe);
        let late = u128::try_from(now.millis_since(end)).unwrap_or(0);
        late > self.bar_loop.watch.max_decision_delay.as_millis()
    }

    /// Says what is done about data that are stale.
    fn watch_data(&mut self, now: Timestamp) -> Result<(), LiveError> {
        let watch = self.bar_loop.watch;
        let data = self.silence.look(watch.stale_after_bars, now, self.clock.monotonic());
        let held = self.bar_loop.desk.risk().conditions().behaviour(ConditionSource::Data);
        let behaviour = data.behaviour(held, watch.on_stale);
        let reason = || match data {
            Data::Stale { ms, .. } => format!("no bar of the last {} s has come", ms / 1_000),
            Data::Fresh | Data::Unknown => "bars come again".to_owned(),
        };
        self.bar_loop.condition(ConditionSource::Data, behaviour, reason, now)
    }

    /// What time it is for the session.
    pub(super) fn now(&self) -> Timestamp {
        match self.intake.time() {
            FeedTime::Bars => self.intake.bar_time().unwrap_or_else(|| self.clock.now()),
            FeedTime::Clock => self.clock.now(),
        }
    }
}

/// Waits until `deadline`; for ever when there is none.
async fn wait_for(clock: Arc<dyn Clock>, deadline: Option<Timestamp>) {
    match deadline {
        Some(deadline) => clock.sleep_until(deadline).await,
        None => std::future::pending().await,
    }
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
