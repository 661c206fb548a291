//! What the trader does with what its feed gives it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use walkforward_core::{
    Bar, BarFeed, CancelToken, Clock, ErrorKind, ManualClock, Quantity, SourceError, Timestamp,
};
use walkforward_live::{
    EventRecord, JournalRecord, LiveError, NoChampion, Speed, StopReason, Trader, TraderPorts,
};

use crate::common::{Champion, ListFeed, Walk, Workplace, at, ports, walk};

#[tokio::test]
async fn without_a_champion_the_session_runs_flat_as_no_model() {
    let place = Workplace::new();
    let summary = place.trade(ListFeed::of(walk(1, 50).iter()), NoChampion).await.unwrap();
    assert_eq!((summary.bars, summary.no_model_bars, summary.decisions), (50, 50, 0));
    assert_eq!((summary.equity, summary.position, summary.fills), (10_000.0, Quantity::ZERO, 0));
    assert_eq!(summary.model_versions, None);
    assert_eq!(place.events(), [EventRecord::NoModel]);
    assert!(place.bars().iter().all(|bar| bar.model.is_none() && bar.order.is_none()));
}

#[tokio::test]
async fn duplicates_stragglers_and_strays_are_counted_and_left_out() {
    let place = Workplace::new();
    let bars = walk(1, 40);
    let stray = Bar::flat(at(20).plus_millis(60_000), 100.0).unwrap();
    let mut fed: Vec<Bar> = bars.iter().collect();
    fed.insert(20, stray);
    fed.insert(11, bars.bar(3));
    fed.insert(10, bars.bar(9));
    fed.remove(35);
    let summary = place.trade(ListFeed::of(fed), Champion::of(&place.model(1))).await.unwrap();
    assert_eq!((summary.late_bars, summary.off_grid_bars), (2, 1));
    assert_eq!((summary.bars, summary.missing_bars), (40, 1));
    let times: Vec<Timestamp> = place.bars().iter().map(|bar| bar.open_time).collect();
    assert_eq!(times, bars.open_times());
}

struct FailingFeed(ListFeed);

#[async_trait]
impl BarFeed for FailingFeed {
    async fn next_bar(&mut self) -> Result<Option<Bar>, SourceError> {
        match self.0.next_bar().await? {
            Some(bar) => Ok(Some(bar)),
            None => Err(SourceError { kind: ErrorKind::Retry, message: "the line is dead".to_owned() }),
        }
    }
}

#[tokio::test]
async fn a_feed_that_fails_ends_the_session_with_its_figures_journalled() {
    let place = Workplace::new();
    let feed = Box::new(FailingFeed(*ListFeed::of(walk(1, 10).iter())));
    let error = place.trade(feed, NoChampion).await.unwrap_err();
    assert_eq!(
        (error.to_string(), error.kind()),
        ("the bar feed failed: the line is dead".into(), ErrorKind::Retry)
    );
    let records = place.records();
    let Some(JournalRecord::End(summary)) = records.last() else { panic!("{records:?}") };
    assert_eq!((summary.stop, summary.bars), (StopReason::Failed, 10));
}

pub(crate) struct SilentFeed;

#[async_trait]
impl BarFeed for SilentFeed {
    async fn next_bar(&mut self) -> Result<Option<Bar>, SourceError> {
        std::future::pending().await
    }
}

struct EndlessFeed(Walk);

#[async_trait]
impl BarFeed for EndlessFeed {
    async fn next_bar(&mut self) -> Result<Option<Bar>, SourceError> {
        Ok(Some(self.0.next_bar()))
    }
}

async fn stops_within_two_seconds(feed: Box<dyn BarFeed>) -> Workplace {
    let place = Workplace::new();
    let trader = place.trader(place.options(), feed, Box::new(NoChampion));
    let handle = trader.handle();
    let running = tokio::spawn(trader.run());
    tokio::time::sleep(Duration::from_millis(30)).await;
    handle.stop();
    let summary = tokio::time::timeout(Duration::from_secs(2), running).await.unwrap().unwrap().unwrap();
    assert_eq!(summary.stop, StopReason::Stopped);
    assert_eq!(handle.status().bars, summary.bars);
    place
}

#[tokio::test]
async fn a_session_stops_between_bars_and_while_it_waits_for_one() {
    stops_within_two_seconds(Box::new(SilentFeed)).await;
    let place = stops_within_two_seconds(Box::new(EndlessFeed(Walk::new(1)))).await;
    assert!(matches!(place.records().last(), Some(JournalRecord::End(_))));
}

#[tokio::test]
async fn bars_come_so_many_times_as_fast_as_the_market() {
    let place = Workplace::new();
    let mut options = place.options();
    options.speed = Speed::Times(60.0);
    let clock = Arc::new(ManualClock::at(at(0)));
    let ports = TraderPorts {
        clock: Arc::<ManualClock>::clone(&clock),
        ..ports(ListFeed::of(walk(1, 31).iter()), Box::new(NoChampion))
    };
    Trader::new(options, ports, CancelToken::default()).unwrap().run().await.unwrap();
    assert_eq!(clock.now().millis_since(at(0)), 30 * 60_000);
}

#[tokio::test]
async fn a_hole_that_is_too_long_ends_the_session_by_name() {
    let place = Workplace::new();
    let far = Bar::flat(at(200_000), 100.0).unwrap();
    let feed = ListFeed::of([walk(1, 1).bar(0), far]);
    let error = place.trade(feed, NoChampion).await.unwrap_err();
    assert!(matches!(error, LiveError::Hole { missing: 199_999, .. }), "{error}");
}

#[test]
fn options_out_of_range_are_refused_by_name() {
    let place = Workplace::new();
    let check = |change: fn(&mut walkforward_live::TraderOptions), expected: &str| {
        let mut options = place.options();
        change(&mut options);
        let error = options.validate().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadInput);
        assert!(error.to_string().contains(expected), "{error}");
    };
    check(|options| options.speed = Speed::Times(0.0), "speed is 0");
    check(|options| options.speed = Speed::Times(f64::NAN), "speed is NaN");
    check(|options| options.history_bars = 0, "history_bars is 0");
    check(|options| options.poll_interval = Duration::ZERO, "poll_interval is 0ns");
    check(|options| options.session.fee_bps = f64::NAN, "fee_bps is NaN");
    check(|options| options.bounds.segment_bytes = 1, "segment_bytes is 1");
    check(|options| options.bounds.keep_segments = 1, "keep_segments is 1");
    check(
        |options| options.watch.max_decision_delay = Duration::from_secs(3_601),
        "max_decision_delay is 3601s",
    );
}
