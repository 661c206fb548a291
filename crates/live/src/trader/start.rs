//! How a session begins: anew, or where its journal left it.

use std::path::Path;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::time::{Interval, MissedTickBehavior};
use walkforward_core::{Backfill, Bar, Clock, ControlCommand, MarketFeed, MarketRules, Timeframe};
use walkforward_engine::EngineError;

use super::Trader;
use super::run::{Runner, TICK};
use super::silence::Silence;
use super::step::Step;
use super::waiting::{Executes, Left, Starting, executing};
use crate::bar_loop::{BarLoop, Executing, FeedState, Retry};
use crate::control::{EventLog, Told};
use crate::controls::Controls;
use crate::intake::{Intake, IntakeOptions};
use crate::journal::{
    EventRecord, ModelStamp, Recovered, SegmentHeader, SegmentStart, newest_header, recover,
};
use crate::metrics::Meter;
use crate::recorder::Recorder;
use crate::watcher::{Accepts, LookRequests};
use crate::{
    Assembly, ChampionSource, ClosedBar, Command, DecisionJournal, Desk, DeskCheckpoint, Due, Execution,
    FeedTime, LiveError, ModelRefused, Notice, OrderDesk, PointerWatcher, PolicySlot, SessionCounts,
    SessionSummary, Stock, TraderOptions, TraderPorts, WatchOutcome,
};

/// Refused models that wait to be journalled; each distinct failure comes once.
const MAX_WAITING_REFUSALS: usize = 64;

/// Ends a task with whoever holds it.
pub(super) struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What came of a start.
pub(super) enum Started {
    /// The session has begun.
    Runs(Box<Runner>, Box<dyn MarketFeed>, AbortOnDrop),
    /// Somebody stopped it before it could begin: its journal is as it was.
    Stopped(Box<SessionSummary>),
}

impl Started {
    fn stopped(options: &TraderOptions, desk: &Desk) -> Self {
        Self::Stopped(Box::new(SessionSummary::stopped_at_start(&options.session, Some(desk))))
    }
}

/// Takes the journal, brings the session to where it stands, and writes the head of a segment.
pub(super) async fn start(mut trader: Trader) -> Result<Started, LiveError> {
    let Trader { options, ports, slot, cancel, .. } = trader;
    let TraderPorts { feed, backfill, execution, champion, clock } = ports;
    check_venue(&options, &execution)?;
    let Taken { mut journal, mut header, resumed } =
        take_journal(&options, feed.base(), execution.name(), clock.as_ref())?;
    journal.publish_to(trader.synced);
    let begin = if resumed.is_some() { SegmentStart::Resumed } else { SegmentStart::New };
    let Begun { desk, model, last_bar, bars, waited, orders, counts } = begun(&options, resumed)?;
    model.iter().for_each(|model| slot.resume(model));
    let (mut watcher, refusals) = watcher(&options, champion, &slot, trader.looks.1);
    let left = Left { header: &header, desk: &desk, model: model.as_ref(), last_bar, bars, counts };
    let waiting = Starting { named: &trader.named, commands: &mut trader.commands.1, cancel: &cancel };
    let Some(Executes { execution, stock, early }) =
        executing(execution, &left, orders, waiting, (clock.as_ref(), &options.journal)).await?
    else {
        return Ok(Started::stopped(&options, &desk));
    };
    header.account = header.account.or_else(|| stock.as_ref()?.account_hash());
    let meter = Meter::new(trader.metrics, header.is_paper(), Arc::clone(&clock));
    let log = EventLog::new(trader.events, counts.events, desk.risk().mode());
    let mut bar_loop = BarLoop {
        execution,
        recorder: Recorder::new(journal, log, meter),
        summary: SessionSummary::of(desk.session()),
        last_closed: desk.history().last().copied().map(ClosedBar::of_history),
        desk,
        refusals,
        clock: Arc::clone(&clock),
        watch: options.watch,
        confirmed: watcher.confirmed(),
        fresh: None,
        is_overdue: false,
        header,
        model,
        current: None,
        retired: None,
        waited,
        last_bar,
        bars,
        missed: counts.missed,
        flat: Retry::default(),
        // What the process before had on its way is held against the mode that it left.
        has_less_to_do: true,
        moved: None,
        slot: Arc::clone(&slot),
    };
    bar_loop.begin_segment(begin)?;
    let name = bar_loop.header.session_id().map_err(|error| LiveError::Name { error })?;
    take_up(&mut bar_loop, stock.as_ref(), &asked_for(&options.journal, &early), &mut watcher).await?;
    let mut runner = Runner {
        intake: intake(&options, feed.base(), backfill, &bar_loop)?,
        controls: Controls::new(&options.journal),
        speed: options.speed,
        commands: trader.commands.1,
        cancel: cancel.clone(),
        silence: Silence::begin(feed.base(), clock.monotonic()),
        tick: ticks(),
        status: trader.status,
        step: Step::new(trader.step, bars, trader.looks.0),
        feed: FeedState { is_up: options.time == FeedTime::Bars, last_data_at: None },
        end: trader.end,
        bar_loop,
        clock,
    };
    early.into_iter().try_for_each(|told| runner.on_told(told))?;
    trader.named.send_replace(Some(name));
    let watching = AbortOnDrop(tokio::spawn(watcher.run(options.poll_interval, cancel)));
    Ok(Started::Runs(Box::new(runner), feed, watching))
}

/// The way in of bars that follow on the last one that is known.
fn intake(
    options: &TraderOptions,
    base: Timeframe,
    backfill: Option<Arc<dyn Backfill>>,
    bar_loop: &BarLoop,
) -> Result<Intake, LiveError> {
    let (time, to, rules) = (options.time, options.timeframe, options.closing);
    let last = bar_loop.desk.history().last();
    Intake::new(IntakeOptions { time, base, to, rules, backfill }, last, bar_loop.clock.now())
}

fn ticks() -> Interval {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// All that somebody asked for while the session did not run or had not begun: by a file, or told since, by the watch too.
/// It is journalled and has its effect when the session runs; until then no order goes against it.
fn asked_for(folder: &Path, early: &[Told]) -> Vec<Command> {
    let told = |told: &Told| match told {
        Told::Command(command) => Some(command.clone()),
        Told::Asked(ControlCommand::Kill { reason, flatten }, ..) => {
            Some(Command::Halt { reason: reason.clone().into(), flatten: *flatten })
        }
        Told::Asked(ControlCommand::Pause { reason }, ..) => {
            Some(Command::Pause { reason: reason.clone().into() })
        }
        Told::Asked(ControlCommand::ReduceOnly { reason }, ..) => {
            Some(Command::ReduceOnly { reason: reason.clone().into() })
        }
        Told::Notice(Notice::Stop { reason, .. }) => {
            Some(Command::Halt { reason: reason.clone(), flatten: true })
        }
        Told::Notice(Notice::Restricted { reason }) => Some(Command::ReduceOnly { reason: reason.clone() }),
        Told::Asked(..) | Told::Notice(_) => None,
    };
    Controls::new(folder).halt().into_iter().chain(early.iter().filter_map(told)).collect()
}

/// Takes up the orders that were left, and the model that trades. `asked` is what somebody asked for meanwhile.
async fn take_up(
    bar_loop: &mut BarLoop,
    stock: Option<&Stock>,
    asked: &[Command],
    watcher: &mut PointerWatcher,
) -> Result<(), LiveError> {
    let now = bar_loop.clock.now();
    if let Some(stock) = stock {
        bar_loop.reconcile(stock, asked, now)?;
    }
    if bar_loop.slot.load().is_none() && !matches!(watcher.poll().await, WatchOutcome::Deployed(_)) {
        bar_loop.event(EventRecord::NoModel, now)?;
    }
    recall(bar_loop, watcher, now).await?;
    // The order in flight has left no trace at a broker that lives in this process.
    let pending = bar_loop.desk.session().pending().copied();
    if let (Executing::Broker(broker), Some(order)) = (&mut bar_loop.execution, pending) {
        broker.submit(order).await?;
    }
    Ok(())
}

/// Lets the model go on that holds the position, where a newer one has to wait for that to end.
async fn recall(
    bar_loop: &mut BarLoop,
    watcher: &PointerWatcher,
    now: walkforward_core::Timestamp,
) -> Result<(), LiveError> {
    let Some(model) = bar_loop.model_that_is_waited_for() else { return Ok(()) };
    match watcher.recall(&model).await {
        Ok(policy) => bar_loop.current = Some(Arc::new(policy)),
        Err(reason) => {
            let reason = format!(
                "{} can't go on until its position ends, the next one takes it: {reason}",
                model.model_id
            );
            tracing::warn!(reason, "a model that was waited for");
            bar_loop.event(EventRecord::Warning { reason }, now)?;
        }
    }
    Ok(())
}

/// Refuses what a venue can't do.
fn check_venue(options: &TraderOptions, execution: &Execution) -> Result<(), LiveError> {
    let Execution::Venue(access) = execution else { return Ok(()) };
    let wrong = |name, value: String, expected: &str| {
        let expected = format!("{expected}, because orders go to {}", access.name);
        Err(LiveError::Option { name, value, expected })
    };
    if options.session.market != MarketRules::LONG_ONLY {
        return wrong("market", "one that allows short positions".to_owned(), "a market without them");
    }
    if options.time != FeedTime::Clock {
        return wrong("time", format!("{:?}", options.time), "bars that come by the clock");
    }
    if !options.resume {
        return wrong("resume", "false".to_owned(), "to go on with the journal's session");
    }
    Ok(())
}

/// The journal of a session, what its headers say, and the session that goes on.
struct Taken {
    journal: DecisionJournal,
    header: SegmentHeader,
    resumed: Option<Recovered>,
}

fn take_journal(
    options: &TraderOptions,
    base: Timeframe,
    venue: &str,
    clock: &dyn Clock,
) -> Result<Taken, LiveError> {
    let journal = DecisionJournal::open(&options.journal, options.bounds, clock.now(), clock.monotonic())?;
    let before = newest_header(&options.journal)?;
    if let Some(before) = before.as_ref().filter(|_| options.resume) {
        check_is_ours(options, base, venue, before)?;
    }
    let resumed = if options.resume { recover(&options.journal)? } else { None };
    let mut header = SegmentHeader::new(options, base, venue, clock.now());
    if let Some(before) = before {
        header.deployment = before.deployment;
        header.session = before.session;
        header.account = before.account;
    }
    if resumed.is_none() {
        // The name by which others reach it, as it will be.
        header.session.first_segment = journal.next_number()?;
    }
    Ok(Taken { journal, header, resumed })
}

/// Where a session stands before its first bar.
struct Begun {
    desk: Desk,
    model: Option<ModelStamp>,
    last_bar: Option<walkforward_core::Timestamp>,
    bars: u64,
    waited: u32,
    orders: Option<OrderDesk>,
    counts: SessionCounts,
}

fn begun(options: &TraderOptions, resumed: Option<Recovered>) -> Result<Begun, LiveError> {
    let (session, limits, kept) = (options.session, options.limits, options.history_bars);
    let Some(Recovered { desk, model, last_bar, bars, waited, orders, counts, .. }) = resumed else {
        let mut desk = Desk::new(session, limits, kept)?;
        for bar in without_holes(&options.warm_up, options.timeframe)? {
            desk.warm_up(&bar)?;
        }
        let counts = SessionCounts::default();
        return Ok(Begun { desk, model: None, last_bar: None, bars: 0, waited: 0, orders: None, counts });
    };
    // Anew from its own checkpoint: under the costs and limits of today, and as the next recovery will see it.
    let checkpoint = desk.checkpoint();
    let mut next = resume_desk(options, checkpoint)?;
    for bar in desk.history() {
        next.warm_up(bar)?;
    }
    Ok(Begun { desk: next, model, last_bar, bars, waited, orders, counts })
}

fn resume_desk(options: &TraderOptions, mut checkpoint: DeskCheckpoint) -> Result<Desk, LiveError> {
    let (session, limits, kept) = (options.session, options.limits, options.history_bars);
    match Desk::resume(session, limits, kept, &checkpoint) {
        Err(EngineError::PendingOrder(rejection)) => {
            tracing::warn!(%rejection, "the order in flight is against the limits of today: it lapses");
            checkpoint.session.pending = None;
            Ok(Desk::resume(session, limits, kept, &checkpoint)?)
        }
        desk => Ok(desk?),
    }
}

/// The bars on every interval from the first to the last, with flat ones where there are none.
fn without_holes(bars: &[Bar], timeframe: Timeframe) -> Result<Vec<Bar>, LiveError> {
    let (Some(first), Some(last)) = (bars.first(), bars.last()) else { return Ok(Vec::new()) };
    let rules = crate::ClosingRules { grace_ms: 0, ..crate::ClosingRules::default() };
    let mut assembly = Assembly::new(timeframe, timeframe, rules, first.open_time(), None)?;
    let mut filled = Vec::with_capacity(bars.len());
    for bar in bars {
        let end = bar.close_time(timeframe).min(last.close_time(timeframe));
        assembly.push(*bar, end);
        loop {
            match assembly.due(end)? {
                Due::Nothing => break,
                Due::Fetch(span) => assembly.fetched(span, &[], end),
                Due::Close(closed) => filled.push(closed.bar),
            }
        }
    }
    Ok(filled)
}

/// Refuses to go on in the journal of another line or market.
fn check_is_ours(
    options: &TraderOptions,
    base: Timeframe,
    venue: &str,
    recorded: &SegmentHeader,
) -> Result<(), LiveError> {
    let pairs = [
        ("line", recorded.line.to_string(), options.line.to_string()),
        ("symbol", recorded.symbol.to_string(), options.symbol.to_string()),
        ("timeframe", recorded.timeframe.to_string(), options.timeframe.to_string()),
        ("bars of", recorded.base.to_string(), base.to_string()),
        ("orders at", recorded.venue.clone(), venue.to_owned()),
    ];
    match pairs.into_iter().find(|(_, recorded, wanted)| recorded != wanted) {
        None => Ok(()),
        Some((what, recorded, wanted)) => {
            Err(LiveError::OtherSession { path: options.journal.clone(), what, recorded, wanted })
        }
    }
}

fn watcher(
    options: &TraderOptions,
    champion: Box<dyn ChampionSource>,
    slot: &Arc<PolicySlot>,
    looks: LookRequests,
) -> (PointerWatcher, mpsc::Receiver<ModelRefused>) {
    let accepts = Accepts {
        symbol: options.symbol.clone(),
        timeframe: options.timeframe,
        history_bars: options.history_bars,
        market: options.session.market,
    };
    let (sender, refusals) = mpsc::channel(MAX_WAITING_REFUSALS);
    let watcher = PointerWatcher::new(champion, Arc::clone(slot), accepts, sender);
    (watcher.answering(looks), refusals)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_was_told_counts_and_the_watch_too() {
        let reason = || "a test".to_owned();
        let model_id = "model-2024-01-01T00-00-00-000Z".parse().unwrap();
        let early = [
            Told::Command(Command::Resume { reason: reason() }),
            Told::Notice(Notice::Lifted { reason: reason() }),
            Told::Notice(Notice::Restricted { reason: reason() }),
            Told::Notice(Notice::Stop { model_id, reason: reason() }),
        ];
        let folder = tempfile::tempdir().unwrap();
        crate::halt_session(folder.path(), "a test", false).unwrap();
        let expected = [
            Command::Halt { reason: reason(), flatten: false },
            Command::Resume { reason: reason() },
            Command::ReduceOnly { reason: reason() },
            Command::Halt { reason: reason(), flatten: true },
        ];
        assert_eq!(asked_for(folder.path(), &early), expected);
    }
}
