//! The pointer on disk, as the store writes it.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use walkforward_core::{CancelToken, Grade};
use walkforward_live::{BarFeed, Trader, TraderHandle, TraderOptions};

use crate::common::{Counted, EventfulFeed, Walk, Workplace, features, ports, spec};
use crate::feed::SilentFeed;
use crate::line::Line;

/// Longest time that anything here takes, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(20);

fn line(place: &Workplace) -> Line {
    Line::new(place.folder.path(), 2, &spec(features()))
}

#[tokio::test]
async fn a_promotion_reaches_the_running_session_and_a_torn_pointer_does_not() {
    let place = Workplace::new();
    let line = line(&place);
    let [first, second] = [0, 1].map(|model| line.models()[model].id.clone());
    let source = line.source();
    let line = Arc::new(std::sync::Mutex::new(line));
    let (promoting, tearing) = (Arc::clone(&line), line);
    let looks = Arc::new(AtomicU64::new(0));
    let feed = EventfulFeed {
        walk: Walk::new(4),
        bars: 80,
        events: vec![
            (30, Box::new(move || promoting.lock().unwrap().promote(1))),
            (50, Box::new(move || tearing.lock().unwrap().write_pointer(b"{\"modelId\":"))),
        ],
        looks: Arc::clone(&looks),
    };
    let summary = place.trade(Box::new(feed), Counted(source, looks)).await.unwrap();

    assert_eq!((summary.swaps, summary.refused_models, summary.no_model_bars), (1, 1, 0));
    for (index, bar) in place.bars().iter().enumerate() {
        let expected = if index < 30 { &first } else { &second };
        assert_eq!(&bar.model.as_ref().unwrap().model_id, expected, "{index}");
    }
    let refusals = place.refusals();
    assert!(refusals[0].contains("latest.json"), "{refusals:?}");
}

/// A session of `line` that looks at its pointer once an hour where nothing tells of a change.
async fn session_of(
    place: &Workplace,
    line: &Line,
    feed: Box<dyn BarFeed>,
) -> (TraderHandle, tokio::task::JoinHandle<()>) {
    let options = TraderOptions { poll_interval: Duration::from_secs(3_600), ..place.options() };
    let ports = ports(feed, Box::new(line.source()));
    let trader = Trader::new(options, ports, CancelToken::default()).unwrap();
    let handle = trader.handle();
    let running = tokio::spawn(async move {
        trader.run().await.unwrap();
    });
    until(&handle, |handle| handle.slot().load().is_some()).await;
    (handle, running)
}

async fn until(handle: &TraderHandle, holds: impl Fn(&TraderHandle) -> bool) {
    let waiting = async {
        while !holds(handle) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap();
}

#[tokio::test]
async fn a_pointer_that_is_renamed_into_place_is_taken_at_once_and_not_with_the_next_poll() {
    let place = Workplace::new();
    let line = line(&place);
    let (handle, running) = session_of(&place, &line, Box::new(SilentFeed)).await;
    for (swap, model) in [1, 0, 1, 1, 0].into_iter().enumerate() {
        line.point_to(model);
        let wanted = &line.models()[model].sha256;
        until(&handle, |handle| handle.slot().load().unwrap().sha256 == *wanted).await;
        assert!(handle.slot().load().unwrap().model_version <= swap as u64 + 2);
    }
    handle.stop();
    running.await.unwrap();
}

#[tokio::test]
async fn a_grade_that_changes_in_the_pointer_alone_reaches_the_model_that_trades() {
    let place = Workplace::new();
    let line = line(&place);
    let (handle, running) = session_of(&place, &line, Box::new(SilentFeed)).await;
    let before = handle.slot().load().unwrap();
    assert_eq!((before.grade, before.model_version), (None, 1));
    let graded = |grade: &str| {
        let mut pointer: serde_json::Value = serde_json::from_slice(&line.models()[0].pointer).unwrap();
        pointer["grade"] = grade.into();
        serde_json::to_vec_pretty(&pointer).unwrap()
    };
    for (version, (word, grade)) in (2..).zip([
        ("screened", Grade::Screened),
        ("qualified", Grade::Qualified),
        ("provisional", Grade::Provisional),
    ]) {
        line.write_pointer(&graded(word));
        until(&handle, |handle| handle.slot().load().unwrap().grade == Some(grade)).await;
        let after = handle.slot().load().unwrap();
        assert_eq!((&after.sha256, after.model_version), (&before.sha256, version));
    }
    handle.stop();
    running.await.unwrap();
}
