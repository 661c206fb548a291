//! Minutes again, from the history.

use std::sync::Arc;

use walkforward_core::{Backfill, Bar, ErrorKind, ManualClock, Window};
use walkforward_testing::{FakeAlpaca, RestFault, Route};

use crate::live::{backfill, minute};
use crate::support::at;

fn span(start: i64, end: i64) -> Window {
    Window::new(at(start), at(end)).unwrap()
}

#[tokio::test]
async fn a_span_is_half_open_and_holds_closed_minutes_alone() {
    let fake = FakeAlpaca::start().await;
    (0..10).for_each(|number| fake.lose_bar(minute(number)));
    let clock = Arc::new(ManualClock::at(at(9).plus_millis(59_999)));
    let history = backfill(&fake, clock.clone());
    assert_eq!(history.bars(span(2, 5)).await.unwrap(), [minute(2), minute(3), minute(4)]);
    let newest = history.bars(span(7, 60)).await.unwrap();
    assert_eq!(newest, [minute(7), minute(8)], "the minute in progress is in the service's answer");
    clock.set(at(10));
    assert_eq!(history.bars(span(9, 60)).await.unwrap(), [minute(9)]);
    let asked = fake.count(Route::Bars);
    assert_eq!(history.bars(span(10, 60)).await.unwrap(), []);
    assert_eq!(fake.count(Route::Bars), asked, "what can't be there is not asked for");
}

#[tokio::test]
async fn a_long_span_comes_in_pages_with_its_holes_and_corrections() {
    let fake = FakeAlpaca::start().await;
    (0..1_300).filter(|number| number % 7 != 3).for_each(|number| fake.lose_bar(minute(number)));
    let revised = Bar::new(at(600), 1.0, 3.0, 1.0, 2.0, 9.0).unwrap();
    fake.revise_bar(revised);
    let bars = backfill(&fake, Arc::new(ManualClock::at(at(2_000)))).bars(span(0, 1_300)).await.unwrap();
    assert_eq!(bars.len(), (0..1_300).filter(|number| number % 7 != 3).count());
    assert_eq!(bars.iter().find(|bar| bar.open_time() == at(600)), Some(&revised));
    assert_eq!(fake.count(Route::Bars), 3);
}

#[tokio::test]
async fn a_service_that_fails_is_asked_again_and_not_for_ever() {
    let fake = FakeAlpaca::start().await;
    fake.lose_bar(minute(0));
    let history = backfill(&fake, Arc::new(ManualClock::at(at(60))));
    for fault in [RestFault::html(502), RestFault::CutAnswer, RestFault::LoseAnswer, RestFault::LoseRequest] {
        fake.fail(Route::Bars, fault, 2);
        assert_eq!(history.bars(span(0, 5)).await.unwrap(), [minute(0)]);
        assert_eq!(fake.waiting_faults(), 0);
    }
    fake.fail(Route::Bars, RestFault::html(503), 3);
    let error = history.bars(span(0, 5)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Retry);
    assert!(error.message.contains("after 3 attempt(s)"), "{}", error.message);
}
