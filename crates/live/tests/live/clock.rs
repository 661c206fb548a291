//! A market that is traded by the clock: minutes that come, do not come, come twice or too late.

mod silence;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use walkforward_core::{
    Backfill, Bar, CancelToken, Clock, ErrorKind, FeedEvent, MarketFeed, SourceError, Timeframe, Timestamp,
    Window,
};
use walkforward_live::{
    BarRecord, Behaviour, ChampionError, ChampionLook, ChampionSource, Command, ConditionSource, Confirmed,
    EventRecord, FeedTime, LiveError, SegmentStart, SessionSummary, Trader, TraderHandle, TraderOptions,
    TraderPorts, TradingMode, verify_journal,
};

use crate::common::{Champion, Workplace, features, paper, spec, write_inclined_model};

const MINUTE_MS: i64 = 60_000;
const QUARTER: i64 = 15;
/// What happens at all has happened by then, on any machine.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

fn at(minute: i64) -> Timestamp {
    crate::common::at(0).plus_millis(minute * MINUTE_MS)
}

fn minute(number: i64) -> Bar {
    let price = 100.0 + (number as f64 / 40.0).sin();
    Bar::new(at(number), price, price + 0.5, price - 0.5, price + 0.1, 2.0).unwrap()
}

/// A clock that stands until the test moves it.
pub(crate) struct SteppedClock(pub(crate) watch::Sender<Timestamp>);

#[async_trait]
impl Clock for SteppedClock {
    fn now(&self) -> Timestamp {
        *self.0.borrow()
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.now().millis_since(Timestamp::EPOCH).unsigned_abs())
    }

    async fn sleep_until(&self, deadline: Timestamp) {
        let _ = self.0.subscribe().wait_for(|now| *now >= deadline).await;
    }
}

/// A clock whose time of day is wrong by so many milliseconds.
struct SetClock {
    right: Arc<SteppedClock>,
    wrong_ms: AtomicI64,
}

impl SetClock {
    fn wrong_ms(&self) -> i64 {
        self.wrong_ms.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        self.right.now().plus_millis(self.wrong_ms())
    }

    fn monotonic(&self) -> Duration {
        self.right.monotonic()
    }

    async fn sleep_until(&self, deadline: Timestamp) {
        self.right.sleep_until(deadline.plus_millis(-self.wrong_ms())).await;
    }
}

struct ChannelFeed(mpsc::Receiver<FeedEvent>);

#[async_trait]
impl MarketFeed for ChannelFeed {
    fn base(&self) -> Timeframe {
        Timeframe::MINUTE
    }

    async fn next(&mut self) -> Result<Option<FeedEvent>, SourceError> {
        Ok(self.0.recv().await)
    }
}

/// What the service has, and whether it answers.
#[derive(Default)]
struct History {
    bars: Mutex<BTreeMap<Timestamp, Bar>>,
    is_down: AtomicBool,
    asked: Mutex<Vec<Window>>,
}

#[async_trait]
impl Backfill for History {
    async fn bars(&self, span: Window) -> Result<Vec<Bar>, SourceError> {
        self.asked.lock().unwrap().push(span);
        if self.is_down.load(Ordering::SeqCst) {
            return Err(SourceError { kind: ErrorKind::BadInput, message: "the service is down".to_owned() });
        }
        let bars = self.bars.lock().unwrap();
        Ok(bars.range(span.start()..span.end()).map(|(_, bar)| *bar).collect())
    }
}

/// A champion that the test confirms.
struct Confirming(Champion, Arc<Mutex<Option<Confirmed>>>);

impl ChampionSource for Confirming {
    fn look(&mut self, again: bool) -> Result<ChampionLook, ChampionError> {
        self.0.look(again)
    }

    fn confirmed(&mut self) -> Option<Confirmed> {
        self.1.lock().unwrap().clone()
    }
}

/// A trader of quarters of an hour, and the market around it.
struct Market {
    place: Workplace,
    clock: Arc<SteppedClock>,
    /// What the trader takes for the time.
    day: Arc<SetClock>,
    confirmed: Arc<Mutex<Option<Confirmed>>>,
    feed: mpsc::Sender<FeedEvent>,
    history: Arc<History>,
    handle: TraderHandle,
    running: JoinHandle<Result<SessionSummary, LiveError>>,
    /// The minute that ends next.
    next: i64,
}

impl Market {
    async fn open(change: impl FnOnce(&mut TraderOptions)) -> Self {
        let place = Workplace::new();
        let clock = Arc::new(SteppedClock(watch::channel(at(0)).0));
        Self::start(place, clock, Arc::default(), 0, change).await
    }

    async fn start(
        place: Workplace,
        clock: Arc<SteppedClock>,
        history: Arc<History>,
        next: i64,
        change: impl FnOnce(&mut TraderOptions),
    ) -> Self {
        Self::start_at(place, (clock, 0), history, next, change).await
    }

    /// Starts while the time of day is wrong by so many milliseconds.
    async fn start_at(
        place: Workplace,
        (clock, wrong_ms): (Arc<SteppedClock>, i64),
        history: Arc<History>,
        next: i64,
        change: impl FnOnce(&mut TraderOptions),
    ) -> Self {
        let day = Arc::new(SetClock { right: Arc::clone(&clock), wrong_ms: AtomicI64::new(wrong_ms) });
        // Long whatever the market does, from the sixth bar on.
        let quarters = walkforward_core::PolicySpec {
            timeframe: Timeframe::from_minutes(QUARTER as u32).unwrap(),
            ..spec(features())
        };
        let model = write_inclined_model(&place.models_dir(), 1, &quarters, 1_000.0);
        let mut options = place.options();
        (options.timeframe, options.time, options.resume) = (quarters.timeframe, FeedTime::Clock, true);
        change(&mut options);
        let confirmed = Arc::<Mutex<Option<Confirmed>>>::default();
        let (feed, events) = mpsc::channel(10_000);
        let backfill: Arc<dyn Backfill> = Arc::<History>::clone(&history);
        let ports = TraderPorts {
            feed: Box::new(ChannelFeed(events)),
            backfill: Some(backfill),
            execution: paper().into(),
            champion: Box::new(Confirming(Champion::of(&model), Arc::clone(&confirmed))),
            clock: Arc::<SetClock>::clone(&day),
        };
        let trader = Trader::new(options, ports, CancelToken::default()).unwrap();
        let handle = trader.handle();
        let running = tokio::spawn(trader.run());
        while handle.status().equity == 0.0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Self { place, clock, day, confirmed, feed, history, handle, running, next }
    }

    fn set(&self, now: Timestamp) {
        self.clock.0.send_replace(now);
    }

    /// The next minute ends: it is in the history, and on the stream unless it is `lost`.
    async fn pass(&mut self, lost: bool) {
        let bar = minute(self.next);
        self.history.bars.lock().unwrap().insert(bar.open_time(), bar);
        self.next += 1;
        self.set(at(self.next));
        if !lost {
            self.feed.send(FeedEvent::Bar(bar)).await.unwrap();
        }
        tokio::task::yield_now().await;
    }

    /// A quarter of an hour passes but for the minutes that are lost; its bar closes after the grace.
    async fn quarter(&mut self, lost: impl Fn(i64) -> bool) {
        for number in 0..QUARTER {
            self.pass(lost(number)).await;
        }
        self.settle(5_000).await;
    }

    /// Waits until the trader has taken what there is at `ms` after the last minute.
    async fn settle(&self, ms: i64) {
        self.quiet().await;
        self.set(at(self.next).plus_millis(ms));
        self.quiet().await;
    }

    /// The time of day is wrong by so many minutes from now on.
    fn set_wrong(&self, minutes: i64) {
        self.day.wrong_ms.store(minutes * MINUTE_MS, Ordering::SeqCst);
    }

    /// What the session has done about its data so far.
    fn told_of_data(&self) -> Vec<Option<Behaviour>> {
        told_of_data(&self.place)
    }

    /// Waits until that is this.
    async fn until_told(&self, expected: &[Option<Behaviour>]) {
        let told = async {
            while self.told_of_data() != expected {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let in_time = tokio::time::timeout(LONGEST_WAIT, told).await;
        assert!(in_time.is_ok(), "{:?}", self.told_of_data());
    }

    /// Lets minutes pass in which nothing comes, until something has happened.
    async fn silent_until(&mut self, is_there: impl Fn(&Self) -> bool) {
        let there = async {
            while !is_there(self) {
                self.next += 1;
                self.settle(5_000).await;
            }
        };
        let in_time = tokio::time::timeout(LONGEST_WAIT, there).await;
        assert!(in_time.is_ok(), "{:?}", self.told_of_data());
    }

    /// Ends it, and begins it anew in its journal.
    async fn restart(self, change: impl FnOnce(&mut TraderOptions)) -> Self {
        let Self { place, clock, history, next, handle, running, feed: _feed, .. } = self;
        handle.stop();
        running.await.unwrap().unwrap();
        Self::start(place, clock, history, next, change).await
    }

    async fn quiet(&self) {
        // Longer than anything that the trader does by itself.
        tokio::time::sleep(Duration::from_millis(15)).await;
    }

    async fn stop(self) -> (Workplace, SessionSummary) {
        self.handle.stop();
        let summary =
            tokio::time::timeout(Duration::from_secs(5), self.running).await.unwrap().unwrap().unwrap();
        let report = verify_journal(&self.place.journal(), &self.place.models_dir()).unwrap();
        assert!(report.is_identical(), "{report:?}");
        (self.place, summary)
    }
}

fn told_of_data(place: &Workplace) -> Vec<Option<Behaviour>> {
    let told = |event| match event {
        EventRecord::Condition { source: ConditionSource::Data, behaviour, .. } => Some(behaviour),
        _ => None,
    };
    place.events().into_iter().filter_map(told).collect()
}

fn is_whole(bar: &BarRecord) -> bool {
    bar.present && !bar.missed && bar.base_bars == QUARTER as usize
}

#[tokio::test]
async fn a_bar_is_decided_five_seconds_after_its_end_whether_or_not_another_minute_comes() {
    let mut market = Market::open(|_| {}).await;
    market.quarter(|_| false).await;
    assert_eq!(market.handle.status().bars, 1);
    market.quarter(|_| false).await;
    let (place, summary) = market.stop().await;
    assert_eq!((summary.bars, summary.missed_bars, summary.late_bars), (2, 0, 0));
    for (index, bar) in place.bars().iter().enumerate() {
        assert!(is_whole(bar));
        assert_eq!(bar.decided_at, at((index as i64 + 1) * QUARTER).plus_millis(5_000));
    }
}

#[tokio::test]
async fn minutes_that_the_stream_lost_are_fetched_before_the_bar_is_decided() {
    let mut market = Market::open(|_| {}).await;
    market.quarter(|number| number == 3 || number == 14).await;
    market.quarter(|_| true).await;
    let asked = market.history.asked.lock().unwrap().clone();
    assert_eq!(asked, [(3, 15), (15, 30)].map(|(start, end)| Window::new(at(start), at(end)).unwrap()));
    let (place, summary) = market.stop().await;
    assert_eq!(summary.bars, 2);
    assert!(place.bars().iter().all(is_whole));
}

#[tokio::test]
async fn a_service_that_does_not_answer_holds_a_bar_up_for_so_long_and_no_longer() {
    let mut market = Market::open(|_| {}).await;
    market.quarter(|_| false).await;
    market.history.is_down.store(true, Ordering::SeqCst);
    market.quarter(|number| number == 7).await;
    assert_eq!(market.handle.status().bars, 1, "patience");
    market.settle(54_999).await;
    assert_eq!(market.handle.status().bars, 1, "patience");
    market.settle(55_000).await;
    assert_eq!(market.handle.status().bars, 2);
    let (place, _) = market.stop().await;
    let bar = &place.bars()[1];
    assert!(bar.present && !bar.missed && bar.base_bars == 14, "{bar:?}");
    let events = place.events();
    let is_told = |event: &EventRecord| matches!(event, EventRecord::NotFetched { reason, .. } if reason == "the service is down");
    assert!(events.iter().any(is_told), "{events:?}");
}

#[tokio::test]
async fn a_bar_that_is_decided_too_late_is_missed_and_no_order_follows() {
    let mut market = Market::open(|_| {}).await;
    for _ in 0..6 {
        market.quarter(|_| false).await;
    }
    assert!(market.place.bars().iter().all(|bar| bar.order.is_none()), "features warm up");
    // The machine slept: all minutes are there, and it is late.
    for _ in 0..QUARTER {
        market.pass(false).await;
    }
    market.quiet().await;
    market.set(at(market.next).plus_millis(60_001));
    market.quiet().await;
    market.set(at(market.next));
    market.quarter(|_| false).await;
    let (place, summary) = market.stop().await;
    assert_eq!((summary.bars, summary.missed_bars, summary.orders), (8, 1, 1));
    let bars = place.bars();
    assert!(bars[6].missed && bars[6].action.is_none() && bars[6].order.is_none());
    assert!(bars[7].order.is_some() && bars[7].observation.is_some(), "features took the missed bar");
}

#[tokio::test]
async fn what_closed_while_the_trader_was_down_is_history_and_the_position_goes_on() {
    let mut market = Market::open(|_| {}).await;
    for _ in 0..9 {
        market.quarter(|_| false).await;
    }
    let Market { place, clock, history, mut next, handle, running, feed: _feed, .. } = market;
    handle.stop();
    running.await.unwrap().unwrap();
    let held = place.bars().last().unwrap().position;
    assert!(held > walkforward_core::Quantity::ZERO);
    for _ in 0..5 * QUARTER + 4 {
        let bar = minute(next);
        history.bars.lock().unwrap().insert(bar.open_time(), bar);
        next += 1;
    }
    clock.0.send_replace(at(next));
    let mut market = Market::start(place, clock, history, next, |_| {}).await;
    market.quiet().await;
    assert_eq!(market.handle.status().bars, 5, "the service had them");
    for _ in 4..QUARTER {
        market.pass(false).await;
    }
    market.settle(5_000).await;
    let (place, summary) = market.stop().await;
    assert_eq!((summary.bars, summary.missed_bars, summary.orders), (6, 5, 0));
    let bars = place.bars();
    assert_eq!(bars.len(), 15);
    for (index, bar) in bars.iter().enumerate() {
        assert_eq!(bar.open_time, at(index as i64 * QUARTER), "each once");
        assert_eq!(bar.missed, (9..14).contains(&index));
        assert!(bar.present && bar.base_bars == QUARTER as usize, "{index}");
        assert!(index < 9 || bar.position == held, "{index}");
    }
    assert!(bars[14].action.is_some());
    let starts: Vec<SegmentStart> = place.headers().iter().map(|header| header.start).collect();
    // Midnight lies in between.
    assert_eq!(starts, [SegmentStart::New, SegmentStart::Continued, SegmentStart::Resumed]);
}

#[tokio::test]
async fn without_data_the_session_may_only_reduce_until_data_come_again() {
    let mut market = Market::open(|options| options.watch.stale_after_bars = 20).await;
    market.quarter(|_| false).await;
    for _ in 0..2 {
        market.set(at(market.next));
        // Nothing trades: the service has no minutes either.
        market.next += QUARTER;
        market.settle(5_000).await;
    }
    assert_eq!(market.handle.status().mode, TradingMode::ReduceOnly);
    market.quarter(|_| false).await;
    assert_eq!(market.handle.status().mode, TradingMode::Active);
    let (place, summary) = market.stop().await;
    assert_eq!((summary.bars, summary.missing_bars), (4, 2));
    assert_eq!(told_of_data(&place), [Some(Behaviour::ReduceOnly), None]);
}

#[tokio::test]
async fn duplicates_stragglers_and_revisions_change_no_bar_that_was_decided() {
    let mut market = Market::open(|_| {}).await;
    market.quarter(|_| false).await;
    let revised = Bar::flat(at(3), 90.0).unwrap();
    let again = [FeedEvent::Bar(minute(4)), FeedEvent::Revised(revised), FeedEvent::Bar(minute(14))];
    for event in again {
        market.feed.send(event).await.unwrap();
    }
    for number in [2, 0, 1, 1, 0] {
        market.set(at(market.next + 3));
        market.feed.send(FeedEvent::Bar(minute(market.next + number))).await.unwrap();
    }
    market.quiet().await;
    market.feed.send(FeedEvent::Revised(Bar::flat(at(16), 80.0).unwrap())).await.unwrap();
    market.feed.send(FeedEvent::Bar(minute(40))).await.unwrap();
    market.quiet().await;
    for _ in 0..3 {
        market.history.bars.lock().unwrap().insert(at(market.next), minute(market.next));
        market.next += 1;
    }
    for _ in 3..QUARTER {
        market.pass(false).await;
    }
    market.settle(5_000).await;
    let (place, summary) = market.stop().await;
    let counts = (summary.late_bars, summary.duplicate_bars, summary.revised_bars, summary.early_bars);
    assert_eq!((summary.bars, counts), (2, (3, 2, 1, 1)));
    let bars = place.bars();
    assert!(bars.iter().all(is_whole));
    assert_eq!(bars[1].low, 80.0, "a revision before the end counts");
    let told: Vec<EventRecord> = place.events();
    assert!(told.contains(&EventRecord::Revised { bar: revised }), "{told:?}");
}

#[tokio::test]
async fn a_flatten_closes_the_position_and_a_resume_lets_it_trade_again() {
    let mut market = Market::open(|_| {}).await;
    for _ in 0..8 {
        market.quarter(|_| false).await;
    }
    let reason = || "a test".to_owned();
    market.handle.command(Command::Flatten { reason: reason() }).unwrap();
    market.quarter(|_| false).await;
    market.quarter(|_| false).await;
    market.handle.command(Command::Resume { reason: reason() }).unwrap();
    market.quarter(|_| false).await;
    let (place, _) = market.stop().await;
    let bars = place.bars();
    let orders: Vec<bool> = bars.iter().map(|bar| bar.order.is_some()).collect();
    assert_eq!(orders[6..], [true, false, true, false, true], "{orders:?}");
    assert!(bars[9].position.is_zero() && bars[9].mode == TradingMode::Halted);
}

#[tokio::test]
async fn a_model_that_nobody_confirms_for_long_may_only_reduce_until_somebody_does() {
    let mut market = Market::open(|options| options.watch.expires_after = Duration::from_secs(40 * 60)).await;
    let confirm = |market: &Market, minute: i64| {
        let model_id = market.handle.slot().load().unwrap().model_id.clone();
        *market.confirmed.lock().unwrap() = Some(Confirmed { model_id, at: at(minute) });
    };
    confirm(&market, 0);
    // The watcher asks with every fortieth look.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut modes = Vec::new();
    for _ in 0..3 {
        market.quarter(|_| false).await;
        modes.push(market.handle.status().mode);
    }
    assert_eq!(modes, [TradingMode::Active, TradingMode::Active, TradingMode::ReduceOnly]);
    confirm(&market, 44);
    tokio::time::sleep(Duration::from_millis(300)).await;
    market.quarter(|_| false).await;
    assert_eq!(market.handle.status().mode, TradingMode::Active);
    market.stop().await;
}

/// What somebody should look at.
fn warnings(place: &Workplace) -> Vec<String> {
    let reason = |event| if let EventRecord::Warning { reason } = event { Some(reason) } else { None };
    place.events().into_iter().filter_map(reason).collect()
}

#[tokio::test]
async fn a_model_whose_confirmation_is_overdue_is_told_of_once_and_once_when_it_is_not_any_more() {
    let mut market = Market::open(|options| options.watch.warns_after = Duration::from_secs(20 * 60)).await;
    let confirm = |market: &Market, minute: i64| {
        let model_id = market.handle.slot().load().unwrap().model_id.clone();
        *market.confirmed.lock().unwrap() = Some(Confirmed { model_id, at: at(minute) });
    };
    confirm(&market, 0);
    // The watcher asks with every fortieth look.
    tokio::time::sleep(Duration::from_millis(300)).await;
    market.quarter(|_| false).await;
    assert_eq!(warnings(&market.place), [""; 0]);
    for _ in 0..3 {
        market.quarter(|_| false).await;
        assert_eq!(warnings(&market.place), ["no cycle has confirmed the model for 0 hours: do cycles run?"]);
    }
    assert_eq!(market.handle.status().mode, TradingMode::Active);
    confirm(&market, 59);
    tokio::time::sleep(Duration::from_millis(300)).await;
    market.quarter(|_| false).await;
    let told = warnings(&market.place);
    assert_eq!(told[1..], ["the confirmation of the model is not overdue any more"]);
    market.stop().await;
}

#[tokio::test]
async fn a_clock_that_jumps_far_ahead_closes_few_bars_and_is_told_and_all_goes_on_when_it_is_set_right() {
    let mut market = Market::open(|_| {}).await;
    for _ in 0..8 {
        market.quarter(|_| false).await;
    }
    for days in [3, 300, 30_000] {
        market.set(at(days * 1_440));
        market.quiet().await;
        assert_eq!(market.handle.status().bars, 12, "an hour of it");
    }
    market.set(at(market.next));
    for _ in 0..6 {
        market.quarter(|_| false).await;
    }
    let told = warnings(&market.place);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("Is the clock right?") && told[1].contains("again"), "{told:?}");
    let (place, summary) = market.stop().await;
    assert_eq!((summary.bars, summary.missing_bars, summary.late_bars), (14, 4, 60));
    let bars = place.bars();
    for (index, bar) in bars.iter().enumerate() {
        let is_made_up = (8..12).contains(&index);
        assert_eq!(bar.open_time, at(index as i64 * QUARTER));
        assert_eq!(
            (bar.missed, bar.present, bar.order.is_some()),
            (is_made_up, !is_made_up, index == 6),
            "{index}"
        );
    }
}

#[tokio::test]
async fn after_hours_of_silence_bars_wait_for_the_first_that_comes() {
    let mut market = Market::open(|_| {}).await;
    market.quarter(|_| false).await;
    for _ in 0..12 {
        // Nothing trades: the service has no minutes either.
        market.next += QUARTER;
        market.settle(5_000).await;
    }
    assert_eq!(market.handle.status().bars, 5, "an hour of it");
    assert_eq!(market.handle.status().mode, TradingMode::ReduceOnly);
    market.quarter(|_| false).await;
    assert_eq!(market.handle.status().mode, TradingMode::Active);
    assert_eq!(warnings(&market.place).len(), 2);
    let (place, summary) = market.stop().await;
    assert_eq!((summary.bars, summary.missing_bars), (14, 12));
    assert!(is_whole(place.bars().last().unwrap()));
}
